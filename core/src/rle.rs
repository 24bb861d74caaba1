use crate::{BitMask, Error, Result, plane::check_size};

/// The longest a number in the compressed text may be, in characters of 5 bits: it then always fits an `i64`.
const MAX_CHARACTERS: usize = 12;
/// The character for 0; the one for 63 is the last that is valid.
const ZERO: u8 = b'0';

/// Run lengths of a mask as COCO has them: pixels column by column from the top left, the lengths of runs of
/// unset and of set pixels in turn, beginning with unset ones.
///
/// The lengths add up to width × height. [`Self::encode`] gives those of pycocotools: no run is empty but the
/// first, where pixel (0, 0) is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rle {
    width: usize,
    height: usize,
    counts: Vec<u32>,
}

impl Rle {
    /// The run lengths of `mask`.
    pub fn encode(mask: &BitMask) -> Self {
        let (width, height) = mask.size();
        let columns = transposed(mask);
        let mut counts = Vec::new();
        let (mut start, mut last) = (0, 0);
        for x in 0..width {
            for (i, &word) in columns.row(x).iter().enumerate() {
                let bits = (height - 64 * i).min(64);
                // A bit is set where a pixel differs from the one before it.
                let mut edges = (word ^ (word << 1 | last)) & (u64::MAX >> (64 - bits));
                last = word >> (bits - 1) & 1;
                while edges != 0 {
                    let at = x * height + 64 * i + edges.trailing_zeros() as usize;
                    counts.push((at - start) as u32);
                    start = at;
                    edges &= edges - 1;
                }
            }
        }
        counts.push((width * height - start) as u32);
        Self { width, height, counts }
    }

    /// Takes lengths as they are in an uncompressed `counts` list.
    ///
    /// # Errors
    /// [`Error::Size`] for a side of 0 or over [`Plane::MAX_SIDE`](crate::Plane::MAX_SIDE); [`Error::RunLengths`] when the lengths do not
    /// add up to `width * height`.
    pub fn from_counts(width: usize, height: usize, counts: Vec<u32>) -> Result<Self> {
        check_size(width, height)?;
        let mut left = width * height;
        for (i, &count) in counts.iter().enumerate() {
            left = take(left, i, count.into())?;
        }
        whole(width, height, left)?;
        Ok(Self { width, height, counts })
    }

    /// Reads a compressed `counts` string: each length, from the fourth on less the one two before it, in groups of
    /// 5 bits from the lowest, bit 5 of a character saying that more follow, bit 4 of the last being the sign.
    ///
    /// # Errors
    /// As [`Self::from_counts`]; [`Error::RunLengths`] for a character outside `0` to `o`, a number that is too long,
    /// and a text that ends inside one.
    pub fn from_text(width: usize, height: usize, text: &str) -> Result<Self> {
        check_size(width, height)?;
        let mut counts: Vec<u32> = Vec::new();
        let mut left = width * height;
        let (mut number, mut characters) = (0_i64, 0);
        for (at, byte) in text.bytes().enumerate() {
            let bits = byte.wrapping_sub(ZERO);
            if bits > 63 {
                let value = text.chars().find(|c| !('0'..='o').contains(c)).unwrap_or(byte.into());
                return Err(wrong(format!("character {at}"), format!("{value:?}"), "'0' to 'o'"));
            }
            if characters == MAX_CHARACTERS {
                let allowed = format!("at most {MAX_CHARACTERS} characters a number");
                return Err(wrong(format!("run {}", counts.len()), "longer", allowed));
            }
            number |= i64::from(bits & 31) << (5 * characters);
            characters += 1;
            if bits & 32 != 0 {
                continue;
            }
            if bits & 16 != 0 {
                number |= -1 << (5 * characters);
            }
            if counts.len() > 2 {
                number += i64::from(counts[counts.len() - 2]);
            }
            left = take(left, counts.len(), number)?;
            counts.push(number as u32);
            (number, characters) = (0, 0);
        }
        if characters > 0 {
            return Err(wrong(format!("run {}", counts.len()), "cut off", "a last character of '0' to 'O'"));
        }
        whole(width, height, left)?;
        Ok(Self { width, height, counts })
    }

    /// The compressed `counts` string, as pycocotools writes it.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(3 * self.counts.len());
        for (i, &count) in self.counts.iter().enumerate() {
            let before = if i > 2 { self.counts[i - 2] } else { 0 };
            let mut number = i64::from(count) - i64::from(before);
            loop {
                let bits = (number & 31) as u8;
                number >>= 5;
                let more = number != if bits & 16 == 0 { 0 } else { -1 };
                text.push((ZERO + bits + if more { 32 } else { 0 }).into());
                if !more {
                    break;
                }
            }
        }
        text
    }

    /// The mask.
    pub fn decode(&self) -> BitMask {
        let (width, height) = (self.width, self.height);
        let mut columns = BitMask::empty(height, width);
        for (from, until) in self.runs() {
            for x in from / height..=(until - 1) / height {
                let column = x * height;
                set_bits(columns.row_mut(x), from.max(column) - column, until.min(column + height) - column);
            }
        }
        transposed(&columns)
    }

    /// `(width, height)` of the mask in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The lengths, in pixels.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Number of pixels set.
    pub fn area(&self) -> usize {
        self.runs().map(|(from, until)| until - from).sum()
    }

    /// The smallest box around the pixels that are set, `[x, y, width, height]` in pixels; all 0 where there are none.
    pub fn bounds(&self) -> [usize; 4] {
        let height = self.height;
        let (mut left, mut right, mut top, mut bottom) = (self.width, 0, height, 0);
        for (from, until) in self.runs() {
            let last = until - 1;
            left = left.min(from / height);
            right = right.max(last / height + 1);
            // A run that goes on in the next column has touched bottom and top.
            let one = from / height == last / height;
            top = top.min(if one { from % height } else { 0 });
            bottom = bottom.max(if one { last % height + 1 } else { height });
        }
        if right == 0 { [0; 4] } else { [left, top, right - left, bottom - top] }
    }

    /// Runs of set pixels that are not empty: the first pixel, and the first after them, counted column by column.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        let ends = self.counts.iter().map(move |&count| {
            let from = at;
            at += count as usize;
            (from, at)
        });
        ends.skip(1).step_by(2).filter(|(from, until)| from < until)
    }
}

/// What is left of `left` pixels after a run of `length`.
fn take(left: usize, index: usize, length: i64) -> Result<usize> {
    usize::try_from(length).ok().and_then(|length| left.checked_sub(length)).ok_or_else(|| {
        wrong(format!("run {index}"), format!("{length} pixels"), format!("0 to {left}, what is left of the mask"))
    })
}

/// That no pixel is left.
fn whole(width: usize, height: usize, left: usize) -> Result<()> {
    let pixels = width * height;
    match left {
        0 => Ok(()),
        _ => Err(wrong("their sum", pixels - left, format!("{pixels}, which is {width}×{height}"))),
    }
}

fn wrong(what: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Error {
    Error::RunLengths { what: what.into(), value: value.to_string(), allowed: allowed.into() }
}

/// Sets the bits from `from` to `until`, the latter excluded; `from < until`.
fn set_bits(words: &mut [u64], from: usize, until: usize) {
    let (first, last) = (from / 64, (until - 1) / 64);
    let (start, end) = (u64::MAX << (from % 64), u64::MAX >> (63 - (until - 1) % 64));
    if first == last {
        words[first] |= start & end;
    } else {
        words[first] |= start;
        words[first + 1..last].fill(u64::MAX);
        words[last] |= end;
    }
}

/// The mask with rows and columns exchanged.
fn transposed(mask: &BitMask) -> BitMask {
    let (width, height) = mask.size();
    let mut out = BitMask::empty(height, width);
    let mut block = [0; 64];
    for top in (0..height).step_by(64) {
        let rows = (height - top).min(64);
        for left in (0..width).step_by(64) {
            for (i, word) in block[..rows].iter_mut().enumerate() {
                *word = mask.row(top + i)[left / 64];
            }
            block[rows..].fill(0);
            transpose(&mut block);
            for (i, &word) in block[..(width - left).min(64)].iter().enumerate() {
                out.row_mut(left + i)[top / 64] = word;
            }
        }
    }
    out
}

/// 64×64 bits with rows and columns exchanged: halves of halves change places (Warren, Hacker's Delight, 7-3).
fn transpose(block: &mut [u64; 64]) {
    let (mut step, mut low) = (32, u64::MAX >> 32);
    while step > 0 {
        let mut row = 0;
        while row < 64 {
            let swapped = (block[row] >> step ^ block[row + step]) & low;
            block[row] ^= swapped << step;
            block[row + step] ^= swapped;
            row = (row + step + 1) & !step;
        }
        step /= 2;
        low ^= low << step;
    }
}
