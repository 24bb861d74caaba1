//! The estimate without ground truth on real clips: does it rank masks as the truth does?

use std::{path::PathBuf, sync::Arc};

use steadymask_core::{
    All, BitMask, LookAhead, Method, Motion, MotionEstimator, Plane, RAW_LEVEL, Rgb, Settings,
    auto::{Candidate, Proposal, Trial, stretches},
    filter::{self, local_maximum},
    metric::{Evidence, MaskAccumulator, TruthAccumulator, Witness, picture_edges},
    resize,
};
use steadymask_server::picture;

const CLIPS: [&str; 10] = [
    "blackswan",
    "bmx-trees",
    "car-roundabout",
    "car-shadow",
    "dance-twirl",
    "dog",
    "drift-straight",
    "goat",
    "motocross-jump",
    "parkour",
];

/// Candidates that are methods: the first.
const METHODS: usize = 11;

/// A clip at 428×240.
struct Clip {
    motions: Vec<Option<Arc<Motion>>>,
    frames: Vec<Plane<Rgb>>,
    edges: Vec<BitMask>,
    truth: Vec<BitMask>,
    nets: [Vec<Plane<u8>>; 2],
}

/// `None` where there is no real data.
fn clip(name: &str) -> Option<Clip> {
    let data = std::env::var_os("STEADYMASK_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = data.unwrap_or_else(beside).join("davis-dev").join(name);
    if !folder.is_dir() {
        eprintln!("skipped: there is no {} (STEADYMASK_DATA names the folder of real data)", folder.display());
        return None;
    }
    let files = |kind: &str, ending: &str| picture::files_in(&folder.join(kind), &[ending]).expect("files");
    let masks = |kind: &str| {
        let read = |file: &PathBuf| resize::bilinear(&picture::read_mask(file).expect("a mask"), 428, 240);
        files(kind, "png").iter().map(read).collect::<Vec<_>>()
    };
    let (mut estimator, mut motions) = (MotionEstimator::new(25.0), Vec::new());
    let (mut frames, mut edges) = (Vec::new(), Vec::new());
    for file in files("frames", "jpg") {
        let frame = resize::area_rgb(&picture::read_rgb(&file).expect("a frame"), 428, 240);
        edges.push(picture_edges(&frame));
        motions.push(estimator.push(frame.clone()).map(Arc::new));
        frames.push(frame);
    }
    let truth = masks("truth").iter().map(|mask| BitMask::from_threshold(mask, RAW_LEVEL)).collect();
    Some(Clip { motions, frames, edges, truth, nets: ["net-a", "net-b"].map(masks) })
}

impl Clip {
    fn filtered(&self, raw: &[Plane<u8>], settings: &Settings) -> Vec<BitMask> {
        let mut filter = filter::from_settings(settings, 0).expect("a filter");
        let mut out = Vec::new();
        for ((plane, motion), frame) in raw.iter().zip(&self.motions).zip(&self.frames) {
            filter.show(frame);
            out.extend(filter.push(std::slice::from_ref(plane), motion.as_ref()));
        }
        out.extend(filter.finish());
        out.iter().map(|planes| BitMask::from_threshold(&planes[0], settings.threshold_level())).collect()
    }

    /// The methods, and masks that no one should be content with. The first are the raw masks.
    fn candidates(&self, raw: &[Plane<u8>]) -> Vec<(String, Vec<BitMask>)> {
        let settings = |method| Settings { method, ..Settings::default() };
        let none: Vec<_> = raw.iter().map(|plane| BitMask::from_threshold(plane, RAW_LEVEL)).collect();
        let mut runs = Vec::new();
        for window_size in [3, 5, 9] {
            let name = format!("moving average {window_size}");
            runs.push((name, Settings { window_size, ..settings(Method::MovingAverage) }));
        }
        runs.push(("median 5".into(), settings(Method::Median)));
        for alpha in [0.1, 0.3] {
            runs.push((format!("exponential {alpha}"), Settings { alpha, ..settings(Method::Exponential) }));
        }
        runs.push(("uncertainty".into(), settings(Method::Uncertainty)));
        runs.push(("hysteresis".into(), settings(Method::Hysteresis)));
        let horizons = [LookAhead::Frames(0), LookAhead::Frames(8), LookAhead::All(All::All)];
        for (name, look_ahead) in ["causal", "8 ahead", "all"].into_iter().zip(horizons) {
            runs.push((format!("consensus, {name}"), Settings { look_ahead, ..settings(Method::Consensus) }));
        }
        assert_eq!(runs.len(), METHODS);
        let mut candidates = vec![("none".to_owned(), none.clone())];
        candidates.extend(runs.into_iter().map(|(name, settings)| (name, self.filtered(raw, &settings))));

        let (width, height) = none[0].size();
        let consensus = self.filtered(raw, &settings(Method::Consensus));
        for (name, masks) in [("none", &none), ("consensus", &consensus)] {
            let grown = |mask: &BitMask, by: usize| BitMask::from_threshold(&local_maximum(&mask.to_plane(), by), 0);
            let outside = |mask: &BitMask| BitMask::from_fn(width, height, |x, y| !mask.get(x, y));
            let shrunk = |mask: &BitMask| outside(&grown(&outside(mask), 2));
            let each = |change: &dyn Fn(&BitMask) -> BitMask| masks.iter().map(change).collect::<Vec<_>>();
            let lost = |(t, mask): (usize, &BitMask)| match t % 7 {
                3 => BitMask::empty(width, height),
                _ => mask.clone(),
            };
            let late = |t: usize| masks[t.saturating_sub(2)].clone();
            let aside =
                |mask: &BitMask| BitMask::from_fn(width, height, |x, y| x >= 3 && y >= 1 && mask.get(x - 3, y - 1));
            candidates.extend([
                (format!("{name}, shrunk by 2"), each(&shrunk)),
                (format!("{name}, grown by 2"), each(&|mask| grown(mask, 2))),
                (format!("{name}, grown by 5"), each(&|mask| grown(mask, 5))),
                (format!("{name}, 3 pixels aside"), each(&aside)),
                (format!("{name}, 2 frames late"), (0..masks.len()).map(late).collect()),
                (format!("{name}, every 7th lost"), masks.iter().enumerate().map(lost).collect()),
            ]);
        }
        let frames = none.len();
        candidates.extend([
            ("frozen".to_owned(), vec![none[0].clone(); frames]),
            ("empty".to_owned(), vec![BitMask::empty(width, height); frames]),
            ("full".to_owned(), vec![BitMask::from_fn(width, height, |_, _| true); frames]),
        ]);
        candidates
    }

    /// What auto proposes for these masks, from the sample that it looks at.
    fn proposal(&self, raw: &[Plane<u8>]) -> Proposal {
        let (width, height) = self.frames[0].size();
        let mut trial = Trial::new(&Settings::default(), width, height, 1).expect("settings");
        for index in stretches(raw.len()).into_iter().flatten() {
            let planes = std::slice::from_ref(&raw[index]);
            trial.push(index, self.frames[index].clone(), planes, &|| 0.0).expect("one size");
        }
        trial.finish(&|| 0.0)
    }

    /// The true J&F.
    fn j_and_f(&self, masks: &[BitMask]) -> f64 {
        let mut truth = TruthAccumulator::default();
        for (mask, expected) in masks.iter().zip(&self.truth) {
            truth.push(mask.clone(), expected.clone(), None).expect("one size");
        }
        truth.summary().expect("frames").j_and_f
    }

    /// The estimate and the true J&F.
    fn measure(&self, evidence: &[Option<Evidence>], masks: &[BitMask]) -> [f64; 2] {
        let (mut accumulator, mut truth) = (MaskAccumulator::default(), TruthAccumulator::default());
        for (t, mask) in masks.iter().enumerate() {
            accumulator.push(mask.clone(), self.motions[t].as_deref(), evidence[t].as_ref()).expect("one size");
            truth.push(mask.clone(), self.truth[t].clone(), None).expect("one size");
        }
        let score = accumulator.summary().estimate.expect("frames with a past").score;
        [score.into(), truth.summary().expect("frames").j_and_f]
    }
}

/// For one clip and network: name, gain by the estimate, true gain of each candidate but the raw masks.
fn gains(clip: &Clip, raw: &[Plane<u8>]) -> Vec<(String, [f64; 2])> {
    let mut witness = Witness::default();
    let frames = raw.iter().zip(&clip.edges).zip(&clip.motions);
    let evidence: Vec<_> =
        frames.map(|((raw, edges), motion)| witness.push(raw, edges, motion.as_deref()).expect("one size")).collect();
    let mut measured = clip.candidates(raw).into_iter().map(|(name, masks)| (name, clip.measure(&evidence, &masks)));
    let (_, none) = measured.next().expect("the raw masks");
    measured.map(|(name, values)| (name, [values[0] - none[0], values[1] - none[1]])).collect()
}

/// Spearman's rank correlation; of equals each has the mean rank.
fn rank_correlation(pairs: &[[f64; 2]]) -> f64 {
    let ranks = |side: usize| {
        let rank = |pair: &[f64; 2]| {
            let below = pairs.iter().filter(|other| other[side] < pair[side]).count();
            let equal = pairs.iter().filter(|other| other[side] == pair[side]).count();
            below as f64 + equal as f64 / 2.0
        };
        let ranks: Vec<f64> = pairs.iter().map(rank).collect();
        let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
        ranks.into_iter().map(move |rank| rank - mean).collect::<Vec<_>>()
    };
    let (a, b) = (ranks(0), ranks(1));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

fn assert_trivial_are_below(name: &str, gains: &[(String, [f64; 2])]) {
    for (candidate, [gain, _]) in gains {
        if ["frozen", "empty", "full"].contains(&candidate.as_str()) {
            assert!(*gain < 0.0, "{name}: {candidate} is estimated {gain:+.4} above the raw masks");
        }
    }
}

#[test]
fn frozen_empty_and_full_masks_rank_below_raw_ones() {
    let mut pairs = Vec::new();
    for name in ["car-shadow", "dog"] {
        let Some(clip) = clip(name) else { return };
        for raw in &clip.nets {
            let gains = gains(&clip, raw);
            assert_trivial_are_below(name, &gains);
            pairs.extend(gains.iter().map(|(_, pair)| *pair));
        }
    }
    assert!(rank_correlation(&pairs) > 0.8, "{pairs:?}");
}

/// The study of `docs/metrics.md`; `--nocapture` prints its figures.
#[test]
#[ignore = "takes minutes"]
fn the_estimate_ranks_as_the_truth_does() {
    let (mut pooled, mut methods, mut of_clips) = (Vec::new(), Vec::new(), Vec::new());
    for name in CLIPS {
        let Some(clip) = clip(name) else { return };
        for (net, raw) in ["net-a", "net-b"].into_iter().zip(&clip.nets) {
            let gains = gains(&clip, raw);
            assert_trivial_are_below(&format!("{name} {net}"), &gains);
            let pairs: Vec<_> = gains.iter().map(|(_, pair)| *pair).collect();
            methods.extend_from_slice(&pairs[..METHODS]);
            let correlation = rank_correlation(&pairs);
            println!("{name:<16} {net}  {correlation:.3}");
            of_clips.push(correlation);
            pooled.extend(pairs);
        }
    }
    let mean = of_clips.iter().sum::<f64>() / of_clips.len() as f64;
    let worst = of_clips.iter().copied().fold(1.0, f64::min);
    let (all, methods) = (rank_correlation(&pooled), rank_correlation(&methods));
    println!(
        "{} pairs: pooled {all:.3}, mean of clips {mean:.3}, worst {worst:.3}, methods alone {methods:.3}",
        pooled.len()
    );
    assert!(all >= 0.8 && mean >= 0.8 && methods >= 0.8);
}

/// The study of `docs/auto.md`; `--nocapture` prints its table: what auto proposes from a sample, against all candidates
/// on the whole clip, as points of J&F over the masks as they came.
#[test]
#[ignore = "takes minutes"]
fn what_auto_proposes_is_worth_it() {
    // Of what was proposed, of the default, of the best, and of the highest estimate without a lead asked for.
    let mut rows: Vec<[f64; 4]> = Vec::new();
    println!(
        "| clip | net | proposed | its gain | default's | best's | the best |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    for name in CLIPS {
        let Some(clip) = clip(name) else { return };
        for (net, raw) in ["a", "b"].into_iter().zip(&clip.nets) {
            let Proposal { candidates, chosen, .. } = clip.proposal(raw);
            let masks = |candidate: &Candidate| clip.j_and_f(&clip.filtered(raw, &candidate.settings));
            let values: Vec<f64> = candidates.iter().map(masks).collect();
            let none = candidates.iter().position(|candidate| candidate.settings.method == Method::None);
            let none = values[none.expect("the masks as they came")];
            let gains: Vec<f64> = values.iter().map(|value| 100.0 * (value - none)).collect();
            let greatest = |of: &dyn Fn(usize) -> f64| {
                (1..gains.len()).fold(0, |best, index| if of(index) > of(best) { index } else { best })
            };
            let best = greatest(&|index| gains[index]);
            let highest = greatest(&|index| candidates[index].score);
            let label = |index: usize| match index {
                0 => "consensus".to_owned(),
                _ => candidates[index].label().replace(&format!("decay {}, ", Settings::default().decay), ""),
            };
            let [of_chosen, of_default, of_best, of_highest] = [chosen, 0, best, highest].map(|index| gains[index]);
            println!(
                "| {name} | {net} | {} | {of_chosen:+.1} | {of_default:+.1} | {of_best:+.1} | {} |",
                label(chosen),
                label(best)
            );
            rows.push([of_chosen, of_default, of_best, of_highest]);
        }
    }
    let mean = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64;
    println!("| **mean** | | | **{:+.2}** | **{:+.2}** | **{:+.2}** | |", mean(0), mean(1), mean(2));
    let over: Vec<f64> = rows.iter().map(|row| row[0] - row[1]).collect();
    println!(
        "over the default: better on {}, worse on {}, at worst {:+.1}; lowest gain {:+.1}; without the lead {:+.2}",
        over.iter().filter(|gain| **gain > 0.0).count(),
        over.iter().filter(|gain| **gain < 0.0).count(),
        over.iter().copied().fold(f64::MAX, f64::min),
        rows.iter().map(|row| row[0]).fold(f64::MAX, f64::min),
        mean(3) - mean(1),
    );
    assert!(mean(0) > mean(1) - 1.0, "a person who asks for auto loses {:.1} points", mean(1) - mean(0));
}
