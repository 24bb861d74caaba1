//! Honest scores of classifiers: folds that keep one picture's copies together, intervals, calibration.

use serde::Serialize;
use steadymask_models::{Calibration, calibration};

/// 97.5 % of a normal distribution lie below that many deviations.
const Z: f64 = 1.959_964;

/// How well a classifier does on pictures that it was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Share of the distinct pictures that it gets right, 0 to 1.
    pub accuracy: f64,
    /// Between these it lies, 19 times of 20 (Wilson's interval), were the pictures drawn by chance.
    pub interval: [f64; 2],
    /// What always saying the most frequent class gets.
    pub baseline: f64,
    /// Distinct pictures it was asked about.
    pub distinct: usize,
    /// For each true class, how many pictures were taken for each class.
    pub confusion: Vec<Vec<usize>>,
    /// Share of the pictures of each class that it gets right.
    pub recalls: Vec<f64>,
    /// The temperature at which its confidences fit best.
    pub temperature: f64,
    /// By how much they are off.
    pub calibration: Calibration,
}

/// What was said of a picture that was not trained on.
pub struct Said {
    /// The logits.
    pub logits: Vec<f32>,
    /// The true class.
    pub truth: usize,
    /// Which of the groups of like pictures it belongs to.
    pub group: usize,
    /// In which fold it was held out; temperatures are found without it.
    pub fold: usize,
}

impl Score {
    /// The score of what was said.
    ///
    /// # Panics
    /// When nothing was said.
    pub fn of(said: &[Said], classes: usize) -> Self {
        let right = |said: &Said| calibration::answer(&said.logits, 1.0, said.truth).1;
        let mut confusion = vec![vec![0; classes]; classes];
        for said in said {
            let best = (0..classes).max_by(|&a, &b| said.logits[a].total_cmp(&said.logits[b])).unwrap_or_default();
            confusion[said.truth][best] += 1;
        }
        // Copies of one picture count as one.
        let mut groups: Vec<usize> = said.iter().map(|said| said.group).collect();
        groups.sort_unstable();
        groups.dedup();
        let of_group = |group: &usize| {
            let (mut count, mut hits) = (0.0, 0.0);
            for said in said.iter().filter(|said| said.group == *group) {
                count += 1.0;
                hits += f64::from(u8::from(right(said)));
            }
            hits / count
        };
        let distinct = groups.len();
        let accuracy = groups.iter().map(of_group).sum::<f64>() / distinct as f64;
        let all = |said: &[&Said]| {
            let logits: Vec<Vec<f32>> = said.iter().map(|said| said.logits.clone()).collect();
            let truth: Vec<usize> = said.iter().map(|said| said.truth).collect();
            calibration::temperature(&logits, &truth)
        };
        let at = |temperature: &dyn Fn(&Said) -> f64| {
            let answers: Vec<_> =
                said.iter().map(|said| calibration::answer(&said.logits, temperature(said), said.truth)).collect();
            calibration::calibration_error(&answers)
        };
        let folds = said.iter().map(|said| said.fold).max().unwrap_or_default() + 1;
        let without: Vec<f64> =
            (0..folds).map(|fold| all(&said.iter().filter(|said| said.fold != fold).collect::<Vec<_>>())).collect();
        let calibration = Calibration {
            pictures: said.len(),
            error_before: at(&|_| 1.0),
            error_after: at(&|said| without[said.fold]),
        };
        let of_class = confusion.iter().map(|row| row.iter().sum::<usize>());
        Self {
            accuracy,
            interval: wilson(accuracy, distinct as f64),
            baseline: of_class.clone().max().unwrap_or_default() as f64 / said.len() as f64,
            distinct,
            recalls: of_class.enumerate().map(|(class, count)| confusion[class][class] as f64 / count as f64).collect(),
            confusion,
            temperature: all(&said.iter().collect::<Vec<_>>()),
            calibration,
        }
    }
}

/// Wilson's interval (1927) around a share of so many.
pub fn wilson(share: f64, count: f64) -> [f64; 2] {
    let spread = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    let middle = share + Z * Z / (2.0 * count);
    let scale = 1.0 + Z * Z / count;
    [((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0)]
}

/// The fold, 0 to `folds` − 1, of each picture: like pictures in one fold, of each class as many groups in each fold as
/// possible, dealt out by `seed`.
pub fn deal(groups: &[usize], truth: &[usize], folds: usize, seed: u64) -> Vec<usize> {
    let mut of_group = std::collections::BTreeMap::new();
    let mut random = seed;
    for class in 0..=truth.iter().copied().max().unwrap_or_default() {
        let mut own: Vec<usize> = groups.iter().zip(truth).filter(|(_, t)| **t == class).map(|(g, _)| *g).collect();
        own.sort_unstable();
        own.dedup();
        // Fisher and Yates.
        for i in (1..own.len()).rev() {
            own.swap(i, (splitmix(&mut random) % (i as u64 + 1)) as usize);
        }
        of_group.extend(own.into_iter().enumerate().map(|(place, group)| (group, place % folds)));
    }
    groups.iter().map(|group| of_group[group]).collect()
}

/// The next number of the generator splitmix64.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval() {
        // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20.
        for (hits, count, low, high) in
            [(81.0, 263.0, 0.2553, 0.3662), (15.0, 148.0, 0.0624, 0.1605), (0.0, 20.0, 0.0, 0.1611)]
        {
            let [a, b] = wilson(hits / count, count);
            assert!((a - low).abs() < 1e-4 && (b - high).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn like_pictures_share_a_fold() {
        let groups: Vec<usize> = (0..100).map(|i| i / 2).collect();
        let truth: Vec<usize> = (0..100).map(|i| usize::from(i >= 60)).collect();
        let folds = deal(&groups, &truth, 5, 7);
        assert!(folds.chunks(2).all(|pair| pair[0] == pair[1]));
        for fold in 0..5 {
            let of = |class| folds.iter().zip(&truth).filter(|&(&f, &t)| f == fold && t == class).count();
            assert_eq!((of(0), of(1)), (12, 8));
        }
        assert_eq!(folds, deal(&groups, &truth, 5, 7));
        assert_ne!(folds, deal(&groups, &truth, 5, 8));
    }

    #[test]
    fn a_score_counts_copies_once() {
        let said = |truth, right: bool, group, fold| {
            let class = if right { truth } else { 1 - truth };
            Said { logits: if class == 0 { vec![2.0, 0.0] } else { vec![0.0, 2.0] }, truth, group, fold }
        };
        let mut all: Vec<_> = (0..20).map(|i| said(i % 2, true, i, i % 5)).collect();
        // One picture forty times over, each time wrong.
        all.extend((0..40).map(|_| said(0, false, 20, 0)));
        let score = Score::of(&all, 2);
        assert_eq!(score.distinct, 21);
        assert!((score.accuracy - 20.0 / 21.0).abs() < 1e-12);
        assert_eq!(score.confusion, [[10, 40], [0, 10]]);
        assert_eq!(score.recalls, [0.2, 1.0]);
        assert!((score.baseline - 50.0 / 60.0).abs() < 1e-12);
    }
}
