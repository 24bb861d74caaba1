use crate::{Error, Result};

/// A red, green, blue pixel, 8 bits each.
pub type Rgb = [u8; 3];

/// A picture of one value a pixel: row-major, no padding, `data.len() == width * height`.
#[derive(Debug, PartialEq, Eq)]
pub struct Plane<T> {
    width: usize,
    height: usize,
    data: Vec<T>,
}

impl<T> Plane<T> {
    /// The longest side accepted, in pixels.
    pub const MAX_SIDE: usize = 16_384;

    /// Takes `data` as a picture.
    ///
    /// # Errors
    /// [`Error::Size`] when a side is 0 or over [`Self::MAX_SIDE`]; [`Error::Length`] when
    /// `data.len() != width * height`.
    pub fn from_vec(width: usize, height: usize, data: Vec<T>) -> Result<Self> {
        check_size(width, height)?;
        if data.len() != width * height {
            return Err(Error::Length { width, height, expected: width * height, actual: data.len() });
        }
        Ok(Self { width, height, data })
    }

    /// A picture whose pixel at column `x`, row `y` is `value(x, y)`.
    ///
    /// # Panics
    /// When a side is 0 or over [`Self::MAX_SIDE`].
    pub fn from_fn(width: usize, height: usize, mut value: impl FnMut(usize, usize) -> T) -> Self {
        check_size(width, height).expect("size in range");
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height {
            data.extend((0..width).map(|x| value(x, y)));
        }
        Self { width, height, data }
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// `(width, height)` in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// All pixels, row by row.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All pixels, row by row.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// Gives the pixels up, row by row.
    pub fn into_vec(self) -> Vec<T> {
        self.data
    }

    /// The pixels of row `y`.
    ///
    /// # Panics
    /// When `y >= height`.
    pub fn row(&self, y: usize) -> &[T] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// The pixels of row `y`.
    ///
    /// # Panics
    /// When `y >= height`.
    pub fn row_mut(&mut self, y: usize) -> &mut [T] {
        &mut self.data[y * self.width..(y + 1) * self.width]
    }

    /// The picture with `f` applied to every pixel.
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Plane<U> {
        Plane { width: self.width, height: self.height, data: self.data.iter().map(f).collect() }
    }
}

impl<T: Clone> Clone for Plane<T> {
    fn clone(&self) -> Self {
        Self { width: self.width, height: self.height, data: self.data.clone() }
    }

    /// Memory that is there is used again.
    fn clone_from(&mut self, source: &Self) {
        (self.width, self.height) = source.size();
        self.data.clone_from(&source.data);
    }
}

impl<T: Clone> Plane<T> {
    /// A picture of one value.
    ///
    /// # Panics
    /// When a side is 0 or over [`Self::MAX_SIDE`].
    pub fn filled(width: usize, height: usize, value: T) -> Self {
        check_size(width, height).expect("size in range");
        Self { width, height, data: vec![value; width * height] }
    }
}

impl<T: Copy> Plane<T> {
    /// The pixel at column `x`, row `y`.
    ///
    /// # Panics
    /// When `x >= width` or `y >= height`.
    pub fn get(&self, x: usize, y: usize) -> T {
        self.row(y)[x]
    }
}

impl Plane<Rgb> {
    /// Takes interleaved bytes `[r, g, b, r, g, b, …]` as a picture.
    ///
    /// # Errors
    /// As [`Plane::from_vec`]; lengths in pixels. Bytes that do not fill a pixel count as a wrong length.
    pub fn from_rgb_bytes(width: usize, height: usize, bytes: &[u8]) -> Result<Self> {
        let (pixels, rest) = bytes.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(Error::Length { width, height, expected: width * height, actual: bytes.len() });
        }
        Self::from_vec(width, height, pixels.to_vec())
    }

    /// The pixels as interleaved bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.data.as_flattened()
    }

    /// Luma of every pixel: BT.601 weights in 14-bit fixed point, as OpenCV's `COLOR_RGB2GRAY`.
    pub fn luma(&self) -> Plane<u8> {
        self.map(|&[r, g, b]| ((u32::from(r) * 4899 + u32::from(g) * 9617 + u32::from(b) * 1868 + 8192) >> 14) as u8)
    }
}

pub(crate) fn check_size(width: usize, height: usize) -> Result<()> {
    let range = 1..=Plane::<u8>::MAX_SIDE;
    if range.contains(&width) && range.contains(&height) { Ok(()) } else { Err(Error::Size { width, height }) }
}

/// That frame `index` is of the size that the first was of.
pub(crate) fn check_frame_size(index: usize, size: (usize, usize), expected: (usize, usize)) -> Result<()> {
    let ((width, height), (expected_width, expected_height)) = (size, expected);
    if size == expected {
        Ok(())
    } else {
        Err(Error::FrameSize { index, width, height, expected_width, expected_height })
    }
}
