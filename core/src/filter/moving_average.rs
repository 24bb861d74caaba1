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
        #[cfg(target_arch = "wasm32")]
        let (frames, out) = wasm::mean_of_many(frames, out);
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

/// WASM has an instruction that divides by multiplying, which no compiler makes out of [`quotient`].
#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::arch::wasm32::{
        i16x8_q15mulr_sat, i16x8_splat, u16x8_add, u16x8_shl, u16x8_shr, u16x8_sub, u64x2, u64x2_extract_lane, v128_or,
    };

    /// Means of so many pixels as fill whole vectors, which are taken as [`mean_of`](super::mean_of) takes words; gives
    /// what is left.
    pub fn mean_of_many<'a, const N: usize>(frames: [&'a [u8]; N], out: &'a mut [u8]) -> ([&'a [u8]; N], &'a mut [u8]) {
        // Products of fractions of 32768, rounded half up. One N-th of them, rounded up, is near enough for each sum of
        // up to nine bytes to come out right, as all were tried; the whole is no such fraction.
        let Ok(share) = i16::try_from(32768usize.div_ceil(N)) else { return (frames, out) };
        let quotient = |sum| i16x8_q15mulr_sat(sum, i16x8_splat(share));
        // Two vectors at a time: going round costs as much as a third of one.
        let (out, out_left) = out.as_chunks_mut::<32>();
        let count = out.len();
        let pieces = frames.map(|frame| &frame.as_chunks::<32>().0[..count]);
        for i in 0..count {
            let (means, _) = out[i].as_chunks_mut::<8>();
            for half in [0, 2] {
                let (mut sum, mut odd) = (u64x2(0, 0), u64x2(0, 0));
                for piece in pieces {
                    let (eights, _) = piece[i].as_chunks::<8>();
                    let values = u64x2(u64::from_le_bytes(eights[half]), u64::from_le_bytes(eights[half + 1]));
                    sum = u16x8_add(sum, values);
                    odd = u16x8_add(odd, u16x8_shr(values, 8));
                }
                let even = u16x8_sub(sum, u16x8_shl(odd, 8));
                let both = v128_or(quotient(even), u16x8_shl(quotient(odd), 8));
                means[half] = u64x2_extract_lane::<0>(both).to_le_bytes();
                means[half + 1] = u64x2_extract_lane::<1>(both).to_le_bytes();
            }
        }
        (frames.map(|frame| &frame[32 * count..]), out_left)
    }
}

#[cfg(test)]
mod tests {
    use super::mean_of;

    fn every_sum<const N: usize>() {
        for sum in 0..=255 * N {
            // As many at 255 as there may be, one with what is left, and none of the others; beside them what they lack.
            let value = |k: usize| sum.saturating_sub(255 * k).min(255) as u8;
            let value_at = |x: usize, k: usize| if x.is_multiple_of(2) { value(k) } else { 255 - value(k) };
            let values: [[u8; 35]; N] = std::array::from_fn(|k| std::array::from_fn(|x| value_at(x, k)));
            let mut means = [0; 35];
            mean_of(values.each_ref().map(|values| &values[..]), &mut means);
            let mean = |sum: usize| ((sum + N / 2) / N) as u8;
            let expected: [u8; 35] =
                std::array::from_fn(|x| mean(if x.is_multiple_of(2) { sum } else { 255 * N - sum }));
            assert_eq!(means, expected, "{sum} over {N}");
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
