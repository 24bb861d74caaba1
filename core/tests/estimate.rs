//! The estimate without ground truth: what it rewards, and what it does not fall for.

use steadymask_core::{
    BitMask, Error, Method, MotionEstimator, Plane, Rgb, Settings, Stabilizer,
    metric::{Estimate, MaskAccumulator, Witness, picture_edges},
};

const WIDTH: usize = 160;
const HEIGHT: usize = 96;
const FRAMES: usize = 12;

/// A bright textured square goes to the right over a dark textured ground.
fn inside(t: usize, x: usize, y: usize) -> bool {
    (20 + 3 * t..60 + 3 * t).contains(&x) && (30..70).contains(&y)
}

fn frame(t: usize) -> Plane<Rgb> {
    let texture = |x: usize, y: usize| ((x * 7 + y * 13 + x * y / 3) % 24) as u8;
    Plane::from_fn(WIDTH, HEIGHT, |x, y| {
        let value = if inside(t, x, y) { 160 + texture(x + 200 - 3 * t, y) } else { 40 + texture(x, y) };
        [value, value / 2, 255 - value]
    })
}

fn mask(inside: impl Fn(usize, usize) -> bool) -> BitMask {
    BitMask::from_fn(WIDTH, HEIGHT, inside)
}

/// What a network sees: the square with a ragged edge, and now and then nothing.
fn raw(t: usize) -> Plane<u8> {
    Plane::from_fn(WIDTH, HEIGHT, |x, y| {
        let ragged = (x / 4 * 5 + y / 4 * 3 + t * 7) % 5;
        let seen = t % 5 != 3 && inside(t, x + ragged, y + ragged / 2) && inside(t, x, y + 2 - ragged / 2);
        if seen { 220 } else { 10 }
    })
}

/// The means over the clip.
fn estimate(masks: impl Fn(usize) -> BitMask) -> Estimate {
    let (mut motions, mut witness) = (MotionEstimator::new(25.0), Witness::default());
    let mut accumulator = MaskAccumulator::default();
    for t in 0..FRAMES {
        let motion = motions.push(frame(t));
        let evidence = witness.push(&raw(t), &picture_edges(&frame(t)), motion.as_ref()).expect("one size");
        assert_eq!(evidence.is_some(), t > 0);
        accumulator.push(masks(t), motion.as_ref(), evidence.as_ref()).expect("one size");
    }
    accumulator.summary().estimate.expect("frames with a past")
}

#[test]
fn better_masks_score_higher_and_trivial_ones_lower() {
    let raw = |t: usize| BitMask::from_threshold(&raw(t), 127);
    let right = estimate(|t| mask(|x, y| inside(t, x, y))).score;
    let seen = estimate(raw).score;
    let late = estimate(|t| mask(|x, y| inside(t.saturating_sub(2), x, y))).score;
    assert!(right > seen + 0.1, "the truth scores {right}, what was seen {seen}");
    assert!(right > late + 0.1, "the truth scores {right}, two frames late {late}");
    let trivial = [estimate(|_| raw(0)), estimate(|_| mask(|_, _| false)), estimate(|_| mask(|_, _| true))];
    for (name, trivial) in ["frozen", "empty", "full"].into_iter().zip(trivial) {
        assert!(trivial.score < seen, "{name} scores {}, what was seen {seen}", trivial.score);
    }
}

#[test]
fn a_mask_gains_nothing_by_repeating_its_own_frame() {
    // On frame 8 the network sees something else altogether.
    let elsewhere = |t: usize, x: usize, y: usize| if t == 8 { y < 20 } else { inside(t, x, y) };
    let (mut motions, mut witness) = (MotionEstimator::new(25.0), Witness::default());
    for t in 0..=8 {
        let motion = motions.push(frame(t));
        let raw = Plane::from_fn(WIDTH, HEIGHT, |x, y| if elsewhere(t, x, y) { 255 } else { 0 });
        let evidence = witness.push(&raw, &picture_edges(&frame(t)), motion.as_ref()).unwrap();
        if t == 8 {
            let of = |mask: BitMask| evidence.as_ref().unwrap().estimate(&mask).unwrap().evidence;
            assert!(of(mask(|x, y| elsewhere(8, x, y))) < 0.05);
            assert!(of(mask(|x, y| inside(8, x, y))) > 0.85);
        }
    }
}

#[test]
fn nothing_seen_and_nothing_claimed_agree() {
    let still = Plane::filled(WIDTH, HEIGHT, [9; 3]);
    let mut motions = MotionEstimator::new(25.0);
    motions.push(still.clone());
    let motion = motions.push(still.clone()).unwrap();
    let (mut witness, edges, nothing) = (Witness::default(), picture_edges(&still), Plane::filled(WIDTH, HEIGHT, 0));
    assert_eq!((edges.area(), witness.push(&nothing, &edges, None)), (0, Ok(None)));
    let evidence = witness.push(&nothing, &edges, Some(&motion)).unwrap().unwrap();
    let estimate = evidence.estimate(&mask(|_, _| false)).unwrap();
    assert_eq!(estimate, Estimate { score: 0.0, evidence: 1.0, alignment: 0.0 });
    assert_eq!(evidence.estimate(&mask(|x, _| x > 9)).unwrap().evidence, 0.0);
}

#[test]
fn the_stabilizer_reports_it_before_and_after() {
    let settings = Settings { method: Method::Consensus, ..Settings::default() };
    let mut stabilizer = Stabilizer::new(&settings, WIDTH, HEIGHT, 1).unwrap();
    let mut finished = Vec::new();
    for t in 0..FRAMES {
        finished.extend(stabilizer.push(frame(t), vec![raw(t)]).unwrap());
    }
    let (rest, summary) = stabilizer.finish();
    finished.extend(rest);
    let known: Vec<bool> = finished.iter().map(|frame| frame.metrics.after.estimate.is_some()).collect();
    assert_eq!(known, (0..FRAMES).map(|t| t > 0).collect::<Vec<_>>());
    let (before, after) = (summary.before.estimate.unwrap(), summary.after.estimate.unwrap());
    assert!(after.score > before.score + 0.05, "{before:?} {after:?}");
    assert_eq!(before, estimate(|t| BitMask::from_threshold(&raw(t), 127)));
    // A report of before there was an estimate can still be read.
    let old = r#"{"area":0.1,"iou":null,"dice":null,"instability":null,"motion_compensated_instability":null}"#;
    assert_eq!(serde_json::from_str::<steadymask_core::metric::MaskMetrics>(old).unwrap().estimate, None);
}

#[test]
fn sizes_must_agree() {
    let mut witness = Witness::default();
    let (raw, other) = (Plane::filled(9, 9, 0), BitMask::empty(8, 9));
    assert!(matches!(witness.push(&raw, &other, None), Err(Error::FrameSize { .. })));
    witness.push(&raw, &BitMask::empty(9, 9), None).unwrap();
    let mut motions = MotionEstimator::new(25.0);
    motions.push(Plane::filled(9, 9, [0; 3]));
    let motion = motions.push(Plane::filled(9, 9, [0; 3]));
    let evidence = witness.push(&raw, &BitMask::empty(9, 9), motion.as_ref()).unwrap().unwrap();
    assert!(matches!(evidence.estimate(&other), Err(Error::FrameSize { .. })));
}
