use std::sync::Arc;

use super::{TemporalFilter, window::Window};
use crate::{Motion, Plane, simd::vectorised};

/// Median of a centred window; where the cut window is even, the mean of the middle two, rounded half up.
#[derive(Debug, Clone)]
pub struct Median(Window);

impl Median {
    /// A window of `size` frames, odd.
    pub fn new(size: usize) -> Self {
        Self(Window::new(size))
    }
}

impl TemporalFilter for Median {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        self.0.push(planes, median)
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        self.0.finish(median)
    }
}

fn median(frames: &[&[u8]], out: &mut [u8]) {
    match *frames {
        [a, b, c] => median_of([a, b, c], out),
        [a, b, c, d, e] => median_of([a, b, c, d, e], out),
        [a, b, c, d, e, f, g] => median_of([a, b, c, d, e, f, g], out),
        [a, b, c, d, e, f, g, h, i] => median_of([a, b, c, d, e, f, g, h, i], out),
        // A window that is cut, at the ends of a shot.
        _ => {
            let mut values = vec![0; frames.len()];
            for (x, out) in out.iter_mut().enumerate() {
                for (value, frame) in values.iter_mut().zip(frames) {
                    *value = frame[x];
                }
                values.sort_unstable();
                let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
                *out = (u16::from(low) + u16::from(high)).div_ceil(2) as u8;
            }
        }
    }
}

vectorised! {
    /// Sorts each pixel's values by odd–even transposition, `N` rounds for `N` values: minima and maxima only, so that
    /// the loop over pixels vectorises. The compiler leaves out what the middle value does not need.
    fn median_of<const N: usize>(frames: [&[u8]; N], out: &mut [u8]) {
        let frames = frames.map(|frame| &frame[..out.len()]);
        for (x, out) in out.iter_mut().enumerate() {
            let mut values = frames.map(|frame| frame[x]);
            for round in 0..N {
                for i in (round % 2..N - 1).step_by(2) {
                    (values[i], values[i + 1]) = (values[i].min(values[i + 1]), values[i].max(values[i + 1]));
                }
            }
            *out = values[N / 2];
        }
    }
}
