use super::Flow;
use super::warp::{AT_A_TIME, Taps};
use crate::{
    Plane, Rgb, parallel,
    simd::{larger, vectorised},
};

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
    trust_filled_up(flow, reverse, &fill_up(from), &fill_up(to), sigma)
}

/// A fourth value of 0, so that a pixel fills a vector register.
pub(crate) fn fill_up(frame: &Plane<Rgb>) -> Plane<[f32; 4]> {
    frame.map(|&[r, g, b]| [r, g, b, 0].map(f32::from))
}

/// As [`trust`], of frames made by [`fill_up`].
pub(crate) fn trust_filled_up(
    flow: &Flow,
    reverse: &Flow,
    from: &Plane<[f32; 4]>,
    to: &Plane<[f32; 4]>,
    sigma: f32,
) -> Plane<f32> {
    let size = flow.size();
    assert_eq!([reverse.size(), from.size(), to.size()], [size; 3], "flow and frames must be of one size");
    let color_scale = 0.5 / (sigma * sigma);
    let mut values = Plane::filled(size.0, size.1, 0.0);
    parallel::rows(&mut values, |y, row| judge(row, flow, reverse, y, from.row(y), to.data(), color_scale));
    values
}

vectorised! {
    /// The trust in row `y` of the flow, where the first frame has the colours `from`, and the second `to` everywhere.
    fn judge(
        values: &mut [f32],
        flow: &Flow,
        reverse: &Flow,
        y: usize,
        from: &[[f32; 4]],
        to: &[[f32; 4]],
        color_scale: f32,
    ) {
        let mut taps = Taps::new(flow.size());
        // Of one length, so that what is in one is known to be in the other.
        let reverse = &reverse.data()[..to.len()];
        let (mut colors, mut back) = ([[0.0; 4]; AT_A_TIME], [[0.0; 2]; AT_A_TIME]);
        let pieces = values.chunks_mut(AT_A_TIME).zip(from.chunks(AT_A_TIME));
        for (start, (values, from)) in (0..).step_by(AT_A_TIME).zip(pieces) {
            let length = values.len().min(AT_A_TIME);
            let (colors, back, from) = (&mut colors[..length], &mut back[..length], &from[..length]);
            taps.find(flow, start, y, length);
            for i in 0..length {
                colors[i] = taps.read(i, to);
                back[i] = taps.read(i, reverse);
            }
            let flow = &flow.row(y)[start..][..length];
            for i in 0..length {
                let ([u, v], [back_u, back_v], [r, g, b, _]) = (flow[i], back[i], colors[i]);
                let gap = (u + back_u) * (u + back_u) + (v + back_v) * (v + back_v);
                let length = (u * u + v * v) + (back_u * back_u + back_v * back_v);
                let tolerance = 0.01 * length + 0.5;
                let difference = [r - from[i][0], g - from[i][1], b - from[i][2]];
                let color = (difference[0].abs() + difference[1].abs() + difference[2].abs()) / 3.0;
                values[i] = exp(-0.5 * gap / tolerance - color_scale * color * color);
            }
        }
    }
}

/// eˣ for x ≤ 0 to 4e-6 of its value, the same on every platform and in loops that vectorise: eˣ = 2ⁿ·2ᶠ, where n is
/// whole and |f| ≤ ½, and 2ᶠ by its Taylor series. Below −40 as at −40, so that weights made of it stay normal.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 · 2²³: adding it rounds to a whole number, which the lowest bits then hold.
    const ROUND: f32 = 12_582_912.0;
    let y = larger(x, -40.0) * std::f32::consts::LOG2_E;
    let rounded = y + ROUND;
    let f = (y - (rounded - ROUND)) * std::f32::consts::LN_2;
    let series = 1.0 / 720.0;
    let series = series * f + 1.0 / 120.0;
    let series = series * f + 1.0 / 24.0;
    let series = series * f + 1.0 / 6.0;
    let series = series * f + 0.5;
    let series = series * f + 1.0;
    let series = series * f + 1.0;
    series * f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
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
