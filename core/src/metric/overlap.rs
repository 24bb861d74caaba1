use crate::{BitMask, Plane, Result, plane::check_frame_size, simd::vectorised};

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
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
    pub fn of_masks(a: &BitMask, b: &BitMask) -> Result<Self> {
        check_frame_size(0, b.size(), a.size())?;
        Ok(Self::from_counts(BitMask::areas([a, b])))
    }

    /// Of each mask but the last with the next. Several are counted side by side: masks that come from memory, and not
    /// from a cache, come from there once, and together, which is faster than pair by pair.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when a mask is of another size than the first.
    pub fn of_neighbours(masks: &[BitMask]) -> Result<Vec<Self>> {
        neighbours(masks, BitMask::size, BitMask::areas, BitMask::areas)
    }

    /// Of the pixels over `threshold` in two planes of values, in one pass and without making masks of them.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
    pub fn of_planes(a: &Plane<u8>, b: &Plane<u8>, threshold: u8) -> Result<Self> {
        check_frame_size(0, b.size(), a.size())?;
        Ok(Self::from_counts(pair_over([a, b], threshold)))
    }

    /// [`Self::of_neighbours`] for the pixels over `threshold` in planes of values.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when a plane is of another size than the first.
    pub fn of_neighbouring_planes(planes: &[Plane<u8>], threshold: u8) -> Result<Vec<Self>> {
        let many = |planes: [&Plane<u8>; FRAMES]| over(planes.map(Plane::data), threshold);
        neighbours(planes, Plane::size, |pair| pair_over(pair, threshold), many)
    }

    /// From the pixels of the first frame and of the second, each with those in it and in the frame before.
    fn from_counts([[first, _], [second, both]]: [[usize; 2]; 2]) -> Self {
        Self { areas: [first, second], intersection: both }
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
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn iou(a: &BitMask, b: &BitMask) -> Result<f32> {
    Ok(Overlap::of_masks(a, b)?.iou())
}

/// [`Overlap::dice`] of two masks.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn dice(a: &BitMask, b: &BitMask) -> Result<f32> {
    Ok(Overlap::of_masks(a, b)?.dice())
}

/// `part / whole`, and 1 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Frames that are counted side by side.
const FRAMES: usize = 5;

/// The overlap of each frame but the last with the next. `pair` and `many` count the pixels of each frame given, and
/// those in it and in the frame before.
fn neighbours<T>(
    frames: &[T],
    size: impl Fn(&T) -> (usize, usize),
    pair: impl Fn([&T; 2]) -> [[usize; 2]; 2],
    many: impl Fn([&T; FRAMES]) -> [[usize; 2]; FRAMES],
) -> Result<Vec<Overlap>> {
    for (index, frame) in frames.iter().enumerate() {
        check_frame_size(index, size(frame), size(&frames[0]))?;
    }
    let mut overlaps = Vec::with_capacity(frames.len());
    let mut rest = frames;
    while let Some(first) = rest.first_chunk::<FRAMES>() {
        let counts = many(first.each_ref());
        overlaps.extend(counts.array_windows().map(|&pair| Overlap::from_counts(pair)));
        // The last is the first of those that follow.
        rest = &rest[FRAMES - 1..];
    }
    overlaps.extend(rest.array_windows().map(|[a, b]| Overlap::from_counts(pair([a, b]))));
    Ok(overlaps)
}

/// Pixels counted side by side, each in a byte: those of the target's widest vectors.
const LANES: usize = if cfg!(target_arch = "x86_64") { 64 } else { 16 };

/// [`over`] for two planes. The first is given twice: the loop for three vectorises everywhere, in WASM that for two
/// does not.
fn pair_over([a, b]: [&Plane<u8>; 2], threshold: u8) -> [[usize; 2]; 2] {
    let [_, first, second] = over([a, a, b].map(Plane::data), threshold);
    [first, second]
}

vectorised! {
    /// How many values are over `threshold` in each of these, and at the same place in both it and the one before.
    #[allow(clippy::needless_range_loop, reason = "other loops are not vectorised")]
    fn over<const N: usize>(frames: [&[u8]; N], threshold: u8) -> [[usize; 2]; N] {
        let length = frames[0].len();
        let frames = frames.map(|values| values[..length].as_chunks::<LANES>());
        let blocks = length / LANES;
        let [mut own, mut both] = [[0; N]; 2];
        // 255 blocks are as many as a byte can count.
        for start in (0..blocks).step_by(255) {
            let end = blocks.min(start + 255);
            let frames = frames.map(|(blocks, _)| &blocks[start..end]);
            let [mut own_lanes, mut both_lanes] = [[[0u8; LANES]; N]; 2];
            for i in 0..end - start {
                let mut before = [0; LANES];
                for k in 0..N {
                    let mut inside = [0; LANES];
                    for x in 0..LANES {
                        inside[x] = u8::from(frames[k][i][x] > threshold);
                    }
                    for x in 0..LANES {
                        own_lanes[k][x] += inside[x];
                    }
                    if k > 0 {
                        for x in 0..LANES {
                            both_lanes[k][x] += inside[x] & before[x];
                        }
                    }
                    before = inside;
                }
            }
            let sum = |lanes: [u8; LANES]| lanes.into_iter().map(usize::from).sum::<usize>();
            for k in 0..N {
                own[k] += sum(own_lanes[k]);
                both[k] += sum(both_lanes[k]);
            }
        }
        for i in 0..length % LANES {
            for k in 0..N {
                let inside = |k: usize| frames[k].1[i] > threshold;
                own[k] += usize::from(inside(k));
                both[k] += usize::from(k > 0 && inside(k) && inside(k - 1));
            }
        }
        std::array::from_fn(|k| [own[k], both[k]])
    }
}
