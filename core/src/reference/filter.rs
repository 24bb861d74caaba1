//! Temporal filters over a whole shot of one class at once, in floating point, unrounded.

use crate::{
    Motion, Plane,
    filter::{LEAST_PROBABILITY, LEAST_WEIGHT, PEAK_SHARE},
    flow::{Flow, warp},
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
