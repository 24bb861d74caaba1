//! Optical flow: exactness on trivial motion, any size, and agreement with the slow references.

use std::f32::consts::TAU;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use steadymask_core::flow::{self, DenseInverseSearch, Flow, FlowFrame, Preset};
use steadymask_core::{Plane, reference};

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

#[test]
fn one_search_serves_frames_of_any_size() {
    let mut search = DenseInverseSearch::new();
    for (width, height) in [(160, 90), (33, 17), (1, 1), (161, 91), (160, 90)] {
        for preset in PRESETS {
            let (from, to) = (scene(width, height, 0.0, 0.0), scene(width, height, 2.0, -1.0));
            let again = search.calc(&FlowFrame::new(&from, preset), &FlowFrame::new(&to, preset));
            assert_eq!(again, flow::dense_inverse_search(&from, &to, preset), "{preset:?} {width}×{height}");
        }
    }
}

#[test]
fn patches_go_where_an_exhaustive_search_finds_them() {
    let (from, to) = (scene(120, 96, 0.0, 0.0), scene(120, 96, 5.0, -3.0));
    let flow = flow::dense_inverse_search(&from, &to, Preset::Medium);
    for (x, y) in [(20, 20), (60, 40), (85, 70), (31, 66)] {
        let [u, v] = reference::flow::patch_search(&from, &to, x, y, 8);
        assert_eq!([u, v], [5, -3]);
        let found = flow.get(x + 4, y + 4);
        assert!((found[0] - u as f32).abs() < 0.25 && (found[1] - v as f32).abs() < 0.25, "{found:?} at {x}, {y}");
    }
}

#[test]
fn a_cut_is_told_from_motion() {
    let color = |plane: &Plane<u8>| plane.map(|&v| [v, 255 - v, v / 2]);
    let (a, moved) = (scene(120, 96, 0.0, 0.0), scene(120, 96, 4.0, 1.0));
    let other = Plane::from_fn(120, 96, |x, y| ((x / 9 + y / 7) % 2 * 200) as u8);
    for (to, cut) in [(moved, false), (other, true)] {
        let forward = flow::dense_inverse_search(&a, &to, Preset::Medium);
        let backward = flow::dense_inverse_search(&to, &a, Preset::Medium);
        let trust = flow::trust(&forward, &backward, &color(&a), &color(&to), 12.0);
        assert_eq!(flow::is_scene_cut(&trust), cut, "mean trust {}", flow::mean_trust(&trust));
    }
}

/// A plane of any small size, filled from a seed.
fn plane_of<T>(size: (usize, usize), seed: u64, mut value: impl FnMut(&mut dyn FnMut() -> f32) -> T) -> Plane<T> {
    let mut state = seed | 1;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    Plane::from_fn(size.0, size.1, |_, _| value(&mut random))
}

proptest! {
    #[test]
    fn warps_as_the_reference(size in (1usize..20, 1usize..20), seed: u64, reach in 0.0f32..30.0) {
        let vectors = plane_of(size, seed, |random| [0, 1].map(|_| reach * (random() - 0.5)));
        let source = plane_of(size, seed ^ 7, |random| random());
        let expected = reference::flow::warp(&source, &vectors);
        for (got, expected) in flow::warp(&source, &vectors).data().iter().zip(expected.data()) {
            prop_assert!((f64::from(*got) - expected).abs() < 1e-5, "{got}, reference {expected}");
        }
        let bytes = source.map(|v| (v * 255.0) as u8);
        let expected = reference::flow::warp(&bytes.map(|&v| f32::from(v)), &vectors);
        for (got, expected) in flow::warp(&bytes, &vectors).data().iter().zip(expected.data()) {
            prop_assert!((f64::from(*got) - expected).abs() < 2e-3, "{got}, reference {expected}");
        }
        prop_assert_eq!(flow::warp_nearest(&bytes, &vectors), reference::flow::warp_nearest(&bytes, &vectors));
    }

    #[test]
    fn trusts_as_the_reference(size in (1usize..20, 1usize..20), seed: u64, reach in 0.0f32..6.0, sigma in 1.0f32..60.0) {
        let there = plane_of(size, seed, |random| [0, 1].map(|_| reach * (random() - 0.5)));
        let back = plane_of(size, seed ^ 5, |random| [0, 1].map(|_| 0.3 * (random() - 0.5))).map(|v| v.map(|v| v - 0.2));
        let from = plane_of(size, seed ^ 9, |random| [0, 1, 2].map(|_| (255.0 * random()) as u8));
        let to = from.map(|pixel| pixel.map(|v| v.saturating_add((seed % 20) as u8)));
        let expected = reference::flow::trust(&there, &back, &from, &to, f64::from(sigma));
        for (got, expected) in flow::trust(&there, &back, &from, &to, sigma).data().iter().zip(expected.data()) {
            let error = (f64::from(*got) - expected).abs();
            prop_assert!(error < 1e-5 + 1e-3 * expected, "{got}, reference {expected}");
            prop_assert!((0.0..=1.0).contains(got));
        }
    }
}

/// Made by fixtures/make_flow.py, where the fields are explained.
#[derive(Deserialize)]
struct Fixture {
    width: usize,
    height: usize,
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    picture: String,
    motion: String,
    affine: [f32; 6],
    waves: Vec<Wave>,
    opencv_error: f32,
}

#[derive(Deserialize)]
struct Wave {
    u: f32,
    v: f32,
    fx: f32,
    fy: f32,
    phase: f32,
}

impl Pair {
    fn displacement(&self, x: f32, y: f32) -> [f32; 2] {
        let [a, b, c, d, e, f] = self.affine;
        self.waves.iter().fold([a * x + b * y + c, d * x + e * y + f], |[u, v], wave| {
            let s = (TAU * (wave.fx * x + wave.fy * y) + wave.phase).sin();
            [u + wave.u * s, v + wave.v * s]
        })
    }
}

fn gray_png(path: &Path) -> (usize, Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("fixture"));
    let mut reader = png::Decoder::new(file).read_info().expect("PNG header");
    let mut bytes = vec![0; reader.output_buffer_size().expect("size that fits memory")];
    let info = reader.next_frame(&mut bytes).expect("PNG");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Grayscale, png::BitDepth::Eight));
    (info.width as usize, bytes)
}

/// Pairs where OpenCV wins, and by how much at most. On fine texture that grows out of a small frame, its repeated
/// edge happens to continue the motion, where smoothness flattens ours; at 428×240 the two are level.
const LOSSES: [(&str, &str, f32); 1] = [("gravel", "zoom", 1.3)];

/// No pair may be worse than 1.1 times OpenCV's DIS medium, by mean end-point error against the known motion, but
/// for [`LOSSES`], which must go from the list once they are won.
#[test]
fn as_good_as_opencv_on_known_motion() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let json = std::fs::read_to_string(folder.join("flow.json")).expect("fixture");
    let fixture: Fixture = serde_json::from_str(&json).expect("flow.json");
    let (width, height) = (fixture.width, fixture.height);
    let mut worse = Vec::new();
    for pairs in fixture.pairs.chunk_by(|a, b| a.picture == b.picture) {
        let (stride, bytes) = gray_png(&folder.join(format!("flow-{}.png", pairs[0].picture)));
        assert_eq!(stride, width);
        let frames: Vec<_> = bytes
            .chunks_exact(width * height)
            .map(|frame| Plane::from_vec(width, height, frame.to_vec()).expect("whole frame"))
            .collect();
        assert_eq!(frames.len(), pairs.len() + 1);
        for (pair, first) in pairs.iter().zip(&frames[1..]) {
            let flow = flow::dense_inverse_search(first, &frames[0], Preset::Medium);
            let (cx, cy) = ((width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0);
            let error = mean_error(&flow, |x, y| pair.displacement(x as f32 - cx, y as f32 - cy));
            let ratio = error / pair.opencv_error;
            eprintln!(
                "{:8} {:8} {error:.4} px, OpenCV {:.4} px, ratio {ratio:.2}",
                pair.picture, pair.motion, pair.opencv_error
            );
            let loss = LOSSES.iter().find(|loss| (loss.0, loss.1) == (&pair.picture, &pair.motion));
            let allowed = loss.map_or(0.0..=1.1, |loss| 1.1..=loss.2);
            if !allowed.contains(&ratio) {
                worse.push(format!("{} {}: {ratio:.2}", pair.picture, pair.motion));
            }
        }
    }
    assert!(worse.is_empty(), "not the expected share of OpenCV's error: {worse:?}");
}
