use std::sync::Arc;

use super::{TemporalFilter, level};
use crate::{Motion, Plane, simd::vectorised};

/// Exponential smoothing: `s_t = s_{t−1} + α (p_t − s_{t−1})`, `s_0 = p_0`. The state is kept in f32.
#[derive(Debug, Clone)]
pub struct Exponential {
    alpha: f32,
    state: Option<Vec<Plane<f32>>>,
}

impl Exponential {
    /// `alpha` is the weight of the present frame, over 0 and up to 1.
    pub fn new(alpha: f32) -> Self {
        Self { alpha, state: None }
    }
}

impl TemporalFilter for Exponential {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        let state = self.state.get_or_insert_with(|| planes.iter().map(|plane| plane.map(|&p| p.into())).collect());
        let smoothed = state.iter_mut().zip(planes).map(|(state, plane)| {
            let mut out = Plane::filled(plane.width(), plane.height(), 0);
            smooth(state.data_mut(), plane.data(), self.alpha, out.data_mut());
            out
        });
        Some(smoothed.collect())
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        self.state = None;
        Vec::new()
    }
}

vectorised! {
    fn smooth(state: &mut [f32], values: &[u8], alpha: f32, out: &mut [u8]) {
        for ((state, &p), out) in state.iter_mut().zip(values).zip(out) {
            *state += alpha * (f32::from(p) - *state);
            *out = level(*state);
        }
    }
}
