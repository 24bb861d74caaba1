use std::sync::Arc;

use super::{TemporalFilter, window::Window};
use crate::{Motion, Plane, simd::vectorised};

/// Mean of a centred window, rounded half up.
#[derive(Debug, Clone)]
pub struct MovingAverage(Window);

impl MovingAverage {
    /// A window of `size` frames, odd.
    pub fn new(size: usize) -> Self {
        Self(Window::new(size))
    }
}

impl TemporalFilter for MovingAverage {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        self.0.push(planes, mean)
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        self.0.finish(mean)
    }
}

fn mean(frames: &[&[u8]], out: &mut [u8]) {
    match *frames {
        [a, b, c] => mean_of([a, b, c], out),
        [a, b, c, d, e] => mean_of([a, b, c, d, e], out),
        [a, b, c, d, e, f, g] => mean_of([a, b, c, d, e, f, g], out),
        [a, b, c, d, e, f, g, h, i] => mean_of([a, b, c, d, e, f, g, h, i], out),
        // A window that is cut, at the ends of a shot.
        _ => {
            let count = frames.len() as u32;
            for (x, out) in out.iter_mut().enumerate() {
                let sum: u32 = frames.iter().map(|frame| u32::from(frame[x])).sum();
                *out = ((sum + count / 2) / count) as u8;
            }
        }
    }
}

vectorised! {
    /// With the number of frames known, the division is a multiplication and the loop over pixels vectorises.
    fn mean_of<const N: usize>(frames: [&[u8]; N], out: &mut [u8]) {
        let frames = frames.map(|frame| &frame[..out.len()]);
        for (x, out) in out.iter_mut().enumerate() {
            let sum: u16 = frames.iter().map(|frame| u16::from(frame[x])).sum();
            *out = ((sum + N as u16 / 2) / N as u16) as u8;
        }
    }
}
