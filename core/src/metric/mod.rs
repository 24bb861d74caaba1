//! Measures of masks: overlap, steadiness with and without motion, agreement with ground truth, and an estimate of that
//! agreement.
//!
//! Masks may be ranked by the measures that ask for ground truth, but for T, dtSSD and the published form of VC, and
//! without it by [`Estimate::score`]. All others reward frozen or empty masks.

mod boundary;
mod estimate;
mod overlap;
mod stability;
mod temporal;
mod truth;

pub use boundary::{BOUNDARY_TOLERANCE, boundary, boundary_f, boundary_f_within, boundary_radius, region_similarity};
pub use estimate::{Estimate, Evidence, Witness, picture_edges};
pub use overlap::{Overlap, dice, iou};
pub use stability::contour_instability;
pub(crate) use temporal::Mean;
pub use temporal::{
    FrameMetrics, Improvement, MaskAccumulator, MaskMetrics, Summary, SummaryMetrics, area_drift, improvement_percent,
    motion_compensated_instability,
};
pub use truth::{
    Consistency, FLICKER_SIGMA, MAX_LAG, MatteAccumulator, STRICT_RADIUS, Statistics, TruthAccumulator, TruthMetrics,
    TruthSummary,
};
