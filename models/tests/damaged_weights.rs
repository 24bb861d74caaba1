//! Weights that are damaged, incomplete or of something else are refused in words, and never with a panic.

use steadymask_models::{DeviceChoice, Error, Result, Segmenter, block_on};

const SOUND: &[u8] = include_bytes!("../weights/deeplabv3_mobilenet_v2-voc21.f16.safetensors");

fn load(bytes: Vec<u8>) -> Result<Segmenter> {
    block_on(Segmenter::from_safetensors(bytes, DeviceChoice::Cpu))
}

/// A file with a header and `data` zero bytes.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// The sound file with one piece of its header put in place of another of the same length.
fn edited(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = SOUND.windows(from.len()).position(|w| w == from.as_bytes()).expect("it is in the header");
    let mut bytes = SOUND.to_vec();
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn sound_weights_load() {
    let segmenter = load(SOUND.to_vec()).expect("they are sound");
    assert_eq!(segmenter.info().name, "deeplabv3_mobilenet_v2");
}

#[test]
fn what_is_no_whole_file_is_refused() {
    let header = usize::try_from(u64::from_le_bytes(SOUND[..8].try_into().expect("8 bytes"))).expect("small");
    for len in [0, 1, 7, 8, 9, 100, 7 + header, 8 + header, 9 + header, SOUND.len() / 2, SOUND.len() - 1] {
        let error = load(SOUND[..len].to_vec()).expect_err("truncated");
        assert!(matches!(error, Error::Weights { .. }), "{len} bytes: {error}");
    }
    let noise = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for bytes in [noise, vec![0; 4096], vec![255; 4096], b"<!doctype html><title>404</title>".to_vec()] {
        assert!(matches!(load(bytes), Err(Error::Weights { .. })));
    }
}

#[test]
fn headers_that_lie_are_refused() {
    for header in [
        r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]}}"#,
        r#"{"a":7}"#,
        "[]",
    ] {
        let error = load(file(header, 8)).expect_err(header);
        assert!(matches!(error, Error::Weights { .. }), "{header}: {error}");
    }
}

#[test]
fn weights_of_something_else_are_refused() {
    let error = load(file(r#"{"transformer.h.0":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8));
    assert_eq!(
        error.expect_err("no network of ours").to_string(),
        "no known network has these tensors: transformer.h.0, … \
         (expected those of deeplabv3_mobilenet_v2, deeplabv3_resnet101, deeplabv3_resnet50, \
         deeplabv3_mobilenet_v3_large, lraspp_mobilenet_v3_large, maskrcnn_resnet50_fpn, resnet50, resnet34, \
         resnet18, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small, efficientnet_b0 or mobilenet_v2_stride16)"
    );
    assert!(matches!(load(file("{}", 0)), Err(Error::UnknownNetwork { .. })));
}

#[test]
fn incomplete_weights_are_refused() {
    let error = load(edited("backbone.features.9.conv.2.bias", "backbone.features.9.conv.2.bia5"));
    assert_eq!(
        error.expect_err("a tensor has another name").to_string(),
        "the weights of deeplabv3_mobilenet_v2 lack the tensor backbone.features.9.conv.2.bias"
    );
    let error = load(edited(r#""shape":[32,3,3,3]"#, r#""shape":[3,32,3,3]"#));
    assert_eq!(
        error.expect_err("a tensor has another shape").to_string(),
        "the tensor backbone.features.0.0.weight has the shape [3, 32, 3, 3], \
         but deeplabv3_mobilenet_v2 wants [32, 3, 3, 3]"
    );
}
