//! The networks against what other programs compute with the same weights. `tests/fixtures/make_networks.py` and
//! `make_lraspp.py` make torchvision's side.

use std::path::PathBuf;

use burn::tensor::Device;
use safetensors::{Dtype, tensor::TensorView};
use steadymask_core::{Plane, Rgb};

use super::{Batch, Graph, Network, OnBurn};
use crate::{
    Card, Classifier, Error, Framing, Head, Task, Weights,
    cpu::{Engine, Width},
    output::Logits,
    pillow,
    weights::StateDict,
};

pub(crate) fn fixture(name: &str) -> PathBuf {
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
    let batch = network.architecture.preparation.batch(frames, input);
    let Batch { values, shape } = on_burn_and_here(network.graph(), &batch).swap_remove(0);
    Logits { values, shape, alignment: network.architecture.alignment, input }
}

/// The outputs of a graph as burn computes them, once the CPU engine was seen to agree with every vector width.
pub(crate) fn on_burn_and_here(graph: &Graph, batch: &Batch) -> Vec<Batch> {
    let on_burn = OnBurn::new(graph, Device::flex());
    let expected = crate::block_on(on_burn.run(batch.clone())).expect("a processor that works");
    for width in Width::all() {
        let outputs = Engine::new(graph, width).run(batch);
        assert_eq!(outputs.len(), expected.len());
        for (output, expected) in outputs.iter().zip(&expected) {
            assert_eq!(output.shape, expected.shape);
            print!("{width:?} ");
            assert_close(&output.values, &expected.values);
        }
    }
    expected
}

/// Checks that values agree to 1e-4 of the largest.
#[track_caller]
pub(crate) fn assert_close(ours: &[f32], theirs: &[f32]) {
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
    let network = Network::load(&weights).expect("a known network");
    let logits = logits(&network, &[&picture]);
    assert_eq!(logits.shape, [1, 21, 13, 23]);
    assert_close(&logits.values, &npy_f32("reference-logits.npy"));
}

/// `count` numbers from −1 to 1 that depend on `name` only, as the script has them.
fn uniform(name: &str, count: usize) -> Vec<f32> {
    (0..count as u64)
        .map(|i| {
            // splitmix64
            let mut z = ((u64::from(crc32(name.as_bytes())) << 32) + i).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))))
}

/// The tensor of that name, as the script has it.
pub(crate) fn value(name: &str, shape: &[usize]) -> Vec<f32> {
    let (scale, offset) = match (shape.len(), name.rsplit_once('.').map(|(_, parameter)| parameter)) {
        (2 | 4, _) => ((3.0 / shape[1..].iter().product::<usize>() as f32).sqrt(), 0.0),
        (_, Some("weight")) => (0.25, 1.0),
        (_, Some("running_var")) => (0.25, 0.75),
        _ => (0.25, 0.0),
    };
    uniform(name, shape.iter().product()).into_iter().map(|u| u * scale + offset).collect()
}

/// Name, shape and type of a tensor.
pub(crate) type Listed = (String, Vec<usize>, String);

/// The tensors of torchvision's network of that name.
pub(crate) fn listed(network: &str) -> Vec<Listed> {
    let list = std::fs::read(fixture(&format!("{network}-tensors.json"))).expect("the fixture is there");
    serde_json::from_slice(&list).expect("a list of tensors")
}

/// The weights that the script computed for these tensors, as they come from a safetensors file.
fn weights(list: Vec<Listed>) -> StateDict {
    StateDict::from_safetensors(&file(list)).expect("sound weights")
}

/// The same as the bytes of the file.
fn file(list: Vec<Listed>) -> Vec<u8> {
    file_of(list, value)
}

/// The bytes of a file with these tensors, which have the values that `value` gives for their names and shapes.
pub(crate) fn file_of(list: Vec<Listed>, value: impl Fn(&str, &[usize]) -> Vec<f32>) -> Vec<u8> {
    let tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = list
        .into_iter()
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

/// The batch of pictures that the script computed.
pub(crate) fn pictures(width: usize, height: usize) -> Vec<Plane<Rgb>> {
    const FRAMES: usize = 3;
    let noise = uniform("picture", FRAMES * width * height * 3);
    let pixel = |index: usize, x: usize, y: usize| {
        let first = ((index * height + y) * width + x) * 3;
        std::array::from_fn(|c| {
            let slope = (3 * x + 5 * y + 40 * c + 70 * index) % 256;
            ((slope + ((noise[first + c] + 1.0) * 128.0) as usize) / 2) as u8
        })
    };
    (0..FRAMES).map(|index| Plane::from_fn(width, height, |x, y| pixel(index, x, y))).collect()
}

/// Every how many of the logits the script kept.
const KEPT: usize = 7;

/// Checks a network against torchvision's of the same name, on a batch of three at an odd size.
#[track_caller]
fn assert_computes_what_torchvision_does(name: &str, list: Vec<Listed>, (width, height): (usize, usize)) {
    let network = Network::load(&weights(list)).expect("a known network");
    assert_eq!((network.architecture.name, network.classes()), (name, 21));
    let frames = pictures(width, height);
    let logits = logits(&network, &frames.iter().collect::<Vec<_>>());
    let kept: Vec<f32> = logits.values.into_iter().step_by(KEPT).collect();
    assert_close(&kept, &npy_f32(&format!("{name}-logits.npy")));
}

/// What torchvision's classifier of that name gave for the script.
#[derive(serde::Deserialize)]
struct Classified {
    parameters: usize,
    squeezed: Vec<f32>,
    middle: Vec<f32>,
    features: Vec<f32>,
}

#[test]
fn every_classifier_computes_what_torchvisions_does() {
    let list = std::fs::read(fixture("classifiers.json")).expect("the fixture is there");
    let list: std::collections::BTreeMap<String, Classified> = serde_json::from_slice(&list).expect("all classifiers");
    assert_eq!(list.len(), 7);
    let pictures = pictures(397, 301);
    let pictures: Vec<_> = pictures.iter().collect();
    for (name, expected) in list {
        let classifier = Classifier::load(&weights(listed(&name)), None).expect("a known network");
        let info = classifier.info();
        assert_eq!((info.architecture, info.parameters), (name.as_str(), expected.parameters));
        assert_eq!(info.classes, ["class0", "class1"]);
        print!("{name}: features ");
        let features = classifier.features(&pictures).expect("sound weights").concat();
        assert_eq!(features.len(), 3 * classifier.features_len());
        assert_close(&features.into_iter().step_by(16).collect::<Vec<_>>(), &expected.features);
        print!("  squeezed ");
        assert_close(&classifier.logits(&pictures).expect("sound weights").concat(), &expected.squeezed);
        print!("  middle ");
        let classifier = classifier.with_framing(Framing::Middle);
        assert_close(&classifier.logits(&pictures).expect("sound weights").concat(), &expected.middle);
    }
}

/// The tensors of torchvision's ResNet-18 under other names.
fn renamed(rename: impl Fn(&str) -> String) -> Vec<Listed> {
    listed("resnet18").into_iter().map(|(name, shape, dtype)| (rename(&name), shape, dtype)).collect()
}

#[test]
fn a_classifiers_last_layer_may_end_a_sequence() {
    for last in ["fc.1", "fc.12"] {
        let list = renamed(|name| name.replace("fc.", &format!("{last}.")));
        let classifier = Classifier::load(&weights(list), None).expect("as people have it who put a dropout before");
        assert_eq!(classifier.info().architecture, "resnet18");
    }
}

#[test]
fn what_is_not_quite_a_classifier_is_refused() {
    let network = "resnet18";
    let refused = |list: Vec<Listed>| Classifier::load(&weights(list), None).expect_err("it is damaged").to_string();
    let changed = |tensor: &str, shape: &[usize]| {
        let mut list = listed(network);
        list.iter_mut().find(|(name, ..)| name == tensor).expect("it is in the list").1 = shape.to_vec();
        list
    };
    let without = |tensor: &str| {
        let mut list = listed(network);
        list.retain(|(name, ..)| name != tensor);
        list
    };
    let with = |tensor: &str| {
        let mut list = listed(network);
        list.push((tensor.into(), vec![2, 2], "float32".into()));
        list
    };
    let said = [
        (changed("fc.weight", &[1, 512]), "does not tell two classes or more apart"),
        (changed("fc.weight", &[0, 512]), "does not tell two classes or more apart"),
        (changed("fc.weight", &[2, 2048]), "fc.weight has the shape [2, 2048], but resnet18 wants [2, 512]"),
        (changed("fc.weight", &[2]), "fc.weight has the shape [2]"),
        (changed("fc.bias", &[3]), "fc.bias has the shape [3]"),
        (changed("conv1.weight", &[64, 1, 7, 7]), "conv1.weight has the shape [64, 1, 7, 7]"),
        (without("fc.bias"), "lack the tensor fc.bias"),
        (without("layer2.1.bn2.running_var"), "lack the tensor layer2.1.bn2.running_var"),
        (with("fc.3.weight"), "fc.3.weight has the shape [2, 2]"),
        (with("layer5.0.conv1.weight"), "1 tensors have no place in resnet18, the first is layer5.0.conv1.weight"),
        (vec![("fc.weight".into(), vec![2, 512], "float32".into())], "no known network has these tensors: fc.weight"),
        (listed("lraspp_mobilenet_v3_large"), "of a segmentation network"),
    ];
    for (list, words) in said {
        let told = refused(list);
        assert!(told.contains(words), "{words:?} is expected, but: {told}");
    }
    let told = Network::load(&weights(listed(network))).expect_err("it does not segment").to_string();
    assert!(told.contains("they are of a classifier"), "{told}");
}

#[cfg(feature = "embedded")]
#[test]
fn a_classifier_gets_a_new_last_layer() {
    let body = Weights::default_body().expect("the weights are sound");
    let contents = body.contents();
    assert_eq!((contents.architecture, contents.task), ("mobilenet_v2_stride16", Task::Classification));
    let features = body.classifier().expect("a classifier").features_len();
    assert_eq!(features, 320);

    let weights = |class: usize| (0..features).map(|i| ((i * 7 + class * 3) % 11) as f32 / 11.0).collect();
    let head = Head { weights: (0..3).map(weights).collect(), bias: vec![0.5, 0.0, -0.5] };
    let card = Card {
        classes: ["clean", "dusty", "dirty"].map(String::from).to_vec(),
        framing: Framing::Middle,
        temperature: 2.0,
        calibration: None,
        training: None,
    };
    let trained = body.with_head(&head, card.clone()).expect("it fits");
    let bytes = trained.to_safetensors().expect("it was read");
    let classifier = Classifier::from_safetensors(&bytes).expect("what was written");
    assert_eq!((classifier.card(), &classifier.info().classes), (&card, &card.classes));

    // The logits are the last layer's, the probabilities those of half of them.
    let pictures = pictures(90, 61);
    let pictures: Vec<_> = pictures.iter().collect();
    let features = classifier.features(&pictures).expect("sound weights");
    let logits = classifier.logits(&pictures).expect("sound weights");
    for (features, logits) in features.iter().zip(&logits) {
        for ((weights, bias), logit) in head.weights.iter().zip(&head.bias).zip(logits) {
            let sum = features.iter().zip(weights).map(|(f, w)| f * w).sum::<f32>() + bias;
            assert!((sum - logit).abs() < 1e-4, "{sum} {logit}");
        }
        let probabilities = classifier.probabilities(logits);
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let odds = (probabilities[0] / probabilities[1]).ln();
        assert!((odds - f64::from(logits[0] - logits[1]) / 2.0).abs() < 1e-5, "{odds}");
    }

    let refused = |head: &Head, card: Card| body.with_head(head, card).err().expect("it does not fit").to_string();
    assert!(refused(&head, Card { temperature: 0.0, ..card.clone() }).contains("temperature is 0"));
    assert!(refused(&head, Card { temperature: f64::NAN, ..card.clone() }).contains("temperature is NaN"));
    assert!(refused(&head, Card { classes: vec!["clean".into()], ..card.clone() }).contains("1 classes are named"));
    let narrow = Head { weights: vec![vec![0.0; 319]; 3], bias: vec![0.0; 3] };
    assert!(refused(&narrow, card.clone()).contains("expected 320 weights"));
    // A card that was tampered with.
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let text = String::from_utf8_lossy(&bytes[8..header]).replace(r#"temperature\":2.0"#, r#"temperature\":0.0"#);
    let tampered = [&bytes[..8], text.as_bytes(), &bytes[header..]].concat();
    let told = Classifier::from_safetensors(&tampered).expect_err("no such temperature").to_string();
    assert!(told.contains("its card is wrong: the temperature is 0 (expected 0.01 to 100)"), "{told}");
}

#[test]
fn a_classifier_is_found_in_a_checkpoint() {
    for prefix in ["", "module.", "state_dict.module.", "model."] {
        let bytes = file(renamed(|name| format!("{prefix}{name}")));
        let path = std::env::temp_dir().join(format!("steadymask-{}-{prefix}safetensors", std::process::id()));
        std::fs::write(&path, bytes).expect("a temporary file");
        let weights = Weights::open(&path).expect("a known network");
        std::fs::remove_file(&path).expect("a temporary file");
        let contents = weights.contents();
        assert_eq!((contents.architecture, contents.prefix.as_str()), ("resnet18", prefix));
        assert_eq!((contents.task, contents.left_out), (Task::Classification, 0));
        assert_eq!(weights.card().map(|card| card.temperature), Some(1.0));
    }
}

#[test]
fn heat_shows_where_the_verdict_comes_from() {
    // Something on the left alone: blurring it changes the answer, blurring the right does not.
    let classifier = Classifier::load(&weights(listed("resnet18")), None).expect("a known network");
    let gray = [124, 116, 104];
    let picture = Plane::from_fn(300, 200, |x, y| if x < 80 { [(x * 9) as u8, (y * 5) as u8, 20] } else { gray });
    let map = classifier.heat_map(&picture, 1).expect("sound weights");
    assert_eq!(map.fall.size(), picture.size());
    let mean = |from: usize, to: usize| {
        let values = (0..200).flat_map(|y| (from..to).map(move |x| (x, y))).map(|(x, y)| map.fall.get(x, y).abs());
        values.sum::<f32>() / (200 * (to - from)) as f32
    };
    assert!(map.greatest > 0.0 && mean(0, 80) > 20.0 * mean(220, 300), "{} {}", mean(0, 80), mean(220, 300));
    assert_eq!(classifier.heat_map(&picture, 2), Err(Error::ClassId { id: 2, last: 1 }));
    // Of what is very long there is no middle, but all of it can be squeezed.
    let long = Plane::filled(9000, 2, gray);
    assert!(classifier.logits(&[&long]).is_ok());
    // What the network is not shown has no part in it.
    let classifier = classifier.with_framing(Framing::Middle);
    assert_eq!(classifier.logits(&[&long]), Err(Error::PictureShape { width: 9000, height: 2, longest: 32 }));
    let map = classifier.heat_map(&picture, 1).expect("sound weights");
    assert!((0..200).all(|y| map.fall.get(0, y) == 0.0 && map.fall.get(299, y) == 0.0));
    assert!(map.greatest > 0.0);
}

fn without_auxiliary(mut list: Vec<Listed>) -> Vec<Listed> {
    list.retain(|(name, ..)| !name.starts_with("aux_classifier."));
    list
}

#[test]
fn every_network_computes_what_torchvisions_does() {
    // Names, sizes, and the numbers of parameters that torchvision tells of its official weights.
    for (name, size, parameters) in [
        ("deeplabv3_resnet101", (305, 49), 60_996_202),
        ("deeplabv3_resnet50", (305, 49), 42_004_074),
        ("deeplabv3_mobilenet_v3_large", (609, 49), 11_029_328),
        ("lraspp_mobilenet_v3_large", (305, 49), 3_221_538),
    ] {
        let list = listed(name);
        let learned = list.iter().filter(|(name, _, dtype)| dtype != "int64" && !name.contains(".running_"));
        assert_eq!(learned.map(|(_, shape, _)| shape.iter().product::<usize>()).sum::<usize>(), parameters, "{name}");
        print!("{name}: ");
        assert_computes_what_torchvision_does(name, list, size);
    }
}

#[test]
fn the_auxiliary_classifier_may_be_missing() {
    for (name, size) in [("deeplabv3_resnet50", (305, 49)), ("deeplabv3_mobilenet_v3_large", (609, 49))] {
        let list = listed(name);
        let all = list.len();
        let list = without_auxiliary(list);
        assert_eq!(all - list.len(), 8, "a convolution, a batch norm and a classifier");
        assert_computes_what_torchvision_does(name, list, size);
    }
}

#[test]
fn a_damaged_auxiliary_classifier_is_refused() {
    let load = |list| Network::load(&weights(list)).expect_err("it is damaged");
    let name = "deeplabv3_mobilenet_v3_large";
    let mut incomplete = listed(name);
    incomplete.retain(|(name, ..)| name != "aux_classifier.1.running_var");
    assert_eq!(load(incomplete), Error::MissingTensor { network: name, tensor: "aux_classifier.1.running_var".into() });
    let mut other = listed(name);
    let last = other.iter_mut().find(|(name, ..)| name == "aux_classifier.4.weight").expect("it is in the list");
    last.1[0] = 2;
    let expected = Error::TensorShape {
        network: name,
        tensor: "aux_classifier.4.weight".into(),
        actual: vec![2, 10, 1, 1],
        expected: vec![21, 10, 1, 1],
    };
    assert_eq!(load(other), expected);
}

#[test]
fn the_probabilities_of_lraspp_are_torchvisions() {
    let weights = weights(listed("lraspp_mobilenet_v3_large"));
    let network = Network::load(&weights).expect("a known network");
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
fn scaling_is_pillows_to_the_bit() {
    let list = std::fs::read(fixture("scaling.json")).expect("the fixture is there");
    let list: Vec<(usize, usize, usize, usize, u32)> = serde_json::from_slice(&list).expect("a list of sizes");
    assert_eq!(list.len(), 13);
    for (width, height, to_width, to_height, expected) in list {
        let scaled = pillow::bilinear(&pictures(width, height)[0], to_width, to_height);
        assert_eq!(scaled.size(), (to_width, to_height));
        assert_eq!(crc32(scaled.as_bytes()), expected, "{width}×{height} to {to_width}×{to_height}");
    }
}

#[test]
fn surplus_tensors_are_refused() {
    let mut list = listed("lraspp_mobilenet_v3_large");
    let surplus = ["aux_classifier.0.weight", "aux_classifier.1.bias"];
    list.extend(surplus.map(|name| (name.to_owned(), vec![1], "float32".to_owned())));
    assert_eq!(
        Network::load(&weights(list)).expect_err("it has no second classifier"),
        Error::SurplusTensors {
            network: "lraspp_mobilenet_v3_large",
            count: 2,
            first: "aux_classifier.0.weight".into()
        }
    );
}

#[test]
fn pytorch_files_are_read() {
    let weights = StateDict::from_file(&fixture("tiny.pth")).expect("a state dictionary");
    assert_eq!(weights.names().collect::<Vec<_>>(), ["half", "single"]);
    let single = weights.get("single").expect("it is in the file");
    assert_eq!((single.shape.as_slice(), &single.values), ([2, 3].as_slice(), &uniform("single", 6)));
    let half = weights.get("half").expect("it is in the file");
    assert!(half.values.iter().zip(uniform("half", 6)).all(|(a, b)| (a - b).abs() < 1e-3));
}

#[test]
fn a_name_that_confuses_the_reader_of_archives_is_told() {
    let told =
        StateDict::from_file(&fixture("twenty_one_characters.pth")).err().expect("it cannot be read").to_string();
    assert!(told.contains("the name it was saved under has 21 characters"), "{told}");
}
