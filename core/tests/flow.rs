//! Optical flow: exactness on trivial motion, any size, and agreement with the slow references.

use std::f32::consts::TAU;
use std::path::Path;

use serde::Deserialize;
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
