//! How good a network is on pictures that were kept out of its training.

use rayon::prelude::*;
use serde::Serialize;
use steadymask_core::{Plane, Rgb};

use super::{
    Result, Watch,
    calibration::{Pixels, Reliability, temperatures},
    data::{Data, Part, Sample},
    loss::IGNORED,
    views,
};
use crate::{
    cpu::{Engine, Width},
    net::{Architecture, Batch, Network},
    output::Logits,
    weights::StateDict,
};

/// Pictures decided at once.
const BATCH: usize = 8;
/// Pixels between those that calibration is fitted to and measured on, both ways.
const STRIDE: usize = 6;
/// Pictures of a class without which its score is noise, and no part of a mean, where other classes have as many.
const LEAST_PICTURES: u64 = 10;
/// Pictures without which no temperatures are fitted.
const LEAST_FITTED: usize = 20;

/// How often a class was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Count {
    /// Pixels of the class in the masks.
    truth: u64,
    /// Pixels that the network gave it.
    given: u64,
    /// Pixels of both.
    both: u64,
    /// Pictures with at least one pixel of it in the mask.
    pictures: u64,
}

impl Count {
    /// Intersection over union ×100; `None` where there is neither.
    fn iou(self) -> Option<f64> {
        let union = self.truth + self.given - self.both;
        (union > 0).then(|| 100.0 * self.both as f64 / union as f64)
    }
}

/// The score on the pictures of one source.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Score {
    pub(super) source: String,
    pub(super) pictures: usize,
    /// IoU ×100 of each class.
    pub(super) iou: Vec<Option<f64>>,
    /// In how many pictures each class is.
    pub(super) pictures_of: Vec<u64>,
    /// Mean IoU of the classes in ten pictures or more, or, where none is, in as many as any.
    pub(super) mean: Option<f64>,
    /// Number of those classes.
    pub(super) classes_in_mean: usize,
}

impl Score {
    fn new(source: &str, pictures: usize, counts: &[Count]) -> Self {
        let most = counts.iter().map(|count| count.pictures).max().unwrap_or(0);
        let least = LEAST_PICTURES.min(most).max(1);
        let sure: Vec<f64> =
            counts.iter().filter(|count| count.pictures >= least).filter_map(|count| count.iou()).collect();
        Self {
            source: source.to_owned(),
            pictures,
            iou: counts.iter().map(|count| count.iou()).collect(),
            pictures_of: counts.iter().map(|count| count.pictures).collect(),
            mean: (!sure.is_empty()).then(|| sure.iter().sum::<f64>() / sure.len() as f64),
            classes_in_mean: sure.len(),
        }
    }
}

/// What is known of a network after it was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// Of each source with kept-out pictures.
    pub(super) scores: Vec<Score>,
    /// Mean of the sources' means.
    pub(super) mean: f64,
    /// Of pixels that are foreground in either of two spoiled views of a picture, the share on which the views disagree,
    /// ×100.
    pub(super) disagreement: f64,
    /// At temperature 1.
    pub(super) raw: Reliability,
    /// At `temperatures`.
    pub(super) calibrated: Reliability,
    /// Of each class.
    pub(super) temperatures: Vec<f64>,
    /// Mean IoU with these temperatures, which can change what wins a pixel.
    pub(super) calibrated_mean: f64,
}

/// A network to be measured, at its product's input size.
pub(super) struct Judge<'a> {
    pub(super) data: &'a Data,
    pub(super) classes: usize,
    /// Most pictures of each source, of each part.
    pub(super) most: usize,
    pub(super) seed: u64,
    pub(super) watch: &'a Watch<'a>,
}

impl Judge<'_> {
    /// The mean of the sources' mean IoU on one part.
    pub(super) fn mean(&self, weights: &StateDict, part: Part) -> Result<f64> {
        let scores = self.scores(weights, part, &vec![1.0; self.classes])?.0;
        Ok(mean_of(&scores))
    }

    /// Everything; temperatures are fitted on the part that is for choosing, all else is measured on the other.
    pub(super) fn report(&self, weights: &StateDict) -> Result<Report> {
        let flat = vec![1.0; self.classes];
        let (_, fitted_on) = self.scores(weights, Part::Choosing, &flat)?;
        let enough = self.data.labelled(Part::Choosing, self.most).len() >= LEAST_FITTED;
        let temperatures = if enough { temperatures(fitted_on, self.classes) } else { flat.clone() };
        let (scores, [first, second]) = self.scores(weights, Part::Scoring, &flat)?;
        let pixels = first.and(second);
        let (calibrated, _) = self.scores(weights, Part::Scoring, &temperatures)?;
        Ok(Report {
            mean: mean_of(&scores),
            disagreement: self.disagreement(weights)?,
            raw: pixels.reliability(&flat),
            calibrated: pixels.reliability(&temperatures),
            calibrated_mean: mean_of(&calibrated),
            temperatures,
            scores,
        })
    }

    /// The score on each source, and some pixels of all, those of every other picture in each set.
    fn scores(&self, weights: &StateDict, part: Part, temperatures: &[f64]) -> Result<(Vec<Score>, [Pixels; 2])> {
        let network = Judged::new(weights)?;
        let samples = self.data.labelled(part, self.most);
        let mut counts = vec![vec![Count::default(); self.classes]; self.data.sources.len()];
        let (mut pixels, mut number) = ([Pixels::default(), Pixels::default()], 0);
        self.watch.stage("scoring", samples.len());
        for batch in samples.chunks(BATCH) {
            let judged = batch.par_iter().map(|sample| judged(&network, sample, temperatures));
            for (sample, judged) in batch.iter().zip(judged.collect::<Vec<_>>()) {
                let (of_picture, some) = judged?;
                for (sum, count) in counts[sample.source].iter_mut().zip(of_picture) {
                    sum.truth += count.truth;
                    sum.given += count.given;
                    sum.both += count.both;
                    sum.pictures += u64::from(count.truth > 0);
                }
                let set = std::mem::take(&mut pixels[number % 2]);
                pixels[number % 2] = set.and(some);
                number += 1;
            }
            self.watch.advance(batch.len())?;
        }
        let of_source = |source: usize| samples.iter().filter(|sample| sample.source == source).count();
        let scores = counts
            .iter()
            .enumerate()
            .filter(|&(source, _)| of_source(source) > 0)
            .map(|(source, counts)| Score::new(&self.data.sources[source], of_source(source), counts))
            .collect();
        Ok((scores, pixels))
    }

    /// See [`Report::disagreement`].
    fn disagreement(&self, weights: &StateDict) -> Result<f64> {
        let network = Judged::new(weights)?;
        let samples = self.data.labelled(Part::Scoring, self.most);
        let (flat, classes, seed) = (vec![1.0; self.classes], self.classes, self.seed);
        let (mut apart, mut foreground) = (0, 0);
        self.watch.stage("two views", samples.len());
        for (number, batch) in samples.chunks(BATCH).enumerate() {
            let counted = batch.par_iter().enumerate().map(|(slot, sample)| -> Result<(u64, u64)> {
                let image = sample.picture(classes)?.image;
                let mut random = views::random(seed, u64::MAX >> 16, (number * BATCH + slot) as u64);
                let (seen, (dx, dy)) = views::pair(&image, &mut random);
                let (width, height) = seen[0].size();
                let [first, second] = seen.map(|view| winners(&network.logits(&view), &flat, width * height));
                let (mut apart, mut foreground) = (0, 0);
                for y in dy..height {
                    for x in dx..width {
                        let (a, b) = (first[y * width + x], second[(y - dy) * width + x - dx]);
                        apart += u64::from(a != b);
                        foreground += u64::from(a != 0 || b != 0);
                    }
                }
                Ok((apart, foreground))
            });
            for counted in counted.collect::<Vec<_>>() {
                let (a, f) = counted?;
                apart += a;
                foreground += f;
            }
            self.watch.advance(batch.len())?;
        }
        Ok(100.0 * apart as f64 / f64::max(foreground as f64, 1.0))
    }
}

/// The counts of one picture's classes, and some of its pixels.
fn judged(network: &Judged, sample: &Sample, temperatures: &[f64]) -> Result<(Vec<Count>, Pixels)> {
    let classes = temperatures.len();
    let picture = sample.picture(classes)?;
    let Some(labels) = &picture.labels else { return Ok(Default::default()) };
    let logits = network.logits(&picture.image);
    let places = labels.data().len();
    let factors: Vec<f32> = temperatures.iter().map(|t| (1.0 / t) as f32).collect();
    let winners = winners(&logits, &factors, places);
    let mut counts = vec![Count::default(); classes];
    let mut pixels = Pixels::default();
    for (place, (&label, winner)) in labels.data().iter().zip(winners).enumerate() {
        if label == IGNORED {
            continue;
        }
        counts[usize::from(label)].truth += 1;
        counts[winner].given += 1;
        counts[winner].both += u64::from(winner == usize::from(label));
        let (x, y) = (place % labels.width(), place / labels.width());
        if x % STRIDE == 0 && y % STRIDE == 0 {
            pixels.labels.push(label);
            pixels.logits.extend(logits.iter().skip(place).step_by(places));
        }
    }
    Ok((counts, pixels))
}

fn mean_of(scores: &[Score]) -> f64 {
    let means: Vec<f64> = scores.iter().filter_map(|score| score.mean).collect();
    means.iter().sum::<f64>() / means.len().max(1) as f64
}

/// A network that is measured.
struct Judged {
    architecture: &'static Architecture,
    engine: Engine,
}

impl Judged {
    fn new(weights: &StateDict) -> Result<Self> {
        let network = Network::load(weights)?;
        Ok(Self { architecture: network.architecture, engine: Engine::new(network.graph(), Width::best()) })
    }

    /// The logits at every pixel of a picture, class by class.
    fn logits(&self, image: &Plane<Rgb>) -> Vec<f32> {
        let Architecture { preparation, alignment, .. } = self.architecture;
        let input = preparation.sides.of_frame(image.width(), image.height());
        let Batch { values, shape } = self.engine.run(&preparation.batch(&[image], input)).swap_remove(0);
        Logits { values, shape, alignment: *alignment, input }.at_pixels(0, image.size())
    }
}

/// The class of each pixel whose logit times its factor is the largest.
fn winners(logits: &[f32], factors: &[f32], places: usize) -> Vec<usize> {
    let mut best = vec![(f32::NEG_INFINITY, 0); places];
    for (class, (plane, factor)) in logits.chunks_exact(places).zip(factors).enumerate() {
        for (best, logit) in best.iter_mut().zip(plane) {
            if logit * factor > best.0 {
                *best = (logit * factor, class);
            }
        }
    }
    best.into_iter().map(|(_, class)| class).collect()
}
