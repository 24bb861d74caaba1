//! What is measured, and its names.

use serde::{Serialize, Serializer, ser::SerializeMap};

/// A number that a clip's masks get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// J, mean over the frames.
    J,
    /// Share of the frames whose J is over ½.
    JRecall,
    /// J of the clip's first quarter minus that of its last.
    JDecay,
    /// F, mean over the frames.
    F,
    /// Share of the frames whose F is over ½.
    FRecall,
    /// F of the clip's first quarter minus that of its last.
    FDecay,
    /// F with contours that match within 2 pixels.
    FStrict,
    /// Mean of J and F.
    JAndF,
    /// Error that changes along motion.
    Flicker,
    /// Pixels that change where the truth does not.
    FalseFlips,
    /// Frames by which the masks come late. Over several clips: of how many it is not 0.
    Lag,
    /// VC8 as published.
    Vc8,
    /// VC8 of right predictions.
    Vc8Correct,
    /// VC16 as published.
    Vc16,
    /// VC16 of right predictions.
    Vc16Correct,
    /// T: change of the contour's shape between neighbouring frames. Lowest for a frozen mask.
    T,
    /// Change between neighbouring frames: 1 − IoU. Lowest for a frozen mask.
    Instability,
    /// Change between neighbouring frames that motion does not explain.
    MotionCompensatedInstability,
    /// What the masks are worth, estimated without the truth.
    Estimate,
}

impl Measure {
    /// All there are, in the order in which they are shown.
    pub const ALL: [Self; 19] = [
        Self::J,
        Self::JRecall,
        Self::JDecay,
        Self::F,
        Self::FRecall,
        Self::FDecay,
        Self::FStrict,
        Self::JAndF,
        Self::Flicker,
        Self::FalseFlips,
        Self::Lag,
        Self::Vc8,
        Self::Vc8Correct,
        Self::Vc16,
        Self::Vc16Correct,
        Self::T,
        Self::Instability,
        Self::MotionCompensatedInstability,
        Self::Estimate,
    ];

    /// The name in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::J => "j_mean",
            Self::JRecall => "j_recall",
            Self::JDecay => "j_decay",
            Self::F => "f_mean",
            Self::FRecall => "f_recall",
            Self::FDecay => "f_decay",
            Self::FStrict => "f_2px_mean",
            Self::JAndF => "j_and_f",
            Self::Flicker => "flicker",
            Self::FalseFlips => "false_flips",
            Self::Lag => "lag",
            Self::Vc8 => "vc8",
            Self::Vc8Correct => "vc8_correct",
            Self::Vc16 => "vc16",
            Self::Vc16Correct => "vc16_correct",
            Self::T => "t",
            Self::Instability => "instability",
            Self::MotionCompensatedInstability => "motion_compensated_instability",
            Self::Estimate => "estimate",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::J => "J mean",
            Self::JRecall => "J recall",
            Self::JDecay => "J decay",
            Self::F => "F mean",
            Self::FRecall => "F recall",
            Self::FDecay => "F decay",
            Self::FStrict => "F within 2 pixels",
            Self::JAndF => "J&F",
            Self::Flicker => "flicker",
            Self::FalseFlips => "false flips",
            Self::Lag => "clips that lag",
            Self::Vc8 => "VC8",
            Self::Vc8Correct => "VC8, correct",
            Self::Vc16 => "VC16",
            Self::Vc16Correct => "VC16, correct",
            Self::T => "T",
            Self::Instability => "instability, neighbouring frames",
            Self::MotionCompensatedInstability => "instability, motion-compensated",
            Self::Estimate => "estimate without truth",
        }
    }

    /// Where better masks have it: up, or down where they are as good; nowhere for what does not rank masks.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::J | Self::JRecall | Self::F | Self::FRecall | Self::FStrict | Self::JAndF | Self::Estimate => " ↑",
            Self::Flicker | Self::FalseFlips | Self::Lag => " ↓",
            Self::JDecay | Self::FDecay | Self::Vc8 | Self::Vc8Correct | Self::Vc16 | Self::Vc16Correct => "",
            Self::T | Self::Instability | Self::MotionCompensatedInstability => "",
        }
    }

    /// The value as people read it; measures of 0 to 1 in hundredths.
    pub fn show(self, value: Option<f64>) -> String {
        match (self, value) {
            (_, None) => "–".into(),
            (Self::Lag, Some(value)) => format!("{value:.0}"),
            (Self::Flicker | Self::FalseFlips | Self::T, Some(value)) => format!("{value:.3}"),
            (_, Some(value)) => format!("{:.1}", 100.0 * value),
        }
    }
}

/// A value, or none, for every [`Measure`].
#[derive(Debug, Clone, PartialEq)]
pub struct Scores([Option<f64>; Measure::ALL.len()]);

impl Scores {
    /// By asking for each.
    pub fn from_fn(mut value: impl FnMut(Measure) -> Option<f64>) -> Self {
        Self(Measure::ALL.map(&mut value))
    }

    /// The value of one.
    pub fn get(&self, measure: Measure) -> Option<f64> {
        self.0[measure as usize]
    }

    /// The means over clips, of the values there are; for [`Measure::Lag`] the number of clips that do lag.
    pub fn mean<'a>(clips: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self::from_fn(|measure| {
            let values = clips.clone().filter_map(|scores| scores.get(measure));
            if measure == Measure::Lag { Some(values.filter(|&lag| lag != 0.0).count() as f64) } else { mean(values) }
        })
    }
}

/// A map from [`Measure::name`] to the value, or null.
impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Measure::ALL.len()))?;
        for measure in Measure::ALL {
            map.serialize_entry(measure.name(), &self.get(measure))?;
        }
        map.end()
    }
}

/// The mean of the values; `None` of none.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
