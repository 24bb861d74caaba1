//! What a run has come to: weights, the optimiser's memory, their moving average. Kept on disk between steps.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::weights::{Array, StateDict};

/// Share of the old in the means of gradients and of their squares (Adam; Kingma and Ba 2015).
const BETAS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-12;
/// Least size by which a tensor's steps are measured: of tensors of zeros, which would never move.
const LEAST_SIZE: f32 = 1e-3;
/// Share of the old in the moving average of weights.
const AVERAGE: f32 = 0.995;
/// Greatest length of a step's gradient; a longer one is shortened.
const LONGEST: f32 = 3.0;

/// The four numbers kept for each of the network's, by tensor.
#[derive(Clone)]
pub(super) struct State {
    /// Steps done.
    pub(super) step: u64,
    pub(super) weights: StateDict,
    mean: BTreeMap<String, Vec<f32>>,
    square: BTreeMap<String, Vec<f32>>,
    pub(super) average: StateDict,
}

/// What stands in a checkpoint's header.
#[derive(Serialize, Deserialize)]
struct Header {
    step: u64,
    /// What the run is of; see [`State::save`].
    run: String,
}

impl State {
    const KEY: &str = "training";

    /// Before the first step.
    pub(super) fn new(weights: &StateDict) -> Self {
        let zeros = || weights.arrays().map(|(name, array)| (name.to_owned(), vec![0.0; array.values.len()])).collect();
        Self { step: 0, weights: weights.clone(), mean: zeros(), square: zeros(), average: weights.clone() }
    }

    /// Moves the weights against their gradients: Adam, where a step is measured in shares `rate` of the tensor's size
    /// (the root of its mean square). Returns the gradient's length before it was shortened.
    pub(super) fn update(&mut self, gradients: &BTreeMap<String, Vec<f32>>, rate: f32) -> f32 {
        self.step += 1;
        let squares = gradients.values().flatten().map(|&g| f64::from(g) * f64::from(g));
        let length = squares.sum::<f64>().sqrt() as f32;
        let shorten = if length > LONGEST { LONGEST / length } else { 1.0 };
        let exponent = i32::try_from(self.step).unwrap_or(i32::MAX);
        let (first, second) = (1.0 - BETAS.0.powi(exponent), 1.0 - BETAS.1.powi(exponent));
        // While there are few steps the average is of these.
        let average = AVERAGE.min(self.step as f32 / (self.step + 9) as f32);
        for (name, gradient) in gradients {
            let (Some(weights), Some(averages)) = (self.weights.get_mut(name), self.average.get_mut(name)) else {
                continue;
            };
            let (Some(mean), Some(square)) = (self.mean.get_mut(name), self.square.get_mut(name)) else { continue };
            let values = &mut weights.values;
            let size = (values.iter().map(|w| w * w).sum::<f32>() / values.len() as f32).sqrt().max(LEAST_SIZE);
            let memory = mean.iter_mut().zip(square).zip(&mut averages.values);
            for ((weight, gradient), ((mean, square), averaged)) in values.iter_mut().zip(gradient).zip(memory) {
                let gradient = gradient * shorten;
                *mean = BETAS.0 * *mean + (1.0 - BETAS.0) * gradient;
                *square = BETAS.1 * *square + (1.0 - BETAS.1) * gradient * gradient;
                *weight -= rate * size * (*mean / first) / ((*square / second).sqrt() + EPSILON);
                *averaged = average * *averaged + (1.0 - average) * *weight;
            }
        }
        length
    }

    /// Writes all of it, so that after a crash at any moment either the old file is there or the new one. `run` tells what
    /// it may go on with.
    pub(super) fn save(&self, path: &Path, run: &str) -> Result<()> {
        let mut all = self.weights.clone();
        all.rename(|name| format!("weights.{name}"));
        for (prefix, tensors) in [("mean", &self.mean), ("square", &self.square)] {
            for (name, values) in tensors {
                all.set(format!("{prefix}.{name}"), Array { shape: vec![values.len()], values: values.clone() });
            }
        }
        for (name, array) in self.average.arrays() {
            all.set(format!("average.{name}"), array.clone());
        }
        let header = Header { step: self.step, run: run.to_owned() };
        let header = serde_json::to_string(&header).map_err(|e| Error::file(path, e))?;
        write_whole(path, &all.to_safetensors((Self::KEY, &header))?)
    }

    /// Reads what [`Self::save`] wrote; `None` where there is nothing yet.
    ///
    /// # Errors
    /// [`Error::OtherRun`] where it is of another run.
    pub(super) fn load(path: &Path, run: &str) -> Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file(path, e)),
        };
        let all = StateDict::from_safetensors(&bytes)?;
        let damaged = || Error::file(path, "it is no checkpoint of a training");
        let header: Header = serde_json::from_str(all.remark(Self::KEY).ok_or_else(damaged)?).map_err(|_| damaged())?;
        if header.run != run {
            return Err(Error::OtherRun { folder: path.to_owned(), theirs: header.run, ours: run.to_owned() });
        }
        let part = |prefix: &str| {
            let mut part = all.clone();
            part.descend(&format!("{prefix}."));
            part
        };
        let values =
            |prefix: &str| part(prefix).arrays().map(|(name, array)| (name.to_owned(), array.values.clone())).collect();
        Ok(Some(Self {
            step: header.step,
            weights: part("weights"),
            mean: values("mean"),
            square: values("square"),
            average: part("average"),
        }))
    }
}

/// `share · a + (1 − share) · b`, tensor by tensor; those that `b` lacks or has in another shape are `a`'s.
pub(super) fn mixed(a: &StateDict, b: &StateDict, share: f32) -> StateDict {
    let mut mixed = a.clone();
    for (name, array) in b.arrays() {
        if let Some(values) = mixed.get_mut(name).filter(|own| own.shape == array.shape).map(|own| &mut own.values) {
            values.iter_mut().zip(&array.values).for_each(|(a, b)| *a = share * *a + (1.0 - share) * b);
        }
    }
    mixed
}

/// Writes a file beside its place and then moves it there.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let wrong = |e: std::io::Error| Error::file(path, e);
    let beside = path.with_extension("part");
    let mut file = fs::File::create(&beside).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
    fs::rename(&beside, path).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> StateDict {
        let mut weights = StateDict::from_safetensors(crate::weights::embedded::SAFETENSORS).expect("sound");
        weights.retain("classifier.predict");
        weights
    }

    #[test]
    fn a_checkpoint_is_what_was_saved() {
        let mut state = State::new(&weights());
        for step in 0..3 {
            let gradient = |len: usize| (0..len).map(|i| ((i + step) % 7) as f32 - 3.0).collect();
            let gradients =
                state.weights.arrays().map(|(name, array)| (name.to_owned(), gradient(array.values.len()))).collect();
            let length = state.update(&gradients, 1e-2);
            assert!(length > LONGEST);
        }
        let path = std::env::temp_dir().join(format!("steadymask-state-{}.safetensors", std::process::id()));
        assert!(State::load(&path, "a").expect("nothing there").is_none());
        state.save(&path, "a").expect("a place to write");
        let back = State::load(&path, "a").expect("just written").expect("it is there");
        let other = State::load(&path, "b");
        fs::remove_file(&path).expect("it is there");
        assert!(matches!(other, Err(Error::OtherRun { .. })));
        assert_eq!((back.step, &back.mean, &back.square), (3, &state.mean, &state.square));
        for (ours, theirs) in [(&back.weights, &state.weights), (&back.average, &state.average)] {
            assert!(ours.arrays().zip(theirs.arrays()).all(|(a, b)| a.0 == b.0 && a.1.values == b.1.values));
        }
        assert!(state.weights.arrays().zip(weights().arrays()).any(|(a, b)| a.1.values != b.1.values));
    }

    #[test]
    fn the_first_step_is_the_rate_in_sizes_of_the_tensor() {
        let mut state = State::new(&weights());
        let name = "classifier.predict.bias";
        let before = state.weights.get(name).expect("it is there").values.clone();
        let size = (before.iter().map(|w| w * w).sum::<f32>() / before.len() as f32).sqrt();
        state.update(&BTreeMap::from([(name.to_owned(), vec![0.01; before.len()])]), 1e-2);
        let after = &state.weights.get(name).expect("it is there").values;
        for (a, b) in after.iter().zip(&before) {
            assert!(((b - a) / (1e-2 * size) - 1.0).abs() < 1e-2, "{a} {b} {size}");
        }
    }

    #[test]
    fn mixing_goes_from_one_to_the_other() {
        let (a, mut b) = (weights(), weights());
        b.get_mut("classifier.predict.bias").expect("it is there").values.fill(1.0);
        let value = |s: &StateDict| s.get("classifier.predict.bias").expect("it is there").values[3];
        assert_eq!(value(&mixed(&a, &b, 1.0)), value(&a));
        assert_eq!(value(&mixed(&a, &b, 0.0)), 1.0);
        assert!((value(&mixed(&a, &b, 0.25)) - (0.25 * value(&a) + 0.75)).abs() < 1e-6);
    }
}
