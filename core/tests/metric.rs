//! Metrics: agreement with the benchmark they come from, and what they reward.
#![cfg(not(target_arch = "wasm32"))]

use serde::Deserialize;
use steadymask_core::{
    BitMask, Error, Motion, Plane, flow,
    metric::{self, Improvement, MaskAccumulator, Overlap},
};

#[derive(Deserialize)]
struct Case {
    width: usize,
    height: usize,
    mask: Vec<[i64; 4]>,
    truth: Vec<[i64; 4]>,
    j: f64,
    f: f64,
}

fn draw(case: &Case, ellipses: &[[i64; 4]]) -> BitMask {
    BitMask::from_fn(case.width, case.height, |x, y| {
        ellipses.iter().any(|&[cx, cy, rx, ry]| {
            let (dx, dy) = (x as i64 - cx, y as i64 - cy);
            dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry
        })
    })
}

#[test]
fn region_and_boundary_are_those_of_davis() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/boundary.json")).unwrap();
    for (i, case) in cases.iter().enumerate() {
        let (mask, truth) = (draw(case, &case.mask), draw(case, &case.truth));
        let (j, f) = (metric::region_similarity(&mask, &truth).unwrap(), metric::boundary_f(&mask, &truth).unwrap());
        assert!((j - case.j).abs() < 1e-12, "case {i}: J {j} instead of {}", case.j);
        assert!((f - case.f).abs() < 1e-12, "case {i}: F {f} instead of {}", case.f);
    }
    assert!(cases.len() > 40);
}

fn square(left: usize) -> BitMask {
    BitMask::from_fn(100, 50, |x, y| (left..left + 20).contains(&x) && (10..30).contains(&y))
}

/// Everything moves `dx` pixels to the right.
fn shift((width, height): (usize, usize), dx: f32) -> Motion {
    Motion {
        forward: Plane::filled(width, height, [dx, 0.0]),
        forward_trust: Plane::filled(width, height, 1.0),
        backward: Plane::filled(width, height, [-dx, 0.0]),
        backward_trust: Plane::filled(width, height, 1.0),
    }
}

#[test]
fn classic_metrics_reward_a_frozen_mask_and_the_compensated_one_does_not() {
    let measure = |masks: [BitMask; 3]| {
        let mut accumulator = MaskAccumulator::default();
        for (t, mask) in masks.into_iter().enumerate() {
            accumulator.push(mask, (t > 0).then(|| shift((100, 50), 5.0)).as_ref(), None).unwrap();
        }
        accumulator.summary()
    };
    let moving = measure([square(10), square(15), square(20)]);
    let frozen = measure([square(10), square(10), square(10)]);
    assert_eq!(frozen.instability, Some(0.0));
    assert_eq!(moving.instability, Some(1.0 - 300.0 / 500.0));
    assert_eq!(moving.motion_compensated_instability, Some(0.0));
    assert_eq!(frozen.motion_compensated_instability, Some(0.4));
    assert_eq!((moving.area_drift, frozen.area_drift), (Some(0.0), Some(0.0)));
    assert_eq!(moving.area, 400.0 / 5000.0);
    assert_eq!(moving.temporal_consistency, Some(0.6));

    let improvement = Improvement::between(&frozen, &moving);
    assert_eq!(improvement.instability, None);
    assert_eq!(improvement.motion_compensated_instability, Some(100.0));
}

#[test]
fn untrusted_pixels_do_not_count() {
    let mut motion = shift((100, 50), 0.0);
    for y in 0..50 {
        motion.backward_trust.row_mut(y)[30..].fill(flow::TRUSTED);
    }
    // The masks differ on columns 10 to 14, trusted, and 30 to 34, not trusted.
    let instability = metric::motion_compensated_instability(&square(10), &square(15), &motion).unwrap();
    assert_eq!(instability, 0.25);
}

#[test]
fn nothing_is_compared_across_a_cut() {
    let mut accumulator = MaskAccumulator::default();
    accumulator.push(square(10), None, None).unwrap();
    let metrics = accumulator.push(square(60), None, None).unwrap();
    assert_eq!((metrics.iou, metrics.instability, metrics.motion_compensated_instability), (None, None, None));
    assert_eq!(accumulator.summary().instability, None);
}

#[test]
fn empty_masks_agree_and_sizes_must() {
    let (empty, other) = (BitMask::empty(100, 50), BitMask::empty(50, 100));
    assert_eq!(metric::iou(&empty, &empty), Ok(1.0));
    assert_eq!(metric::dice(&empty, &empty), Ok(1.0));
    assert_eq!(metric::iou(&empty, &square(3)), Ok(0.0));
    for result in [metric::iou(&empty, &other), metric::dice(&empty, &other)] {
        assert!(matches!(result, Err(Error::FrameSize { .. })));
    }
    let clip = [empty.clone(), empty.clone(), other.clone()];
    let planes = [&empty, &other].map(BitMask::to_plane);
    assert!(matches!(Overlap::of_neighbours(&clip), Err(Error::FrameSize { index: 2, width: 50, .. })));
    assert!(matches!(Overlap::of_neighbouring_planes(&planes, 0), Err(Error::FrameSize { index: 1, .. })));
    for result in [metric::region_similarity(&empty, &other), metric::boundary_f(&empty, &other)] {
        assert!(matches!(result, Err(Error::FrameSize { .. })));
    }
    let motion = shift((50, 100), 0.0);
    assert!(metric::motion_compensated_instability(&empty, &empty, &motion).is_err());
}
