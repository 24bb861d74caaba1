//! Classifiers: what a whole picture shows, and how sure that is.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use steadymask_core::{Plane, Rgb};

use crate::{
    Error, ModelInfo, Result,
    cpu::{Engine, Width},
    input::{Scaling, scaled},
    net::{
        Batch,
        classification::{Architecture, Network},
    },
    pillow,
    weights::StateDict,
};

/// How a picture comes to the square that a classifier is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// The whole picture, squeezed: `Resize((224, 224))`.
    #[default]
    Squeeze,
    /// Its middle, in proportion: `Resize(256)`, `CenterCrop(224)`, torchvision's preset.
    Middle,
}

impl std::str::FromStr for Framing {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "squeeze" => Ok(Self::Squeeze),
            "middle" => Ok(Self::Middle),
            _ => Err(Error::UnknownFraming { value: name.into() }),
        }
    }
}

impl Framing {
    /// How many times as long as wide a picture may be whose middle is shown.
    const LONGEST: usize = 32;

    /// The size to which a picture of `width`×`height` is scaled, and where in it the square begins.
    fn place(self, (width, height): (usize, usize), architecture: &Architecture) -> ((usize, usize), (usize, usize)) {
        let Architecture { side, resized, .. } = *architecture;
        match self {
            Self::Squeeze => ((side, side), (0, 0)),
            Self::Middle => {
                let long = resized * width.max(height) / width.min(height);
                let scaled = if width <= height { (resized, long) } else { (long, resized) };
                // Half of an odd number is rounded to the even one, as Python does.
                let middle = |length: usize| ((length - side) as f64 / 2.0).round_ties_even() as usize;
                (scaled, (middle(scaled.0), middle(scaled.1)))
            }
        }
    }

    /// The square that the network is shown.
    ///
    /// # Errors
    /// [`Error::PictureShape`] for a picture so long that its middle alone would take up memory without end.
    fn frame<'a>(self, picture: &'a Plane<Rgb>, architecture: &Architecture) -> Result<Cow<'a, Plane<Rgb>>> {
        let side = architecture.side;
        let (width, height) = picture.size();
        if self == Self::Middle && width.max(height) > Self::LONGEST * width.min(height) {
            return Err(Error::PictureShape { width, height, longest: Self::LONGEST });
        }
        let ((width, height), (left, top)) = self.place(picture.size(), architecture);
        let scaled = match picture.size() == (width, height) {
            true => Cow::Borrowed(picture),
            false => Cow::Owned(pillow::bilinear(picture, width, height)),
        };
        if (width, height) == (side, side) {
            return Ok(scaled);
        }
        Ok(Cow::Owned(Plane::from_fn(side, side, |x, y| scaled.get(left + x, top + y))))
    }
}

/// What a classifier says of itself besides its weights; in its file's header, as JSON under [`Card::KEY`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The classes it tells apart, by number.
    pub classes: Vec<String>,
    /// How it is shown pictures.
    #[serde(default)]
    pub framing: Framing,
    /// What its logits are divided by, so that of all answers of which it is as sure, that share is right.
    #[serde(default = "one")]
    pub temperature: f64,
    /// How that was found out; `None` where it was not.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// How it was trained, where this program did, and how well it does.
    #[serde(default)]
    pub training: Option<serde_json::Value>,
}

fn one() -> f64 {
    1.0
}

/// How a temperature was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// On how many pictures.
    pub pictures: usize,
    /// Expected calibration error at temperature 1, 0 to 1.
    pub error_before: f64,
    /// The same at the temperature, each picture's found without it.
    pub error_after: f64,
}

impl Card {
    /// Where it stands in the header of a safetensors file.
    pub const KEY: &str = "classifier";
    /// Least and greatest temperature.
    pub const TEMPERATURES: (f64, f64) = (0.01, 100.0);

    /// Of classes without names: `class0`, `class1` …
    fn unnamed(classes: usize) -> Self {
        Self {
            classes: (0..classes).map(|class| format!("class{class}")).collect(),
            framing: Framing::default(),
            temperature: 1.0,
            calibration: None,
            training: None,
        }
    }

    /// The card of weights with so many classes.
    ///
    /// # Errors
    /// [`Error::Weights`] when the header holds one that cannot be.
    pub(crate) fn of(weights: &StateDict, classes: usize) -> Result<Self> {
        let Some(json) = weights.remark(Self::KEY) else { return Ok(Self::unnamed(classes)) };
        let refuse = |reason: String| Error::Weights { reason: format!("its card is wrong: {reason}") };
        let card: Self = serde_json::from_str(json).map_err(|e| refuse(e.to_string()))?;
        card.check(classes).map_err(refuse)?;
        Ok(card)
    }

    /// What is wrong with it, for a network of so many classes.
    pub(crate) fn check(&self, classes: usize) -> std::result::Result<(), String> {
        let (least, greatest) = Self::TEMPERATURES;
        if self.classes.len() != classes {
            return Err(format!("{} classes are named (expected {classes})", self.classes.len()));
        }
        if !(least..=greatest).contains(&self.temperature) {
            return Err(format!("the temperature is {} (expected {least} to {greatest})", self.temperature));
        }
        Ok(())
    }
}

/// How the verdict on a picture hangs on its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// By how much the class's log-odds fall when that part of the picture is blurred, at the picture's size; 0 where the
    /// network sees nothing.
    pub fall: Plane<f32>,
    /// The greatest of these, without sign.
    pub greatest: f32,
}

/// A classifier, ready on the CPU.
#[derive(Debug)]
pub struct Classifier {
    architecture: &'static Architecture,
    network: Engine,
    features: usize,
    info: ModelInfo,
    card: Card,
}

impl Classifier {
    /// Which outputs of the network's graph these are.
    const LOGITS: usize = 0;
    const FEATURES: usize = 1;
    /// Pictures that the network sees at once.
    const BATCH: usize = 8;
    /// Blurred squares along a side; neighbours overlap by half, so each is two steps wide.
    const SQUARES: usize = 7;
    /// Pixels along a side of the picture from which the blurred one is made.
    const COARSE: usize = 8;

    /// Loads a classifier from the bytes of a safetensors file; which one, the names of its tensors tell.
    ///
    /// # Errors
    /// [`Error::Weights`] and its neighbours when the file is damaged or of no classifier known.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        Self::load(&StateDict::from_safetensors(bytes)?, None)
    }

    pub(crate) fn load(weights: &StateDict, card: Option<&Card>) -> Result<Self> {
        let network = Network::load(weights)?;
        let card = match card {
            Some(card) => card.clone(),
            None => Card::of(weights, network.classes())?,
        };
        let info = ModelInfo {
            name: network.architecture.name.into(),
            architecture: network.architecture.name,
            parameters: weights.parameters(),
            classes: card.classes.clone(),
        };
        Ok(Self {
            architecture: network.architecture,
            network: Engine::new(network.graph(), Width::best()),
            features: network.features(),
            info,
            card,
        })
    }

    /// The same classifier under names of a person's own.
    ///
    /// # Errors
    /// [`Error::Weights`] when there are more or fewer names than classes.
    pub fn with_names(mut self, name: &str, classes: Vec<String>) -> Result<Self> {
        self.card.classes = classes;
        self.card.check(self.info.classes.len()).map_err(|reason| Error::Weights { reason })?;
        self.info = ModelInfo { name: name.into(), classes: self.card.classes.clone(), ..self.info };
        Ok(self)
    }

    /// The same classifier, shown pictures in that way.
    #[must_use]
    pub fn with_framing(mut self, framing: Framing) -> Self {
        self.card.framing = framing;
        self
    }

    /// What network this is.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What is known of it.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The logits of each picture, one a class. Pictures may differ in size.
    ///
    /// # Errors
    /// [`Error::PictureShape`]; [`Error::DeviceFailed`] and [`Error::Garbage`].
    pub fn logits(&self, pictures: &[&Plane<Rgb>]) -> Result<Vec<Vec<f32>>> {
        self.each(pictures, Self::LOGITS)
    }

    /// What the last layer of the network is given for each picture: [`Self::features_len`] numbers.
    ///
    /// # Errors
    /// [`Error::PictureShape`]; [`Error::DeviceFailed`] and [`Error::Garbage`].
    pub fn features(&self, pictures: &[&Plane<Rgb>]) -> Result<Vec<Vec<f32>>> {
        self.each(pictures, Self::FEATURES)
    }

    /// How many numbers the last layer is given.
    pub fn features_len(&self) -> usize {
        self.features
    }

    /// The probabilities that logits stand for, at the classifier's temperature.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f64> {
        let scaled: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / self.card.temperature).collect();
        softmax(&scaled)
    }

    /// Blurs one square of the picture after the other until only its colours are left, and tells by how much the log-odds
    /// of `class` fall. That needs nothing of the network but its answers, so it is the same for all, and takes
    /// [`Self::SQUARES`]² of them.
    ///
    /// # Errors
    /// [`Error::ClassId`], [`Error::PictureShape`]; [`Error::DeviceFailed`] and [`Error::Garbage`].
    pub fn heat_map(&self, picture: &Plane<Rgb>, class: usize) -> Result<HeatMap> {
        let last = self.info.classes.len() - 1;
        if class > last {
            return Err(Error::ClassId { id: class, last });
        }
        let architecture = self.architecture;
        let (side, squares) = (architecture.side, Self::SQUARES);
        let whole = self.card.framing.frame(picture, architecture)?;
        let coarse = scaled(&whole, (Self::COARSE, Self::COARSE), Scaling::Area);
        let coarse = scaled(&coarse, (side, side), Scaling::Area);
        let step = side as f64 / (squares + 1) as f64;
        // Whole within half a step of the middle, fading to nothing at one: an edge would be something to see.
        let cover = |pixel: usize, square: usize| {
            let away = ((pixel as f64 + 0.5) / step - (square + 1) as f64).abs();
            (2.0 - 2.0 * away).clamp(0.0, 1.0) as f32
        };
        let covered: Vec<Plane<Rgb>> = (0..squares * squares)
            .map(|square| {
                let (column, row) = (square % squares, square / squares);
                Plane::from_fn(side, side, |x, y| {
                    let (part, from, to) = (cover(x, column) * cover(y, row), whole.get(x, y), coarse.get(x, y));
                    std::array::from_fn(|c| {
                        let (from, to) = (f32::from(from[c]), f32::from(to[c]));
                        (from + (to - from) * part).round() as u8
                    })
                })
            })
            .collect();
        let odds = |logits: &Vec<f32>| log_odds(&self.probabilities(logits), class);
        let squared: Vec<_> = std::iter::once(whole.as_ref()).chain(&covered).map(Cow::Borrowed).collect();
        let logits = self.run(squared, Self::LOGITS)?;
        let before = odds(&logits[0]);
        let falls: Vec<f32> = logits[1..].iter().map(|logits| (before - odds(logits)) as f32).collect();
        let greatest = falls.iter().fold(0f32, |greatest, fall| greatest.max(fall.abs()));

        // Between the middles of the squares the fall is interpolated; beyond the outermost it is theirs.
        let ((width, height), (left, top)) = self.card.framing.place(picture.size(), architecture);
        let along = |pixel: usize, pixels: usize, scaled: usize, start: usize| {
            let place = (pixel as f64 + 0.5) * scaled as f64 / pixels as f64 - start as f64;
            let on_grid = (place / step - 1.0).clamp(0.0, (squares - 1) as f64);
            let first = (on_grid as usize).min(squares - 2);
            (0.0..side as f64).contains(&place).then_some((first, (on_grid - first as f64) as f32))
        };
        let columns: Vec<_> = (0..picture.width()).map(|x| along(x, picture.width(), width, left)).collect();
        let rows: Vec<_> = (0..picture.height()).map(|y| along(y, picture.height(), height, top)).collect();
        let fall = Plane::from_fn(picture.width(), picture.height(), |x, y| {
            let (Some((column, right)), Some((row, down))) = (columns[x], rows[y]) else { return 0.0 };
            let line = |row: usize| {
                let pair = &falls[row * squares + column..];
                pair[0] + (pair[1] - pair[0]) * right
            };
            line(row) + (line(row + 1) - line(row)) * down
        });
        Ok(HeatMap { fall, greatest })
    }

    /// That output of the network for each picture.
    fn each(&self, pictures: &[&Plane<Rgb>], output: usize) -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(Self::BATCH) {
            let framed = batch.iter().map(|picture| self.card.framing.frame(picture, self.architecture));
            all.extend(self.run(framed.collect::<Result<_>>()?, output)?);
        }
        Ok(all)
    }

    /// That output of the network for each of these squares.
    fn run(&self, squares: Vec<Cow<'_, Plane<Rgb>>>, output: usize) -> Result<Vec<Vec<f32>>> {
        let Architecture { side, normalization, .. } = *self.architecture;
        let mut all = Vec::with_capacity(squares.len());
        for batch in squares.chunks(Self::BATCH) {
            let input = normalization.batch(batch.iter().cloned(), (side, side));
            let Batch { values, shape } = self.network.run(&input).swap_remove(output);
            let count = values.iter().filter(|value| !value.is_finite()).count();
            if count > 0 {
                return Err(Error::Garbage { device: "cpu".into(), count, total: values.len() });
            }
            all.extend(values.chunks_exact(shape[1]).map(<[f32]>::to_vec));
        }
        Ok(all)
    }
}

/// `exp(x) / Σ exp(x)`
pub(crate) fn softmax(logits: &[f64]) -> Vec<f64> {
    let mut shares = logits.to_vec();
    softmax_in_place(&mut shares);
    shares
}

/// The same where the logits are. Frames' logits become bytes that are the same on every platform elsewhere: in
/// [`crate::output`], with an exponential of its own.
pub(crate) fn softmax_in_place(values: &mut [f64]) {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|value| *value = (*value - greatest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

/// `ln(p / (1 − p))` of one of these probabilities, between ±20: beyond, it is rounding.
pub fn log_odds(probabilities: &[f64], class: usize) -> f64 {
    let others: f64 = probabilities.iter().enumerate().filter(|&(other, _)| other != class).map(|(_, p)| p).sum();
    (probabilities[class].ln() - others.ln()).clamp(-20.0, 20.0)
}
