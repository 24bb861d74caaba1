use super::window::by_number;
use crate::{BitMask, Error, Result, plane::check_frame_size, simd::vectorised};

/// Majority vote of a centred window of `size` frames (odd, 3 to 9) over a shot of masks, cut at both ends of the
/// shot; a tie, possible where the window is cut to an even number of frames, counts as set.
///
/// For masks this is the moving average and the median alike: the result is that of
/// [`MovingAverage`](super::MovingAverage) and of [`Median`](super::Median) on planes of 0 and 255, cut at ½, at a
/// small part of the cost. It is for programs that hold packed masks. The [`Stabilizer`](crate::Stabilizer) does not
/// use it: it takes probabilities, gives them back, and leaves it to others where to cut them.
///
/// # Errors
/// [`Error::Setting`] when `size` is even or outside 3 to 9, [`Error::FrameSize`] when a mask is of another size than
/// the first.
pub fn majority(masks: &[BitMask], size: usize) -> Result<Vec<BitMask>> {
    if size.is_multiple_of(2) || !(3..=MOST).contains(&size) {
        let (value, allowed) = (size.to_string(), format!("an odd number from 3 to {MOST}"));
        return Err(Error::Setting { field: "window_size", value, allowed });
    }
    let radius = size / 2;
    let window = |t: usize| &masks[t.saturating_sub(radius)..(t + radius + 1).min(masks.len())];
    (0..masks.len()).map(|t| vote(window(t))).collect()
}

/// The pixels that are set in at least half of the masks, of which there may be 1 to 9.
///
/// # Errors
/// [`Error::Setting`] for another number of masks, [`Error::FrameSize`] when a mask is of another size than the first.
pub fn vote(masks: &[BitMask]) -> Result<BitMask> {
    let number = || {
        let (value, allowed) = (masks.len().to_string(), format!("1 to {MOST}"));
        Error::Setting { field: "number of masks", value, allowed }
    };
    let first = masks.first().ok_or_else(number)?;
    for (index, mask) in masks.iter().enumerate() {
        check_frame_size(index, mask.size(), first.size())?;
    }
    let voters: Vec<&[u64]> = masks.iter().map(BitMask::words).collect();
    let mut words = vec![0; voters[0].len()];
    by_number!(voters.as_slice(), |voters| count(voters, &mut words), return Err(number()));
    Ok(first.with_words(words))
}

/// The most masks that vote.
const MOST: usize = 9;

vectorised! {
    /// Counts 64 pixels at a time: each has a counter of four bits, spread over four words. A counter begins at 8 less
    /// the votes needed, so that its highest bit is the outcome.
    fn count<const N: usize>(voters: [&[u64]; N], out: &mut [u64]) {
        let length = out.len();
        let voters = voters.map(|words| &words[..length]);
        let start = 8 - N.div_ceil(2);
        let bit = |bit: usize| if start >> bit & 1 == 1 { u64::MAX } else { 0 };
        for i in 0..length {
            let (mut ones, mut twos, mut fours, mut eights) = (bit(0), bit(1), bit(2), bit(3));
            // Two voters at a time, as a full adder with the counter's lowest bit takes them.
            for pair in voters.chunks(2) {
                let carry = if let [a, b] = pair {
                    let (both, one) = (a[i] & b[i], a[i] ^ b[i]);
                    let carry = both | (ones & one);
                    ones ^= one;
                    carry
                } else {
                    ones & pair[0][i]
                };
                let carry_twos = twos & carry;
                twos ^= carry;
                eights |= fours & carry_twos;
                fours ^= carry_twos;
            }
            out[i] = eights;
        }
    }
}
