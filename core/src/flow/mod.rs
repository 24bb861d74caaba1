//! Dense optical flow by inverse search, warping along it, and how far to trust it.
//!
//! ```
//! use steadymask_core::Plane;
//! use steadymask_core::flow::{DenseInverseSearch, FlowFrame, Preset};
//!
//! let picture = |shift: usize| Plane::from_fn(96, 64, |x, y| ((x + shift) * 5 ^ y * 3) as u8);
//! let (a, b) = (FlowFrame::new(&picture(0), Preset::Medium), FlowFrame::new(&picture(0), Preset::Medium));
//! let mut search = DenseInverseSearch::new();
//! let (forward, backward) = (search.calc(&a, &b), search.calc(&b, &a));
//! assert_eq!(forward.size(), (96, 64));
//! assert_eq!(forward, backward);
//! ```
//!
//! The method is that of T. Kroeger, R. Timofte, D. Dai, L. Van Gool, *Fast optical flow using dense inverse
//! search*, ECCV 2016, with the presets of OpenCV's `DISOpticalFlow`. All arithmetic is plain IEEE f32 in a
//! fixed order: the same bytes in give the same bytes out on every platform.
//!
//! Where it departs from OpenCV, and is more exact for it: the pyramid is in f32 and antialiased; descents take
//! true Gauss–Newton steps, damped, in place of many steps of an eighth; patches that hang over the edge of the
//! frame, and refinement outside it, go by what is inside; pyramid levels are exact halves. Refinement stops after 3
//! steps of 4 sweeps, over-relaxed by 1.75, where OpenCV does 5 of 5 by 1.6: going on takes it away from true motion.

mod pyramid;
mod refine;
mod search;
mod trust;
mod warp;

pub use pyramid::FlowFrame;
pub use search::DenseInverseSearch;
pub use trust::{TRUSTED, is_scene_cut, mean_trust, trust};
pub(crate) use trust::{fill_up, trust_filled_up};
pub(crate) use warp::{AT_A_TIME, Taps};
pub use warp::{Interpolate, warp, warp_nearest};

use crate::Plane;

/// Where each pixel of one frame lies in another: displacement `[dx, dy]` in pixels.
pub type Flow = Plane<[f32; 2]>;

/// How much work goes into a flow field; the numbers are those of OpenCV's presets of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Works at a quarter of the resolution, without variational refinement.
    UltraFast,
    /// Works at a quarter of the resolution.
    Fast,
    /// Works at half the resolution.
    #[default]
    Medium,
}

impl Preset {
    /// Pyramid level of the finest search; level `n` is the frame shrunk by `2^n`.
    fn finest_level(self) -> usize {
        match self {
            Self::UltraFast | Self::Fast => 2,
            Self::Medium => 1,
        }
    }

    /// Distance between neighbouring patches in pixels of the level.
    fn stride(self) -> usize {
        match self {
            Self::UltraFast | Self::Fast => 4,
            Self::Medium => 3,
        }
    }
}

/// The flow from `from` to `to`: the point `x` of `from` lies at `x + flow(x)` in `to`.
///
/// Both are luma planes of one size. Frames whose shorter side is under 8 pixels give zero flow.
/// For a whole clip use [`FlowFrame`] and [`DenseInverseSearch`], which do the work of a frame once.
///
/// # Panics
/// When the sizes differ.
pub fn dense_inverse_search(from: &Plane<u8>, to: &Plane<u8>, preset: Preset) -> Flow {
    DenseInverseSearch::new().calc(&FlowFrame::new(from, preset), &FlowFrame::new(to, preset))
}
