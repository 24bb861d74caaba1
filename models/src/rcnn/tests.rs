//! Mask R-CNN against torchvision's with the same weights, step by step and from frame to objects.
//! `tests/fixtures/make_mask_rcnn.py` makes torchvision's side.

use std::sync::LazyLock;

use super::*;
use crate::{
    DeviceChoice, Segmenter,
    net::tests::{Listed, assert_close, file_of, fixture, listed, on_burn_and_here, pictures, value},
    weights::StateDict,
};

const NAME: &str = "maskrcnn_resnet50_fpn";
/// Of the frame, and of what the network is shown of it.
const FRAME: (usize, usize) = (150, 110);
const INPUT: (usize, usize) = (174, 128);
/// Every how many values the script kept, of how many proposals it looked at what is seen of them.
const KEPT: usize = 97;
const SEEN: usize = 20;
/// Pixels by which an object's area may be off, and a proposal's: where it was made of an anchor of 724 pixels, millionths
/// of a correction count.
const OBJECT_PIXELS: f32 = 1e-3;
const PROPOSAL_PIXELS: f32 = 4e-3;

/// The tensor of that name, as the script has it.
fn tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let factor = match name {
        "rpn.head.bbox_pred.weight" | "roi_heads.box_predictor.bbox_pred.weight" => 0.15,
        "roi_heads.box_predictor.cls_score.weight" => 0.35,
        "roi_heads.mask_predictor.mask_fcn_logits.weight" => 0.5,
        _ => 1.0,
    };
    let mut values: Vec<f32> = value(name, shape).into_iter().map(|value| value * factor).collect();
    if name == "roi_heads.box_predictor.cls_score.bias" {
        for (class, offset) in [(0, 9.0), (20, -1.0), (22, -3.5), (43, -1.0), (60, -3.5)] {
            values[class] += offset;
        }
    }
    values
}

fn weights(list: Vec<Listed>) -> StateDict {
    StateDict::from_safetensors(&file_of(list, tensor)).expect("sound weights")
}

static NETWORK: LazyLock<Network> = LazyLock::new(|| Network::load(&weights(listed(NAME))).expect("a known network"));

fn placed(network: &Network, width: Width) -> MaskRcnn {
    MaskRcnn::new(network, network.heads().expect("it finds objects"), width)
}

/// What the script kept.
struct Expected(StateDict);

impl Expected {
    fn load() -> Self {
        let bytes = std::fs::read(fixture(&format!("{NAME}.safetensors"))).expect("the fixture is there");
        Self(StateDict::from_safetensors(&bytes).expect("what the script wrote"))
    }

    fn get(&self, name: &str) -> &[f32] {
        &self.0.get(name).expect("it is in the fixture").values
    }

    fn areas(&self, name: &str) -> Vec<Area> {
        let areas = self.get(name).as_chunks().0.iter();
        areas.map(|&[left, top, right, bottom]| Area { left, top, right, bottom }).collect()
    }
}

/// The largest distance of two edges.
fn apart(a: Area, b: Area) -> f32 {
    let edges = [(a.left, b.left), (a.top, b.top), (a.right, b.right), (a.bottom, b.bottom)];
    edges.into_iter().fold(0.0, |apart, (a, b)| apart.max((a - b).abs()))
}

/// Finds for each of theirs the nearest of ours, which are as many, none of them twice, and less than `pixels` away.
/// (The order is that of scores, of which some are nearly equal.)
#[track_caller]
fn pair_up<A, B>(ours: &[A], theirs: &[B], pixels: f32, apart: impl Fn(&A, &B) -> f32) -> Vec<usize> {
    assert_eq!(ours.len(), theirs.len());
    let nearest = |theirs: &B| {
        let all = ours.iter().map(|ours| apart(ours, theirs)).enumerate();
        all.min_by(|a, b| a.1.total_cmp(&b.1)).expect("there are some")
    };
    let (order, off): (Vec<usize>, Vec<f32>) = theirs.iter().map(nearest).unzip();
    let off = off.into_iter().fold(0.0, f32::max);
    println!("{} areas off by {off:e} pixels", ours.len());
    assert!(off < pixels, "{off}");
    assert_eq!(order.iter().collect::<std::collections::BTreeSet<_>>().len(), ours.len());
    order
}

/// All values of a map, channels side by side.
fn side_by_side(map: &Map) -> Vec<f32> {
    (0..map.places()).flat_map(|place| map.at(place).to_vec()).collect()
}

/// All values of pictures whose channels lie side by side, channel by channel, every `step`th.
fn channel_by_channel(values: &[f32], channels: usize, places: usize, step: usize) -> Vec<f32> {
    let pictures = values.chunks_exact(channels * places);
    let planes =
        pictures.flat_map(|picture| (0..channels).flat_map(|c| picture[c..].iter().step_by(channels).copied()));
    planes.step_by(step).collect()
}

#[test]
fn every_step_is_torchvisions() {
    let expected = Expected::load();
    let frame = &pictures(FRAME.0, FRAME.1)[0];
    for width in Width::all() {
        println!("{width:?}");
        let network = placed(&NETWORK, width);
        let seen = network.see(frame, INPUT).expect("sound weights");
        assert_eq!((seen.filled, seen.levels.len(), seen.said.len()), ((192, 128), LEVELS, LEVELS + 1));
        for (level, map) in seen.levels.iter().enumerate() {
            let values = channel_by_channel(&side_by_side(map), CHANNELS, map.places(), KEPT);
            assert_close(&values, expected.get(&format!("level{level}")));
        }
        for (level, map) in seen.said.iter().enumerate() {
            let values: Vec<f32> = side_by_side(map).into_iter().step_by(KEPT).collect();
            assert_close(&values, expected.get(&format!("said{level}")));
        }

        let proposals = expected.areas("proposals");
        pair_up(&network.proposals(&seen), &proposals, PROPOSAL_PIXELS, |&ours, &theirs| apart(ours, theirs));

        // From here on with torchvision's proposals.
        for (name, side) in [("seen7", BOX_SIDE), ("seen14", MASK_SIDE)] {
            let len = side * side * CHANNELS;
            let mut values = vec![0.0; SEEN * len];
            for (&area, to) in proposals.iter().zip(values.chunks_exact_mut(len)) {
                pooling::pool(&seen.levels, area, side, to, CHANNELS);
            }
            assert_close(&channel_by_channel(&values, CHANNELS, side * side, KEPT), expected.get(name));
        }
        let [logits, corrections] = network.judge(&seen, &proposals).expect("sound weights");
        for (map, name, step) in [(logits, "logits", 7), (corrections, "corrections", 23)] {
            let values: Vec<f32> = side_by_side(&map).into_iter().step_by(step).collect();
            assert_close(&values, expected.get(name));
        }
    }
}

#[test]
fn objects_are_torchvisions() {
    let expected = Expected::load();
    let frame = &pictures(FRAME.0, FRAME.1)[0];
    let labels = expected.areas("boxes").into_iter().zip(expected.get("labels")).zip(expected.get("scores"));
    let theirs: Vec<Object> =
        labels.map(|((area, &class), &score)| Object { class: class as usize, score, area }).collect();
    for width in Width::all() {
        println!("{width:?}");
        let network = placed(&NETWORK, width);
        let seen = network.see(frame, INPUT).expect("sound weights");
        let objects = network.objects(&seen, &network.proposals(&seen)).expect("sound weights");
        let order = pair_up(&objects, &theirs, OBJECT_PIXELS, |ours, theirs| {
            let apart = apart(ours.area.scaled(INPUT, FRAME), theirs.area);
            if ours.class == theirs.class { apart } else { f32::INFINITY }
        });
        let objects: Vec<Object> = order.into_iter().map(|index| objects[index]).collect();
        assert_close(&objects.iter().map(|object| object.score).collect::<Vec<_>>(), expected.get("scores"));

        let masks = network.masks(&seen, &objects).expect("sound weights");
        let values: Vec<f32> = masks.iter().flat_map(|mask| mask.data().to_vec()).step_by(7).collect();
        assert_close(&values, expected.get("masks"));
        let pasted: Vec<f32> = objects.iter().zip(&masks).flat_map(|(o, mask)| pasted(o, mask).into_vec()).collect();
        assert_close(&pasted.into_iter().step_by(101).collect::<Vec<_>>(), expected.get("pasted"));
    }
}

/// The mask of an object on the whole frame.
fn pasted(object: &Object, mask: &Plane<f32>) -> Plane<f32> {
    let mut plane = Plane::filled(FRAME.0, FRAME.1, 0.0);
    masks::paste(mask, object.area.scaled(INPUT, FRAME), FRAME, |x, y, value| plane.row_mut(y)[x] = value);
    plane
}

#[test]
fn a_class_is_as_likely_as_its_likeliest_object() {
    let network = placed(&NETWORK, Width::best());
    let frame = &pictures(FRAME.0, FRAME.1)[0];
    let seen = network.see(frame, INPUT).expect("sound weights");
    let objects = network.objects(&seen, &network.proposals(&seen)).expect("sound weights");
    let masks = network.masks(&seen, &objects).expect("sound weights");
    let highest = |class: Option<usize>| {
        let mut plane = Plane::filled(FRAME.0, FRAME.1, 0f32);
        for (object, mask) in objects.iter().zip(&masks).filter(|(o, _)| class.is_none_or(|class| class == o.class)) {
            let pasted = pasted(object, mask);
            plane = Plane::from_fn(FRAME.0, FRAME.1, |x, y| plane.get(x, y).max(object.score * pasted.get(x, y)));
        }
        plane.map(|probability| (255.0 * probability + 0.5) as u8)
    };
    let segment = |classes: &[usize]| network.segment(frame, classes, INPUT, FRAME).expect("sound weights");
    let any = highest(None);
    assert!(any.data().iter().max() > Some(&10), "{:?}", any.data().iter().max());
    assert_eq!(segment(&[]), std::slice::from_ref(&any));
    assert_eq!(segment(&[43, 1, 20]), [highest(Some(43)), highest(Some(1)), highest(Some(20))]);
    assert_eq!(segment(&[8, 0]), [highest(Some(8)), any.map(|value| 255 - value)]);
    // At another size the masks lie on other pixels, not elsewhere.
    let [large] = &network.segment(frame, &[], INPUT, (300, 220)).expect("sound weights")[..] else {
        panic!("one plane")
    };
    let mean = |plane: &Plane<u8>| plane.data().iter().map(|&v| f64::from(v)).sum::<f64>() / plane.data().len() as f64;
    assert!((mean(large) / mean(&any) - 1.0).abs() < 0.1, "{} {}", mean(large), mean(&any));
}

#[test]
fn the_engine_computes_what_burn_does() {
    let frame = &pictures(FRAME.0, FRAME.1)[0];
    let normalization = NETWORK.architecture.preparation.normalization;
    on_burn_and_here(NETWORK.graph(), &filled(frame, (64, 33), normalization));
}

#[test]
fn older_names_are_of_the_same_network() {
    let older = |name: &str| {
        let mut name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.");
        for number in 0..4 {
            name = name.replace(&format!("_blocks.{number}.0."), &format!("_blocks.{number}."));
            name = name.replace(&format!("mask_head.{number}.0."), &format!("mask_head.mask_fcn{}.", number + 1));
        }
        name
    };
    let list = listed(NAME);
    let renamed: Vec<Listed> =
        list.iter().map(|(name, shape, dtype)| (older(name), shape.clone(), dtype.clone())).collect();
    assert_eq!(renamed.iter().zip(&list).filter(|(a, b)| a.0 != b.0).count(), 2 * (1 + 8 + 4));
    let newer = |name: &str| list.iter().find(|(newer, ..)| older(newer) == name).map(|(newer, ..)| newer.clone());
    let bytes = file_of(renamed, |name, shape| tensor(&newer(name).expect("a name of the list"), shape));
    let renamed = StateDict::from_safetensors(&bytes).expect("sound weights");
    // torchvision does not count the scales and shifts of frozen batch norms, 53 120 numbers.
    assert_eq!(renamed.parameters(), 44_401_393 + 53_120);
    let renamed = Network::load(&renamed).expect("a known network");
    assert_eq!((renamed.architecture.name, renamed.classes()), (NAME, 91));

    let frame = &pictures(FRAME.0, FRAME.1)[0];
    let run = |network: &Network| {
        let network = placed(network, Width::best());
        let seen = network.see(frame, INPUT).expect("sound weights");
        network.objects(&seen, &network.proposals(&seen)).expect("sound weights")
    };
    let objects = run(&renamed);
    assert!(!objects.is_empty());
    assert_eq!(objects, run(&NETWORK));
}

#[test]
fn heads_of_different_sizes_are_refused() {
    let mut list = listed(NAME);
    let logits = "roi_heads.mask_predictor.mask_fcn_logits.weight";
    list.iter_mut().find(|(name, ..)| name == logits).expect("it is in the list").1[0] = 90;
    let expected = Error::TensorShape {
        network: NAME,
        tensor: logits.into(),
        actual: vec![90, 256, 1, 1],
        expected: vec![91, 256, 1, 1],
    };
    assert_eq!(Network::load(&weights(list)).expect_err("one class has no mask"), expected);
}

#[test]
fn numbers_that_are_none_are_told() {
    let spoiled = |at: &str| {
        let bytes = file_of(listed(NAME), |name, shape| {
            let mut values = tensor(name, shape);
            if name == at {
                values[0] = f32::NAN;
            }
            values
        });
        let network =
            Network::load(&StateDict::from_safetensors(&bytes).expect("a whole file")).expect("a known network");
        let frame = &pictures(64, 48)[0];
        placed(&network, Width::best()).segment(frame, &[], frame.size(), frame.size())
    };
    for at in ["backbone.body.conv1.weight", "roi_heads.box_head.fc7.bias", "roi_heads.mask_head.0.0.bias"] {
        assert!(matches!(spoiled(at), Err(Error::Garbage { .. })), "{at}");
    }
}

#[test]
fn a_segmenter_says_what_it_can_do() {
    let load = |choice| crate::block_on(Segmenter::from_safetensors(file_of(listed(NAME), tensor), choice));
    let segmenter = load(DeviceChoice::Auto).expect("sound weights");
    assert_eq!((segmenter.info().architecture, segmenter.device().name.as_str()), (NAME, "cpu"));
    assert_eq!(segmenter.device().reason, "maskrcnn_resnet50_fpn runs on the CPU only");
    assert_eq!(segmenter.class_ids(&["truck".into(), "motorbike".into(), "car".into()]), Ok(vec![8, 4, 3]));
    let told = segmenter.class_ids(&["N/A".into()]).expect_err("no class").to_string();
    assert!(told.starts_with("no such class: N/A (expected one of background, person, ") && !told.contains(", N/A"));
    let frame = &pictures(64, 48)[0];
    assert_eq!(crate::block_on(segmenter.logits(&[frame])), Err(Error::NoLogits { network: NAME }));
    let told = load(DeviceChoice::WebGpu).expect_err("it cannot be had").to_string();
    assert!(told.contains("CPU only"), "{told}");
}
