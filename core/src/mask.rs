use std::{array, hint::black_box};

use crate::{Plane, Result, plane::check_frame_size, simd::vectorised};

/// A binary mask, 64 pixels a word, each row padded to whole words with zeros.
///
/// Pixel `(x, y)` is bit `x % 64` of word `y * words_per_row + x / 64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitMask {
    width: usize,
    height: usize,
    words: Vec<u64>,
}

impl BitMask {
    /// A mask with no pixel set.
    ///
    /// # Panics
    /// When a side is 0 or over [`Plane::MAX_SIDE`].
    pub fn empty(width: usize, height: usize) -> Self {
        crate::plane::check_size(width, height).expect("size in range");
        Self { width, height, words: vec![0; width.div_ceil(64) * height] }
    }

    /// The pixels whose value is over `threshold`.
    pub fn from_threshold(plane: &Plane<u8>, threshold: u8) -> Self {
        let mut mask = Self::empty(plane.width(), plane.height());
        pack(plane.data(), plane.width(), threshold, &mut mask.words);
        mask
    }

    /// The pixels for which `inside(x, y)` holds.
    ///
    /// # Panics
    /// When a side is 0 or over [`Plane::MAX_SIDE`].
    pub fn from_fn(width: usize, height: usize, inside: impl Fn(usize, usize) -> bool) -> Self {
        let mut mask = Self::empty(width, height);
        for (y, words) in mask.words.chunks_exact_mut(width.div_ceil(64)).enumerate() {
            for x in 0..width {
                words[x / 64] |= u64::from(inside(x, y)) << (x % 64);
            }
        }
        mask
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// `(width, height)` in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Whether pixel `(x, y)` is set.
    ///
    /// # Panics
    /// When `x >= width` or `y >= height`.
    pub fn get(&self, x: usize, y: usize) -> bool {
        assert!(x < self.width && y < self.height, "pixel ({x}, {y}) is outside {}×{}", self.width, self.height);
        self.words[y * self.width.div_ceil(64) + x / 64] >> (x % 64) & 1 == 1
    }

    /// Whether any pixel of row `y` from column `left` to column `right`, both included, is set.
    ///
    /// # Panics
    /// When the span is not inside the mask.
    pub fn any_in_row(&self, y: usize, left: usize, right: usize) -> bool {
        assert!(left <= right && right < self.width && y < self.height, "span {left}..={right} of row {y} is outside");
        let row = self.row(y);
        let (first, last) = (left / 64, right / 64);
        let (from, until) = (u64::MAX << (left % 64), u64::MAX >> (63 - right % 64));
        if first == last {
            return row[first] & from & until != 0;
        }
        row[first] & from != 0 || row[first + 1..last].iter().any(|&word| word != 0) || row[last] & until != 0
    }

    /// All words, row by row.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The pixels set in one of the two only; `other` must be of the same size.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let words = self.words.iter().zip(&other.words).map(|(a, b)| a ^ b).collect();
        Self { words, ..*self }
    }

    /// The words of row `y`.
    pub(crate) fn row(&self, y: usize) -> &[u64] {
        let stride = self.width.div_ceil(64);
        &self.words[y * stride..(y + 1) * stride]
    }

    /// The words of row `y`; bits past the width must stay 0.
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [u64] {
        let stride = self.width.div_ceil(64);
        &mut self.words[y * stride..(y + 1) * stride]
    }

    /// A mask of this size with other words; bits past the width must be 0.
    pub(crate) fn with_words(&self, words: Vec<u64>) -> Self {
        debug_assert_eq!(words.len(), self.words.len());
        Self { words, ..*self }
    }

    /// The pixels that are set, as `(x, y)`, row by row.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.height).flat_map(move |y| {
            self.row(y).iter().enumerate().flat_map(move |(i, &word)| {
                std::iter::successors((word != 0).then_some(word), |word| {
                    let rest = word & (word - 1);
                    (rest != 0).then_some(rest)
                })
                .map(move |word| (i * 64 + word.trailing_zeros() as usize, y))
            })
        })
    }

    /// Number of pixels set.
    pub fn area(&self) -> usize {
        area(&self.words)
    }

    /// Number of pixels set in both.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
    pub fn intersection(&self, other: &Self) -> Result<usize> {
        check_frame_size(0, other.size(), self.size())?;
        let [_, [_, both]] = Self::areas([self, other]);
        Ok(both)
    }

    /// Number of pixels set in either.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
    pub fn union(&self, other: &Self) -> Result<usize> {
        check_frame_size(0, other.size(), self.size())?;
        let [[own, _], [others, both]] = Self::areas([self, other]);
        Ok(own + others - both)
    }

    /// Number of pixels set in each of these masks, which are of one size, and in both it and the one before, in one
    /// pass over all of them.
    pub(crate) fn areas<const N: usize>(masks: [&Self; N]) -> [[usize; 2]; N] {
        areas(masks.map(Self::words))
    }

    /// The mask as a picture of 0 and 255.
    pub fn to_plane(&self) -> Plane<u8> {
        let mut plane = Plane::filled(self.width, self.height, 0);
        unpack(&self.words, self.width, plane.data_mut());
        plane
    }
}

vectorised! {
    /// Packs rows of `width` values into words; over `threshold` is 1.
    fn pack(values: &[u8], width: usize, threshold: u8, words: &mut [u64]) {
        for (row, words) in values.chunks_exact(width).zip(words.chunks_exact_mut(width.div_ceil(64))) {
            let (blocks, rest) = row.as_chunks::<64>();
            for (word, block) in words.iter_mut().zip(blocks) {
                *word = pack_word(block, threshold);
            }
            if !rest.is_empty() {
                // A value that is over no threshold.
                let mut block = [0; 64];
                block[..rest.len()].copy_from_slice(rest);
                words[blocks.len()] = pack_word(&block, threshold);
            }
        }
    }

    /// The reverse of [`pack`]: 0 and 255.
    fn unpack(words: &[u64], width: usize, values: &mut [u8]) {
        for (row, words) in values.chunks_exact_mut(width).zip(words.chunks_exact(width.div_ceil(64))) {
            let (blocks, rest) = row.as_chunks_mut::<64>();
            for (block, &word) in blocks.iter_mut().zip(words) {
                unpack_word(word, block);
            }
            if !rest.is_empty() {
                let mut block = [0; 64];
                unpack_word(words[words.len() - 1], &mut block);
                rest.copy_from_slice(&block[..rest.len()]);
            }
        }
    }

    fn area(words: &[u64]) -> usize {
        if cfg!(target_arch = "wasm32") {
            let [[area, _]] = areas_word_by_word([words]);
            return area;
        }
        let mut count = 0;
        for word in words {
            count += u64::from(word.count_ones());
        }
        count as usize
    }

    /// Bits set in each of these, and in both it and the one before.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn areas<const N: usize>(masks: [&[u64]; N]) -> [[usize; 2]; N] {
        if cfg!(target_arch = "wasm32") {
            return areas_word_by_word(masks);
        }
        let length = masks[0].len();
        let masks = masks.map(|words| &words[..length]);
        let [mut own, mut both] = [[0u64; N]; 2];
        for i in 0..length {
            for k in 0..N {
                own[k] += u64::from(masks[k][i].count_ones());
                if k > 0 {
                    both[k] += u64::from((masks[k][i] & masks[k - 1][i]).count_ones());
                }
            }
        }
        array::from_fn(|k| [own[k] as usize, both[k] as usize])
    }
}

/// [`areas`] for WASM, which has an instruction that counts the bits of a word. On x86-64 it is one too, and counting in
/// vectors, as the compiler would have it were it not for `black_box`, takes half as long again; on arm64, where only
/// vectors can be counted in, a word takes about as many instructions as a vector.
#[allow(clippy::needless_range_loop, reason = "as above")]
fn areas_word_by_word<const N: usize>(masks: [&[u64]; N]) -> [[usize; 2]; N] {
    let [mut own, mut both] = [[0u64; N]; 2];
    let mut count = |k: usize, word: u64, before: u64| {
        own[k] += u64::from(word.count_ones());
        if k > 0 {
            both[k] += u64::from((word & before).count_ones());
        }
    };
    let pieces = masks[0].len() / 4;
    let fours = masks.map(|words| &words.as_chunks::<4>().0[..pieces]);
    for i in 0..pieces {
        // So few words, since they are all loaded before any is counted, and there are few registers.
        let words: [&[u64; 4]; N] = black_box(array::from_fn(|k| &fours[k][i]));
        for k in 0..N {
            for j in 0..4 {
                count(k, words[k][j], words[k.saturating_sub(1)][j]);
            }
        }
    }
    for i in 4 * pieces..masks[0].len() {
        for k in 0..N {
            count(k, masks[k][i], masks[k.saturating_sub(1)][i]);
        }
    }
    array::from_fn(|k| [own[k] as usize, both[k] as usize])
}

#[inline(always)]
fn pack_word(values: &[u8; 64], threshold: u8) -> u64 {
    let mut bits = [0; 64];
    for k in 0..64 {
        bits[k] = u8::from(values[k] > threshold);
    }
    let mut word = 0;
    for (k, eight) in bits.as_chunks::<8>().0.iter().enumerate() {
        // The product brings the lowest bits of eight bytes side by side into the highest byte.
        word |= (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * k);
    }
    word
}

#[inline(always)]
fn unpack_word(word: u64, values: &mut [u8; 64]) {
    let bytes = word.to_le_bytes();
    if cfg!(target_arch = "wasm32") {
        // There 64-bit products are slow, and this is made of vectors of bytes.
        for k in 0..64 {
            values[k] = if bytes[k / 8] & 1 << (k % 8) == 0 { 0 } else { 255 };
        }
        return;
    }
    for (eight, bits) in values.as_chunks_mut::<8>().0.iter_mut().zip(bytes) {
        // Eight copies of the byte, of which each keeps the bit of its own place; that bit is then spread.
        let apart = (u64::from(bits) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
        let highest = (apart + 0x7f7f_7f7f_7f7f_7f7f) & 0x8080_8080_8080_8080;
        *eight = ((highest >> 7) * 255).to_le_bytes();
    }
}

/// The pixel-wise maximum of the classes' probabilities: how likely a pixel is in any of them.
///
/// # Panics
/// When `planes` is empty or the sizes differ.
pub fn union_of(planes: &[Plane<u8>]) -> Plane<u8> {
    let (first, rest) = planes.split_first().expect("at least one plane");
    let mut union = first.clone();
    for plane in rest {
        assert_eq!(plane.size(), union.size(), "planes of different sizes");
        for (union, &p) in union.data_mut().iter_mut().zip(plane.data()) {
            *union = (*union).max(p);
        }
    }
    union
}

/// The mask of 0 and 255 at `width`×`height` of probabilities at any size: scaled first, then cut at `level`
/// (over it is inside).
///
/// # Panics
/// When `width` or `height` is 0 or over [`Plane::MAX_SIDE`].
pub fn full_mask(probability: &Plane<u8>, (width, height): (usize, usize), level: u8) -> Plane<u8> {
    crate::resize::resize(probability, width, height).map(|&p| if p > level { 255 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_word_by_word_as_otherwise() {
        // Words of all kinds, and numbers of them that are not whole pieces.
        let word = |i: u64| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (i % 7) | u64::MAX << (i % 65).min(63);
        for length in 0..14 {
            let masks: [Vec<u64>; 3] = array::from_fn(|k| (0..length).map(|i| word(17 * i + k as u64)).collect());
            let masks = masks.each_ref().map(Vec::as_slice);
            assert_eq!(areas_word_by_word(masks), areas(masks), "{length} words");
            assert_eq!(areas_word_by_word([masks[0]])[0][0], area(masks[0]), "{length} words");
        }
    }
}
