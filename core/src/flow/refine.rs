use super::pyramid::{BORDER, Level};
use crate::simd::{larger, smaller, vectorised, whole};

/// Weight of smoothness (α).
const SMOOTHNESS: f32 = 20.0;
/// Weight of the constancy of the gradient (γ).
const GRADIENT: f32 = 10.0;
/// Weight of the constancy of luma (δ).
const LUMA: f32 = 5.0;
/// Relaxation factor (ω).
const OMEGA: f32 = 1.75;
/// How often the weights are computed anew.
const FIXED_POINT_STEPS: usize = 3;
/// How often the linear system is swept for each set of weights.
const SWEEPS: usize = 4;
/// Keeps penalties differentiable (ε²).
const EPSILON2: f32 = 1e-4;
/// Keeps flat regions from being divided by nothing (ζ²).
const ZETA2: f32 = 0.01;

/// Variational refinement of a dense flow (T. Brox, A. Bruhn, N. Papenberg, J. Weickert, *High accuracy optical
/// flow estimation based on a theory for warping*, ECCV 2004), one warp, with the constancy terms normalised by
/// their gradients (H. Zimmer, A. Bruhn, J. Weickert, *Optic flow in harmony*, IJCV 2011).
///
/// Sought are u, v that minimise Σ δ·ψ(r₀²) + γ·ψ(r₁² + r₂²) + α·ψ(|∇u|² + |∇v|²), ψ(x²) = √(x² + ε²), where each
/// residual r is linear in u and v. With the weights 1/ψ fixed this is a linear system, solved by successive
/// over-relaxation in red-black order, which is the same in any order of the pixels of one colour.
///
/// Rows are split: the pixels of even columns, then those of odd columns, so that the pixels of one colour and
/// their neighbours are contiguous. Each half is filled up to a multiple of [`LANES`] with pixels that stay 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Refinement {
    width: usize,
    height: usize,
    /// Pixels of a half row, a multiple of the number of lanes.
    half: usize,
    /// Mean of the two images, its derivatives, and the difference of the images: split rows, with the pixels before
    /// the first column and after the last repeated.
    mean: Vec<f32>,
    mean_x: Vec<f32>,
    mean_y: Vec<f32>,
    difference: Vec<f32>,
    /// Flow, and the weight of its differences to the right and downwards: split rows with a zero at both ends of
    /// each half, and a row of zeros above and below.
    u: Vec<f32>,
    v: Vec<f32>,
    smoothness: Vec<f32>,
    /// A row of `mean` and one of `difference` before they are split.
    rows: [Vec<f32>; 2],
    /// For each pixel of half a row, whether the flow leads it inside the frame: 1 or 0.
    seen: Vec<f32>,
    /// `[a, b, c]` of the residuals r = a + b·u + c·v: of luma, and of its horizontal and its vertical derivative.
    residuals: [[Vec<f32>; 3]; 3],
    /// The linear system M · (u, v) = right + Σ weight · (u, v) of the neighbours: the right side, and ω · M⁻¹ as
    /// `[uu, uv, vv]`.
    right: [Vec<f32>; 2],
    inverse: [Vec<f32>; 3],
    /// For each column of a split row: ω, but 0 for the pixels that only fill up.
    omega: Vec<f32>,
    /// For each column of a split row: 1, but 0 for the last column, which has no neighbour to the right.
    has_right: Vec<f32>,
}

/// Halves of rows are filled up to a multiple of this: the pixels that baseline SIMD registers hold.
const LANES: usize = 4;

impl Refinement {
    /// Improves the flow `u`, `v` of a level in place.
    pub(super) fn refine(&mut self, from: &Level, to: &Level, u: &mut [f32], v: &mut [f32]) {
        self.prepare(from.width, from.height);
        self.difference_images(from, to, u, v);
        self.derive();
        for (plane, row_by_row) in [(&mut self.u, &*u), (&mut self.v, &*v)] {
            let rows = plane.chunks_exact_mut(2 * (self.half + 2)).skip(1);
            for (split_row, row) in rows.zip(row_by_row.chunks_exact(self.width)) {
                let (even, odd) = split_row.split_at_mut(self.half + 2);
                split(row, &mut even[1..], &mut odd[1..]);
            }
        }
        self.iterate();
        for (plane, row_by_row) in [(&self.u, u), (&self.v, v)] {
            let rows = plane.chunks_exact(2 * (self.half + 2)).skip(1);
            for (split_row, row) in rows.zip(row_by_row.chunks_exact_mut(self.width)) {
                let (even, odd) = split_row.split_at(self.half + 2);
                join(&even[1..], &odd[1..], row);
            }
        }
    }

    /// Makes room for a level. Where there is, nothing needs clearing: what must be 0 is never written.
    fn prepare(&mut self, width: usize, height: usize) {
        if (self.width, self.height) == (width, height) {
            return;
        }
        (self.width, self.height) = (width, height);
        self.half = width.div_ceil(2).next_multiple_of(LANES);
        for plane in [&mut self.mean, &mut self.mean_x, &mut self.mean_y, &mut self.difference] {
            plane.resize(2 * (self.half + 2) * height, 0.0);
        }
        for plane in [&mut self.u, &mut self.v, &mut self.smoothness] {
            plane.clear();
            plane.resize(2 * (self.half + 2) * (height + 2), 0.0);
        }
        for plane in self.residuals.as_flattened_mut().iter_mut().chain(&mut self.right).chain(&mut self.inverse) {
            plane.resize(2 * self.half * height, 0.0);
        }
        for row in &mut self.rows {
            row.resize(width, 0.0);
        }
        self.seen.resize(self.half, 0.0);
        let columns = (0..2).flat_map(|parity| (0..self.half).map(move |k| 2 * k + parity));
        self.omega.clear();
        self.omega.extend(columns.clone().map(|x| if x < width { OMEGA } else { 0.0 }));
        self.has_right.clear();
        self.has_right.extend(columns.map(|x| if x == width - 1 { 0.0 } else { 1.0 }));
    }

    /// Where row `y` starts in a split plane with zeros around.
    fn row(&self, y: usize) -> usize {
        (y + 1) * 2 * (self.half + 2)
    }

    /// The mean and the difference of `from` and of `to` brought back along the flow.
    fn difference_images(&mut self, from: &Level, to: &Level, u: &[f32], v: &[f32]) {
        let (width, n, size) = (self.width, self.half, self.half + 2);
        let targets = self.mean.chunks_exact_mut(2 * size).zip(self.difference.chunks_exact_mut(2 * size));
        for (y, (mean, difference)) in targets.enumerate() {
            let first = part(&from.image, (y + BORDER) * from.stride + BORDER, width);
            let [mean_row, difference_row] = &mut self.rows;
            let (u, v) = (part(u, y * width, width), part(v, y * width, width));
            compare(mean_row, difference_row, first, to, y as f32, u, v);
            for (split_row, row) in [(mean, mean_row), (difference, difference_row)] {
                let (even, odd) = split_row.split_at_mut(size);
                split(row, &mut even[1..], &mut odd[1..]);
                repeat_ends(split_row, width, n);
            }
        }
    }

    /// The derivatives of the mean.
    fn derive(&mut self) {
        let (width, height, n, size) = (self.width, self.height, self.half, self.half + 2);
        let targets = self.mean_x.chunks_exact_mut(2 * size).zip(self.mean_y.chunks_exact_mut(2 * size));
        for (y, (mean_x, mean_y)) in targets.enumerate() {
            let [above, here, below] = around(&self.mean, y, height, 2 * size);
            for parity in 0..2 {
                let (own, left) = (parity * size + 1, (1 - parity) * size + parity);
                differences(part_mut(mean_x, own, n), part(here, left + 1, n), part(here, left, n));
                differences(part_mut(mean_y, own, n), part(below, own, n), part(above, own, n));
            }
            repeat_ends(mean_x, width, n);
            repeat_ends(mean_y, width, n);
        }
    }

    /// The residuals of row `y` as linear functions of u and v, each divided by the length of its gradient. The flow
    /// there must still be that along which the images were compared.
    fn linearise(&mut self, y: usize) {
        let (height, n, size) = (self.height, self.half, self.half + 2);
        let ends = [(self.width - 1) as f32, (height - 1) as f32];
        let [x_above, x_here, x_below] = around(&self.mean_x, y, height, 2 * size);
        let [y_above, y_here, y_below] = around(&self.mean_y, y, height, 2 * size);
        let [z_above, z_here, z_below] = around(&self.difference, y, height, 2 * size);
        for parity in 0..2 {
            let (own, left) = (parity * size + 1, (1 - parity) * size + parity);
            let here = self.row(y) + own;
            let flow = [part(&self.u, here, n), part(&self.v, here, n)];
            // What has left the frame says nothing; smoothness alone carries the flow on.
            look(&mut self.seen, flow, [parity as f32, y as f32], ends);
            let plain = (2 * y + parity) * n;
            let [[a0, b0, c0], [a1, b1, c1], [a2, b2, c2]] = &mut self.residuals;
            let (a0, b0, c0) = (part_mut(a0, plain, n), part_mut(b0, plain, n), part_mut(c0, plain, n));
            let (a1, b1, c1) = (part_mut(a1, plain, n), part_mut(b1, plain, n), part_mut(c1, plain, n));
            let (a2, b2, c2) = (part_mut(a2, plain, n), part_mut(b2, plain, n), part_mut(c2, plain, n));
            let across = |row| [part(row, left + 1, n), part(row, left, n)];
            let down = |below, above| [part(below, own, n), part(above, own, n)];
            let (xy, seen) = (down(x_below, x_above), &self.seen[..]);
            normalise(a0, b0, c0, [part(z_here, own, n), part(x_here, own, n), part(y_here, own, n)], flow, seen);
            normalise_differences(a1, b1, c1, [across(z_here), across(x_here), xy], flow, seen);
            normalise_differences(a2, b2, c2, [down(z_below, z_above), xy, down(y_below, y_above)], flow, seen);
        }
    }

    /// All steps of the fixed point: each with new weights, and all sweeps of the system with these. Sweep `n` follows
    /// two rows behind sweep `n − 1`, black one row behind red, and each step as far behind the one before as it must,
    /// so that rows are still in the cache; each pixel sees the same values as if all this came one after the other.
    fn iterate(&mut self) {
        /// Rows from where a step begins with its weights to the last that is done for good.
        const REACH: usize = 2 * SWEEPS;
        for row in 0..self.height + REACH + (FIXED_POINT_STEPS - 1) * (REACH + 1) {
            if row < self.height {
                self.linearise(row);
            }
            for step in 0..FIXED_POINT_STEPS {
                let Some(row) = row.checked_sub(step * (REACH + 1)) else { break };
                self.advance(row);
            }
        }
    }

    /// What a step of the fixed point does when it comes to row `row`, up to [`Self::iterate`]'s reach after the last.
    fn advance(&mut self, row: usize) {
        if row < self.height {
            self.weigh(row);
            self.assemble(row);
        }
        for sweep in 0..SWEEPS {
            if let Some(y) = row.checked_sub(2 * sweep + 1) {
                if y < self.height {
                    self.relax(y, y % 2);
                }
                if y > 0 && y <= self.height {
                    self.relax(y - 1, y % 2);
                }
            }
        }
    }

    /// The weights of smoothness of row `y`.
    fn weigh(&mut self, y: usize) {
        let (n, size) = (self.half, self.half + 2);
        let (here, below) = (self.row(y), self.row((y + 1).min(self.height - 1)));
        // Beyond the last column stands its own value, so that there is no difference to the right.
        let last = here + split_index(self.width - 1, n);
        let beyond = here + split_index(self.width, n);
        for plane in [&mut self.u, &mut self.v] {
            plane[beyond] = plane[last];
        }
        for parity in 0..2 {
            let own = here + parity * size + 1;
            let right = here + (1 - parity) * size + 1 + parity;
            let down = below + parity * size + 1;
            let around = |plane| [part(plane, own, n), part(plane, right, n), part(plane, down, n)];
            weigh(part_mut(&mut self.smoothness, own, n), [around(&self.u), around(&self.v)]);
        }
        for plane in [&mut self.u, &mut self.v] {
            plane[beyond] = 0.0;
        }
    }

    /// The linear system of row `y`.
    fn assemble(&mut self, y: usize) {
        let (n, size) = (self.half, self.half + 2);
        let here = self.row(y);
        let down = if y + 1 < self.height { 1.0 } else { 0.0 };
        for parity in 0..2 {
            let plain = (2 * y + parity) * n;
            let own = here + parity * size + 1;
            let left = here + (1 - parity) * size + parity;
            let smoothness = |start| part(&self.smoothness, start, n);
            let weights = [smoothness(own), smoothness(left), smoothness(own - 2 * size)];
            let flow = [part(&self.u, own, n), part(&self.v, own, n)];
            let columns = [part(&self.omega, parity * n, n), part(&self.has_right, parity * n, n)];
            let [[a0, b0, c0], [a1, b1, c1], [a2, b2, c2]] = &self.residuals;
            let residuals = [
                [part(a0, plain, n), part(b0, plain, n), part(c0, plain, n)],
                [part(a1, plain, n), part(b1, plain, n), part(c1, plain, n)],
                [part(a2, plain, n), part(b2, plain, n), part(c2, plain, n)],
            ];
            let [right_u, right_v] = &mut self.right;
            let (right_u, right_v) = (part_mut(right_u, plain, n), part_mut(right_v, plain, n));
            let [uu, uv, vv] = &mut self.inverse;
            let (uu, uv, vv) = (part_mut(uu, plain, n), part_mut(uv, plain, n), part_mut(vv, plain, n));
            assemble(right_u, right_v, uu, uv, vv, residuals, flow, weights, columns, down);
        }
    }

    /// Relaxes the pixels of row `y` whose columns have the given parity.
    fn relax(&mut self, y: usize, parity: usize) {
        let (n, size) = (self.half, self.half + 2);
        let here = self.row(y);
        let plain = (2 * y + parity) * n;
        let own = here + parity * size + 1;
        let left = here + (1 - parity) * size + parity;
        let smoothness = |start| part(&self.smoothness, start, n);
        let weights = [smoothness(own), smoothness(left), smoothness(own - 2 * size)];
        let [right_u, right_v] = &self.right;
        let right = [part(right_u, plain, n), part(right_v, plain, n)];
        let [uu, uv, vv] = &self.inverse;
        let inverse = [part(uu, plain, n), part(uv, plain, n), part(vv, plain, n)];
        let (u, u_around) = cross(&mut self.u, here, parity, n);
        let (v, v_around) = cross(&mut self.v, here, parity, n);
        relax(u, v, u_around, v_around, weights, right, inverse);
    }
}

// The inner loops are functions of their own because only then does the compiler know that what they write is not
// what they read, and keeps to whole registers.

/// Cuts slices to this length, so that the compiler knows it; in an array it would be done by a call.
macro_rules! cut {
    ($length:expr; $($slice:ident),*) => {
        $(let $slice = &$slice[..$length];)*
    };
}

/// Pixels to the left, to the right, above and below.
type Around<'a> = [&'a [f32]; 4];

vectorised! {
/// The mean and the difference of row `y` of a level and of `to` brought back along the flow.
fn compare(mean: &mut [f32], difference: &mut [f32], first: &[f32], to: &Level, y: f32, u: &[f32], v: &[f32]) {
    /// Pixels whose places are worked out together.
    const AT_A_TIME: usize = 64;
    let (mut places, mut fx, mut fy) = ([0; AT_A_TIME], [0.0; AT_A_TIME], [0.0; AT_A_TIME]);
    let mut corners = [[0.0; AT_A_TIME]; 4];
    let targets = mean.chunks_mut(AT_A_TIME).zip(difference.chunks_mut(AT_A_TIME)).zip(first.chunks(AT_A_TIME));
    let flow = u.chunks(AT_A_TIME).zip(v.chunks(AT_A_TIME));
    for (start, (((mean, difference), first), (u, v))) in (0..).step_by(AT_A_TIME).zip(targets.zip(flow)) {
        let n = mean.len().min(AT_A_TIME);
        let (mean, difference, first, u, v) = (&mut mean[..n], &mut difference[..n], &first[..n], &u[..n], &v[..n]);
        for k in 0..n {
            let x = smaller(larger((start + k as i32) as f32 + u[k], 0.0), to.right) + BORDER as f32;
            let y = smaller(larger(y + v[k], 0.0), to.bottom) + BORDER as f32;
            let (left, top) = (whole(x), whole(y));
            (fx[k], fy[k]) = (x - left as f32, y - top as f32);
            places[k] = (top * to.stride as i32 + left) as u32;
        }
        let [top_left, top_right, bottom_left, bottom_right] = &mut corners;
        for k in 0..n {
            let pixels = &to.image[places[k] as usize..][..to.stride + 2];
            (top_left[k], top_right[k]) = (pixels[0], pixels[1]);
            (bottom_left[k], bottom_right[k]) = (pixels[to.stride], pixels[to.stride + 1]);
        }
        for k in 0..n {
            let above = top_left[k] + fx[k] * (top_right[k] - top_left[k]);
            let below = bottom_left[k] + fx[k] * (bottom_right[k] - bottom_left[k]);
            let second = above + fy[k] * (below - above);
            mean[k] = 0.5 * (first[k] + second);
            difference[k] = second - first[k];
        }
    }
}

/// 1 for the pixels at a place and at every second right of it that the flow leads to inside the frame, whose last
/// column and row are `ends`; else 0.
fn look(seen: &mut [f32], flow: [&[f32]; 2], at: [f32; 2], ends: [f32; 2]) {
    let (n, [u, v]) = (seen.len(), flow);
    cut!(n; u, v);
    for (k, seen) in seen.iter_mut().enumerate() {
        let (x, y) = ((2 * k as i32) as f32 + at[0] + u[k], at[1] + v[k]);
        let inside = (x >= 0.0) & (x <= ends[0]) & (y >= 0.0) & (y <= ends[1]);
        *seen = if inside { 1.0 } else { 0.0 };
    }
}

/// Half the differences: central derivatives where the slices start two pixels apart.
fn differences(target: &mut [f32], plus: &[f32], minus: &[f32]) {
    for ((target, plus), minus) in target.iter_mut().zip(plus).zip(minus) {
        *target = 0.5 * (plus - minus);
    }
}

/// From a + b·du + c·dv, with du, dv the change of the flow, to a + b·u + c·v with (b, c) of length 1; all 0 where
/// not `seen`. From `[a, b, c]`.
fn normalise(a: &mut [f32], b: &mut [f32], c: &mut [f32], from: [&[f32]; 3], flow: [&[f32]; 2], seen: &[f32]) {
    let (n, [z, x, y], [u, v]) = (a.len(), from, flow);
    let (b, c) = (&mut b[..n], &mut c[..n]);
    cut!(n; z, x, y, u, v, seen);
    for k in 0..n {
        [a[k], b[k], c[k]] = normal(z[k], x[k], y[k], u[k], v[k], seen[k]);
    }
}

/// As [`normalise`], from the [`differences`] of three pairs.
fn normalise_differences(
    a: &mut [f32],
    b: &mut [f32],
    c: &mut [f32],
    from: [[&[f32]; 2]; 3],
    flow: [&[f32]; 2],
    seen: &[f32],
) {
    let (n, [[z, less_z], [x, less_x], [y, less_y]], [u, v]) = (a.len(), from, flow);
    let (b, c) = (&mut b[..n], &mut c[..n]);
    cut!(n; z, less_z, x, less_x, y, less_y, u, v, seen);
    for k in 0..n {
        let (z, x, y) = (0.5 * (z[k] - less_z[k]), 0.5 * (x[k] - less_x[k]), 0.5 * (y[k] - less_y[k]));
        [a[k], b[k], c[k]] = normal(z, x, y, u[k], v[k], seen[k]);
    }
}

/// The smoothness from the `[own, right, below]` pixels of u and of v.
fn weigh(target: &mut [f32], flow: [[&[f32]; 3]; 2]) {
    let n = target.len();
    let [[u, u_right, u_down], [v, v_right, v_down]] = flow;
    cut!(n; u, u_right, u_down, v, v_right, v_down);
    for k in 0..n {
        let (ux, vx, uy, vy) = (u_right[k] - u[k], v_right[k] - v[k], u_down[k] - u[k], v_down[k] - v[k]);
        target[k] = 0.5 * SMOOTHNESS / (((ux * ux + vx * vx) + (uy * uy + vy * vy)) + EPSILON2).sqrt();
    }
}

/// `smoothness`: own, left and above; `down`: 1, or 0 for the last row.
#[allow(clippy::too_many_arguments, reason = "distinct slices are what makes it fast")]
fn assemble(
    right_u: &mut [f32],
    right_v: &mut [f32],
    uu: &mut [f32],
    uv: &mut [f32],
    vv: &mut [f32],
    residuals: [[&[f32]; 3]; 3],
    flow: [&[f32]; 2],
    smoothness: [&[f32]; 3],
    columns: [&[f32]; 2],
    down: f32,
) {
    let n = right_u.len();
    let [[a0, b0, c0], [a1, b1, c1], [a2, b2, c2]] = residuals;
    let ([u, v], [s, s_left, s_above], [omega, has_right]) = (flow, smoothness, columns);
    let (right_v, uu, uv, vv) = (&mut right_v[..n], &mut uu[..n], &mut uv[..n], &mut vv[..n]);
    cut!(n; a0, b0, c0, a1, b1, c1, a2, b2, c2, u, v, s, s_left, s_above, omega, has_right);
    for k in 0..n {
        let r0 = a0[k] + b0[k] * u[k] + c0[k] * v[k];
        let r1 = a1[k] + b1[k] * u[k] + c1[k] * v[k];
        let r2 = a2[k] + b2[k] * u[k] + c2[k] * v[k];
        let luma = 0.5 * LUMA / (r0 * r0 + EPSILON2).sqrt();
        let gradient = 0.5 * GRADIENT / (r1 * r1 + r2 * r2 + EPSILON2).sqrt();
        let edges = (has_right[k] + down) * s[k] + (s_left[k] + s_above[k]);
        let m_uu = luma * (b0[k] * b0[k]) + gradient * (b1[k] * b1[k] + b2[k] * b2[k]) + edges;
        let m_uv = luma * (b0[k] * c0[k]) + gradient * (b1[k] * c1[k] + b2[k] * c2[k]);
        let m_vv = luma * (c0[k] * c0[k]) + gradient * (c1[k] * c1[k] + c2[k] * c2[k]) + edges;
        right_u[k] = -(luma * (a0[k] * b0[k]) + gradient * (a1[k] * b1[k] + a2[k] * b2[k]));
        right_v[k] = -(luma * (a0[k] * c0[k]) + gradient * (a1[k] * c1[k] + a2[k] * c2[k]));
        let scale = omega[k] / (m_uu * m_vv - m_uv * m_uv);
        uu[k] = scale * m_vv;
        uv[k] = -scale * m_uv;
        vv[k] = scale * m_uu;
    }
}

/// `smoothness`: own, left and above.
fn relax(
    u: &mut [f32],
    v: &mut [f32],
    u_around: Around<'_>,
    v_around: Around<'_>,
    smoothness: [&[f32]; 3],
    right: [&[f32]; 2],
    inverse: [&[f32]; 3],
) {
    let n = u.len();
    let ([u_left, u_right, u_above, u_below], [v_left, v_right, v_above, v_below]) = (u_around, v_around);
    let ([s, s_left, s_above], [right_u, right_v], [uu, uv, vv]) = (smoothness, right, inverse);
    let v = &mut v[..n];
    cut!(n; u_left, u_right, u_above, u_below, v_left, v_right, v_above, v_below);
    cut!(n; s, s_left, s_above, right_u, right_v, uu, uv, vv);
    for k in 0..n {
        let back_u = s_left[k] * u_left[k] + s_above[k] * u_above[k];
        let back_v = s_left[k] * v_left[k] + s_above[k] * v_above[k];
        let sum_u = s[k] * (u_right[k] + u_below[k]) + back_u + right_u[k];
        let sum_v = s[k] * (v_right[k] + v_below[k]) + back_v + right_v[k];
        u[k] = (1.0 - OMEGA) * u[k] + (uu[k] * sum_u + uv[k] * sum_v);
        v[k] = (1.0 - OMEGA) * v[k] + (uv[k] * sum_u + vv[k] * sum_v);
    }
}

}

/// `n` pixels from `start` on.
#[inline(always)]
fn part(plane: &[f32], start: usize, n: usize) -> &[f32] {
    &plane[start..start + n]
}

/// As [`part`].
#[inline(always)]
fn part_mut(plane: &mut [f32], start: usize, n: usize) -> &mut [f32] {
    &mut plane[start..start + n]
}

/// The half of the given parity of the row that starts at `here`, and what lies around its `n` pixels.
#[inline]
fn cross(plane: &mut [f32], here: usize, parity: usize, n: usize) -> (&mut [f32], Around<'_>) {
    let size = n + 2;
    let (above, rest) = plane.split_at_mut(here);
    let (row, below) = rest.split_at_mut(2 * size);
    let (even, odd) = row.split_at_mut(size);
    let (own, other) = if parity == 0 { (even, odd) } else { (odd, even) };
    let at = parity * size + 1;
    let around =
        [part(other, parity, n), part(other, parity + 1, n), part(above, here - 2 * size + at, n), part(below, at, n)];
    (part_mut(own, 1, n), around)
}

/// The rows above, at and below `y`, edges repeated.
fn around(plane: &[f32], y: usize, height: usize, stride: usize) -> [&[f32]; 3] {
    let row = |y| part(plane, y * stride, stride);
    [row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1))]
}

/// A residual as [`normalise`] leaves it.
#[inline(always)]
fn normal(a: f32, b: f32, c: f32, u: f32, v: f32, seen: f32) -> [f32; 3] {
    let scale = seen / (b * b + c * c + ZETA2).sqrt();
    [scale * (a - b * u - c * v), b * scale, c * scale]
}

/// Where column `x` stands in a split row with a pixel at both ends of each half.
fn split_index(x: usize, half: usize) -> usize {
    x % 2 * (half + 2) + 1 + x / 2
}

vectorised! {
fn split(row: &[f32], even: &mut [f32], odd: &mut [f32]) {
    let (pairs, rest) = row.as_chunks::<2>();
    for ((even, odd), pair) in even.iter_mut().zip(odd).zip(pairs) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    if let [last] = rest {
        even[pairs.len()] = *last;
    }
}

fn join(even: &[f32], odd: &[f32], row: &mut [f32]) {
    let (pairs, rest) = row.as_chunks_mut::<2>();
    if let [last] = rest {
        *last = even[pairs.len()];
    }
    for ((even, odd), pair) in even.iter().zip(odd).zip(pairs) {
        *pair = [*even, *odd];
    }
}
}

/// Repeats the first and the last pixel of a split row before and after it.
fn repeat_ends(row: &mut [f32], width: usize, half: usize) {
    row[half + 2] = row[1];
    row[split_index(width, half)] = row[split_index(width - 1, half)];
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Plane, flow::Flow, reference};

    fn picture(width: usize, height: usize, phase: f32) -> Plane<f32> {
        Plane::from_fn(width, height, |x, y| {
            let (x, y) = (x as f32 + phase, y as f32 - 0.4 * phase);
            128.0 + 60.0 * (0.5 * x + 0.2 * y).sin() + 50.0 * (0.9 * y - 0.3 * x).cos()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn refines_as_the_reference(width in 8usize..40, height in 8usize..30, phase in -1.5f32..1.5, bend in -0.1f32..0.1) {
            let (from, to) = (picture(width, height, 0.0), picture(width, height, phase));
            let flow: Flow = Plane::from_fn(width, height, |x, y| [bend * y as f32, 0.5 - bend * x as f32]);
            let expected = reference::flow::refine(&from, &to, &flow);
            let (mut u, mut v): (Vec<f32>, Vec<f32>) = flow.data().iter().map(|w| (w[0], w[1])).unzip();
            // Buffers that held another size before must not show.
            let mut refinement = Refinement::default();
            let other = Level::new(&picture(23, 17, 0.0), 3);
            refinement.refine(&other, &other, &mut vec![0.3; 23 * 17], &mut vec![0.7; 23 * 17]);
            refinement.refine(&Level::new(&from, 3), &Level::new(&to, 3), &mut u, &mut v);
            for (i, expected) in expected.data().iter().enumerate() {
                let error = (f64::from(u[i]) - expected[0]).hypot(f64::from(v[i]) - expected[1]);
                prop_assert!(error < 2e-3, "pixel {i}: [{}, {}], reference {expected:?}", u[i], v[i]);
            }
        }
    }
}
