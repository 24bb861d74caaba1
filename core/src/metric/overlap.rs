use crate::{BitMask, Result};

/// Intersection over union, 0 to 1: `|A∩B| / |A∪B|`, and 1 when both are empty.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn iou(a: &BitMask, b: &BitMask) -> Result<f32> {
    Ok(share(a.intersection(b)?, a.union(b)?) as f32)
}

/// Dice coefficient, 0 to 1: `2 |A∩B| / (|A| + |B|)`, and 1 when both are empty.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn dice(a: &BitMask, b: &BitMask) -> Result<f32> {
    Ok(share(2 * a.intersection(b)?, a.area() + b.area()) as f32)
}

/// `part / whole`, and 1 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
