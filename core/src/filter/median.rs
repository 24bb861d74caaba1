use std::sync::Arc;

use super::{
    TemporalFilter,
    window::{Window, by_number},
};
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
    by_number!(frames, |frames| median_of(frames, out), {
        let mut values = vec![0; frames.len()];
        for (x, out) in out.iter_mut().enumerate() {
            for (value, frame) in values.iter_mut().zip(frames) {
                *value = frame[x];
            }
            values.sort_unstable();
            *out = middle(values[(values.len() - 1) / 2], values[values.len() / 2]);
        }
    });
}

vectorised! {
    /// Of N / 2 + 2 values the least and the largest are none of the middle ones: they go, and the next value comes, until
    /// the middle is left. Minima and maxima only, so that the loop over pixels vectorises.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn median_of<const N: usize>(frames: [&[u8]; N], out: &mut [u8]) {
        let frames = frames.map(|frame| &frame[..out.len()]);
        let end = N / 2 + 2;
        for x in 0..out.len() {
            let mut values = [0; N];
            for k in 0..N {
                values[k] = frames[k][x];
            }
            // Those in the running are `values[first..end]`.
            for first in 0..(N - 1) / 2 {
                let half = (end - first) / 2;
                for i in 0..half {
                    sort(&mut values, first + i, end - 1 - i);
                }
                for i in 1..(end - first).div_ceil(2) {
                    sort(&mut values, first, first + i);
                    sort(&mut values, end - 1 - i, end - 1);
                }
                if end + first < N {
                    values[end - 1] = values[end + first];
                }
            }
            out[x] = if N % 2 == 1 { values[N / 2] } else { middle(values[N / 2 - 1], values[N / 2]) };
        }
    }
}

/// Puts the lesser of two values first.
#[inline(always)]
fn sort<const N: usize>(values: &mut [u8; N], low: usize, high: usize) {
    (values[low], values[high]) = (values[low].min(values[high]), values[low].max(values[high]));
}

/// The mean of two values, rounded half up.
#[inline(always)]
fn middle(low: u8, high: u8) -> u8 {
    (u16::from(low) + u16::from(high)).div_ceil(2) as u8
}
