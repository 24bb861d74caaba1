//! The masks of one object, by one method, through one clip.

use serde::Serialize;
use steadymask_core::{
    BitMask, Motion,
    metric::{Evidence, TruthAccumulator, TruthMetrics, contour_instability, iou, motion_compensated_instability},
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
    /// T: how differently the longest contours of this and the frame before are shaped; where it was asked for.
    pub t: Option<f64>,
    /// 1 − IoU with the frame before.
    pub instability: Option<f64>,
    /// Change that motion does not explain.
    pub motion_compensated_instability: Option<f64>,
    /// What the mask is worth as far as the other frames and the picture's edges tell, without the truth.
    pub estimate: Option<f64>,
}

impl FrameScores {
    /// The values by name.
    pub fn values(&self) -> [(&'static str, Option<f64>); 9] {
        [
            ("j", Some(self.j)),
            ("f", Some(self.f)),
            ("f_2px", Some(self.f_2px)),
            ("flicker", self.flicker),
            ("false_flips", self.false_flips),
            ("t", self.t),
            ("instability", self.instability),
            ("motion_compensated_instability", self.motion_compensated_instability),
            ("estimate", self.estimate),
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
    /// Things moved.
    Moved {
        /// How, with the trust that measuring asks for.
        motion: &'a Motion,
        /// What the frames before tell of this one, at the motion's size.
        evidence: &'a Evidence,
    },
}

/// Measures masks against the truth, a frame at a time.
#[derive(Debug, Default)]
pub struct Track {
    truth: TruthAccumulator,
    previous: Option<BitMask>,
    /// The same at the size of the motion that led to it.
    small: Option<BitMask>,
    frames: Vec<FrameScores>,
    with_t: bool,
}

impl Track {
    /// One that measures T as well, which takes longer than all the rest.
    pub fn with_t() -> Self {
        Self { with_t: true, ..Self::default() }
    }

    /// Takes the next frame's mask and truth.
    ///
    /// # Errors
    /// [`steadymask_core::Error::FrameSize`] when the sizes are not all one.
    pub fn push(&mut self, mask: BitMask, truth: BitMask, step: Step<'_>) -> Result<()> {
        let moved = if let Step::Moved { motion, evidence } = step { Some((motion, evidence)) } else { None };
        let motion = moved.map(|(motion, _)| motion);
        let TruthMetrics { j, f, f_strict, flicker, false_flips } = self.truth.push(mask.clone(), truth, motion)?;
        let previous = self.previous.as_ref().filter(|_| !matches!(step, Step::Start));
        let t = previous.filter(|_| self.with_t).map(|previous| contour_instability(previous, &mask)).transpose()?;
        let instability = previous.map(|previous| iou(previous, &mask)).transpose()?.map(|iou| 1.0 - f64::from(iou));
        let small = motion.map(|motion| resize_mask(&mask, motion.backward.width(), motion.backward.height()));
        let mut compensated = None;
        let mut estimate = None;
        if let Some(((motion, evidence), small)) = moved.zip(small.as_ref()) {
            estimate = Some(evidence.estimate(small)?.score.into());
            let (width, height) = small.size();
            let before = self.small.take().filter(|before| before.size() == (width, height));
            let before = before.or_else(|| previous.map(|previous| resize_mask(previous, width, height)));
            let change = before.map(|before| motion_compensated_instability(&before, small, motion));
            compensated = change.transpose()?.map(f64::from);
        }
        self.frames.push(FrameScores {
            j,
            f,
            f_2px: f_strict,
            flicker,
            false_flips,
            t: t.flatten(),
            instability,
            motion_compensated_instability: compensated,
            estimate,
        });
        self.previous = Some(mask);
        self.small = small;
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
                Measure::T => over_frames(|frame| frame.t),
                Measure::Instability => over_frames(|frame| frame.instability),
                Measure::MotionCompensatedInstability => over_frames(|frame| frame.motion_compensated_instability),
                Measure::Estimate => over_frames(|frame| frame.estimate),
            }
        });
        (scores, self.frames)
    }
}
