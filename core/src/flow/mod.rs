//! Dense optical flow: pyramid, dense inverse search, warping, trust.

use crate::Plane;

/// Where each pixel of one frame lies in another: displacement `[dx, dy]` in pixels.
pub type Flow = Plane<[f32; 2]>;
