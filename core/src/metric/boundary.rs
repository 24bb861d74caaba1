use super::{Overlap, overlap::share};
use crate::{BitMask, Result, plane::check_frame_size};

/// How far apart two contours may lie and still match, as a share of the frame's diagonal: that of DAVIS.
pub const BOUNDARY_TOLERANCE: f64 = 0.008;

/// J of DAVIS: intersection over union with the ground truth, 0 to 1, and 1 when both are empty.
///
/// F. Perazzi et al., *A benchmark dataset and evaluation methodology for video object segmentation*, CVPR 2016.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn region_similarity(mask: &BitMask, truth: &BitMask) -> Result<f64> {
    let overlap = Overlap::of_masks(mask, truth)?;
    Ok(share(overlap.intersection, overlap.union()))
}

/// F of DAVIS: F-measure of the contours' pixels, 0 to 1.
///
/// A contour pixel matches when the other contour has a pixel within [`boundary_radius`] of it. Precision is the
/// share of the mask's contour that matches, recall that of the truth's; where only one of the two has a contour
/// F is 0, where neither has it is 1. Formulas of `davis2017-evaluation`, exactly.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn boundary_f(mask: &BitMask, truth: &BitMask) -> Result<f64> {
    boundary_f_within(mask, truth, boundary_radius(mask.width(), mask.height()))
}

/// As [`boundary_f`], with contours that match within `radius` pixels.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn boundary_f_within(mask: &BitMask, truth: &BitMask, radius: usize) -> Result<f64> {
    check_frame_size(0, mask.size(), truth.size())?;
    let (mask, truth) = (boundary(mask), boundary(truth));
    // A contour pixel without counterpart counts in neither share; an empty contour has the share 1.
    let precision = share(matched(&mask, &truth, radius), mask.area());
    let recall = share(matched(&truth, &mask, radius), truth.area());
    if precision + recall == 0.0 {
        return Ok(0.0);
    }
    Ok(2.0 * precision * recall / (precision + recall))
}

/// Pixels within which contours of a frame of `width`×`height` match: ⌈0.008 · diagonal⌉.
pub fn boundary_radius(width: usize, height: usize) -> usize {
    let squared = (width * width + height * height) as f64;
    (BOUNDARY_TOLERANCE * squared.sqrt()).ceil() as usize
}

/// The pixels that differ from their neighbour to the right, below, or both (`seg2bmap` of DAVIS); on the last
/// column and row only from the neighbour that there is.
pub fn boundary(mask: &BitMask) -> BitMask {
    let (width, height) = mask.size();
    let last = (width - 1) % 64;
    let mut contour = BitMask::empty(width, height);
    for y in 0..height {
        let below = mask.row((y + 1).min(height - 1));
        let row = mask.row(y);
        let right_of = |row: &[u64], i: usize| {
            // The last pixel is its own neighbour.
            let carry = row.get(i + 1).map_or(row[i] & 1 << last, |next| next << 63);
            row[i] >> 1 | carry
        };
        for (i, word) in contour.row_mut(y).iter_mut().enumerate() {
            *word = (row[i] ^ right_of(row, i)) | (row[i] ^ below[i]) | (row[i] ^ right_of(below, i));
        }
    }
    contour
}

/// How many pixels of `contour` have a pixel of `other` within `radius`.
fn matched(contour: &BitMask, other: &BitMask, radius: usize) -> usize {
    let (width, height) = other.size();
    // Half the width of the disk on each row above and below its centre.
    let half_widths: Vec<usize> = (0..=radius).map(|dy| (radius * radius - dy * dy).isqrt()).collect();
    let near = |&(x, y): &(usize, usize)| {
        (y.saturating_sub(radius)..=(y + radius).min(height - 1)).any(|row| {
            let half = half_widths[row.abs_diff(y)];
            other.any_in_row(row, x.saturating_sub(half), (x + half).min(width - 1))
        })
    };
    contour.pixels().filter(near).count()
}
