use crate::{BitMask, Error, Plane, Result, simd::vectorised};

/// How many pixels two masks cover, alone and together: all that overlap measures need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Pixels of the one mask and of the other.
    pub areas: [usize; 2],
    /// Pixels in both.
    pub intersection: usize,
}

impl Overlap {
    /// Of two masks, in one pass.
    ///
    /// # Errors
    /// [`Error::FrameSize`] when the sizes differ.
    pub fn of_masks(a: &BitMask, b: &BitMask) -> Result<Self> {
        let [area_a, area_b, intersection] = a.areas(b)?;
        Ok(Self { areas: [area_a, area_b], intersection })
    }

    /// Of the pixels over `threshold` in two planes of values, in one pass and without making masks of them.
    ///
    /// # Errors
    /// [`Error::FrameSize`] when the sizes differ.
    pub fn of_planes(a: &Plane<u8>, b: &Plane<u8>, threshold: u8) -> Result<Self> {
        if a.size() != b.size() {
            let ((width, height), (expected_width, expected_height)) = (b.size(), a.size());
            return Err(Error::FrameSize { index: 0, width, height, expected_width, expected_height });
        }
        let [area_a, area_b, intersection] = over(a.data(), b.data(), threshold);
        Ok(Self { areas: [area_a, area_b], intersection })
    }

    /// Pixels in either.
    pub fn union(&self) -> usize {
        self.areas[0] + self.areas[1] - self.intersection
    }

    /// Intersection over union, 0 to 1: `|A∩B| / |A∪B|`, and 1 when both are empty.
    pub fn iou(&self) -> f32 {
        share(self.intersection, self.union()) as f32
    }

    /// Dice coefficient, 0 to 1: `2 |A∩B| / (|A| + |B|)`, and 1 when both are empty.
    pub fn dice(&self) -> f32 {
        share(2 * self.intersection, self.areas[0] + self.areas[1]) as f32
    }
}

/// [`Overlap::iou`] of two masks.
///
/// # Errors
/// [`Error::FrameSize`] when the sizes differ.
pub fn iou(a: &BitMask, b: &BitMask) -> Result<f32> {
    Ok(Overlap::of_masks(a, b)?.iou())
}

/// [`Overlap::dice`] of two masks.
///
/// # Errors
/// [`Error::FrameSize`] when the sizes differ.
pub fn dice(a: &BitMask, b: &BitMask) -> Result<f32> {
    Ok(Overlap::of_masks(a, b)?.dice())
}

/// `part / whole`, and 1 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Pixels counted side by side, each in a byte.
const LANES: usize = 64;

vectorised! {
    /// How many values are over `threshold` in `a`, in `b` and at the same place in both.
    fn over(a: &[u8], b: &[u8], threshold: u8) -> [usize; 3] {
        let mut counts = [0; 3];
        // 255 blocks are as many as a byte can count.
        for (a, b) in a.chunks(255 * LANES).zip(b.chunks(255 * LANES)) {
            let [mut own, mut others, mut both] = [[0u8; LANES]; 3];
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
            for (a, b) in a.iter().zip(b) {
                for k in 0..LANES {
                    own[k] += u8::from(a[k] > threshold);
                    others[k] += u8::from(b[k] > threshold);
                    both[k] += u8::from(a[k].min(b[k]) > threshold);
                }
            }
            for (count, lanes) in counts.iter_mut().zip([own, others, both]) {
                *count += lanes.into_iter().map(usize::from).sum::<usize>();
            }
            for (&a, &b) in a_rest.iter().zip(b_rest) {
                counts[0] += usize::from(a > threshold);
                counts[1] += usize::from(b > threshold);
                counts[2] += usize::from(a.min(b) > threshold);
            }
        }
        counts
    }
}
