use super::Flow;
use super::pyramid::{AREA, BORDER, FlowFrame, LANES, Level, Normal, PATCH, invert, sums};
use super::refine::Refinement;
use crate::{
    Plane,
    simd::{larger, smaller, vectorised, whole},
};

/// Dense inverse search: finds the [`Flow`] between two [`FlowFrame`]s. Holds the buffers, so that one value
/// serves a whole clip without allocating anew; it carries nothing else from one call to the next.
#[derive(Debug, Clone, Default)]
pub struct DenseInverseSearch {
    /// Dense flow of the level in work.
    u: Vec<f32>,
    v: Vec<f32>,
    /// Flow of each patch.
    sparse: Vec<[f32; 2]>,
    /// [`Patch::cost`] of each patch at its flow, NaN where it was not looked at.
    costs: Vec<f32>,
    /// Sum of weights of each pixel.
    weight: Vec<f32>,
    spare: Vec<f32>,
    /// One a level, since each is quick to use again for the size it has.
    refinements: Vec<Refinement>,
}

impl DenseInverseSearch {
    /// A search with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The flow from `from` to `to`: the point `x` of `from` lies at `x + flow(x)` in `to`.
    ///
    /// Frames whose shorter side is under 8 pixels give zero flow.
    ///
    /// # Panics
    /// When the frames differ in size or preset.
    pub fn calc(&mut self, from: &FlowFrame, to: &FlowFrame) -> Flow {
        assert_eq!((from.size, from.preset), (to.size, to.preset), "frames must be of one size and preset");
        let (width, height) = from.size;
        let Some(coarsest) = from.levels.last() else { return Plane::filled(width, height, [0.0; 2]) };
        let mut size = (coarsest.width, coarsest.height);
        for plane in [&mut self.u, &mut self.v] {
            plane.clear();
            plane.resize(size.0 * size.1, 0.0);
        }
        let refine = from.preset != super::Preset::UltraFast;
        self.refinements.resize_with(from.levels.len(), Refinement::default);
        for (level, (from, to)) in from.levels.iter().zip(&to.levels).enumerate().rev() {
            self.enlarge(&mut size, (from.width, from.height));
            search(self, from, to);
            densify(self, from, to);
            if refine {
                self.refinements[level].refine(from, to, &mut self.u, &mut self.v);
            }
        }
        for level in (0..from.finest).rev() {
            self.enlarge(&mut size, (width >> level, height >> level));
        }
        let vectors = self.u.iter().zip(&self.v).map(|(&u, &v)| [u, v]).collect();
        Plane::from_vec(width, height, vectors).expect("one vector a pixel")
    }

    /// Carries the dense flow to the next finer level.
    fn enlarge(&mut self, size: &mut (usize, usize), target: (usize, usize)) {
        if *size != target {
            for plane in [&mut self.u, &mut self.v] {
                double(plane, *size, &mut self.spare, target);
                std::mem::swap(plane, &mut self.spare);
            }
            *size = target;
        }
    }

    /// Improves the flow of a patch, from its own or that of a neighbour, whichever fits best. A patch visited
    /// `again` has been improved from its own flow before.
    #[inline(always)]
    fn visit(
        &mut self,
        patch: &mut Patch,
        from: &Level,
        to: &Level,
        i: usize,
        neighbours: [Option<usize>; 2],
        again: bool,
    ) {
        let own = self.sparse[i];
        let differs = |&[u, v]: &[f32; 2]| larger((u - own[0]).abs(), (v - own[1]).abs()) >= SAME;
        let candidates = neighbours.map(|n| n.map(|n| self.sparse[n]).filter(differs));
        if again && candidates == [None; 2] {
            return;
        }
        let (column, row) = (i % from.xs.len(), i / from.xs.len());
        patch.set(from, from.xs[column], from.ys[row], from.normals[i]);
        let (mut start, mut first) = (own, None);
        let mut least = if !again {
            first.insert(patch.step(to, own)).0
        } else if self.costs[i].is_nan() {
            patch.cost(to, own)
        } else {
            self.costs[i]
        };
        for candidate in candidates.into_iter().flatten() {
            let cost = patch.cost(to, candidate);
            if cost < least {
                (least, start, first) = (cost, candidate, None);
            }
        }
        if !again || start != own {
            (self.sparse[i], self.costs[i]) = patch.descend(to, start, first);
        }
    }
}

vectorised! {
    /// Finds the flow of each patch, starting from the dense flow: once from the top left, once from the
    /// bottom right, each patch also trying the flow of the two neighbours visited before it.
    fn search(work: &mut DenseInverseSearch, from: &Level, to: &Level) {
        let (columns, rows) = (from.xs.len(), from.ys.len());
        work.sparse.clear();
        work.costs.resize(columns * rows, f32::NAN);
        for &y in &from.ys {
            for &x in &from.xs {
                let centre = (y + PATCH / 2) * from.width + x + PATCH / 2;
                work.sparse.push([work.u[centre], work.v[centre]]);
            }
        }
        let mut patch = Patch::default();
        for pass in 0..2 {
            let again = pass == 1;
            for step in 0..columns * rows {
                let i = if again { columns * rows - 1 - step } else { step };
                let (column, row) = (i % columns, i / columns);
                let neighbours = if again {
                    [(column + 1 < columns).then_some(i + 1), (row + 1 < rows).then_some(i + columns)]
                } else {
                    [(column > 0).then(|| i - 1), (row > 0).then(|| i - columns)]
                };
                work.visit(&mut patch, from, to, i, neighbours, again);
            }
        }
    }

    /// Gives each pixel the mean of the flows of the patches over it, weighted by 1 / max(1, |difference|)
    /// of the luma where it would come from.
    fn densify(work: &mut DenseInverseSearch, from: &Level, to: &Level) {
        let width = from.width;
        let pixels = width * from.height;
        for plane in [&mut work.u, &mut work.v, &mut work.weight] {
            plane.resize(pixels, 0.0);
        }
        // Slices of one length, so that what is in one is known to be in all.
        let (u_sums, v_sums) = (&mut work.u[..pixels], &mut work.v[..pixels]);
        let (weights, mut patches) = (&mut work.weight[..pixels], work.sparse.iter());
        // Pixels before this one have had a patch over them. Rows are cleared before the first patch comes, and divided
        // after the last has gone, while they are still in the cache.
        let mut begun = 0;
        for (row_of_patches, &y) in from.ys.iter().enumerate() {
            let end = (y + PATCH) * width;
            for plane in [&mut *u_sums, v_sums, weights] {
                plane[begun..end].fill(0.0);
            }
            begun = end;
            for (&x, &[u, v]) in from.xs.iter().zip(&mut patches) {
                let window = Window::new(to, x as f32 + u, y as f32 + v);
                let mut above = window.row(0);
                for dy in 0..PATCH {
                    let below = window.row(dy + 1);
                    let sample = window.between(&above, &below);
                    above = below;
                    let image = row(&from.image, (y + dy + BORDER) * from.stride + x + BORDER);
                    let start = (y + dy) * from.width + x;
                    let (us, vs) = (row_mut(u_sums, start), row_mut(v_sums, start));
                    accumulate(us, vs, row_mut(weights, start), [u, v], &sample, image);
                }
            }
            let done = y * width..from.ys.get(row_of_patches + 1).map_or(end, |next| next * width);
            let sums = u_sums[done.clone()].iter_mut().zip(&mut v_sums[done.clone()]);
            for ((u, v), weight) in sums.zip(&weights[done]) {
                *u /= weight;
                *v /= weight;
            }
        }
    }
}

/// Candidates nearer than this, in pixels, are not tried apart: the descent reaches both.
const SAME: f32 = 0.3;
/// The most steps of a descent.
const STEPS: usize = 3;
/// How far a patch may hang over the edge, in pixels, before the pixels outside are left out of account.
const OVERHANG: f32 = 0.5;
/// A patch with fewer pixels inside the frame stays where it is.
const FEWEST: f32 = 8.0;
/// A step shorter than this, in pixels, is the last.
const SHORT: f32 = 0.01;

/// A patch of the first frame.
#[derive(Default)]
struct Patch {
    x: f32,
    y: f32,
    rows: [PatchRow; PATCH],
    inverse: [f32; 3],
}

#[derive(Clone, Copy, Default)]
struct PatchRow {
    image: Row,
    /// Gradient less its mean over the patch, which makes sums blind to a change of brightness.
    dx: Row,
    dy: Row,
}

impl Patch {
    /// Becomes that of a level at a place.
    #[inline(always)]
    fn set(&mut self, level: &Level, x: usize, y: usize, Normal { mean, inverse }: Normal) {
        (self.x, self.y, self.inverse) = (x as f32, y as f32, inverse);
        // Of one length, so that what is in one is known to be in the other.
        let (all_dx, all_dy) = (&level.dx[..], &level.dy[..level.dx.len()]);
        for (target, y) in self.rows.iter_mut().zip(y..) {
            target.image = *row(&level.image, (y + BORDER) * level.stride + x + BORDER);
            let (dx, dy) = (row(all_dx, y * level.width + x), row(all_dy, y * level.width + x));
            for k in 0..PATCH {
                target.dx[k] = dx[k] - mean[0];
                target.dy[k] = dy[k] - mean[1];
            }
        }
    }

    /// Sum of squared differences to the patch of `to` displaced by `flow`, less the difference in brightness.
    #[inline(always)]
    fn cost(&self, to: &Level, flow: [f32; 2]) -> f32 {
        if self.hangs(to, flow) {
            return self.step_inside(to, flow).0;
        }
        let [mut plain, mut squared] = [[0.0; LANES]; 2];
        let window = Window::new(to, self.x + flow[0], self.y + flow[1]);
        let mut above = window.row(0);
        for (row, i) in self.rows.iter().zip(1..) {
            let below = window.row(i);
            let sample = window.between(&above, &below);
            above = below;
            for k in 0..PATCH {
                let difference = sample[k] - row.image[k];
                plain[k % LANES] += difference;
                squared[k % LANES] += difference * difference;
            }
        }
        let [plain, squared] = sums(&[plain, squared]);
        squared - plain * plain / AREA
    }

    /// [`Self::cost`] and the Gauss–Newton step that lowers it.
    #[inline(always)]
    fn step(&self, to: &Level, flow: [f32; 2]) -> (f32, [f32; 2]) {
        if self.hangs(to, flow) {
            return self.step_inside(to, flow);
        }
        let [mut plain, mut squared, mut x, mut y] = [[0.0; LANES]; 4];
        let window = Window::new(to, self.x + flow[0], self.y + flow[1]);
        let mut above = window.row(0);
        for (row, i) in self.rows.iter().zip(1..) {
            let below = window.row(i);
            let sample = window.between(&above, &below);
            above = below;
            for k in 0..PATCH {
                let difference = sample[k] - row.image[k];
                plain[k % LANES] += difference;
                squared[k % LANES] += difference * difference;
                x[k % LANES] += difference * row.dx[k];
                y[k % LANES] += difference * row.dy[k];
            }
        }
        let [plain, squared, x, y] = sums(&[plain, squared, x, y]);
        (squared - plain * plain / AREA, solve(self.inverse, [x, y]))
    }

    /// Whether some of the pixels would come from outside the frame.
    #[inline(always)]
    fn hangs(&self, to: &Level, flow: [f32; 2]) -> bool {
        let reach = PATCH as f32 - 1.0 - OVERHANG;
        let (x, y) = (self.x + flow[0], self.y + flow[1]);
        x < -OVERHANG || y < -OVERHANG || x + reach > to.right || y + reach > to.bottom
    }

    /// [`Self::step`] from the pixels inside the frame alone, the cost scaled up to a whole patch; an infinite
    /// cost where hardly any are left.
    fn step_inside(&self, to: &Level, flow: [f32; 2]) -> (f32, [f32; 2]) {
        let (x, y) = (self.x + flow[0], self.y + flow[1]);
        let inside = |position: f32, end: f32| position >= 0.0 && position <= end;
        let mut sums = [0.0; 9];
        let mut count = 0.0;
        let window = Window::new(to, x, y);
        for (y_in_patch, row) in self.rows.iter().enumerate() {
            let sample = window.between(&window.row(y_in_patch), &window.row(y_in_patch + 1));
            for (k, sample) in sample.into_iter().enumerate() {
                if inside(x + k as f32, to.right) && inside(y + y_in_patch as f32, to.bottom) {
                    let (difference, dx, dy) = (sample - row.image[k], row.dx[k], row.dy[k]);
                    let terms = [
                        difference,
                        dx,
                        dy,
                        difference * difference,
                        dx * difference,
                        dy * difference,
                        dx * dx,
                        dx * dy,
                        dy * dy,
                    ];
                    for (sum, term) in sums.iter_mut().zip(terms) {
                        *sum += term;
                    }
                    count += 1.0;
                }
            }
        }
        if count < FEWEST {
            return (f32::INFINITY, [0.0; 2]);
        }
        let [plain, x, y, squared, dx, dy, xx, xy, yy] = sums;
        let inverse = invert([xx - x * x / count, xy - x * y / count, yy - y * y / count], count / AREA);
        let cost = (squared - plain * plain / count) * (AREA / count);
        (cost, solve(inverse, [dx - x * plain / count, dy - y * plain / count]))
    }

    /// Gauss–Newton from `start`, where the roles of the frames are swapped so that the normal equations stay
    /// the same; `start` itself where it would lead further than the patch is wide. With the cost of what it gives, NaN
    /// where that was not looked at; `first` is the [step](Self::step) at `start`, where it is known.
    #[inline(always)]
    fn descend(&self, to: &Level, start: [f32; 2], mut first: Option<(f32, [f32; 2])>) -> ([f32; 2], f32) {
        let (mut best, mut least) = (start, f32::INFINITY);
        let mut flow = start;
        for _ in 0..STEPS {
            let (cost, step) = first.take().unwrap_or_else(|| self.step(to, flow));
            if cost >= least {
                break;
            }
            (best, least) = (flow, cost);
            flow = [flow[0] - step[0], flow[1] - step[1]];
            if step[0] * step[0] + step[1] * step[1] < SHORT * SHORT {
                (best, least) = (flow, f32::NAN);
                break;
            }
        }
        let way = [best[0] - start[0], best[1] - start[1]];
        if way[0] * way[0] + way[1] * way[1] <= AREA { (best, least) } else { (start, f32::NAN) }
    }
}

/// The product of a symmetric matrix `[xx, xy, yy]` and a vector.
#[inline(always)]
fn solve([xx, xy, yy]: [f32; 3], [x, y]: [f32; 2]) -> [f32; 2] {
    [xx * x + xy * y, xy * x + yy * y]
}

/// 8×8 pixels of a level at a fractional place, which all share their bilinear weights.
struct Window<'a> {
    pixels: &'a [f32],
    stride: usize,
    fx: f32,
    fy: f32,
}

impl<'a> Window<'a> {
    /// `x`, `y`: place of the top left pixel; brought back to where a row and a column still touch the level.
    #[inline(always)]
    fn new(level: &'a Level, x: f32, y: f32) -> Self {
        let overhang = PATCH as f32 - 1.0;
        let x = smaller(larger(x, -overhang), level.right) + BORDER as f32;
        let y = smaller(larger(y, -overhang), level.bottom) + BORDER as f32;
        let (left, top) = (whole(x), whole(y));
        Self {
            pixels: &level.image[top as usize * level.stride + left as usize..],
            stride: level.stride,
            fx: x - left as f32,
            fy: y - top as f32,
        }
    }

    /// The pixels of row `i`, 0 to [`PATCH`], interpolated along it.
    #[inline(always)]
    fn row(&self, i: usize) -> Row {
        let pixels = &self.pixels[i * self.stride..][..PATCH + 1];
        let mut row = [0.0; PATCH];
        for k in 0..PATCH {
            row[k] = pixels[k] + self.fx * (pixels[k + 1] - pixels[k]);
        }
        row
    }

    /// The pixels between two rows.
    #[inline(always)]
    fn between(&self, above: &Row, below: &Row) -> Row {
        let mut row = [0.0; PATCH];
        for k in 0..PATCH {
            row[k] = above[k] + self.fy * (below[k] - above[k]);
        }
        row
    }
}

type Row = [f32; PATCH];

/// Adds the flow of a patch to the weighted sums of one of its rows.
#[inline(always)]
fn accumulate(us: &mut Row, vs: &mut Row, weights: &mut Row, [u, v]: [f32; 2], sample: &Row, image: &Row) {
    for k in 0..PATCH {
        let weight = 1.0 / larger((sample[k] - image[k]).abs(), 1.0);
        us[k] += weight * u;
        vs[k] += weight * v;
        weights[k] += weight;
    }
}

/// A row of a patch, from this place on.
#[inline(always)]
fn row(plane: &[f32], start: usize) -> &Row {
    plane[start..].first_chunk().expect("a patch inside the plane")
}

/// As [`row`].
#[inline(always)]
fn row_mut(plane: &mut [f32], start: usize) -> &mut Row {
    plane[start..].first_chunk_mut().expect("a patch inside the plane")
}

/// Twice the size (an odd last row or column is repeated) and twice the values, bilinear.
fn double(source: &[f32], (width, height): (usize, usize), target: &mut Vec<f32>, (wide, high): (usize, usize)) {
    target.resize(wide * high, 0.0);
    let mut mixed = vec![0.0; width + 2];
    for (y, row) in target.chunks_exact_mut(wide).enumerate() {
        // The row that covers this one, and the nearer of its neighbours.
        let near = (y / 2).min(height - 1);
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(height - 1) };
        let [near, far] = [near, far].map(|y| &source[y * width..][..width]);
        double_row(row, &mut mixed, near, far);
    }
}

vectorised! {
    /// A row of a doubled plane; `mixed` has room for one pixel more at both ends.
    fn double_row(row: &mut [f32], mixed: &mut [f32], near: &[f32], far: &[f32]) {
        let width = near.len();
        for ((mixed, near), far) in mixed[1..].iter_mut().zip(near).zip(far) {
            *mixed = 1.5 * near + 0.5 * far;
        }
        mixed[0] = mixed[1];
        mixed[width + 1] = mixed[width];
        let (pairs, rest) = row.as_chunks_mut::<2>();
        let around = mixed.iter().zip(&mixed[1..]).zip(&mixed[2..]);
        for (pair, ((before, here), after)) in pairs.iter_mut().zip(around) {
            *pair = [0.25 * before + 0.75 * here, 0.75 * here + 0.25 * after];
        }
        if let [last] = rest {
            *last = mixed[width];
        }
    }
}
