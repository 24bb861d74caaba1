use std::{collections::VecDeque, sync::Arc};

use super::PAST_BLOCK;
use crate::{
    Motion, Plane,
    filter::level,
    flow::{Flow, Taps},
    parallel,
};

/// Joins each frame's planes with what its past and its future say of them, carried along flow.
///
/// Two recursions run over the shot, one from its start and one from its end. Each keeps, for every pixel, sums over
/// the frames of w p, w and, with N = 3, w p², where p is a probability and w its weight. The step from a neighbour is
///
/// `S_t = s_t + a · warp(S)`, `a = decay · trust`,
///
/// with s the frame's own part, so that evidence fades with time and stops where the flow cannot be trusted. The
/// present is counted once: `S + S' − s`.
///
/// With a [`Lag`] both recursions are bounded, at frame numbers that are the same however a clip is cut:
/// - Outputs come in blocks that begin at multiples of [`Lag::block`]. The backward recursion of a block begins
///   [`Lag::ahead`] frames after its end, or at the shot's end.
/// - The forward recursion begins anew at every multiple of [`PAST_BLOCK`]. The one before runs on for another
///   `PAST_BLOCK` frames, during which the output passes evenly from the older to the younger. So the past reaches
///   back at least `PAST_BLOCK` frames and under twice as many.
#[derive(Debug, Clone)]
pub(super) struct Fusion<const N: usize> {
    decay: f32,
    /// `None`: all waits for the end of the shot.
    lag: Option<Lag>,
    /// Frame number of the oldest frame held.
    next: usize,
    /// Frames not yet given out, oldest first.
    held: VecDeque<Own>,
    /// Forward sums of the frame last given out, a plane a class, of the recursion begun earlier and of that begun
    /// later. `None` at the start of a shot.
    past: Option<[Vec<Sums<N>>; 2]>,
}

/// How far the future reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    /// Frames given out at once.
    pub block: usize,
    /// Frames after a block that it takes in.
    pub ahead: usize,
}

/// What a frame itself says.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// Probability and weight, each 0–255, a plane a class.
    pub classes: Vec<Plane<[u8; 2]>>,
    /// Motion since the frame before.
    pub motion: Option<Arc<Motion>>,
}

/// What all frames say of one.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    /// The weighted mean of the probabilities, 0–255.
    pub probability: Plane<u8>,
    /// How far the frames disagree, 0–255: the variance of the probabilities as a share of the most that their mean
    /// allows, `(mean p² − mean² p) / mean p (1 − mean p)`. 0 where N is 2.
    pub disagreement: Plane<u8>,
}

/// For each pixel sums of w p, w and w p², p in 0–255.
type Sums<const N: usize> = Plane<[f32; N]>;

impl<const N: usize> Fusion<N> {
    /// The first frame pushed has the number `first`.
    pub fn new(decay: f32, lag: Option<Lag>, first: usize) -> Self {
        Self { decay, lag, next: first, held: VecDeque::new(), past: None }
    }

    /// Takes the next frame; gives those that need no more of the future, in order, a [`Joint`] a class.
    pub fn push(&mut self, own: Own) -> Vec<Vec<Joint>> {
        self.held.push_back(own);
        let Some(Lag { block, ahead }) = self.lag else { return Vec::new() };
        let end = (self.next / block + 1) * block;
        if self.next + self.held.len() < end + ahead {
            return Vec::new();
        }
        self.advance(end - self.next)
    }

    /// Ends the shot: the frames still held, in order. The next frame pushed begins a new one.
    pub fn finish(&mut self) -> Vec<Vec<Joint>> {
        let rest = self.advance(self.held.len());
        self.past = None;
        rest
    }

    /// Gives out the oldest `count` frames, with all that are held as their future.
    fn advance(&mut self, count: usize) -> Vec<Vec<Joint>> {
        let mut futures: Vec<Vec<Sums<N>>> = Vec::with_capacity(count);
        let mut beyond = None;
        for index in (0..self.held.len()).rev() {
            let motion = self.held.get(index + 1).and_then(|next| next.motion.as_deref());
            let next = futures.last().or(beyond.as_ref()).zip(motion);
            let next = next.map(|(next, motion)| (next.as_slice(), &motion.forward, &motion.forward_trust));
            let sums = self.step(&self.held[index], next);
            if index < count {
                futures.push(sums);
            } else {
                beyond = Some(sums);
            }
        }
        futures.iter().rev().map(|future| self.give(future)).collect()
    }

    /// Gives out the oldest frame, whose backward sums are `future`.
    fn give(&mut self, future: &[Sums<N>]) -> Vec<Joint> {
        let own = self.held.pop_front().expect("a frame for each future");
        let phase = self.next % PAST_BLOCK;
        let [mut older, mut younger] = match self.past.take() {
            Some([older, younger]) => [Some(older), Some(younger)],
            None => [None, None],
        };
        let share = match self.lag {
            None => 1.0,
            Some(_) => {
                if phase == 0 {
                    older = younger.take();
                }
                1.0 - phase as f32 / PAST_BLOCK as f32
            }
        };
        let advance = |past: Option<Vec<Sums<N>>>| {
            let past = past.as_deref().zip(own.motion.as_deref());
            self.step(&own, past.map(|(past, motion)| (past, &motion.backward, &motion.backward_trust)))
        };
        let older = advance(older);
        let younger = if self.lag.is_some() { advance(younger) } else { Vec::new() };
        let joint = (0..own.classes.len())
            .map(|class| {
                let own = &own.classes[class];
                let past = (&older[class], younger.get(class).unwrap_or(&older[class]));
                join(own, past, share, &future[class])
            })
            .collect();
        self.past = Some([older, younger]);
        self.next += 1;
        joint
    }

    /// A frame's own sums with those of the neighbour to which a flow leads.
    fn step(&self, own: &Own, neighbour: Option<(&[Sums<N>], &Flow, &Plane<f32>)>) -> Vec<Sums<N>> {
        let step = |(class, own): (usize, &Plane<[u8; 2]>)| {
            let size = own.size();
            let mut sums = Plane::filled(size.0, size.1, [0.0; N]);
            parallel::rows(&mut sums, |y, row| {
                let own = row.iter_mut().zip(own.row(y));
                let Some((sums, flow, trust)) = neighbour else {
                    own.for_each(|(sum, &own)| *sum = parts(own));
                    return;
                };
                let mut own = own.zip(trust.row(y));
                Taps::along(flow, y, size, |_, taps| {
                    let ((sum, &own), &trust) = own.next().expect("planes of one size");
                    let carried = taps.read(sums[class].data());
                    let share = self.decay * trust;
                    let own: [f32; N] = parts(own);
                    *sum = std::array::from_fn(|i| own[i] + share * carried[i]);
                });
            });
            sums
        };
        own.classes.iter().enumerate().map(step).collect()
    }
}

/// w p, w and w p² of one pixel.
#[inline(always)]
fn parts<const N: usize>([probability, weight]: [u8; 2]) -> [f32; N] {
    let (p, w) = (f32::from(probability), f32::from(weight) / 255.0);
    let all = [w * p, w, w * p * p];
    std::array::from_fn(|i| all[i])
}

/// All sums of a frame, joined; of the past, `share` is the older's and the rest the younger's.
fn join<const N: usize>(
    own: &Plane<[u8; 2]>,
    (older, younger): (&Sums<N>, &Sums<N>),
    share: f32,
    future: &Sums<N>,
) -> Joint {
    let (width, height) = own.size();
    let mut both = Plane::filled(width, height, [0; 2]);
    parallel::rows(&mut both, |y, row| {
        let past = older.row(y).iter().zip(younger.row(y));
        for (((out, &own), (older, younger)), future) in row.iter_mut().zip(own.row(y)).zip(past).zip(future.row(y)) {
            let own: [f32; N] = parts(own);
            let sum: [f32; N] =
                std::array::from_fn(|i| (younger[i] + share * (older[i] - younger[i])) + future[i] - own[i]);
            let mean = sum[0] / sum[1];
            let disagreement = sum.get(2).map_or(0.0, |squares| {
                let most = mean * (255.0 - mean);
                // One level more, so that rounding makes no disagreement where nothing is possible.
                (squares / sum[1] - mean * mean).max(0.0) / (most + 255.0)
            });
            *out = [level(mean), level(255.0 * disagreement.min(1.0))];
        }
    });
    Joint { probability: both.map(|both| both[0]), disagreement: both.map(|both| both[1]) }
}
