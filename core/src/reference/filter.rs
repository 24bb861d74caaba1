//! Temporal filters over a whole shot of one class at once, in floating point, unrounded.

use crate::{
    BitMask, Motion, Plane, Rgb,
    filter::{
        CERTAIN, CERTAIN_NOT, DISAGREEMENT_GAIN, HELD_FOR, LEAST_PEAK_SHARE, LEAST_PROBABILITY, LEAST_WEIGHT, Noise,
        PAST_BLOCK, PEAK_SHARE, SECOND_DECAY, SMALL_SHARE, STEADY_NOISE, STEADY_SOFTNESS, STEADY_SWELLING,
        STEADY_WINDOW, UNSTEADY_NOISE, UNSTEADY_SOFTNESS, UNSTEADY_SWELLING, VOTES, WINDOW,
    },
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

/// Twin of [`Consensus`](crate::filter::Consensus), for a clip of one shot. `motions[t]` lies between frames t and
/// t + 1. What passes from stage to stage is rounded as it is there.
pub fn consensus(
    frames: &[Plane<Rgb>],
    shot: &[Plane<u8>],
    motions: &[Motion],
    decay: f32,
    look_ahead: Option<usize>,
) -> Vec<Plane<f64>> {
    // Where the block of a frame ends, and the future that it takes in. The end of the clip sets all free at once.
    let ends = |[block, early, ahead]: [usize; 3], t: usize| {
        let end = ((t + early) / block + 1) * block - early;
        if look_ahead.is_some() && end + ahead <= shot.len() { [end, end + ahead] } else { [shot.len(); 2] }
    };
    let side = shot[0].width().min(shot[0].height());
    let lag = look_ahead.unwrap_or_default();
    let block = (2 * lag / 3).max(1);
    let second = if lag < 2 { 0 } else { (lag + 1 - block) / 2 };
    let lags = [[block, 0, lag + 1 - block - second], [block, second, second]];

    let weighted = |plane: &Plane<u8>| {
        Plane::from_fn(plane.width(), plane.height(), |x, y| {
            let seen = f32::from(local_maximum(plane, side / 8, x, y, u8::cmp));
            let weight = (255.0 * LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * seen).round() / 255.0;
            [f32::from(plane.get(x, y)), weight]
        })
    };
    let own: Vec<_> = shot.iter().map(weighted).collect();
    let joint: Vec<_> =
        (0..shot.len()).map(|t| joined(&own, motions, decay, look_ahead.is_some(), t, ends(lags[0], t)[1])).collect();
    let mean: Vec<_> = joint.iter().map(|joint| joint.map(|[mean, _]| mean.round() as u8)).collect();

    let decided = |t: usize| {
        let window = t.saturating_sub(WINDOW)..(t + WINDOW + 1).min(ends(lags[0], t)[0]);
        let odds = odds(&frames[window.clone()], &mean[window]);
        let disagreement = joint[t].map(|&[mean, square]| {
            let most = mean * (255.0 - mean) + 255.0;
            (255.0 * (square - mean * mean).max(0.0) / most).round().min(255.0) as u8
        });
        let variances = mean[t].data().iter().zip(disagreement.data()).map(|(&p, &share)| {
            let p = f64::from(p);
            f64::from(share) / 255.0 * (p * (255.0 - p) + 255.0) / 255.0
        });
        let means: f64 = mean[t].data().iter().map(|&p| f64::from(p)).sum();
        let dispute = variances.sum::<f64>() / means.max(1.0);
        let peak_share = (f64::from(PEAK_SHARE) - dispute).max(f64::from(LEAST_PEAK_SHARE));
        let share = |x, y| {
            let most = f64::from(local_maximum(&disagreement, side / 10, x, y, u8::cmp));
            (most / 255.0 * f64::from(DISAGREEMENT_GAIN)).min(1.0)
        };
        let colored = Plane::from_fn(mean[t].width(), mean[t].height(), |x, y| {
            let p = f64::from(mean[t].get(x, y));
            let ground = (255.0 - p) * odds[color(frames[t].get(x, y))];
            let moved = if p == 0.0 { 0.0 } else { 255.0 * p / (p + ground) };
            (p + share(x, y) * (moved - p)).round() as u8
        });
        Plane::from_fn(colored.width(), colored.height(), |x, y| {
            let p = f64::from(colored.get(x, y));
            let peak = f64::from(local_maximum(&colored, side / 10, x, y, u8::cmp));
            let line = (peak_share * peak).max(f64::from(LEAST_PROBABILITY) * 255.0);
            let moved = (p * 127.5 / line).min(255.0);
            [(p + share(x, y) * (moved - p)).round() as f32, 1.0]
        })
    };
    let own: Vec<_> = (0..shot.len()).map(decided).collect();
    let fused = |t| joined(&own, motions, SECOND_DECAY, look_ahead.is_some(), t, ends(lags[1], t)[1]);
    let fused: Vec<_> = (0..shot.len()).map(|t| fused(t).map(|[mean, _]| mean.round() as u8)).collect();
    let held = |t: usize| {
        Plane::from_fn(shot[t].width(), shot[t].height(), |x, y| {
            let past = label(&fused[..=t], t, [x, y], |t| {
                let motion = t.checked_sub(1).map(|before| &motions[before])?;
                Some((t - 1, &motion.backward, &motion.backward_trust))
            });
            let future = label(&fused[..ends(lags[1], t)[0]], t, [x, y], |t| {
                let motion = motions.get(t)?;
                Some((t + 1, &motion.forward, &motion.forward_trust))
            });
            let p = fused[t].get(x, y);
            let given = [past, future].into_iter().flatten();
            let (inside, outside): (Vec<u8>, Vec<u8>) = given.partition(|&giver| giver > 127);
            let certain = |givers: &[u8]| givers.iter().any(|giver| !(CERTAIN_NOT + 1..CERTAIN).contains(giver));
            match (&inside[..], &outside[..]) {
                ([], []) => p,
                ([], givers) => p.min(if certain(givers) { CERTAIN_NOT } else { 127 }),
                (givers, _) => p.max(if certain(givers) { CERTAIN } else { 128 }),
            }
        })
    };

    let noise: Vec<_> = (0..shot.len())
        .map(|t| {
            let inside = 0 < t && t + 1 < shot.len();
            if inside { noise([&shot[t - 1], &shot[t], &shot[t + 1]], [&motions[t - 1], &motions[t]]) } else { None }
        })
        .collect();
    let finished = |t: usize| {
        // The frames that came before this one goes; the noise of the last of them is not known yet.
        let known = ends(lags[0], ends(lags[1], t)[1] - 1)[1] - 1;
        let window = t.saturating_sub(STEADY_WINDOW)..(t + STEADY_WINDOW + 1).min(known);
        let window: Vec<Noise> = noise.get(window).unwrap_or_default().iter().flatten().copied().collect();
        keep(&shot[t], &held(t), steadiness(&window))
    };
    (0..shot.len()).map(finished).collect()
}

/// The probability whose label motion brings to a pixel of frame `t` of these from one side; `next` leads from a frame
/// to its neighbour there.
fn label<'a>(
    frames: &[Plane<u8>],
    mut t: usize,
    mut pixel: [usize; 2],
    next: impl Fn(usize) -> Option<(usize, &'a Flow, &'a Plane<f32>)>,
) -> Option<u8> {
    for _ in 0..HELD_FOR {
        let [x, y] = pixel;
        let p = frames[t].get(x, y);
        let uncertain = (CERTAIN_NOT + 1..CERTAIN).contains(&p);
        let there = next(t).filter(|&(neighbour, _, trust)| neighbour < frames.len() && trust.get(x, y) > TRUSTED);
        let Some((neighbour, flow, _)) = there.filter(|_| uncertain) else { return Some(p) };
        let near = |position: f32, side: usize| (position + 0.5).floor().clamp(0.0, (side - 1) as f32) as usize;
        let ([u, v], (width, height)) = (flow.get(x, y), frames[t].size());
        (t, pixel) = (neighbour, [near(x as f32 + u, width), near(y as f32 + v, height)]);
    }
    None
}

/// Twin of [`Noise::of`].
pub fn noise([before, here, after]: [&Plane<u8>; 3], [earlier, later]: [&Motion; 2]) -> Option<Noise> {
    let (width, height) = here.size();
    let carried = [warp(before, &earlier.backward), warp(after, &later.forward)];
    let (mut noise, mut softness, mut edges) = (0.0, 0.0, 0.0);
    let (mut apart, mut trusted) = ([0.0, 0.0], 1.0);
    for (x, y) in (0..height).step_by(4).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let p = f64::from(here.get(x, y)) / 255.0;
        let [before, after] = carried.each_ref().map(|plane| p - f64::from(plane.get(x, y)) / 255.0);
        let trust = f64::from(earlier.backward_trust.get(x, y)) * f64::from(later.forward_trust.get(x, y));
        noise += trust * before * after;
        apart = [apart[0] + trust * before, apart[1] + trust * after];
        softness += 4.0 * p * (1.0 - p);
        let on = |x: usize, y: usize| here.get(x.min(width - 1), y.min(height - 1)) > 127;
        if on(x, y) != on(x + 1, y) || on(x, y) != on(x, y + 1) {
            edges += 1.0;
            trusted += trust;
        }
    }
    let swelling = apart[0] / trusted * (apart[1] / trusted);
    let [noise, swelling, softness] = [noise / edges, swelling, softness / edges].map(|value| value as f32);
    (edges > 0.0).then_some(Noise { noise, swelling, softness })
}

/// Twin of [`steadiness`](crate::filter::steadiness).
pub fn steadiness(window: &[Noise]) -> f64 {
    let share = |mut values: Vec<f32>, from: f32, to: f32| {
        values.sort_by(f32::total_cmp);
        (f64::from(to - values[values.len() / 2]) / f64::from(to - from)).clamp(0.0, 1.0)
    };
    if window.is_empty() {
        return 0.0;
    }
    let noise = window.iter().map(|frame| frame.noise).collect();
    let swelling = window.iter().map(|frame| frame.swelling).collect();
    let softness = window.iter().map(|frame| frame.softness).collect();
    share(noise, STEADY_NOISE, UNSTEADY_NOISE)
        * share(swelling, STEADY_SWELLING, UNSTEADY_SWELLING)
        * share(softness, STEADY_SOFTNESS, UNSTEADY_SOFTNESS)
}

/// Twin of [`keep`](crate::filter::keep).
pub fn keep(own: &Plane<u8>, fused: &Plane<u8>, share: f64) -> Plane<f64> {
    let (width, height) = own.size();
    let radius = (width.min(height) / 80).max(1);
    let around = |x: usize, y: usize, radius: usize| {
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(height);
        rows.flat_map(move |y| (x.saturating_sub(radius)..(x + radius + 1).min(width)).map(move |x| (x, y)))
    };
    let center = Plane::from_fn(width, height, |x, y| {
        around(x, y, radius).all(|(x, y)| (own.get(x, y) > 127) != (fused.get(x, y) > 127))
    });
    Plane::from_fn(width, height, |x, y| {
        let (p, q) = (f64::from(own.get(x, y)), f64::from(fused.get(x, y)));
        if around(x, y, 2 * radius - 1).any(|(x, y)| center.get(x, y)) { q } else { q + share * (p - q) }
    })
}

/// Weighted means of p and p² at frame `t`, without recursion: what each frame before `end` says, `own` of it being p
/// and its weight, is carried to `t` by itself and added up there.
fn joined(
    own: &[Plane<[f32; 2]>],
    motions: &[Motion],
    decay: f32,
    bounded: bool,
    t: usize,
    end: usize,
) -> Plane<[f64; 2]> {
    let carry = |evidence: Plane<[f32; 3]>, flow: &Flow, trust: &Plane<f32>| {
        let warped = warp(&evidence, flow);
        Plane::from_fn(flow.width(), flow.height(), |x, y| warped.get(x, y).map(|v| decay * trust.get(x, y) * v))
    };
    let begun = t / PAST_BLOCK * PAST_BLOCK;
    let (width, height) = own[t].size();
    let mut total = Plane::filled(width, height, [0.0f64; 3]);
    for (source, plane) in own.iter().enumerate().take(end) {
        let share = match bounded {
            true if source + PAST_BLOCK < begun => 0.0,
            true if source < begun => 1.0 - (t - begun) as f64 / PAST_BLOCK as f64,
            _ => 1.0,
        };
        let mut evidence = plane.map(|&[p, weight]| [weight * p, weight, weight * p * p]);
        for motion in motions.get(source..t).unwrap_or_default() {
            evidence = carry(evidence, &motion.backward, &motion.backward_trust);
        }
        for motion in motions.get(t..source).unwrap_or_default().iter().rev() {
            evidence = carry(evidence, &motion.forward, &motion.forward_trust);
        }
        for (total, evidence) in total.data_mut().iter_mut().zip(evidence.data()) {
            *total = [0, 1, 2].map(|i| total[i] + share * f64::from(evidence[i]));
        }
    }
    total.map(|[sum, weight, square]| [sum / weight, square / weight])
}

fn color([r, g, b]: Rgb) -> usize {
    (usize::from(r / 8) * 32 + usize::from(g / 8)) * 32 + usize::from(b / 8)
}

/// For each colour √(g / c), where c and g are its shares in the object and in the ground next to it.
fn odds(frames: &[Plane<Rgb>], joint: &[Plane<u8>]) -> Vec<f64> {
    let mut counts = vec![[0.0f64; 2]; 32 * 32 * 32];
    for (frame, joint) in frames.iter().zip(joint) {
        for y in 0..frame.height() {
            for x in 0..frame.width() {
                let p = u32::from(joint.get(x, y));
                if local_maximum(joint, joint.width().min(joint.height()) / 10, x, y, u8::cmp) > 76 {
                    let count = &mut counts[color(frame.get(x, y))];
                    *count = [count[0] + f64::from(p * p / 256), count[1] + f64::from((255 - p) * (255 - p) / 256)];
                }
            }
        }
    }
    let sums = counts.iter().fold([0.0; 2], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
    for step in [1, 32, 32 * 32] {
        let before = counts.clone();
        for (i, count) in counts.iter_mut().enumerate() {
            let place = i / step % 32;
            let neighbours = [if place == 0 { i } else { i - step }, if place == 31 { i } else { i + step }];
            *count = [0, 1].map(|k| {
                0.5 * before[i][k] + 0.25 * neighbours.iter().map(|&neighbour| before[neighbour][k]).sum::<f64>()
            });
        }
    }
    let share = |count: f64, sum: f64| count / (sum + 1.0) + 1e-4;
    counts.iter().map(|count| (share(count[1], sums[1]) / share(count[0], sums[0])).sqrt()).collect()
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
