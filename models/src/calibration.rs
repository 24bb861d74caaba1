//! How far a classifier's confidence can be taken at its word (Guo et al. 2017).

use crate::{Card, classifier::softmax};

/// Bins of the expected calibration error.
const BINS: usize = 10;

/// The temperature at which logits `[pictures][classes]` explain the true classes best.
///
/// The truth is taken as `1 − 1 / (pictures + 2)` sure, as Platt (1999) does, so that logits which are all right do not
/// ask for no temperature at all. Without pictures it is 1.
pub fn temperature(logits: &[Vec<f32>], truth: &[usize]) -> f64 {
    let doubt = 1.0 / (logits.len() as f64 + 2.0);
    let loss = |ln: f64| {
        let one = |(logits, &truth): (&Vec<f32>, &usize)| {
            let probabilities = probabilities(logits, ln.exp());
            let others = doubt / (probabilities.len() - 1).max(1) as f64;
            let said = |(class, &p): (usize, &f64)| {
                let wanted = if class == truth { 1.0 - doubt } else { others };
                -wanted * p.max(f64::MIN_POSITIVE).ln()
            };
            probabilities.iter().enumerate().map(said).sum::<f64>()
        };
        logits.iter().zip(truth).map(one).sum::<f64>()
    };
    if logits.is_empty() {
        return 1.0;
    }
    // The loss falls and then rises: golden section.
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (Card::TEMPERATURES.0.ln(), Card::TEMPERATURES.1.ln());
    let inside = |low: f64, high: f64| (high - golden * (high - low), low + golden * (high - low));
    let (mut a, mut b) = inside(low, high);
    let (mut at_a, mut at_b) = (loss(a), loss(b));
    for _ in 0..60 {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = inside(low, high).0;
            at_a = loss(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = inside(low, high).1;
            at_b = loss(b);
        }
    }
    ((low + high) / 2.0).exp().clamp(Card::TEMPERATURES.0, Card::TEMPERATURES.1)
}

/// The expected calibration error of `(confidence in the answer, whether it was right)`: in ten bins of confidence, how
/// far the mean confidence is from the share that was right, weighted by the bins' pictures. 0 to 1; few pictures make it
/// larger than it is.
pub fn calibration_error(answers: &[(f64, bool)]) -> f64 {
    let mut bins = Bins::<BINS>::default();
    answers.iter().for_each(|&(confidence, right)| bins.put(confidence, right));
    bins.error()
}

/// Answers by their confidence, in `N` bins of equal width from 0 to 1.
#[derive(Debug, Clone)]
pub(crate) struct Bins<const N: usize> {
    /// Of each bin: the confidences' sum, the number that was right, the number of answers.
    sums: [[f64; 3]; N],
}

impl<const N: usize> Default for Bins<N> {
    fn default() -> Self {
        Self { sums: [[0.0; 3]; N] }
    }
}

impl<const N: usize> Bins<N> {
    /// Takes an answer.
    pub(crate) fn put(&mut self, confidence: f64, right: bool) {
        let bin = &mut self.sums[((confidence * N as f64) as usize).min(N - 1)];
        let with = [confidence, f64::from(u8::from(right)), 1.0];
        bin.iter_mut().zip(with).for_each(|(sum, value)| *sum += value);
    }

    /// The answers of both.
    #[cfg(feature = "train")]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.sums.as_flattened_mut().iter_mut().zip(other.sums.as_flattened()).for_each(|(a, b)| *a += b);
        self
    }

    /// Of each bin with any answers: mean confidence, share that is right, share of all answers.
    pub(crate) fn curve(&self) -> Vec<[f64; 3]> {
        let total: f64 = self.sums.iter().map(|bin| bin[2]).sum();
        let filled = self.sums.iter().filter(|bin| bin[2] > 0.0);
        filled.map(|&[sum, right, count]| [sum / count, right / count, count / total]).collect()
    }

    /// The expected calibration error, 0 to 1.
    pub(crate) fn error(&self) -> f64 {
        // Not the float's own sum, which is −0 of nothing.
        self.curve().iter().fold(0.0, |sum, [mean, right, share]| sum + (mean - right).abs() * share)
    }
}

/// The greatest probability of these logits at a temperature, and whether it is that of the true class.
pub fn answer(logits: &[f32], temperature: f64, truth: usize) -> (f64, bool) {
    let probabilities = probabilities(logits, temperature);
    let best = probabilities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let (class, &confidence) = best.expect("a network tells two classes or more apart");
    (confidence, class == truth)
}

fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
    softmax(&logits.iter().map(|&logit| f64::from(logit) / temperature).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits that are right as often as they say at this temperature.
    fn sayings(temperature: f32) -> (Vec<Vec<f32>>, Vec<usize>) {
        let one = |i: usize| {
            let odds = (i % 40) as f32 / 10.0 - 2.0;
            let p = 1.0 / (1.0 + f64::from(-odds).exp());
            // Evenly spread numbers in place of chance.
            let truth = usize::from((i as f64 * 0.618_033_988_749).fract() < p);
            (vec![0.0, odds * temperature], truth)
        };
        (0..8000).map(one).unzip()
    }

    #[test]
    fn the_temperature_is_found() {
        for expected in [0.2, 1.0, 3.0] {
            let (logits, truth) = sayings(expected);
            let found = temperature(&logits, &truth);
            assert!((found / f64::from(expected) - 1.0).abs() < 0.05, "{found}, not {expected}");
            let error = |temperature| {
                let answers: Vec<_> = logits.iter().zip(&truth).map(|(l, &t)| answer(l, temperature, t)).collect();
                calibration_error(&answers)
            };
            assert!(error(found) < 0.02, "{}", error(found));
            assert!(expected == 1.0 || error(1.0) > 0.1, "{}", error(1.0));
        }
    }

    #[test]
    fn a_faultless_network_is_not_taken_for_certain() {
        let logits: Vec<_> = (0..50).map(|i| if i % 2 == 0 { vec![1.0, -1.0] } else { vec![-1.0, 1.0] }).collect();
        let truth: Vec<_> = (0..50).map(|i| i % 2).collect();
        let (confidence, right) = answer(&logits[0], temperature(&logits, &truth), 0);
        assert!(right && (0.97..0.99).contains(&confidence), "{confidence}");
        assert_eq!(temperature(&[], &[]), 1.0);
    }

    #[test]
    fn the_error_is_the_mean_distance() {
        assert_eq!(calibration_error(&[]), 0.0);
        assert!((calibration_error(&[(0.95, true), (0.95, false)]) - 0.45).abs() < 1e-12);
        assert!((calibration_error(&[(1.0, true), (0.55, false)]) - 0.275).abs() < 1e-12);
    }
}
