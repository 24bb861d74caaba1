//! Measures of masks: overlap, steadiness with and without motion, agreement with ground truth.

mod overlap;
mod temporal;

pub use overlap::{dice, iou};
pub(crate) use temporal::Mean;
pub use temporal::{
    FrameMetrics, Improvement, MaskAccumulator, MaskMetrics, Summary, SummaryMetrics, improvement_percent,
    motion_compensated_instability,
};
