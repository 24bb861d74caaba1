//! How far a class's masks can be left as they came.
//!
//! Fusion takes from good masks what flow cannot follow: thin parts, fast ones, a pixel of the contour. So the masks
//! themselves are asked how good they are. A frame's mask is *noisy* where it differs from what the frame before and
//! the frame after, carried to it, both say; where flow errs the two err each in its own way, and their errors cancel.
//! It *swells* where it is wider, or narrower, than both all around.

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
/// Swelling up to which masks are left as they came.
pub const STEADY_SWELLING: f32 = 0.05;
/// Swelling from which on they are not.
pub const UNSTEADY_SWELLING: f32 = 0.1;
/// Softness up to which masks are left as they came.
pub const STEADY_SOFTNESS: f32 = 2.0;
/// Softness from which on they are not.
pub const UNSTEADY_SOFTNESS: f32 = 4.0;
/// Noise is measured on every so many rows.
const ROWS: usize = 4;

/// How a mask fits its neighbours, and how soft it is.
///
/// Here p is the probability of the frame, q and q' are those of the frames before and after, carried to it, c and c'
/// the trust in the two flows, and e is 1 where the label is another than that of the pixel on the right or below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Σ c c' (p − q)(p − q') / Σ e, in pixels.
    pub noise: f32,
    /// Σ c c' (p − q) · Σ c c' (p − q') / (1 + Σ c c' e)², in square pixels.
    pub swelling: f32,
    /// Σ 4 p (1 − p) / Σ e, in pixels: how wide a contour is.
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
            let [earlier, later] = motions;
            let flows = [&earlier.backward, &later.forward];
            let trust = [earlier.backward_trust.row(y), later.forward_trust.row(y)];
            let below = here.row((y + 1).min(size.1 - 1));
            sums_of_row([here.row(y), below], [before.data(), after.data()], flows, trust, y)
        });
        let (mut products, mut apart, mut trusted, mut edges, mut soft) = (0.0, [0.0; 2], 1.0, 0.0, 0.0);
        for row in rows {
            products += f64::from(row.products);
            apart = [0, 1].map(|k| apart[k] + f64::from(row.apart[k]));
            trusted += f64::from(row.trusted);
            edges += f64::from(row.edges);
            soft += f64::from(row.soft);
        }
        let whole = 255.0 * 255.0;
        (edges > 0.0).then(|| Self {
            noise: (products / (whole * edges)) as f32,
            swelling: (apart[0] * apart[1] / (whole * trusted * trusted)) as f32,
            softness: (4.0 * soft / (whole * edges)) as f32,
        })
    }
}

/// Sums over a row, p in 0–255.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Σ c c' (p − q)(p − q').
    products: f32,
    /// Σ c c' (p − q) and Σ c c' (p − q').
    apart: [f32; 2],
    /// Σ c c' e.
    trusted: f32,
    /// Σ e.
    edges: u32,
    /// Σ p (255 − p).
    soft: u32,
}

vectorised! {
    /// The sums over row `y`, of which the first of `rows` are the probabilities and the second those below.
    fn sums_of_row(
        rows: [&[u8]; 2],
        there: [&[u8]; 2],
        flows: [&Flow; 2],
        trust: [&[f32]; 2],
        y: usize
    ) -> Sums {
        let [here, below] = rows;
        let mut sums = Sums::default();
        let mut taps = flows.map(|flow| Taps::new(flow.size()));
        let right = |x: usize| here[(x + 1).min(here.len() - 1)];
        for start in (0..here.len()).step_by(AT_A_TIME) {
            let count = AT_A_TIME.min(here.len() - start);
            taps[0].find(flows[0], start, y, count);
            taps[1].find(flows[1], start, y, count);
            for i in 0..count {
                let x = start + i;
                let p = here[x];
                let both = trust[0][x] * trust[1][x];
                let gaps = [f32::from(p) - taps[0].read(i, there[0]), f32::from(p) - taps[1].read(i, there[1])];
                sums.products += both * (gaps[0] * gaps[1]);
                sums.apart = [sums.apart[0] + both * gaps[0], sums.apart[1] + both * gaps[1]];
                let on = p > RAW_LEVEL;
                let edge = on != (right(x) > RAW_LEVEL) || on != (below[x] > RAW_LEVEL);
                sums.trusted += if edge { both } else { 0.0 };
                sums.edges += u32::from(edge);
                sums.soft += u32::from(p) * u32::from(255 - p);
            }
        }
        sums
    }
}

/// The share, 0 to 1, by which masks are left as they came: by the medians of noise, swelling and softness.
pub fn steadiness(window: &[Noise]) -> f32 {
    let share = |value: fn(&Noise) -> f32, from: f32, to: f32| {
        let mut values: Vec<f32> = window.iter().map(value).collect();
        values.sort_by(f32::total_cmp);
        let median = values.get(values.len() / 2).copied().unwrap_or(to);
        ((to - median) / (to - from)).clamp(0.0, 1.0)
    };
    share(|frame| frame.noise, STEADY_NOISE, UNSTEADY_NOISE)
        * share(|frame| frame.swelling, STEADY_SWELLING, UNSTEADY_SWELLING)
        * share(|frame| frame.softness, STEADY_SOFTNESS, UNSTEADY_SOFTNESS)
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
