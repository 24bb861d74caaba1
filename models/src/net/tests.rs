//! The networks against what other programs compute with the same weights. `tests/fixtures/make_lraspp.py`
//! makes torchvision's side.

use std::path::PathBuf;

use burn::tensor::Device;
use safetensors::{Dtype, tensor::TensorView};
use steadymask_core::{Plane, Rgb};

use super::Network;
use crate::{Error, input::tensor_from_frames, output::Logits, weights::StateDict};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

/// The data of a `.npy` file, version 1: a magic number, the length of the header, the header, the values.
fn npy<const N: usize>(name: &str) -> Vec<[u8; N]> {
    let bytes = std::fs::read(fixture(name)).expect("the fixture is there");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[10 + header..].as_chunks().0.to_vec()
}

fn npy_f32(name: &str) -> Vec<f32> {
    npy(name).into_iter().map(f32::from_le_bytes).collect()
}

/// The logits of a batch of frames at their own size.
fn logits(network: &Network, frames: &[&Plane<Rgb>]) -> Logits {
    let input = frames[0].size();
    let tensor = tensor_from_frames(frames, input, network.architecture.normalization, &Device::flex());
    let logits = network.forward(tensor);
    let shape = logits.dims();
    let values = logits.into_data().try_to_vec().expect("32-bit floats");
    Logits { values, shape, alignment: network.architecture.alignment, input }
}

/// Checks that values agree to 1e-4 of the largest.
#[track_caller]
fn assert_close(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |m, v| m.max(v.abs()));
    let apart = ours.iter().zip(theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    println!("off by {apart:e}, {:e} of the largest", apart / largest);
    assert!(apart < 1e-4 * largest, "off by {apart}, with {largest} the largest");
}

#[cfg(feature = "embedded")]
#[test]
fn the_default_network_gives_its_reference_logits() {
    let file = std::fs::File::open(fixture("reference-input.png")).expect("the fixture is there");
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a small picture")];
    let info = reader.next_frame(&mut bytes).expect("a whole PNG");
    let picture = Plane::from_rgb_bytes(info.width as usize, info.height as usize, &bytes).expect("8-bit RGB");
    assert_eq!(picture.size(), (353, 193));

    let weights = StateDict::from_safetensors(crate::weights::embedded::SAFETENSORS).expect("sound weights");
    let network = Network::load(&weights, &Device::flex()).expect("a known network");
    let logits = logits(&network, &[&picture]);
    assert_eq!(logits.shape, [1, 21, 13, 23]);
    assert_close(&logits.values, &npy_f32("reference-logits.npy"));
}

/// `count` numbers from −1 to 1 that depend on `name` only, as the script has them.
fn uniform(name: &str, count: usize) -> Vec<f32> {
    (0..count as u64)
        .map(|i| {
            // splitmix64
            let mut z = ((u64::from(crc32(name)) << 32) + i).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn crc32(name: &str) -> u32 {
    !name
        .bytes()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))))
}

/// The tensor of that name, as the script has it.
fn value(name: &str, shape: &[usize]) -> Vec<f32> {
    let (scale, offset) = match (shape.len(), name.rsplit_once('.').map(|(_, parameter)| parameter)) {
        (4, _) => ((3.0 / shape[1..].iter().product::<usize>() as f32).sqrt(), 0.0),
        (_, Some("weight")) => (0.25, 1.0),
        (_, Some("running_var")) => (0.25, 0.75),
        _ => (0.25, 0.0),
    };
    uniform(name, shape.iter().product()).into_iter().map(|u| u * scale + offset).collect()
}

/// The weights of torchvision's LRASPP that the script computed, as a safetensors file under its names, and
/// `surplus` tensors of one number.
fn lraspp_file(surplus: &[&str]) -> Vec<u8> {
    let list = std::fs::read(fixture("lraspp-tensors.json")).expect("the fixture is there");
    let list: Vec<(String, Vec<usize>, String)> = serde_json::from_slice(&list).expect("a list of tensors");
    let surplus = surplus.iter().map(|name| (name.to_string(), vec![1], "float32".to_owned()));
    let tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = list
        .into_iter()
        .chain(surplus)
        .map(|(name, shape, dtype)| {
            if dtype == "int64" {
                return (name, Dtype::I64, shape, 7i64.to_le_bytes().to_vec());
            }
            let bytes = value(&name, &shape).into_iter().flat_map(f32::to_le_bytes).collect();
            (name, Dtype::F32, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("shape and bytes agree"))
    });
    safetensors::serialize(views, None).expect("a list of tensors")
}

#[test]
fn lraspp_computes_what_torchvision_does() {
    let weights = StateDict::from_safetensors(&lraspp_file(&[])).expect("sound weights");
    let network = Network::load(&weights, &Device::flex()).expect("a known network");
    assert_eq!((network.architecture.name, network.classes()), ("lraspp_mobilenet_v3_large", 21));
    assert_eq!(weights.parameters(), 3_221_538); // as torchvision says

    let (width, height) = (65, 49);
    let pixels = npy::<3>("lraspp-input.npy");
    let frames: Vec<Plane<Rgb>> = pixels
        .chunks_exact(width * height)
        .map(|frame| Plane::from_vec(width, height, frame.to_vec()).expect("a whole frame"))
        .collect();
    let logits = logits(&network, &[&frames[0], &frames[1]]);
    assert_eq!(logits.shape, [2, 21, 7, 9]);
    assert_close(&logits.values, &npy_f32("lraspp-logits.npy"));

    // What torchvision's model returns at the size of the input, each fourth row and column.
    let (columns, rows) = (width.div_ceil(4), height.div_ceil(4));
    let output = npy_f32("lraspp-output.npy");
    let classes: Vec<usize> = (0..21).collect();
    for (index, output) in output.chunks_exact(21 * rows * columns).enumerate() {
        let planes = logits.probabilities(index, (width, height), &classes);
        for place in 0..rows * columns {
            let exponentials = |class: usize| f64::from(output[class * rows * columns + place]).exp();
            let sum: f64 = classes.iter().map(|&class| exponentials(class)).sum();
            for (&class, plane) in classes.iter().zip(&planes) {
                let ours = f64::from(plane.get(place % columns * 4, place / columns * 4));
                let theirs = 255.0 * exponentials(class) / sum;
                assert!((ours - theirs).abs() < 0.51, "class {class}: {ours}, not {theirs}");
            }
        }
    }
}

#[test]
fn surplus_tensors_are_refused() {
    let file = lraspp_file(&["aux_classifier.0.weight", "aux_classifier.1.bias"]);
    let weights = StateDict::from_safetensors(&file).expect("sound weights");
    assert_eq!(
        Network::load(&weights, &Device::flex()).expect_err("it has no second classifier"),
        Error::SurplusTensors {
            network: "lraspp_mobilenet_v3_large",
            count: 2,
            first: "aux_classifier.0.weight".into()
        }
    );
}

#[test]
fn pytorch_files_are_read() {
    let weights = StateDict::from_pytorch(&fixture("tiny.pth")).expect("a state dictionary");
    assert_eq!(weights.names().collect::<Vec<_>>(), ["half", "single"]);
    let single = weights.get("single").expect("it is in the file");
    assert_eq!((single.shape.as_slice(), &single.values), ([2, 3].as_slice(), &uniform("single", 6)));
    let half = weights.get("half").expect("it is in the file");
    assert!(half.values.iter().zip(uniform("half", 6)).all(|(a, b)| (a - b).abs() < 1e-3));
}
