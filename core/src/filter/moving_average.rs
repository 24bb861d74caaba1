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
    /// Divides by multiplying, in 16 bits, first to a quotient that may be too small, then what is left: this vectorises
    /// everywhere, in WASM too, where the compiler's own way with a division by a constant does not.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn mean_of<const N: usize>(frames: [&[u8]; N], out: &mut [u8]) {
        let frames = frames.map(|frame| &frame[..out.len()]);
        let count = N as u16;
        let share = 256 / count;
        for x in 0..out.len() {
            let mut sum = count / 2;
            for k in 0..N {
                sum += u16::from(frames[k][x]);
            }
            let most = (sum * share) >> 8;
            let rest = sum - count * most;
            out[x] = (most + ((rest * (share + 1)) >> 8)) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mean_of;

    fn every_sum<const N: usize>() {
        for sum in 0..=255 * N {
            // As many at 255 as there may be, one with what is left, and none of the others.
            let values: [[u8; 1]; N] = std::array::from_fn(|k| [sum.saturating_sub(255 * k).min(255) as u8]);
            let mut mean = [0];
            mean_of(values.each_ref().map(|value| &value[..]), &mut mean);
            assert_eq!(usize::from(mean[0]), (sum + N / 2) / N, "{sum} over {N}");
        }
    }

    #[test]
    fn division_is_exact() {
        every_sum::<1>();
        every_sum::<2>();
        every_sum::<3>();
        every_sum::<4>();
        every_sum::<5>();
        every_sum::<6>();
        every_sum::<7>();
        every_sum::<8>();
        every_sum::<9>();
    }
}
