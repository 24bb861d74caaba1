//! Logits on their way to probabilities. Plain arithmetic in a fixed order: the same logits give the same
//! bytes natively and in WASM.

use steadymask_core::Plane;

/// How the grid of logits lies on the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// Corner logits on the centres of the corner pixels (`align_corners = true`).
    Corners,
    /// Logits in the middle of equal shares of the input (`align_corners = false`).
    HalfPixel,
}

impl Alignment {
    /// Where on a grid of `grid` logits the point `pixel` of an input of `input` pixels lies, pixel centres and logits at
    /// whole numbers: 0 to `grid − 1`.
    pub(crate) fn place(self, pixel: f64, input: usize, grid: usize) -> f64 {
        let (input, logits) = (input as f64, grid as f64);
        let on_grid = match self {
            Self::Corners => pixel * (logits - 1.0) / (input - 1.0),
            Self::HalfPixel => (pixel + 0.5) * logits / input - 0.5,
        };
        on_grid.clamp(0.0, logits - 1.0)
    }
}

/// The logits of a batch.
///
/// # Shapes
/// `values`: `[frames, classes, height, width]`
pub(crate) struct Logits {
    pub(crate) values: Vec<f32>,
    pub(crate) shape: [usize; 4],
    pub(crate) alignment: Alignment,
    /// Width and height of the network's input in pixels.
    pub(crate) input: (usize, usize),
}

impl Logits {
    /// The probabilities of frame `index` at the size `(width, height)`: logits interpolated bilinearly,
    /// softmax over all classes, rounded to 255ths. One plane for each of `class_ids`, or, where these are
    /// empty, one of everything but class 0.
    pub(crate) fn probabilities(
        &self,
        index: usize,
        (width, height): (usize, usize),
        class_ids: &[usize],
    ) -> Vec<Plane<u8>> {
        let [_, classes, grid_height, grid_width] = self.shape;
        let places = grid_height * grid_width;
        let grids = &self.values[index * classes * places..(index + 1) * classes * places];
        let columns = taps(self.alignment, width, self.input.0, grid_width);
        let rows = taps(self.alignment, height, self.input.1, grid_height);

        let mut planes = vec![Plane::filled(width, height, 0u8); class_ids.len().max(1)];
        let mut line = vec![0.0; grid_width];
        let mut row = vec![0.0; classes * width];
        let mut greatest = vec![0.0; width];
        let mut sums = vec![0.0; width];
        // A row of the picture at a time, class by class, in loops that become vector instructions.
        for (y, tap) in rows.iter().enumerate() {
            greatest.fill(f32::NEG_INFINITY);
            for (grid, row) in grids.chunks_exact(places).zip(row.chunks_exact_mut(width)) {
                let [above, below] = [tap.first, tap.second].map(|y| &grid[y * grid_width..(y + 1) * grid_width]);
                for ((value, a), b) in line.iter_mut().zip(above).zip(below) {
                    *value = a + (b - a) * tap.weight;
                }
                // Between two logits the values lie on a line.
                let mut x = 0;
                for run in columns.chunk_by(|a, b| a.first == b.first) {
                    let (left, step) = (line[run[0].first], line[run[0].second] - line[run[0].first]);
                    for (value, tap) in row[x..x + run.len()].iter_mut().zip(run) {
                        *value = left + step * tap.weight;
                    }
                    x += run.len();
                }
                for (greatest, &value) in greatest.iter_mut().zip(&*row) {
                    *greatest = if value > *greatest { value } else { *greatest };
                }
            }
            sums.fill(0.0);
            for row in row.chunks_exact_mut(width) {
                for ((value, greatest), sum) in row.iter_mut().zip(&greatest).zip(&mut sums) {
                    *value = exp(*value - greatest);
                    *sum += *value;
                }
            }
            let byte = |share: f32| (share * 255.0 + 0.5) as u8;
            if class_ids.is_empty() {
                for ((out, background), sum) in planes[0].row_mut(y).iter_mut().zip(&row).zip(&sums) {
                    *out = byte((sum - background) / sum);
                }
            }
            for (plane, &class) in planes.iter_mut().zip(class_ids) {
                let row = &row[class * width..(class + 1) * width];
                for ((out, e), sum) in plane.row_mut(y).iter_mut().zip(row).zip(&sums) {
                    *out = byte(e / sum);
                }
            }
        }
        planes
    }

    /// The logits of frame `index` at the size `(width, height)`, interpolated bilinearly: class by class, row by row.
    #[cfg(feature = "train")]
    pub(crate) fn at_pixels(&self, index: usize, (width, height): (usize, usize)) -> Vec<f32> {
        let [_, classes, grid_height, grid_width] = self.shape;
        let places = grid_height * grid_width;
        let columns = taps(self.alignment, width, self.input.0, grid_width);
        let rows = taps(self.alignment, height, self.input.1, grid_height);
        let mut values = Vec::with_capacity(classes * width * height);
        for grid in self.values[index * classes * places..(index + 1) * classes * places].chunks_exact(places) {
            for tap in &rows {
                let [above, below] = [tap.first, tap.second].map(|y| &grid[y * grid_width..(y + 1) * grid_width]);
                let line: Vec<f32> = above.iter().zip(below).map(|(a, b)| a + (b - a) * tap.weight).collect();
                let between = |tap: &Tap| line[tap.first] + (line[tap.second] - line[tap.first]) * tap.weight;
                values.extend(columns.iter().map(between));
            }
        }
        values
    }
}

/// Between which two logits a pixel lies, and the weight of the second: 0 to 1.
#[derive(Debug, Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weight: f32,
}

/// One tap for each of `frame` pixels, which the network saw as `input` pixels and answered with `grid` logits.
fn taps(alignment: Alignment, frame: usize, input: usize, grid: usize) -> Vec<Tap> {
    let per_frame_pixel = input as f64 / frame as f64;
    (0..frame)
        .map(|i| {
            // Where the middle of the pixel lies on the input, pixel centres at whole numbers.
            let on_input = (i as f64 + 0.5) * per_frame_pixel - 0.5;
            let on_grid = alignment.place(on_input, input, grid);
            let first = on_grid.floor();
            let second = (first as usize + 1).min(grid - 1);
            Tap { first: first as usize, second, weight: (on_grid - first) as f32 }
        })
        .collect()
}

/// The exponential of `x ≤ 0`, within 3e-7 relative; 0 below −87.
///
/// `exp(x) = 2ⁿ·exp(r)` with `n` whole and `|r| ≤ ln 2 / 2`, where the Taylor polynomial of degree 6 is exact
/// to 2e-7. Without branches or calls, so that it becomes vector instructions, and the same everywhere, which
/// the platforms' own exponentials are not.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // 1.5·2²³: adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few enough bits that n·LN_2_HIGH is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    let bounded = if x > -87.0 { x } else { -87.0 };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
    let polynomial =
        1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x > -87.0 { polynomial * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(x <= -87.0 && ours == 0.0 || (ours / exact - 1.0).abs() < 3e-7, "exp({x}) = {ours}, not {exact}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e30), 0.0);
    }

    /// Interpolation and softmax as they are written in books, in 64 bits.
    fn reference(logits: &Logits, index: usize, (width, height): (usize, usize), class: Option<usize>) -> Plane<u8> {
        let [_, classes, grid_height, grid_width] = logits.shape;
        let at = |class: usize, y: usize, x: usize| {
            f64::from(logits.values[((index * classes + class) * grid_height + y) * grid_width + x])
        };
        let place = |i: usize, frame: usize, input: usize, grid: usize| {
            let on_input = (i as f64 + 0.5) * input as f64 / frame as f64 - 0.5;
            let on_grid = match logits.alignment {
                Alignment::Corners => on_input * (grid as f64 - 1.0) / (input as f64 - 1.0),
                Alignment::HalfPixel => (on_input + 0.5) * grid as f64 / input as f64 - 0.5,
            };
            on_grid.clamp(0.0, grid as f64 - 1.0)
        };
        Plane::from_fn(width, height, |x, y| {
            let x = place(x, width, logits.input.0, grid_width);
            let y = place(y, height, logits.input.1, grid_height);
            let (left, top) = (x.floor() as usize, y.floor() as usize);
            let (right, bottom) = ((left + 1).min(grid_width - 1), (top + 1).min(grid_height - 1));
            let (fx, fy) = (x.fract(), y.fract());
            let exponentials: Vec<f64> = (0..classes)
                .map(|c| {
                    let above = at(c, top, left) * (1.0 - fx) + at(c, top, right) * fx;
                    let below = at(c, bottom, left) * (1.0 - fx) + at(c, bottom, right) * fx;
                    (above * (1.0 - fy) + below * fy).exp()
                })
                .collect();
            let sum: f64 = exponentials.iter().sum();
            let share = class.map_or(1.0 - exponentials[0] / sum, |c| exponentials[c] / sum);
            (share * 255.0).round() as u8
        })
    }

    #[test]
    fn probabilities_agree_with_the_reference() {
        for alignment in [Alignment::Corners, Alignment::HalfPixel] {
            for (classes, grid, input, frame) in
                [(21, (4, 3), (49, 33), (50, 32)), (2, (3, 3), (33, 33), (1, 1)), (9, (5, 3), (65, 33), (129, 7))]
            {
                let shape = [2, classes, grid.1, grid.0];
                let values = (0..shape.iter().product::<usize>())
                    .map(|i| ((i * 7919 + 13) % 1009) as f32 / 60.0 - 8.0)
                    .collect();
                let logits = Logits { values, shape, alignment, input };
                for index in 0..2 {
                    let named = logits.probabilities(index, frame, &[classes - 1, 0]);
                    let rest = logits.probabilities(index, frame, &[]);
                    let expected = [Some(classes - 1), Some(0), None].map(|c| reference(&logits, index, frame, c));
                    for (plane, expected) in named.iter().chain(&rest).zip(&expected) {
                        assert_eq!(plane.size(), frame);
                        let apart = plane.data().iter().zip(expected.data()).map(|(a, b)| a.abs_diff(*b)).max();
                        assert!(apart <= Some(1), "{apart:?}");
                    }
                }
            }
        }
    }
}
