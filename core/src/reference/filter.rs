//! Temporal filters over a whole shot of one class at once, in floating point, unrounded.

use crate::{
    BitMask, Motion, Plane,
    filter::{LEAST_PROBABILITY, LEAST_WEIGHT, PEAK_SHARE, SMALL_SHARE, VOTES},
    flow::{Flow, TRUSTED, warp},
};

/// For each frame, the value of each pixel out of `value(t, i)`, where `i` counts the pixels row by row.
fn frames(shot: &[Plane<u8>], value: impl Fn(usize, usize) -> f64) -> Vec<Plane<f64>> {
    let width = shot[0].width();
    let frame = |t| Plane::from_fn(width, shot[0].height(), |x, y| value(t, y * width + x));
    (0..shot.len()).map(frame).collect()
}

/// The values of pixel `i` in the window of `size` frames around frame `t`, cut at both ends.
fn window(shot: &[Plane<u8>], size: usize, t: usize, i: usize) -> Vec<f64> {
    let span = t.saturating_sub(size / 2)..(t + size / 2 + 1).min(shot.len());
    shot[span].iter().map(|plane| f64::from(plane.data()[i])).collect()
}

/// Twin of [`MovingAverage`](crate::filter::MovingAverage).
pub fn moving_average(shot: &[Plane<u8>], size: usize) -> Vec<Plane<f64>> {
    frames(shot, |t, i| {
        let values = window(shot, size, t, i);
        values.iter().sum::<f64>() / values.len() as f64
    })
}

/// Twin of [`Median`](crate::filter::Median).
pub fn median(shot: &[Plane<u8>], size: usize) -> Vec<Plane<f64>> {
    frames(shot, |t, i| {
        let mut values = window(shot, size, t, i);
        values.sort_by(f64::total_cmp);
        0.5 * (values[(values.len() - 1) / 2] + values[values.len() / 2])
    })
}

/// Twin of [`majority`](crate::filter::majority): pixels set in at least half of the window.
pub fn majority(shot: &[BitMask], size: usize) -> Vec<BitMask> {
    let votes = |t: usize, x, y| {
        let window = &shot[t.saturating_sub(size / 2)..(t + size / 2 + 1).min(shot.len())];
        2 * window.iter().filter(|mask| mask.get(x, y)).count() >= window.len()
    };
    let (width, height) = shot[0].size();
    (0..shot.len()).map(|t| BitMask::from_fn(width, height, |x, y| votes(t, x, y))).collect()
}

/// Twin of [`Exponential`](crate::filter::Exponential), without recursion:
/// `(1 − α)^t p_0 + Σ α (1 − α)^(t − k) p_k` over k = 1 … t.
pub fn exponential(shot: &[Plane<u8>], alpha: f64) -> Vec<Plane<f64>> {
    frames(shot, |t, i| {
        let fresh = |k: usize| if k == 0 { 1.0 } else { alpha };
        (0..=t).map(|k| fresh(k) * (1.0 - alpha).powi((t - k) as i32) * f64::from(shot[k].data()[i])).sum()
    })
}

/// Twin of [`Uncertainty`](crate::filter::Uncertainty).
pub fn uncertainty(shot: &[Plane<u8>], ratio: f64) -> Vec<Plane<f64>> {
    const C: [f64; 5] = [5.68842, -0.748699, -57.8051, 291.309, -624.717];
    frames(shot, |t, i| {
        shot[..=t]
            .iter()
            .map(|plane| f64::from(plane.data()[i]))
            .reduce(|previous, p| {
                let x = (p / 255.0 - 0.5).powi(2);
                let certainty: f64 = C.iter().zip(1..).map(|(c, power)| c * x.powi(power)).sum();
                p + (previous - p) * (1.0 - certainty.min(1.0)) * ratio
            })
            .expect("at least one frame")
    })
}

/// Twin of [`Consensus`](crate::filter::Consensus), without recursion: each frame's evidence is carried to each
/// other frame by itself and added up there. `motions[t]` lies between frames t and t + 1.
pub fn consensus(shot: &[Plane<u8>], motions: &[Motion], decay: f32, look_ahead: usize) -> Vec<Plane<f64>> {
    let own = |plane: &Plane<u8>| {
        Plane::from_fn(plane.width(), plane.height(), |x, y| {
            let seen = local_maximum(plane, plane.width().min(plane.height()) / 8, x, y, u8::cmp);
            let seen = f32::from(seen) / 255.0;
            let weight = LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * seen;
            [weight * f32::from(plane.get(x, y)), weight]
        })
    };
    let carry = |evidence: Plane<[f32; 2]>, flow: &Flow, trust: &Plane<f32>| {
        let warped = warp(&evidence, flow);
        Plane::from_fn(flow.width(), flow.height(), |x, y| warped.get(x, y).map(|v| decay * trust.get(x, y) * v))
    };
    let at = |t: usize| {
        let mut total = Plane::filled(shot[t].width(), shot[t].height(), [0.0f64; 2]);
        for (source, plane) in shot.iter().enumerate().take(t + look_ahead + 1) {
            let mut evidence = own(plane);
            for motion in motions.get(source..t).unwrap_or_default() {
                evidence = carry(evidence, &motion.backward, &motion.backward_trust);
            }
            for motion in motions.get(t..source).unwrap_or_default().iter().rev() {
                evidence = carry(evidence, &motion.forward, &motion.forward_trust);
            }
            for (total, evidence) in total.data_mut().iter_mut().zip(evidence.data()) {
                *total = [total[0] + f64::from(evidence[0]), total[1] + f64::from(evidence[1])];
            }
        }
        let joint = total.map(|[sum, weight]| sum / weight);
        Plane::from_fn(joint.width(), joint.height(), |x, y| {
            let peak = local_maximum(&joint, joint.width().min(joint.height()) / 10, x, y, f64::total_cmp);
            let line = (f64::from(PEAK_SHARE) * peak).max(f64::from(LEAST_PROBABILITY) * 255.0);
            (joint.get(x, y) * 127.5 / line).min(255.0)
        })
    };
    (0..shot.len()).map(at).collect()
}

/// Twin of [`Hysteresis`](crate::filter::Hysteresis): 1 in the mask, 0 outside. `motions[t]` lies between frames t and
/// t + 1.
pub fn hysteresis(shot: &[Plane<u8>], motions: &[Motion], high: f32, low: f32) -> Vec<Plane<u8>> {
    let (width, height) = shot[0].size();
    let over = |t: usize, x, y, share: f32| f64::from(shot[t].get(x, y)) > 255.0 * f64::from(share);
    let pixel = |[x, y]: [f32; 2]| {
        let nearest = |position: f32, side: usize| (position + 0.5).floor().clamp(0.0, side as f32 - 1.0) as usize;
        (nearest(x, width), nearest(y, height))
    };
    // Where a point of frame `from` lies in frame `to`; `None` where the flow that leads there is not trusted.
    let carried = |mut point: [f32; 2], from: usize, to: usize| {
        let mut t = from;
        while t != to {
            let motion = &motions[if to > from { t } else { t - 1 }];
            let (flow, trust) = match to > from {
                true => (&motion.forward, &motion.forward_trust),
                false => (&motion.backward, &motion.backward_trust),
            };
            let (x, y) = pixel(point);
            if trust.get(x, y) <= TRUSTED {
                return None;
            }
            let [dx, dy] = flow.get(x, y);
            point = [point[0] + dx, point[1] + dy];
            t = if to > from { t + 1 } else { t - 1 };
        }
        Some(pixel(point))
    };
    let mut on: Vec<Plane<bool>> = Vec::new();
    for t in 0..shot.len() {
        let stays = |x: usize, y: usize| {
            let before = t.checked_sub(1).and_then(|before| carried([x as f32, y as f32], t, before));
            before.is_some_and(|(x, y)| on[t - 1].get(x, y))
        };
        let plane = Plane::from_fn(width, height, |x, y| over(t, x, y, high) || over(t, x, y, low) && stays(x, y));
        on.push(plane);
    }
    let at = |t: usize| {
        let mut voted = on[t].clone();
        for (kind, corners) in [(true, true), (false, false)] {
            for part in components(&voted, kind, corners) {
                let window = t.saturating_sub(VOTES / 2)..(t + VOTES / 2 + 1).min(shot.len());
                let meets = |&other: &usize| {
                    let lands = |&&(x, y): &&(usize, usize)| {
                        carried([x as f32, y as f32], t, other).is_some_and(|(x, y)| on[other].get(x, y) == kind)
                    };
                    other == t || 2 * part.iter().filter(lands).count() >= part.len()
                };
                let frames = window.len();
                let small = (part.len() as f64) < f64::from(SMALL_SHARE) * (width * height) as f64;
                if small && 2 * window.filter(meets).count() <= frames {
                    part.iter().for_each(|&(x, y)| voted.row_mut(y)[x] = !kind);
                }
            }
        }
        voted.map(|&on| u8::from(on))
    };
    (0..shot.len()).map(at).collect()
}

/// Twin of [`components`](crate::filter::components) by flood fill: the pixels of each part, sorted row by row.
pub fn components(mask: &Plane<bool>, value: bool, corners: bool) -> Vec<Vec<(usize, usize)>> {
    let (width, height) = mask.size();
    let mut seen = mask.map(|_| false);
    let mut parts = Vec::new();
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let mut part = Vec::new();
        let mut waiting = vec![(x, y)];
        while let Some((x, y)) = waiting.pop() {
            if mask.get(x, y) != value || std::mem::replace(&mut seen.row_mut(y)[x], true) {
                continue;
            }
            part.push((x, y));
            let around = (y.saturating_sub(1)..(y + 2).min(height))
                .flat_map(|v| (x.saturating_sub(1)..(x + 2).min(width)).map(move |u| (u, v)));
            waiting.extend(around.filter(|&(u, v)| corners || u == x || v == y));
        }
        if !part.is_empty() {
            part.sort_by_key(|&(x, y)| (y, x));
            parts.push(part);
        }
    }
    parts
}

/// Twin of [`local_maximum`](crate::filter::local_maximum) at one pixel.
pub fn local_maximum<T: Copy>(
    plane: &Plane<T>,
    radius: usize,
    x: usize,
    y: usize,
    compare: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> T {
    let (width, height) = plane.size();
    let rows = y.saturating_sub(radius)..(y + radius + 1).min(height);
    let values = rows.flat_map(|y| &plane.row(y)[x.saturating_sub(radius)..(x + radius + 1).min(width)]);
    *values.max_by(|a, b| compare(a, b)).expect("the pixel itself")
}
