use super::Flow;
use crate::{Plane, Rgb, parallel, simd::vectorised};

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
        std::array::from_fn(|i| f32::interpolate([a[i], b[i], c[i], d[i]], weights))
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
pub fn warp<T: Interpolate + Sync>(source: &Plane<T>, flow: &Flow) -> Plane<T::Output>
where
    T::Output: Clone + Default + Send,
{
    let mut out = Plane::filled(flow.width(), flow.height(), T::Output::default());
    parallel::rows(&mut out, |y, row| {
        Taps::along(flow, y, source.size(), |x, taps| row[x] = taps.read(source.data()));
    });
    out
}

/// The four pixels around a point and their bilinear weights; outside, the edge is repeated. NaN counts as 0.
pub(crate) struct Taps {
    /// The top left pixel.
    first: usize,
    /// From there to the pixel on the right and to the one below: 0 in a plane of one column or row.
    right: usize,
    below: usize,
    weights: [f32; 4],
}

impl Taps {
    /// Calls `use_taps(x, taps)` for each pixel of row `y` of `flow`, with taps into planes of this size where the
    /// flow leads. Places are worked out many at a time, and read one by one.
    #[inline(always)]
    pub(crate) fn along(flow: &Flow, y: usize, size: (usize, usize), mut use_taps: impl FnMut(usize, Self)) {
        let (right, below) = (usize::from(size.0 > 1), if size.1 > 1 { size.0 } else { 0 });
        let mut places = Places { first: [0; AT_A_TIME], fx: [0.0; AT_A_TIME], fy: [0.0; AT_A_TIME] };
        for (start, vectors) in (0..).step_by(AT_A_TIME).zip(flow.row(y).chunks(AT_A_TIME)) {
            locate(vectors, start as f32, y as f32, size.0, size.1, &mut places);
            for (i, x) in (0..vectors.len()).zip(start..) {
                let (fx, fy) = (places.fx[i], places.fy[i]);
                let (gx, gy) = (1.0 - fx, 1.0 - fy);
                let weights = [gx * gy, fx * gy, gx * fy, fx * fy];
                use_taps(x, Self { first: places.first[i] as usize, right, below, weights });
            }
        }
    }

    #[inline(always)]
    pub(crate) fn read<T: Interpolate>(&self, pixels: &[T]) -> T::Output {
        let pixels = &pixels[self.first..][..self.below + self.right + 1];
        T::interpolate(
            [pixels[0], pixels[self.right], pixels[self.below], pixels[self.below + self.right]],
            self.weights,
        )
    }
}

/// Pixels whose places are worked out together.
const AT_A_TIME: usize = 64;

/// For each point the top left of the four pixels around it, and how far it lies from there to the right and down, 0
/// to 1.
struct Places {
    first: [u32; AT_A_TIME],
    fx: [f32; AT_A_TIME],
    fy: [f32; AT_A_TIME],
}

vectorised! {
    /// Where the vectors lead that start at `(x, y)`, `(x + 1, y)` and so on, in a plane of `width`×`height`.
    fn locate(vectors: &[[f32; 2]], x: f32, y: f32, width: usize, height: usize, places: &mut Places) {
        let vectors = &vectors[..vectors.len().min(AT_A_TIME)];
        for (i, &[u, v]) in vectors.iter().enumerate() {
            let (left, fx) = split(x + i as i32 as f32 + u, width as i32);
            let (top, fy) = split(y + v, height as i32);
            places.first[i] = (top * width as i32 + left) as u32;
            places.fx[i] = fx;
            places.fy[i] = fy;
        }
    }
}

/// The first of two neighbours around a position along a side, and how far it lies from the first to the second.
#[inline(always)]
fn split(position: f32, side: i32) -> (i32, f32) {
    let last = side - 1;
    let position = if position > 0.0 { position } else { 0.0 };
    let position = if position < last as f32 { position } else { last as f32 };
    // On the last pixel, that is the second.
    let first = (position as i32).min((last - 1).max(0));
    (first, position - first as f32)
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
