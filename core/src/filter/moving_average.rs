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
    /// Takes two pixels at a time, as the bytes of a word, out of which and into which they are shifted: for vectors that
    /// is less work than to make bytes wider and narrow again.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn mean_of<const N: usize>(frames: [&[u8]; N], out: &mut [u8]) {
        let (out, out_left) = out.as_chunks_mut::<2>();
        let pairs = frames.map(|frame| &frame.as_chunks::<2>().0[..out.len()]);
        for i in 0..out.len() {
            let (mut sum, mut odd) = (0u16, 0);
            for k in 0..N {
                let pair = u16::from_le_bytes(pairs[k][i]);
                sum = sum.wrapping_add(pair);
                odd += pair >> 8;
            }
            // What the odd ones carried out of the word is missing on both sides.
            let even = sum.wrapping_sub(odd << 8);
            out[i] = (quotient::<N>(even) | quotient::<N>(odd) << 8).to_le_bytes();
        }
        if let [last] = out_left {
            let sum = frames.iter().map(|frame| u16::from(frame[frame.len() - 1])).sum();
            *last = quotient::<N>(sum) as u8;
        }
    }
}

/// A sum of N bytes over N, rounded half up. Divides by multiplying, in 16 bits, first to a quotient that may be too
/// small, then what is left: this vectorises everywhere, in WASM too, where the compiler's own way with a division by a
/// constant does not.
#[inline(always)]
fn quotient<const N: usize>(sum: u16) -> u16 {
    let count = N as u16;
    let share = 256 / count;
    let sum = sum + count / 2;
    let most = (sum * share) >> 8;
    let rest = sum - count * most;
    most + ((rest * (share + 1)) >> 8)
}

#[cfg(test)]
mod tests {
    use super::mean_of;

    fn every_sum<const N: usize>() {
        for sum in 0..=255 * N {
            // As many at 255 as there may be, one with what is left, and none of the others; beside them what they lack.
            let value = |k: usize| sum.saturating_sub(255 * k).min(255) as u8;
            let values: [[u8; 3]; N] = std::array::from_fn(|k| [value(k), 255 - value(k), value(k)]);
            let mut means = [0; 3];
            mean_of(values.each_ref().map(|values| &values[..]), &mut means);
            let mean = |sum: usize| ((sum + N / 2) / N) as u8;
            assert_eq!(means, [mean(sum), mean(255 * N - sum), mean(sum)], "{sum} over {N}");
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
