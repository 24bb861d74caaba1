//! Optical flow: exactness on trivial motion, any size, and agreement with the slow references.

use steadymask_core::Plane;
use steadymask_core::flow::{self, Flow, Preset};

const PRESETS: [Preset; 3] = [Preset::UltraFast, Preset::Fast, Preset::Medium];

/// A smooth picture without symmetry, the same for every size: `(dx, dy)` moves what is seen.
fn scene(width: usize, height: usize, dx: f32, dy: f32) -> Plane<u8> {
    Plane::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32 - dx, y as f32 - dy);
        let value = 128.0
            + 45.0 * (0.21 * x + 0.07 * y).sin()
            + 40.0 * (0.05 * x - 0.17 * y).cos()
            + 25.0 * (0.13 * x + 0.31 * y + 1.0).sin();
        value.round() as u8
    })
}

fn mean_error(flow: &Flow, truth: impl Fn(usize, usize) -> [f32; 2]) -> f32 {
    let width = flow.width();
    let errors = flow.data().iter().enumerate().map(|(i, v)| {
        let t = truth(i % width, i / width);
        (v[0] - t[0]).hypot(v[1] - t[1])
    });
    errors.sum::<f32>() / flow.data().len() as f32
}

#[test]
fn no_motion_gives_no_flow() {
    for preset in PRESETS {
        for (width, height) in [(96, 64), (33, 17), (101, 75)] {
            let still = scene(width, height, 0.0, 0.0);
            let flow = flow::dense_inverse_search(&still, &still, preset);
            assert!(mean_error(&flow, |_, _| [0.0; 2]) < 1e-3, "{preset:?} {width}×{height}");
        }
    }
}

#[test]
fn any_size_is_accepted() {
    for (width, height) in [(1, 1), (1, 300), (7, 5), (8, 8), (9, 31), (33, 17), (40, 9), (63, 64), (129, 8)] {
        for preset in PRESETS {
            let (from, to) = (scene(width, height, 0.0, 0.0), scene(width, height, 1.0, 0.5));
            let flow = flow::dense_inverse_search(&from, &to, preset);
            assert_eq!(flow.size(), (width, height));
            assert!(flow.data().iter().flatten().all(|v| v.is_finite()), "{preset:?} {width}×{height}");
            if width.min(height) < 8 {
                assert!(flow.data().iter().all(|&v| v == [0.0; 2]));
            }
        }
    }
}

#[test]
fn a_shift_is_found() {
    for preset in PRESETS {
        for (dx, dy) in [(0.5, -0.25), (3.0, -2.0), (-9.25, 6.5)] {
            let (from, to) = (scene(214, 121, 0.0, 0.0), scene(214, 121, dx, dy));
            let error = mean_error(&flow::dense_inverse_search(&from, &to, preset), |_, _| [dx, dy]);
            assert!(error < 0.5, "{preset:?} ({dx}, {dy}): {error}");
        }
    }
}
