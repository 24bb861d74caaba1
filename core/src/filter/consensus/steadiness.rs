//! How far a class's masks can be left as they came.
//!
//! Fusion takes from good masks what flow cannot follow: thin parts, fast ones, a pixel of the contour. So the masks
//! themselves are asked how good they are. A frame's mask is *noisy* where it differs from what the frame before and
//! the frame after, carried to it, both say; where flow errs the two err each in its own way, and their errors cancel.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    Motion, Plane, RAW_LEVEL,
    filter::{level, local_maximum},
    flow::{AT_A_TIME, Flow, Taps},
    parallel,
    simd::vectorised,
};

/// Frames on each side whose noise counts.
pub const STEADY_WINDOW: usize = 36;
/// Noise up to which masks are left as they came.
pub const STEADY_NOISE: f32 = 0.09;
/// Noise from which on they are not.
pub const UNSTEADY_NOISE: f32 = 0.12;
/// Softness up to which masks are left as they came.
pub const STEADY_SOFTNESS: f32 = 2.0;
/// Softness from which on they are not.
pub const UNSTEADY_SOFTNESS: f32 = 4.0;
/// Noise is measured on every so many rows.
const ROWS: usize = 4;

/// How a mask fits its neighbours, and how soft it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Σ c c' (p − q)(p − q') / e, in pixels: p is the probability of the frame, q and q' are those of the frames before
    /// and after, carried to it, c and c' the trust in the two flows, and e the number of pixels whose label is another
    /// than that of the pixel on the right or below.
    pub noise: f32,
    /// Σ 4 p (1 − p) / e, in pixels: how wide a contour is.
    pub softness: f32,
}

impl Noise {
    /// Of the probabilities `[before, here, after]` of three frames, on every fourth row; `motions` lie between them.
    /// `None` where there is no contour.
    ///
    /// # Panics
    /// When planes and motions are not of one size.
    pub fn of([before, here, after]: [&Plane<u8>; 3], motions: [&Motion; 2]) -> Option<Self> {
        let size = here.size();
        let sizes = [before.size(), after.size(), motions[0].backward.size(), motions[1].forward.size()];
        assert_eq!(sizes, [size; 4], "planes and motions must be of one size");
        let rows: Vec<usize> = (0..size.1).step_by(ROWS).collect();
        let rows = parallel::map(&rows, |&y| {
            let below = here.row((y + 1).min(size.1 - 1));
            let contour = contour_of_row(here.row(y), below);
            let [earlier, later] = motions;
            let flows = [&earlier.backward, &later.forward];
            let trust = [earlier.backward_trust.row(y), later.forward_trust.row(y)];
            (noise_of_row(here.row(y), [before.data(), after.data()], flows, trust, y), contour)
        });
        let (mut noise, mut soft, mut edges) = (0.0, 0, 0);
        for (row, [row_soft, row_edges]) in rows {
            noise += f64::from(row);
            soft += u64::from(row_soft);
            edges += u64::from(row_edges);
        }
        let whole = 255.0 * 255.0 * edges as f64;
        (edges > 0).then(|| Self { noise: (noise / whole) as f32, softness: (4.0 * soft as f64 / whole) as f32 })
    }
}

vectorised! {
    /// Σ c c' (p − q)(p − q') of row `y`, p in 0–255.
    fn noise_of_row(here: &[u8], there: [&[u8]; 2], flows: [&Flow; 2], trust: [&[f32]; 2], y: usize) -> f32 {
        let mut taps = flows.map(|flow| Taps::new(flow.size()));
        let mut sum = 0.0;
        for start in (0..here.len()).step_by(AT_A_TIME) {
            let here = &here[start..(start + AT_A_TIME).min(here.len())];
            let mut gaps = [[0.0; AT_A_TIME]; 2];
            for k in 0..2 {
                taps[k].find(flows[k], start, y, here.len());
                let trust = &trust[k][start..][..here.len()];
                for (i, (&p, &trust)) in here.iter().zip(trust).enumerate() {
                    gaps[k][i] = trust * (f32::from(p) - taps[k].read(i, there[k]));
                }
            }
            let [earlier, later] = &gaps;
            for (earlier, later) in earlier.iter().zip(later) {
                sum += earlier * later;
            }
        }
        sum
    }

    /// Σ p (255 − p) of a row, and how many of its labels differ from that on the right or below.
    fn contour_of_row(here: &[u8], below: &[u8]) -> [u32; 2] {
        let (mut soft, mut edges) = (0, 0);
        let right = here[1..].iter().chain(here.last());
        for ((&p, &right), &below) in here.iter().zip(right).zip(below) {
            soft += u32::from(p) * u32::from(255 - p);
            edges += u32::from((p > RAW_LEVEL) != (right > RAW_LEVEL) || (p > RAW_LEVEL) != (below > RAW_LEVEL));
        }
        [soft, edges]
    }
}

/// The share, 0 to 1, by which masks are left as they came: by the median of the noise and that of the softness.
pub fn steadiness(window: &[Noise]) -> f32 {
    let median = |value: fn(&Noise) -> f32| {
        let mut values: Vec<f32> = window.iter().map(value).collect();
        values.sort_by(f32::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let share = |value: f32, from: f32, to: f32| ((to - value) / (to - from)).clamp(0.0, 1.0);
    match (median(|frame| frame.noise), median(|frame| frame.softness)) {
        (Some(noise), Some(softness)) => {
            share(noise, STEADY_NOISE, UNSTEADY_NOISE) * share(softness, STEADY_SOFTNESS, UNSTEADY_SOFTNESS)
        }
        _ => 0.0,
    }
}

/// Brings `fused` probabilities closer to a frame's `own` by the `share`, 0 to 1, but for what flickers.
///
/// Flicker is where their labels differ over a square of 2r + 1 pixels a side, r being an 80th of the shorter side but at
/// least 1, and 2r − 1 pixels around such a square's centre: a part, a hole or a stain comes and goes. What is thinner
/// stays, whatever fusion made of it.
pub fn keep(own: &Plane<u8>, fused: &Plane<u8>, share: f32) -> Plane<u8> {
    let mut out = fused.clone();
    if share == 0.0 {
        return out;
    }
    let radius = (own.width().min(own.height()) / 80).max(1);
    let mut agree = own.clone();
    agreement(agree.data_mut(), fused.data());
    let mut differ = local_maximum(&agree, radius);
    differ.data_mut().iter_mut().for_each(|value| *value = 255 - *value);
    let flicker = local_maximum(&differ, 2 * radius - 1);
    parallel::rows(&mut out, |y, row| bring(row, own.row(y), flicker.row(y), share));
    out
}

vectorised! {
    /// 255 where the labels are the same, else 0.
    fn agreement(own: &mut [u8], fused: &[u8]) {
        for (own, &fused) in own.iter_mut().zip(fused) {
            *own = if (*own > RAW_LEVEL) == (fused > RAW_LEVEL) { 255 } else { 0 };
        }
    }

    fn bring(fused: &mut [u8], own: &[u8], flicker: &[u8], share: f32) {
        for ((fused, &own), &flicker) in fused.iter_mut().zip(own).zip(flicker) {
            let (p, q) = (f32::from(own), f32::from(*fused));
            *fused = if flicker > 0 { *fused } else { level(q + share * (p - q)) };
        }
    }
}

/// A shot's own probabilities, and how noisy they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Steadiness {
    /// Probabilities of the frames not given out, oldest first.
    held: VecDeque<Arc<Vec<Plane<u8>>>>,
    /// The frame that came last, and the one before it.
    latest: [Option<Seen>; 2],
    /// For all frames but the latest, from [`STEADY_WINDOW`] before the oldest not given out, the noise of each class.
    noise: VecDeque<Vec<Option<Noise>>>,
    /// Frames before the oldest not given out whose noise is kept.
    before: usize,
}

/// A frame that came.
#[derive(Debug, Clone)]
struct Seen {
    planes: Arc<Vec<Plane<u8>>>,
    /// Motion since the frame before.
    motion: Option<Arc<Motion>>,
}

impl Steadiness {
    /// Takes the next frame's probabilities, a plane a class, with the motion since the frame before.
    pub fn push(&mut self, planes: &[Plane<u8>], motion: Option<&Arc<Motion>>) {
        let planes = Arc::new(planes.to_vec());
        let [here, before] = &self.latest;
        if let Some(Seen { planes: here, motion: earlier }) = here {
            let noise = |class: usize| {
                let (before, earlier, later) = (before.as_ref()?, earlier.as_ref()?, motion?);
                Noise::of([&before.planes[class], &here[class], &planes[class]], [earlier, later])
            };
            self.noise.push_back((0..here.len()).map(noise).collect());
        }
        self.latest.swap(0, 1);
        self.latest[0] = Some(Seen { planes: planes.clone(), motion: motion.cloned() });
        self.held.push_back(planes);
    }

    /// What the oldest frame not given out comes to, whose fused probabilities are these.
    pub fn give(&mut self, fused: &[Plane<u8>]) -> Vec<Plane<u8>> {
        let own = self.held.pop_front().expect("a filter gives no more than it took");
        let window = self.noise.len().min(self.before + STEADY_WINDOW + 1);
        let kept = own.iter().zip(fused).enumerate().map(|(class, (own, fused))| {
            let window: Vec<Noise> = self.noise.range(..window).filter_map(|frame| frame[class]).collect();
            keep(own, fused, steadiness(&window))
        });
        let kept = kept.collect();
        self.before += 1;
        if self.before > STEADY_WINDOW {
            self.noise.pop_front();
            self.before -= 1;
        }
        kept
    }
}
