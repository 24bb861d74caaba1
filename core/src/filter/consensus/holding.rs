//! A pixel keeps its label along motion while little speaks against it.

use super::fusion::Frame;
use crate::{
    Motion, Plane, RAW_LEVEL,
    flow::{Flow, TRUSTED, warp_nearest},
    parallel,
    simd::vectorised,
};

/// Level from which on a pixel is in the mask, whatever comes before and after it: 0.6.
pub const CERTAIN: u8 = 153;
/// Level up to which a pixel is outside: 0.4.
pub const CERTAIN_NOT: u8 = 102;
/// Frames for which a label holds.
pub const HELD_FOR: usize = 24;

/// Gives uncertain pixels the label that motion brings: hysteresis as in J. Canny, *A computational approach to edge
/// detection*, PAMI 1986, in time.
///
/// From [`CERTAIN`] on a pixel is in the mask, and up to [`CERTAIN_NOT`] it is not. Between them it has the label of the
/// pixel to which motion leads in the frame before, and the same of the frame after; where the two differ, it is in
/// the mask. ½ decides where the flow is not [`TRUSTED`], at the ends of what is known, and where all has been uncertain for
/// [`HELD_FOR`] frames. Flow is read at the nearest pixel.
///
/// Probabilities move to the side of their label: as far as [`CERTAIN`] or [`CERTAIN_NOT`] where it came from a certain
/// pixel, so that enlarging keeps it, else to 128 or 127.
#[derive(Debug, Clone, Default)]
pub(super) struct Holding {
    /// What the frame last given out has from its past, a plane a class; `None` at the start of a shot.
    past: Option<Vec<Held>>,
}

/// For how many frames more the label of each pixel holds, and [`FIRM`] more where a certain one gave it: over 0 in the
/// mask, under 0 outside; 0 where none does.
type Held = Plane<i8>;

impl Holding {
    /// The probabilities of the shot's next frames, which come together: the last ends what is known of the future.
    pub fn give(&mut self, frames: Vec<Frame<Plane<u8>>>) -> Vec<Vec<Plane<u8>>> {
        let mut futures: Vec<Vec<Held>> = Vec::with_capacity(frames.len());
        for (index, frame) in frames.iter().enumerate().rev() {
            let motion = frames.get(index + 1).and_then(|next| next.motion.as_deref());
            let there = futures.last().zip(motion);
            let there = there.map(|(there, motion)| (there.as_slice(), &motion.forward, &motion.forward_trust));
            futures.push(carry(&frame.classes, there));
        }
        let frames = frames.into_iter().zip(futures.into_iter().rev());
        frames.map(|(Frame { classes, motion }, future)| self.settle(classes, motion.as_deref(), &future)).collect()
    }

    /// Ends the shot.
    pub fn finish(&mut self) {
        self.past = None;
    }

    /// The next frame, which has `future` from its future.
    fn settle(&mut self, mut classes: Vec<Plane<u8>>, motion: Option<&Motion>, future: &[Held]) -> Vec<Plane<u8>> {
        let there = self.past.as_deref().zip(motion);
        let past = carry(&classes, there.map(|(there, motion)| (there, &motion.backward, &motion.backward_trust)));
        for ((class, past), future) in classes.iter_mut().zip(&past).zip(future) {
            parallel::rows(class, |y, row| settle(row, past.row(y), future.row(y)));
        }
        self.past = Some(past);
        classes
    }
}

/// What holds in a frame; `there` is what holds in a neighbour, the flow that leads to it, and the trust in that.
fn carry(classes: &[Plane<u8>], there: Option<(&[Held], &Flow, &Plane<f32>)>) -> Vec<Held> {
    let carry = |(class, plane): (usize, &Plane<u8>)| match there {
        Some((there, flow, trust)) => {
            let mut held = warp_nearest(&there[class], flow);
            parallel::rows(&mut held, |y, row| hold(row, plane.row(y), trust.row(y)));
            held
        }
        None => plane.map(|&p| own(p)),
    };
    classes.iter().enumerate().map(carry).collect()
}

/// What the size of a [`Held`] is over where a certain pixel gave the label.
const FIRM: i8 = 64;

/// What the pixel says by itself.
#[inline(always)]
fn own(p: u8) -> i8 {
    let size = HELD_FOR as i8 + if certain(p) { FIRM } else { 0 };
    if p > RAW_LEVEL { size } else { -size }
}

#[inline(always)]
fn certain(p: u8) -> bool {
    p <= CERTAIN_NOT || p >= CERTAIN
}

vectorised! {
    /// Makes what holds in a neighbour what holds here.
    fn hold(held: &mut [i8], probabilities: &[u8], trust: &[f32]) {
        for ((held, &p), &trust) in held.iter_mut().zip(probabilities).zip(trust) {
            let faded = *held - held.signum();
            let faded = if faded.abs() == FIRM { 0 } else { faded };
            *held = if certain(p) || trust <= TRUSTED { own(p) } else { faded };
        }
    }

    /// Brings probabilities to the side of their label.
    fn settle(probabilities: &mut [u8], past: &[i8], future: &[i8]) {
        for ((p, &past), &future) in probabilities.iter_mut().zip(past).zip(future) {
            let (most, least) = (past.max(future), past.min(future));
            *p = if most > 0 {
                (*p).max(if most > FIRM { CERTAIN } else { RAW_LEVEL + 1 })
            } else if least < 0 {
                (*p).min(if least < -FIRM { CERTAIN_NOT } else { RAW_LEVEL })
            } else {
                *p
            };
        }
    }
}
