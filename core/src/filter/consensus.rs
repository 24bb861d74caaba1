use std::{collections::VecDeque, sync::Arc};

use super::{TemporalFilter, level};
use crate::{
    LookAhead, Motion, Plane,
    flow::{Flow, warp},
};

/// Motion-compensated consensus: what the past and the future say of a pixel, carried to it along optical flow.
///
/// Two recursions run over the shot, one from its start and one from its end. Each keeps a sum S of probabilities
/// and the sum W of their weights; the step from a neighbour frame is
///
/// `S_t = p_t + a · warp(S)`, `W_t = 1 + a · warp(W)`, `a = decay · trust`,
///
/// so that evidence fades with time and stops where the flow cannot be trusted. The output joins both and counts
/// the present once: `(S + S' − p) / (W + W' − 1)`.
///
/// The forward recursion follows the output. The backward recursion starts anew for each output, `look_ahead`
/// frames ahead of it, so that memory is bounded by the look-ahead and not by the shot; for
/// [`LookAhead::All`] the whole shot is kept, and one backward recursion serves all of it.
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
    planes: Vec<Plane<u8>>,
    /// Motion since the frame before.
    motion: Option<Arc<Motion>>,
}

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
            (Some(next), Some(motion)) => self.step(held, next, &motion.forward, &motion.forward_trust),
            _ => held.planes.iter().map(alone).collect(),
        }
    }

    /// The evidence of `held` with that of the neighbour frame to which `flow` leads.
    fn step(&self, held: &Held, neighbour: &[Evidence], flow: &Flow, trust: &Plane<f32>) -> Vec<Evidence> {
        let with_own = |(plane, neighbour): (&Plane<u8>, &Evidence)| {
            let mut evidence = warp(neighbour, flow);
            for ((evidence, &p), &trust) in evidence.data_mut().iter_mut().zip(plane.data()).zip(trust.data()) {
                let share = self.decay * trust;
                *evidence = [f32::from(p) + share * evidence[0], 1.0 + share * evidence[1]];
            }
            evidence
        };
        held.planes.iter().zip(neighbour).map(with_own).collect()
    }

    /// Gives out the oldest frame, whose backward evidence is `future`.
    fn advance(&mut self, future: &[Evidence]) -> Option<Vec<Plane<u8>>> {
        let held = self.held.pop_front()?;
        let past = match (&self.past, &held.motion) {
            (Some(past), Some(motion)) => self.step(&held, past, &motion.backward, &motion.backward_trust),
            _ => held.planes.iter().map(alone).collect(),
        };
        let fused = held.planes.iter().zip(past.iter().zip(future)).map(|(plane, (past, future))| {
            let mut fused = plane.clone();
            for (p, (past, future)) in fused.data_mut().iter_mut().zip(past.data().iter().zip(future.data())) {
                *p = level((past[0] + future[0] - f32::from(*p)) / (past[1] + future[1] - 1.0));
            }
            fused
        });
        let fused = fused.collect();
        self.past = Some(past);
        Some(fused)
    }
}

impl TemporalFilter for Consensus {
    fn push(&mut self, planes: &[Plane<u8>], motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        self.held.push_back(Held { planes: planes.to_vec(), motion: motion.cloned() });
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
fn alone(plane: &Plane<u8>) -> Evidence {
    plane.map(|&p| [p.into(), 1.0])
}
