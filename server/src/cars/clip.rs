//! One verdict on a video.
//!
//! Frames of a clip show one car, but not each as well: it turns, passes by, blurs. Each frame's answer is evidence, its
//! log-odds weighed by how much of the car is seen. Neighbouring frames say the same twice, so that evidence is averaged
//! and not added up: a long clip is no surer than a good look at the car.

use std::time::Instant;

use serde::Serialize;

use super::{Analysis, Analyzer, Answer, Car, Question, probability};
use crate::{
    Error, Result,
    evaluate::plot::{self, Line},
    run::{Controls, Progress},
    source::Source,
};

/// The share of the picture from which on a car is seen well enough to count in full.
const SEEN: f64 = 0.1;
/// No frame's log-odds count for more, so that none decides alone.
const LOUDEST: f64 = 4.0;

/// What a clip's frames say together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClipAnalysis {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Analysis,
    /// Of the weight of all frames, how much says the same as the verdict: 0 to 1, for each question.
    pub agreement: Vec<Agreement>,
    /// Frames of the clip.
    pub frames_total: usize,
    /// Every frame that was looked at.
    pub frames: Vec<Frame>,
}

/// How far the frames agree on an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Which.
    pub question: &'static str,
    /// 0 to 1.
    pub share: f64,
}

/// A frame that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// Its number in the clip, from 0.
    pub frame: usize,
    /// How much of the picture is car, 0 to 1.
    pub car_share: f64,
    /// How much its evidence counts, 0 to 1.
    pub weight: f64,
    /// The probability of `dirty`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty: Option<f64>,
    /// The same by all frames up to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty_so_far: Option<f64>,
    /// The probability of `damaged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<f64>,
    /// The same by all frames up to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged_so_far: Option<f64>,
}

/// A weighted mean of log-odds.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    sum: f64,
    weight: f64,
}

impl Evidence {
    fn add(&mut self, log_odds: f64, weight: f64) {
        self.sum += weight * log_odds.clamp(-LOUDEST, LOUDEST);
        self.weight += weight;
    }

    /// The log-odds; 0, undecided, before any evidence.
    fn log_odds(self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}

/// Looks at up to `most` frames of a clip, evenly spaced.
///
/// # Errors
/// Whatever is wrong with the clip or the networks; [`Error::NoCar`] when the car alone is to be looked at and no frame
/// has one; [`Error::Cancelled`].
pub fn analyze(
    analyzer: &Analyzer,
    source: &Source,
    car_only: bool,
    most: usize,
    controls: &Controls<'_>,
) -> Result<ClipAnalysis> {
    let start = Instant::now();
    let frames_total = source.frames();
    let chosen: Vec<usize> = spaced(frames_total, most.max(1));
    let mut reader = source.read()?;
    let mut looked = Vec::with_capacity(chosen.len());
    let mut wanted = chosen.iter().copied().peekable();
    let mut best: Option<Car> = None;
    let mut frames_read = 0;
    for (index, frame) in reader.by_ref().enumerate() {
        controls.cancel.check()?;
        let frame = frame?;
        frames_read = index + 1;
        if wanted.next_if_eq(&index).is_none() {
            continue;
        }
        match analyzer.examine(&frame, car_only) {
            Ok(examined) => {
                let car = examined.region.car();
                let share = if car.found { examined.region.share() } else { 0.0 };
                if best.as_ref().is_none_or(|best| best.share < car.share) {
                    best = Some(car);
                }
                looked.push((index, share, examined.answers));
            }
            // Of this frame nothing is known; others may show the car.
            Err(Error::NoCar) => looked.push((index, 0.0, Vec::new())),
            Err(error) => return Err(error),
        }
        let progress = Progress { frames_done: looked.len(), frames_total: chosen.len(), elapsed: start.elapsed() };
        (controls.progress)(progress);
    }
    let seen = looked.iter().any(|(_, share, _)| *share > 0.0);
    if car_only && !seen {
        return Err(Error::NoCar);
    }
    if looked.is_empty() {
        return Err(Error::NoFrames { name: source.name() });
    }
    let questions = analyzer.questions();
    let weigh = |share: f64| if seen { (share / SEEN).min(1.0) } else { 1.0 };
    let mut fused = vec![Evidence::default(); questions.len()];
    let mut calibrated = vec![false; questions.len()];
    let mut frames = Vec::with_capacity(looked.len());
    for (index, share, answers) in &looked {
        let weight = weigh(*share);
        for ((fused, calibrated), answer) in fused.iter_mut().zip(&mut calibrated).zip(answers) {
            fused.add(answer.bad, weight);
            *calibrated = answer.calibrated;
        }
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let of = |question| questions.iter().position(|&q| q == question);
        let now = |question| Some(rounded(probability(answers.get(of(question)?)?.bad)));
        let so_far = |question| Some(rounded(probability(fused[of(question)?].log_odds())));
        frames.push(Frame {
            frame: *index,
            car_share: rounded(*share),
            weight: rounded(weight),
            dirty: now(Question::Cleanliness),
            dirty_so_far: so_far(Question::Cleanliness),
            damaged: now(Question::Condition),
            damaged_so_far: so_far(Question::Condition),
        });
    }
    let answers: Vec<Answer> = questions
        .iter()
        .zip(&fused)
        .zip(calibrated)
        .map(|((&question, fused), calibrated)| Answer { question, bad: fused.log_odds(), calibrated })
        .collect();
    let agreement = answers.iter().enumerate().map(|(place, verdict)| {
        let same = |(_, share, answers): &&(usize, f64, Vec<Answer>)| {
            answers.get(place).map_or(0.0, |answer| if answer.word() == verdict.word() { weigh(*share) } else { 0.0 })
        };
        let share = looked.iter().map(|frame| same(&frame)).sum::<f64>() / fused[place].weight;
        Agreement { question: verdict.question.name(), share: (share * 1e4).round() / 1e4 }
    });
    let agreement = agreement.collect();
    let car = best.unwrap_or(Car { found: false, share: 0.0, bounds: None });
    let mut verdict = Analysis::new(&answers, Car { bounds: None, ..car }, car_only, start);
    if !seen {
        verdict.warnings.insert(0, super::NO_CAR.replace("picture", "clip"));
    }
    verdict.warnings.extend(reader.warning().map(String::from));
    Ok(ClipAnalysis { verdict, agreement, frames_total: frames_read, frames })
}

/// `most` of `total` numbers, evenly spaced; all where there are no more.
fn spaced(total: usize, most: usize) -> Vec<usize> {
    if total <= most {
        return (0..total).collect();
    }
    (0..most).map(|i| (2 * i + 1) * total / (2 * most)).collect()
}

impl ClipAnalysis {
    /// A plot of the evidence on that question over the frames, as SVG; `None` where it was not asked.
    pub fn plot(&self, question: Question) -> Option<String> {
        let values = |of: fn(&Frame) -> Option<f64>| self.frames.iter().map(of).collect::<Option<Vec<_>>>();
        let (so_far, now): (_, fn(&Frame) -> Option<f64>) = match question {
            Question::Cleanliness => (values(|frame| frame.dirty_so_far)?, |frame| frame.dirty),
            Question::Condition => (values(|frame| frame.damaged_so_far)?, |frame| frame.damaged),
        };
        let [_, bad] = question.answers();
        // A frame without a car says neither.
        let now = self.frames.iter().map(|frame| now(frame).unwrap_or(0.5)).collect();
        let shares = self.frames.iter().map(|frame| frame.car_share).collect();
        let lines = [
            Line { name: "by this frame alone", values: now, quiet: true },
            Line { name: "by all frames so far", values: so_far, quiet: false },
            Line { name: "share of the frame that is car", values: shares, quiet: false },
        ];
        let title = match self.frames.len() < self.frames_total {
            true => format!("{bad}: {} of {} frames, evenly spaced", self.frames.len(), self.frames_total),
            false => format!("{bad}: {} frames", self.frames_total),
        };
        Some(plot::over_frames(&title, &format!("probability of {bad}"), &lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spaced_evenly() {
        assert_eq!(spaced(3, 5), [0, 1, 2]);
        assert_eq!(spaced(10, 5), [1, 3, 5, 7, 9]);
        assert_eq!(spaced(7, 2), [1, 5]);
        assert_eq!(spaced(1000, 1), [500]);
        let many = spaced(997, 64);
        assert!(many.len() == 64 && many.windows(2).all(|pair| (15..=16).contains(&(pair[1] - pair[0]))));
    }

    #[test]
    fn evidence_is_averaged_and_bounded() {
        let mut evidence = Evidence::default();
        assert_eq!(evidence.log_odds(), 0.0);
        for _ in 0..100 {
            evidence.add(1.0, 1.0);
        }
        assert!((evidence.log_odds() - 1.0).abs() < 1e-12, "a hundred like frames are no surer than one");
        evidence.add(-1e9, 1.0);
        assert!(evidence.log_odds() > 0.9, "one frame does not decide");
        evidence.add(-4.0, 0.0);
        assert!(evidence.log_odds() > 0.9, "a frame without a car has no say");
    }
}
