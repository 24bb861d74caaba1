use std::sync::Arc;

use super::{TemporalFilter, level};
use crate::{Motion, Plane, simd::smaller};

/// MediaPipe's smoothing: the less certain a pixel, the more of the previous output it takes.
///
/// `out_t = p_t + (out_{t−1} − p_t) · u(p_t) · ratio`, where `u` is 1 at p = ½ and falls to 0 at p = 0 and 1:
/// with `x = (p − ½)²`, `u = 1 − min(1, x(c₁ + x(c₂ + x(c₃ + x(c₄ + x c₅)))))`
/// (MediaPipe, `segmentation_smoothing_calculator.cc`). The state is kept in f32.
#[derive(Debug, Clone)]
pub struct Uncertainty {
    /// `u · ratio` of each level.
    weights: [f32; 256],
    state: Option<Vec<Plane<f32>>>,
}

impl Uncertainty {
    /// `ratio` is the share of the previous output that the least certain pixel takes, 0 to 1.
    pub fn new(ratio: f32) -> Self {
        Self { weights: std::array::from_fn(|p| uncertainty(p as f32 / 255.0) * ratio), state: None }
    }
}

impl TemporalFilter for Uncertainty {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        let state = self.state.get_or_insert_with(|| planes.iter().map(|plane| plane.map(|&p| p.into())).collect());
        for (state, plane) in state.iter_mut().zip(planes) {
            for (state, &p) in state.data_mut().iter_mut().zip(plane.data()) {
                let weight = self.weights[usize::from(p)];
                let p = f32::from(p);
                *state = p + (*state - p) * weight;
            }
        }
        Some(state.iter().map(|plane| plane.map(|&s| level(s))).collect())
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        self.state = None;
        Vec::new()
    }
}

/// How uncertain a probability in 0–1 is, 0 to 1.
pub(crate) fn uncertainty(p: f32) -> f32 {
    let x = (p - 0.5) * (p - 0.5);
    let certainty = x * (5.68842 + x * (-0.748699 + x * (-57.8051 + x * (291.309 + x * -624.717))));
    1.0 - smaller(certainty, 1.0)
}
