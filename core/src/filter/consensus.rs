use std::{collections::VecDeque, sync::Arc};

use super::{TemporalFilter, level, local_maximum};
use crate::{
    LookAhead, Motion, Plane,
    flow::{Flow, warp},
};

/// Motion-compensated consensus: what the past and the future say of a pixel, carried to it along optical flow.
///
/// Two recursions run over the shot, one from its start and one from its end. Each keeps a weighted sum S of
/// probabilities and the sum W of the weights; the step from a neighbour frame is
///
/// `S_t = w_t p_t + a · warp(S)`, `W_t = w_t + a · warp(W)`, `a = decay · trust`,
///
/// so that evidence fades with time and stops where the flow cannot be trusted. The output joins both and counts
/// the present once: `(S + S' − w p) / (W + W' − w)`.
///
/// Networks lose whole objects far more often than they invent them. So a frame in which nothing is seen near a
/// pixel has little to say there: `w` rises from [`LEAST_WEIGHT`] to 1 with the largest probability within an
/// eighth of the frame's shorter side. Where a contour runs is thereby settled among the frames that see the
/// object.
///
/// An object that the network often misses still reaches only a low probability, so ½ is no dividing line yet. It
/// becomes one when each probability p is given out as `p / 2d`, at most 1, where d is [`PEAK_SHARE`] of the
/// largest joint probability within a tenth of the shorter side, but at least [`LEAST_PROBABILITY`]. Certain
/// pixels stay certain.
///
/// The forward recursion follows the output. The backward recursion starts anew for each output, `look_ahead`
/// frames ahead of it, so that memory is bounded by the look-ahead and not by the shot; for
/// [`LookAhead::All`] the whole shot is kept (for each pixel of each frame 24 bytes, and 16 for each class), and
/// one backward recursion serves all of it.
#[derive(Debug, Clone)]
pub struct Consensus {
    decay: f32,
    /// Frames the output lags behind; `None` waits for the end of the shot.
    look_ahead: Option<usize>,
    /// Forward evidence of the frame last given out, a plane a class.
    past: Option<Vec<Evidence>>,
    /// Frames not yet given out, oldest first.
    held: VecDeque<Held>,
}

/// `[S, W]` of each pixel; S in 0–255 times W.
type Evidence = Plane<[f32; 2]>;

#[derive(Debug, Clone)]
struct Held {
    /// What the frame itself says, a plane a class.
    own: Vec<Evidence>,
    /// Motion since the frame before.
    motion: Option<Arc<Motion>>,
}

/// Weight of a frame where nothing is seen nearby.
pub const LEAST_WEIGHT: f32 = 0.15;
/// Share of the largest joint probability nearby over which a pixel is more likely in the mask than not.
pub const PEAK_SHARE: f32 = 0.45;
/// Joint probability that is never enough to be in the mask.
pub const LEAST_PROBABILITY: f32 = 0.3;

impl Consensus {
    /// `decay` is the share of the evidence that survives a step, 0 to 1.
    pub fn new(decay: f32, look_ahead: LookAhead) -> Self {
        let look_ahead = match look_ahead {
            LookAhead::Frames(frames) => Some(frames as usize),
            LookAhead::All(_) => None,
        };
        Self { decay, look_ahead, past: None, held: VecDeque::new() }
    }

    /// Backward evidence of the frame held at `index`, given that of the next; `None` where it is the newest.
    fn backward(&self, index: usize, next: Option<&[Evidence]>) -> Vec<Evidence> {
        let held = &self.held[index];
        match (next, self.held.get(index + 1).and_then(|next| next.motion.as_ref())) {
            (Some(next), Some(motion)) => self.step(&held.own, next, &motion.forward, &motion.forward_trust),
            _ => held.own.clone(),
        }
    }

    /// A frame's own evidence with that of the neighbour to which `flow` leads.
    fn step(&self, own: &[Evidence], neighbour: &[Evidence], flow: &Flow, trust: &Plane<f32>) -> Vec<Evidence> {
        let join = |(own, neighbour): (&Evidence, &Evidence)| {
            let mut evidence = warp(neighbour, flow);
            for ((evidence, own), &trust) in evidence.data_mut().iter_mut().zip(own.data()).zip(trust.data()) {
                let share = self.decay * trust;
                *evidence = [own[0] + share * evidence[0], own[1] + share * evidence[1]];
            }
            evidence
        };
        own.iter().zip(neighbour).map(join).collect()
    }

    /// Gives out the oldest frame, whose backward evidence is `future`.
    fn advance(&mut self, future: &[Evidence]) -> Option<Vec<Plane<u8>>> {
        let Held { own, motion } = self.held.pop_front()?;
        let past = match (&self.past, &motion) {
            (Some(past), Some(motion)) => self.step(&own, past, &motion.backward, &motion.backward_trust),
            _ => own.clone(),
        };
        let fused = own.iter().zip(past.iter().zip(future)).map(|(own, (past, future))| {
            let mut pixels = past.data().iter().zip(future.data());
            decisive(&own.map(|own| {
                let (past, future) = pixels.next().expect("planes of one size");
                level((past[0] + future[0] - own[0]) / (past[1] + future[1] - own[1]))
            }))
        });
        let fused = fused.collect();
        self.past = Some(past);
        Some(fused)
    }
}

impl TemporalFilter for Consensus {
    fn push(&mut self, planes: &[Plane<u8>], motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        self.held.push_back(Held { own: planes.iter().map(weighted).collect(), motion: motion.cloned() });
        if self.held.len() <= self.look_ahead? {
            return None;
        }
        let newest = self.held.len() - 1;
        let mut future = self.backward(newest, None);
        for index in (0..newest).rev() {
            future = self.backward(index, Some(&future));
        }
        self.advance(&future)
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        let mut futures: Vec<Vec<Evidence>> = Vec::with_capacity(self.held.len());
        for index in (0..self.held.len()).rev() {
            futures.push(self.backward(index, futures.last().map(Vec::as_slice)));
        }
        let rest = futures.iter().rev().filter_map(|future| self.advance(future)).collect();
        self.past = None;
        rest
    }
}

/// The evidence of one frame alone.
fn weighted(plane: &Plane<u8>) -> Evidence {
    let mut nearby = local_maximum(plane, plane.width().min(plane.height()) / 8).into_vec().into_iter();
    plane.map(|&p| {
        let seen = f32::from(nearby.next().expect("planes of one size")) / 255.0;
        let weight = LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * seen;
        [weight * f32::from(p), weight]
    })
}

/// Joint probabilities with ½ as the dividing line.
fn decisive(joint: &Plane<u8>) -> Plane<u8> {
    let mut peaks = local_maximum(joint, joint.width().min(joint.height()) / 10).into_vec().into_iter();
    joint.map(|&p| {
        let peak = f32::from(peaks.next().expect("planes of one size"));
        let line = (PEAK_SHARE * peak).max(LEAST_PROBABILITY * 255.0);
        level((f32::from(p) * 127.5 / line).min(255.0))
    })
}
