use super::Flow;
use crate::{Plane, Rgb};

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

impl Interpolate for [f32; 2] {
    type Output = [f32; 2];

    #[inline(always)]
    fn interpolate([a, b, c, d]: [[f32; 2]; 4], weights: [f32; 4]) -> [f32; 2] {
        let channel = |i: usize| f32::interpolate([a[i], b[i], c[i], d[i]], weights);
        [channel(0), channel(1)]
    }
}

impl Interpolate for Rgb {
    type Output = [f32; 3];

    #[inline(always)]
    fn interpolate([a, b, c, d]: [Rgb; 4], weights: [f32; 4]) -> [f32; 3] {
        let channel = |i: usize| u8::interpolate([a[i], b[i], c[i], d[i]], weights);
        [channel(0), channel(1), channel(2)]
    }
}

/// Brings `source` back along `flow`: the value at `x` is `source(x + flow(x))`, bilinear, with the edge
/// repeated outside. The result has the size of `flow`; `u8` becomes `f32` of the same range, unrounded.
pub fn warp<T: Interpolate>(source: &Plane<T>, flow: &Flow) -> Plane<T::Output> {
    let (width, height) = flow.size();
    let mut data = Vec::with_capacity(width * height);
    for y in 0..height {
        data.extend(
            flow.row(y)
                .iter()
                .enumerate()
                .map(|(x, [u, v])| Taps::new(source.size(), x as f32 + u, y as f32 + v).read(source.data())),
        );
    }
    Plane::from_vec(width, height, data).expect("the size of the flow")
}

/// The four pixels around a point and their bilinear weights; outside, the edge is repeated. NaN counts as 0.
pub(super) struct Taps {
    indices: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    /// For planes of this `(width, height)`.
    #[inline(always)]
    pub(super) fn new((width, height): (usize, usize), x: f32, y: f32) -> Self {
        let (left, right, fx) = split(x, width);
        let (top, bottom, fy) = split(y, height);
        let (top, bottom) = (top * width, bottom * width);
        let (gx, gy) = (1.0 - fx, 1.0 - fy);
        Self {
            indices: [top + left, top + right, bottom + left, bottom + right],
            weights: [gx * gy, fx * gy, gx * fy, fx * fy],
        }
    }

    #[inline(always)]
    pub(super) fn read<T: Interpolate>(&self, pixels: &[T]) -> T::Output {
        let [a, b, c, d] = self.indices;
        T::interpolate([pixels[a], pixels[b], pixels[c], pixels[d]], self.weights)
    }
}

/// The two indices around a position along a side, and how far it lies from the first to the second.
#[inline(always)]
fn split(position: f32, side: usize) -> (usize, usize, f32) {
    // Sides fit i32, whose conversions to and from f32 are single instructions.
    let last = side as i32 - 1;
    let position = if position > 0.0 { position } else { 0.0 };
    let position = if position < last as f32 { position } else { last as f32 };
    let first = position as i32;
    (first as usize, (first + 1).min(last) as usize, position - first as f32)
}

/// As [`warp`], but takes the nearest pixel: for masks and labels.
pub fn warp_nearest<T: Copy>(source: &Plane<T>, flow: &Flow) -> Plane<T> {
    let (width, height) = source.size();
    let nearest = |position: f32, side: usize| ((position + 0.5).max(0.0) as usize).min(side - 1);
    Plane::from_fn(flow.width(), flow.height(), |x, y| {
        let [u, v] = flow.get(x, y);
        source.get(nearest(x as f32 + u, width), nearest(y as f32 + v, height))
    })
}
