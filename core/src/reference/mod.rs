//! Slow, obvious versions of everything fast: the tests' oracle, kept for ever. Of no use to anyone else.

pub mod filter;
pub mod flow;
pub mod metric;
pub mod rle;

use crate::{ColorMatrix, ColorRange, I420, Plane, Rgb};

/// Twin of [`rgb_from_i420`](crate::rgb_from_i420) in floating point, for bytes of the right length.
///
/// ITU-R BT.601 / BT.709: R = Y + 2 (1 − Kr) Cr, B = Y + 2 (1 − Kb) Cb, and G from Y = Kr R + Kg G + Kb B.
pub fn rgb_from_i420(picture: I420<'_>) -> Plane<Rgb> {
    let I420 { width, height, bytes, matrix, range } = picture;
    let (kr, kb) = match matrix {
        ColorMatrix::Bt601 => (0.299, 0.114),
        ColorMatrix::Bt709 => (0.2126, 0.0722),
    };
    let (black, luma_span, chroma_span) = match range {
        ColorRange::Limited => (16.0, 219.0, 224.0),
        ColorRange::Full => (0.0, 255.0, 255.0),
    };
    let chroma_width = width.div_ceil(2);
    let chroma_len = chroma_width * height.div_ceil(2);
    Plane::from_fn(width, height, |x, y| {
        let chroma = width * height + y / 2 * chroma_width + x / 2;
        let luma = (f64::from(bytes[y * width + x]) - black) / luma_span;
        let cb = (f64::from(bytes[chroma]) - 128.0) / chroma_span;
        let cr = (f64::from(bytes[chroma + chroma_len]) - 128.0) / chroma_span;
        let red = luma + 2.0 * (1.0 - kr) * cr;
        let blue = luma + 2.0 * (1.0 - kb) * cb;
        let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8)
    })
}

/// Twin of [`resize::area`](crate::resize::area): every source pixel weighted by how much of it is covered.
pub fn area(source: &Plane<u8>, width: usize, height: usize) -> Plane<u8> {
    // Lengths in units of 1/target of a source pixel are whole numbers.
    let overlap = |i: usize, s: usize, source: usize, target: usize| {
        ((i + 1) * source).min((s + 1) * target).saturating_sub((i * source).max(s * target))
    };
    let (source_width, source_height) = source.size();
    Plane::from_fn(width, height, |x, y| {
        let mut sum = 0;
        for v in 0..source_height {
            for u in 0..source_width {
                let covered = overlap(x, u, source_width, width) * overlap(y, v, source_height, height);
                sum += covered * usize::from(source.get(u, v));
            }
        }
        let total = source_width * source_height;
        ((2 * sum + total) / (2 * total)) as u8
    })
}

/// Twin of [`resize::bilinear`](crate::resize::bilinear) in floating point, unrounded.
pub fn bilinear(source: &Plane<u8>, width: usize, height: usize) -> Plane<f64> {
    let taps = |i: usize, source: usize, target: usize| {
        let position = (i as f64 + 0.5) * source as f64 / target as f64 - 0.5;
        let position = position.clamp(0.0, source as f64 - 1.0);
        let first = position.floor() as usize;
        (first, (first + 1).min(source - 1), position - position.floor())
    };
    Plane::from_fn(width, height, |x, y| {
        let (left, right, fx) = taps(x, source.width(), width);
        let (top, bottom, fy) = taps(y, source.height(), height);
        let row = |y: usize| f64::from(source.get(left, y)) * (1.0 - fx) + f64::from(source.get(right, y)) * fx;
        row(top) * (1.0 - fy) + row(bottom) * fy
    })
}

/// Twin of [`upsample::full_labels`](crate::upsample::full_labels) for a frame larger than the probabilities, one
/// pixel after the other, each asking the whole picture.
pub fn full_labels(
    probabilities: &[Plane<u8>],
    own: Option<crate::upsample::Own<'_>>,
    frame: &Plane<Rgb>,
    level: u8,
) -> Plane<u8> {
    use crate::upsample::{BAND, COLOR_RANGE, REACH, SURE, VOICE};
    // The label of the pixel and by how much it leads, from its probabilities.
    let leader = |p: &[u8]| {
        let rival = |label: usize| {
            let others = (0..=p.len()).filter(|&other| other != label);
            others.map(|other| if other == 0 { level } else { p[other - 1] }).max().unwrap_or(0)
        };
        let (best, &most) = p.iter().enumerate().rev().max_by_key(|&(_, p)| p).expect("a class");
        let (label, most) = if most > level { (best + 1, most) } else { (0, level) };
        (label, i64::from(most - rival(label)))
    };
    let (width, height) = probabilities[0].size();
    let (full_width, full_height) = frame.size();
    let at = |planes: &[Plane<u8>], x, y| planes.iter().map(|plane| plane.get(x, y)).collect::<Vec<_>>();
    let labels = Plane::from_fn(width, height, |x, y| leader(&at(probabilities, x, y)).0);
    let colors = crate::resize::area_rgb(frame, width, height);
    let enlarge = |plane| crate::resize::bilinear(plane, full_width, full_height);
    let enlarged: Vec<_> = probabilities.iter().map(enlarge).collect();
    let say = |i: usize, cell: usize, source: usize, target: usize| {
        // In 1/256 of a work pixel.
        let here = (i * 2 + 1) * source * 128 / target;
        let range = 256 * (REACH as u64 + 1);
        let distance = ((cell * 2 + 1) * 128).abs_diff(here) as u64;
        if distance >= range {
            return 0;
        }
        let share = (range.pow(2) - distance.pow(2)) as f64 / range.pow(2) as f64;
        (127.0 * share * share + 0.5).floor() as i64
    };
    let fine = own.map(|own| (own, full_probabilities(probabilities, own, frame.size())));
    Plane::from_fn(full_width, full_height, |x, y| {
        let (cell_x, cell_y) = ((2 * x + 1) * width / (2 * full_width), (2 * y + 1) * height / (2 * full_height));
        if let Some((own, fine)) = &fine
            && shift(probabilities, own.small, (cell_x, cell_y)) <= 0
        {
            return leader(&at(fine, x, y)).0 as u8;
        }
        let here = labels.get(cell_x, cell_y);
        let mut votes = vec![0; probabilities.len() + 1];
        let mut near = false;
        for v in 0..height {
            for u in 0..width {
                let label = labels.get(u, v);
                let (dx, dy) = (cell_x.abs_diff(u), cell_y.abs_diff(v));
                near |= dx.max(dy) <= BAND && label != here;
                if dx.max(dy) > REACH || (dx + REACH) % 2 == 1 || (dy + REACH) % 2 == 1 {
                    continue;
                }
                let (a, b) = (frame.get(x, y), colors.get(u, v));
                let difference = (0..3).map(|c| i64::from(a[c].abs_diff(b[c]))).sum::<i64>();
                let agreement = (i64::from(COLOR_RANGE) - difference).max(0).pow(2) / 128;
                let across = agreement * say(x, u, width, full_width) / 128;
                votes[label] += across * say(y, v, height, full_height);
            }
        }
        if !near {
            return here as u8;
        }
        let (leader, margin) = leader(&at(&enlarged, x, y));
        let voice = i64::from(VOICE) * margin.min(i64::from(SURE)) * votes.iter().sum::<i64>();
        let score = |label: usize| 16 * i64::from(SURE) * votes[label] + if label == leader { voice } else { 0 };
        (0..votes.len()).fold(leader, |best, label| if score(label) > score(best) { label } else { best }) as u8
    })
}

/// Twin of [`upsample::full_probabilities`](crate::upsample::full_probabilities) with masks of their own, for a size
/// larger than that of the probabilities.
pub fn full_probabilities(
    probabilities: &[Plane<u8>],
    own: crate::upsample::Own<'_>,
    (width, height): (usize, usize),
) -> Vec<Plane<u8>> {
    let enlarge = |plane: &Plane<u8>| crate::resize::bilinear(plane, width, height);
    let classes = probabilities.iter().zip(own.small).zip(own.full);
    let class = |((p, small), full): ((&Plane<u8>, &Plane<u8>), &Plane<u8>)| {
        let (enlarged, averaged) = (enlarge(p), enlarge(small));
        Plane::from_fn(width, height, |x, y| {
            let cell = ((2 * x + 1) * p.width() / (2 * width), (2 * y + 1) * p.height() / (2 * height));
            let lost = i32::from(full.get(x, y)) - i32::from(averaged.get(x, y));
            let lost = if shift(probabilities, own.small, cell) > 0 { 0 } else { lost };
            (i32::from(enlarged.get(x, y)) + lost).clamp(0, 255) as u8
        })
    };
    classes.map(class).collect()
}

/// What the filter changes around the work pixel `(x, y)`, less what it may.
fn shift(probabilities: &[Plane<u8>], small: &[Plane<u8>], (x, y): (usize, usize)) -> i32 {
    use crate::upsample::{REACH, SHIFT};
    let (width, height) = small[0].size();
    let label = |x, y| {
        let most = small.iter().map(|plane| plane.get(x, y)).max().unwrap_or(0);
        let first = small.iter().position(|plane| plane.get(x, y) == most && most > crate::RAW_LEVEL);
        first.map_or(0, |class| class + 1)
    };
    let mut sum = 0;
    for v in (0..height).filter(|v| v.abs_diff(y) <= REACH) {
        for u in (0..width).filter(|u| u.abs_diff(x) <= REACH) {
            let gaps = probabilities.iter().zip(small).map(|(p, s)| p.get(u, v).abs_diff(s.get(u, v)));
            let edge =
                (u + 1 < width && label(u + 1, v) != label(u, v)) || (v + 1 < height && label(u, v + 1) != label(u, v));
            sum += i32::from(gaps.max().unwrap_or(0)) - if edge { SHIFT } else { 0 };
        }
    }
    sum
}

/// Twin of the pixel-wise [`BitMask`](crate::BitMask) counts: `(area of a, area of b, intersection, union)`.
pub fn counts(a: &crate::BitMask, b: &crate::BitMask) -> [usize; 4] {
    let mut counts = [0; 4];
    for y in 0..a.height() {
        for x in 0..a.width() {
            let (a, b) = (a.get(x, y), b.get(x, y));
            for (count, counted) in counts.iter_mut().zip([a, b, a && b, a || b]) {
                *count += usize::from(counted);
            }
        }
    }
    counts
}
