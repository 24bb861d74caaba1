//! Every kernel gives the same bytes with every level of vector instructions that this processor has.
#![cfg(not(target_arch = "wasm32"))]

use steadymask_core::filter::{Exponential, Median, MovingAverage, TemporalFilter, majority};
use steadymask_core::flow::{self, Preset};
use steadymask_core::metric::Overlap;
use steadymask_core::simd::{self, Level};
use steadymask_core::{BitMask, Plane};

/// All results for frames of this size, as something to compare.
fn results(width: usize, height: usize) -> Vec<String> {
    let mut state = 0x51ed_270bu32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let planes: Vec<_> = (0..11).map(|_| Plane::from_fn(width, height, |_, _| random())).collect();
    let masks: Vec<_> = planes.iter().map(|plane| BitMask::from_threshold(plane, 100)).collect();
    let mut results = vec![format!("{masks:?}"), format!("{:?}", masks[0].to_plane())];
    // Eleven frames: five at a time, then the rest in pairs.
    results.push(format!("{:?}", Overlap::of_neighbours(&masks)));
    results.push(format!("{:?}", Overlap::of_neighbouring_planes(&planes, 60)));
    for size in [3, 5, 7, 9] {
        results.push(format!("{:?}", majority(&masks, size)));
        let filters: [Box<dyn TemporalFilter>; 3] =
            [Box::new(MovingAverage::new(size)), Box::new(Median::new(size)), Box::new(Exponential::new(0.3))];
        for mut filter in filters {
            let pushed: Vec<_> = planes.iter().map(|plane| filter.push(std::slice::from_ref(plane), None)).collect();
            results.push(format!("{pushed:?} {:?}", filter.finish()));
        }
    }
    // Smooth enough to have a flow.
    let picture = |shift: usize| {
        Plane::from_fn(width, height, |x, y| {
            let (x, y) = (x + shift, y + shift / 2);
            (((x * x / 7 + 3 * y) % 97 + (5 * x + y * y / 11) % 101) as u8).wrapping_add(planes[0].get(0, 0) / 9)
        })
    };
    let (a, b) = (picture(0), picture(3));
    for preset in [Preset::UltraFast, Preset::Fast, Preset::Medium] {
        let (forward, backward) =
            (flow::dense_inverse_search(&a, &b, preset), flow::dense_inverse_search(&b, &a, preset));
        let [a, b] = [&a, &b].map(|luma| luma.map(|&v| [v, 255 - v, v / 2]));
        results.push(format!("{:?}", flow::trust(&forward, &backward, &a, &b, 12.0)));
        results.push(format!("{:?}", flow::warp(&planes[0], &forward)));
        results.push(format!("{:?}", flow::warp(&a, &forward)));
        results.push(format!("{:?}", flow::warp_nearest(&planes[0], &forward)));
        results.push(format!("{forward:?}"));
    }
    results
}

#[test]
fn every_level_gives_the_same_bytes() {
    for (width, height) in [(1, 1), (3, 50), (31, 33), (63, 9), (64, 20), (65, 17), (127, 40), (129, 31), (201, 77)] {
        simd::limit(Level::Baseline);
        let expected = results(width, height);
        for most in [Level::Avx2, Level::Avx512] {
            let level = simd::limit(most);
            if level < most {
                eprintln!("{most:?} is not tested: this processor has no more than {level:?}");
            }
            for (i, (got, expected)) in results(width, height).iter().zip(&expected).enumerate() {
                assert!(got == expected, "{width}×{height}, {level:?}: result {i} differs");
            }
        }
    }
}
