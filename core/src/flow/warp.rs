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
    fn interpolate(pixels: [u8; 4], weights: [f32; 4]) -> f32 {
        f32::interpolate(pixels.map(f32::from), weights)
    }
}

impl Interpolate for [f32; 2] {
    type Output = [f32; 2];

    #[inline(always)]
    fn interpolate(pixels: [[f32; 2]; 4], weights: [f32; 4]) -> [f32; 2] {
        let [a, b, c, d] = pixels;
        [0, 1].map(|i| f32::interpolate([a[i], b[i], c[i], d[i]], weights))
    }
}

impl Interpolate for Rgb {
    type Output = [f32; 3];

    #[inline(always)]
    fn interpolate(pixels: [Rgb; 4], weights: [f32; 4]) -> [f32; 3] {
        let [a, b, c, d] = pixels;
        [0, 1, 2].map(|i| u8::interpolate([a[i], b[i], c[i], d[i]], weights))
    }
}

/// Brings `source` back along `flow`: the value at `x` is `source(x + flow(x))`, bilinear, with the edge
/// repeated outside. The result has the size of `flow`; `u8` becomes `f32` of the same range, unrounded.
pub fn warp<T: Interpolate>(source: &Plane<T>, flow: &Flow) -> Plane<T::Output> {
    let (width, height) = flow.size();
    let mut data = Vec::with_capacity(width * height);
    for y in 0..height {
        data.extend(flow.row(y).iter().enumerate().map(|(x, v)| sample(source, x as f32 + v[0], y as f32 + v[1])));
    }
    Plane::from_vec(width, height, data).expect("the size of the flow")
}

/// `source` at `(x, y)`, bilinear, with the edge repeated outside; a NaN counts as 0.
#[inline(always)]
pub(super) fn sample<T: Interpolate>(source: &Plane<T>, x: f32, y: f32) -> T::Output {
    let (width, height) = source.size();
    let (left, fx) = split(x, width);
    let (top, fy) = split(y, height);
    let (right, below) = (usize::from(width > 1), if height > 1 { width } else { 0 });
    let pixels = &source.data()[top * width + left..];
    let (gx, gy) = (1.0 - fx, 1.0 - fy);
    T::interpolate(
        [pixels[0], pixels[right], pixels[below], pixels[below + right]],
        [gx * gy, fx * gy, gx * fy, fx * fy],
    )
}

/// The first of the two pixels around a position along a side, and how far from the first to the second it lies.
#[inline(always)]
fn split(position: f32, side: usize) -> (usize, f32) {
    let position = position.max(0.0).min((side - 1) as f32);
    // Through i32, whose conversions are single instructions.
    let first = (position as i32).min(side.saturating_sub(2) as i32);
    (first as usize, position - first as f32)
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
