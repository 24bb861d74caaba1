use super::Flow;
use super::warp::sample;
use crate::{Plane, Rgb};

/// The trust above which a flow vector is taken for right.
pub const TRUSTED: f32 = 0.3;

/// How far each vector of `flow` is to be trusted, 0 to 1: exp(−e / 2τ) · exp(−d² / 2σ²).
///
/// With w the flow from `from` to `to` and w' the flow back, read where w leads: e = |w + w'|² and
/// τ = 0.01 (|w|² + |w'|²) + 0.5 make the forward–backward check (W.-S. Lai et al., *Learning blind video
/// temporal consistency*, ECCV 2018); d is the mean absolute difference of red, green and blue, in levels of
/// 255, between `from` and `to` read where w leads; σ is `sigma`, in the same levels.
///
/// # Panics
/// When the four planes are not of one size.
pub fn trust(flow: &Flow, reverse: &Flow, from: &Plane<Rgb>, to: &Plane<Rgb>, sigma: f32) -> Plane<f32> {
    let size = flow.size();
    assert_eq!([reverse.size(), from.size(), to.size()], [size; 3], "flow and frames must be of one size");
    let color_scale = 0.5 / (sigma * sigma);
    Plane::from_fn(size.0, size.1, |x, y| {
        let [u, v] = flow.get(x, y);
        let (there_x, there_y) = (x as f32 + u, y as f32 + v);
        let [back_u, back_v] = sample(reverse, there_x, there_y);
        let [r, g, b] = sample(to, there_x, there_y);
        let [from_r, from_g, from_b] = from.get(x, y).map(f32::from);
        let gap = (u + back_u) * (u + back_u) + (v + back_v) * (v + back_v);
        let length = (u * u + v * v) + (back_u * back_u + back_v * back_v);
        let tolerance = 0.01 * length + 0.5;
        let color = ((r - from_r).abs() + (g - from_g).abs() + (b - from_b).abs()) / 3.0;
        libm::expf(-0.5 * gap / tolerance - color_scale * color * color)
    })
}

/// The mean over all pixels, 0 to 1.
pub fn mean_trust(trust: &Plane<f32>) -> f32 {
    (trust.data().iter().map(|&t| f64::from(t)).sum::<f64>() / trust.data().len() as f64) as f32
}

/// Whether the two frames show different scenes: too few pixels are [`TRUSTED`].
pub fn is_scene_cut(trust: &Plane<f32>) -> bool {
    let trusted = trust.data().iter().filter(|&&t| t > TRUSTED).count();
    (trusted as f32) < CUT_SHARE * trust.data().len() as f32
}

/// The share of trusted pixels under which there is a cut. Measured on DAVIS 2016: neighbouring frames keep at
/// least 0.33, even of the fastest sequences; frames of two different sequences at most 0.05.
const CUT_SHARE: f32 = 0.15;
