//! Run lengths against pycocotools, against their slow twin, and against what no one should send; colours of labels.
#![cfg(not(target_arch = "wasm32"))]

use proptest::{collection::vec, prelude::*};
use serde::Deserialize;
use steadymask_core::{BitMask, Error, Plane, Rle, palette, reference};

#[derive(Deserialize)]
struct Case {
    width: usize,
    height: usize,
    ellipses: Vec<[i64; 4]>,
    noise: Option<[i64; 2]>,
    text: String,
    counts: Vec<u32>,
    area: usize,
    bounds: [usize; 4],
}

fn draw(case: &Case) -> BitMask {
    BitMask::from_fn(case.width, case.height, |x, y| {
        let (x, y) = (x as i64, y as i64);
        let ellipse = case.ellipses.iter().any(|&[cx, cy, rx, ry]| {
            let (dx, dy) = (x - cx, y - cy);
            dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry
        });
        let noise = |[seed, level]: [i64; 2]| {
            (x * 73_856_093 + y * 19_349_663 + seed * 83_492_791) / (1 << 9) % (1 << 16) < level
        };
        ellipse || case.noise.is_some_and(noise)
    })
}

#[test]
fn run_lengths_are_those_of_pycocotools() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/rle.json")).unwrap();
    for (i, case) in cases.iter().enumerate() {
        let mask = draw(case);
        let rle = Rle::encode(&mask);
        assert_eq!(rle.counts(), case.counts, "case {i}");
        assert_eq!(rle.text(), case.text, "case {i}");
        assert_eq!((rle.area(), rle.bounds()), (case.area, case.bounds), "case {i}");
        let (width, height) = (case.width, case.height);
        assert_eq!(Rle::from_text(width, height, &case.text).as_ref(), Ok(&rle), "case {i}");
        assert_eq!(Rle::from_counts(width, height, case.counts.clone()).as_ref(), Ok(&rle), "case {i}");
        assert_eq!(rle.decode(), mask, "case {i}");
    }
    assert!(cases.len() > 60);
}

#[test]
fn empty_runs_are_read_as_pycocotools_reads_them() {
    // Columns of a 3×2 mask: 2 unset, 0 set, 1 unset, 2 set, 0 unset, 1 set.
    let rle = Rle::from_counts(3, 2, vec![2, 0, 1, 2, 0, 1]).unwrap();
    let mask = rle.decode();
    assert_eq!(mask, BitMask::from_fn(3, 2, |x, y| x == 2 || (x, y) == (1, 1)));
    assert_eq!((rle.area(), rle.bounds()), (3, [1, 0, 2, 2]));
    assert_eq!(Rle::from_text(3, 2, &rle.text()), Ok(rle));
    assert_eq!(Rle::encode(&mask).counts(), [3, 3]);
}

#[test]
fn hostile_run_lengths_are_refused_with_value_and_range() {
    let counts: [(&[u32], &str); 4] = [
        (&[], "their sum is 0 (expected 12, which is 4×3)"),
        (&[5, 6], "their sum is 11 (expected 12, which is 4×3)"),
        (&[5, 8], "run 1 is 8 pixels (expected 0 to 7, what is left of the mask)"),
        (&[1, u32::MAX, 4], "run 1 is 4294967295 pixels (expected 0 to 11, what is left of the mask)"),
    ];
    for (counts, words) in counts {
        let error = Rle::from_counts(4, 3, counts.to_vec()).unwrap_err().to_string();
        assert_eq!(error, format!("invalid run lengths: {words}"));
    }
    let long = "P".repeat(13);
    let endless = format!("{}1", "o".repeat(11));
    let texts = [
        ("", "their sum is 0 (expected 12, which is 4×3)"),
        ("5", "their sum is 5 (expected 12, which is 4×3)"),
        ("57 ", "character 2 is ' ' (expected '0' to 'o')"),
        ("5p", "character 1 is 'p' (expected '0' to 'o')"),
        ("5é", "character 1 is 'é' (expected '0' to 'o')"),
        ("5\0", "character 1 is '\\0' (expected '0' to 'o')"),
        ("5/", "character 1 is '/' (expected '0' to 'o')"),
        ("5P", "run 1 is cut off (expected a last character of '0' to 'O')"),
        ("5X1", "run 1 is 40 pixels (expected 0 to 7, what is left of the mask)"),
        ("O=", "run 0 is -1 pixels (expected 0 to 12, what is left of the mask)"),
        ("111O", "their sum is 3 (expected 12, which is 4×3)"),
        ("111N", "run 3 is -1 pixels (expected 0 to 9, what is left of the mask)"),
        (&long, "run 0 is longer (expected at most 12 characters a number)"),
        (&endless, "pixels (expected 0 to 12"),
    ];
    for (text, words) in texts {
        let error = Rle::from_text(4, 3, text).unwrap_err();
        assert!(matches!(error, Error::RunLengths { .. }) && error.to_string().contains(words), "{text:?}: {error}");
    }
    for size in [(0, 3), (4, 0), (16_385, 1), (1, usize::MAX)] {
        assert_eq!(Rle::from_text(size.0, size.1, "0").map(|_| ()), Err(Error::Size { width: size.0, height: size.1 }));
        assert!(matches!(Rle::from_counts(size.0, size.1, vec![0]), Err(Error::Size { .. })));
    }
}

/// Sizes around the word of a mask.
fn mask() -> impl Strategy<Value = BitMask> {
    let side = || prop_oneof![1..12usize, 60..68usize, 120..132usize];
    (side(), side(), any::<u8>()).prop_flat_map(|(width, height, threshold)| {
        vec(any::<u8>(), width * height).prop_map(move |data| {
            let plane = Plane::from_vec(width, height, data).expect("as many values as pixels");
            BitMask::from_threshold(&plane, threshold)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn run_lengths_are_those_of_the_slow_twin(mask in mask()) {
        let (width, height) = mask.size();
        let rle = Rle::encode(&mask);
        prop_assert_eq!(rle.counts(), reference::rle::encode(&mask));
        prop_assert_eq!(rle.text(), reference::rle::text(rle.counts()));
        prop_assert_eq!(rle.decode(), reference::rle::decode(rle.counts(), width, height));
        prop_assert_eq!(rle.bounds(), reference::rle::bounds(&mask));
        prop_assert_eq!(rle.area(), mask.area());
        prop_assert_eq!(Rle::from_text(width, height, &rle.text()), Ok(rle));
    }

    /// Any lengths that add up, with empty ones among them.
    #[test]
    fn any_lengths_are_read_and_written(mut counts in vec(prop_oneof![Just(0), 0..9u32, 0..2000u32], 0..60)) {
        let sum: u32 = counts.iter().sum();
        let (width, height) = (97, sum.div_ceil(97).max(1) as usize);
        counts.push((width * height) as u32 - sum);
        let rle = Rle::from_counts(width, height, counts.clone()).unwrap();
        prop_assert_eq!(rle.text(), reference::rle::text(&counts));
        prop_assert_eq!(Rle::from_text(width, height, &rle.text()), Ok(rle.clone()));
        prop_assert_eq!(rle.decode(), reference::rle::decode(&counts, width, height));
        prop_assert_eq!(rle.bounds(), reference::rle::bounds(&rle.decode()));
    }

    /// Whatever is read, nothing panics, and what is taken adds up.
    #[test]
    fn any_text_is_read_or_refused(text in "[0-o]{0,40}|.{0,10}", width in 0..40usize, height in 0..40usize) {
        if let Ok(rle) = Rle::from_text(width, height, &text) {
            prop_assert_eq!(rle.counts().iter().sum::<u32>() as usize, width * height);
            prop_assert_eq!(rle.decode().area(), rle.area());
        }
    }
}

#[test]
fn colours_are_those_of_davis() {
    let known = [
        (0, [0, 0, 0]),
        (1, [128, 0, 0]),
        (2, [0, 128, 0]),
        (3, [128, 128, 0]),
        (4, [0, 0, 128]),
        (8, [64, 0, 0]),
        (15, [192, 128, 128]),
        (20, [0, 64, 128]),
        (255, [224, 224, 192]),
    ];
    for (label, color) in known {
        assert_eq!(palette::PALETTE[label], color, "label {label}");
    }
    for (label, &color) in palette::PALETTE.iter().enumerate() {
        assert_eq!(palette::label_of(color).map(usize::from), Some(label));
    }
    for color in [[1, 0, 0], [128, 0, 16], [0, 32, 32], [255, 255, 255]] {
        assert_eq!(palette::label_of(color), palette::PALETTE.iter().position(|&c| c == color).map(|l| l as u8));
    }
    let labels = Plane::from_vec(2, 2, vec![0, 2, 1, 9]).unwrap();
    let painted = palette::paint(&labels, &[[1, 2, 3], [4, 5, 6]]);
    assert_eq!(painted.data(), [[0, 0, 0], [4, 5, 6], [1, 2, 3], [0, 0, 0]]);
}
