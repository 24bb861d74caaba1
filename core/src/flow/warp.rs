use super::Flow;
use crate::{
    Plane, parallel,
    simd::{larger, smaller, vectorised, whole},
};

/// A pixel that can be interpolated between its neighbours.
pub trait Interpolate: Copy {
    /// What lies between pixels.
    type Output;

    /// The mean of `[top left, top right, bottom left, bottom right]` with the given weights.
    fn interpolate(pixels: [Self; 4], weights: [f32; 4]) -> Self::Output;
}

impl Interpolate for f32 {
    type Output = f32;

    #[inline(always)]
    fn interpolate(p: [f32; 4], w: [f32; 4]) -> f32 {
        (p[0] * w[0] + p[1] * w[1]) + (p[2] * w[2] + p[3] * w[3])
    }
}

impl Interpolate for u8 {
    type Output = f32;

    #[inline(always)]
    fn interpolate([a, b, c, d]: [u8; 4], weights: [f32; 4]) -> f32 {
        f32::interpolate([f32::from(a), f32::from(b), f32::from(c), f32::from(d)], weights)
    }
}

impl<const N: usize> Interpolate for [f32; N] {
    type Output = [f32; N];

    #[inline(always)]
    fn interpolate([a, b, c, d]: [[f32; N]; 4], weights: [f32; 4]) -> [f32; N] {
        let mut between = [0.0; N];
        for i in 0..N {
            between[i] = f32::interpolate([a[i], b[i], c[i], d[i]], weights);
        }
        between
    }
}

impl<const N: usize, const K: usize> Interpolate for [[f32; N]; K] {
    type Output = [[f32; N]; K];

    #[inline(always)]
    fn interpolate([a, b, c, d]: [[[f32; N]; K]; 4], weights: [f32; 4]) -> [[f32; N]; K] {
        let mut between = [[0.0; N]; K];
        for k in 0..K {
            between[k] = <[f32; N]>::interpolate([a[k], b[k], c[k], d[k]], weights);
        }
        between
    }
}

impl<const N: usize> Interpolate for [u8; N] {
    type Output = [f32; N];

    #[inline(always)]
    fn interpolate(pixels: [[u8; N]; 4], weights: [f32; 4]) -> [f32; N] {
        let mut values = [[0.0; N]; 4];
        for (values, pixel) in values.iter_mut().zip(pixels) {
            for (value, byte) in values.iter_mut().zip(pixel) {
                *value = f32::from(byte);
            }
        }
        Interpolate::interpolate(values, weights)
    }
}

/// Brings `source` back along `flow`: the value at `x` is `source(x + flow(x))`, bilinear, with the edge
/// repeated outside. The result has the size of `flow`; `u8` becomes `f32` of the same range, unrounded.
pub fn warp<T: Interpolate + Sync>(source: &Plane<T>, flow: &Flow) -> Plane<T::Output>
where
    T::Output: Clone + Default + Send,
{
    let mut out = Plane::filled(flow.width(), flow.height(), T::Output::default());
    parallel::rows(&mut out, |y, row| {
        let mut taps = Taps::new(source.size());
        for (start, row) in (0..).step_by(AT_A_TIME).zip(row.chunks_mut(AT_A_TIME)) {
            taps.find(flow, start, y, row.len());
            for (i, value) in row.iter_mut().enumerate() {
                *value = taps.read(i, source.data());
            }
        }
    });
    out
}

/// Pixels whose places are worked out together.
pub(crate) const AT_A_TIME: usize = 64;

/// Where the flow leads from up to [`AT_A_TIME`] pixels of a row: for each the four pixels around its target and their
/// bilinear weights; outside, the edge is repeated. NaN counts as 0.
pub(crate) struct Taps {
    size: (usize, usize),
    /// From the top left pixel to the one on the right and to the one below: 0 in a plane of one column or row.
    right: usize,
    below: usize,
    /// The top left pixels.
    first: [u32; AT_A_TIME],
    /// Of top left, top right, bottom left, bottom right.
    weights: [[f32; AT_A_TIME]; 4],
}

impl Taps {
    /// Taps into planes of this size.
    #[inline(always)]
    pub(crate) fn new(size: (usize, usize)) -> Self {
        let (right, below) = (usize::from(size.0 > 1), if size.1 > 1 { size.0 } else { 0 });
        Self { size, right, below, first: [0; AT_A_TIME], weights: [[0.0; AT_A_TIME]; 4] }
    }

    /// Finds where `flow` leads from the `count` pixels at `(x, y)` and right of it, at most [`AT_A_TIME`].
    #[inline(always)]
    pub(crate) fn find(&mut self, flow: &Flow, x: usize, y: usize, count: usize) {
        locate(&flow.row(y)[x..x + count], [x as f32, y as f32], self);
    }

    /// What lies where the flow leads from the pixel `i` of these.
    #[inline(always)]
    pub(crate) fn read<T: Interpolate>(&self, i: usize, pixels: &[T]) -> T::Output {
        let pixels = &pixels[self.first[i] as usize..][..self.below + self.right + 1];
        let weights = [self.weights[0][i], self.weights[1][i], self.weights[2][i], self.weights[3][i]];
        T::interpolate([pixels[0], pixels[self.right], pixels[self.below], pixels[self.below + self.right]], weights)
    }
}

vectorised! {
    /// Where the vectors lead that start at a place, a pixel right of it, and so on.
    fn locate(vectors: &[[f32; 2]], at: [f32; 2], taps: &mut Taps) {
        let vectors = &vectors[..vectors.len().min(AT_A_TIME)];
        let (width, height) = (taps.size.0 as i32, taps.size.1 as i32);
        let Taps { first, weights: [top_left, top_right, bottom_left, bottom_right], .. } = taps;
        for (i, &[u, v]) in vectors.iter().enumerate() {
            let (left, fx) = split(at[0] + i as i32 as f32 + u, width);
            let (top, fy) = split(at[1] + v, height);
            let (gx, gy) = (1.0 - fx, 1.0 - fy);
            first[i] = (top * width + left) as u32;
            top_left[i] = gx * gy;
            top_right[i] = fx * gy;
            bottom_left[i] = gx * fy;
            bottom_right[i] = fx * fy;
        }
    }
}

/// The first of two neighbours around a position along a side, and how far it lies from the first to the second.
#[inline(always)]
fn split(position: f32, side: i32) -> (i32, f32) {
    let last = side - 1;
    let position = smaller(larger(position, 0.0), last as f32);
    // On the last pixel, that is the second.
    let first = whole(position).min((last - 1).max(0));
    (first, position - first as f32)
}

/// As [`warp`], but takes the nearest pixel: for masks and labels.
pub fn warp_nearest<T: Copy + Send + Sync>(source: &Plane<T>, flow: &Flow) -> Plane<T> {
    let pixels = source.data();
    let mut out = Plane::filled(flow.width(), flow.height(), pixels[0]);
    parallel::rows(&mut out, |y, row| {
        let mut found = [0; AT_A_TIME];
        let pieces = row.chunks_mut(AT_A_TIME).zip(flow.row(y).chunks(AT_A_TIME));
        for (start, (row, vectors)) in (0..).step_by(AT_A_TIME).zip(pieces) {
            nearest(&mut found, vectors, [start as f32, y as f32], source.size());
            for (value, &index) in row.iter_mut().zip(&found) {
                *value = pixels[index as usize];
            }
        }
    });
    out
}

vectorised! {
    /// The pixels nearest to where the vectors lead that start at a place, a pixel right of it, and so on.
    fn nearest(found: &mut [u32], vectors: &[[f32; 2]], at: [f32; 2], size: (usize, usize)) {
        let last = [(size.0 - 1) as f32, (size.1 - 1) as f32];
        let pixel = |position: f32, last: f32| whole(smaller(larger(position + 0.5, 0.0), last));
        for (i, (found, &[u, v])) in found.iter_mut().zip(vectors).enumerate() {
            let (x, y) = (pixel(at[0] + i as i32 as f32 + u, last[0]), pixel(at[1] + v, last[1]));
            *found = (y * size.0 as i32 + x) as u32;
        }
    }
}
