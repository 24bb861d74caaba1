use std::sync::Arc;

use super::TemporalFilter;
use crate::{
    Motion, Plane,
    simd::{larger, smaller, vectorised},
};

/// Exponential smoothing: `s_t = s_{t−1} + α (p_t − s_{t−1})`, `s_0 = p_0`, rounded half up.
///
/// The state is kept in f32, as `256.5 + s`: between 256 and 512 a float is the number that its lowest 23 bits are, in
/// 1/32768, so that a byte comes in and the rounded state goes out by shifting bits. Nothing else is as fast in vectors,
/// of 128 bits above all; f32 without the 256.5 is no more than twice as exact over 128.
#[derive(Debug, Clone)]
pub struct Exponential {
    alpha: f32,
    /// Of each class, a state a pixel, as [`smooth`] needs them: of every four pixels first the first ones', then the
    /// second ones', and so on.
    state: Option<Vec<Vec<f32>>>,
}

/// The state of a pixel at 0.
const ZERO: f32 = 256.5;
/// Bits of a state behind its whole part.
const FRACTION: u32 = 15;

impl Exponential {
    /// `alpha` is the weight of the present frame, over 0 and up to 1; over 1 it is as 1.
    pub fn new(alpha: f32) -> Self {
        Self { alpha: smaller(larger(alpha, 0.0), 1.0), state: None }
    }
}

impl TemporalFilter for Exponential {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        // The first frame is all of the state after it, whatever was before.
        let alpha = if self.state.is_some() { self.alpha } else { 1.0 };
        let fresh = |plane: &Plane<u8>| vec![ZERO; 4 * plane.data().len().div_ceil(4)];
        let state = self.state.get_or_insert_with(|| planes.iter().map(fresh).collect());
        let smoothed = state.iter_mut().zip(planes).map(|(state, plane)| {
            let mut out = Plane::filled(plane.width(), plane.height(), 0);
            smooth(state, plane.data(), alpha, out.data_mut());
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
    /// Takes four pixels at a time, as the bytes of a word.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn smooth(state: &mut [f32], values: &[u8], alpha: f32, out: &mut [u8]) {
        let quarter = state.len() / 4;
        let (a, rest) = state.split_at_mut(quarter);
        let (b, rest) = rest.split_at_mut(quarter);
        let (c, d) = rest.split_at_mut(quarter);
        let (values, values_left) = values.as_chunks::<4>();
        let (out, out_left) = out.as_chunks_mut::<4>();
        let fours = values.iter().zip(out).zip(&mut *a).zip(&mut *b).zip(&mut *c).zip(&mut *d);
        for (((((&values, out), a), b), c), d) in fours {
            *out = smooth_four([a, b, c, d], values, alpha);
        }
        if !values_left.is_empty() {
            let mut last = [0; 4];
            last[..values_left.len()].copy_from_slice(values_left);
            let state = [a, b, c, d].map(|state| &mut state[quarter - 1]);
            out_left.copy_from_slice(&smooth_four(state, last, alpha)[..values_left.len()]);
        }
    }
}

#[inline(always)]
fn smooth_four(state: [&mut f32; 4], values: [u8; 4], alpha: f32) -> [u8; 4] {
    let values = u32::from_le_bytes(values);
    let mut out = 0;
    for (state, shift) in state.into_iter().zip([0, 8, 16, 24]) {
        let p = f32::from_bits(((values >> shift & 255) << FRACTION) | ZERO.to_bits());
        *state += alpha * (p - *state);
        out |= (state.to_bits() >> FRACTION & 255) << shift;
    }
    out.to_le_bytes()
}
