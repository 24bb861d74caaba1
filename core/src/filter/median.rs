use std::sync::Arc;

use super::{TemporalFilter, window::Window};
use crate::{Motion, Plane};

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

/// Pixels sorted at a time: minima and maxima of whole blocks compile to vector instructions.
const BLOCK: usize = 64;

fn median(rows: &[&[u8]], out: &mut [u8]) {
    let count = rows.len();
    let mut sorted = vec![[0u8; BLOCK]; count];
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        for (values, row) in sorted.iter_mut().zip(rows) {
            values[..out.len()].copy_from_slice(&row[block * BLOCK..][..out.len()]);
        }
        // Odd–even transposition sort: `count` rounds sort `count` values.
        for round in 0..count {
            for pair in sorted[round % 2..].chunks_exact_mut(2) {
                let (low, high) = pair.split_at_mut(1);
                for (low, high) in low[0].iter_mut().zip(&mut high[0]) {
                    (*low, *high) = ((*low).min(*high), (*low).max(*high));
                }
            }
        }
        let (low, high) = (&sorted[(count - 1) / 2], &sorted[count / 2]);
        for (out, (&low, &high)) in out.iter_mut().zip(low.iter().zip(high)) {
            *out = (u16::from(low) + u16::from(high)).div_ceil(2) as u8;
        }
    }
}
