mod appearance;
mod fusion;
mod holding;
mod steadiness;

use std::{collections::VecDeque, sync::Arc};

pub use self::holding::{CERTAIN, CERTAIN_NOT, HELD_FOR};
pub use self::steadiness::{
    Noise, STEADY_NOISE, STEADY_SOFTNESS, STEADY_SWELLING, STEADY_WINDOW, UNSTEADY_NOISE, UNSTEADY_SOFTNESS,
    UNSTEADY_SWELLING, keep, steadiness,
};
use self::{
    appearance::{Appearance, Counts, bins},
    fusion::{Frame, Fusion, Joint, Lag, Own},
    holding::Holding,
    steadiness::Steadiness,
};
use super::{TemporalFilter, level, local_maximum};
use crate::{
    LookAhead, Motion, Plane, Rgb, parallel,
    simd::{larger, smaller, vectorised},
};

/// Motion-compensated consensus: what the past and the future say of a pixel, carried to it along optical flow.
///
/// **First fusion.** Weighted means of probabilities along motion, with `a = decay · trust` from one frame to the
/// next. Networks lose whole objects far more often than they invent them, so a frame in which nothing is seen near a
/// pixel has little to say there: its weight rises from [`LEAST_WEIGHT`] to 1 with the largest probability within an
/// eighth of the frame's shorter side.
///
/// **Decision**, where frames disagree. Let j be the joint probability of a pixel. Over the frames at most
/// [`WINDOW`] away, as far as the first fusion has come, the colours of the class and of the ground next to it are
/// counted; with c and g the shares of the pixel's colour among them,
///
/// `j' = j √c / (j √c + (1 − j) √g)`.
///
/// An object that is often missed still reaches only a low probability, so ½ is no dividing line yet. It becomes one
/// with `j'' = j' / 2d`, at most 1, where d is a share of the largest j' within a tenth of the shorter side, but at
/// least [`LEAST_PROBABILITY`]. The share is [`PEAK_SHARE`] where frames agree, and lower by the part of the class that
/// is in dispute in this frame, the sum of the variances over the sum of j, but at least [`LEAST_PEAK_SHARE`]: the more
/// a class is missed, the less it takes to be in the mask.
///
/// All this counts by the share ρ, [`DISAGREEMENT_GAIN`] times the largest disagreement within a tenth of the shorter
/// side and at most 1; disagreement is the variance over the frames as a share of j (1 − j). Where all frames say the
/// same, that stands, whatever it is.
///
/// **Second fusion.** What was decided is joined along motion once more, each frame with weight 1 and
/// `a = `[`SECOND_DECAY`]` · trust`: colours differ a little from frame to frame, and contours should not.
///
/// **What is uncertain holds.** A pixel between [`CERTAIN_NOT`] and [`CERTAIN`] keeps its label along motion, from the
/// past and from the future, for [`HELD_FOR`] frames; where the two differ, it is in the mask.
///
/// **What is steady already** is left alone. All this costs good masks their thin and fast parts, which flow cannot
/// follow. Where the [`Noise`] of a class is low, by the median over the frames at most [`STEADY_WINDOW`] away that
/// came with no later ones, its masks are [kept](keep) as they came but for what flickers, by the share [`steadiness`].
///
/// Each frame is given out `look_ahead` frames after it came. The two fusions share them, and work in blocks of two
/// thirds of them; both recursions are bounded at frame numbers that are the same however a clip is cut. A filter that
/// begins at [`Consensus::OVERLAP`] frames or more before a frame therefore gives the same bytes for it as one that
/// began with the clip. For [`LookAhead::All`] nothing is bounded: the whole shot is kept, for each pixel of each frame
/// 26 bytes, and for each class 23 more.
#[derive(Debug, Clone)]
pub struct Consensus {
    /// Frames the output lags behind; `None` waits for the end of the shot.
    look_ahead: Option<usize>,
    /// Colours of the frame to be pushed next.
    shown: Option<Plane<u16>>,
    first: Fusion<4>,
    /// Colours of the frames in the first fusion, oldest first.
    held: VecDeque<Option<Plane<u16>>>,
    /// For each class, the colours of frames near the one to be decided next.
    appearances: Vec<Window>,
    second: Fusion<2>,
    holding: Holding,
    steadiness: Steadiness,
    /// Frames that are done, but not yet due.
    done: VecDeque<Vec<Plane<u8>>>,
    /// Frames pushed and not given out.
    inside: usize,
}

/// What the decision about a class in a frame asks of the first fusion, besides the probabilities.
struct Surroundings {
    /// The largest probability nearby.
    seen: Plane<u8>,
    /// The largest disagreement nearby.
    disputed: Plane<u8>,
    /// [`in_dispute`].
    in_dispute: f32,
}

impl Surroundings {
    fn of(joint: &Joint) -> Self {
        Self { seen: near(&joint.probability), disputed: near(&joint.disagreement), in_dispute: in_dispute(joint) }
    }
}

/// The appearance of a class in the frames around one.
#[derive(Debug, Clone)]
struct Window {
    appearance: Appearance,
    /// Frames in it before the one to be decided next.
    before: usize,
}

impl Window {
    /// What it knows, for the frame to be decided next; then goes on to the one after that.
    fn advance(&mut self) -> Counts {
        let counts = self.appearance.counts();
        self.before += 1;
        if self.before > WINDOW {
            self.appearance.pop();
            self.before -= 1;
        }
        counts
    }
}

/// A frame from the first fusion, with all that its decision needs.
struct Undecided<'a> {
    frame: &'a Frame<Joint>,
    surroundings: &'a [Surroundings],
    colors: Option<Plane<u16>>,
    /// What the window of each class holds.
    counts: Vec<Counts>,
}

impl Undecided<'_> {
    fn decide(&self) -> Own {
        let classes = self.frame.classes.iter().zip(self.surroundings).zip(&self.counts);
        let decided = classes.map(|((class, near), counts)| {
            let odds = self.colors.as_ref().map(|colors| (colors, counts.odds()));
            decide(&class.probability, near, odds)
        });
        Own { classes: decided.collect(), motion: self.frame.motion.clone() }
    }
}

/// Frames that are decided side by side, at most: what their appearance takes is in memory at once.
const TOGETHER: usize = 12;

/// Weight of a frame where nothing is seen nearby.
pub const LEAST_WEIGHT: f32 = 0.15;
/// Share of the largest joint probability nearby over which a pixel is more likely in the mask than not, where hardly
/// anything is in dispute.
pub const PEAK_SHARE: f32 = 0.68;
/// The share is at least this.
pub const LEAST_PEAK_SHARE: f32 = 0.35;
/// Joint probability that is never enough to be in the mask where frames disagree.
pub const LEAST_PROBABILITY: f32 = 0.3;
/// How fast disagreement between frames opens the way to a decision.
pub const DISAGREEMENT_GAIN: f32 = 10.0;
/// Frames on each side whose colours count.
pub const WINDOW: usize = 12;
/// Share of the evidence that survives a step of the second fusion, at full trust.
pub const SECOND_DECAY: f32 = 0.95;
/// The forward recursions begin anew this many frames after one another.
pub const PAST_BLOCK: usize = 24;
/// Level over which something is seen nearby.
const NEARBY: u8 = 76;

impl Consensus {
    /// Frames before a frame that bear on its output, at most, where the look-ahead is bounded: what a piece of a clip
    /// must bring along from before it, for the same bytes as in the whole.
    pub const OVERLAP: usize = 2 * (2 * PAST_BLOCK - 1) + WINDOW + HELD_FOR;

    /// `decay` is the share of the evidence that survives a step of the first fusion, 0 to 1. The first frame pushed
    /// has the number `first` in its clip.
    pub fn new(decay: f32, look_ahead: LookAhead, first: usize) -> Self {
        let look_ahead = match look_ahead {
            LookAhead::Frames(frames) => Some(frames as usize),
            LookAhead::All(_) => None,
        };
        let [first_lag, second_lag] = match look_ahead {
            None => [None; 2],
            Some(frames) => lags(frames).map(Some),
        };
        Self {
            look_ahead,
            shown: None,
            first: Fusion::new(decay, first_lag, first),
            held: VecDeque::new(),
            appearances: Vec::new(),
            second: Fusion::new(SECOND_DECAY, second_lag, first),
            holding: Holding::default(),
            steadiness: Steadiness::default(),
            done: VecDeque::new(),
            inside: 0,
        }
    }

    /// Takes frames from the first fusion through the decision to the second.
    fn pass_on(&mut self, joint: Vec<Frame<Joint>>) {
        let surroundings: Vec<Vec<Surroundings>> =
            parallel::map(&joint, |frame| frame.classes.iter().map(Surroundings::of).collect());
        if self.appearances.is_empty() {
            let window = || Window { appearance: Appearance::new(), before: 0 };
            self.appearances.resize_with(joint.first().map_or(0, |frame| frame.classes.len()), window);
        }
        // Frames of `joint` whose colours are in the windows.
        let mut counted = 0;
        for (piece, frames) in joint.chunks(TOGETHER).enumerate() {
            let undecided: Vec<Undecided> = (piece * TOGETHER..)
                .zip(frames)
                .map(|(index, frame)| {
                    while counted < joint.len().min(index + 1 + WINDOW) {
                        let classes = joint[counted].classes.iter().zip(&surroundings[counted]);
                        for (window, (joint, near)) in self.appearances.iter_mut().zip(classes) {
                            if let Some(colors) = &self.held[counted - index] {
                                window.appearance.push(colors, &joint.probability, &near.seen);
                            }
                        }
                        counted += 1;
                    }
                    let colors = self.held.pop_front().expect("a filter gives no more than it took");
                    let counts = self.appearances.iter_mut().map(Window::advance).collect();
                    Undecided { frame, surroundings: &surroundings[index], colors, counts }
                })
                .collect();
            for own in parallel::map(&undecided, Undecided::decide) {
                let fused = self.second.push(own);
                self.give_out(fused);
            }
        }
    }

    /// Takes frames from the second fusion to the end.
    fn give_out(&mut self, fused: Vec<Frame<Joint>>) {
        let probabilities = |Frame { classes, motion }: Frame<Joint>| Frame {
            classes: classes.into_iter().map(|class| class.probability).collect(),
            motion,
        };
        let held = self.holding.give(fused.into_iter().map(probabilities).collect());
        self.done.extend(held.into_iter().map(|classes| self.steadiness.give(&classes)));
    }
}

/// The lags of the two fusions that together make `frames`. The second's blocks need all that the first's have given,
/// and no more: they end as many frames before them as they look ahead.
fn lags(frames: usize) -> [Lag; 2] {
    let block = (2 * frames / 3).max(1);
    let second = if frames < 2 { 0 } else { (frames + 1 - block) / 2 };
    let first = frames + 1 - block - second;
    [Lag { block, early: 0, ahead: first }, Lag { block, early: second, ahead: second }]
}

impl TemporalFilter for Consensus {
    fn show(&mut self, frame: &Plane<Rgb>) {
        self.shown = Some(bins(frame));
    }

    fn push(&mut self, planes: &[Plane<u8>], motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        parallel::inside(|| {
            self.held.push_back(self.shown.take());
            self.inside += 1;
            let classes = || planes.iter().map(weighted).collect();
            let (classes, ()) = parallel::join(classes, || self.steadiness.push(planes, motion));
            let own = Own { classes, motion: motion.cloned() };
            let joint = self.first.push(own);
            self.pass_on(joint);
            if self.inside <= self.look_ahead? {
                return None;
            }
            self.inside -= 1;
            self.done.pop_front()
        })
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        parallel::inside(|| {
            let joint = self.first.finish();
            self.pass_on(joint);
            let fused = self.second.finish();
            self.give_out(fused);
            self.holding.finish();
            self.appearances.clear();
            self.steadiness = Steadiness::default();
            self.inside = 0;
            self.done.drain(..).collect()
        })
    }
}

/// The largest value nearby.
fn near(plane: &Plane<u8>) -> Plane<u8> {
    local_maximum(plane, plane.width().min(plane.height()) / 10)
}

/// The probabilities of one frame and their weights.
fn weighted(plane: &Plane<u8>) -> Plane<[u8; 2]> {
    let seen = local_maximum(plane, plane.width().min(plane.height()) / 8);
    let mut own = Plane::filled(plane.width(), plane.height(), [0; 2]);
    weigh(own.data_mut(), plane.data(), seen.data());
    own
}

/// Joint probabilities with ½ as the dividing line where frames disagree, and their weights; `odds` are
/// [`Counts::odds`] and the colours to read them at.
fn decide(probability: &Plane<u8>, around: &Surroundings, odds: Option<(&Plane<u16>, Vec<f32>)>) -> Plane<[u8; 2]> {
    let disputed = &around.disputed;
    let (width, height) = probability.size();
    let mut colored = probability.clone();
    if let Some((colors, odds)) = odds {
        let odds = odds.first_chunk().expect("a number for each colour");
        parallel::rows(&mut colored, |y, row| {
            let mut ground = [0.0; AT_A_TIME];
            let pieces = row.chunks_mut(AT_A_TIME).zip(colors.row(y).chunks(AT_A_TIME));
            for ((p, colors), disputed) in pieces.zip(disputed.row(y).chunks(AT_A_TIME)) {
                for (ground, &color) in ground.iter_mut().zip(colors) {
                    *ground = appearance::of(odds, color);
                }
                color(p, &ground[..colors.len()], disputed);
            }
        });
    }
    let peaks = near(&colored);
    let peak_share = (PEAK_SHARE - around.in_dispute).max(LEAST_PEAK_SHARE);
    let mut decided = Plane::filled(width, height, [0; 2]);
    parallel::rows(&mut decided, |y, row| divide(row, colored.row(y), peaks.row(y), disputed.row(y), peak_share));
    decided
}

/// Pixels whose odds are looked up together.
const AT_A_TIME: usize = 64;

/// The share of the decision where the largest disagreement nearby is this, 0–255.
#[inline(always)]
fn opening(disputed: u8) -> f32 {
    smaller(f32::from(disputed) * (DISAGREEMENT_GAIN / 255.0), 1.0)
}

vectorised! {
    /// Probabilities and their weights, where `seen` is the largest probability nearby.
    fn weigh(own: &mut [[u8; 2]], probabilities: &[u8], seen: &[u8]) {
        for ((own, &p), &seen) in own.iter_mut().zip(probabilities).zip(seen) {
            *own = [p, level(255.0 * LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * f32::from(seen))];
        }
    }

    /// Lets colours count; `odds` are those of the pixels.
    fn color(probabilities: &mut [u8], odds: &[f32], disputed: &[u8]) {
        for ((value, &odds), &disputed) in probabilities.iter_mut().zip(odds).zip(disputed) {
            let p = f32::from(*value);
            let ground = (255.0 - p) * odds;
            // At 0 there is nothing to divide.
            *value = level(p + opening(disputed) * (255.0 * p / larger(p + ground, 1.0) - p));
        }
    }

    /// Makes a share of the peaks the dividing line; the weight of all is the same.
    fn divide(decided: &mut [[u8; 2]], probabilities: &[u8], peaks: &[u8], disputed: &[u8], peak_share: f32) {
        let pixels = decided.iter_mut().zip(probabilities).zip(peaks).zip(disputed);
        for (((decided, &p), &peak), &disputed) in pixels {
            let line = larger(peak_share * f32::from(peak), LEAST_PROBABILITY * 255.0);
            let p = f32::from(p);
            *decided = [level(p + opening(disputed) * (smaller(p * 127.5 / line, 255.0) - p)), 255];
        }
    }

    /// The sum of the variances, in 255ths of 255, and that of the means of a few pixels.
    fn dispute(probabilities: &[u8], disagreements: &[u8]) -> [u32; 2] {
        let pixels = probabilities.iter().map(|&p| u32::from(p)).zip(disagreements);
        pixels.fold([0, 0], |[variances, means], (p, &share)| {
            [variances + u32::from(share) * (p * (255 - p) + 255), means + p]
        })
    }
}

/// The part of a class that frames disagree about, 0 to 1: the sum of the variances over the sum of the means.
fn in_dispute(Joint { probability, disagreement }: &Joint) -> f32 {
    // Sums of so many fit 32 bits.
    const FEW: usize = 512;
    let few = probability.data().chunks(FEW).zip(disagreement.data().chunks(FEW));
    let [variances, means] = few.fold([0, 0], |[variances, means], (p, share)| {
        let few = dispute(p, share);
        [variances + u64::from(few[0]), means + u64::from(few[1])]
    });
    variances as f32 / (means.max(1) * 255 * 255) as f32
}
