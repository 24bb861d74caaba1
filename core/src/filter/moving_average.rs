use std::sync::Arc;

use super::{
    TemporalFilter,
    window::{Window, by_number},
};
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
    by_number!(frames, |frames| mean_of(frames, out), {
        let count = frames.len() as u32;
        for (x, out) in out.iter_mut().enumerate() {
            let sum: u32 = frames.iter().map(|frame| u32::from(frame[x])).sum();
            *out = ((sum + count / 2) / count) as u8;
        }
    });
}

vectorised! {
    /// With the number of frames known, the division is a multiplication and the loop over pixels vectorises.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn mean_of<const N: usize>(frames: [&[u8]; N], out: &mut [u8]) {
        let frames = frames.map(|frame| &frame[..out.len()]);
        for x in 0..out.len() {
            let mut sum = N as u16 / 2;
            for k in 0..N {
                sum += u16::from(frames[k][x]);
            }
            out[x] = (sum / N as u16) as u8;
        }
    }
}
