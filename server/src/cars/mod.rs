//! Photographs of cars: clean or dirty, intact or damaged, by two classifiers of the person's own.
//!
//! - `models`: which networks those are. `region`: where the car is, by the segmentation network.
//! - `heat`: which parts of the picture the verdict hangs on. `clip`: one verdict on a video.

pub mod clip;
pub mod heat;
pub mod models;
pub mod region;

use std::time::Instant;

use serde::Serialize;
use steadymask_core::{Plane, Rgb};
use steadymask_models::{Classifier, Segmenter, log_odds};

use self::region::Region;
use crate::{Error, Result};

/// What is asked of a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether it is clean.
    Cleanliness,
    /// Whether it is intact.
    Condition,
}

impl Question {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cleanliness, Self::Condition];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cleanliness => "cleanliness",
            Self::Condition => "condition",
        }
    }

    /// The two answers, the good one first. A network whose classes have no names numbers them so.
    pub const fn answers(self) -> [&'static str; 2] {
        match self {
            Self::Cleanliness => ["clean", "dirty"],
            Self::Condition => ["intact", "damaged"],
        }
    }
}

/// A classifier that answers a question.
#[derive(Debug)]
struct Judge {
    question: Question,
    classifier: Classifier,
    /// Number of the class that stands for the good answer; the other is the bad one.
    good: usize,
}

/// What the classifiers say of what they were shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Of what.
    pub question: Question,
    /// The log-odds of the bad answer, at the classifier's temperature.
    pub bad: f64,
    /// Whether that temperature was fitted, so that the confidence can be taken at its word.
    pub calibrated: bool,
}

impl Answer {
    /// The answer in a word.
    pub fn word(&self) -> &'static str {
        self.question.answers()[usize::from(self.bad > 0.0)]
    }

    /// The probability of that answer, ½ to 1.
    pub fn confidence(&self) -> f64 {
        probability(self.bad.abs())
    }
}

/// The probability that log-odds stand for.
pub(crate) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// What was found out about a picture.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Where the car is.
    pub region: Region,
    /// What the classifiers were shown.
    pub shown: Plane<Rgb>,
    /// An answer for each classifier.
    pub answers: Vec<Answer>,
}

/// What is said of a picture or a clip, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// Name of the file, where several were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `clean` or `dirty`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanliness: Option<&'static str>,
    /// The probability of that, ½ to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanliness_confidence: Option<f64>,
    /// `intact` or `damaged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<&'static str>,
    /// The probability of that, ½ to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition_confidence: Option<f64>,
    /// In milliseconds, without the time it took to load the networks.
    pub processing_time: u64,
    /// Where the car is.
    pub car: Car,
    /// Whether the classifiers were shown the car alone.
    pub car_only: bool,
    /// The questions whose confidences were calibrated.
    pub calibrated: Vec<&'static str>,
    /// What a person should know before they believe it.
    pub warnings: Vec<String>,
}

/// The car as the segmentation network sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Car {
    /// Whether there is one.
    pub found: bool,
    /// How much of the picture it takes, 0 to 1.
    pub share: f64,
    /// Left, top, width and height in pixels.
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[usize; 4]>,
}

impl Analysis {
    /// An analysis with these answers.
    fn new(answers: &[Answer], car: Car, car_only: bool, start: Instant) -> Self {
        let of = |question| answers.iter().find(|answer| answer.question == question);
        let (cleanliness, condition) = (of(Question::Cleanliness), of(Question::Condition));
        let rounded = |answer: &Answer| (answer.confidence() * 1e6).round() / 1e6;
        let calibrated: Vec<_> = answers.iter().filter(|a| a.calibrated).map(|a| a.question.name()).collect();
        let raw: Vec<_> = answers.iter().filter(|a| !a.calibrated).map(|a| a.question.name()).collect();
        let mut warnings = Vec::new();
        if !raw.is_empty() {
            warnings.push(format!("the confidence of {} is the network's own, not calibrated", raw.join(" and ")));
        }
        Self {
            image: None,
            cleanliness: cleanliness.map(Answer::word),
            cleanliness_confidence: cleanliness.map(rounded),
            condition: condition.map(Answer::word),
            condition_confidence: condition.map(rounded),
            processing_time: start.elapsed().as_millis() as u64,
            car,
            car_only,
            calibrated,
            warnings,
        }
    }
}

/// Two classifiers, and a segmentation network that knows cars; loaded once.
pub struct Analyzer {
    judges: Vec<Judge>,
    segmenter: Segmenter,
    /// The segmentation network's class.
    car: Vec<usize>,
}

impl Analyzer {
    /// An analyzer with these classifiers.
    ///
    /// # Errors
    /// [`Error::Answers`] when a classifier's classes are not the answers to its question; [`Error::Model`] when the
    /// segmentation network does not know cars.
    pub fn new(classifiers: Vec<(Question, Classifier)>, segmenter: Segmenter) -> Result<Self> {
        let judge = |(question, classifier): (Question, Classifier)| {
            let classes = &classifier.info().classes;
            let [good, bad] = question.answers();
            let good = match classes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["class0", "class1"] => 0,
                [first, second] if (first, second) == (good, bad) => 0,
                [first, second] if (first, second) == (bad, good) => 1,
                _ => return Err(Error::Answers { question: question.name(), found: classes.join(", "), good, bad }),
            };
            Ok(Judge { question, classifier, good })
        };
        let judges = classifiers.into_iter().map(judge).collect::<Result<_>>()?;
        let car = segmenter.class_ids(&["car".into()])?;
        Ok(Self { judges, segmenter, car })
    }

    /// The questions that it answers.
    pub fn questions(&self) -> Vec<Question> {
        self.judges.iter().map(|judge| judge.question).collect()
    }

    /// Looks at a picture; `car_only` shows the classifiers nothing but the car.
    ///
    /// # Errors
    /// [`Error::NoCar`] when the car alone is to be looked at and there is none; [`Error::Model`].
    pub fn examine(&self, picture: &Plane<Rgb>, car_only: bool) -> Result<Examined> {
        let region = Region::find(&self.segmenter, &self.car, picture)?;
        let shown = match car_only {
            true => region.cut(picture).ok_or(Error::NoCar)?,
            false => picture.clone(),
        };
        let answers = self.judges.iter().map(|judge| judge.answer(&shown)).collect::<Result<_>>()?;
        Ok(Examined { region, shown, answers })
    }

    /// What is to be said of a picture that was looked at since `start`.
    pub fn analysis(examined: &Examined, car_only: bool, start: Instant) -> Analysis {
        let mut analysis = Analysis::new(&examined.answers, examined.region.car(), car_only, start);
        if !analysis.car.found {
            analysis.warnings.insert(0, NO_CAR.into());
        }
        analysis
    }

    /// Which parts of a picture the verdict hangs on: a map for each question, of what the classifiers were shown.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn heat(&self, examined: &Examined) -> Result<Vec<(Question, steadymask_models::HeatMap)>> {
        let map = |(judge, answer): (&Judge, &Answer)| {
            let class = if answer.bad > 0.0 { 1 - judge.good } else { judge.good };
            Ok((judge.question, judge.classifier.heat_map(&examined.shown, class)?))
        };
        self.judges.iter().zip(&examined.answers).map(map).collect()
    }
}

/// Said where no car is found.
const NO_CAR: &str = "no car was found in the picture; what is said of it means little";

impl Judge {
    fn answer(&self, picture: &Plane<Rgb>) -> Result<Answer> {
        let logits = self.classifier.logits(&[picture])?.concat();
        let bad = log_odds(&self.classifier.probabilities(&logits), 1 - self.good);
        Ok(Answer { question: self.question, bad, calibrated: self.classifier.card().calibration.is_some() })
    }
}
