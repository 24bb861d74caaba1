use std::{collections::VecDeque, sync::Arc};

use super::{
    TemporalFilter,
    components::{Connectivity, Run, components},
};
use crate::{
    Motion, Plane,
    flow::{Flow, TRUSTED},
    settings::level_of,
};

/// Hysteresis along motion, and persistence of small parts.
///
/// A pixel is *on* where `p > high`, or where `p > low` and the pixel of the frame before that motion brings here was
/// on (`high ≥ low`): it takes strong evidence to enter the mask, and weaker evidence to stay in it. What motion brings
/// counts where the flow is [`TRUSTED`](crate::flow::TRUSTED); flow is read at the nearest pixel.
///
/// Then small parts must prove themselves. A component of the mask (corners connect), and after that a hole or other
/// gap in it (corners do not), whose area is under [`SMALL_SHARE`] of the frame, is kept only if it meets itself in
/// more than half of the frames of a window of [`VOTES`], centred and cut at the shot's ends. It meets itself in a
/// frame when at least half of its pixels, carried there along trusted flow, are of its kind: on for a component, off
/// for a hole. In its own frame it always does. The vote needs the future: the output lags [`VOTES`]` / 2` frames behind.
///
/// Probabilities stay as they are where they agree with the outcome at the dividing line ½, and move to the nearest
/// level that does where they do not: at least 128 in the mask, at most 127 outside. So edges stay soft. The mask at
/// threshold ½ is the outcome; a still clip gives, from the first frame on, `p > high` without change.
#[derive(Debug, Clone)]
pub struct Hysteresis {
    /// Levels over which a probability of 0–255 enters the mask, and stays in it.
    high: u8,
    low: u8,
    /// The window, oldest first.
    frames: VecDeque<Held>,
    /// Index in `frames` of the next frame to be given out.
    centre: usize,
}

#[derive(Debug, Clone)]
struct Held {
    planes: Vec<Plane<u8>>,
    /// What is on before the vote, a plane a class.
    on: Vec<Plane<bool>>,
    /// Motion since the frame before.
    motion: Option<Arc<Motion>>,
}

/// Share of the frame under which a component or a hole is small.
pub const SMALL_SHARE: f32 = 0.0005;
/// Frames that vote on a small part, itself included: odd.
pub const VOTES: usize = 5;

impl Hysteresis {
    /// `high` and `low`: the probabilities, 0 to 1, over which a pixel enters the mask and stays in it.
    pub fn new(high: f32, low: f32) -> Self {
        Self { high: level_of(high), low: level_of(low), frames: VecDeque::with_capacity(VOTES), centre: 0 }
    }

    /// What is on in a frame, given what was in the frame before and the motion since.
    fn enter_or_stay(&self, plane: &Plane<u8>, before: Option<(&Plane<bool>, &Motion)>) -> Plane<bool> {
        let Some((before, motion)) = before else { return plane.map(|&p| p > self.high) };
        Plane::from_fn(plane.width(), plane.height(), |x, y| {
            let p = plane.get(x, y);
            let stays = || {
                let (x, y) = nearest(step((x as f32, y as f32), &motion.backward), plane.size());
                before.get(x, y)
            };
            p > self.high || p > self.low && motion.backward_trust.get(x, y) > TRUSTED && stays()
        })
    }

    /// Gives out the frame at the centre of the window.
    fn advance(&mut self) -> Vec<Plane<u8>> {
        let voted = |class: usize| {
            let held = &self.frames[self.centre];
            let mut on = held.on[class].clone();
            self.vote(class, &mut on, true, Connectivity::Eight);
            self.vote(class, &mut on, false, Connectivity::Four);
            let mut on = on.into_vec().into_iter();
            held.planes[class].map(|&p| if on.next().expect("planes of one size") { p.max(128) } else { p.min(127) })
        };
        let out = (0..self.frames[self.centre].planes.len()).map(voted).collect();
        if self.centre == VOTES / 2 {
            self.frames.pop_front();
        } else {
            self.centre += 1;
        }
        out
    }

    /// Turns the small parts of `on` whose pixels are `kind` into the other kind unless most frames have them.
    fn vote(&self, class: usize, on: &mut Plane<bool>, kind: bool, connectivity: Connectivity) {
        let small = f64::from(SMALL_SHARE) * on.data().len() as f64;
        for part in components(on, kind, connectivity) {
            let area: usize = part.iter().map(|(_, columns)| columns.len()).sum();
            if (area as f64) < small && 2 * self.meets_itself(class, &part, area, kind) <= self.frames.len() {
                for (y, columns) in part {
                    on.row_mut(y)[columns].fill(!kind);
                }
            }
        }
    }

    /// In how many frames of the window a part of the centre frame meets itself.
    fn meets_itself(&self, class: usize, part: &[Run], area: usize, kind: bool) -> usize {
        // Motion is kept with the later of its two frames, and there is one within a shot.
        let later = self.frames.range(self.centre + 1..).filter_map(|held| {
            let motion = held.motion.as_ref()?;
            Some((&held.on[class], &motion.forward, &motion.forward_trust))
        });
        let earlier = (0..self.centre).rev().filter_map(|index| {
            let motion = self.frames[index + 1].motion.as_ref()?;
            Some((&self.frames[index].on[class], &motion.backward, &motion.backward_trust))
        });
        1 + meetings(part, area, kind, later) + meetings(part, area, kind, earlier)
    }
}

/// In how many of the frames along a way a part meets itself. Of each: what is on there, and the flow that leads there
/// from the frame before, with its trust.
fn meetings<'a>(
    part: &[Run],
    area: usize,
    kind: bool,
    way: impl Iterator<Item = (&'a Plane<bool>, &'a Flow, &'a Plane<f32>)>,
) -> usize {
    let mut points: Vec<_> = part.iter().flat_map(|(y, xs)| xs.clone().map(|x| (x as f32, *y as f32))).collect();
    way.filter(|(on, flow, trust)| {
        points.retain_mut(|point| {
            let (x, y) = nearest(*point, flow.size());
            *point = step(*point, flow);
            trust.get(x, y) > TRUSTED
        });
        let of_its_kind = points.iter().map(|&point| nearest(point, on.size())).filter(|&(x, y)| on.get(x, y) == kind);
        2 * of_its_kind.count() >= area
    })
    .count()
}

impl TemporalFilter for Hysteresis {
    fn push(&mut self, planes: &[Plane<u8>], motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        let before = self.frames.back().zip(motion);
        let on = planes.iter().enumerate().map(|(class, plane)| {
            self.enter_or_stay(plane, before.map(|(held, motion)| (&held.on[class], motion.as_ref())))
        });
        let on = on.collect();
        self.frames.push_back(Held { planes: planes.to_vec(), on, motion: motion.cloned() });
        (self.frames.len() > self.centre + VOTES / 2).then(|| self.advance())
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        let mut rest = Vec::new();
        while self.centre < self.frames.len() {
            rest.push(self.advance());
        }
        self.frames.clear();
        self.centre = 0;
        rest
    }
}

/// Where the flow takes a point, read at the pixel nearest to it.
fn step((x, y): (f32, f32), flow: &Flow) -> (f32, f32) {
    let (column, row) = nearest((x, y), flow.size());
    let [dx, dy] = flow.get(column, row);
    (x + dx, y + dy)
}

/// The pixel nearest to a point; outside, that of the edge.
fn nearest((x, y): (f32, f32), (width, height): (usize, usize)) -> (usize, usize) {
    // A cast of a negative number is 0.
    (((x + 0.5) as usize).min(width - 1), ((y + 0.5) as usize).min(height - 1))
}
