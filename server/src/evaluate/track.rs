//! The masks of one object, by one method, through one clip.

use serde::Serialize;
use steadymask_core::{
    BitMask, Motion,
    metric::{TruthAccumulator, TruthMetrics, iou, motion_compensated_instability},
    resize::resize_mask,
};

use super::measure::{Measure, Scores, mean};
use crate::Result;

/// What is known of one frame's mask: 0 to 1, flicker and false flips 0 and up.
///
/// What compares with the frame before is `None` on the first frame of a shot, and what needs motion where no frames
/// were given.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FrameScores {
    /// J.
    pub j: f64,
    /// F.
    pub f: f64,
    /// F with contours that match within 2 pixels.
    pub f_2px: f64,
    /// Error that changed along motion.
    pub flicker: Option<f64>,
    /// Pixels that changed where the truth did not.
    pub false_flips: Option<f64>,
    /// 1 − IoU with the frame before.
    pub instability: Option<f64>,
    /// Change that motion does not explain.
    pub motion_compensated_instability: Option<f64>,
}

impl FrameScores {
    /// The values by name.
    pub fn values(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("j", Some(self.j)),
            ("f", Some(self.f)),
            ("f_2px", Some(self.f_2px)),
            ("flicker", self.flicker),
            ("false_flips", self.false_flips),
            ("instability", self.instability),
            ("motion_compensated_instability", self.motion_compensated_instability),
        ]
    }
}

/// How a frame follows from the one before.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// It is the first of a shot.
    Start,
    /// Nobody knows how things moved.
    Unknown,
    /// Things moved so, at the size at which motion was estimated.
    Moved(&'a Motion),
}

/// Measures masks against the truth, a frame at a time.
#[derive(Debug, Default)]
pub struct Track {
    truth: TruthAccumulator,
    previous: Option<BitMask>,
    frames: Vec<FrameScores>,
}

impl Track {
    /// Takes the next frame's mask and truth.
    ///
    /// # Errors
    /// [`steadymask_core::Error::FrameSize`] when the sizes are not all one.
    pub fn push(&mut self, mask: BitMask, truth: BitMask, step: Step<'_>) -> Result<()> {
        let motion = if let Step::Moved(motion) = step { Some(motion) } else { None };
        let TruthMetrics { j, f, f_strict, flicker, false_flips } = self.truth.push(mask.clone(), truth, motion)?;
        let previous = self.previous.as_ref().filter(|_| !matches!(step, Step::Start));
        let instability = previous.map(|previous| iou(previous, &mask)).transpose()?.map(|iou| 1.0 - f64::from(iou));
        let compensated = previous.zip(motion).map(|(previous, motion)| {
            let (width, height) = motion.backward.size();
            let [previous, mask] = [previous, &mask].map(|mask| resize_mask(mask, width, height));
            motion_compensated_instability(&previous, &mask, motion)
        });
        self.frames.push(FrameScores {
            j,
            f,
            f_2px: f_strict,
            flicker,
            false_flips,
            instability,
            motion_compensated_instability: compensated.transpose()?.map(f64::from),
        });
        self.previous = Some(mask);
        Ok(())
    }

    /// The clip's scores and those of its frames.
    pub fn finish(self) -> (Scores, Vec<FrameScores>) {
        let summary = self.truth.summary();
        let over_frames = |value: fn(&FrameScores) -> Option<f64>| mean(self.frames.iter().filter_map(value));
        let scores = Scores::from_fn(|measure| {
            let summary = summary.as_ref()?;
            match measure {
                Measure::J => Some(summary.j.mean),
                Measure::JRecall => Some(summary.j.recall),
                Measure::JDecay => Some(summary.j.decay),
                Measure::F => Some(summary.f.mean),
                Measure::FRecall => Some(summary.f.recall),
                Measure::FDecay => Some(summary.f.decay),
                Measure::FStrict => Some(summary.f_strict.mean),
                Measure::JAndF => Some(summary.j_and_f),
                Measure::Flicker => summary.flicker,
                Measure::FalseFlips => summary.false_flips,
                Measure::Lag => Some(summary.lag.into()),
                Measure::Vc8 => summary.vc8.map(|vc| vc.constant),
                Measure::Vc8Correct => summary.vc8.map(|vc| vc.correct),
                Measure::Vc16 => summary.vc16.map(|vc| vc.constant),
                Measure::Vc16Correct => summary.vc16.map(|vc| vc.correct),
                Measure::Instability => over_frames(|frame| frame.instability),
                Measure::MotionCompensatedInstability => over_frames(|frame| frame.motion_compensated_instability),
            }
        });
        (scores, self.frames)
    }
}
