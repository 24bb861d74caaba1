//! Agreement with ground truth: the benchmarks' own figures, and what each measure rewards.
#![cfg(not(target_arch = "wasm32"))]

use proptest::prelude::*;
use serde::Deserialize;
use steadymask_core::{
    BitMask, Error, Motion, Plane,
    metric::{Consistency, MAX_LAG, MatteAccumulator, Statistics, TruthAccumulator, TruthSummary, contour_instability},
    reference,
};

#[derive(Deserialize)]
struct Fixture {
    summary: TruthSummary,
    frames: Frames,
}

#[derive(Deserialize)]
struct Frames {
    j: Vec<f64>,
    f: Vec<f64>,
    f_strict: Vec<f64>,
    flicker: Vec<f64>,
    false_flips: Vec<f64>,
    dtssd: Vec<f64>,
}

const WIDTH: usize = 854;
const HEIGHT: usize = 480;

/// The masks and truths of `fixtures/truth.png`.
fn clip() -> Vec<(BitMask, BitMask)> {
    let mut reader =
        png::Decoder::new(std::io::Cursor::new(include_bytes!("fixtures/truth.png"))).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("pixels");
    let frames = pixels.chunks_exact(WIDTH * HEIGHT);
    frames
        .map(|frame| {
            let of = |bit: u8| BitMask::from_fn(WIDTH, HEIGHT, |x, y| (frame[y * WIDTH + x] / 85) & bit != 0);
            (of(1), of(2))
        })
        .collect()
}

/// The motion of the fixture's frame `t`.
fn motion(t: usize) -> Motion {
    let wave = |a: usize, b: usize, c: usize, modulus: usize| {
        move |x: usize, y: usize| ((a * x + b * y + c * t) % modulus) as f32 - (modulus / 2) as f32
    };
    let (dx, dy) = (wave(3, 5, 7, 23), wave(5, 2, 3, 19));
    let backward = Plane::from_fn(WIDTH, HEIGHT, |x, y| [dx(x, y) * 0.3, dy(x, y) * 0.3]);
    let trust = Plane::from_fn(WIDTH, HEIGHT, |x, y| ((7 * x + 11 * y + t) % 10) as f32 / 10.0);
    Motion { forward: backward.clone(), forward_trust: trust.clone(), backward, backward_trust: trust }
}

fn assert_close(actual: f64, expected: f64, what: &str) {
    assert!((actual - expected).abs() < 1e-9 * expected.abs().max(1.0), "{what}: {actual} instead of {expected}");
}

fn assert_statistics(actual: Statistics, expected: Statistics, what: &str) {
    assert_close(actual.mean, expected.mean, &format!("mean {what}"));
    assert_close(actual.recall, expected.recall, &format!("recall of {what}"));
    assert_close(actual.decay, expected.decay, &format!("decay of {what}"));
}

fn assert_consistency(actual: Option<Consistency>, expected: Option<Consistency>, what: &str) {
    let (actual, expected) = (actual.expect(what), expected.expect(what));
    assert_close(actual.constant, expected.constant, what);
    assert_close(actual.correct, expected.correct, &format!("{what}, correct"));
}

#[test]
fn figures_are_those_of_the_benchmarks() {
    let Fixture { summary: expected, frames } = serde_json::from_str(include_str!("fixtures/truth.json")).unwrap();
    let mut accumulator = TruthAccumulator::default();
    for (t, (mask, truth)) in clip().into_iter().enumerate() {
        let metrics = accumulator.push(mask, truth, (t > 0).then(|| motion(t)).as_ref()).unwrap();
        assert_close(metrics.j, frames.j[t], &format!("J of frame {t}"));
        assert_close(metrics.f, frames.f[t], &format!("F of frame {t}"));
        assert_close(metrics.f_strict, frames.f_strict[t], &format!("strict F of frame {t}"));
        assert_eq!(metrics.flicker.is_some(), t > 0);
        if let (Some(flicker), Some(flips)) = (metrics.flicker, metrics.false_flips) {
            assert_close(flicker, frames.flicker[t - 1], &format!("flicker of frame {t}"));
            assert_close(flips, frames.false_flips[t - 1], &format!("false flips of frame {t}"));
        }
    }
    let actual = accumulator.summary().unwrap();
    assert_statistics(actual.j, expected.j, "J");
    assert_statistics(actual.f, expected.f, "F");
    assert_statistics(actual.f_strict, expected.f_strict, "strict F");
    assert_close(actual.j_and_f, expected.j_and_f, "J&F");
    assert_close(actual.flicker.unwrap(), expected.flicker.unwrap(), "flicker");
    assert_close(actual.false_flips.unwrap(), expected.false_flips.unwrap(), "false flips");
    assert_consistency(actual.vc8, expected.vc8, "VC8");
    assert_consistency(actual.vc16, expected.vc16, "VC16");
    assert_eq!((actual.frames, actual.lag), (expected.frames, expected.lag));
    assert_eq!(actual.lag, 1);
}

#[test]
fn mattes_are_measured_by_dtssd() {
    let Fixture { frames, .. } = serde_json::from_str(include_str!("fixtures/truth.json")).unwrap();
    let matte = |t: usize, speed: usize| {
        Plane::from_fn(WIDTH, HEIGHT, |x, y| ((3 * x + 2 * y + speed * t * (1 + x % 5)) % 256) as u8)
    };
    let mut accumulator = MatteAccumulator::default();
    assert_eq!(accumulator.push(matte(0, 29), matte(0, 17)).unwrap(), None);
    for t in 1..=frames.dtssd.len() {
        let dtssd = accumulator.push(matte(t, 29), matte(t, 17)).unwrap().unwrap();
        assert_close(dtssd, frames.dtssd[t - 1], &format!("dtSSD of frame {t}"));
    }
    let mean = frames.dtssd.iter().sum::<f64>() / frames.dtssd.len() as f64;
    assert_close(accumulator.mean().unwrap(), mean, "mean dtSSD");
    assert!(accumulator.push(Plane::filled(3, 3, 0), Plane::filled(3, 3, 0)).is_err());
}

#[derive(Deserialize)]
struct Stability {
    of_truth: bool,
    frame: usize,
    t: f64,
}

#[test]
fn contours_are_compared_as_davis_2016_does() {
    let cases: Vec<Stability> = serde_json::from_str(include_str!("fixtures/stability.json")).unwrap();
    let clip = clip();
    for Stability { of_truth, frame, t } in cases {
        let mask = |frame: usize| if of_truth { &clip[frame].1 } else { &clip[frame].0 };
        let actual = contour_instability(mask(frame - 1), mask(frame)).unwrap().unwrap();
        assert_close(actual, t, &format!("T of frame {frame}, of the truth: {of_truth}"));
    }
    // The same shape costs nothing wherever it is; none cannot be compared.
    assert_eq!(contour_instability(&square(10), &square(31)).unwrap(), Some(0.0));
    let (empty, other) = (BitMask::empty(100, 50), BitMask::empty(9, 9));
    assert_eq!(contour_instability(&empty, &square(10)).unwrap(), None);
    assert!(matches!(contour_instability(&empty, &other), Err(Error::FrameSize { .. })));
    // Holes, corners that touch, single pixels and full frames have outlines too.
    let checkers = BitMask::from_fn(40, 30, |x, y| (x / 5 + y / 5) % 2 == 0);
    let ring = BitMask::from_fn(40, 30, |x, y| !(10..30).contains(&x) || !(10..20).contains(&y));
    assert!(contour_instability(&checkers, &ring).unwrap().is_some_and(|t| t > 0.0 && t <= 5.0));
    let pixel = BitMask::from_fn(40, 30, |x, y| x == 4 && y == 4);
    assert!(contour_instability(&pixel, &checkers).unwrap().is_none_or(|t| t <= 5.0));
}

fn square(left: usize) -> BitMask {
    BitMask::from_fn(100, 50, |x, y| (left..left + 20).contains(&x) && (10..30).contains(&y))
}

/// Everything moves 3 pixels to the right.
fn pan(width: usize, height: usize, by: f32) -> Motion {
    Motion {
        forward: Plane::filled(width, height, [by, 0.0]),
        forward_trust: Plane::filled(width, height, 1.0),
        backward: Plane::filled(width, height, [-by, 0.0]),
        backward_trust: Plane::filled(width, height, 1.0),
    }
}

/// A square moves to the right at 3 pixels a frame; `mask(t)` is what is measured against it.
fn measure(mask: impl Fn(usize) -> BitMask) -> TruthSummary {
    let mut accumulator = TruthAccumulator::default();
    for t in 0..18 {
        accumulator.push(mask(t), square(10 + 3 * t), (t > 0).then(|| pan(100, 50, 3.0)).as_ref()).expect("one size");
    }
    accumulator.summary().expect("frames")
}

#[test]
fn a_perfect_mask_has_the_best_figures() {
    let perfect = measure(|t| square(10 + 3 * t));
    for statistics in [perfect.j, perfect.f, perfect.f_strict] {
        assert_eq!(statistics, Statistics { mean: 1.0, recall: 1.0, decay: 0.0 });
    }
    assert_eq!((perfect.flicker, perfect.false_flips, perfect.lag), (Some(0.0), Some(0.0), 0));
    assert_eq!(perfect.vc16, Some(Consistency { constant: 1.0, correct: 1.0 }));
}

#[test]
fn a_frozen_mask_flickers_and_decays_yet_is_consistent_by_the_published_form() {
    let frozen = measure(|_| square(10));
    assert!(frozen.j.decay > 0.3 && frozen.flicker.unwrap() > 0.2);
    assert_eq!(frozen.vc8.unwrap().constant, 1.0);
    assert!(frozen.vc8.unwrap().correct < 1.0);
}

#[test]
fn an_error_that_moves_along_does_not_flicker_and_one_that_blinks_does() {
    let wide =
        |t: usize| BitMask::from_fn(100, 50, |x, y| (10 + 3 * t..34 + 3 * t).contains(&x) && (10..30).contains(&y));
    assert_eq!(measure(wide).flicker, Some(0.0));
    let blinking = measure(|t| if t % 2 == 0 { square(10 + 3 * t) } else { wide(t) });
    // 4 × 20 pixels of 400 change each time; the truth moves on unchanged, so that all are false flips.
    assert!((blinking.flicker.unwrap() - 0.2).abs() < 1e-12);
    assert_eq!(blinking.flicker, blinking.false_flips);
}

#[test]
fn masks_that_come_late_are_told() {
    for lag in 0..=MAX_LAG {
        assert_eq!(measure(|t| square(10 + 3 * t.saturating_sub(lag))).lag, lag as i32);
    }
    assert_eq!(measure(|t| square(10 + 3 * (t + 2))).lag, -2);
    // Nothing moves: all lags are as good, and none is assumed.
    let mut still = TruthAccumulator::default();
    for _ in 0..6 {
        still.push(square(9), square(10), None).unwrap();
    }
    let still = still.summary().unwrap();
    assert_eq!((still.lag, still.flicker, still.vc8), (0, None, None));
}

#[test]
fn masks_larger_than_the_motion_are_scaled_to_it() {
    let large = |left: usize| {
        BitMask::from_fn(200, 100, |x, y| (2 * left..2 * left + 40).contains(&x) && (20..60).contains(&y))
    };
    let mut accumulator = TruthAccumulator::default();
    accumulator.push(large(10), large(10), None).unwrap();
    let metrics = accumulator.push(large(17), large(13), Some(&pan(100, 50, 3.0))).unwrap();
    // The mask went 4 pixels too far of the 20: as many false as missed.
    assert_eq!((metrics.j, metrics.flicker, metrics.false_flips), (16.0 / 24.0, Some(0.4), Some(0.4)));
}

#[test]
fn sizes_must_agree() {
    let mut accumulator = TruthAccumulator::default();
    assert_eq!(accumulator.summary(), None);
    assert!(matches!(accumulator.push(square(1), BitMask::empty(9, 9), None), Err(Error::FrameSize { index: 0, .. })));
    accumulator.push(square(1), square(1), None).unwrap();
    let other = BitMask::empty(9, 9);
    assert!(matches!(accumulator.push(other.clone(), other, None), Err(Error::FrameSize { index: 1, .. })));
    assert_eq!(accumulator.summary().unwrap().frames, 1);
}

fn masks(frames: usize) -> impl Strategy<Value = Vec<(BitMask, BitMask)>> {
    let mask = || {
        prop::collection::vec(any::<bool>(), 70 * 6).prop_map(|bits| BitMask::from_fn(70, 6, |x, y| bits[y * 70 + x]))
    };
    // Mostly the same from frame to frame, so that something is constant.
    let frame = (mask(), mask(), 0..4u8);
    prop::collection::vec(frame, frames).prop_map(|frames| {
        let mut clip: Vec<(BitMask, BitMask)> = Vec::new();
        for (mask, truth, change) in frames {
            let frame = match (clip.last(), change) {
                (Some((_, before)), 1) => (mask, before.clone()),
                (Some((before, _)), 2) => (before.clone(), truth),
                (Some(before), 3) => before.clone(),
                _ => (mask, truth),
            };
            clip.push(frame);
        }
        clip
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_accumulator_equals_its_twins(clip in masks(20), frames in 1..20usize, by in -3.0..3.0f32) {
        let clip = &clip[..frames];
        let motion = pan(70, 6, by);
        let mut accumulator = TruthAccumulator::default();
        for (t, (mask, truth)) in clip.iter().enumerate() {
            let metrics = accumulator.push(mask.clone(), truth.clone(), (t > 0).then_some(&motion)).unwrap();
            prop_assert!((metrics.j - reference::metric::iou(mask, truth)).abs() < 1e-12);
            let (flicker, flips) = (t > 0).then(|| reference::metric::flicker(&clip[t - 1], &clip[t], &motion)).unzip();
            prop_assert_eq!((metrics.flicker, metrics.false_flips), (flicker, flips));
        }
        let summary = accumulator.summary().unwrap();
        prop_assert_eq!(summary.lag, reference::metric::lag(clip, MAX_LAG));
        for (vc, window) in [(summary.vc8, 8), (summary.vc16, 16)] {
            let twin = reference::metric::consistency(clip, window);
            prop_assert_eq!(vc.is_some(), twin.is_some());
            if let (Some(vc), Some((constant, correct))) = (vc, twin) {
                prop_assert!((vc.constant - constant).abs() < 1e-12 && (vc.correct - correct).abs() < 1e-12);
            }
        }
    }
}
