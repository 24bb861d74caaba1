//! Changing the size of pictures, in integer or exactly specified f32 arithmetic.

use crate::{BitMask, Plane, RAW_LEVEL, Rgb};

/// Weights of the source pixels that make one target pixel: `(first source index, weights)`.
fn area_weights(source: usize, target: usize) -> Vec<(usize, Vec<u32>)> {
    // In units of 1/target of a source pixel, so that the weights are whole and add up to `source`.
    (0..target)
        .map(|i| {
            let (start, end) = (i * source, (i + 1) * source);
            let first = start / target;
            let last = (end - 1) / target;
            let weights = (first..=last).map(|s| (end.min((s + 1) * target) - start.max(s * target)) as u32).collect();
            (first, weights)
        })
        .collect()
}

/// Area averaging: each target pixel is the exact mean of the area it covers, rounded half up.
///
/// Meant for shrinking; where the target is larger the result is blocky.
///
/// # Panics
/// When `width` or `height` is 0 or over [`Plane::MAX_SIDE`].
pub fn area_rgb(source: &Plane<Rgb>, width: usize, height: usize) -> Plane<Rgb> {
    if source.size() == (width, height) {
        return source.clone();
    }
    let columns = area_weights(source.width(), width);
    let rows = area_weights(source.height(), height);
    let total = source.width() as u64 * source.height() as u64;
    let mut sums = vec![[0u32; 3]; source.width()];
    let mut out = Plane::filled(width, height, [0; 3]);
    for (y, (first, weights)) in rows.iter().enumerate() {
        sums.fill([0; 3]);
        for (dy, &weight) in weights.iter().enumerate() {
            for (sum, pixel) in sums.iter_mut().zip(source.row(first + dy)) {
                for c in 0..3 {
                    sum[c] += weight * u32::from(pixel[c]);
                }
            }
        }
        for (target, (first, weights)) in out.row_mut(y).iter_mut().zip(&columns) {
            let mut sum = [0u64; 3];
            for (&weight, pixel) in weights.iter().zip(&sums[*first..]) {
                for c in 0..3 {
                    sum[c] += u64::from(weight) * u64::from(pixel[c]);
                }
            }
            *target = sum.map(|s| ((s + total / 2) / total) as u8);
        }
    }
    out
}

/// Area averaging of one channel, as [`area_rgb`].
///
/// # Panics
/// When `width` or `height` is 0 or over [`Plane::MAX_SIDE`].
pub fn area(source: &Plane<u8>, width: usize, height: usize) -> Plane<u8> {
    if source.size() == (width, height) {
        return source.clone();
    }
    area_rgb(&source.map(|&v| [v; 3]), width, height).map(|p| p[0])
}

/// Bilinear interpolation with pixel centres at half integers (`align_corners = false`, as OpenCV and
/// torchvision) and edge pixels repeated, in 11-bit fixed point.
///
/// # Panics
/// When `width` or `height` is 0 or over [`Plane::MAX_SIDE`].
pub fn bilinear(source: &Plane<u8>, width: usize, height: usize) -> Plane<u8> {
    if source.size() == (width, height) {
        return source.clone();
    }
    let columns = bilinear_taps(source.width(), width);
    let rows = bilinear_taps(source.height(), height);
    let mut out = Plane::filled(width, height, 0);
    for (y, &(top, bottom, fy)) in rows.iter().enumerate() {
        let (top, bottom) = (source.row(top), source.row(bottom));
        for (target, &(left, right, fx)) in out.row_mut(y).iter_mut().zip(&columns) {
            let mix = |row: &[u8]| u32::from(row[left]) * (2048 - fx) + u32::from(row[right]) * fx;
            *target = ((mix(top) * (2048 - fy) + mix(bottom) * fy + (1 << 21)) >> 22) as u8;
        }
    }
    out
}

/// `(left, right, weight of right in 1/2048)` for each target index.
pub(crate) fn bilinear_taps(source: usize, target: usize) -> Vec<(usize, usize, u32)> {
    (0..target)
        .map(|i| {
            // Position in 1/2048 of a source pixel: ((i + 1/2) * source / target - 1/2) * 2048.
            let position = ((2 * i + 1) * source * 1024 + target / 2) / target;
            let position = position.saturating_sub(1024).min((source - 1) * 2048);
            let left = position / 2048;
            (left, (left + 1).min(source - 1), (position % 2048) as u32)
        })
        .collect()
}

/// To `width`×`height`: [`area`] where a side shrinks, [`bilinear`] otherwise.
///
/// # Panics
/// When `width` or `height` is 0 or over [`Plane::MAX_SIDE`].
pub fn resize(source: &Plane<u8>, width: usize, height: usize) -> Plane<u8> {
    if width < source.width() || height < source.height() {
        area(source, width, height)
    } else {
        bilinear(source, width, height)
    }
}

/// A mask at `width`×`height`: its picture of 0 and 255 as [`resize`] makes it, over ½. Shrinking takes no such
/// picture, which makes it many times as fast.
///
/// # Panics
/// When `width` or `height` is 0 or over [`Plane::MAX_SIDE`].
pub fn resize_mask(source: &BitMask, width: usize, height: usize) -> BitMask {
    if source.size() == (width, height) {
        return source.clone();
    }
    if width >= source.width() && height >= source.height() {
        return BitMask::from_threshold(&bilinear(&source.to_plane(), width, height), RAW_LEVEL);
    }
    let columns = area_weights(source.width(), width);
    let rows = area_weights(source.height(), height);
    // A mean over 127.5 levels of 255, rounded half up, is a level over 127: in whole numbers, a sum of at least half.
    let half = (source.width() as u64 * source.height() as u64).div_ceil(2);
    let mut sums = vec![0u32; source.width()];
    let mut out = BitMask::empty(width, height);
    for (y, (first, weights)) in rows.iter().enumerate() {
        sums.fill(0);
        for (dy, &weight) in weights.iter().enumerate() {
            let words = source.row(first + dy);
            for (sums, &word) in sums.chunks_mut(64).zip(words).filter(|&(_, &word)| word != 0) {
                for (bit, sum) in sums.iter_mut().enumerate() {
                    *sum += weight * (word >> bit & 1) as u32;
                }
            }
        }
        for (word, columns) in out.row_mut(y).iter_mut().zip(columns.chunks(64)) {
            for (bit, (first, weights)) in columns.iter().enumerate() {
                let pixels = weights.iter().zip(&sums[*first..]);
                let sum: u64 = pixels.map(|(&weight, &sum)| u64::from(weight) * u64::from(sum)).sum();
                *word |= u64::from(sum >= half) << bit;
            }
        }
    }
    out
}
