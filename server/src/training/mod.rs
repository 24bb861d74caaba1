//! A classifier from a folder of pictures: a new last layer on a network that has learned to see elsewhere.
//!
//! The layers before the last are left as they are, so that each picture goes through them once; what they give is enough
//! for minutes of work on a CPU and a few dozen pictures a class. The score comes from pictures that the layer was not
//! trained on: each fold's by a layer trained on the other folds, its strength chosen within these.

pub mod folder;
pub mod score;

use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use steadymask_core::{Plane, Rgb};
use steadymask_models::{Calibration, Card, Framing, Head, Weights, logistic};

use self::{
    folder::{Folder, Thumbnail},
    score::{Said, Score, deal},
};
use crate::{
    Error, Result, picture,
    run::{Controls, Progress},
};

/// Pictures that are read and looked at together.
const BATCH: usize = 16;
/// Least distinct pictures of a class: with fewer on each side, the interval around a score spans a quarter.
pub const LEAST: usize = 20;
/// Strengths of the pull towards small weights that are tried.
const STRENGTHS: [f64; 5] = [1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// How a classifier is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Into how many parts the pictures are dealt, 2 to 20; each is held out once.
    pub folds: usize,
    /// What decides who goes into which part.
    pub seed: u64,
    /// How the network is shown pictures.
    pub framing: Framing,
}

impl Default for Settings {
    fn default() -> Self {
        Self { folds: 5, seed: 0, framing: Framing::default() }
    }
}

/// How a classifier was trained, and how well it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The classes, by number.
    pub classes: Vec<String>,
    /// Pictures of each class.
    pub pictures: Vec<usize>,
    /// Distinct pictures of each class.
    pub distinct: Vec<usize>,
    /// The network whose last layer is new.
    pub base: &'static str,
    /// How it was trained.
    pub settings: Settings,
    /// How the score was found.
    pub scored_on: String,
    /// The strength that was chosen.
    pub strength: f64,
    /// How well it does.
    pub score: Score,
    /// What a person should know before they believe it.
    pub warnings: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// What was seen of a folder's pictures.
struct Seen {
    /// What the network gives, for each.
    features: Vec<Vec<f32>>,
    groups: Vec<usize>,
}

/// Trains a new last layer for `base`, the weights of a classifier, on a folder's pictures.
///
/// # Errors
/// [`Error::Training`] when the folder cannot give an honest score; [`Error::Setting`](steadymask_core::Error::Setting),
/// [`Error::Model`], [`Error::Io`], [`Error::Cancelled`].
pub fn train(
    folder: &Folder,
    base: &Weights,
    settings: &Settings,
    controls: &Controls<'_>,
) -> Result<(Weights, Report)> {
    let start = Instant::now();
    if !(2..=20).contains(&settings.folds) {
        let (value, allowed) = (settings.folds.to_string(), "2 to 20".into());
        return Err(steadymask_core::Error::Setting { field: "folds", value, allowed }.into());
    }
    let classifier = base.classifier()?.with_framing(settings.framing);
    let seen = look(folder, |pictures| Ok(classifier.features(pictures)?), controls)?;
    let distinct = distinct(folder, &seen.groups)?;
    let truth: Vec<usize> = folder.items.iter().map(|item| item.class).collect();
    let classes = folder.classes.len();
    let fit = |chosen: &[usize], strength: f64| {
        let features: Vec<&[f32]> = chosen.iter().map(|&i| seen.features[i].as_slice()).collect();
        let truth: Vec<usize> = chosen.iter().map(|&i| truth[i]).collect();
        logistic::fit(&features, &truth, classes, strength)
    };
    let said = |head: &Head, i: usize, fold: usize| Said {
        logits: logits(head, &seen.features[i]),
        truth: truth[i],
        group: seen.groups[i],
        fold,
    };
    let all: Vec<usize> = (0..truth.len()).collect();
    let folds = deal(&seen.groups, &truth, settings.folds, settings.seed);
    let (head, strength, said, scored_on) = if folder.parted {
        let (held_out, own): (Vec<usize>, Vec<usize>) = all.iter().partition(|&&i| folder.items[i].held_out);
        let strength = best_strength(&own, &folds, settings.folds, &fit, &seen.features, &truth, controls)?;
        let head = fit(&own, strength);
        let said: Vec<Said> = held_out.iter().map(|&i| said(&head, i, folds[i])).collect();
        let scored_on = format!("{} pictures held out in val; trained on {}", held_out.len(), own.len());
        (head, strength, said, scored_on)
    } else {
        let mut all_said = Vec::with_capacity(all.len());
        for fold in 0..settings.folds {
            let (held_out, own): (Vec<usize>, Vec<usize>) = all.iter().partition(|&&i| folds[i] == fold);
            let strength = best_strength(&own, &folds, settings.folds, &fit, &seen.features, &truth, controls)?;
            let head = fit(&own, strength);
            all_said.extend(held_out.iter().map(|&i| said(&head, i, fold)));
        }
        let strength = best_strength(&all, &folds, settings.folds, &fit, &seen.features, &truth, controls)?;
        let scored_on = format!(
            "all pictures, each by a layer trained on the other {} of {} folds; the layer that is kept was trained on all",
            settings.folds - 1,
            settings.folds
        );
        (fit(&all, strength), strength, all_said, scored_on)
    };
    let score = Score::of(&said, classes);
    let mut warnings = Vec::new();
    if score.interval[0] <= score.baseline {
        warnings.push(format!(
            "no better than always saying the most frequent class ({:.1} %) can be ruled out: do not rely on it",
            100.0 * score.baseline
        ));
    }
    let copies = truth.len() - distinct.iter().sum::<usize>();
    if copies > 0 {
        warnings.push(format!("{copies} pictures are copies of others; each counts once in the score"));
    }
    let report = Report {
        classes: folder.classes.clone(),
        pictures: (0..classes).map(|class| truth.iter().filter(|&&t| t == class).count()).collect(),
        distinct,
        base: classifier.info().architecture,
        settings: settings.clone(),
        scored_on,
        strength,
        warnings,
        seconds: start.elapsed().as_secs_f64(),
        score,
    };
    let card = Card {
        classes: folder.classes.clone(),
        framing: settings.framing,
        temperature: report.score.temperature,
        calibration: Some(report.score.calibration.clone()),
        // The same pictures and settings give the same file, so how long it took is no part of it.
        training: serde_json::to_value(Report { seconds: 0.0, ..report.clone() }).ok(),
    };
    Ok((base.with_head(&head, card)?, report))
}

/// The temperature of a classifier on a folder of pictures that it was not trained on, and the card that says so.
///
/// # Errors
/// As [`train`]; [`Error::Training`] when the folder is parted or its classes are others.
pub fn calibrate(folder: &Folder, weights: &Weights, controls: &Controls<'_>) -> Result<(Weights, Score)> {
    let refuse = |detail: String| Err(Error::Training { folder: folder.path.clone(), detail });
    let classifier = weights.classifier()?;
    if folder.parted {
        return refuse("it has train and val; name the one that the network was not trained on".into());
    }
    if classifier.card().classes != folder.classes {
        let (own, theirs) = (folder.classes.join(", "), classifier.card().classes.join(", "));
        return refuse(format!("its classes are {own}, those of the network {theirs}"));
    }
    let seen = look(folder, |pictures| Ok(classifier.logits(pictures)?), controls)?;
    distinct(folder, &seen.groups)?;
    let truth: Vec<usize> = folder.items.iter().map(|item| item.class).collect();
    let Settings { folds, seed, .. } = Settings::default();
    let folds = deal(&seen.groups, &truth, folds, seed);
    let said: Vec<Said> = seen
        .features
        .into_iter()
        .enumerate()
        .map(|(i, logits)| Said { logits, truth: truth[i], group: seen.groups[i], fold: folds[i] })
        .collect();
    let score = Score::of(&said, folder.classes.len());
    let card = Card {
        temperature: score.temperature,
        calibration: Some(score.calibration.clone()),
        ..classifier.card().clone()
    };
    Ok((weights.clone().with_card(card)?, score))
}

/// Reads all pictures, finds out which are one, and has `network` look at them.
fn look(
    folder: &Folder,
    network: impl Fn(&[&Plane<Rgb>]) -> Result<Vec<Vec<f32>>>,
    controls: &Controls<'_>,
) -> Result<Seen> {
    let start = Instant::now();
    let (mut features, mut thumbnails, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for (batch, items) in folder.items.chunks(BATCH).enumerate() {
        controls.cancel.check()?;
        let read: Vec<Result<Plane<Rgb>>> = items.par_iter().map(|item| picture::read_rgb(&item.path)).collect();
        let mut pictures = Vec::with_capacity(items.len());
        for (place, picture) in read.into_iter().enumerate() {
            match picture {
                Ok(picture) => {
                    thumbnails.push(Thumbnail::of(&picture));
                    pictures.push(picture);
                }
                Err(error) => unreadable.push((batch * BATCH + place, error)),
            }
        }
        // Once one cannot be read, the rest is read only to name all such.
        if unreadable.is_empty() {
            features.extend(network(&pictures.iter().collect::<Vec<_>>())?);
        }
        let frames_done = batch * BATCH + items.len();
        (controls.progress)(Progress { frames_done, frames_total: folder.items.len(), elapsed: start.elapsed() });
    }
    folder.refuse_unreadable(&unreadable)?;
    let groups = folder.groups(&thumbnails)?;
    Ok(Seen { features, groups })
}

/// The distinct pictures of each class. Refuses a class with too few, in each part where there are parts.
fn distinct(folder: &Folder, groups: &[usize]) -> Result<Vec<usize>> {
    let count = |class: usize, held_out: Option<bool>| {
        let own = folder.items.iter().zip(groups).enumerate();
        // A group is known by its first picture.
        own.filter(|(i, (item, group))| {
            *i == **group && item.class == class && held_out.is_none_or(|h| h == item.held_out)
        })
        .count()
    };
    let parts =
        if folder.parted { vec![(Some(false), " in train"), (Some(true), " in val")] } else { vec![(None, "")] };
    for (part, place) in parts {
        for (class, name) in folder.classes.iter().enumerate() {
            let found = count(class, part);
            if found < LEAST {
                let detail = format!(
                    "{found} distinct pictures of {name}{place} are too few for an honest score (expected {LEAST} or more)"
                );
                return Err(Error::Training { folder: folder.path.clone(), detail });
            }
        }
    }
    Ok((0..folder.classes.len()).map(|class| count(class, None)).collect())
}

/// Of [`STRENGTHS`], the one with which the folds among `own` are explained best by layers trained on the others.
fn best_strength(
    own: &[usize],
    folds: &[usize],
    count: usize,
    fit: &(dyn Fn(&[usize], f64) -> Head + Sync),
    features: &[Vec<f32>],
    truth: &[usize],
    controls: &Controls<'_>,
) -> Result<f64> {
    let losses: Vec<f64> = STRENGTHS
        .par_iter()
        .map(|&strength| {
            let mut loss = 0.0;
            for fold in 0..count {
                controls.cancel.check()?;
                let (held_out, rest): (Vec<usize>, Vec<usize>) = own.iter().partition(|&&i| folds[i] == fold);
                if held_out.is_empty() || rest.is_empty() {
                    continue;
                }
                let head = fit(&rest, strength);
                loss += held_out.iter().map(|&i| surprise(&logits(&head, &features[i]), truth[i])).sum::<f64>();
            }
            Ok(loss)
        })
        .collect::<Result<_>>()?;
    let best = losses.iter().zip(STRENGTHS).min_by(|a, b| a.0.total_cmp(b.0));
    Ok(best.map_or(STRENGTHS[0], |(_, strength)| strength))
}

/// `−ln p(truth)`
fn surprise(logits: &[f32], truth: usize) -> f64 {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - greatest).exp()).sum();
    sum.ln() - f64::from(logits[truth] - greatest)
}

fn logits(head: &Head, features: &[f32]) -> Vec<f32> {
    let row = |(weights, bias): (&Vec<f32>, &f32)| {
        let products = weights.iter().zip(features).map(|(w, f)| f64::from(*w) * f64::from(*f));
        (products.sum::<f64>() + f64::from(*bias)) as f32
    };
    head.weights.iter().zip(&head.bias).map(row).collect()
}

impl Report {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for ((class, pictures), distinct) in self.classes.iter().zip(&self.pictures).zip(&self.distinct) {
            text += &format!("{class}: {pictures} pictures, {distinct} distinct\n");
        }
        let Settings { folds, seed, framing } = &self.settings;
        let framing = if *framing == Framing::Squeeze { "squeeze" } else { "middle" };
        text += &format!(
            "{} with a new last layer; folds {folds}, seed {seed}, framing {framing}, strength {}\n",
            self.base, self.strength
        );
        text += &format!("scored on {}\n", self.scored_on);
        text += &self.score.text(&self.classes);
        for warning in &self.warnings {
            text += &format!("warning: {warning}\n");
        }
        text
    }
}

impl Score {
    /// The score for people.
    pub fn text(&self, classes: &[String]) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let [low, high] = self.interval;
        let mut text = format!(
            "right: {} of {} distinct pictures, in truth {} to {} (95 %); the most frequent class alone: {}\n",
            percent(self.accuracy),
            self.distinct,
            percent(low),
            percent(high),
            percent(self.baseline)
        );
        for ((class, recall), row) in classes.iter().zip(&self.recalls).zip(&self.confusion) {
            let taken = classes.iter().zip(row).map(|(as_class, count)| format!("{count} as {as_class}"));
            text += &format!("  {class}: {} right ({})\n", percent(*recall), taken.collect::<Vec<_>>().join(", "));
        }
        let Calibration { error_before, error_after, .. } = &self.calibration;
        text + &format!(
            "expected calibration error: {} as it came, {} at temperatures found without the picture; temperature {:.3}\n",
            percent(*error_before),
            percent(*error_after),
            self.temperature
        )
    }
}
