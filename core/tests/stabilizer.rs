//! The stabilizer from end to end: what every method must leave alone, cuts, delays, bad input.
#![cfg(not(target_arch = "wasm32"))]

mod synthetic;

use steadymask_core::{
    All, BitMask, Error, Finished, LookAhead, Method, Plane, Rgb, Settings, Stabilizer, metric, metric::Summary,
    union_of,
};
use synthetic::{CUT, FRAMES, HEIGHT, Random, WIDTH, clip, disk_at, spinning};

type Frame = (Plane<Rgb>, Vec<Plane<u8>>);

/// Every method, and consensus with every kind of look-ahead.
fn all_settings() -> Vec<Settings> {
    let methods = Method::ALL.map(|method| Settings { method, ..Settings::default() });
    let horizons = [LookAhead::Frames(0), LookAhead::Frames(3), LookAhead::All(All::All)];
    methods.into_iter().chain(horizons.map(looking)).collect()
}

fn looking(look_ahead: LookAhead) -> Settings {
    Settings { look_ahead, ..Settings::default() }
}

fn stabilize(settings: &Settings, clip: &[Frame]) -> (Vec<Finished>, Summary) {
    stabilize_from(0, settings, clip)
}

/// As a piece of a clip that begins at frame `first`.
fn stabilize_from(first: usize, settings: &Settings, clip: &[Frame]) -> (Vec<Finished>, Summary) {
    let (width, height) = clip[0].0.size();
    let mut stabilizer = Stabilizer::starting_at(first, settings, width, height, clip[0].1.len()).expect("good input");
    let mut finished = Vec::new();
    for (frame, probabilities) in clip {
        finished.extend(stabilizer.push(frame.clone(), probabilities.clone()).expect("good input"));
    }
    let (rest, summary) = stabilizer.finish();
    finished.extend(rest);
    assert!(finished.iter().map(|frame| frame.index).eq(first..first + clip.len()), "every frame once, in order");
    for (finished, (_, probabilities)) in finished.iter().zip(clip) {
        assert_eq!(&finished.raw, probabilities);
    }
    (finished, summary)
}

fn planes(settings: &Settings, clip: &[Frame]) -> Vec<Vec<Plane<u8>>> {
    planes_from(0, settings, clip)
}

fn planes_from(first: usize, settings: &Settings, clip: &[Frame]) -> Vec<Vec<Plane<u8>>> {
    stabilize_from(first, settings, clip).0.into_iter().map(|frame| frame.stabilized).collect()
}

/// Certain pixels only: 0 and 255.
fn hard(plane: &Plane<u8>) -> Plane<u8> {
    plane.map(|&p| if p > 127 { 255 } else { 0 })
}

/// Whether the method moves the dividing line of uncertain pixels, so that only certain ones stay as they are.
fn moves_uncertain(method: Method) -> bool {
    method == Method::Hysteresis
}

#[test]
fn a_still_clip_stays_as_it_is() {
    let (frame, soft) = clip().swap_remove(0);
    let hard: Vec<_> = soft.iter().map(hard).collect();
    for settings in all_settings() {
        let probabilities = if moves_uncertain(settings.method) { &hard } else { &soft };
        let (finished, summary) = stabilize(&settings, &vec![(frame.clone(), probabilities.clone()); 6]);
        for frame in finished {
            assert_eq!(&frame.stabilized, probabilities, "{settings:?}, frame {}", frame.index);
        }
        assert_eq!(summary.before.instability, Some(0.0));
        assert_eq!(summary.after.motion_compensated_instability, Some(0.0));
    }
}

#[test]
fn constant_probabilities_stay_constant() {
    for level in [0, 1, 76, 128, 254, 255] {
        let constant: Vec<Frame> =
            clip().into_iter().map(|(frame, _)| (frame, vec![Plane::filled(WIDTH, HEIGHT, level)])).collect();
        for settings in all_settings() {
            let certain = level == 0 || level == 255;
            for planes in planes(&settings, &constant) {
                let first = planes[0].data()[0];
                assert!(planes[0].data().iter().all(|&p| p == first), "{settings:?}, level {level}");
                if certain || !moves_uncertain(settings.method) {
                    assert_eq!(first, level, "{settings:?}");
                }
            }
        }
    }
}

#[test]
fn classes_do_not_influence_each_other() {
    let both = clip();
    for settings in all_settings() {
        let expected = planes(&settings, &both);
        let swapped: Vec<Frame> =
            both.iter().map(|(frame, p)| (frame.clone(), vec![p[1].clone(), p[0].clone()])).collect();
        let alone: Vec<Frame> = both.iter().map(|(frame, p)| (frame.clone(), vec![p[0].clone()])).collect();
        let (swapped, alone) = (planes(&settings, &swapped), planes(&settings, &alone));
        for (expected, (swapped, alone)) in expected.iter().zip(swapped.iter().zip(&alone)) {
            assert_eq!((&expected[0], &expected[1]), (&swapped[1], &swapped[0]), "{settings:?}");
            assert_eq!(expected[0], alone[0], "{settings:?}");
        }
    }
}

#[test]
fn what_sees_the_whole_clip_does_not_know_which_way_time_runs() {
    let mut shot = clip();
    shot.truncate(CUT);
    let backwards: Vec<Frame> = shot.iter().rev().cloned().collect();
    let methods = [Method::None, Method::MovingAverage, Method::Median, Method::Consensus];
    for settings in methods.map(|method| Settings { method, ..looking(LookAhead::All(All::All)) }) {
        let (forward, mut backward) = (planes(&settings, &shot), planes(&settings, &backwards));
        backward.reverse();
        assert_eq!(forward, backward, "{:?}", settings.method);
    }
}

#[test]
fn a_cut_separates_shots_as_if_they_were_clips() {
    let whole = clip();
    for settings in all_settings() {
        let (finished, summary) = stabilize(&settings, &whole);
        assert_eq!(summary.scene_cuts, [CUT], "{settings:?}");
        let cuts: Vec<_> = finished.iter().filter(|f| f.metrics.scene_cut).map(|f| f.index).collect();
        assert_eq!(cuts, [CUT]);
        assert_eq!(finished[CUT].metrics.after.iou, None);
        assert_eq!(finished[CUT].metrics.mean_trust, None);
        let expected = [planes(&settings, &whole[..CUT]), planes_from(CUT, &settings, &whole[CUT..])].concat();
        assert!(finished.into_iter().map(|f| f.stabilized).eq(expected), "{settings:?}");
    }
}

#[test]
fn frames_are_held_back_no_longer_than_the_look_ahead() {
    let shot = &clip()[..CUT];
    for (settings, delay) in [
        (Settings { method: Method::None, ..Settings::default() }, 0),
        (Settings { method: Method::Exponential, ..Settings::default() }, 0),
        (Settings { method: Method::Uncertainty, ..Settings::default() }, 0),
        (Settings { method: Method::Median, window_size: 7, ..Settings::default() }, 3),
        (Settings { method: Method::MovingAverage, window_size: 3, ..Settings::default() }, 1),
        (Settings { method: Method::Hysteresis, ..Settings::default() }, 2),
        (looking(LookAhead::Frames(0)), 0),
        (looking(LookAhead::Frames(4)), 4),
        (looking(LookAhead::All(All::All)), FRAMES),
    ] {
        let mut stabilizer = Stabilizer::new(&settings, WIDTH, HEIGHT, 2).unwrap();
        for (t, (frame, probabilities)) in shot.iter().enumerate() {
            let finished = stabilizer.push(frame.clone(), probabilities.clone()).unwrap();
            let expected = t.checked_sub(delay);
            assert!(finished.iter().map(|f| f.index).eq(expected), "{settings:?}, frame {t}");
        }
    }
}

#[test]
fn the_future_beyond_the_look_ahead_does_not_count() {
    let shot = &clip()[..CUT];
    for look_ahead in [0, 2] {
        let settings = looking(LookAhead::Frames(look_ahead));
        let whole = planes(&settings, shot);
        for end in 1..CUT {
            let part = planes(&settings, &shot[..end]);
            let settled = end.saturating_sub(look_ahead as usize);
            assert_eq!(part[..settled], whole[..settled]);
        }
    }
}

#[test]
fn pieces_that_carry_the_overlap_give_the_bytes_of_the_whole() {
    // A long shot with a cut in it, small; its noise never repeats.
    let mut random = Random(11);
    let long: Vec<Frame> = (0..250)
        .map(|t: usize| {
            let scene = if t < 170 { 0 } else { 90 };
            let inside = |x: usize, y: usize| (x + 40 - t % 40).abs_diff(30) < 7 && y.abs_diff(12) < 6;
            let frame = Plane::from_fn(40, 24, |x, y| {
                let base = if inside(x, y) { 150 } else { 20 + 2 * ((x * 7) ^ (y * 5)) % 60 };
                [0, 20, 40].map(|tint| (base + tint + scene + random.below(8) as usize).min(255) as u8)
            });
            let seen = random.below(4) > 0;
            let mut p = |inside: bool| (if inside && seen { 120 } else { 0 } + random.below(130)) as u8;
            (frame, vec![Plane::from_fn(40, 24, |x, y| p(inside(x, y)))])
        })
        .collect();
    // The same with masks that consensus hardly touches.
    let steady: Vec<Frame> = long
        .iter()
        .enumerate()
        .map(|(t, (frame, _))| {
            let inside = |x: usize, y: usize| (x + 40 - t % 40).abs_diff(30) < 7 && y.abs_diff(12) < 6;
            let value = |x, y| if inside(x, y) && t % 9 != 4 { 251 } else { 3 };
            (frame.clone(), vec![Plane::from_fn(40, 24, value)])
        })
        .collect();
    let methods = [Method::None, Method::MovingAverage, Method::Median];
    let methods = methods.map(|method| (Settings { method, ..Settings::default() }, &long));
    let horizons = [0, 5, 24, 36].map(|frames| looking(LookAhead::Frames(frames)));
    let horizons = horizons.into_iter().flat_map(|settings| [(settings.clone(), &long), (settings, &steady)]);
    for (settings, long) in methods.into_iter().chain(horizons) {
        let whole = planes(&settings, long);
        let [before, after] = settings.overlap().expect("bounded");
        let cuts = [0usize, 1, 23, 24, 119, 131, 171, 215, 249, 250];
        for piece in cuts.windows(2) {
            let (from, to) = (piece[0].saturating_sub(before), (piece[1] + after).min(long.len()));
            let part = planes_from(from, &settings, &long[from..to]);
            assert!(part[piece[0] - from..piece[1] - from] == whole[piece[0]..piece[1]], "{settings:?}, {piece:?}");
        }
    }
    assert_eq!(looking(LookAhead::All(All::All)).overlap(), None);
}

#[test]
fn moving_the_picture_moves_the_result() {
    let shot = &clip()[..CUT];
    let settings = Settings::default();
    // Framed with a margin of its own mean, at two places of one canvas.
    let placed = |left: usize, top: usize| -> Vec<Frame> {
        let within = move |x: usize, y: usize| {
            let inside = (left..left + WIDTH).contains(&x) && (top..top + HEIGHT).contains(&y);
            inside.then(|| (x - left, y - top))
        };
        let frame = |frame: &Plane<Rgb>| {
            Plane::from_fn(224, 160, |x, y| within(x, y).map_or([110; 3], |(x, y)| frame.get(x, y)))
        };
        let plane =
            |plane: &Plane<u8>| Plane::from_fn(224, 160, |x, y| within(x, y).map_or(0, |(x, y)| plane.get(x, y)));
        shot.iter().map(|(picture, planes)| (frame(picture), planes.iter().map(plane).collect())).collect()
    };
    let crop = |all: Vec<Vec<Plane<u8>>>, left: usize, top: usize| -> Vec<Vec<Plane<u8>>> {
        let crop = |plane: &Plane<u8>| Plane::from_fn(WIDTH, HEIGHT, |x, y| plane.get(x + left, y + top));
        all.iter().map(|planes| planes.iter().map(crop).collect()).collect()
    };
    let here = crop(planes(&settings, &placed(32, 32)), 32, 32);
    // The coarsest grid of the flow has cells of 48 pixels: moved by whole cells, all is the same but the border.
    let there = crop(planes(&settings, &placed(80, 32)), 80, 32);
    for (here, there) in here.iter().flatten().zip(there.iter().flatten()) {
        let apart = here.data().iter().zip(there.data()).filter(|(a, b)| a.abs_diff(**b) > 2).count();
        assert!(apart * 50 < WIDTH * HEIGHT, "{apart} of {} pixels", WIDTH * HEIGHT);
    }
}

#[test]
fn consensus_fills_gaps_without_lagging() {
    let shot = &clip()[..CUT];
    let (finished, summary) = stabilize(&Settings::default(), shot);
    let level = Settings::default().threshold_level();
    for frame in &finished {
        let truth = BitMask::from_fn(WIDTH, HEIGHT, |x, y| disk_at(frame.index, x, y));
        let agreement = |p: &Plane<u8>, level| metric::iou(&BitMask::from_threshold(p, level), &truth).unwrap();
        let after = agreement(&frame.stabilized[0], level);
        assert!(after > 0.85, "frame {}: {after}", frame.index);
        assert!(after >= agreement(&frame.raw[0], 127) - 0.1);
    }
    let improvement = summary.improvement_percent.motion_compensated_instability.unwrap();
    assert!(improvement > 60.0, "{improvement} %");
}

#[test]
fn consensus_leaves_good_masks_alone_and_mends_their_flicker() {
    // Nothing of the object in one frame, a hole in another, a stain in a third.
    let [dropped, holed, stained] = [13, 21, 29];
    let truth = spinning(40);
    let spoiled = truth.iter().enumerate().map(|(t, (frame, mask))| {
        let within = |x: usize, y: usize, [left, top]: [usize; 2]| x.abs_diff(left) < 4 && y.abs_diff(top) < 4;
        let mask = Plane::from_fn(WIDTH, HEIGHT, |x, y| match mask.get(x, y) {
            _ if t == dropped || t == holed && within(x, y, [24 + t, 32]) => 0,
            _ if t == stained && within(x, y, [20, 12]) => 255,
            value => value,
        });
        (frame.clone(), vec![mask])
    });
    let (finished, summary) = stabilize(&Settings::default(), &spoiled.collect::<Vec<_>>());
    assert_eq!(summary.scene_cuts, []);
    let level = Settings::default().threshold_level();
    for (t, (frame, (_, truth))) in finished.iter().zip(&truth).enumerate() {
        let masks = [&frame.stabilized[0], truth].map(|plane| BitMask::from_threshold(plane, level));
        let agreement = metric::iou(&masks[0], &masks[1]).unwrap();
        let least = if t == dropped {
            0.6
        } else if t == holed || t == stained {
            0.9
        } else {
            0.98
        };
        assert!(agreement > least, "frame {t}: {agreement}");
    }
}

#[test]
fn on_hard_masks_mean_and_median_are_one_and_uncertainty_does_nothing() {
    let mut random = Random(7);
    let hard: Vec<Frame> = clip()[..CUT]
        .iter()
        .map(|(frame, _)| (frame.clone(), vec![Plane::from_fn(WIDTH, HEIGHT, |_, _| 255 * random.below(2) as u8)]))
        .collect();
    let run = |method| planes(&Settings { method, ..Settings::default() }, &hard);
    let masks = |planes: &[Vec<Plane<u8>>]| -> Vec<BitMask> {
        // Where the window is whole.
        planes[2..CUT - 2].iter().map(|p| BitMask::from_threshold(&p[0], 127)).collect()
    };
    assert_eq!(masks(&run(Method::MovingAverage)), masks(&run(Method::Median)));
    assert_eq!(run(Method::Uncertainty), run(Method::None));
}

#[test]
fn any_size_and_any_length() {
    let mut random = Random(3);
    for (width, height) in [(1, 1), (1, 9), (13, 1), (7, 7), (33, 17), (64, 64)] {
        for frames in [1, 2, 5] {
            let clip: Vec<Frame> = (0..frames)
                .map(|_| {
                    let frame = Plane::from_fn(width, height, |_, _| [0; 3].map(|_: u8| random.below(256) as u8));
                    (frame, vec![Plane::from_fn(width, height, |_, _| random.below(256) as u8)])
                })
                .collect();
            for settings in all_settings() {
                let (finished, summary) = stabilize(&settings, &clip);
                assert_eq!((finished.len(), summary.frames), (frames, frames));
                assert_eq!(finished[0].metrics.before.iou, None);
                assert_eq!(finished[0].metrics.mean_trust, None);
            }
        }
    }
    let nothing = Stabilizer::new(&Settings::default(), 4, 4, 1).unwrap().finish();
    assert!(nothing.0.is_empty());
    assert_eq!((nothing.1.frames, nothing.1.before.area, nothing.1.before.dice), (0, 0.0, None));
}

#[test]
fn bad_input_is_refused_and_the_clip_goes_on() {
    let settings = Settings::default();
    let fails = |settings: &Settings, width, height, classes| {
        Stabilizer::new(settings, width, height, classes).err().expect("must be refused").to_string()
    };
    assert_eq!(fails(&settings, 0, 5, 1), "invalid size 0×5 (expected 1 to 16384 pixels a side)");
    assert_eq!(fails(&settings, 5, 5, 0), "frame 0 brings 0 probability planes, expected 1");
    let bad = Settings { decay: f32::NAN, ..settings.clone() };
    assert_eq!(fails(&bad, 5, 5, 1), "invalid decay: NaN (expected 0.5 to 1)");
    let bad = Settings { high: 0.4, low: 0.5, ..settings.clone() };
    assert_eq!(fails(&bad, 5, 5, 1), "invalid low: 0.5 (expected 0.05 to 0.4)");

    let mut stabilizer = Stabilizer::new(&settings, WIDTH, HEIGHT, 2).unwrap();
    let (frame, probabilities) = clip().swap_remove(0);
    stabilizer.push(frame.clone(), probabilities.clone()).unwrap();
    let small = Plane::filled(4, 2, [0; 3]);
    let error = stabilizer.push(small, probabilities.clone()).unwrap_err();
    assert_eq!(error.to_string(), "frame 1 is 4×2, but the clip began at 96×64; all frames must be of one size");
    let error = stabilizer.push(frame.clone(), vec![probabilities[0].clone(), Plane::filled(1, 1, 0)]).unwrap_err();
    assert!(matches!(error, Error::FrameSize { index: 1, width: 1, height: 1, .. }));
    let error = stabilizer.push(frame.clone(), vec![probabilities[0].clone()]).unwrap_err();
    assert_eq!(error, Error::Classes { index: 1, actual: 1, expected: 2 });
    stabilizer.push(frame, probabilities).unwrap();
    assert_eq!(stabilizer.finish().1.frames, 2);
}

#[test]
fn thresholds_cut_where_they_say() {
    for threshold in [0.05, 0.1, 0.3, 0.35, 0.5, 0.6, 0.8, 0.95] {
        let settings = Settings { threshold: Some(threshold), ..Settings::default() };
        for level in 0..=255u8 {
            let inside = f64::from(level) / 255.0 > f64::from(threshold);
            assert_eq!(level > settings.threshold_level(), inside, "{level} at {threshold}");
        }
    }
}

#[test]
fn the_union_is_the_larger() {
    let (_, planes) = clip().swap_remove(0);
    let union = union_of(&planes);
    assert!((0..HEIGHT).all(|y| (0..WIDTH).all(|x| union.get(x, y) == planes[0].get(x, y).max(planes[1].get(x, y)))));
}
