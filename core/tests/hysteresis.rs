//! What hysteresis promises: soft pixels stay where strong ones were, and small parts must persist along motion.
#![cfg(not(target_arch = "wasm32"))]

use std::sync::Arc;

use steadymask_core::{
    BitMask, Motion, Plane,
    filter::{Hysteresis, TemporalFilter},
};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
/// Columns by which everything moves to the right from frame to frame.
const SPEED: usize = 2;

/// Everything moves by [`SPEED`], and `trust` is the same everywhere.
fn motion(trust: f32) -> Arc<Motion> {
    let flow = |dx| Plane::filled(WIDTH, HEIGHT, [dx, 0.0]);
    let trust = Plane::filled(WIDTH, HEIGHT, trust);
    let (forward, backward) = (flow(SPEED as f32), flow(-(SPEED as f32)));
    Arc::new(Motion { forward, forward_trust: trust.clone(), backward, backward_trust: trust })
}

/// The masks that come out for `probability(t, x, y)`, where `x` moves with the motion.
fn masks(frames: usize, trust: f32, probability: impl Fn(usize, usize, usize) -> u8) -> Vec<BitMask> {
    let mut filter = Hysteresis::new(0.6, 0.3);
    let mut out = Vec::new();
    for t in 0..frames {
        let plane = Plane::from_fn(WIDTH, HEIGHT, |x, y| x.checked_sub(t * SPEED).map_or(0, |x| probability(t, x, y)));
        out.extend(filter.push(&[plane], (t > 0).then(|| motion(trust)).as_ref()));
        assert_eq!(out.len(), (t + 1).saturating_sub(2), "two frames behind");
    }
    out.extend(filter.finish());
    assert_eq!(out.len(), frames);
    out.iter().map(|planes| BitMask::from_threshold(&planes[0], 127)).collect()
}

fn in_square(x: usize, y: usize) -> bool {
    (20..40).contains(&x) && (20..40).contains(&y)
}

#[test]
fn what_was_strong_stays_while_it_is_not_weak() {
    let levels = [200, 100, 100, 100, 70, 100, 200];
    let strength = |t: usize, x, y| if in_square(x, y) { levels[t] } else { 10 };
    let areas = |trust| masks(levels.len(), trust, strength).iter().map(BitMask::area).collect::<Vec<_>>();
    assert_eq!(areas(1.0), [400, 400, 400, 400, 0, 0, 400]);
    assert_eq!(areas(0.2), [400, 0, 0, 0, 0, 0, 400], "nothing is carried along motion that is not trusted");
}

#[test]
fn small_parts_live_if_most_frames_have_them() {
    // Two pixels are small in a frame of this size, four are not.
    let seen_in = |frames: &[usize], width: usize| -> Vec<usize> {
        let masks =
            masks(9, 1.0, |t, x, y| 255 * u8::from(frames.contains(&t) && y == 30 && (20..20 + width).contains(&x)));
        (0..9).filter(|&t| masks[t].area() > 0).collect()
    };
    assert_eq!(seen_in(&[4], 2), [0; 0], "a speck of one frame goes");
    assert_eq!(seen_in(&[4], 4), [4], "something larger stays");
    assert_eq!(seen_in(&[3, 4], 2), [0; 0]);
    assert_eq!(seen_in(&[3, 4, 5], 2), [3, 4, 5], "three of five are most");
    assert_eq!(seen_in(&[2, 4, 6], 2), [4], "of the five around 4 three, of those around 2 and 6 two");
    assert_eq!(seen_in(&[0, 1], 2), [0], "the window is cut at the ends: two of three are most, two of four are not");
}

#[test]
fn holes_close_unless_most_frames_have_them() {
    let holes = |frames: &[usize]| -> Vec<usize> {
        let level = |t, x, y| if in_square(x, y) && !(frames.contains(&t) && (x, y) == (30, 30)) { 255 } else { 0 };
        let masks = masks(7, 1.0, level);
        (0..7).filter(|&t| masks[t].area() < 400).collect()
    };
    assert_eq!(holes(&[3]), [0; 0]);
    assert_eq!(holes(&[2, 3, 4]), [2, 3, 4]);
    assert_eq!(holes(&[0, 1, 2, 3, 4, 5, 6]), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_speck_that_stands_while_the_picture_moves_goes() {
    let dust = |t: usize, x, y| 255 * u8::from(x + t * SPEED == 50 && y == 30);
    assert!(masks(9, 1.0, dust).iter().all(|mask| mask.area() == 0));
}
