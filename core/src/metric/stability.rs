//! T of DAVIS 2016: how much a contour changes its shape from frame to frame.

use crate::{BitMask, Result, plane::check_frame_size, simd::vectorised};

/// What the benchmark multiplies the mean cost by.
const SCALE: f64 = 5.0;

/// Twice the distance from the contour, in pixels, within which its polygon runs; also twice the distance under which
/// neighbouring corners become one.
const TOLERANCE: f64 = 3.0;

/// The longest step along a polygon between two points that are compared, in pixels.
const STEP: f32 = 3.0;

/// Bins of a shape context: sectors of 30°, and rings that end at ⅛, ¼, ½, 1 and 2 mean distances.
const SECTORS: usize = 12;
const RINGS: [f64; 5] = [0.125, 0.25, 0.5, 1.0, 2.0];
const BINS: usize = SECTORS * RINGS.len();

type Point = [f32; 2];

/// T of DAVIS 2016: how differently the longest contours of two neighbouring frames' masks are shaped, 0 (the same
/// shape) to 5; `None` when one of the masks has no contour.
///
/// F. Perazzi et al., *A benchmark dataset and evaluation methodology for video object segmentation*, CVPR 2016; the
/// steps are those of its `db_eval_t_stab`. The contour is made a polygon to 1.5 pixels, and that is divided into steps
/// of at most 3 pixels. Each of its points is described by where the others lie (S. Belongie, J. Malik, J. Puzicha,
/// *Shape matching and object recognition using shape contexts*, PAMI 2002), and the points of the two contours are
/// matched in order (dynamic time warping), at the least cost; T is five times the mean cost of a match.
///
/// The mean over a clip is its T; the lower the steadier. It asks for no truth, and a frozen mask scores 0. An object
/// that truly changes its shape costs as well: the truth of DAVIS has a T of its own, and only what is above that is
/// unsteady.
///
/// The figures are the benchmark's wherever no two pixels of a mask touch by a corner only. There the benchmark cuts the
/// outline, and the longest of the pieces may be another.
///
/// Time and memory grow with the product of the contours' lengths: tens of milliseconds a frame, where the other
/// measures take one.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn contour_instability(previous: &BitMask, current: &BitMask) -> Result<Option<f64>> {
    check_frame_size(0, current.size(), previous.size())?;
    let contexts =
        [previous, current].map(|mask| longest_outline(mask).map(|outline| shape_contexts(&divided(&outline))));
    let [Some(previous), Some(current)] = contexts else { return Ok(None) };
    Ok(Some(SCALE * match_cost(&Costs::between(&previous, &current))))
}

/// The polygon with the most corners, closed (its first corner is also its last), in pixels; of equals the last found.
fn longest_outline(mask: &BitMask) -> Option<Vec<Point>> {
    let outlines = outlines(mask).into_iter().filter(|outline| outline.len() > 3);
    let longest = outlines.max_by_key(Vec::len)?;
    Some(longest.iter().map(|corner| corner.map(|v| (v / 2.0) as f32)).collect())
}

/// All outlines of the mask and its holes, simplified, with twice the coordinates of the pixels' corners.
fn outlines(mask: &BitMask) -> Vec<Vec<[f64; 2]>> {
    let (width, height) = mask.size();
    let inside = |x: isize, y: isize| {
        x >= 0 && y >= 0 && x < width as isize && y < height as isize && mask.get(x as usize, y as usize)
    };
    // Whether the upright edge at the left of pixel (x, y) is part of an outline that was followed.
    let mut followed = BitMask::empty(width + 1, height);
    let mut outlines = Vec::new();
    for y in 0..height {
        for x in 0..=width {
            let (x, y) = (x as isize, y as isize);
            if inside(x - 1, y) == inside(x, y) || followed.get(x as usize, y as usize) {
                continue;
            }
            let hole = inside(x - 1, y);
            let mut outline = follow([x, y], &inside, |x, y| followed.row_mut(y)[x / 64] |= 1 << (x % 64));
            outline = simplified(&simplified(&outline, 0.1), TOLERANCE);
            if clockwise(&outline) == hole {
                outline.reverse();
            }
            outlines.push(outline);
        }
    }
    outlines
}

/// Follows an outline from the corner `start` downwards until it closes. Where two pixels meet at a corner only, the
/// outline keeps to its own.
fn follow(
    start: [isize; 2],
    inside: &impl Fn(isize, isize) -> bool,
    mut mark: impl FnMut(usize, usize),
) -> Vec<[f64; 2]> {
    let mut outline = vec![start.map(|v| 2.0 * v as f64)];
    let ([mut x, mut y], [mut dx, mut dy]) = (start, [0, 1]);
    // The left of someone who walks down the picture is the picture's right.
    let object_left = inside(x, y);
    loop {
        if dx == 0 {
            mark(x as usize, (if dy > 0 { y } else { y - 1 }) as usize);
        }
        (x, y) = (x + dx, y + dy);
        outline.push([2.0 * x as f64, 2.0 * y as f64]);
        // The pixels ahead, to the left and to the right.
        let ahead = |side: isize| {
            let (left_x, left_y) = (dy * side, -dx * side);
            // Pixel (x, y) has its corner (x, y) at the top left.
            inside(x + (dx + left_x - 1) / 2, y + (dy + left_y - 1) / 2)
        };
        let (left, right) = (ahead(1), ahead(-1));
        let turn_left = [dy, -dx];
        let turn_right = [-dy, dx];
        [dx, dy] = match (object_left, left, right) {
            (true, true, false) | (false, false, true) => [dx, dy],
            // Around the object's last pixel; also where the pixel ahead touches it at a corner.
            (true, false, _) => turn_left,
            (false, _, false) => turn_right,
            (true, true, true) => turn_right,
            (false, true, true) => turn_left,
        };
        if [x, y] == start && [dx, dy] == [0, 1] {
            return outline;
        }
    }
}

/// `psimpl`'s Douglas–Peucker, as the benchmark calls it: corners nearer than `tolerance` to the one before are left
/// out first, then the corner farthest from its segment is kept where that is over `tolerance`, and so on.
fn simplified(outline: &[[f64; 2]], tolerance: f64) -> Vec<[f64; 2]> {
    let limit = tolerance * tolerance;
    let [first, middle @ .., last] = outline else { return outline.to_vec() };
    if middle.is_empty() {
        return outline.to_vec();
    }
    let mut apart = vec![*first];
    for corner in middle {
        if squared_distance(apart[apart.len() - 1], *corner) >= limit {
            apart.push(*corner);
        }
    }
    apart.push(*last);
    let mut kept = vec![false; apart.len()];
    (kept[0], kept[apart.len() - 1]) = (true, true);
    let mut pieces = vec![(0, apart.len() - 1)];
    while let Some((from, to)) = pieces.pop() {
        // Of equals the last.
        let farthest = (from + 1..to)
            .map(|i| (squared_distance_to_segment(apart[i], apart[from], apart[to]), i))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((distance, i)) = farthest
            && distance > limit
        {
            kept[i] = true;
            pieces.extend([(i, to), (from, i)]);
        }
    }
    apart.into_iter().zip(kept).filter_map(|(corner, kept)| kept.then_some(corner)).collect()
}

fn squared_distance([ax, ay]: [f64; 2], [bx, by]: [f64; 2]) -> f64 {
    (bx - ax) * (bx - ax) + (by - ay) * (by - ay)
}

fn squared_distance_to_segment(p: [f64; 2], from: [f64; 2], to: [f64; 2]) -> f64 {
    let (v, w) = ([to[0] - from[0], to[1] - from[1]], [p[0] - from[0], p[1] - from[1]]);
    let (along, length) = (w[0] * v[0] + w[1] * v[1], v[0] * v[0] + v[1] * v[1]);
    if along <= 0.0 {
        return squared_distance(p, from);
    }
    if length <= along {
        return squared_distance(p, to);
    }
    let share = f64::from(along as f32 / length as f32);
    squared_distance(p, [from[0] + share * v[0], from[1] + share * v[1]])
}

/// Whether the closed outline goes round its area as the hands of a clock do in the picture.
fn clockwise(outline: &[[f64; 2]]) -> bool {
    outline.windows(2).map(|pair| (pair[1][1] - pair[0][1]) * (pair[1][0] + pair[0][0])).sum::<f64>() > 0.0
}

/// The polygon with points between its corners, so that no step is longer than [`STEP`].
fn divided(outline: &[Point]) -> Vec<Point> {
    let mut points = vec![outline[0]];
    for pair in outline.windows(2) {
        let [dx, dy] = [pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]];
        let steps = ((dx * dx + dy * dy).sqrt() / STEP).ceil();
        let [mut x, mut y] = pair[0];
        for _ in 1..steps as usize {
            (x, y) = (x + dx / steps, y + dy / steps);
            points.push([x, y]);
        }
        points.push(pair[1]);
    }
    points
}

/// For each point the share of all points in each bin around it, itself included.
fn shape_contexts(points: &[Point]) -> Vec<[f64; BINS]> {
    let points: Vec<[f64; 2]> = points.iter().map(|point| point.map(f64::from)).collect();
    let distances = |from: [f64; 2]| points.iter().map(move |&to| squared_distance(from, to).sqrt());
    let sum: f64 = points.iter().map(|&from| distances(from).sum::<f64>()).sum();
    let mean = sum / (points.len() * points.len()) as f64;
    let context = |&from: &[f64; 2]| {
        let mut bins = [0.0; BINS];
        for (to, distance) in points.iter().zip(distances(from)) {
            if let Some(ring) = RINGS.iter().position(|&end| distance / mean < end) {
                bins[ring * SECTORS + sector(to[0] - from[0], to[1] - from[1])] += 1.0;
            }
        }
        let total: f64 = bins.iter().sum();
        bins.map(|count| count / (total + f64::EPSILON))
    };
    points.iter().map(context).collect()
}

/// Which of the twelve sectors of 30°, from 0° up, a direction lies in; 0 for no direction.
fn sector(x: f64, y: f64) -> usize {
    // Turned by a multiple of 90° into 0° ≤ angle < 90°.
    let (quarter, x, y) = match (x > 0.0, y > 0.0) {
        (true, _) if y >= 0.0 => (0, x, y),
        (_, true) => (1, y, -x),
        _ if x < 0.0 => (2, -x, -y),
        _ if y < 0.0 => (3, -y, x),
        _ => (0, 0.0, 0.0),
    };
    let third = match (3.0 * y * y < x * x, y * y < 3.0 * x * x) {
        _ if y == 0.0 => 0,
        (true, _) => 0,
        (_, true) => 1,
        _ => 2,
    };
    3 * quarter + third
}

/// What it costs to match each point of one contour with each of the other.
struct Costs {
    rows: usize,
    columns: usize,
    /// Row by row.
    costs: Vec<f64>,
}

impl Costs {
    /// χ² of the shape contexts.
    fn between(a: &[[f64; BINS]], b: &[[f64; BINS]]) -> Self {
        let (rows, columns) = (a.len(), b.len());
        // Bin by bin, so that the loop over the columns is a plain one.
        let bins: Vec<f64> = (0..BINS).flat_map(|bin| b.iter().map(move |context| context[bin])).collect();
        let mut costs = vec![0.0; rows * columns];
        for (costs, context) in costs.chunks_exact_mut(columns).zip(a) {
            chi_squared(costs, context, &bins);
        }
        Self { rows, columns, costs }
    }

    /// With rows and columns shifted, so that `(row, column)` is the first.
    fn at(&self, [row, column]: [usize; 2], [from_row, from_column]: [usize; 2]) -> f64 {
        // Both are less than a whole turn.
        let wrapped = |index: usize, length: usize| if index < length { index } else { index - length };
        self.costs[wrapped(row + from_row, self.rows) * self.columns + wrapped(column + from_column, self.columns)]
    }

    /// The cheapest way from the first pair to the last by steps to the next row, column or both, both contours begun
    /// at `from`; its pairs from the last to the first.
    fn cheapest_way(&self, from: [usize; 2]) -> Vec<[usize; 2]> {
        let (rows, columns) = (self.rows, self.columns);
        let mut sums = vec![f64::INFINITY; rows * columns];
        // Of equals the step along both.
        let before = |sums: &[f64], row: usize, column: usize| {
            let sum = |row: usize, column: usize| sums[row * columns + column];
            let mut best = (f64::INFINITY, [row, column]);
            for (back, aside) in [(1, 1), (1, 0), (0, 1)] {
                if row >= back && column >= aside && sum(row - back, column - aside) < best.0 {
                    best = (sum(row - back, column - aside), [row - back, column - aside]);
                }
            }
            best
        };
        sums[0] = 0.0;
        for row in 0..rows {
            for column in usize::from(row == 0)..columns {
                sums[row * columns + column] = before(&sums, row, column).0 + self.at([row, column], from);
            }
        }
        std::iter::successors(Some([rows - 1, columns - 1]), |&[row, column]| {
            ([row, column] != [0, 0]).then(|| before(&sums, row, column).1)
        })
        .collect()
    }
}

vectorised! {
    /// Half the χ² distance of the context to each of the other contour, whose bins stand one after the other.
    fn chi_squared(costs: &mut [f64], context: &[f64; BINS], bins: &[f64]) {
        for (&a, bins) in context.iter().zip(bins.chunks_exact(costs.len())) {
            for (cost, &b) in costs.iter_mut().zip(bins) {
                *cost += 0.5 * ((a - b) * (a - b)) / (a + b + f64::EPSILON);
            }
        }
    }
}

/// The mean cost of the matches that are the best for both of their points.
fn match_cost(costs: &Costs) -> f64 {
    let unshifted = [0, 0];
    let way = costs.cheapest_way(unshifted);
    // Both contours are begun anew after their best match, since they begin anywhere. The first pair of the way counts
    // only where it is the whole of it.
    let candidates = &way[..(way.len() - 1).max(1)];
    let best = candidates
        .iter()
        .fold(way[0], |best, &pair| if costs.at(pair, unshifted) < costs.at(best, unshifted) { pair } else { best });
    let from = [(best[0] + 1) % costs.rows, (best[1] + 1) % costs.columns];
    let back = |[row, column]: [usize; 2]| [(row + from[0]) % costs.rows, (column + from[1]) % costs.columns];
    let pairs = costs.cheapest_way(from).into_iter().map(back).collect::<Vec<_>>();
    let pairs = best_of_each(pairs, 0, costs);
    let pairs = best_of_each(pairs, 1, costs);
    pairs.iter().map(|&pair| costs.at(pair, unshifted)).sum::<f64>() / pairs.len() as f64
}

/// The cheapest pair of each point of one side; of equals the first.
fn best_of_each(mut pairs: Vec<[usize; 2]>, side: usize, costs: &Costs) -> Vec<[usize; 2]> {
    pairs.sort_by(|a, b| {
        let cost = |pair: [usize; 2]| costs.at(pair, [0, 0]);
        a[side].cmp(&b[side]).then(cost(*a).total_cmp(&cost(*b)))
    });
    pairs.dedup_by_key(|pair| pair[side]);
    pairs
}
