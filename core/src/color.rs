use crate::{Error, Plane, Result, Rgb};

/// Which matrix relates the Y, Cb and Cr of a video to red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorMatrix {
    /// ITU-R BT.601: standard definition.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

impl ColorMatrix {
    /// The matrix of a video that does not name one: BT.709 from 720 lines on, else BT.601.
    pub fn guess(height: usize) -> Self {
        if height >= 720 { Self::Bt709 } else { Self::Bt601 }
    }

    /// The matrix by the name that ffprobe and WebCodecs give it; [`Self::guess`] for any other.
    pub fn from_name(name: &str, height: usize) -> Self {
        match name {
            "bt709" => Self::Bt709,
            "bt470bg" | "smpte170m" | "bt601" => Self::Bt601,
            _ => Self::guess(height),
        }
    }
}

/// Which levels stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorRange {
    /// Luma 16–235, chroma 16–240: nearly every video.
    Limited,
    /// 0–255.
    Full,
}

/// A planar 4:2:0 picture as decoders give it; chroma planes are `ceil(width / 2)`×`ceil(height / 2)`.
#[derive(Debug, Clone, Copy)]
pub struct I420<'a> {
    /// Width of the luma plane in pixels.
    pub width: usize,
    /// Height of the luma plane in pixels.
    pub height: usize,
    /// Luma rows, then Cb rows, then Cr rows, without padding.
    pub bytes: &'a [u8],
    /// Which matrix.
    pub matrix: ColorMatrix,
    /// Which levels.
    pub range: ColorRange,
}

impl I420<'_> {
    /// Bytes in a picture of `width`×`height`.
    pub fn len_of(width: usize, height: usize) -> usize {
        width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
    }
}

/// Red, green and blue in integer arithmetic, so that every door of the product sees the same picture.
///
/// Each chroma sample serves its 2×2 pixels unfiltered; coefficients have 16 fraction bits, rounded half up.
///
/// # Errors
/// [`Error::Size`] and [`Error::Length`] as [`Plane::from_vec`]; lengths in bytes.
pub fn rgb_from_i420(picture: I420<'_>) -> Result<Plane<Rgb>> {
    let I420 { width, height, bytes, matrix, range } = picture;
    crate::plane::check_size(width, height)?;
    let expected = I420::len_of(width, height);
    if bytes.len() != expected {
        return Err(Error::Length { width, height, expected, actual: bytes.len() });
    }
    let chroma_width = width.div_ceil(2);
    let (luma, chroma) = bytes.split_at(width * height);
    let (cb, cr) = chroma.split_at(chroma.len() / 2);
    let (kr, kb) = match matrix {
        ColorMatrix::Bt601 => (0.299, 0.114),
        ColorMatrix::Bt709 => (0.2126, 0.0722),
    };
    let (offset, luma_scale, chroma_scale) = match range {
        ColorRange::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
        ColorRange::Full => (0, 1.0, 1.0),
    };
    let kg = 1.0 - kr - kb;
    let fixed = |x: f64| (x * 65536.0 + 0.5).floor() as i32;
    let scale = fixed(luma_scale);
    let r_cr = fixed(2.0 * (1.0 - kr) * chroma_scale);
    let g_cr = fixed(2.0 * (1.0 - kr) * kr / kg * chroma_scale);
    let g_cb = fixed(2.0 * (1.0 - kb) * kb / kg * chroma_scale);
    let b_cb = fixed(2.0 * (1.0 - kb) * chroma_scale);
    let level = |x: i32| ((x + 32768) >> 16).clamp(0, 255) as u8;
    let mut pixels = Vec::with_capacity(width * height);
    for (y, row) in luma.chunks_exact(width).enumerate() {
        let chroma_row = y / 2 * chroma_width..(y / 2 + 1) * chroma_width;
        let (cb, cr) = (&cb[chroma_row.clone()], &cr[chroma_row]);
        pixels.extend(row.iter().enumerate().map(|(x, &luma)| {
            let luma = (i32::from(luma) - offset) * scale;
            let (cb, cr) = (i32::from(cb[x / 2]) - 128, i32::from(cr[x / 2]) - 128);
            [level(luma + r_cr * cr), level(luma - g_cr * cr - g_cb * cb), level(luma + b_cb * cb)]
        }));
    }
    Plane::from_vec(width, height, pixels)
}

/// How far a picture must be turned clockwise to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// It stands upright.
    #[default]
    None,
    /// A quarter turn.
    Clockwise90,
    /// Half a turn.
    Half,
    /// Three quarters of a turn.
    Clockwise270,
}

impl Rotation {
    /// The rotation of so many degrees clockwise, `None` when it is no multiple of 90.
    pub fn from_degrees(degrees: i32) -> Option<Self> {
        match degrees.rem_euclid(360) {
            0 => Some(Self::None),
            90 => Some(Self::Clockwise90),
            180 => Some(Self::Half),
            270 => Some(Self::Clockwise270),
            _ => None,
        }
    }
}

/// The picture turned clockwise.
pub fn rotate<T: Copy>(plane: Plane<T>, rotation: Rotation) -> Plane<T> {
    let (w, h) = plane.size();
    match rotation {
        Rotation::None => plane,
        Rotation::Clockwise90 => Plane::from_fn(h, w, |x, y| plane.get(y, h - 1 - x)),
        Rotation::Half => Plane::from_fn(w, h, |x, y| plane.get(w - 1 - x, h - 1 - y)),
        Rotation::Clockwise270 => Plane::from_fn(h, w, |x, y| plane.get(w - 1 - y, x)),
    }
}
