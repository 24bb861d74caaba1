//! Until the same types arrive in core.

use serde::{Deserialize, Serialize};

/// What is known of one frame's mask. Comparisons with the frame before are `None` on the first frame of a shot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MaskMetrics {
    /// Share of the frame that the mask covers, 0 to 1.
    pub area: f32,
    /// Intersection over union with the frame before.
    pub iou: Option<f32>,
    /// Dice coefficient with the frame before.
    pub dice: Option<f32>,
    /// `1 − iou`. Rewards a frozen mask.
    pub instability: Option<f32>,
    /// Change that motion does not explain. An estimate.
    pub motion_compensated_instability: Option<f32>,
}

/// What is known of one frame, before and after stabilising; masks are unions over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameMetrics {
    /// Number of the frame, from 0.
    pub index: usize,
    /// Whether a new shot begins here. The first frame of a clip is none.
    pub scene_cut: bool,
    /// How far the motion since the frame before can be trusted, mean over the pixels, 0 to 1.
    pub mean_trust: Option<f32>,
    /// The mask as it came, at threshold ½.
    pub before: MaskMetrics,
    /// The stabilised mask.
    pub after: MaskMetrics,
}

/// Means over a clip. `None` where no frame has the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SummaryMetrics {
    /// Mean share of the frame that the mask covers, 0 to 1.
    pub area: f32,
    /// Mean intersection over union of neighbouring frames.
    pub temporal_consistency: Option<f32>,
    /// Mean Dice coefficient of neighbouring frames.
    pub dice: Option<f32>,
    /// Mean `1 − IoU` of neighbouring frames.
    pub instability: Option<f32>,
    /// Mean change that motion does not explain. An estimate.
    pub motion_compensated_instability: Option<f32>,
}

/// By how many percent stabilising lowered each instability: `100 (before − after) / before`.
///
/// `None` where there was none to lower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Improvement {
    /// Of the classic instability, which also rewards a frozen mask.
    pub instability: Option<f32>,
    /// Of the motion-compensated one.
    pub motion_compensated_instability: Option<f32>,
}

/// What is known of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of frames.
    pub frames: usize,
    /// Numbers of the frames at which a new shot begins.
    pub scene_cuts: Vec<usize>,
    /// Mean of the frames' mean trust.
    pub mean_trust: Option<f32>,
    /// The masks as they came.
    pub before: SummaryMetrics,
    /// The stabilised masks.
    pub after: SummaryMetrics,
    /// How much was gained.
    pub improvement_percent: Improvement,
}
