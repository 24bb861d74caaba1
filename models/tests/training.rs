//! A training is the same whether it was cut or not, and refuses what cannot be trained on.
#![cfg(feature = "train")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use steadymask_models::{
    DeviceChoice, Segmenter, Weights, block_on,
    train::{Error, Options, Progress, Recipe, Watch, evaluate, train},
};

/// A folder of its own, gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("steadymask-training-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a place to write");
        Self(path)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).expect("it was written")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn write_png(path: &Path, color: png::ColorType, (width, height): (u32, u32), bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("a place to write");
    let mut encoder = png::Encoder::new(fs::File::create(path).expect("a place to write"), width, height);
    encoder.set_color(color);
    let mut writer = encoder.write_header().expect("a place to write");
    writer.write_image_data(bytes).expect("a place to write");
}

/// Pictures of a bright box on some ground, the box being of class `label`: six to learn from, eight kept out.
fn pictures(root: &Path, label: u8) {
    const SIZE: (u32, u32) = (96, 80);
    for number in 0..14u32 {
        let part = if number < 6 { "train" } else { "val" };
        let (mut image, mut mask) = (Vec::new(), Vec::new());
        for i in 0..SIZE.0 * SIZE.1 {
            let (x, y) = (i % SIZE.0, i / SIZE.0);
            let (left, top) = (number * 11 % 50, number * 7 % 40);
            let inside = (left..left + 40).contains(&x) && (top..top + 30).contains(&y);
            let ground = ((x / (5 + number) * 83 + y / (4 + number) * 47 + number * 29) % 120) as u8;
            image.extend(if inside { [230, 200 - ground / 2, 40] } else { [ground, 90, 120 - ground] });
            mask.push(if inside { label } else { 0 });
        }
        write_png(&root.join(format!("{part}/images/{number}.png")), png::ColorType::Rgb, SIZE, &image);
        write_png(&root.join(format!("{part}/masks/{number}.png")), png::ColorType::Grayscale, SIZE, &mask);
    }
}

fn options(data: &Folder, out: &Folder) -> Options {
    Options {
        data: vec![data.0.clone()],
        unlabelled: Vec::new(),
        start: None,
        teacher: None,
        classes: None,
        out: out.0.clone(),
        recipe: Recipe { steps: 5, batch: 2, crop: 65, ..Recipe::default() },
        checkpoint: 2,
        most: 2,
    }
}

fn silent(_: &Progress<'_>) {}

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

#[test]
fn a_run_that_was_cut_gives_the_same_bytes() {
    let data = Folder::new("cut-data");
    pictures(&data.0, 15);
    let [whole, stopped, killed] = ["whole", "stopped", "killed"].map(Folder::new);
    let cancelled = never();
    let (path, scores) = train(&options(&data, &whole), &Watch::new(&cancelled, &silent)).expect("sound pictures");
    assert!(scores.contains("these weights") && scores.contains("the start"));

    // Stopped after three steps, as with Ctrl-C: it keeps all of them.
    let stop = never();
    let at_three = |progress: &Progress<'_>| {
        stop.store(progress.stage == "training" && progress.done == 3, Ordering::Relaxed);
    };
    let cut = train(&options(&data, &stopped), &Watch::new(&stop, &at_three));
    assert!(matches!(cut, Err(Error::Cancelled)));
    assert!(!stopped.0.join("weights.f16.safetensors").exists());

    // Dead in the middle of the third step's report: the checkpoint after two is all there is.
    let dead = |progress: &Progress<'_>| assert!(!(progress.stage == "training" && progress.done == 3), "killed");
    let cut =
        catch_unwind(AssertUnwindSafe(|| train(&options(&data, &killed), &Watch::new(&cancelled, &dead)).is_ok()));
    assert!(cut.is_err());

    for folder in [&stopped, &killed] {
        train(&options(&data, folder), &Watch::new(&cancelled, &silent)).expect("it goes on");
        for file in
            ["weights.f16.safetensors", "checkpoint.safetensors", "log.jsonl", "MODEL_CARD.md", "evaluation.json"]
        {
            assert!(folder.read(file) == whole.read(file), "{file} differs");
        }
    }
    assert_eq!(whole.read("log.jsonl").split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count(), 5);

    // The weights are a network of the product's, calibrated, and other than the start.
    let bytes = fs::read(path).expect("it was written");
    let segmenter = block_on(Segmenter::from_safetensors(bytes, DeviceChoice::Cpu)).expect("sound weights");
    assert_eq!(segmenter.classes()[15], "person");
    assert_eq!(segmenter.info().architecture, "deeplabv3_mobilenet_v2");

    // Another seed is another run.
    let mut other = options(&data, &whole);
    other.recipe.seed += 1;
    assert!(matches!(train(&other, &Watch::new(&cancelled, &silent)), Err(Error::OtherRun { .. })));
}

#[test]
fn new_classes_get_a_new_last_layer() {
    let (data, out) = (Folder::new("classes-data"), Folder::new("classes"));
    pictures(&data.0, 1);
    let mut options = options(&data, &out);
    options.classes = Some(vec!["background".into(), "box".into()]);
    let cancelled = never();
    let (path, _) = train(&options, &Watch::new(&cancelled, &silent)).expect("sound pictures");
    let bytes = fs::read(path).expect("it was written");
    let segmenter = block_on(Segmenter::from_safetensors(bytes, DeviceChoice::Cpu)).expect("sound weights");
    assert_eq!(segmenter.classes(), ["background", "box"]);
    // As they are when they were taken in.
    let weights = Weights::open(&out.0.join("weights.f16.safetensors")).expect("sound weights");
    assert_eq!(weights.contents().classes, ["background", "box"]);
    let bytes = weights.to_safetensors().expect("they are few");
    let segmenter = block_on(Segmenter::from_safetensors(bytes, DeviceChoice::Cpu)).expect("sound weights");
    assert_eq!(segmenter.classes(), ["background", "box"]);
    // And they can be measured, and trained further.
    let measured = Options { start: Some(out.0.join("weights.f16.safetensors")), classes: None, ..options };
    let scores = evaluate(&measured, &Watch::new(&cancelled, &silent)).expect("sound weights");
    assert!(scores.contains("| box |"), "{scores}");
}

#[test]
fn what_cannot_be_trained_on_is_said() {
    let (data, out) = (Folder::new("wrong-data"), Folder::new("wrong"));
    let cancelled = never();
    let run = |options: &Options| {
        train(options, &Watch::new(&cancelled, &silent)).map(|_| ()).expect_err("it cannot be").to_string()
    };
    assert!(run(&options(&data, &out)).ends_with("or NAME.jpg with NAME.png beside it)"));
    pictures(&data.0, 21);
    let reason = run(&options(&data, &out));
    assert!(reason.ends_with("its mask has the label 21 (expected 0 to 20, or 255 for none)"), "{reason}");
    let mut crop = options(&data, &out);
    crop.recipe.crop = 100;
    assert_eq!(run(&crop), "crop is 100 (expected a number of the form 16k + 1)");
    let mut classes = options(&data, &out);
    classes.classes = Some(vec!["background".into()]);
    assert_eq!(run(&classes), "classes is 1 (expected 2 to 255, the background first)");
}

#[test]
fn copies_of_kept_out_pictures_are_not_learned_from() {
    let (data, out) = (Folder::new("twins-data"), Folder::new("twins"));
    pictures(&data.0, 15);
    for kind in ["images", "masks"] {
        fs::copy(data.0.join(format!("val/{kind}/9.png")), data.0.join(format!("train/{kind}/copy.png")))
            .expect("copied");
    }
    let cancelled = never();
    let mut options = options(&data, &out);
    options.recipe.steps = 1;
    train(&options, &Watch::new(&cancelled, &silent)).expect("sound pictures");
    let card = String::from_utf8(out.read("MODEL_CARD.md")).expect("text");
    assert!(card.contains("\n1 training pictures were left out because they nearly equal a kept-out one."), "{card}");
}
