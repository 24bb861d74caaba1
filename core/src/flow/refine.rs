use super::pyramid::{BORDER, Level};

/// Weight of smoothness (α).
const SMOOTHNESS: f32 = 20.0;
/// Weight of the constancy of the gradient (γ).
const GRADIENT: f32 = 10.0;
/// Weight of the constancy of luma (δ).
const LUMA: f32 = 5.0;
/// Relaxation factor (ω).
const OMEGA: f32 = 1.6;
/// How often the weights are computed anew.
const FIXED_POINT_STEPS: usize = 5;
/// How often the linear system is swept for each set of weights.
const SWEEPS: usize = 5;
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
/// Planes are kept as split rows: the pixels of even columns, then those of odd columns, each half between
/// zeros, so that the pixels of one colour and their neighbours lie in contiguous slices.
#[derive(Debug, Clone, Default)]
pub(super) struct Refinement {
    width: usize,
    height: usize,
    /// Pixels of a half row, without the zeros around it.
    half: usize,
    /// Mean of the two images, its derivatives, and the difference of the images: in plain rows between
    /// repeated pixels.
    mean: Vec<f32>,
    mean_x: Vec<f32>,
    mean_y: Vec<f32>,
    difference: Vec<f32>,
    /// `[a, b, c]` of the residuals r = a + b·u + c·v: luma, and the horizontal and vertical gradient.
    residuals: [[Vec<f32>; 3]; 3],
    u: Vec<f32>,
    v: Vec<f32>,
    /// Weight of the differences to the right and downwards.
    smoothness: Vec<f32>,
    /// Right side of the linear system.
    right: [Vec<f32>; 2],
    /// ω times the inverse of the diagonal block: `[uu, uv, vv]`.
    inverse: [Vec<f32>; 3],
}

impl Refinement {
    /// Improves the flow `u`, `v` of a level in place.
    pub(super) fn refine(&mut self, from: &Level, to: &Level, u: &mut [f32], v: &mut [f32]) {
        self.prepare(from.width, from.height);
        self.difference_images(from, to, u, v);
        self.linearise(u, v);
        for (y, (u, v)) in u.chunks_exact(self.width).zip(v.chunks_exact(self.width)).enumerate() {
            let start = self.row(y);
            split(u, &mut self.u[start..], self.half);
            split(v, &mut self.v[start..], self.half);
        }
        for _ in 0..FIXED_POINT_STEPS {
            for y in 0..self.height {
                self.weigh(y);
                self.assemble(y);
            }
            self.sweep();
        }
        for (y, (u, v)) in u.chunks_exact_mut(self.width).zip(v.chunks_exact_mut(self.width)).enumerate() {
            let start = self.row(y);
            join(&self.u[start..], u, self.half);
            join(&self.v[start..], v, self.half);
        }
    }

    fn prepare(&mut self, width: usize, height: usize) {
        (self.width, self.height, self.half) = (width, height, width.div_ceil(2));
        for plane in [&mut self.mean, &mut self.mean_x, &mut self.mean_y, &mut self.difference] {
            plane.clear();
            plane.resize((width + 2) * height, 0.0);
        }
        let split = 2 * (self.half + 2) * (height + 2);
        let planes = self.residuals.as_flattened_mut().iter_mut().chain(&mut self.right).chain(&mut self.inverse);
        for plane in planes.chain([&mut self.u, &mut self.v, &mut self.smoothness]) {
            plane.clear();
            plane.resize(split, 0.0);
        }
    }

    /// Where row `y` of a split plane starts; there is a row of zeros above the first and below the last.
    fn row(&self, y: usize) -> usize {
        (y + 1) * 2 * (self.half + 2)
    }

    /// The mean and the difference of `from` and of `to` brought back along the flow.
    fn difference_images(&mut self, from: &Level, to: &Level, u: &[f32], v: &[f32]) {
        let (width, padded) = (self.width, self.width + 2);
        for y in 0..self.height {
            let first = &from.image[(y + BORDER) * from.stride + BORDER..][..width];
            let (mean, difference) =
                (&mut self.mean[y * padded..][..padded], &mut self.difference[y * padded..][..padded]);
            for x in 0..width {
                let second = to.at(x as f32 + u[y * width + x], y as f32 + v[y * width + x]);
                mean[x + 1] = 0.5 * (first[x] + second);
                difference[x + 1] = second - first[x];
            }
            repeat_ends(mean);
            repeat_ends(difference);
        }
    }

    /// The residuals as linear functions of u and v, each divided by the length of its gradient.
    fn linearise(&mut self, u: &[f32], v: &[f32]) {
        let (width, height, padded) = (self.width, self.height, self.width + 2);
        for y in 0..height {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
            let row = |plane: &Vec<f32>, y: usize| plane[y * padded..][..padded].to_vec();
            let (here, above, below) = (row(&self.mean, y), row(&self.mean, above), row(&self.mean, below));
            let (mean_x, mean_y) = (&mut self.mean_x[y * padded..][..padded], &mut self.mean_y[y * padded..][..padded]);
            for x in 1..=width {
                mean_x[x] = 0.5 * (here[x + 1] - here[x - 1]);
                mean_y[x] = 0.5 * (below[x] - above[x]);
            }
            repeat_ends(mean_x);
            repeat_ends(mean_y);
        }
        let mut rows: [[Vec<f32>; 3]; 3] = std::array::from_fn(|_| std::array::from_fn(|_| vec![0.0; width]));
        for y in 0..height {
            let (above, below) = (y.saturating_sub(1) * padded, (y + 1).min(height - 1) * padded);
            let here = y * padded;
            let (mx, my, d) = (&self.mean_x, &self.mean_y, &self.difference);
            for x in 0..width {
                let i = here + x + 1;
                let (u, v) = (u[y * width + x], v[y * width + x]);
                let (ix, iy, iz) = (mx[i], my[i], d[i]);
                let ixx = 0.5 * (mx[i + 1] - mx[i - 1]);
                let ixy = 0.5 * (mx[below + x + 1] - mx[above + x + 1]);
                let iyy = 0.5 * (my[below + x + 1] - my[above + x + 1]);
                let ixz = 0.5 * (d[i + 1] - d[i - 1]);
                let iyz = 0.5 * (d[below + x + 1] - d[above + x + 1]);
                // What has left the frame says nothing; smoothness alone carries the flow on.
                let seen = inside(x as f32 + u, width) && inside(y as f32 + v, height);
                let trust = if seen { 1.0 } else { 0.0 };
                for (r, [a, b, c]) in [[iz, ix, iy], [ixz, ixx, ixy], [iyz, ixy, iyy]].into_iter().enumerate() {
                    let scale = trust / (b * b + c * c + ZETA2).sqrt();
                    rows[r][0][x] = scale * (a - b * u - c * v);
                    rows[r][1][x] = scale * b;
                    rows[r][2][x] = scale * c;
                }
            }
            let start = self.row(y);
            for (plane, row) in self.residuals.as_flattened_mut().iter_mut().zip(rows.as_flattened()) {
                split(row, &mut plane[start..], self.half);
            }
        }
    }

    /// The weights of smoothness of row `y`.
    fn weigh(&mut self, y: usize) {
        let (n, size) = (self.half, self.half + 2);
        let (here, below) = (self.row(y), self.row((y + 1).min(self.height - 1)));
        // Beyond the last column: its own value, so that there is no difference to the right.
        let last = here + split_index(self.width - 1, n);
        let beyond = here + split_index(self.width, n);
        for plane in [&mut self.u, &mut self.v] {
            plane[beyond] = plane[last];
        }
        for parity in 0..2 {
            let own = here + parity * size + 1;
            let right = here + (1 - parity) * size + 1 + parity;
            let down = below + parity * size + 1;
            let (u, v) = (&self.u[own..][..n], &self.v[own..][..n]);
            let (u_right, v_right) = (&self.u[right..][..n], &self.v[right..][..n]);
            let (u_down, v_down) = (&self.u[down..][..n], &self.v[down..][..n]);
            let out = &mut self.smoothness[own..][..n];
            for k in 0..n {
                let (ux, vx, uy, vy) = (u_right[k] - u[k], v_right[k] - v[k], u_down[k] - u[k], v_down[k] - v[k]);
                out[k] = 0.5 * SMOOTHNESS / (((ux * ux + vx * vx) + (uy * uy + vy * vy)) + EPSILON2).sqrt();
            }
        }
        for plane in [&mut self.u, &mut self.v] {
            plane[beyond] = 0.0;
        }
    }

    /// The linear system of row `y`.
    fn assemble(&mut self, y: usize) {
        let (n, size) = (self.half, self.half + 2);
        let (here, above) = (self.row(y), self.row(y) - 2 * size);
        let down = if y + 1 < self.height { 1.0 } else { 0.0 };
        // The last column has no neighbour to the right.
        let last = split_index(self.width - 1, n);
        for parity in 0..2 {
            let own = here + parity * size + 1;
            let left = here + (1 - parity) * size + parity;
            let smoothness = &self.smoothness[own..][..n];
            let smoothness_left = &self.smoothness[left..][..n];
            let smoothness_above = &self.smoothness[above + parity * size + 1..][..n];
            let (u, v) = (&self.u[own..][..n], &self.v[own..][..n]);
            let [[a0, b0, c0], [a1, b1, c1], [a2, b2, c2]] =
                self.residuals.each_ref().map(|r| r.each_ref().map(|p| &p[own..][..n]));
            let [right_u, right_v] = self.right.each_mut().map(|p| &mut p[own..][..n]);
            let [uu, uv, vv] = self.inverse.each_mut().map(|p| &mut p[own..][..n]);
            for k in 0..n {
                let r0 = a0[k] + b0[k] * u[k] + c0[k] * v[k];
                let r1 = a1[k] + b1[k] * u[k] + c1[k] * v[k];
                let r2 = a2[k] + b2[k] * u[k] + c2[k] * v[k];
                let luma = 0.5 * LUMA / (r0 * r0 + EPSILON2).sqrt();
                let gradient = 0.5 * GRADIENT / (r1 * r1 + r2 * r2 + EPSILON2).sqrt();
                let right = if own + k == here + last { 0.0 } else { smoothness[k] };
                let edges = (right + down * smoothness[k]) + (smoothness_left[k] + smoothness_above[k]);
                let m_uu = luma * (b0[k] * b0[k]) + gradient * (b1[k] * b1[k] + b2[k] * b2[k]) + edges;
                let m_uv = luma * (b0[k] * c0[k]) + gradient * (b1[k] * c1[k] + b2[k] * c2[k]);
                let m_vv = luma * (c0[k] * c0[k]) + gradient * (c1[k] * c1[k] + c2[k] * c2[k]) + edges;
                right_u[k] = -(luma * (a0[k] * b0[k]) + gradient * (a1[k] * b1[k] + a2[k] * b2[k]));
                right_v[k] = -(luma * (a0[k] * c0[k]) + gradient * (a1[k] * c1[k] + a2[k] * c2[k]));
                let scale = OMEGA / (m_uu * m_vv - m_uv * m_uv);
                uu[k] = scale * m_vv;
                uv[k] = -scale * m_uv;
                vv[k] = scale * m_uu;
            }
        }
        if self.width % 2 == 1 {
            // The odd half has a pixel less: what stands in its place stays 0.
            let beyond = here + split_index(self.width, n);
            for plane in &mut self.inverse {
                plane[beyond] = 0.0;
            }
        }
    }

    fn sweep(&mut self) {
        for _ in 0..SWEEPS {
            for color in 0..2 {
                for y in 0..self.height {
                    self.relax(y, (y + color) % 2);
                }
            }
        }
    }

    /// Relaxes the pixels of row `y` whose columns have the given parity.
    fn relax(&mut self, y: usize, parity: usize) {
        let (n, size) = (self.half, self.half + 2);
        let here = self.row(y);
        let own = here + parity * size + 1;
        let s = &self.smoothness[own..][..n];
        let s_left = &self.smoothness[here + (1 - parity) * size + parity..][..n];
        let s_above = &self.smoothness[own - 2 * size..][..n];
        let [right_u, right_v] = self.right.each_ref().map(|p| &p[own..][..n]);
        let [uu, uv, vv] = self.inverse.each_ref().map(|p| &p[own..][..n]);
        let (u, [u_left, u_right, u_above, u_below]) = cross(&mut self.u, here, size, parity, n);
        let (v, [v_left, v_right, v_above, v_below]) = cross(&mut self.v, here, size, parity, n);
        for k in 0..n {
            let sum_u =
                s[k] * (u_right[k] + u_below[k]) + (s_left[k] * u_left[k] + s_above[k] * u_above[k]) + right_u[k];
            let sum_v =
                s[k] * (v_right[k] + v_below[k]) + (s_left[k] * v_left[k] + s_above[k] * v_above[k]) + right_v[k];
            u[k] = (1.0 - OMEGA) * u[k] + (uu[k] * sum_u + uv[k] * sum_v);
            v[k] = (1.0 - OMEGA) * v[k] + (uv[k] * sum_u + vv[k] * sum_v);
        }
    }
}

/// The half of the given parity of the row that starts at `here`, and the neighbours of its pixels to the left,
/// to the right, above and below.
fn cross(plane: &mut [f32], here: usize, size: usize, parity: usize, n: usize) -> (&mut [f32], [&[f32]; 4]) {
    let (above, rest) = plane.split_at_mut(here);
    let (row, below) = rest.split_at_mut(2 * size);
    let (even, odd) = row.split_at_mut(size);
    let (own, other) = if parity == 0 { (even, odd) } else { (odd, even) };
    let at = parity * size + 1;
    let neighbours =
        [&other[parity..][..n], &other[parity + 1..][..n], &above[here - 2 * size + at..][..n], &below[at..][..n]];
    (&mut own[1..][..n], neighbours)
}

/// Whether a position lies between the first and the last pixel of a side.
fn inside(position: f32, side: usize) -> bool {
    position >= 0.0 && position <= (side - 1) as f32
}

/// Where column `x` stands in a split row.
fn split_index(x: usize, half: usize) -> usize {
    x % 2 * (half + 2) + 1 + x / 2
}

fn split(row: &[f32], target: &mut [f32], half: usize) {
    let (even, odd) = target.split_at_mut(half + 2);
    let (pairs, rest) = row.as_chunks::<2>();
    for ((even, odd), pair) in even[1..].iter_mut().zip(&mut odd[1..]).zip(pairs) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    if let [last] = rest {
        even[half] = *last;
    }
}

fn join(source: &[f32], row: &mut [f32], half: usize) {
    let (even, odd) = source.split_at(half + 2);
    let (pairs, rest) = row.as_chunks_mut::<2>();
    for ((even, odd), pair) in even[1..].iter().zip(&odd[1..]).zip(pairs) {
        *pair = [*even, *odd];
    }
    if let [last] = rest {
        *last = even[half];
    }
}

/// Repeats the first and the last pixel of a row in the places left for them at its ends.
fn repeat_ends(row: &mut [f32]) {
    let last = row.len() - 1;
    row[0] = row[1];
    row[last] = row[last - 1];
}
