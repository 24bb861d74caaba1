//! Metrics, pixel by pixel.

use super::flow::warp;
use crate::{BitMask, Motion, Plane, Rgb, flow::TRUSTED};

/// The pixels of a mask, as `(x, y, set)`.
fn pixels(mask: &BitMask) -> impl Iterator<Item = (usize, usize, bool)> {
    let (width, height) = mask.size();
    (0..height).flat_map(move |y| (0..width).map(move |x| (x, y, mask.get(x, y))))
}

fn count(mask: &BitMask, counts: impl Fn(usize, usize, bool) -> bool) -> f64 {
    pixels(mask).filter(|&(x, y, set)| counts(x, y, set)).count() as f64
}

/// Twin of [`metric::iou`](crate::metric::iou) for masks of one size.
pub fn iou(a: &BitMask, b: &BitMask) -> f64 {
    let union = count(a, |x, y, set| set || b.get(x, y));
    if union == 0.0 { 1.0 } else { count(a, |x, y, set| set && b.get(x, y)) / union }
}

/// Twin of [`metric::dice`](crate::metric::dice) for masks of one size.
pub fn dice(a: &BitMask, b: &BitMask) -> f64 {
    let areas = count(a, |_, _, set| set) + count(b, |_, _, set| set);
    if areas == 0.0 { 1.0 } else { 2.0 * count(a, |x, y, set| set && b.get(x, y)) / areas }
}

/// Twin of [`metric::motion_compensated_instability`](crate::metric::motion_compensated_instability).
pub fn motion_compensated_instability(previous: &BitMask, current: &BitMask, motion: &Motion) -> f64 {
    let (width, height) = current.size();
    let nearest = |position: f32, side: usize| (position + 0.5).floor().clamp(0.0, side as f32 - 1.0) as usize;
    let warped = BitMask::from_fn(width, height, |x, y| {
        let [dx, dy] = motion.backward.get(x, y);
        previous.get(nearest(x as f32 + dx, width), nearest(y as f32 + dy, height))
    });
    let trusted = |mask: &BitMask| {
        BitMask::from_fn(width, height, |x, y| mask.get(x, y) && motion.backward_trust.get(x, y) > TRUSTED)
    };
    1.0 - iou(&trusted(&warped), &trusted(current))
}

/// Twin of [`metric::boundary`](crate::metric::boundary): `seg2bmap` of DAVIS, line by line.
pub fn boundary(mask: &BitMask) -> BitMask {
    let (width, height) = mask.size();
    let get = |x: usize, y: usize| x < width && y < height && mask.get(x, y);
    BitMask::from_fn(width, height, |x, y| {
        let here = get(x, y);
        let (east, south, south_east) = (here ^ get(x + 1, y), here ^ get(x, y + 1), here ^ get(x + 1, y + 1));
        match (x + 1 == width, y + 1 == height) {
            (true, true) => false,
            (false, true) => east,
            (true, false) => south,
            (false, false) => east | south | south_east,
        }
    })
}

/// Twin of [`metric::boundary_f_within`](crate::metric::boundary_f_within), by dilation with a disk.
pub fn boundary_f_within(mask: &BitMask, truth: &BitMask, radius: usize) -> f64 {
    let (width, height) = mask.size();
    let dilated = |mask: &BitMask| {
        let mut out = Plane::filled(width, height, false);
        for (x, y, _) in pixels(mask).filter(|&(_, _, set)| set) {
            for v in 0..height {
                for u in 0..width {
                    if u.abs_diff(x).pow(2) + v.abs_diff(y).pow(2) <= radius * radius {
                        out.row_mut(v)[u] = true;
                    }
                }
            }
        }
        out
    };
    let (mask, truth) = (boundary(mask), boundary(truth));
    let (mask_area, truth_area) = (count(&mask, |_, _, set| set), count(&truth, |_, _, set| set));
    let (mask_dilated, truth_dilated) = (dilated(&mask), dilated(&truth));
    let (precision, recall) = match (mask_area > 0.0, truth_area > 0.0) {
        (false, false) => (1.0, 1.0),
        (false, true) => (1.0, 0.0),
        (true, false) => (0.0, 1.0),
        (true, true) => (
            count(&mask, |x, y, set| set && truth_dilated.get(x, y)) / mask_area,
            count(&truth, |x, y, set| set && mask_dilated.get(x, y)) / truth_area,
        ),
    };
    if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// Twin of [`TruthMetrics::flicker`](crate::metric::TruthMetrics::flicker) and its false flips, for masks and truths of
/// the motion's size.
pub fn flicker(
    (mask_before, truth_before): &(BitMask, BitMask),
    (mask, truth): &(BitMask, BitMask),
    motion: &Motion,
) -> (f64, f64) {
    let (width, height) = mask.size();
    let nearest = |position: f32, side: usize| (position + 0.5).floor().clamp(0.0, side as f32 - 1.0) as usize;
    let (mut flicker, mut flips) = (0, 0);
    for (x, y, now) in pixels(mask) {
        let [dx, dy] = motion.backward.get(x, y);
        let (from_x, from_y) = (nearest(x as f32 + dx, width), nearest(y as f32 + dy, height));
        let (before, truth_before) = (mask_before.get(from_x, from_y), truth_before.get(from_x, from_y));
        if motion.backward_trust.get(x, y) > TRUSTED {
            flicker += usize::from((before != truth_before) != (now != truth.get(x, y)));
            flips += usize::from(truth_before == truth.get(x, y) && before != now);
        }
    }
    let area = count(truth, |_, _, set| set).max(1.0);
    (flicker as f64 / area, flips as f64 / area)
}

/// Twin of [`TruthSummary::lag`](crate::metric::TruthSummary::lag), over a whole clip of masks and truths.
pub fn lag(clip: &[(BitMask, BitMask)], most: usize) -> i32 {
    let mean = |lag: i32| {
        let later = (0..clip.len()).filter_map(|t| {
            let truth = t.checked_add_signed(-lag as isize)?;
            Some(iou(&clip[t].0, &clip.get(truth)?.1))
        });
        let later: Vec<f64> = later.collect();
        if later.is_empty() { 0.0 } else { later.iter().sum::<f64>() / later.len() as f64 }
    };
    let mut lags: Vec<i32> = (-(most as i32)..=most as i32).collect();
    lags.sort_by_key(|&lag| (lag.abs(), -lag));
    lags.into_iter().fold(0, |best, lag| if mean(lag) > mean(best) { lag } else { best })
}

/// Twin of [`Consistency`](crate::metric::Consistency) over a whole clip: constant, and correct as well.
pub fn consistency(clip: &[(BitMask, BitMask)], window: usize) -> Option<(f64, f64)> {
    let (mut constant, mut correct, mut windows) = (0.0, 0.0, 0.0);
    for frames in clip.windows(window).take(clip.len().saturating_sub(window)) {
        let (first_mask, first_truth) = &frames[0];
        let steady = |x, y| frames.iter().all(|(_, truth)| truth.get(x, y) == first_truth.get(x, y));
        let whole = count(first_truth, |x, y, _| steady(x, y));
        if whole > 0.0 {
            let same = |x, y| frames.iter().all(|(mask, _)| mask.get(x, y) == first_mask.get(x, y));
            let right = |x, y| frames.iter().all(|(mask, truth)| mask.get(x, y) == truth.get(x, y));
            constant += count(first_mask, |x, y, _| steady(x, y) && same(x, y)) / whole;
            correct += count(first_mask, |x, y, _| steady(x, y) && right(x, y)) / whole;
            windows += 1.0;
        }
    }
    (windows > 0.0).then(|| (constant / windows, correct / windows))
}

/// Twin of [`metric::area_drift`](crate::metric::area_drift).
pub fn area_drift(previous: &BitMask, current: &BitMask, motion: &Motion) -> f64 {
    let [previous, current] = trusted_areas(previous, current, motion);
    if previous.max(current) == 0.0 { 0.0 } else { 1.0 - previous.min(current) / previous.max(current) }
}

/// Trusted pixels of the earlier mask, carried to the later frame, and of the later.
fn trusted_areas(previous: &BitMask, current: &BitMask, motion: &Motion) -> [f64; 2] {
    let (width, height) = current.size();
    let nearest = |position: f32, side: usize| (position + 0.5).floor().clamp(0.0, side as f32 - 1.0) as usize;
    let trusted = |x, y| motion.backward_trust.get(x, y) > TRUSTED;
    let carried = count(current, |x, y, _| {
        let [dx, dy] = motion.backward.get(x, y);
        trusted(x, y) && previous.get(nearest(x as f32 + dx, width), nearest(y as f32 + dy, height))
    });
    [carried, count(current, |x, y, set| set && trusted(x, y))]
}

/// Twin of [`Estimate::evidence`](crate::metric::Estimate::evidence) of `mask` on the frame after the last of
/// `before`; each of these is a frame's raw probability and the motion from it to the next. With the soft union, in
/// pixels, by which it was divided.
pub fn evidence(mask: &BitMask, before: &[(Plane<u8>, Motion)]) -> (f64, f64) {
    let (width, height) = mask.size();
    let mut past = [Plane::filled(width, height, 0.0f32), Plane::filled(width, height, 0.0f32)];
    for (raw, motion) in before {
        let radius = width.min(height) / 8;
        past = [0, 1].map(|i| {
            let with_own = Plane::from_fn(width, height, |x, y| {
                let mut nearby = 0;
                for v in y.saturating_sub(radius)..=(y + radius).min(height - 1) {
                    for u in x.saturating_sub(radius)..=(x + radius).min(width - 1) {
                        nearby = nearby.max(raw.get(u, v));
                    }
                }
                let weight = 0.15 + 0.85 * f32::from(nearby) / 255.0;
                let own = if i == 0 { weight * f32::from(raw.get(x, y)) / 255.0 } else { weight };
                past[i].get(x, y) + own
            });
            let carried = warp(&with_own, &motion.backward);
            Plane::from_fn(width, height, |x, y| carried.get(x, y) as f32 * 0.9 * motion.backward_trust.get(x, y))
        });
    }
    let (mut supported, mut wrong, mut support) = (0.0, 0.0, 0.0);
    for (x, y, set) in pixels(mask) {
        let (s, w) = (f64::from(past[0].get(x, y)), f64::from(past[1].get(x, y)));
        support += s / (w + 1.0);
        if set {
            supported += s / (w + 1.0);
            wrong += (w - s) / (w + 1.0);
        }
    }
    let union = wrong + support;
    (if union == 0.0 { 1.0 } else { supported / union }, union)
}

/// Twin of [`metric::picture_edges`](crate::metric::picture_edges).
pub fn picture_edges(frame: &Plane<Rgb>) -> BitMask {
    let (width, height) = frame.size();
    let at = |x: isize, y: isize| {
        frame.get(x.clamp(0, width as isize - 1) as usize, y.clamp(0, height as isize - 1) as usize).map(f64::from)
    };
    let steepness = Plane::from_fn(width, height, |x, y| {
        let (x, y) = (x as isize, y as isize);
        let squared = |a: [f64; 3], b: [f64; 3]| (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>();
        (squared(at(x - 1, y), at(x + 1, y)) + squared(at(x, y - 1), at(x, y + 1))).sqrt()
    });
    let mean = steepness.data().iter().sum::<f64>() / (width * height) as f64;
    let steep = |x: usize, y: usize| x < width && y < height && steepness.get(x, y) > 2.0 * mean;
    BitMask::from_fn(width, height, |x, y| {
        (0..3).any(|dy| (0..3).any(|dx| (x + dx > 0 && y + dy > 0) && steep(x + dx - 1, y + dy - 1)))
    })
}
