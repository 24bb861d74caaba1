//! The last layer of a classifier, trained on what the layers before it give: multinomial logistic regression.
//!
//! The loss is convex, so its least value is found from anywhere, without chance: by L-BFGS (Liu and Nocedal 1989).

use crate::{Head, classifier::softmax};

/// Steps that are remembered to guess the loss's curvature.
const MEMORY: usize = 10;
/// Most steps.
const STEPS: usize = 200;
/// The descent ends when no part of the gradient is steeper.
const FLAT: f64 = 1e-5;

/// Features of pictures, scaled to mean 0 and deviation 1, and the classes of these.
struct Data {
    /// `[pictures][features]`
    features: Vec<Vec<f64>>,
    truth: Vec<usize>,
    classes: usize,
    strength: f64,
}

/// The last layer that tells `classes` classes apart, from features of pictures, all of one length, and their classes.
///
/// It makes `mean(−ln p(truth)) + strength / 2 · Σ w²` least, where the weights `w` are those of features scaled to mean 0
/// and deviation 1; a greater `strength` (over 0) keeps them smaller. The same features give the same layer, bit for bit.
///
/// # Panics
/// When there are no features, or not one class for each.
pub fn fit(features: &[&[f32]], truth: &[usize], classes: usize, strength: f64) -> Head {
    assert_eq!(features.len(), truth.len(), "a class for each picture");
    let (pictures, length) = (features.len() as f64, features[0].len());
    let of = |i: usize| features.iter().map(move |features| f64::from(features[i]));
    let means: Vec<f64> = (0..length).map(|i| of(i).sum::<f64>() / pictures).collect();
    let deviations: Vec<f64> = (0..length)
        .map(|i| {
            let variance = of(i).map(|value| (value - means[i]).powi(2)).sum::<f64>() / pictures;
            // What is the same in all pictures tells nothing.
            if variance > 1e-12 { variance.sqrt() } else { f64::INFINITY }
        })
        .collect();
    let scaled = |features: &&[f32]| {
        let scaled = features.iter().zip(&means).zip(&deviations).map(|((&f, mean), dev)| (f64::from(f) - mean) / dev);
        scaled.collect()
    };
    let features = features.iter().map(scaled).collect();
    let data = Data { features, truth: truth.to_vec(), classes, strength };
    let parameters = data.descend();

    // The scaling goes into the weights.
    let rows = parameters.chunks_exact(length + 1);
    let weights: Vec<Vec<f64>> =
        rows.clone().map(|row| row.iter().zip(&deviations).map(|(w, deviation)| w / deviation).collect()).collect();
    let bias = rows
        .zip(&weights)
        .map(|(row, weights)| (row[length] - weights.iter().zip(&means).map(|(w, mean)| w * mean).sum::<f64>()) as f32);
    Head { bias: bias.collect(), weights: weights.iter().map(|row| row.iter().map(|&w| w as f32).collect()).collect() }
}

impl Data {
    /// The loss at these parameters, for each class a weight a feature and a bias, and its gradient.
    fn loss(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let length = self.features[0].len();
        let share = 1.0 / self.features.len() as f64;
        let mut gradient = vec![0.0; parameters.len()];
        let mut loss = 0.0;
        for (features, &truth) in self.features.iter().zip(&self.truth) {
            let rows = parameters.chunks_exact(length + 1);
            let logits: Vec<f64> = rows.map(|row| dot(&row[..length], features) + row[length]).collect();
            let probabilities = softmax(&logits);
            loss -= share * probabilities[truth].max(f64::MIN_POSITIVE).ln();
            for (class, row) in gradient.chunks_exact_mut(length + 1).enumerate() {
                let error = share * (probabilities[class] - f64::from(u8::from(class == truth)));
                row[..length].iter_mut().zip(features).for_each(|(g, f)| *g += error * f);
                row[length] += error;
            }
        }
        for (row, gradient) in parameters.chunks_exact(length + 1).zip(gradient.chunks_exact_mut(length + 1)) {
            loss += self.strength / 2.0 * dot(&row[..length], &row[..length]);
            gradient[..length].iter_mut().zip(row).for_each(|(g, w)| *g += self.strength * w);
        }
        (loss, gradient)
    }

    /// The parameters at which the loss is least.
    fn descend(&self) -> Vec<f64> {
        let mut here = vec![0.0; self.classes * (self.features[0].len() + 1)];
        let (mut loss, mut gradient) = self.loss(&here);
        // Steps, the change of the gradient along them, and 1 / their product.
        let mut memory: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
        for _ in 0..STEPS {
            if gradient.iter().all(|g| g.abs() < FLAT) {
                break;
            }
            let direction = direction(&gradient, &memory);
            let slope = dot(&direction, &gradient);
            let mut length = 1.0;
            let found = loop {
                let there: Vec<f64> = here.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
                let (loss_there, gradient_there) = self.loss(&there);
                // Armijo's condition: a fair part of what the slope promises.
                if loss_there <= loss + 1e-4 * length * slope {
                    break Some((there, loss_there, gradient_there));
                }
                length /= 2.0;
                if length < 1e-10 {
                    break None;
                }
            };
            // Rounding alone is left.
            let Some((there, loss_there, gradient_there)) = found else { break };
            let step: Vec<f64> = there.iter().zip(&here).map(|(a, b)| a - b).collect();
            let change: Vec<f64> = gradient_there.iter().zip(&gradient).map(|(a, b)| a - b).collect();
            let product = dot(&step, &change);
            if product > 0.0 {
                memory.push((step, change, 1.0 / product));
                if memory.len() > MEMORY {
                    memory.remove(0);
                }
            }
            (here, loss, gradient) = (there, loss_there, gradient_there);
        }
        here
    }
}

/// Where to go from here: against the gradient, stretched by the curvature that the remembered steps met (the two-loop
/// recursion).
fn direction(gradient: &[f64], memory: &[(Vec<f64>, Vec<f64>, f64)]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.to_vec();
    let mut alphas = Vec::with_capacity(memory.len());
    for (step, change, inverse) in memory.iter().rev() {
        let alpha = inverse * dot(step, &q);
        q.iter_mut().zip(change).for_each(|(q, c)| *q -= alpha * c);
        alphas.push(alpha);
    }
    if let Some((_, change, inverse)) = memory.last() {
        let scale = 1.0 / (inverse * dot(change, change));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((step, change, inverse), alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = inverse * dot(change, &q);
        q.iter_mut().zip(step).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q.iter_mut().for_each(|q| *q = -*q);
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features of two numbers, the first of which tells the class, but for every tenth picture.
    fn data(pictures: usize) -> (Vec<[f32; 3]>, Vec<usize>) {
        let features = (0..pictures).map(|i| {
            let noise = ((i * 7919 + 13) % 1009) as f32 / 1009.0;
            [if i % 2 == 0 { 5.0 } else { 6.0 } + noise, 100.0 * ((i * 31) % 17) as f32, 3.0]
        });
        let truth = (0..pictures).map(|i| if i % 10 == 9 { (i + 1) % 2 } else { i % 2 });
        (features.collect(), truth.collect())
    }

    #[test]
    fn the_loss_is_least_where_it_ends() {
        let (features, truth) = data(200);
        let features: Vec<&[f32]> = features.iter().map(<[f32; 3]>::as_slice).collect();
        let head = fit(&features, &truth, 2, 0.01);
        assert_eq!(head, fit(&features, &truth, 2, 0.01), "the same bits");
        let right = features.iter().zip(&truth).filter(|(features, truth)| {
            let logit =
                |c: usize| features.iter().zip(&head.weights[c]).map(|(f, w)| f * w).sum::<f32>() + head.bias[c];
            usize::from(logit(1) > logit(0)) == **truth
        });
        assert!(right.count() >= 170);
        assert!(head.weights.iter().all(|row| row[2] == 0.0), "what never changes has no weight");

        // Away from the end, whichever way, the loss is greater.
        let scaled = features.iter().map(|f| f.iter().map(|&f| f64::from(f) / 50.0).collect()).collect();
        let data = Data { features: scaled, truth, classes: 2, strength: 0.01 };
        let end = data.descend();
        let (least, gradient) = data.loss(&end);
        assert!(gradient.iter().all(|g| g.abs() < 1e-4), "{gradient:?}");
        for i in 0..end.len() {
            for step in [-0.05, 0.05] {
                let mut beside = end.clone();
                beside[i] += step;
                let (loss, _) = data.loss(&beside);
                assert!(loss > least, "{loss} {least}");
            }
        }
    }

    #[test]
    fn the_gradient_is_the_losses() {
        let (features, truth) = data(30);
        let features = features.iter().map(|f| f.iter().map(|&f| f64::from(f) / 100.0).collect()).collect();
        let data = Data { features, truth, classes: 3, strength: 0.1 };
        let here: Vec<f64> = (0..12).map(|i| (i as f64 * 0.7).sin()).collect();
        let (_, gradient) = data.loss(&here);
        for i in 0..here.len() {
            let at = |step: f64| {
                let mut beside = here.clone();
                beside[i] += step;
                data.loss(&beside).0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - gradient[i]).abs() < 1e-7, "{slope} {}", gradient[i]);
        }
    }

    #[test]
    fn a_stronger_pull_keeps_weights_smaller() {
        let (features, truth) = data(100);
        let features: Vec<&[f32]> = features.iter().map(<[f32; 3]>::as_slice).collect();
        let size = |strength| fit(&features, &truth, 2, strength).weights[0][0].abs();
        assert!(size(0.001) > size(0.1) && size(0.1) > size(10.0) && size(10.0) > 0.0);
    }
}
