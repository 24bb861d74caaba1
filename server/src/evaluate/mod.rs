//! Masks against ground truth: how good they are, how steady, and beside what.
//!
//! ```text
//! layout   which masks belong to which frame  ─┐
//! objects  which are whose, in a frame         ├─▶ track  one method's masks of one object ─▶ report  table, JSON, CSV
//! motion   how things moved, where frames are  ┘          measure  what is measured             plot    SVG
//! ```
//!
//! J and F are measured at the size of the truth, to which masks are scaled (bilinear, over ½). What is measured along
//! motion (flicker, false flips, motion-compensated instability) is measured at the work size, short side 240.

mod layout;
mod measure;
mod motion;
mod objects;
pub mod plot;
mod report;
mod track;

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use rayon::prelude::*;
use steadymask_core::{
    BitMask, Plane, RAW_LEVEL,
    filter::{Exponential, TemporalFilter},
    metric::Witness,
};

pub use layout::{Clip, Inputs, Pictures};
pub use measure::{Measure, Scores};
pub use motion::{Follower, Seen};
pub use objects::{Assigned, Matching, Objects};
pub use report::{ClipScores, Evaluation, Protocol, RAW, SubjectMeans, SubjectScores, Table, cut_percent, signed};
pub use track::{FrameScores, Step, Track};

use crate::{
    Error, Result,
    masks::{Masks, Planes},
    run::{Controls, Progress},
};

/// What is asked for besides the inputs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Scores all objects of a clip as one.
    pub union: bool,
    /// Leaves the first and the last frame of each clip out, as DAVIS does where the first frame's truth is given.
    pub skip_ends: bool,
    /// Scores beside the masks what any measure must be held against.
    pub references: bool,
    /// Names of the clips to score; empty takes all.
    pub clips: Vec<String>,
}

/// What is scored: masks from a file, or made from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Prediction,
    /// The masks before they were made steady.
    Raw,
    /// The first of the raw masks, for ever.
    Frozen,
    /// Nothing but background.
    Empty,
    /// The raw masks, exponentially smoothed with a weight of [`REFERENCE_ALPHA`].
    Exponential,
    /// The truth itself.
    Truth,
}

/// Weight of the present frame in the reference that lags.
const REFERENCE_ALPHA: f32 = 0.1;

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Raw => RAW,
            Self::Frozen => "frozen",
            Self::Empty => "empty",
            Self::Exponential => "exponential 0.1",
            Self::Truth => "truth",
        }
    }
}

/// Scores the masks of all clips.
///
/// # Errors
/// Files that are missing or cannot be read, frames of a clip that differ in size; [`Error::Cancelled`].
pub fn evaluate(inputs: &Inputs<'_>, options: &Options, controls: &Controls<'_>) -> Result<Evaluation> {
    let start = Instant::now();
    let clips = inputs.clips(&options.clips)?;
    let mut subjects = vec![Subject::Prediction];
    if inputs.raw.is_some() {
        subjects.push(Subject::Raw);
    }
    if options.references {
        subjects.extend([Subject::Frozen, Subject::Empty, Subject::Exponential, Subject::Truth]);
    }
    let tasks = clips.iter().map(|clip| Task::new(clip, options)).collect::<Result<Vec<_>>>()?;
    let frames_total = tasks.iter().map(|task| task.frames.len()).sum();
    let done = AtomicUsize::new(0);
    let tick = || {
        controls.cancel.check()?;
        let frames_done = done.fetch_add(1, Ordering::Relaxed) + 1;
        (controls.progress)(Progress { frames_done, frames_total, elapsed: start.elapsed() });
        Ok(())
    };
    let scored: Vec<_> = tasks.par_iter().map(|task| task.score(&subjects, &tick)).collect();
    let scored = scored.into_iter().collect::<Result<Vec<_>>>()?;
    let matched: BTreeSet<_> = tasks.iter().flat_map(Task::matching).collect();
    let protocol = Protocol {
        union: options.union,
        ends_skipped: options.skip_ends,
        along_motion: clips.iter().all(|clip| clip.frames.is_some()),
        objects_matched_by: matched.into_iter().collect(),
    };
    Ok(Evaluation::new(
        protocol,
        subjects.iter().map(|s| s.name().into()).collect(),
        scored.into_iter().flatten().collect(),
    ))
}

/// A clip that is to be scored.
struct Task<'a> {
    clip: &'a Clip,
    objects: Objects,
    predictions: Assigned,
    raw: Option<Assigned>,
    /// Those that are scored.
    frames: Range<usize>,
}

impl<'a> Task<'a> {
    fn new(clip: &'a Clip, options: &Options) -> Result<Self> {
        let objects = Objects::of(&clip.truth, options.union);
        let count = clip.stems.len();
        Ok(Self {
            predictions: objects.assign(&clip.predictions)?,
            raw: clip.raw.as_ref().map(|raw| objects.assign(raw)).transpose()?,
            frames: if options.skip_ends && count > 2 { 1..count - 1 } else { 0..count },
            clip,
            objects,
        })
    }

    /// How objects were found to be those of the truth.
    fn matching(&self) -> impl Iterator<Item = Matching> {
        let raw = self.raw.as_ref().and_then(|raw| raw.matching);
        self.predictions.matching.into_iter().chain(raw)
    }

    /// An entry for each of the clip's objects.
    fn score(&self, subjects: &[Subject], tick: &(dyn Fn() -> Result<()> + Sync)) -> Result<Vec<ClipScores>> {
        let Self { clip, objects, .. } = self;
        let names = objects.names(&clip.name);
        let mut tracks: Vec<Vec<(Maker, Track)>> = names
            .iter()
            .map(|_| subjects.iter().map(|&subject| (Maker::new(subject), Track::with_t())).collect())
            .collect();
        let mut witnesses = vec![Witness::default(); names.len()];
        let mut follower = Follower::default();
        let mut size = None;
        let mut truth = self.planes(&clip.truth)?;
        let mut predictions = self.planes(&clip.predictions)?;
        let mut raw = clip.raw.as_ref().map(|raw| self.planes(raw)).transpose()?;
        let mut frames = match &clip.frames {
            Some(frames) => Some(frames.read()?.skip(self.frames.start)),
            None => None,
        };
        for index in self.frames.clone() {
            let stem = clip.stems[index].as_str();
            let truths = objects.truth(&next(&mut truth, stem)?);
            let truth_size = truths[0].size();
            check_size(stem, truth_size, *size.get_or_insert(truth_size))?;
            let predictions = self.predictions.probabilities(&next(&mut predictions, stem)?, truth_size, stem)?;
            let raws = match raw.as_mut().zip(self.raw.as_ref()) {
                Some((planes, raw)) => Some(raw.probabilities(&next(planes, stem)?, truth_size, stem)?),
                None => None,
            };
            let seen = match &mut frames {
                Some(frames) => Some(follower.push_whole(&next(frames, stem)?)),
                None => None,
            };
            for (object, (tracks, witness)) in tracks.iter_mut().zip(&mut witnesses).enumerate() {
                let prediction = &predictions[object];
                let raw = raws.as_ref().map_or(prediction, |raws| &raws[object]);
                let evidence = seen.as_ref().map(|seen| seen.evidence(witness, raw)).transpose()?.flatten();
                let step = match &seen {
                    Some(seen) => seen.step(evidence.as_ref()),
                    None if index == self.frames.start => Step::Start,
                    None => Step::Unknown,
                };
                for (maker, track) in tracks {
                    let mask = maker.mask(prediction, raw, &truths[object]);
                    track.push(mask, truths[object].clone(), step)?;
                }
            }
            tick()?;
        }
        let (width, height) = size.unwrap_or_default();
        Ok(names
            .into_iter()
            .zip(tracks)
            .map(|(name, tracks)| ClipScores {
                name,
                width,
                height,
                stems: clip.stems[self.frames.clone()].to_vec(),
                subjects: tracks.into_iter().map(|(_, track)| SubjectScores::from(track)).collect(),
            })
            .collect())
    }

    /// All planes of the frames that are scored, from the first on.
    fn planes<'b>(&self, masks: &'b Masks) -> Result<std::iter::Skip<Planes<'b>>> {
        let all: Vec<_> = (0..masks.classes().len()).collect();
        Ok(masks.read(&all)?.skip(self.frames.start))
    }
}

/// What comes next of the frame `stem`.
fn next<T>(items: &mut impl Iterator<Item = Result<T>>, stem: &str) -> Result<T> {
    items.next().unwrap_or_else(|| Err(Error::NoFrames { name: stem.into() }))
}

/// Fails where the truth is not of the size of the clip's first.
fn check_size(stem: &str, (width, height): (usize, usize), expected: (usize, usize)) -> Result<()> {
    if (width, height) == expected {
        return Ok(());
    }
    let (expected_width, expected_height) = expected;
    let frame = format!("the truth {stem}");
    Err(Error::FrameSize { frame, width, height, expected_width, expected_height })
}

/// Makes a subject's masks, a frame at a time.
struct Maker {
    subject: Subject,
    first: Option<BitMask>,
    smoothing: Exponential,
}

impl Maker {
    fn new(subject: Subject) -> Self {
        Self { subject, first: None, smoothing: Exponential::new(REFERENCE_ALPHA) }
    }

    fn mask(&mut self, prediction: &Plane<u8>, raw: &Plane<u8>, truth: &BitMask) -> BitMask {
        let binary = |plane: &Plane<u8>| BitMask::from_threshold(plane, RAW_LEVEL);
        match self.subject {
            Subject::Prediction => binary(prediction),
            Subject::Raw => binary(raw),
            Subject::Frozen => self.first.get_or_insert_with(|| binary(raw)).clone(),
            Subject::Empty => BitMask::empty(raw.width(), raw.height()),
            Subject::Exponential => {
                let smooth = self.smoothing.push(std::slice::from_ref(raw), None);
                binary(&smooth.expect("it looks at no future")[0])
            }
            Subject::Truth => truth.clone(),
        }
    }
}
