//! Everything fast against its slow, obvious twin, on random input.
#![cfg(not(target_arch = "wasm32"))]

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use steadymask_core::{
    All, BitMask, ColorMatrix, ColorRange, I420, LookAhead, Motion, Plane, RAW_LEVEL, Rgb,
    filter::{
        self, Connectivity, Consensus, Exponential, Hysteresis, Median, MovingAverage, Noise, TemporalFilter,
        Uncertainty,
    },
    metric::{self, Overlap, Witness},
    reference, resize, rgb_from_i420,
    upsample::{self, Own},
};

/// Sizes around the word of a mask and the widths of vectors.
fn size() -> impl Strategy<Value = (usize, usize)> {
    (prop_oneof![1..12usize, 60..68usize, 120..132usize, 250..260usize], 1..10usize)
}

fn plane((width, height): (usize, usize)) -> impl Strategy<Value = Plane<u8>> {
    vec(any::<u8>(), width * height)
        .prop_map(move |data| Plane::from_vec(width, height, data).expect("as many values as pixels"))
}

/// Neighbours are alike: three values and what lies between.
fn smooth((width, height): (usize, usize)) -> impl Strategy<Value = Plane<u8>> {
    plane((3, 3))
        .prop_map(move |small| resize::bilinear(&small, 3.max(width), 3.max(height)))
        .prop_map(move |plane| Plane::from_fn(width, height, |x, y| plane.get(x, y)))
}

type Planes = Vec<Plane<u8>>;

/// Probabilities of some classes at work size, a frame from the same size to five times the size in four colours, and
/// masks of its size.
fn enlarged() -> impl Strategy<Value = (Planes, Plane<Rgb>, Planes)> {
    (1..14usize, 1..12usize, 1..4usize).prop_flat_map(|(width, height, classes)| {
        let full = (width..5 * width + 1, height..5 * height + 1).prop_flat_map(move |(width, height)| {
            let color = prop_oneof![Just([0, 0, 0]), Just([30, 5, 0]), Just([90, 60, 70]), any::<[u8; 3]>()];
            let frame = vec(color, width * height)
                .prop_map(move |data| Plane::from_vec(width, height, data).expect("as many values as pixels"));
            let own =
                prop_oneof![smooth((width, height)).boxed(), mask((width, height)).prop_map(|m| m.to_plane()).boxed()];
            (frame, vec(own, classes))
        });
        (vec(smooth((width, height)), classes), full).prop_map(|(planes, (frame, own))| (planes, frame, own))
    })
}

/// Masks from empty to full.
fn mask(size: (usize, usize)) -> impl Strategy<Value = BitMask> {
    (plane(size), any::<u8>()).prop_map(|(plane, threshold)| BitMask::from_threshold(&plane, threshold))
}

fn shot() -> impl Strategy<Value = Vec<Plane<u8>>> {
    (size(), 1..12usize).prop_flat_map(|(size, frames)| vec(plane(size), frames))
}

fn motion((width, height): (usize, usize)) -> impl Strategy<Value = Motion> {
    let flow = || {
        vec([-4.0..4.0f32, -4.0..4.0f32], width * height)
            .prop_map(move |v| Plane::from_vec(width, height, v).expect("as many values as pixels"))
    };
    let trust = || {
        vec(0.0..1.0f32, width * height)
            .prop_map(move |v| Plane::from_vec(width, height, v).expect("as many values as pixels"))
    };
    (flow(), trust(), flow(), trust()).prop_map(|(forward, forward_trust, backward, backward_trust)| Motion {
        forward,
        forward_trust,
        backward,
        backward_trust,
    })
}

/// A shot with the motions between its frames.
fn moving_shot() -> impl Strategy<Value = (Vec<Plane<u8>>, Vec<Motion>)> {
    (1..20usize, 1..20usize, 1..7usize).prop_flat_map(|(width, height, frames)| {
        (vec(plane((width, height)), frames), vec(motion((width, height)), frames - 1))
    })
}

/// As [`moving_shot`], but hardly anything moves, and most frames are alike.
fn steady_shot() -> impl Strategy<Value = (Vec<Plane<u8>>, Vec<Motion>)> {
    (4..24usize, 4..24usize, 3..9usize).prop_flat_map(|(width, height, frames)| {
        let size = (width, height);
        let still = move |motion: Motion| {
            let still = |flow: &Plane<[f32; 2]>| flow.map(|vector| vector.map(|v| v / 40.0));
            Motion { forward: still(&motion.forward), backward: still(&motion.backward), ..motion }
        };
        let sharp = move || smooth(size).prop_map(|plane| plane.map(|&p| (i32::from(p) * 8 - 900).clamp(3, 250) as u8));
        let shot = (sharp(), vec(prop_oneof![5 => Just(None), 1 => sharp().prop_map(Some)], frames))
            .prop_map(|(plane, others)| others.into_iter().map(|other| other.unwrap_or(plane.clone())).collect());
        (shot, vec(motion(size).prop_map(still), frames - 1))
    })
}

/// Of a size at which a part of one or two pixels is small. What is seen comes in blocks, whose edges are ragged.
fn speckled_shot() -> impl Strategy<Value = (Vec<Plane<u8>>, Vec<Motion>)> {
    let frame = |(width, height): (usize, usize)| {
        (plane((width, height)), plane((width.div_ceil(9), height.div_ceil(9)))).prop_map(|(fine, coarse)| {
            Plane::from_fn(fine.width(), fine.height(), |x, y| match coarse.get(x / 9, y / 9) {
                block if fine.get(x, y) < 240 => block,
                _ => fine.get(x, y).wrapping_mul(37),
            })
        })
    };
    (60..68usize, 60..80usize, 1..8usize).prop_flat_map(move |(width, height, frames)| {
        (vec(frame((width, height)), frames), vec(motion((width, height)), frames - 1))
    })
}

fn run(filter: &mut dyn TemporalFilter, shot: &[Plane<u8>], motions: &[Motion]) -> Vec<Plane<u8>> {
    let motions = std::iter::once(None).chain(motions.iter().cloned().map(Arc::new).map(Some));
    let mut out: Vec<_> = shot
        .iter()
        .zip(motions.chain(std::iter::repeat(None)))
        .filter_map(|(plane, motion)| filter.push(std::slice::from_ref(plane), motion.as_ref()))
        .collect();
    out.extend(filter.finish());
    out.concat()
}

/// That `fast` is `slow` rounded, give or take `slack`.
fn assert_rounded(fast: &[Plane<u8>], slow: &[Plane<f64>], slack: f64) {
    assert_eq!(fast.len(), slow.len());
    for (t, (fast, slow)) in fast.iter().zip(slow).enumerate() {
        for (&fast, &slow) in fast.data().iter().zip(slow.data()) {
            assert!((f64::from(fast) - slow).abs() <= 0.5 + slack, "frame {t}: {fast} instead of {slow}");
        }
    }
}

fn close(fast: f32, slow: f64) -> bool {
    (f64::from(fast) - slow).abs() < 1e-6
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn masks((a, b) in size().prop_flat_map(|size| (mask(size), mask(size)))) {
        let counts = [a.area(), b.area(), a.intersection(&b).unwrap(), a.union(&b).unwrap()];
        prop_assert_eq!(counts, reference::counts(&a, &b));
        let plane = Plane::from_fn(a.width(), a.height(), |x, y| if a.get(x, y) { 255 } else { 0 });
        prop_assert_eq!(a.to_plane(), plane);
        let (width, height) = a.size();
        let set = |y: usize| (0..width).filter(|&x| a.get(x, y)).collect::<Vec<_>>();
        let pixels: Vec<_> = (0..height).flat_map(|y| set(y).into_iter().map(move |x| (x, y))).collect();
        prop_assert_eq!(a.pixels().collect::<Vec<_>>(), pixels);
        for left in (0..width).step_by(7) {
            for right in (left..width).step_by(5) {
                prop_assert_eq!(a.any_in_row(0, left, right), (left..=right).any(|x| a.get(x, 0)));
            }
        }
    }

    #[test]
    fn threshold(plane in size().prop_flat_map(plane), threshold: u8) {
        let slow = BitMask::from_fn(plane.width(), plane.height(), |x, y| plane.get(x, y) > threshold);
        prop_assert_eq!(BitMask::from_threshold(&plane, threshold), slow);
    }

    #[test]
    fn overlap_of_planes((a, b) in size().prop_flat_map(|size| (plane(size), plane(size))), threshold: u8) {
        let masks = [&a, &b].map(|plane| BitMask::from_fn(plane.width(), plane.height(), |x, y| plane.get(x, y) > threshold));
        let [area_a, area_b, intersection, union] = reference::counts(&masks[0], &masks[1]);
        let overlap = Overlap::of_planes(&a, &b, threshold).unwrap();
        prop_assert_eq!(overlap, Overlap { areas: [area_a, area_b], intersection });
        prop_assert_eq!(overlap.union(), union);
        prop_assert_eq!(Overlap::of_masks(&masks[0], &masks[1]).unwrap(), overlap);
    }

    #[test]
    fn overlap_of_neighbours(
        planes in (size(), 0..12usize).prop_flat_map(|(size, frames)| vec(plane(size), frames)),
        threshold: u8,
    ) {
        let masks: Vec<_> = planes.iter().map(|plane| BitMask::from_threshold(plane, threshold)).collect();
        let slow: Vec<_> = masks.windows(2).map(|pair| Overlap::of_masks(&pair[0], &pair[1]).unwrap()).collect();
        prop_assert_eq!(&Overlap::of_neighbours(&masks).unwrap(), &slow);
        prop_assert_eq!(&Overlap::of_neighbouring_planes(&planes, threshold).unwrap(), &slow);
    }

    /// Also what makes it the moving average and the median of masks.
    #[test]
    fn majority(
        shot in (size(), 1..12usize).prop_flat_map(|(size, frames)| vec(mask(size), frames)),
        size in prop_oneof![Just(3usize), Just(5), Just(7), Just(9)],
    ) {
        let fast = filter::majority(&shot, size).unwrap();
        prop_assert_eq!(&fast, &reference::filter::majority(&shot, size));
        let planes: Vec<_> = shot.iter().map(BitMask::to_plane).collect();
        for filter in [&mut MovingAverage::new(size) as &mut dyn TemporalFilter, &mut Median::new(size)] {
            let masks: Vec<_> =
                run(filter, &planes, &[]).iter().map(|plane| BitMask::from_threshold(plane, 127)).collect();
            prop_assert_eq!(&fast, &masks);
        }
    }

    #[test]
    fn overlap_and_boundary(
        (a, b) in size().prop_flat_map(|size| (mask(size), mask(size))),
        radius in 0..6usize,
    ) {
        prop_assert!(close(metric::iou(&a, &b).unwrap(), reference::metric::iou(&a, &b)));
        prop_assert!(close(metric::dice(&a, &b).unwrap(), reference::metric::dice(&a, &b)));
        prop_assert_eq!(metric::boundary(&a), reference::metric::boundary(&a));
        let fast = metric::boundary_f_within(&a, &b, radius).unwrap();
        prop_assert!((fast - reference::metric::boundary_f_within(&a, &b, radius)).abs() < 1e-12);
    }

    #[test]
    fn motion_compensated_instability(
        (a, b, motion) in size().prop_flat_map(|size| (mask(size), mask(size), motion(size))),
    ) {
        let fast = metric::motion_compensated_instability(&a, &b, &motion).unwrap();
        prop_assert!(close(fast, reference::metric::motion_compensated_instability(&a, &b, &motion)));
    }

    #[test]
    fn area_drift(
        (a, b, motion) in size().prop_flat_map(|size| (mask(size), mask(size), motion(size))),
    ) {
        let fast = metric::area_drift(&a, &b, &motion).unwrap();
        prop_assert!(close(fast, reference::metric::area_drift(&a, &b, &motion)));
    }

    #[test]
    fn estimate(
        (mask, shot, [red, green, blue]) in size().prop_flat_map(|size| {
            (mask(size), vec((plane(size), motion(size)), 1..5), [plane(size), plane(size), plane(size)])
        }),
    ) {
        let (width, height) = mask.size();
        let picture = Plane::from_fn(width, height, |x, y| [red.get(x, y), green.get(x, y), blue.get(x, y)]);
        let edges = metric::picture_edges(&picture);
        prop_assert_eq!(&edges, &reference::metric::picture_edges(&picture));
        let mut witness = Witness::default();
        for (t, (raw, _)) in shot.iter().enumerate() {
            let motion = t.checked_sub(1).map(|before| &shot[before].1);
            witness.push(raw, &edges, motion).unwrap();
        }
        let (last, motion) = shot.last().unwrap();
        let estimate = witness.push(last, &edges, Some(motion)).unwrap().unwrap().estimate(&mask).unwrap();
        // Evidence is kept in whole 255ths: half of one is lost for each pixel, above and below the line of the share.
        let (evidence, union) = reference::metric::evidence(&mask, &shot);
        let lost = 0.5 / 255.0 * (width * height) as f64;
        let slack = if union > lost { 2.0 * lost / (union - lost) + 1e-5 } else { 1.0 };
        prop_assert!((f64::from(estimate.evidence) - evidence).abs() <= slack, "{:?}, {evidence}", estimate);
        let contour = reference::metric::boundary(&mask);
        let aligned = contour.pixels().filter(|&(x, y)| edges.get(x, y)).count() as f64;
        let alignment = aligned / contour.area().max(1) as f64;
        prop_assert!(close(estimate.alignment, alignment));
        let score = f64::from(estimate.evidence) * alignment.sqrt();
        prop_assert!(close(estimate.score, score));
    }

    #[test]
    fn area(source in size().prop_flat_map(plane), (width, height) in (1..30usize, 1..20usize)) {
        prop_assert_eq!(resize::area(&source, width, height), reference::area(&source, width, height));
    }

    #[test]
    fn masks_of_another_size(source in size().prop_flat_map(mask), (width, height) in (1..140usize, 1..20usize)) {
        let plane = resize::resize(&source.to_plane(), width, height);
        prop_assert_eq!(resize::resize_mask(&source, width, height), BitMask::from_threshold(&plane, RAW_LEVEL));
    }

    #[test]
    fn bilinear(source in size().prop_flat_map(plane), (width, height) in (1..140usize, 1..20usize)) {
        // Positions are whole 1/2048ths of a pixel.
        let slack = 2.0 * 255.0 / 2048.0;
        let (fast, slow) = (resize::bilinear(&source, width, height), reference::bilinear(&source, width, height));
        assert_rounded(&[fast], &[slow], slack);
    }

    #[test]
    fn full_labels((planes, frame, _) in enlarged(), level in 60..200u8) {
        let fast = upsample::full_labels(&planes, None, &frame, level);
        prop_assert!(frame.size() == planes[0].size() || fast == reference::full_labels(&planes, None, &frame, level));
    }

    #[test]
    fn own_masks((planes, frame, full) in enlarged(), level in 60..200u8, changed in 0..5u8) {
        let (width, height) = planes[0].size();
        let small: Vec<_> = full.iter().map(|plane| resize::area(plane, width, height)).collect();
        // From what was averaged to something else altogether, on the right alone or everywhere.
        let planes: Vec<_> = small.iter().zip(&planes).map(|(small, other)| Plane::from_fn(width, height, |x, y| {
            let (small, other) = (u16::from(small.get(x, y)), u16::from(other.get(x, y)));
            let share = if changed == 4 && x < 8 { 0 } else { u16::from(changed) };
            ((small * (4 - share) + other * share) / 4) as u8
        })).collect();
        let own = Own { full: &full, small: &small };
        let labels = upsample::full_labels(&planes, Some(own), &frame, level);
        let probabilities = upsample::full_probabilities(&planes, Some(own), frame.size());
        if frame.size() != (width, height) {
            prop_assert_eq!(&labels, &reference::full_labels(&planes, Some(own), &frame, level));
            prop_assert_eq!(&probabilities, &reference::full_probabilities(&planes, own, frame.size()));
        }
        if changed == 0 {
            prop_assert_eq!(probabilities, full);
        }
    }

    #[test]
    fn own_masks_that_no_filter_changed_come_back((planes, frame, _) in enlarged(), level in 60..200u8) {
        let (width, height) = planes[0].size();
        let labels = upsample::full_labels(&planes, None, &frame, level);
        let full = (1..=planes.len() as u8).map(|class| labels.map(|&label| if label == class { 255 } else { 0 }));
        let full: Vec<_> = full.collect();
        let small: Vec<_> = full.iter().map(|plane| resize::area(plane, width, height)).collect();
        let own = Some(Own { full: &full, small: &small });
        prop_assert!(frame.size() == (width, height) || upsample::full_labels(&small, own, &frame, level) == labels);
    }

    #[test]
    fn color(
        (width, height, bytes) in (1..20usize, 1..20usize)
            .prop_flat_map(|(w, h)| (Just(w), Just(h), vec(any::<u8>(), I420::len_of(w, h)))),
        matrix in prop_oneof![Just(ColorMatrix::Bt601), Just(ColorMatrix::Bt709)],
        range in prop_oneof![Just(ColorRange::Limited), Just(ColorRange::Full)],
    ) {
        let picture = I420 { width, height, bytes: &bytes, matrix, range };
        let (fast, slow) = (rgb_from_i420(picture).unwrap(), reference::rgb_from_i420(picture));
        for (fast, slow) in fast.as_bytes().iter().zip(slow.as_bytes()) {
            prop_assert!(fast.abs_diff(*slow) <= 1, "{fast} instead of {slow}");
        }
    }

    #[test]
    fn local_maximum(source in size().prop_flat_map(plane), radius in 0..12usize) {
        let slow = Plane::from_fn(source.width(), source.height(), |x, y| {
            reference::filter::local_maximum(&source, radius, x, y, u8::cmp)
        });
        prop_assert_eq!(filter::local_maximum(&source, radius), slow);
    }

    #[test]
    fn windows(shot in shot(), size in prop_oneof![Just(3usize), Just(5), Just(7), Just(9)]) {
        let (mean, median) = (run(&mut MovingAverage::new(size), &shot, &[]), run(&mut Median::new(size), &shot, &[]));
        assert_rounded(&mean, &reference::filter::moving_average(&shot, size), 0.0);
        assert_rounded(&median, &reference::filter::median(&shot, size), 0.0);
    }

    #[test]
    fn recursive(shot in shot(), alpha in 0.1..0.9f32, ratio in 0.0..1.0f32) {
        let exponential = run(&mut Exponential::new(alpha), &shot, &[]);
        assert_rounded(&exponential, &reference::filter::exponential(&shot, alpha.into()), 1e-3);
        let uncertainty = run(&mut Uncertainty::new(ratio), &shot, &[]);
        assert_rounded(&uncertainty, &reference::filter::uncertainty(&shot, ratio.into()), 1e-2);
    }

    #[test]
    fn consensus(
        (shot, motions) in prop_oneof![moving_shot(), steady_shot()],
        colors in vec(any::<[u8; 3]>(), 4),
        decay in 0.5..1.0f32,
        frames in prop_oneof![(0..12usize).prop_map(Some), Just(None)],
    ) {
        // A class of few colours on a ground of others, so that colours tell something.
        let pictures: Vec<_> = shot
            .iter()
            .map(|plane| Plane::from_fn(plane.width(), plane.height(), |x, y| {
                colors[usize::from(plane.get(x, y) > 127) * 2 + (x + y) % 2]
            }))
            .collect();
        let look_ahead = frames.map_or(LookAhead::All(All::All), |frames| LookAhead::Frames(frames as u32));
        let mut filter = Consensus::new(decay, look_ahead, 0);
        let mut fast = Vec::new();
        for (t, (plane, picture)) in shot.iter().zip(&pictures).enumerate() {
            filter.show(picture);
            let motion = t.checked_sub(1).map(|before| Arc::new(motions[before].clone()));
            fast.extend(filter.push(std::slice::from_ref(plane), motion.as_ref()));
        }
        fast.extend(filter.finish());
        let slow = reference::filter::consensus(&pictures, &shot, &motions, decay, frames);
        prop_assert_eq!(fast.len(), slow.len());
        let pairs = || fast.iter().zip(&slow).flat_map(|(fast, slow)| fast[0].data().iter().zip(slow.data()));
        // A level rounded the other way may move a decision by a few, and a label to the other side: what it belongs to
        // then flickers or does not.
        let far = pairs().filter(|(fast, slow)| (f64::from(**fast) - *slow).abs() >= 12.0).count();
        prop_assert!(far <= pairs().count() / 50, "{} of {} pixels", far, pairs().count());
        let mean = pairs().map(|(&fast, &slow)| (f64::from(fast) - slow).abs()).sum::<f64>() / pairs().count() as f64;
        prop_assert!(mean < 0.75, "apart by {} in the mean", mean);
    }

    #[test]
    fn noise_of_masks((shot, motions) in prop_oneof![moving_shot(), steady_shot()]) {
        for (t, planes) in shot.windows(3).enumerate() {
            let (planes, motions) = ([&planes[0], &planes[1], &planes[2]], [&motions[t], &motions[t + 1]]);
            let (fast, slow) = (Noise::of(planes, motions), reference::filter::noise(planes, motions));
            prop_assert_eq!(fast.is_some(), slow.is_some());
            if let (Some(fast), Some(slow)) = (fast, slow) {
                prop_assert!((fast.noise - slow.noise).abs() < 1e-4 * slow.noise.abs().max(1.0), "{fast:?} instead of {slow:?}");
                prop_assert!((fast.swelling - slow.swelling).abs() < 1e-3 * slow.swelling.abs().max(1.0), "{fast:?} instead of {slow:?}");
                prop_assert!((fast.softness - slow.softness).abs() < 1e-4 * slow.softness.max(1.0));
            }
        }
    }

    #[test]
    fn steadiness(window in vec((0.0..0.2f32, -0.1..0.15f32, 0.0..5.0f32), 0..9usize)) {
        let noise = |(noise, swelling, softness)| Noise { noise, swelling, softness };
        let window: Vec<_> = window.into_iter().map(noise).collect();
        let (fast, slow) = (filter::steadiness(&window), reference::filter::steadiness(&window));
        prop_assert!((f64::from(fast) - slow).abs() < 1e-5);
    }

    #[test]
    fn keep(
        (own, fused) in prop_oneof![(1..40usize, 1..30usize), (160..180usize, 160..170usize)]
            .prop_flat_map(|size| (smooth(size), smooth(size))),
        share in prop_oneof![Just(0.0f32), Just(1.0), 0.0..1.0f32],
    ) {
        let fast = filter::keep(&own, &fused, share);
        assert_rounded(&[fast], &[reference::filter::keep(&own, &fused, share.into())], 1e-3);
    }

    #[test]
    fn components(mask in size().prop_flat_map(mask), value in any::<bool>()) {
        let mask = Plane::from_fn(mask.width(), mask.height(), |x, y| mask.get(x, y));
        for (connectivity, corners) in [(Connectivity::Four, false), (Connectivity::Eight, true)] {
            let pixels = |part: Vec<filter::Run>| -> Vec<_> {
                part.into_iter().flat_map(|(y, columns)| columns.map(move |x| (x, y))).collect()
            };
            let fast: Vec<_> = filter::components(&mask, value, connectivity).into_iter().map(pixels).collect();
            prop_assert_eq!(fast, reference::filter::components(&mask, value, corners));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hysteresis((shot, motions) in speckled_shot(), high in 0.05..0.95f32, share in 0.0..1.0f32) {
        let low = 0.05 + share * (high - 0.05);
        let masks = reference::filter::hysteresis(&shot, &motions, high, low);
        let fast = run(&mut Hysteresis::new(high, low), &shot, &motions);
        prop_assert_eq!(fast.len(), masks.len());
        for (fast, (mask, plane)) in fast.iter().zip(masks.iter().zip(&shot)) {
            for (fast, (mask, &p)) in fast.data().iter().zip(mask.data().iter().zip(plane.data())) {
                prop_assert_eq!(*fast, if *mask == 1 { p.max(128) } else { p.min(127) });
            }
        }
    }
}
