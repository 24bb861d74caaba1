//! A temperature a class: what logits are divided by, so that of all pixels given the probability 0.9, nine in ten are of
//! the class. (Vector scaling without a bias: Guo et al. 2017.)

use rayon::prelude::*;
use serde::Serialize;

use crate::{calibration::Bins, classifier::softmax_in_place};

/// Logits of pixels and what these are of.
#[derive(Default)]
pub(super) struct Pixels {
    /// `classes` numbers a pixel.
    pub(super) logits: Vec<f32>,
    pub(super) labels: Vec<u8>,
}

/// Bins of equal width, from 0 to 1.
const BINS: usize = 15;
/// How strongly the classes' temperatures hang on the common one, in nats a pixel: classes that the pictures hardly show
/// keep it.
const PULL: f64 = 1e-3;
/// Steps of the search.
const STEPS: usize = 150;
/// Least and greatest temperature.
const BOUNDS: (f64, f64) = (0.2, 5.0);

/// Temperatures for the pixels of two sets of pictures: one a class, one for all, or none (1), whichever makes the labels
/// of either set likeliest when it was fitted to the other.
pub(super) fn temperatures([a, b]: [Pixels; 2], classes: usize) -> Vec<f64> {
    let none = vec![1.0; classes];
    if a.labels.is_empty() || b.labels.is_empty() {
        return none;
    }
    let of_other = |fit: &dyn Fn(&Pixels) -> Vec<f64>| b.likelihood(&fit(&a)).0 + a.likelihood(&fit(&b)).0;
    let common = |pixels: &Pixels| vec![pixels.common(classes); classes];
    let each = |pixels: &Pixels| pixels.each(classes);
    let [without, with_one, with_each] = [of_other(&|_| none.clone()), of_other(&common), of_other(&each)];
    if without <= with_one.min(with_each) {
        return none;
    }
    let all = a.and(b);
    if with_each < with_one { each(&all) } else { common(&all) }
}

/// How well probabilities say how often they are right.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Reliability {
    /// Expected calibration error of the likeliest class's probability, 0 to 1.
    pub(super) error: f64,
    /// The same of the probabilities of all classes but the background, each for itself, where they are over 0.01.
    pub(super) foreground_error: f64,
    /// Mean negative log-likelihood, in nats a pixel.
    pub(super) likelihood: f64,
    /// Of the likeliest class: mean probability, share that is right, share of the pixels, of each bin with any.
    pub(super) bins: Vec<[f64; 3]>,
    /// The same of the foreground.
    pub(super) foreground_bins: Vec<[f64; 3]>,
}

impl Pixels {
    /// Calls `each` with a pixel's probabilities at these temperatures and its label, and adds up what it returns, in an
    /// order that does not depend on the number of threads.
    fn sum<T: Send>(
        &self,
        temperatures: &[f64],
        zero: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, &[f64], &[f32], usize) + Sync,
        add: impl Fn(T, T) -> T,
    ) -> T {
        const CHUNK: usize = 4096;
        let classes = temperatures.len();
        let parts: Vec<T> = self
            .logits
            .par_chunks(CHUNK * classes)
            .zip(self.labels.par_chunks(CHUNK))
            .map(|(logits, labels)| {
                let mut sum = zero();
                let mut shares = vec![0.0; classes];
                for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
                    for ((share, &logit), temperature) in shares.iter_mut().zip(logits).zip(temperatures) {
                        *share = f64::from(logit) / temperature;
                    }
                    softmax_in_place(&mut shares);
                    each(&mut sum, &shares, logits, usize::from(label));
                }
                sum
            })
            .collect();
        parts.into_iter().fold(zero(), add)
    }

    /// Mean negative log-likelihood in nats, and its gradient to the logarithms of the temperatures.
    fn likelihood(&self, temperatures: &[f64]) -> (f64, Vec<f64>) {
        let classes = temperatures.len();
        let (sum, mut gradient) = self.sum(
            temperatures,
            || (0.0, vec![0.0; classes]),
            |(sum, gradient), shares, logits, label| {
                *sum -= shares[label].max(1e-30).ln();
                for (class, ((gradient, share), &logit)) in gradient.iter_mut().zip(shares).zip(logits).enumerate() {
                    let right = f64::from(u8::from(class == label));
                    *gradient -= (share - right) * f64::from(logit) / temperatures[class];
                }
            },
            |(a, mut to), (b, from)| {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                (a + b, to)
            },
        );
        let count = self.labels.len().max(1) as f64;
        gradient.iter_mut().for_each(|g| *g /= count);
        (sum / count, gradient)
    }

    /// The temperature at which the pixels' labels are likeliest, the same for all classes.
    fn common(&self, classes: usize) -> f64 {
        // Ternary search: the likelihood has one hill.
        let (mut low, mut high) = (BOUNDS.0.ln(), BOUNDS.1.ln());
        for _ in 0..24 {
            let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            let of = |log: f64| self.likelihood(&vec![log.exp(); classes]).0;
            if of(a) < of(b) { high = b } else { low = a }
        }
        ((low + high) / 2.0).exp()
    }

    /// The temperatures at which the pixels' labels are likeliest, one a class, held to the common one.
    fn each(&self, classes: usize) -> Vec<f64> {
        let common = self.common(classes).ln();
        // By Adam.
        let (mut logs, mut mean, mut square) = (vec![common; classes], vec![0.0; classes], vec![0.0; classes]);
        for step in 1..=STEPS {
            let temperatures: Vec<f64> = logs.iter().map(|log| log.exp()).collect();
            let (_, gradient) = self.likelihood(&temperatures);
            let rate = 0.05 * (1.0 - (step - 1) as f64 / STEPS as f64);
            let power = i32::try_from(step).unwrap_or(i32::MAX);
            for (class, gradient) in gradient.into_iter().enumerate() {
                let gradient = gradient + 2.0 * PULL * (logs[class] - common);
                mean[class] = 0.9 * mean[class] + 0.1 * gradient;
                square[class] = 0.99 * square[class] + 0.01 * gradient * gradient;
                let (mean, square) =
                    (mean[class] / (1.0 - 0.9f64.powi(power)), square[class] / (1.0 - 0.99f64.powi(power)));
                logs[class] = (logs[class] - rate * mean / (square.sqrt() + 1e-9)).clamp(BOUNDS.0.ln(), BOUNDS.1.ln());
            }
        }
        logs.into_iter().map(f64::exp).collect()
    }

    /// These and those.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.logits.extend(other.logits);
        self.labels.extend(other.labels);
        self
    }

    /// How reliable the probabilities at these temperatures are.
    pub(super) fn reliability(&self, temperatures: &[f64]) -> Reliability {
        let [first, foreground] = self.sum(
            temperatures,
            || [Bins::<BINS>::default(), Bins::default()],
            |[of_first, of_foreground], shares, _, label| {
                let first =
                    (0..shares.len()).fold(0, |best, class| if shares[class] > shares[best] { class } else { best });
                of_first.put(shares[first], first == label);
                for (class, &p) in shares.iter().enumerate().skip(1).filter(|&(_, &p)| p > 0.01) {
                    of_foreground.put(p, class == label);
                }
            },
            |[a, b], [c, d]| [a.and(c), b.and(d)],
        );
        Reliability {
            error: first.error(),
            foreground_error: foreground.error(),
            likelihood: self.likelihood(temperatures).0,
            bins: first.curve(),
            foreground_bins: foreground.curve(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::train::views::random;

    /// Pixels whose labels are drawn with the probabilities of their logits, which are then told too loudly.
    fn overconfident(factors: &[f32], seed: u64) -> Pixels {
        let mut random = random(seed, 0, 0);
        let mut pixels = Pixels::default();
        for _ in 0..40_000 {
            let logits: Vec<f32> = factors.iter().map(|_| random.random_range(-2.0..2.0)).collect();
            let shares: Vec<f64> = logits.iter().map(|&l| f64::from(l).exp()).collect();
            let mut left = random.random::<f64>() * shares.iter().sum::<f64>();
            let label = shares.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            pixels.labels.push(label.unwrap_or(0) as u8);
            pixels.logits.extend(logits.iter().zip(factors).map(|(l, f)| l * f));
        }
        pixels
    }

    #[test]
    fn temperatures_are_found_again() {
        let factors = [2.0, 2.0, 3.0, 1.5];
        let pixels = overconfident(&factors, 3);
        let found = temperatures([overconfident(&factors, 1), overconfident(&factors, 2)], 4);
        for (found, factor) in found.iter().zip(factors) {
            assert!((found / f64::from(factor) - 1.0).abs() < 0.05, "{found} {factor}");
        }
        let (before, after) = (pixels.reliability(&[1.0; 4]), pixels.reliability(&found));
        assert!(before.error > 0.1 && after.error < 0.01, "{} {}", before.error, after.error);
        assert!(before.foreground_error > 0.1 && after.foreground_error < 0.02);
        assert!(after.likelihood < before.likelihood);
    }

    #[test]
    fn nothing_to_learn_from_changes_nothing() {
        assert_eq!(temperatures([Pixels::default(), overconfident(&[2.0; 3], 1)], 3), [1.0; 3]);
    }

    #[test]
    fn classes_that_are_equally_loud_share_a_temperature() {
        let found = temperatures([overconfident(&[2.0; 3], 1), overconfident(&[2.0; 3], 2)], 3);
        assert!(found.iter().all(|t| (t / 2.0 - 1.0).abs() < 0.05), "{found:?}");
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let pixels = overconfident(&[1.0, 2.0, 1.5], 3);
        let at = [0.9, 1.3, 1.1f64];
        let (_, gradient) = pixels.likelihood(&at);
        for class in 0..3 {
            let moved = |by: f64| {
                let mut there = at;
                there[class] *= by.exp();
                pixels.likelihood(&there).0
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            assert!((slope - gradient[class]).abs() < 1e-5, "{slope} {}", gradient[class]);
        }
    }
}
