//! A proposal: methods and parameters are tried on a sample of the clip, and the whole trade-off is told.
//!
//! A driver asks [`stretches`] which frames to take, pushes them with their probabilities into a [`Trial`], and gets a
//! [`Proposal`], whose settings it then runs. The flow of the sample is found once and shared by all candidates; each
//! candidate is a [`Stabilizer`] of its own, so that what is tried is what will run. Memory is bounded by the longest
//! look-ahead among them, or by a stretch, whatever the length of the clip.
//!
//! Candidates are ranked by an estimate of quality without ground truth, never by steadiness alone, which an empty or
//! a frozen mask would win.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{
    BitMask, Finished, Method, Plane, RAW_LEVEL, Result, Rgb, Settings, Stabilizer,
    metric::{self, Mean},
    stabilizer::Observer,
    union_of,
};

/// Stretches in a sample.
pub const STRETCHES: usize = 3;
/// Frames in a stretch: consensus sees as far as it does by default, past and future, around its middle.
pub const STRETCH_FRAMES: usize = 16;

/// The frames that make the sample of a clip of `frames` frames: [`STRETCHES`] of [`STRETCH_FRAMES`] consecutive ones,
/// in the middle of each third; the whole clip where it is no longer than that.
pub fn stretches(frames: usize) -> Vec<Range<usize>> {
    match frames {
        0 => Vec::new(),
        frames if frames <= STRETCHES * STRETCH_FRAMES => std::iter::once(0..frames).collect(),
        frames => {
            let start = |i: usize| ((2 * i + 1) * frames / STRETCHES - STRETCH_FRAMES) / 2;
            (0..STRETCHES).map(|i| start(i)..start(i) + STRETCH_FRAMES).collect()
        }
    }
}

/// What is tried: every method with its defaults and with other parameters, all else as in `settings`. The first is the
/// default method as `settings` have it, the second the masks as they came.
pub fn candidates(settings: &Settings) -> Vec<Settings> {
    let of = |method| Settings { method, ..settings.clone() };
    let mut all = vec![of(Method::default()), of(Method::None)];
    if settings.threshold.is_none() {
        all.extend([0.35, 0.65].map(|threshold| Settings { threshold: Some(threshold), ..of(Method::Consensus) }));
    }
    all.push(Settings { decay: 0.9, ..of(Method::Consensus) });
    all.extend([5, 9].map(|window_size| Settings { window_size, ..of(Method::MovingAverage) }));
    all.extend([5, 9].map(|window_size| Settings { window_size, ..of(Method::Median) }));
    all.extend([0.6, 0.3].map(|alpha| Settings { alpha, ..of(Method::Exponential) }));
    all.push(of(Method::Uncertainty));
    all.extend([(0.5, 0.1), (0.7, 0.3)].map(|(high, low)| Settings { high, low, ..of(Method::Hysteresis) }));
    // What `settings` ask for may be one of the others.
    let mut distinct: Vec<Settings> = Vec::with_capacity(all.len());
    for settings in all {
        if !distinct.contains(&settings) {
            distinct.push(settings);
        }
    }
    distinct
}

/// Frames of the sample that follow each other in the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Number of the first, from 0.
    pub first: usize,
    /// How many.
    pub frames: usize,
}

/// What became of a candidate on the sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// What was tried.
    pub settings: Settings,
    /// Estimated quality of the masks without ground truth, 0 to 1: it ranks.
    pub score: f64,
    /// Change that motion does not explain. Does not rank: an empty mask has none.
    pub motion_compensated_instability: Option<f32>,
    /// 1 − IoU of neighbouring frames. Does not rank: a frozen mask has none.
    pub instability: Option<f32>,
    /// Mean IoU with the masks as they came, 0 to 1. Does not rank: doing nothing has all of it.
    pub agreement: f64,
    /// Mean share of the frame that the mask covers, 0 to 1.
    pub area: f32,
    /// Time for a frame, filter and metrics without flow, in seconds, by the driver's clock.
    pub seconds_per_frame: f64,
}

impl Candidate {
    /// The parameters that tell it from other candidates of its method, by the names of their fields.
    pub fn parameters(&self) -> Vec<(&'static str, f32)> {
        let Settings { method, window_size, alpha, ratio, high, low, decay, threshold, .. } = self.settings;
        let own = match method {
            Method::None | Method::Auto => Vec::new(),
            Method::MovingAverage | Method::Median => vec![("window_size", window_size as f32)],
            Method::Exponential => vec![("alpha", alpha)],
            Method::Uncertainty => vec![("ratio", ratio)],
            Method::Hysteresis => vec![("high", high), ("low", low)],
            Method::Consensus => vec![("decay", decay)],
        };
        own.into_iter().chain(threshold.map(|threshold| ("threshold", threshold))).collect()
    }

    /// Its method and [`Self::parameters`] in one line, as on the command line: `median, window_size 9`.
    pub fn label(&self) -> String {
        let parameters = self.parameters().into_iter().map(|(name, value)| format!(", {name} {value}"));
        std::iter::once(self.settings.method.name().to_owned()).chain(parameters).collect()
    }
}

/// Why a candidate was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its score is the highest.
    HighestScore,
    /// It is the default, and no score is higher by more than [`MARGIN`], which is what a sample can tell.
    DefaultWithinMargin,
    /// It is the default, and there is nothing to compare: no mask in the whole sample.
    NothingSeen,
}

/// What is proposed for a clip, and all that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The frames on which it was tried.
    pub stretches: Vec<Stretch>,
    /// Index of the proposed one in `candidates`.
    pub chosen: usize,
    /// Why that one.
    pub reason: Reason,
    /// All that was tried, in the order of [`candidates`].
    pub candidates: Vec<Candidate>,
    /// Time for what all candidates share of a frame, its flow both ways above all, in seconds, by the driver's clock.
    pub shared_seconds_per_frame: f64,
}

/// Lead in score under which the default is kept.
pub const MARGIN: f64 = 0.01;

impl Proposal {
    /// The settings that are proposed.
    pub fn settings(&self) -> &Settings {
        &self.candidates[self.chosen].settings
    }
}

/// Tries candidates on a sample, a frame at a time.
pub struct Trial {
    observer: Observer,
    color_sigma: f32,
    runs: Vec<TrialRun>,
    stretches: Vec<Stretch>,
    shared_seconds: f64,
}

/// A candidate at work.
struct TrialRun {
    settings: Settings,
    stabilizer: Stabilizer,
    agreement: Agreement,
    seconds: f64,
}

impl Trial {
    /// For frames of `width`×`height` pixels with `classes` probability planes each; `settings` as for
    /// [`candidates`]: their method does not count.
    ///
    /// # Errors
    /// As [`Stabilizer::new`].
    pub fn new(settings: &Settings, width: usize, height: usize, classes: usize) -> Result<Self> {
        let run = |settings: Settings| {
            let stabilizer = Stabilizer::new(&settings, width, height, classes)?;
            Ok(TrialRun { settings, stabilizer, agreement: Agreement::default(), seconds: 0.0 })
        };
        Ok(Self {
            observer: Observer::new(settings.color_sigma),
            color_sigma: settings.color_sigma,
            runs: candidates(settings).into_iter().map(run).collect::<Result<_>>()?,
            stretches: Vec::new(),
            shared_seconds: 0.0,
        })
    }

    /// Takes frame `index` of the clip and its probabilities, one plane a class, 0–255. A frame that does not follow
    /// the one before begins a new stretch. `clock` gives seconds from any moment.
    ///
    /// # Errors
    /// As [`Stabilizer::push`]; numbers of frames in it count the frames pushed.
    pub fn push(
        &mut self,
        index: usize,
        frame: Plane<Rgb>,
        probabilities: &[Plane<u8>],
        clock: &dyn Fn() -> f64,
    ) -> Result<()> {
        for run in &self.runs {
            run.stabilizer.check(&frame, probabilities)?;
        }
        match self.stretches.last_mut() {
            Some(stretch) if stretch.first + stretch.frames == index => stretch.frames += 1,
            _ => {
                self.observer = Observer::new(self.color_sigma);
                self.stretches.push(Stretch { first: index, frames: 1 });
            }
        }
        for run in &mut self.runs {
            run.stabilizer.show(&frame);
        }
        let start = clock();
        let seen = self.observer.push(frame, probabilities);
        self.shared_seconds += clock() - start;
        for run in &mut self.runs {
            let start = clock();
            let finished = run.stabilizer.follow(seen.clone(), probabilities.to_vec());
            run.seconds += clock() - start;
            run.agreement.take(&finished, run.settings.threshold_level());
        }
        Ok(())
    }

    /// Ends the sample.
    pub fn finish(self, clock: &dyn Fn() -> f64) -> Proposal {
        let frames = self.stretches.iter().map(|stretch| stretch.frames).sum::<usize>().max(1) as f64;
        let candidates: Vec<_> = self.runs.into_iter().map(|run| run.finish(frames, clock)).collect();
        let (chosen, reason) = choose(&candidates);
        let shared_seconds_per_frame = self.shared_seconds / frames;
        Proposal { stretches: self.stretches, chosen, reason, candidates, shared_seconds_per_frame }
    }
}

impl TrialRun {
    fn finish(self, frames: f64, clock: &dyn Fn() -> f64) -> Candidate {
        let Self { settings, stabilizer, mut agreement, seconds } = self;
        let start = clock();
        let (rest, summary) = stabilizer.finish();
        let seconds = seconds + clock() - start;
        agreement.take(&rest, settings.threshold_level());
        Candidate {
            score: summary.after.estimate.map_or(0.0, |estimate| estimate.score.into()),
            motion_compensated_instability: summary.after.motion_compensated_instability,
            instability: summary.after.instability,
            agreement: agreement.0.value().unwrap_or(1.0),
            area: summary.after.area,
            seconds_per_frame: seconds / frames,
            settings,
        }
    }
}

/// Mean IoU of masks before and after.
#[derive(Default)]
struct Agreement(Mean);

impl Agreement {
    fn take(&mut self, finished: &[Finished], level: u8) {
        for Finished { raw, stabilized, .. } in finished {
            let mask = |planes: &[Plane<u8>], level| BitMask::from_threshold(&union_of(planes), level);
            self.0.push(metric::iou(&mask(raw, RAW_LEVEL), &mask(stabilized, level)).ok());
        }
    }
}

/// The index of the best, and why.
fn choose(candidates: &[Candidate]) -> (usize, Reason) {
    if candidates.iter().all(|candidate| candidate.area == 0.0) {
        return (0, Reason::NothingSeen);
    }
    // Of equals the first.
    let best =
        (1..candidates.len()).fold(0, |best, i| if candidates[i].score > candidates[best].score { i } else { best });
    match candidates[best].score > candidates[0].score + MARGIN {
        true => (best, Reason::HighestScore),
        false => (0, Reason::DefaultWithinMargin),
    }
}
