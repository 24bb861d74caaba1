//! Slow, obvious versions of everything fast: the tests' oracle, kept for ever. Of no use to anyone else.

pub mod filter;
pub mod flow;
pub mod metric;
pub mod rle;

use crate::{ColorMatrix, ColorRange, I420, Plane, Rgb};

/// Twin of [`rgb_from_i420`](crate::rgb_from_i420) in floating point, for bytes of the right length.
///
/// ITU-R BT.601 / BT.709: R = Y + 2 (1 − Kr) Cr, B = Y + 2 (1 − Kb) Cb, and G from Y = Kr R + Kg G + Kb B.
pub fn rgb_from_i420(picture: I420<'_>) -> Plane<Rgb> {
    let I420 { width, height, bytes, matrix, range } = picture;
    let (kr, kb) = match matrix {
        ColorMatrix::Bt601 => (0.299, 0.114),
        ColorMatrix::Bt709 => (0.2126, 0.0722),
    };
    let (black, luma_span, chroma_span) = match range {
        ColorRange::Limited => (16.0, 219.0, 224.0),
        ColorRange::Full => (0.0, 255.0, 255.0),
    };
    let chroma_width = width.div_ceil(2);
    let chroma_len = chroma_width * height.div_ceil(2);
    Plane::from_fn(width, height, |x, y| {
        let chroma = width * height + y / 2 * chroma_width + x / 2;
        let luma = (f64::from(bytes[y * width + x]) - black) / luma_span;
        let cb = (f64::from(bytes[chroma]) - 128.0) / chroma_span;
        let cr = (f64::from(bytes[chroma + chroma_len]) - 128.0) / chroma_span;
        let red = luma + 2.0 * (1.0 - kr) * cr;
        let blue = luma + 2.0 * (1.0 - kb) * cb;
        let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8)
    })
}

/// Twin of [`resize::area`](crate::resize::area): every source pixel weighted by how much of it is covered.
pub fn area(source: &Plane<u8>, width: usize, height: usize) -> Plane<u8> {
    // Lengths in units of 1/target of a source pixel are whole numbers.
    let overlap = |i: usize, s: usize, source: usize, target: usize| {
        ((i + 1) * source).min((s + 1) * target).saturating_sub((i * source).max(s * target))
    };
    let (source_width, source_height) = source.size();
    Plane::from_fn(width, height, |x, y| {
        let mut sum = 0;
        for v in 0..source_height {
            for u in 0..source_width {
                let covered = overlap(x, u, source_width, width) * overlap(y, v, source_height, height);
                sum += covered * usize::from(source.get(u, v));
            }
        }
        let total = source_width * source_height;
        ((2 * sum + total) / (2 * total)) as u8
    })
}

/// Twin of [`resize::bilinear`](crate::resize::bilinear) in floating point, unrounded.
pub fn bilinear(source: &Plane<u8>, width: usize, height: usize) -> Plane<f64> {
    let taps = |i: usize, source: usize, target: usize| {
        let position = (i as f64 + 0.5) * source as f64 / target as f64 - 0.5;
        let position = position.clamp(0.0, source as f64 - 1.0);
        let first = position.floor() as usize;
        (first, (first + 1).min(source - 1), position - position.floor())
    };
    Plane::from_fn(width, height, |x, y| {
        let (left, right, fx) = taps(x, source.width(), width);
        let (top, bottom, fy) = taps(y, source.height(), height);
        let row = |y: usize| f64::from(source.get(left, y)) * (1.0 - fx) + f64::from(source.get(right, y)) * fx;
        row(top) * (1.0 - fy) + row(bottom) * fy
    })
}

/// Twin of the pixel-wise [`BitMask`](crate::BitMask) counts: `(area of a, area of b, intersection, union)`.
pub fn counts(a: &crate::BitMask, b: &crate::BitMask) -> [usize; 4] {
    let mut counts = [0; 4];
    for y in 0..a.height() {
        for x in 0..a.width() {
            let (a, b) = (a.get(x, y), b.get(x, y));
            for (count, counted) in counts.iter_mut().zip([a, b, a && b, a || b]) {
                *count += usize::from(counted);
            }
        }
    }
    counts
}
