//! Pillow's bilinear scaling, which shrinks without aliasing, to the last bit: what torchvision's transforms do to a
//! picture before a network sees it.

use steadymask_core::{Plane, Rgb};

/// Bits after the point of the weights: 32, less 8 of a value and 2 of headroom.
const PRECISION: u32 = 32 - 8 - 2;

/// The source pixels that make one target pixel.
struct Tap {
    first: usize,
    /// In units of `2⁻ᴾᴿᴱᶜᴵˢᴵᴼᴺ`; they add up to about 1.
    weights: Vec<u32>,
}

/// The triangle filter, as wide as one target pixel or one source pixel, whichever is larger (Pillow's
/// `precompute_coeffs`).
fn taps(source: usize, target: usize) -> Vec<Tap> {
    let scale = source as f64 / target as f64;
    let support = scale.max(1.0);
    let step = 1.0 / support;
    (0..target)
        .map(|i| {
            let center = (i as f64 + 0.5) * scale;
            // Conversions to whole numbers stop at 0.
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(source);
            let distances = (0..end - first).map(|k| ((k as f64 + first as f64 - center + 0.5) * step).abs());
            let weights: Vec<f64> = distances.map(|d| (1.0 - d).max(0.0)).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |w: f64| (0.5 + w / sum * f64::from(1 << PRECISION)) as u32;
            Tap { first, weights: weights.into_iter().map(fixed).collect() }
        })
        .collect()
}

/// One target pixel.
fn mix<'a>(tap: &Tap, pixels: impl Iterator<Item = &'a Rgb>) -> Rgb {
    let mut sum = [1 << (PRECISION - 1); 3];
    for (pixel, &weight) in pixels.zip(&tap.weights) {
        for (sum, &value) in sum.iter_mut().zip(pixel) {
            *sum += weight * u32::from(value);
        }
    }
    sum.map(|sum| (sum >> PRECISION).min(255) as u8)
}

/// Scales a frame as `Image.resize((width, height), BILINEAR)` does: the rows first, rounded, and then the columns.
/// (Where the proportions change a lot, Pillow 13 may begin with the columns, which moves values by one level.)
pub(crate) fn bilinear(frame: &Plane<Rgb>, width: usize, height: usize) -> Plane<Rgb> {
    let columns = taps(frame.width(), width);
    let narrowed = if frame.width() == width {
        frame.clone()
    } else {
        Plane::from_fn(width, frame.height(), |x, y| mix(&columns[x], frame.row(y)[columns[x].first..].iter()))
    };
    if frame.height() == height {
        return narrowed;
    }
    let rows = taps(frame.height(), height);
    let column = |x: usize, from: usize| narrowed.data()[from * width + x..].iter().step_by(width);
    Plane::from_fn(width, height, |x, y| mix(&rows[y], column(x, rows[y].first)))
}
