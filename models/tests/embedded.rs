//! The default network: against its reference, and what a segmenter promises for frames of any kind.
#![cfg(feature = "embedded")]

use std::sync::LazyLock;

use steadymask_core::{Plane, Rgb};
use steadymask_models::{DeviceChoice, Error, Segmenter, VOC_CLASSES, block_on};

static SEGMENTER: LazyLock<Segmenter> =
    LazyLock::new(|| block_on(Segmenter::embedded(DeviceChoice::Cpu)).expect("the weights are sound"));

/// A picture with some structure in it.
fn frame(width: usize, height: usize, seed: usize) -> Plane<Rgb> {
    Plane::from_fn(width, height, |x, y| {
        [(x * 7 + seed * 31) as u8, (y * 5 + x / 3) as u8, ((x / 8 + y / 8 + seed) % 2 * 200) as u8]
    })
}

fn segment(frames: &[&Plane<Rgb>], class_ids: &[usize]) -> Vec<Vec<Plane<u8>>> {
    block_on(SEGMENTER.segment(frames, class_ids)).expect("sound frames")
}

#[test]
fn it_says_what_it_is() {
    assert_eq!(SEGMENTER.info().name, "deeplabv3_mobilenet_v2-voc21");
    assert_eq!(SEGMENTER.info().architecture, "deeplabv3_mobilenet_v2");
    assert_eq!(SEGMENTER.info().parameters, 2_097_013);
    assert_eq!(SEGMENTER.classes(), VOC_CLASSES);
    assert_eq!((SEGMENTER.device().name.as_str(), SEGMENTER.device().reason.as_str()), ("cpu", "asked for"));
}

#[test]
fn frames_of_any_size_keep_their_size() {
    for (width, height) in [(1, 1), (17, 300), (300, 17), (1, 700), (241, 433), (640, 3)] {
        let planes = segment(&[&frame(width, height, 1)], &[0, 15]);
        assert_eq!(planes.len(), 1);
        assert_eq!(planes[0].len(), 2);
        assert!(planes[0].iter().all(|plane| plane.size() == (width, height)), "{width}×{height}");
    }
}

#[test]
fn a_batch_gives_what_its_frames_give_alone() {
    let frames = [frame(90, 61, 1), frame(90, 61, 2), frame(90, 61, 3)];
    let batch = segment(&frames.each_ref(), &[15, 12, 0]);
    for (frame, together) in frames.iter().zip(&batch) {
        assert_eq!(&segment(&[frame], &[15, 12, 0])[0], together);
    }
    assert!(segment(&[], &[15]).is_empty());
}

#[test]
fn what_a_network_is_shown_is_of_the_size_asked_for() {
    let frame = frame(400, 300, 5);
    for (side, input_size) in
        [(None, (433, 321)), (Some(257), (337, 257)), (Some(64), (81, 65)), (Some(1080), (1025, 769))]
    {
        assert_eq!(SEGMENTER.input_size(frame.size(), side), input_size, "{side:?}");
        let shown = SEGMENTER.shown(&frame, input_size);
        assert_eq!(shown.size(), input_size);
        let at =
            |frame| block_on(SEGMENTER.segment_at(&[frame], &[12, 15], input_size, (40, 30))).expect("sound frames");
        let planes = at(&shown);
        assert!(planes[0].iter().all(|plane| plane.size() == (40, 30)));
        assert_eq!(planes, at(&frame), "frames may be scaled before or by it");
    }
    let own = SEGMENTER.input_size(frame.size(), None);
    assert_eq!(block_on(SEGMENTER.segment_at(&[&frame], &[15], own, frame.size())), Ok(segment(&[&frame], &[15])));
}

#[test]
fn logits_are_what_probabilities_are_made_of() {
    let frames = [frame(90, 61, 1), frame(90, 61, 2)];
    let logits = block_on(SEGMENTER.logits(&frames.each_ref())).expect("sound frames");
    let planes = segment(&frames.each_ref(), &[0]);
    for (logits, planes) in logits.iter().zip(&planes) {
        // The input is 481×321; the corners of the grid lie on its corners.
        assert_eq!(logits.shape, [21, 21, 31]);
        assert_eq!(logits.values.len(), 21 * 21 * 31);
        let at_corner: Vec<f64> = logits.values.iter().step_by(21 * 31).map(|&v| f64::from(v).exp()).collect();
        let background = 255.0 * at_corner[0] / at_corner.iter().sum::<f64>();
        assert!((f64::from(planes[0].get(0, 0)) - background).abs() < 3.0, "{} {background}", planes[0].get(0, 0));
    }
    assert!(block_on(SEGMENTER.logits(&[])).expect("no frames").is_empty());
    let (one, other) = (frame(30, 20, 1), frame(20, 30, 1));
    assert!(matches!(block_on(SEGMENTER.logits(&[&one, &other])), Err(Error::FrameSize { index: 1, .. })));
}

#[test]
fn the_classes_of_a_pixel_add_up() {
    let frame = frame(64, 40, 4);
    let all: Vec<usize> = (0..VOC_CLASSES.len()).collect();
    let planes = segment(&[&frame], &all).remove(0);
    let foreground = segment(&[&frame], &[]).remove(0);
    assert_eq!(foreground.len(), 1);
    for i in 0..64 * 40 {
        let sum: i32 = planes.iter().map(|plane| i32::from(plane.data()[i])).sum();
        assert!((sum - 255).abs() <= 11, "{sum}");
        let both = i32::from(foreground[0].data()[i]) + i32::from(planes[0].data()[i]);
        assert!((both - 255).abs() <= 1, "{both}");
    }
}

#[test]
fn classes_go_by_name() {
    let ids = SEGMENTER.class_ids(&["dog".into(), "person".into()]).expect("both are known");
    assert_eq!(ids, [12, 15]);
    assert_eq!(SEGMENTER.class_ids(&[]), Ok(Vec::new()));
    let error = SEGMENTER.class_ids(&["unicorn".into()]).expect_err("there are none");
    assert!(error.to_string().starts_with("no such class: unicorn (expected one of background, aeroplane, "));
}

#[test]
fn what_cannot_be_segmented_is_said() {
    let (one, other) = (frame(30, 20, 1), frame(20, 30, 1));
    assert_eq!(
        block_on(SEGMENTER.segment(&[&one, &other], &[15])),
        Err(Error::FrameSize { index: 1, width: 20, height: 30, expected_width: 30, expected_height: 20 })
    );
    assert_eq!(block_on(SEGMENTER.segment(&[&one], &[21])), Err(Error::ClassId { id: 21, last: 20 }));
}
