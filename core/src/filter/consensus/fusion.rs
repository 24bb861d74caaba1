use std::{collections::VecDeque, sync::Arc};

use super::PAST_BLOCK;
use crate::{
    Motion, Plane,
    filter::level,
    flow::{AT_A_TIME, Flow, Taps},
    parallel,
    simd::{larger, smaller, vectorised},
};

/// Joins each frame's planes with what its past and its future say of them, carried along flow.
///
/// Two recursions run over the shot, one from its start and one from its end. Each keeps, for every pixel, sums over
/// the frames of w p, w and, with N = 4, w p², where p is a probability and w its weight. The step from a neighbour is
///
/// `S_t = s_t + a · warp(S)`, `a = decay · trust`,
///
/// with s the frame's own part, so that evidence fades with time and stops where the flow cannot be trusted. The
/// present is counted once: `S + S' − s`.
///
/// With a [`Lag`] both recursions are bounded, at frame numbers that are the same however a clip is cut:
/// - Outputs come in blocks that begin [`Lag::early`] frames before multiples of [`Lag::block`]. The backward recursion
///   of a block begins [`Lag::ahead`] frames after its end, or at the shot's end.
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
    past: Past<N>,
    /// Planes to write backward sums to, so that none are allocated anew for each step.
    spare: Vec<Sums<N, 1>>,
}

/// What the frames given out say of the next.
#[derive(Debug, Clone)]
enum Past<const N: usize> {
    /// In one recursion.
    Whole(Forward<N, 1>),
    /// In that begun earlier and that begun later, carried along together.
    Bounded(Forward<N, 2>),
}

/// Forward sums of the frame last given out, a plane a class; none at the start of a shot.
#[derive(Debug, Clone, Default)]
struct Forward<const N: usize, const K: usize> {
    sums: Vec<Sums<N, K>>,
    /// Those of the frame before, to write to.
    spare: Vec<Sums<N, K>>,
}

/// How far the future reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    /// Frames given out at once.
    pub block: usize,
    /// Blocks begin so many frames before multiples of `block`.
    pub early: usize,
    /// Frames after a block that it takes in.
    pub ahead: usize,
}

/// A frame on its way through the stages.
#[derive(Debug, Clone)]
pub(super) struct Frame<T> {
    /// What is known of each class.
    pub classes: Vec<T>,
    /// Motion since the frame before.
    pub motion: Option<Arc<Motion>>,
}

/// What a frame itself says: probability and weight, each 0–255, a plane a class.
pub(super) type Own = Frame<Plane<[u8; 2]>>;

/// What all frames say of one.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    /// The weighted mean of the probabilities, 0–255.
    pub probability: Plane<u8>,
    /// How far the frames disagree, 0–255: the variance of the probabilities as a share of the most that their mean
    /// allows, `(mean p² − mean² p) / mean p (1 − mean p)`. 0 where N is 2.
    pub disagreement: Plane<u8>,
}

/// For each pixel, of each of K recursions, sums of w p and w, or of w p, w and w p² and a 0 that fills a vector
/// register; p in 0–255.
type Sums<const N: usize, const K: usize> = Plane<[[f32; N]; K]>;

impl<const N: usize> Fusion<N> {
    /// The first frame pushed has the number `first`.
    pub fn new(decay: f32, lag: Option<Lag>, first: usize) -> Self {
        Self { decay, lag, next: first, held: VecDeque::new(), past: Past::start(lag), spare: Vec::new() }
    }

    /// Takes the next frame; gives those that need no more of the future, in order, a [`Joint`] a class.
    pub fn push(&mut self, own: Own) -> Vec<Frame<Joint>> {
        self.held.push_back(own);
        let Some(Lag { block, early, ahead }) = self.lag else { return Vec::new() };
        let end = ((self.next + early) / block + 1) * block - early;
        if self.next + self.held.len() < end + ahead {
            return Vec::new();
        }
        self.advance(end - self.next)
    }

    /// Ends the shot: the frames still held, in order. The next frame pushed begins a new one.
    pub fn finish(&mut self) -> Vec<Frame<Joint>> {
        let rest = self.advance(self.held.len());
        self.past = Past::start(self.lag);
        self.spare.clear();
        rest
    }

    /// Gives out the oldest `count` frames, with all that are held as their future.
    fn advance(&mut self, count: usize) -> Vec<Frame<Joint>> {
        let mut futures: Vec<Vec<Sums<N, 1>>> = Vec::with_capacity(count);
        let mut beyond = None;
        for index in (0..self.held.len()).rev() {
            let motion = self.held.get(index + 1).and_then(|next| next.motion.as_deref());
            let next = futures.last().or(beyond.as_ref()).zip(motion);
            let next = next.map(|(next, motion)| (next.as_slice(), &motion.forward, &motion.forward_trust));
            let sums = step(&mut self.spare, self.decay, &self.held[index].classes, next);
            if index < count {
                futures.push(sums);
            } else {
                self.spare.extend(beyond.replace(sums).into_iter().flatten());
            }
        }
        self.spare.extend(beyond.into_iter().flatten());
        let mut joint = Vec::with_capacity(count);
        while let Some(future) = futures.pop() {
            joint.push(self.give(&future));
            self.spare.extend(future);
        }
        joint
    }

    /// Gives out the oldest frame, whose backward sums are `future`.
    fn give(&mut self, future: &[Sums<N, 1>]) -> Frame<Joint> {
        let own = self.held.pop_front().expect("a frame for each future");
        let phase = self.next % PAST_BLOCK;
        self.next += 1;
        let classes = match &mut self.past {
            Past::Whole(past) => {
                past.go_on(self.decay, &own);
                join(&own.classes, &past.sums, 1.0, future)
            }
            Past::Bounded(past) => {
                past.go_on(self.decay, &own);
                if phase == 0 {
                    for (sums, own) in past.sums.iter_mut().zip(&own.classes) {
                        parallel::rows(sums, |y, sums| begin_anew(sums, own.row(y)));
                    }
                }
                join(&own.classes, &past.sums, 1.0 - phase as f32 / PAST_BLOCK as f32, future)
            }
        };
        Frame { classes, motion: own.motion }
    }
}

impl<const N: usize> Past<N> {
    /// That of a shot's first frame.
    fn start(lag: Option<Lag>) -> Self {
        if lag.is_some() { Self::Bounded(Forward::default()) } else { Self::Whole(Forward::default()) }
    }
}

impl<const N: usize, const K: usize> Forward<N, K> {
    /// Goes on to the next frame.
    fn go_on(&mut self, decay: f32, own: &Own) {
        let there = own.motion.as_deref().filter(|_| !self.sums.is_empty());
        let there = there.map(|motion| (self.sums.as_slice(), &motion.backward, &motion.backward_trust));
        let next = step(&mut self.spare, decay, &own.classes, there);
        self.spare = std::mem::replace(&mut self.sums, next);
    }
}

/// A frame's own sums with those of the neighbour to which a flow leads, in `spare` planes.
fn step<const N: usize, const K: usize>(
    spare: &mut Vec<Sums<N, K>>,
    decay: f32,
    own: &[Plane<[u8; 2]>],
    neighbour: Option<(&[Sums<N, K>], &Flow, &Plane<f32>)>,
) -> Vec<Sums<N, K>> {
    let step = |(class, own): (usize, &Plane<[u8; 2]>)| {
        let (width, height) = own.size();
        let fits = spare.pop().filter(|plane| plane.size() == own.size());
        let mut sums = fits.unwrap_or_else(|| Plane::filled(width, height, [[0.0; N]; K]));
        parallel::rows(&mut sums, |y, sums| match neighbour {
            Some((there, flow, trust)) => {
                carry(sums, own.row(y), there[class].data(), flow, y, trust.row(y), decay);
            }
            None => begin(sums, own.row(y)),
        });
        sums
    };
    own.iter().enumerate().map(step).collect()
}

/// w p, w and w p² of one pixel.
#[inline(always)]
fn parts<const N: usize>([probability, weight]: [u8; 2]) -> [f32; N] {
    let (p, w) = (f32::from(probability), f32::from(weight) / 255.0);
    let all = [w * p, w, w * p * p, 0.0];
    let mut parts = [0.0; N];
    parts.copy_from_slice(&all[..N]);
    parts
}

vectorised! {
    /// The sums of a row where there is no neighbour.
    fn begin<const N: usize, const K: usize>(sums: &mut [[[f32; N]; K]], own: &[[u8; 2]]) {
        for (sum, &own) in sums.iter_mut().zip(own) {
            *sum = [parts(own); K];
        }
    }

    /// Makes the younger of two recursions the older, and begins another.
    fn begin_anew<const N: usize>(sums: &mut [[[f32; N]; 2]], own: &[[u8; 2]]) {
        for (sum, &own) in sums.iter_mut().zip(own) {
            *sum = [sum[1], parts(own)];
        }
    }

    /// The sums of row `y`, with those of the neighbour `there`.
    fn carry<const N: usize, const K: usize>(
        sums: &mut [[[f32; N]; K]],
        own: &[[u8; 2]],
        there: &[[[f32; N]; K]],
        flow: &Flow,
        y: usize,
        trust: &[f32],
        decay: f32,
    ) {
        let mut taps = Taps::new(flow.size());
        let pieces = sums.chunks_mut(AT_A_TIME).zip(own.chunks(AT_A_TIME)).zip(trust.chunks(AT_A_TIME));
        for (start, ((sums, own), trust)) in (0..).step_by(AT_A_TIME).zip(pieces) {
            let length = sums.len().min(AT_A_TIME);
            let (sums, trust) = (&mut sums[..length], &trust[..length]);
            taps.find(flow, start, y, length);
            for (sum, &own) in sums.iter_mut().zip(own) {
                *sum = [parts(own); K];
            }
            for (i, (sum, &trust)) in sums.iter_mut().zip(trust).enumerate() {
                let carried = taps.read(i, there);
                let share = decay * trust;
                for k in 0..K {
                    for n in 0..N {
                        sum[k][n] += share * carried[k][n];
                    }
                }
            }
        }
    }

    /// Joint probabilities and disagreement of a row; of the past, `share` is the first recursion's and the rest the
    /// last's.
    fn join_row<const N: usize, const K: usize>(
        probability: &mut [u8],
        disagreement: &mut [u8],
        own: &[[u8; 2]],
        past: &[[[f32; N]; K]],
        share: f32,
        future: &[[[f32; N]; 1]],
    ) {
        let length = probability.len();
        let (disagreement, own) = (&mut disagreement[..length], &own[..length]);
        let (past, future) = (&past[..length], &future[..length]);
        for x in 0..length {
            let parts: [f32; N] = parts(own[x]);
            let mut sum = [0.0; N];
            for n in 0..N {
                let (first, last) = (past[x][0][n], past[x][K - 1][n]);
                sum[n] = last + share * (first - last) + future[x][0][n] - parts[n];
            }
            let mean = sum[0] / sum[1];
            probability[x] = level(mean);
            disagreement[x] = match sum.get(2) {
                None => 0,
                Some(squares) => {
                    let most = mean * (255.0 - mean);
                    // One level more, so that rounding makes no disagreement where nothing is possible.
                    let share = larger(squares / sum[1] - mean * mean, 0.0) / (most + 255.0);
                    level(255.0 * smaller(share, 1.0))
                }
            };
        }
    }
}

/// All sums of a frame, joined. [`join_row`] has the arguments.
fn join<const N: usize, const K: usize>(
    own: &[Plane<[u8; 2]>],
    past: &[Sums<N, K>],
    share: f32,
    future: &[Sums<N, 1>],
) -> Vec<Joint> {
    let join = |((own, past), future): ((&Plane<[u8; 2]>, &Sums<N, K>), &Sums<N, 1>)| {
        let (width, height) = own.size();
        let [mut probability, mut disagreement] = [0, 1].map(|_| Plane::filled(width, height, 0));
        parallel::rows_of_two(&mut probability, &mut disagreement, |y, probability, disagreement| {
            join_row(probability, disagreement, own.row(y), past.row(y), share, future.row(y));
        });
        Joint { probability, disagreement }
    };
    own.iter().zip(past).zip(future).map(join).collect()
}
