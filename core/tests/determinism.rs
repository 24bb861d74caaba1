//! The same bytes everywhere: this test runs natively and in WebAssembly and expects one hash.
//!
//! `cargo test --release -p steadymask-core --target wasm32-unknown-unknown --test determinism`

mod synthetic;

use std::fmt::Debug;

use steadymask_core::{
    All, ColorMatrix, ColorRange, I420, LookAhead, Method, Settings, Stabilizer,
    auto::Trial,
    resize, rgb_from_i420,
    simd::{self, Level},
    upsample,
};
use synthetic::{HEIGHT, WIDTH};

/// What every platform must give. A change here means that results change: say so where it is made.
const EXPECTED: u64 = 0x990c_1ca3_4237_978e;

/// FNV-1a, 64 bits.
struct Hash(u64);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// `Debug` prints floats so that they can be read back exactly.
    fn debug(&mut self, value: &impl Debug) {
        self.bytes(format!("{value:?}").as_bytes());
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn same_bytes_everywhere() {
    for most in [Level::Baseline, Level::Avx2, Level::Avx512] {
        let level = simd::limit(most);
        let got = hash_of_everything();
        assert_eq!(got, EXPECTED, "got {got:#018x} with {level:?}");
    }
}

fn hash_of_everything() -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    let runs = Method::ALL.map(|method| Settings { method, ..Settings::default() });
    let horizons = [LookAhead::Frames(0), LookAhead::Frames(3), LookAhead::All(All::All)];
    let horizons = horizons.map(|look_ahead| Settings { look_ahead, ..Settings::default() });
    for settings in runs.into_iter().chain(horizons) {
        let mut stabilizer = Stabilizer::new(&settings, WIDTH, HEIGHT, 2).expect("valid settings");
        let mut finished = Vec::new();
        for (frame, probabilities) in synthetic::clip() {
            finished.extend(stabilizer.push(frame, probabilities).expect("frames of the size announced"));
        }
        let (rest, summary) = stabilizer.finish();
        for frame in finished.iter().chain(&rest) {
            frame.stabilized.iter().for_each(|plane| hash.bytes(plane.data()));
            hash.debug(&frame.metrics);
        }
        assert_eq!(summary.scene_cuts, [synthetic::CUT], "{:?}", settings.method);
        hash.debug(&summary);
    }

    // Masks that are good already, but for one frame, are treated otherwise.
    let mut stabilizer = Stabilizer::new(&Settings::default(), WIDTH, HEIGHT, 1).expect("valid settings");
    let mut finished = Vec::new();
    for (t, (frame, mask)) in synthetic::spinning(16).into_iter().enumerate() {
        let mask = if t == 7 { mask.map(|_| 0) } else { mask };
        finished.extend(stabilizer.push(frame, vec![mask]).expect("frames of the size announced"));
    }
    finished.extend(stabilizer.finish().0);
    finished.iter().for_each(|frame| hash.bytes(frame.stabilized[0].data()));

    let clock = || 0.0;
    let mut trial = Trial::new(&Settings::default(), WIDTH, HEIGHT, 2).expect("a small clip");
    for (index, (frame, probabilities)) in synthetic::clip().into_iter().enumerate() {
        trial.push(index, frame, &probabilities, &clock).expect("frames of one size");
    }
    hash.debug(&trial.finish(&clock));

    let (frame, planes) = synthetic::clip().swap_remove(0);
    hash.bytes(resize::area_rgb(&frame, 41, 23).as_bytes());
    hash.bytes(resize::bilinear(&planes[0], 131, 97).data());
    let small: Vec<_> = planes.iter().map(|plane| resize::area(plane, WIDTH / 3, HEIGHT / 3)).collect();
    hash.bytes(upsample::full_labels(&small, None, &frame, 100).data());
    let moved: Vec<_> = small.iter().map(|plane| plane.map(|&p| p.saturating_add(40))).collect();
    let own = Some(upsample::Own { full: &planes, small: &small });
    hash.bytes(upsample::full_labels(&moved, own, &frame, 100).data());
    for matrix in [ColorMatrix::Bt601, ColorMatrix::Bt709] {
        for range in [ColorRange::Limited, ColorRange::Full] {
            let bytes = &frame.as_bytes()[..I420::len_of(WIDTH, HEIGHT)];
            let picture = I420 { width: WIDTH, height: HEIGHT, bytes, matrix, range };
            hash.bytes(rgb_from_i420(picture).expect("bytes of the right length").as_bytes());
        }
    }
    hash.0
}
