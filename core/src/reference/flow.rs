//! Twins of the flow's parts, in f64, a pixel at a time.

use crate::{Plane, Rgb, flow::Flow};

/// The pixel nearest to `(x, y)` inside the plane.
fn at<T: Copy>(plane: &Plane<T>, x: isize, y: isize) -> T {
    let inside = |i: isize, side: usize| i.clamp(0, side as isize - 1) as usize;
    plane.get(inside(x, plane.width()), inside(y, plane.height()))
}

/// Bilinear interpolation of `value`, edges repeated.
fn bilinear<T: Copy>(plane: &Plane<T>, x: f64, y: f64, value: impl Fn(T) -> f64) -> f64 {
    let x = x.clamp(0.0, (plane.width() - 1) as f64);
    let y = y.clamp(0.0, (plane.height() - 1) as f64);
    let (left, top) = (x.floor() as isize, y.floor() as isize);
    let mut sum = 0.0;
    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let weight = (1.0 - (x - (left + dx) as f64).abs()) * (1.0 - (y - (top + dy) as f64).abs());
        sum += weight * value(at(plane, left + dx, top + dy));
    }
    sum
}

/// Where `flow` leads from `(x, y)`.
fn target(flow: &Flow, x: usize, y: usize) -> (f64, f64) {
    let [u, v] = flow.get(x, y);
    (x as f64 + f64::from(u), y as f64 + f64::from(v))
}

/// Twin of [`flow::warp`](crate::flow::warp()).
pub fn warp(source: &Plane<f32>, flow: &Flow) -> Plane<f64> {
    Plane::from_fn(flow.width(), flow.height(), |x, y| {
        let (tx, ty) = target(flow, x, y);
        bilinear(source, tx, ty, f64::from)
    })
}

/// Twin of [`flow::warp_nearest`](crate::flow::warp_nearest).
pub fn warp_nearest<T: Copy>(source: &Plane<T>, flow: &Flow) -> Plane<T> {
    Plane::from_fn(flow.width(), flow.height(), |x, y| {
        let [u, v] = flow.get(x, y);
        at(source, (x as f32 + u + 0.5).floor() as isize, (y as f32 + v + 0.5).floor() as isize)
    })
}

/// Twin of [`flow::trust`](crate::flow::trust()).
pub fn trust(flow: &Flow, reverse: &Flow, from: &Plane<Rgb>, to: &Plane<Rgb>, sigma: f64) -> Plane<f64> {
    Plane::from_fn(flow.width(), flow.height(), |x, y| {
        let (tx, ty) = target(flow, x, y);
        let there = flow.get(x, y).map(f64::from);
        let back = [0, 1].map(|c| bilinear(reverse, tx, ty, |vector| f64::from(vector[c])));
        let squared = |[a, b]: [f64; 2]| a * a + b * b;
        let e = squared([there[0] + back[0], there[1] + back[1]]);
        let tau = 0.01 * (squared(there) + squared(back)) + 0.5;
        let difference =
            |c: usize| (bilinear(to, tx, ty, |pixel| f64::from(pixel[c])) - f64::from(from.get(x, y)[c])).abs();
        let d = (difference(0) + difference(1) + difference(2)) / 3.0;
        (-e / (2.0 * tau)).exp() * (-d * d / (2.0 * sigma * sigma)).exp()
    })
}

/// The whole-pixel displacement, of at most `radius`, at which the 8×8 pixels of `to` fit those of `from` at
/// `(x, y)` best, by squared differences less the difference in mean; every displacement is tried.
pub fn patch_search(from: &Plane<u8>, to: &Plane<u8>, x: usize, y: usize, radius: isize) -> [isize; 2] {
    let cost = |[u, v]: [isize; 2]| {
        let (mut sum, mut squares) = (0, 0);
        for (px, py) in (0..64).map(|i| ((x + i % 8) as isize, (y + i / 8) as isize)) {
            let difference = i64::from(at(to, px + u, py + v)) - i64::from(at(from, px, py));
            sum += difference;
            squares += difference * difference;
        }
        64 * squares - sum * sum
    };
    let all = (-radius..=radius).flat_map(|v| (-radius..=radius).map(move |u| [u, v]));
    all.min_by_key(|&displacement| cost(displacement)).unwrap_or_default()
}

/// Twin of the variational refinement of a flow: 3 steps of the fixed point, each with 4 red-black sweeps.
pub fn refine(from: &Plane<f32>, to: &Plane<f32>, flow: &Flow) -> Plane<[f64; 2]> {
    let (alpha, gamma, delta, omega) = (20.0, 10.0, 5.0, 1.75);
    let (epsilon2, zeta2) = (1e-4, 0.01);
    let (width, height) = from.size();
    let plane = |value: &dyn Fn(usize, usize) -> f64| Plane::from_fn(width, height, value);
    let dx =
        |p: &Plane<f64>| plane(&|x, y| 0.5 * (at(p, x as isize + 1, y as isize) - at(p, x as isize - 1, y as isize)));
    let dy =
        |p: &Plane<f64>| plane(&|x, y| 0.5 * (at(p, x as isize, y as isize + 1) - at(p, x as isize, y as isize - 1)));

    let warped = warp(to, flow);
    let mean = plane(&|x, y| 0.5 * (f64::from(from.get(x, y)) + warped.get(x, y)));
    let difference = plane(&|x, y| warped.get(x, y) - f64::from(from.get(x, y)));
    let (mean_x, mean_y) = (dx(&mean), dy(&mean));
    let terms = [
        [difference.clone(), mean_x.clone(), mean_y.clone()],
        [dx(&difference), dx(&mean_x), dy(&mean_x)],
        [dy(&difference), dy(&mean_x), dy(&mean_y)],
    ];
    let seen = |x: usize, y: usize| {
        let (tx, ty) = target(flow, x, y);
        (0.0..=(width - 1) as f64).contains(&tx) && (0.0..=(height - 1) as f64).contains(&ty)
    };
    // Residual, its derivative by u and by v, at the present flow.
    let residuals = |x: usize, y: usize, [u, v]: [f64; 2]| {
        let start = flow.get(x, y).map(f64::from);
        terms.each_ref().map(|[a, b, c]| {
            let (a, b, c) = (a.get(x, y), b.get(x, y), c.get(x, y));
            let scale = if seen(x, y) { 1.0 / (b * b + c * c + zeta2).sqrt() } else { 0.0 };
            [scale * (a + b * (u - start[0]) + c * (v - start[1])), scale * b, scale * c]
        })
    };

    let mut present = flow.map(|vector| vector.map(f64::from));
    for _ in 0..3 {
        let fixed = present.clone();
        let weight = |x: usize, y: usize| {
            let here = fixed.get(x, y);
            let mut sum = epsilon2;
            for next in [at(&fixed, x as isize + 1, y as isize), at(&fixed, x as isize, y as isize + 1)] {
                sum += (next[0] - here[0]).powi(2) + (next[1] - here[1]).powi(2);
            }
            0.5 * alpha / sum.sqrt()
        };
        for (color, x, y) in
            (0..4 * 2).flat_map(|sweep| (0..height).flat_map(move |y| (0..width).map(move |x| (sweep % 2, x, y))))
        {
            if (x + y) % 2 != color {
                continue;
            }
            let mut edges = Vec::new();
            if x + 1 < width {
                edges.push((weight(x, y), present.get(x + 1, y)));
            }
            if y + 1 < height {
                edges.push((weight(x, y), present.get(x, y + 1)));
            }
            if x > 0 {
                edges.push((weight(x - 1, y), present.get(x - 1, y)));
            }
            if y > 0 {
                edges.push((weight(x, y - 1), present.get(x, y - 1)));
            }
            // Weights at the fixed flow; the quadratic energy's minimum in this pixel alone.
            let [r0, r1, r2] = residuals(x, y, fixed.get(x, y)).map(|r| r[0]);
            let luma = 0.5 * delta / (r0 * r0 + epsilon2).sqrt();
            let gradient = 0.5 * gamma / (r1 * r1 + r2 * r2 + epsilon2).sqrt();
            let here = present.get(x, y);
            let (mut m, mut rest) = ([0.0; 3], [0.0; 2]);
            for ([r, b, c], weight) in residuals(x, y, here).into_iter().zip([luma, gradient, gradient]) {
                m = [m[0] + weight * b * b, m[1] + weight * b * c, m[2] + weight * c * c];
                rest = [rest[0] - weight * b * r, rest[1] - weight * c * r];
            }
            for (weight, there) in edges {
                m = [m[0] + weight, m[1], m[2] + weight];
                rest = [rest[0] + weight * (there[0] - here[0]), rest[1] + weight * (there[1] - here[1])];
            }
            let determinant = m[0] * m[2] - m[1] * m[1];
            let step =
                [(m[2] * rest[0] - m[1] * rest[1]) / determinant, (m[0] * rest[1] - m[1] * rest[0]) / determinant];
            present.row_mut(y)[x] = [here[0] + omega * step[0], here[1] + omega * step[1]];
        }
    }
    present
}
