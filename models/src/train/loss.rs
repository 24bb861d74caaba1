//! What a step of training is judged by.

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};

use crate::output::Alignment;

/// Pixels of the crop between the points at which logits are compared.
pub(super) const SPACING: usize = 4;

/// One picture of a batch, as its points see it: a point every [`SPACING`] pixels of the first view's crop.
pub(super) struct Truth {
    /// The label of each point, row by row; [`IGNORED`] where there is none.
    pub(super) labels: Vec<u8>,
    /// By how many pixels the second view's crop lies further right and down.
    pub(super) shift: (i32, i32),
}

/// The label of pixels that say nothing.
pub(super) const IGNORED: u8 = 255;

/// How the parts of the loss are weighed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// Of a background pixel; any other has 1.
    pub(super) background: f32,
    /// Of the divergence from the teacher.
    pub(super) distillation: f32,
    /// Of the disagreement of the two views.
    pub(super) consistency: f32,
}

/// The loss of a step, and its parts before they were weighed.
pub(super) struct Loss {
    /// To be differentiated.
    pub(super) total: Tensor<1>,
    /// Cross-entropy with the labels, in nats.
    pub(super) labels: f32,
    /// Kullback–Leibler divergence of the first view from the teacher, in nats; 0 without one.
    pub(super) distillation: f32,
    /// Squared difference of the two views' probabilities, summed over the classes.
    pub(super) consistency: f32,
}

/// Points along a side of a crop of `side` pixels.
pub(super) const fn points(side: usize) -> usize {
    (side - 1) / SPACING + 1
}

/// Rows of an interpolation from a grid of `grid` logits to the points of a crop of `side` pixels that lie `shift` pixels
/// further back in this view: `[points, grid]`, and which points this view sees.
fn interpolation(alignment: Alignment, side: usize, grid: usize, shift: i32) -> (Vec<f32>, Vec<bool>) {
    let points = points(side);
    let mut rows = vec![0.0; points * grid];
    let mut seen = vec![false; points];
    for (i, (row, seen)) in rows.chunks_exact_mut(grid).zip(&mut seen).enumerate() {
        let pixel = (i * SPACING) as i32 - shift;
        if !(0..side as i32).contains(&pixel) {
            continue;
        }
        *seen = true;
        let place = alignment.place(f64::from(pixel), side, grid);
        let first = (place as usize).min(grid - 1);
        let weight = (place - first as f64) as f32;
        row[first] += 1.0 - weight;
        row[(first + 1).min(grid - 1)] += weight;
    }
    (rows, seen)
}

/// Logits of a batch of square crops at their points, each moved by its shift: `[batch, classes, grid, grid]` →
/// `[batch, classes, points, points]`; 0 where a point is outside, which the second value tells.
pub(super) fn at_points(
    logits: Tensor<4>,
    alignment: Alignment,
    side: usize,
    shifts: &[(i32, i32)],
) -> (Tensor<4>, Vec<bool>) {
    let [batch, _, height, width] = logits.dims();
    let count = points(side);
    let (mut down, mut along, mut inside) = (Vec::new(), Vec::new(), Vec::with_capacity(batch * count * count));
    for &(dx, dy) in shifts {
        let (rows, rows_seen) = interpolation(alignment, side, height, dy);
        let (columns, columns_seen) = interpolation(alignment, side, width, dx);
        down.extend(rows);
        along.extend(columns);
        inside.extend(rows_seen.iter().flat_map(|&row| columns_seen.iter().map(move |&column| row && column)));
    }
    let device = logits.device();
    let down = Tensor::<4>::from_data(TensorData::new(down, [batch, 1, count, height]), &device);
    let along = Tensor::<4>::from_data(TensorData::new(along, [batch, 1, count, width]), &device);
    (down.matmul(logits).matmul(along.swap_dims(2, 3)), inside)
}

/// The loss of two views of each of `truths`' pictures, the first views before the second ones in `logits`.
///
/// # Shapes
/// `logits`: `[2 · pictures, classes, points, points]` from [`at_points`], with `inside` from there;
/// `teacher`: log-probabilities of the first views' clean pictures at the same points,
/// `[pictures, classes, points, points]`
pub(super) fn loss(
    logits: Tensor<4>,
    inside: &[bool],
    truths: &[Truth],
    teacher: Option<Tensor<4>>,
    weights: Weights,
) -> Loss {
    let [views, classes, height, width] = logits.dims();
    let (pictures, places) = (views / 2, height * width);
    let device = logits.device();
    let plain = Device::flex();
    let log_shares = log_softmax(logits, 1);
    let values: Vec<f32> = read(log_shares.clone().inner());

    // Both sums are linear in the log-probabilities: one constant tensor holds what each is multiplied by.
    let mut target = vec![0.0f32; values.len()];
    let (mut labelled, mut of_labels) = (0.0f64, 0.0f64);
    let weight_of = |label: u8| if label == 0 { weights.background } else { 1.0 };
    for view in 0..views {
        for (place, &label) in truths[view % pictures].labels.iter().enumerate() {
            if label != IGNORED && inside[view * places + place] {
                let index = (view * classes + usize::from(label)) * places + place;
                target[index] = -weight_of(label);
                labelled += f64::from(weight_of(label));
                of_labels -= f64::from(weight_of(label)) * f64::from(values[index]);
            }
        }
    }
    if labelled > 0.0 {
        let scale = (1.0 / labelled) as f32;
        target.iter_mut().for_each(|t| *t *= scale);
    }
    let mut divergence = 0.0f64;
    if let Some(teacher) = teacher {
        let count = (pictures * places) as f64;
        let scale = (f64::from(weights.distillation) / count) as f32;
        for ((target, log_teacher), log_share) in target.iter_mut().zip(read(teacher)).zip(&values) {
            let share = log_teacher.exp();
            *target -= share * scale;
            divergence += f64::from(share * (log_teacher - log_share)) / count;
        }
    }
    let target = Tensor::<4>::from_data(TensorData::new(target, [views, classes, height, width]), &device);

    let both: Vec<f32> = inside[pictures * places..].iter().map(|&seen| f32::from(u8::from(seen))).collect();
    let seen = both.iter().sum::<f32>().max(1.0);
    let both = Tensor::<4>::from_data(TensorData::new(both, [pictures, 1, height, width]), &plain).autodiff();
    let shares = log_shares.clone().exp();
    let first = shares.clone().slice([0..pictures, 0..classes, 0..height, 0..width]);
    let second = shares.slice([pictures..views, 0..classes, 0..height, 0..width]);
    let apart = first - second;
    let consistency = (apart.clone() * apart * both).sum() / seen;
    let consistent = read(consistency.clone().inner())[0];
    Loss {
        total: (log_shares * target).sum() + consistency * weights.consistency,
        labels: (of_labels / labelled.max(1.0)) as f32,
        distillation: divergence as f32,
        consistency: consistent,
    }
}

/// The numbers of a tensor on the CPU.
pub(super) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("tensors of training are 32-bit floats")
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::train::views::random;

    /// The same as it is written in books, in 64 bits.
    fn reference(
        logits: &[f32],
        inside: &[bool],
        labels: &[u8],
        teacher: &[f32],
        (classes, places): (usize, usize),
        weights: Weights,
    ) -> [f64; 4] {
        let views = inside.len() / places;
        let pictures = views / 2;
        let share = |view: usize, class: usize, place: usize| {
            let at = |class: usize| f64::from(logits[(view * classes + class) * places + place]).exp();
            at(class) / (0..classes).map(at).sum::<f64>()
        };
        let (mut of_labels, mut labelled, mut divergence, mut told, mut apart, mut seen) =
            (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for view in 0..views {
            for place in (0..places).filter(|place| inside[view * places + place]) {
                let picture = view % pictures;
                let label = labels[picture * places + place];
                if label != IGNORED {
                    let weight = if label == 0 { f64::from(weights.background) } else { 1.0 };
                    of_labels -= weight * share(view, usize::from(label), place).ln();
                    labelled += weight;
                }
                let of_teacher = |class: usize| f64::from(teacher[(picture * classes + class) * places + place]);
                if view < pictures {
                    told += 1.0;
                    let apart = |class| of_teacher(class) * (of_teacher(class) / share(view, class, place)).ln();
                    divergence += (0..classes).map(apart).sum::<f64>();
                } else {
                    seen += 1.0;
                    let square = |class| (share(picture, class, place) - share(view, class, place)).powi(2);
                    apart += (0..classes).map(square).sum::<f64>();
                }
            }
        }
        let [a, b, c] = [of_labels / labelled, divergence / told, apart / seen];
        // What does not depend on the network is left out of the total.
        let entropy: f64 = teacher.iter().map(|&share| f64::from(share) * f64::from(share).ln()).sum();
        let [distillation, consistency] = [weights.distillation, weights.consistency].map(f64::from);
        [a, b, c, a + distillation * (b - entropy / told) + consistency * c]
    }

    #[test]
    fn the_loss_is_that_of_the_book() {
        const PICTURES: usize = 2;
        const CLASSES: usize = 3;
        let (side, mut random) = (17, random(3, 0, 0));
        let places = points(side) * points(side);
        let logits: Vec<f32> = (0..2 * PICTURES * CLASSES * places).map(|_| random.random_range(-3.0..3.0)).collect();
        let inside: Vec<bool> = (0..2 * PICTURES * places).map(|i| i < PICTURES * places || i % 7 > 1).collect();
        let labels: Vec<u8> = (0..PICTURES * places).map(|i| [0, 2, IGNORED, 1, 0][i % 5]).collect();
        let mut teacher = vec![0.0; PICTURES * CLASSES * places];
        for i in 0..PICTURES * places {
            let shares: [f32; CLASSES] = std::array::from_fn(|_| random.random_range(0.01..1.0));
            for (class, share) in shares.into_iter().enumerate() {
                teacher[(i / places * CLASSES + class) * places + i % places] = share / shares.iter().sum::<f32>();
            }
        }
        let weights = Weights { background: 0.6, distillation: 2.0, consistency: 3.0 };
        let shape = [2 * PICTURES, CLASSES, points(side), points(side)];
        let logs =
            TensorData::new(teacher.iter().map(|share| share.ln()).collect(), [PICTURES, CLASSES, shape[2], shape[3]]);
        let truth = |labels: &[u8]| Truth { labels: labels.to_vec(), shift: (0, 0) };
        let truths: Vec<_> = labels.chunks_exact(places).map(truth).collect();
        let tensor = Tensor::from_data(TensorData::new(logits.clone(), shape), &Device::flex()).autodiff();
        let told = Tensor::from_data(logs, &Device::flex());
        let loss = loss(tensor, &inside, &truths, Some(told), weights);
        let ours = [loss.labels, loss.distillation, loss.consistency, read(loss.total.inner())[0]];
        let expected = reference(&logits, &inside, &labels, &teacher, (CLASSES, places), weights);
        for (ours, expected) in ours.into_iter().zip(expected) {
            assert!((f64::from(ours) / expected - 1.0).abs() < 1e-4, "{ours}, not {expected}");
        }
    }
}
