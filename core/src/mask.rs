use crate::{Error, Plane, Result};

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
        Self::from_rows(plane.width(), plane.height(), |y| plane.row(y).iter().map(move |&v| v > threshold))
    }

    /// The pixels for which `inside(x, y)` holds.
    ///
    /// # Panics
    /// When a side is 0 or over [`Plane::MAX_SIDE`].
    pub fn from_fn(width: usize, height: usize, inside: impl Fn(usize, usize) -> bool) -> Self {
        Self::from_rows(width, height, |y| {
            let inside = &inside;
            (0..width).map(move |x| inside(x, y))
        })
    }

    fn from_rows<I: Iterator<Item = bool>>(width: usize, height: usize, row: impl Fn(usize) -> I) -> Self {
        let mut mask = Self::empty(width, height);
        let stride = width.div_ceil(64);
        for (y, words) in mask.words.chunks_exact_mut(stride).enumerate() {
            for (x, bit) in row(y).enumerate() {
                words[x / 64] |= u64::from(bit) << (x % 64);
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
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Number of pixels set in both.
    ///
    /// # Errors
    /// [`Error::FrameSize`] when the sizes differ.
    pub fn intersection(&self, other: &Self) -> Result<usize> {
        self.count(other, |a, b| a & b)
    }

    /// Number of pixels set in either.
    ///
    /// # Errors
    /// [`Error::FrameSize`] when the sizes differ.
    pub fn union(&self, other: &Self) -> Result<usize> {
        self.count(other, |a, b| a | b)
    }

    fn count(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Result<usize> {
        if self.size() != other.size() {
            return Err(Error::FrameSize {
                index: 0,
                width: other.width,
                height: other.height,
                expected_width: self.width,
                expected_height: self.height,
            });
        }
        Ok(self.words.iter().zip(&other.words).map(|(&a, &b)| op(a, b).count_ones() as usize).sum())
    }

    /// The mask as a picture of 0 and 255.
    pub fn to_plane(&self) -> Plane<u8> {
        Plane::from_fn(self.width, self.height, |x, y| if self.get(x, y) { 255 } else { 0 })
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
