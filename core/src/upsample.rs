//! Labels at the frame's size from probabilities at work size, along the edges of the picture.
//!
//! Enlarging alone puts the contour where the small probabilities cross the level, up to a few work pixels beside the
//! edge it stands for. Only near a contour, in a *band*, each pixel of the frame therefore asks the work pixels around
//! it: those of its own colour and those nearby have more say, as in joint bilateral upsampling (J. Kopf, M. F. Cohen,
//! D. Lischinski, M. Uyttendaele, *Joint bilateral upsampling*, SIGGRAPH 2007), but they vote with their labels, and
//! the enlarged probabilities have a voice of their own, which decides where colours tell nothing. All in whole numbers.
//!
//! Masks that came larger than the work size know their contour better than the picture does. What averaging took from
//! them is given back wherever the filter has left their contour about where it was: see [`Own`].

use std::ops::RangeInclusive;

use crate::{
    Plane, RAW_LEVEL, Rgb,
    filter::local_maximum,
    parallel,
    resize::{self, bilinear_taps},
    simd::vectorised,
};

/// Every second work pixel no further than this in columns and rows is asked.
pub const REACH: usize = 6;
/// Work pixels no further than this from another label make the band.
pub const BAND: usize = 2;
/// Sum of the differences in red, green and blue from which on a work pixel has no say.
pub const COLOR_RANGE: i16 = 160;
/// How far over its rivals an enlarged probability must be to have its full voice.
pub const SURE: i32 = 32;
/// The full voice of the enlarged probabilities, in sixteenths of all the votes cast.
pub const VOICE: i32 = 10;
/// How far a filter may shift a contour for it to keep its own fine edges, in 1/255 of a work pixel.
pub const SHIFT: i32 = 255;

// Votes are counted in 16 bits.
const _: () = assert!(((COLOR_RANGE as i32 * COLOR_RANGE as i32) >> 7) * 127 <= i16::MAX as i32);

/// Work pixels asked in a row, and rows of them.
const ASKED: usize = REACH + 1;
/// The same, filled up to whole vectors.
const TAPS: usize = 8;

/// Masks as they were before the filter, where they came larger than the work size.
///
/// Where the filter shifts their contour by no more than a work pixel, P + F − S takes the place of the enlarged
/// probabilities P, with F the masks at the frame's size and S those at work size, enlarged: it is F itself where the
/// filter changes nothing. The shift is g / e, summed over the work pixels within [`REACH`] columns and rows: g is the
/// largest difference that the filter makes to a class, from 0 to 1; e is 1 where another label is next on the right
/// or below in the masks at work size.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// At the frame's size, one plane a class, 0–255.
    pub full: &'a [Plane<u8>],
    /// What they average to at work size, one plane a class: what the filter was given.
    pub small: &'a [Plane<u8>],
}

/// Labels at the size of `frame` from probabilities at work size, one plane a class: 0 = nothing, k = the k-th class.
///
/// The class of the largest probability wins where it is over `level`; of equals, the first. Away from contours that
/// is all. Near them the picture decides: with L(q) the label of the work pixel q, a pixel x gets the label ℓ with the
/// largest
///
/// Σ c(x, q) · s(x, q) · \[L(q) = ℓ\] + ⅝ · min(1, m(x) / 32) · \[M(x) = ℓ\] · Σ c(x, q) · s(x, q),
///
/// summed over every second column and row of the window of 13 by 13 work pixels around x. Here
/// c = max(0, 1 − d / 160)², with d the sum of the differences in red, green and blue between x and q;
/// s = (1 − u²)² · (1 − v²)², with (u, v) the distance in units of 7 work pixels;
/// M the label of the enlarged probabilities, which lead by m levels of 255. Of equals M wins, then the lowest label.
///
/// With `own` masks, the picture is not asked where their contour holds: there the class of the largest P + F − S wins.
///
/// Where the frame is in no direction larger than the probabilities, or in one smaller, they are averaged to its size
/// and compete there.
///
/// # Panics
/// When there are no planes, over 255, or planes of different sizes.
pub fn full_labels(probabilities: &[Plane<u8>], own: Option<Own<'_>>, frame: &Plane<Rgb>, level: u8) -> Plane<u8> {
    assert!((1..=255).contains(&probabilities.len()), "{} classes, expected 1 to 255", probabilities.len());
    let size = probabilities[0].size();
    assert!(probabilities.iter().all(|plane| plane.size() == size), "planes of different sizes");
    let (width, height) = frame.size();
    if !is_enlarged(size, (width, height)) {
        let planes: Vec<_> = probabilities.iter().map(|plane| resize::area(plane, width, height)).collect();
        return labels(&planes, level);
    }
    let small = labels(probabilities, level);
    let down = places(size.1, height);
    let context = Context {
        probabilities,
        level,
        band: band(&small),
        electorate: Electorate::new(&small, &resize::area_rgb(frame, size.0, size.1)),
        labels: small,
        columns: places(size.0, width),
        fine: own.map(|own| Fine::new(probabilities, own, (width, height))),
    };
    let mut out = Plane::filled(width, height, 0);
    parallel::rows(&mut out, |y, row| fill(&context, &down[y], frame.row(y), y, row));
    out
}

/// Probabilities at `size` from probabilities at work size, one plane a class: as [`resize::resize`], and with `own`
/// masks P + F − S where their contour holds.
///
/// # Panics
/// As [`full_labels`].
pub fn full_probabilities(probabilities: &[Plane<u8>], own: Option<Own<'_>>, size: (usize, usize)) -> Vec<Plane<u8>> {
    let mut full: Vec<_> = probabilities.iter().map(|plane| resize::resize(plane, size.0, size.1)).collect();
    let work_size = probabilities[0].size();
    let Some(own) = own.filter(|_| is_enlarged(work_size, size)) else { return full };
    let fine = Fine::new(probabilities, own, size);
    let (columns, lines) = (places(work_size.0, size.0), places(work_size.1, size.1));
    for (class, plane) in full.iter_mut().enumerate() {
        parallel::rows(plane, |y, row| {
            let near = fine.held.row(lines[y].cell);
            for (x, (p, across)) in row.iter_mut().zip(&columns).enumerate() {
                if near[across.cell] != Held::Not {
                    *p = fine.probability(*p, class, (x, y), across, &lines[y]);
                }
            }
        });
    }
    full
}

/// Whether a frame of `full` size is larger than `size`, and in no direction smaller.
fn is_enlarged(size: (usize, usize), full: (usize, usize)) -> bool {
    full.0 >= size.0 && full.1 >= size.1 && full != size
}

/// How far a contour holds.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    /// The filter has moved it too far, or something else has come.
    Not,
    /// About.
    Nearly,
    /// Here the filter has changed nothing.
    Wholly,
}

/// Masks of which the fine course is known, and where it holds.
struct Fine<'a> {
    own: Own<'a>,
    held: Plane<Held>,
}

impl<'a> Fine<'a> {
    fn new(probabilities: &[Plane<u8>], own: Own<'a>, size: (usize, usize)) -> Self {
        let classes = [own.full.len(), own.small.len()];
        assert_eq!(classes, [probabilities.len(); 2], "own masks of other classes");
        let (width, height) = probabilities[0].size();
        assert!(own.full.iter().all(|plane| plane.size() == size), "own masks not of the frame's size");
        assert!(own.small.iter().all(|plane| plane.size() == (width, height)), "own masks not of the work size");
        let gap = Plane::from_fn(width, height, |x, y| {
            let pairs = probabilities.iter().zip(own.small);
            pairs.map(|(p, s)| p.get(x, y).abs_diff(s.get(x, y))).max().unwrap_or(0)
        });
        let labels = labels(own.small, RAW_LEVEL);
        let shift = window_sums(&Plane::from_fn(width, height, |x, y| {
            let here = labels.get(x, y);
            let right = x + 1 < width && labels.get(x + 1, y) != here;
            let below = y + 1 < height && labels.get(x, y + 1) != here;
            i32::from(gap.get(x, y)) - if right || below { SHIFT } else { 0 }
        }));
        // Interpolation asks no work pixel that is not next to the one it is in.
        let changed = local_maximum(&gap, 1);
        let held = Plane::from_fn(width, height, |x, y| match (shift.get(x, y), changed.get(x, y)) {
            (1.., _) => Held::Not,
            (_, 1..) => Held::Nearly,
            (_, 0) => Held::Wholly,
        });
        Self { own, held }
    }

    /// P + F − S of a class at pixel `(x, y)` of the frame, with P the enlarged probability `p`.
    #[inline(always)]
    fn probability(&self, p: u8, class: usize, (x, y): (usize, usize), across: &Place, down: &Place) -> u8 {
        let own = i16::from(self.own.full[class].get(x, y));
        let enlarged = interpolated(&self.own.small[class], across.between, down.between);
        (i16::from(p) + own - i16::from(enlarged)).clamp(0, 255) as u8
    }
}

/// For each pixel the sum of the values within [`REACH`] columns and rows of it; beyond the edge there is nothing.
fn window_sums(values: &Plane<i32>) -> Plane<i32> {
    let (width, height) = values.size();
    let around = |i: usize, length: usize| i.saturating_sub(REACH)..(i + REACH + 1).min(length);
    let mut lines = Plane::filled(width, height, 0);
    parallel::rows(&mut lines, |y, row| {
        for line in around(y, height) {
            row.iter_mut().zip(values.row(line)).for_each(|(sum, value)| *sum += value);
        }
    });
    Plane::from_fn(width, height, |x, y| lines.row(y)[around(x, width)].iter().sum())
}

/// Where a column or a row of the frame lies among the work pixels.
struct Place {
    /// The work pixel its centre is in.
    cell: usize,
    /// What the work pixels asked have to say.
    says: [i16; TAPS],
    /// The two work pixels it is interpolated from, and the weight of the second in 1/2048.
    between: (usize, usize, u32),
}

/// What all rows of the result are made of.
struct Context<'a> {
    probabilities: &'a [Plane<u8>],
    level: u8,
    labels: Plane<u8>,
    band: Plane<Option<(u8, u8)>>,
    electorate: Electorate,
    columns: Vec<Place>,
    fine: Option<Fine<'a>>,
}

vectorised! {
    /// The winning label of each pixel of row `y`, as [`leader`] finds it.
    fn leaders(planes: &[Plane<u8>], level: u8, y: usize, row: &mut [u8]) {
        let mut most = vec![level; row.len()];
        row.fill(0);
        for (class, plane) in (1..=u8::MAX).zip(planes) {
            for ((label, most), &p) in row.iter_mut().zip(&mut most).zip(plane.row(y)) {
                *label = if p > *most { class } else { *label };
                *most = p.max(*most);
            }
        }
    }

    /// Row `y` of the result.
    fn fill(context: &Context<'_>, down: &Place, colors: &[Rgb], y: usize, row: &mut [u8]) {
        let Context { probabilities, level, labels, band, electorate, columns, fine } = context;
        let (near, plain) = (band.row(down.cell), labels.row(down.cell));
        let held = fine.as_ref().map(|fine| (fine, fine.held.row(down.cell)));
        if let Some((fine, _)) = held {
            leaders(fine.own.full, *level, y, row);
        }
        for (x, ((label, &color), across)) in row.iter_mut().zip(colors).zip(columns).enumerate() {
            if let Some((fine, held)) = held && held[across.cell] != Held::Not {
                if held[across.cell] == Held::Nearly {
                    let probabilities = probabilities.iter().enumerate().map(|(class, plane)| {
                        let p = interpolated(plane, across.between, down.between);
                        fine.probability(p, class, (x, y), across, down)
                    });
                    *label = leader(probabilities, *level).0;
                }
                continue;
            }
            let Some((low, high)) = near[across.cell] else {
                *label = plain[across.cell];
                continue;
            };
            let enlarged = probabilities.iter().map(|plane| interpolated(plane, across.between, down.between));
            let (leader, margin) = leader(enlarged, *level);
            let ballot = electorate.ballot(color, (across.cell, down.cell), &across.says, &down.says);
            *label = ballot.winner(low..=high, leader, margin);
        }
    }
}

/// Who wins at each pixel.
fn labels(planes: &[Plane<u8>], level: u8) -> Plane<u8> {
    let (width, height) = planes[0].size();
    let mut out = Plane::filled(width, height, 0);
    parallel::rows(&mut out, |y, row| leaders(planes, level, y, row));
    out
}

/// As [`resize::bilinear`] at one pixel, between these columns and these rows.
#[inline(always)]
fn interpolated(plane: &Plane<u8>, across: (usize, usize, u32), down: (usize, usize, u32)) -> u8 {
    let (left, right, fx) = across;
    let (top, bottom, fy) = down;
    let mix = |row: &[u8]| u32::from(row[left]) * (2048 - fx) + u32::from(row[right]) * fx;
    ((mix(plane.row(top)) * (2048 - fy) + mix(plane.row(bottom)) * fy + (1 << 21)) >> 22) as u8
}

/// The winning label of a pixel, and by how much it leads, at least 0. Nothing has the probability `level`, and wins
/// from its equals; of equal classes the first wins.
#[inline(always)]
fn leader(probabilities: impl Iterator<Item = u8>, level: u8) -> (u8, i32) {
    let (mut label, mut first, mut second) = (0, level, 0);
    for (class, p) in (1..=u8::MAX).zip(probabilities) {
        if p > first {
            (label, first, second) = (class, p, first);
        } else {
            second = second.max(p);
        }
    }
    (label, i32::from(first) - i32::from(second))
}

/// Where each of `target` columns or rows lies among `source` work pixels. The work pixels asked begin [`REACH`] before
/// its own; each has the say (1 − u²)² in 1/127, where u is the distance in units of `REACH + 1` work pixels.
fn places(source: usize, target: usize) -> Vec<Place> {
    // In 1/256 of a source pixel.
    let range = 256 * (REACH as i64 + 1);
    let place = |(i, between)| {
        let cell = (2 * i + 1) * source / (2 * target);
        let position = ((2 * i + 1) * source * 128 / target) as i64;
        let say = |tap: usize| {
            let center = 256 * ((cell + 2 * tap) as i64 - REACH as i64) + 128;
            let rest = (range * range - (center - position) * (center - position)).max(0);
            let whole = range * range;
            ((127 * rest * rest + whole * whole / 2) / (whole * whole)) as i16
        };
        Place { cell, says: std::array::from_fn(|tap| if tap < ASKED { say(tap) } else { 0 }), between }
    };
    bilinear_taps(source, target).into_iter().enumerate().map(place).collect()
}

/// For work pixels within [`BAND`] of another label the lowest and the highest label within [`REACH`].
fn band(labels: &Plane<u8>) -> Plane<Option<(u8, u8)>> {
    let highest = |radius| local_maximum(labels, radius);
    let turned = labels.map(|&label| 255 - label);
    let lowest = |radius| local_maximum(&turned, radius).map(|&label| 255 - label);
    let mut band = Plane::filled(labels.width(), labels.height(), None);
    let (inner, outer) = ((lowest(BAND), highest(BAND)), (lowest(REACH), highest(REACH)));
    for (i, near) in band.data_mut().iter_mut().enumerate() {
        let at = |planes: &(Plane<u8>, Plane<u8>)| (planes.0.data()[i], planes.1.data()[i]);
        *near = (at(&inner).0 != at(&inner).1).then(|| at(&outer));
    }
    band
}

/// The work pixels with a margin all around, so that every window lies inside; in each row the even columns first.
struct Electorate {
    /// Columns of one kind in a row.
    half: usize,
    colors: [Vec<i16>; 3],
    labels: Vec<i16>,
}

/// What the work pixels around a pixel have to say.
struct Ballot {
    weights: [[i16; TAPS]; ASKED],
    labels: [[i16; TAPS]; ASKED],
}

impl Electorate {
    fn new(labels: &Plane<u8>, colors: &Plane<Rgb>) -> Self {
        let (width, height) = labels.size();
        let half = width.div_ceil(2) + TAPS;
        let length = 2 * half * (height + 2 * REACH);
        // So far from any colour that it has no say.
        let mut padded = [(); 3].map(|()| vec![-1024; length]);
        let mut padded_labels = vec![0; length];
        for y in 0..height {
            for (x, (&color, &label)) in colors.row(y).iter().zip(labels.row(y)).enumerate() {
                let x = x + REACH;
                let at = (2 * (y + REACH) + x % 2) * half + x / 2;
                for (channel, value) in padded.iter_mut().zip(color) {
                    channel[at] = i16::from(value);
                }
                padded_labels[at] = i16::from(label);
            }
        }
        Self { half, colors: padded, labels: padded_labels }
    }

    /// The window around work pixel `(x, y)` for a pixel of this `color`; what columns and rows have to say.
    #[inline(always)]
    fn ballot(&self, color: Rgb, (x, y): (usize, usize), columns: &[i16; TAPS], rows: &[i16; TAPS]) -> Ballot {
        let color = color.map(i16::from);
        let mut ballot = Ballot { weights: [[0; TAPS]; ASKED], labels: [[0; TAPS]; ASKED] };
        for (dy, &say) in rows.iter().take(ASKED).enumerate() {
            let from = (2 * (y + 2 * dy) + x % 2) * self.half + x / 2;
            let [red, green, blue] = [0, 1, 2].map(|c| taps(&self.colors[c], from));
            ballot.labels[dy] = *taps(&self.labels, from);
            for i in 0..TAPS {
                let difference = (red[i] - color[0]).abs() + (green[i] - color[1]).abs() + (blue[i] - color[2]).abs();
                let rest = (COLOR_RANGE - difference).max(0);
                ballot.weights[dy][i] = ((((rest * rest) >> 7) * columns[i]) >> 7) * say;
            }
        }
        ballot
    }
}

impl Ballot {
    /// The label among `labels`, which are all that have votes, and the `leader` with the most of them, counting the
    /// voice of the leader; of equals the leader, then the lowest.
    #[inline(always)]
    fn winner(&self, labels: RangeInclusive<u8>, leader: u8, margin: i32) -> u8 {
        let all = self.weights.as_flattened().iter().map(|&weight| i32::from(weight)).sum::<i32>();
        let votes = |label: u8| {
            let pairs = self.weights.as_flattened().iter().zip(self.labels.as_flattened());
            pairs.map(|(&weight, &of)| i32::from(if of == i16::from(label) { weight } else { 0 })).sum::<i32>()
        };
        // In units of 1 / (16 SURE) of a vote, of which there are less than 2³¹.
        let of_leader = votes(leader);
        let mut best = (leader, 16 * SURE * of_leader + VOICE * margin.min(SURE) * all);
        let mut left = all - of_leader;
        for label in labels.filter(|&label| label != leader) {
            // Where nobody is left to vote nobody can win.
            if left == 0 {
                break;
            }
            let votes = votes(label);
            left -= votes;
            if 16 * SURE * votes > best.1 {
                best = (label, 16 * SURE * votes);
            }
        }
        best.0
    }
}

/// What the window's row that begins at `from` holds.
#[inline(always)]
fn taps(values: &[i16], from: usize) -> &[i16; TAPS] {
    values[from..].first_chunk().expect("a margin all around")
}
