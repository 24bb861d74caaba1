//! Masks against ground truth: how good they are, how steady, and beside what.
//!
//! ```text
//! layout   which file belongs to which frame ─┐
//! objects  what is scored apart in a frame    ├─▶ track  one method's masks of one object ─▶ report  table, JSON, CSV
//! motion   how things moved, where frames are ┘          measure  what is measured             plot    SVG
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
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use rayon::prelude::*;
use steadymask_core::{
    BitMask, Plane, RAW_LEVEL,
    filter::{Exponential, TemporalFilter},
    metric::Witness,
};

pub use layout::{Clip, Folders};
pub use measure::{Measure, Scores};
pub use motion::{Follower, Seen};
pub use objects::Objects;
pub use report::{ClipScores, Evaluation, Protocol, RAW, SubjectMeans, SubjectScores, Table, cut_percent, signed};
pub use track::{FrameScores, Step, Track};

use motion::check_size;

use crate::{
    Result,
    run::{Controls, Progress},
};

/// What is asked for besides the folders.
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
pub fn evaluate(folders: &Folders<'_>, options: &Options, controls: &Controls<'_>) -> Result<Evaluation> {
    let start = Instant::now();
    let mut clips = folders.clips(&options.clips)?;
    if options.skip_ends {
        clips.iter_mut().for_each(Clip::skip_ends);
    }
    let mut subjects = vec![Subject::Prediction];
    if folders.raw.is_some() {
        subjects.push(Subject::Raw);
    }
    if options.references {
        subjects.extend([Subject::Frozen, Subject::Empty, Subject::Exponential, Subject::Truth]);
    }
    let frames_total = clips.iter().map(|clip| clip.stems.len()).sum();
    let done = AtomicUsize::new(0);
    let tick = || {
        controls.cancel.check()?;
        let frames_done = done.fetch_add(1, Ordering::Relaxed) + 1;
        (controls.progress)(Progress { frames_done, frames_total, elapsed: start.elapsed() });
        Ok(())
    };
    let scored: Vec<_> = clips.par_iter().map(|clip| score(clip, &subjects, options, &tick)).collect::<Result<_>>()?;
    let protocol = Protocol {
        union: options.union,
        ends_skipped: options.skip_ends,
        along_motion: clips.iter().all(|clip| clip.frames.is_some()),
    };
    Ok(Evaluation::new(
        protocol,
        subjects.iter().map(|s| s.name().into()).collect(),
        scored.into_iter().flatten().collect(),
    ))
}

/// Scores a clip; an entry for each of its objects.
fn score(
    clip: &Clip,
    subjects: &[Subject],
    options: &Options,
    tick: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Vec<ClipScores>> {
    let objects = Objects::of(&clip.truth, options.union)?;
    let names = objects.names(&clip.name);
    let mut tracks: Vec<Vec<(Maker, Track)>> = names
        .iter()
        .map(|_| subjects.iter().map(|&subject| (Maker::new(subject), Track::with_t())).collect())
        .collect();
    let mut witnesses = vec![Witness::default(); names.len()];
    let mut follower = Follower::default();
    let mut size = None;
    for (index, file) in clip.truth.iter().enumerate() {
        let truths = objects.truth(file)?;
        let truth_size = truths[0].size();
        check_size(file, truth_size, *size.get_or_insert(truth_size))?;
        let predictions = objects.probabilities(&clip.predictions[index], truth_size)?;
        let raws = clip.raw.as_ref().map(|raw| objects.probabilities(&raw[index], truth_size)).transpose()?;
        let seen = clip.frames.as_ref().map(|frames| follower.read(&frames[index])).transpose()?;
        for (object, (tracks, witness)) in tracks.iter_mut().zip(&mut witnesses).enumerate() {
            let prediction = &predictions[object];
            let raw = raws.as_ref().map_or(prediction, |raws| &raws[object]);
            let evidence = seen.as_ref().map(|seen| seen.evidence(witness, raw)).transpose()?.flatten();
            let step = match &seen {
                Some(seen) => seen.step(evidence.as_ref()),
                None if index == 0 => Step::Start,
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
            stems: clip.stems.clone(),
            subjects: tracks.into_iter().map(|(_, track)| SubjectScores::from(track)).collect(),
        })
        .collect())
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
