use super::Preset;
use crate::{Plane, parallel};

/// Side of a patch in pixels.
pub(super) const PATCH: usize = 8;
/// Pixels repeated around each level, so that patches may hang over the edge.
pub(super) const BORDER: usize = PATCH;

/// What dense inverse search needs to know of a frame, computed once and used for every flow from or to it.
#[derive(Debug, Clone)]
pub struct FlowFrame {
    pub(super) size: (usize, usize),
    pub(super) preset: Preset,
    /// Number of halvings between the frame and the first of `levels`.
    pub(super) finest: usize,
    /// Finest first; empty when the frame is too small for a patch.
    pub(super) levels: Vec<Level>,
}

impl FlowFrame {
    /// Prepares a frame given as luma, 0 to 255.
    pub fn new(luma: &Plane<u8>, preset: Preset) -> Self {
        let (width, height) = luma.size();
        let mut frame = Self { size: (width, height), preset, finest: 0, levels: Vec::new() };
        let Some(coarsest) = coarsest_level(width, height) else { return frame };
        frame.finest = preset.finest_level().min(coarsest);
        let mut image = luma.map(|&v| f32::from(v));
        for _ in 0..frame.finest {
            image = halve(&image);
        }
        frame.levels = levels(&image, preset.stride(), coarsest - frame.finest);
        frame
    }

    /// `(width, height)` in pixels.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }
}

/// The level of this image and `more` coarser ones, finest first.
fn levels(image: &Plane<f32>, patch_stride: usize, more: usize) -> Vec<Level> {
    let Some(more) = more.checked_sub(1) else { return vec![Level::new(image, patch_stride)] };
    let coarser = || levels(&halve(image), patch_stride, more);
    let (level, coarser) = parallel::join(|| Level::new(image, patch_stride), coarser);
    std::iter::once(level).chain(coarser).collect()
}

/// The coarsest level: ⌊log₂(max(w, h) / 32) + ½⌋, so that motion of a quarter of the frame is found, but at
/// most ⌊log₂(min(w, h) / 8)⌋, where a patch just fits; `None` when none fits the frame.
fn coarsest_level(width: usize, height: usize) -> Option<usize> {
    let by_patch = (width.min(height) / PATCH).checked_ilog2()?;
    // log₂(x) + ½ = ½ log₂(2x²), in whole numbers.
    let long = width.max(height) as u64;
    let by_motion = (2 * long * long / (4 * PATCH as u64).pow(2)).checked_ilog2().unwrap_or(0) / 2;
    Some(by_patch.min(by_motion) as usize)
}

/// Half the size, rounded down: each pixel is the mean of 4×4 with the weights 1, 3, 3, 1 both ways, edges
/// repeated; an odd last row or column counts only as a neighbour.
///
/// OpenCV takes the mean of 2×2, which lets fine texture through as false coarse texture.
fn halve(image: &Plane<f32>) -> Plane<f32> {
    let (width, height) = (image.width() / 2, image.height() / 2);
    let mut data = Vec::with_capacity(width * height);
    let mut column = vec![0.0; 2 * width + 2];
    for y in 0..height {
        let [a, b, c, d] = [(2 * y).saturating_sub(1), 2 * y, 2 * y + 1, (2 * y + 2).min(image.height() - 1)]
            .map(|row| image.row(row));
        for ((((column, a), b), c), d) in column[1..].iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *column = 0.125 * (a + d) + 0.375 * (b + c);
        }
        column[0] = column[1];
        if image.width() == 2 * width {
            column[2 * width + 1] = column[2 * width];
        }
        let pairs = column.as_chunks::<2>().0;
        data.extend(pairs.windows(2).map(|p| 0.125 * (p[0][0] + p[1][1]) + 0.375 * (p[0][1] + p[1][0])));
    }
    Plane::from_vec(width, height, data).expect("half of a picture with room for a patch")
}

/// One level of the pyramid.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) width: usize,
    pub(super) height: usize,
    /// The last column and row, as positions.
    pub(super) right: f32,
    pub(super) bottom: f32,
    /// Pixels of a row of `image`: the width and a border at both ends.
    pub(super) stride: usize,
    /// Luma with [`BORDER`] repeated pixels on all sides.
    pub(super) image: Vec<f32>,
    /// Luma per pixel to the right, without border.
    pub(super) dx: Vec<f32>,
    /// Luma per pixel downwards, without border.
    pub(super) dy: Vec<f32>,
    /// Top left corners of the columns of patches.
    pub(super) xs: Vec<usize>,
    /// Top left corners of the rows of patches.
    pub(super) ys: Vec<usize>,
    /// One for each patch, row by row.
    pub(super) normals: Vec<Normal>,
}

/// The part of the Gauss–Newton step of a patch that does not depend on the other frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normal {
    /// Mean gradient.
    pub(super) mean: [f32; 2],
    /// Inverse of the sum of outer products of the gradient less its mean: `[xx, xy, yy]`.
    pub(super) inverse: [f32; 3],
}

impl Level {
    pub(super) fn new(image: &Plane<f32>, patch_stride: usize) -> Self {
        let (width, height) = image.size();
        let padded = pad(image);
        let stride = width + 2 * BORDER;
        let mut level = Self {
            width,
            height,
            right: (width - 1) as f32,
            bottom: (height - 1) as f32,
            stride,
            image: padded,
            dx: vec![0.0; width * height],
            dy: vec![0.0; width * height],
            xs: corners(width, patch_stride),
            ys: corners(height, patch_stride),
            normals: Vec::new(),
        };
        level.differentiate();
        level.normals = level
            .ys
            .iter()
            .flat_map(|&y| level.xs.iter().map(move |&x| (x, y)))
            .map(|(x, y)| level.normal(x, y))
            .collect();
        level
    }

    /// Central differences smoothed across (Sobel).
    fn differentiate(&mut self) {
        let rows = self.dx.chunks_exact_mut(self.width).zip(self.dy.chunks_exact_mut(self.width));
        for (y, (dx, dy)) in rows.enumerate() {
            let row = |offset: usize| {
                let start = (y + BORDER + offset - 1) * self.stride + BORDER - 1;
                &self.image[start..start + self.width + 2]
            };
            let windows = row(0).windows(3).zip(row(1).windows(3)).zip(row(2).windows(3));
            for ((dx, dy), ((a, b), c)) in dx.iter_mut().zip(dy).zip(windows) {
                *dx = 0.125 * ((a[2] - a[0]) + 2.0 * (b[2] - b[0]) + (c[2] - c[0]));
                *dy = 0.125 * ((c[0] - a[0]) + 2.0 * (c[1] - a[1]) + (c[2] - a[2]));
            }
        }
    }

    fn normal(&self, x: usize, y: usize) -> Normal {
        let start = y * self.width + x;
        let rows = self.dx[start..].chunks(self.width).zip(self.dy[start..].chunks(self.width));
        let [mut sum_x, mut sum_y, mut sum_xx, mut sum_xy, mut sum_yy] = [[0.0; LANES]; 5];
        for (dx, dy) in rows.take(PATCH) {
            let (dx, dy) = (&dx[..PATCH], &dy[..PATCH]);
            for k in 0..PATCH {
                sum_x[k % LANES] += dx[k];
                sum_y[k % LANES] += dy[k];
                sum_xx[k % LANES] += dx[k] * dx[k];
                sum_xy[k % LANES] += dx[k] * dy[k];
                sum_yy[k % LANES] += dy[k] * dy[k];
            }
        }
        let [x, y, xx, xy, yy] = sums(&[sum_x, sum_y, sum_xx, sum_xy, sum_yy]);
        let mean = [x / AREA, y / AREA];
        Normal { mean, inverse: invert([xx - x * mean[0], xy - x * mean[1], yy - y * mean[1]], 1.0) }
    }
}

/// The inverse of a sum of outer products of gradients `[xx, xy, yy]` over this share of a patch, damped.
pub(super) fn invert([xx, xy, yy]: [f32; 3], share: f32) -> [f32; 3] {
    let (xx, yy) = (xx + share * DAMPING, yy + share * DAMPING);
    let determinant = xx * yy - xy * xy;
    [yy / determinant, -xy / determinant, xx / determinant]
}

/// Pixels of a patch.
pub(super) const AREA: f32 = (PATCH * PATCH) as f32;
/// Added to the diagonal of the normal equations, so that flat patches stay where they are.
const DAMPING: f32 = 100.0;

/// Sums run in as many lanes as a row of a patch has pixels, in the same order everywhere.
pub(super) const LANES: usize = PATCH;

/// The sum of each set of lanes. Not inlined, since the compiler would split the loops before it into half
/// registers to suit the order of these few additions.
#[inline(never)]
pub(super) fn sums<const N: usize>(sets: &[[f32; LANES]; N]) -> [f32; N] {
    std::array::from_fn(|i| {
        ((sets[i][0] + sets[i][4]) + (sets[i][2] + sets[i][6]))
            + ((sets[i][1] + sets[i][5]) + (sets[i][3] + sets[i][7]))
    })
}

/// Where patches start along a side: every `stride` pixels, and one flush with the end.
fn corners(side: usize, stride: usize) -> Vec<usize> {
    let last = side - PATCH;
    (0..last.div_ceil(stride)).map(|i| i * stride).chain([last]).collect()
}

fn pad(image: &Plane<f32>) -> Vec<f32> {
    let (width, height) = image.size();
    let stride = width + 2 * BORDER;
    let mut padded = Vec::with_capacity(stride * (height + 2 * BORDER));
    for y in 0..height + 2 * BORDER {
        let row = image.row(y.saturating_sub(BORDER).min(height - 1));
        padded.extend([row[0]; BORDER]);
        padded.extend_from_slice(row);
        padded.extend([row[width - 1]; BORDER]);
    }
    padded
}
