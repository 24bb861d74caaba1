//! `steadymask evaluate`, against values worked out by hand and against another program's.

mod common;

use std::path::{Path, PathBuf};

use common::{Said, json, names, run, square, steadymask, temp};
use serde_json::Value;
use steadymask_core::{Plane, resize};
use steadymask_server::picture;

const SIZE: (usize, usize) = (64, 48);

/// `steadymask evaluate …`
fn evaluate(predictions: &Path, truth: &Path, out: &Path, more: &[&str]) -> Said {
    let mut command = steadymask();
    command.arg("evaluate").arg("--predictions").arg(predictions).arg("--truth").arg(truth).arg("--out").arg(out);
    run(command.args(more))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[track_caller]
fn near(value: &Value, expected: f64, tolerance: f64) {
    let value = number(value);
    assert!((value - expected).abs() <= tolerance, "{value}, expected {expected} ± {tolerance}");
}

/// Entries of a JSON array by their `name`.
#[track_caller]
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().expect("array").iter().find(|entry| entry["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// Scores of the subject number `subject` on a clip.
fn scores<'a>(evaluation: &'a Value, clip: &str, subject: usize) -> &'a Value {
    &named(&evaluation["clips"], clip)["subjects"][subject]["scores"]
}

/// A mask of `SIZE` with a 16×16 square at (x, 8) as object 1 and, if asked for, an 8×8 square as object 2.
fn two_objects(x: usize, second: bool) -> Plane<u8> {
    let (first, other) = (square(SIZE.0, SIZE.1, x, 8, 16), square(SIZE.0, SIZE.1, 44, 20, 8));
    let label = |x, y| if first.get(x, y) > 0 { 1 } else { 2 * u8::from(second && other.get(x, y) > 0) };
    Plane::from_fn(SIZE.0, SIZE.1, label)
}

fn write_frames(folder: &Path, frames: &[Plane<u8>], write: impl Fn(&Path, &Plane<u8>)) {
    std::fs::create_dir_all(folder).expect("folder");
    for (index, frame) in frames.iter().enumerate() {
        write(&folder.join(format!("{index:05}.png")), frame);
    }
}

fn palette_png(file: &Path, labels: &Plane<u8>) {
    picture::write_labels(file, labels, &steadymask_core::palette::PALETTE).expect("mask");
}

fn gray_png(file: &Path, plane: &Plane<u8>) {
    picture::write_gray(file, plane).expect("mask");
}

/// A still picture that flow can hold on to.
fn texture() -> Plane<u8> {
    Plane::from_fn(SIZE.0, SIZE.1, |x, y| ((x * 7) ^ (y * 11)) as u8)
}

/// DAVIS's folders with one clip of three still frames and two objects, and predictions for it: in the middle frame
/// object 1 lies 8 pixels to the right; in the last object 2 is missing.
fn davis(root: &Path) -> (PathBuf, PathBuf) {
    let (truth, predictions) = (root.join("DAVIS"), root.join("predictions"));
    write_frames(&truth.join("JPEGImages/480p/pair"), &[texture(), texture(), texture()], gray_png);
    let still = [two_objects(8, true), two_objects(8, true), two_objects(8, true)];
    write_frames(&truth.join("Annotations/480p/pair"), &still, palette_png);
    let masks = [two_objects(8, true), two_objects(16, true), two_objects(8, false)];
    write_frames(&predictions.join("pair"), &masks, palette_png);
    (truth, predictions)
}

#[test]
fn objects_of_davis_score_as_by_hand() {
    let folder = temp();
    let (truth, predictions) = davis(folder.path());
    let out = folder.path().join("deep/out");
    let said = evaluate(&predictions, &truth, &out, &["--references"]);
    said.succeeds();
    assert!(said.err.contains("3/3 frames") && said.err.contains("s left"), "{}", said.err);
    assert!(said.out.contains("pair_1") && said.out.contains("worst clip: pair_2"), "{}", said.out);
    assert_eq!(names(&out), ["clips.csv", "evaluation.json", "frames.csv", "plots", "trade-off.svg"]);
    assert_eq!(names(&out.join("plots")), ["pair_1.svg", "pair_2.svg"]);
    for plot in ["trade-off.svg", "plots/pair_1.svg"] {
        let svg = std::fs::read_to_string(out.join(plot)).expect("plot");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    }

    let evaluation = json(&out.join("evaluation.json"));
    let (one, two) = (scores(&evaluation, "pair_1", 0), scores(&evaluation, "pair_2", 0));
    // Object 1 in the middle frame: the squares share 8 of their 16 columns.
    near(&one["j_mean"], (1.0 + 1.0 / 3.0 + 1.0) / 3.0, 1e-12);
    near(&one["j_recall"], 2.0 / 3.0, 1e-12);
    near(&one["j_decay"], 2.0 / 3.0 - 1.0, 1e-12);
    // Its contour is a ring of 17×17. Of the shifted ring's 64 pixels, within 1 pixel (0.008 of the diagonal, rounded
    // up) of the true one: 10 of the top row and of the bottom one, and the second and last but one of the left column.
    near(&one["f_mean"], (1.0 + 22.0 / 64.0 + 1.0) / 3.0, 1e-12);
    // Within 2 pixels one more of each row, and two more of the column.
    near(&one["f_2px_mean"], (1.0 + 26.0 / 64.0 + 1.0) / 3.0, 1e-12);
    // The error comes and goes: as many pixels each time as the object has.
    near(&one["flicker"], 1.0, 1e-12);
    near(&one["false_flips"], 1.0, 1e-12);
    // A square's contour keeps its shape wherever it lies.
    near(&one["t"], 0.0, 1e-12);
    near(&one["instability"], 2.0 / 3.0, 1e-6);
    near(&one["motion_compensated_instability"], 2.0 / 3.0, 1e-6);
    near(&two["j_mean"], 2.0 / 3.0, 1e-12);
    near(&two["f_mean"], 2.0 / 3.0, 1e-12);
    near(&two["flicker"], 0.5, 1e-12);
    near(&two["instability"], 0.5, 1e-12);
    assert!(two["vc8"].is_null(), "three frames are no window of 8");

    let mean = |name: &str| &named(&evaluation["subjects"], name)["mean"];
    near(&mean("prediction")["j_mean"], (7.0 / 9.0 + 2.0 / 3.0) / 2.0, 1e-12);
    near(&mean("prediction")["flicker"], 0.75, 1e-12);
    near(&mean("truth")["j_and_f"], 1.0, 0.0);
    near(&mean("truth")["flicker"], 0.0, 0.0);
    // The first mask is right, and the truth stands still.
    near(&mean("frozen")["j_and_f"], 1.0, 0.0);
    near(&mean("empty")["j_mean"], 0.0, 0.0);
    // A tenth of each new frame never brings a pixel over ½, nor takes one away.
    near(&mean("exponential 0.1")["j_mean"], 1.0, 0.0);

    let clips = std::fs::read_to_string(out.join("clips.csv")).expect("file");
    let lines: Vec<_> = clips.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 5);
    assert!(lines[0].starts_with("clip,subject,j_mean,j_recall,j_decay,f_mean,"), "{}", lines[0]);
    assert!(lines[1].starts_with("pair_1,prediction,0.777777777777777"), "{}", lines[1]);
    let frames = std::fs::read_to_string(out.join("frames.csv")).expect("file");
    assert_eq!(frames.lines().count(), 1 + 2 * 5 * 3);
    assert!(frames.contains("\npair_1,00001,prediction,0.3333333333333333,0.34375,0.40625,1,1,0,"), "{frames}");
}

#[test]
fn objects_as_one_and_labels_without_a_palette() {
    let folder = temp();
    let path = folder.path();
    let (truth, predictions) = davis(path);
    let j = |predictions: &Path, more: &[&str]| {
        let out = path.join("out");
        evaluate(predictions, &truth, &out, more).succeeds();
        json(&out.join("evaluation.json"))["subjects"][0]["mean"]["j_mean"].clone()
    };
    // Middle frame: 128 + 64 pixels of 384 + 64; last frame: 256 of 320.
    near(&j(&predictions, &["--union"]), (1.0 + 192.0 / 448.0 + 0.8) / 3.0, 1e-12);
    near(&j(&predictions, &["--skip-ends"]), (1.0 / 3.0 + 1.0) / 2.0, 1e-12);

    let gray = path.join("gray");
    let masks = [two_objects(8, true), two_objects(16, true), two_objects(8, false)];
    write_frames(&gray.join("pair"), &masks, gray_png);
    near(&j(&gray, &[]), (7.0 / 9.0 + 2.0 / 3.0) / 2.0, 1e-12);
    write_frames(&gray.join("pair"), &masks.map(|mask| mask.map(|&v| if v > 0 { 255 } else { 0 })), gray_png);
    near(&j(&gray, &["--union"]), (1.0 + 192.0 / 448.0 + 0.8) / 3.0, 1e-12);
    let said = evaluate(&gray, &truth, &path.join("out"), &[]);
    said.refuses(&["00000.png", "a value of 255", "[1, 2]", "--union"]);
}

#[test]
fn other_layouts_sizes_and_raw_masks() {
    let folder = temp();
    let path = folder.path();
    let root = path.join("data");
    let still = [8, 8, 8, 8].map(|x| square(SIZE.0, SIZE.1, x, 8, 16));
    for clip in ["a", "b"] {
        write_frames(&root.join(clip).join("truth"), &still, gray_png);
        write_frames(&root.join(clip).join("frames"), &[0; 4].map(|_| texture()), gray_png);
        // At half the size, which scales to the very square; the second frame misses it.
        let seen = square(32, 24, 4, 4, 8);
        let raw = [seen.clone(), Plane::filled(32, 24, 0), seen.clone(), seen];
        write_frames(&root.join(clip).join("net"), &raw, gray_png);
        // On b "stabilising" did harm.
        let better = if clip == "a" { still.clone() } else { [0; 4].map(|_| Plane::filled(8, 6, 0)) };
        write_frames(&path.join("results").join(clip).join("masks"), &better, gray_png);
    }
    let out = path.join("out");
    let said = evaluate(&path.join("results"), &root, &out, &["--raw", "net"]);
    said.succeeds();
    assert!(said.out.contains("worst clip: b (ΔJ −75.0, ΔF −75.0)"), "{}", said.out);
    assert_eq!(names(&out), ["clips.csv", "evaluation.json", "frames.csv", "gain.svg", "plots", "trade-off.svg"]);
    let evaluation = json(&out.join("evaluation.json"));
    near(&scores(&evaluation, "a", 0)["j_mean"], 1.0, 0.0);
    near(&scores(&evaluation, "a", 1)["j_mean"], 0.75, 0.0);
    near(&scores(&evaluation, "a", 1)["flicker"], 2.0 / 3.0, 1e-12);
    near(&scores(&evaluation, "b", 0)["j_mean"], 0.0, 0.0);

    // One of the clips; the masks themselves as predictions.
    let said = evaluate(Path::new("net"), &root, &path.join("one"), &["--clips", "b"]);
    said.succeeds();
    let evaluation = json(&path.join("one/evaluation.json"));
    assert_eq!(evaluation["clips"].as_array().map(Vec::len), Some(1));
    near(&evaluation["subjects"][0]["mean"]["j_mean"], 0.75, 0.0);

    // One clip without frames: no flow, and the table says so.
    let out = path.join("plain");
    let said = evaluate(&path.join("results/a"), &root.join("a/truth"), &out, &[]);
    assert!(said.succeeds().out.contains("without frames (--frames) flicker"), "{}", said.out);
    assert_eq!(names(&out), ["clips.csv", "evaluation.json", "frames.csv", "plots"]);
    let evaluation = json(&out.join("evaluation.json"));
    assert!(scores(&evaluation, "truth", 0)["flicker"].is_null());
    near(&scores(&evaluation, "truth", 0)["instability"], 0.0, 0.0);
    // The same with frames.
    let frames = root.join("a/frames");
    let more = ["--frames", frames.to_str().expect("UTF-8")];
    evaluate(&path.join("results/a"), &root.join("a/truth"), &out, &more).succeeds();
    near(&scores(&json(&out.join("evaluation.json")), "truth", 0)["flicker"], 0.0, 0.0);
}

#[test]
fn what_is_missing_is_named() {
    let folder = temp();
    let path = folder.path();
    let (truth, predictions) = davis(path);
    let refuses = |predictions: &Path, truth: &Path, more: &[&str], words: &[&str]| {
        evaluate(predictions, truth, &path.join("out"), more).refuses(words);
        assert!(!path.join("out").exists(), "nothing is written");
    };
    refuses(&predictions, &truth, &["--clips", "dog"], &["no clip dog", "pair"]);
    refuses(&predictions, &path.join("nowhere"), &[], &["nowhere"]);
    refuses(&predictions, &truth.join("JPEGImages"), &[], &["holds no ground truth", "Annotations/480p/CLIP"]);
    refuses(&path.join("nowhere"), &truth, &[], &["00000.png", "missing", "pair"]);
    std::fs::remove_file(predictions.join("pair/00002.png")).expect("file");
    std::fs::remove_file(predictions.join("pair/00001.png")).expect("file");
    refuses(&predictions, &truth, &[], &["00001.png", "missing", "3 frames"]);
    let (truth, predictions) = davis(path);
    std::fs::remove_file(truth.join("JPEGImages/480p/pair/00002.png")).expect("file");
    refuses(&predictions, &truth, &[], &["frame 00002", "missing", "JPEGImages"]);
    let (truth, predictions) = davis(path);
    std::fs::write(predictions.join("pair/00001.png"), "broken").expect("file");
    refuses(&predictions, &truth, &[], &["00001.png"]);
    let (truth, predictions) = davis(path);
    gray_png(&truth.join("Annotations/480p/pair/00001.png"), &Plane::filled(30, 20, 0));
    refuses(&predictions, &truth, &[], &["00001.png is 30×20", "64×48"]);
}

/// Against the program with which the project's masks were scored before it had one of its own: NumPy, and OpenCV for
/// warping, for contours (which it takes inside the mask) and for the flow. Its values, at 428×240.
#[test]
#[cfg(unix)]
fn real_masks_score_as_elsewhere() {
    let data = std::env::var_os("STEADYMASK_DATA").map(PathBuf::from);
    let data = data.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let davis = data.join("davis-dev");
    if !davis.is_dir() {
        eprintln!("skipped: there is no {} (STEADYMASK_DATA names the folder of real data)", davis.display());
        return;
    }
    let folder = temp();
    let (truth, frames) = (folder.path().join("truth"), folder.path().join("frames"));
    for clip in ["car-shadow", "dog"] {
        let files = picture::files_in(&davis.join(clip).join("truth"), &["png"]).expect("truth");
        let small = |file: &PathBuf| resize::bilinear(&picture::read_mask(file).expect("mask"), 428, 240);
        let masks: Vec<_> = files.iter().map(|file| small(file).map(|&v| if v > 127 { 255 } else { 0 })).collect();
        write_frames(&truth.join(clip), &masks, gray_png);
        std::fs::create_dir_all(&frames).expect("folder");
        std::os::unix::fs::symlink(davis.join(clip).join("frames").canonicalize().expect("frames"), frames.join(clip))
            .expect("link");
    }
    for net in ["net-a", "net-b"] {
        let out = folder.path().join(net);
        let predictions = folder.path().join(format!("masks-{net}"));
        std::fs::create_dir_all(&predictions).expect("folder");
        for clip in ["car-shadow", "dog"] {
            let masks = davis.join(clip).join(net).canonicalize().expect("masks");
            std::os::unix::fs::symlink(masks, predictions.join(clip)).expect("link");
        }
        let frames = frames.to_str().expect("UTF-8");
        evaluate(&predictions, &truth, &out, &["--frames", frames]).succeeds();
        let evaluation = json(&out.join("evaluation.json"));
        // J, F, flicker, motion-compensated and classic instability, lag
        let expected = match net {
            "net-a" => [
                ("car-shadow", [0.60385, 0.46314, 0.13534, 0.29168, 0.31219, -4.0]),
                ("dog", [0.13681, 0.09596, 0.20141, 0.39545, 0.40389, 0.0]),
            ],
            _ => [
                ("car-shadow", [0.87476, 0.93319, 0.04711, 0.04557, 0.07245, 0.0]),
                ("dog", [0.57246, 0.55273, 0.34306, 0.42511, 0.46875, 0.0]),
            ],
        };
        for (clip, [j, f, flicker, compensated, instability, lag]) in expected {
            let scores = scores(&evaluation, clip, 0);
            near(&scores["j_mean"], j, 1e-3);
            near(&scores["f_mean"], f, 0.03);
            near(&scores["flicker"], flicker, 0.01);
            near(&scores["motion_compensated_instability"], compensated, 0.01);
            near(&scores["instability"], instability, 1e-3);
            near(&scores["lag"], lag, 0.0);
        }
    }
}
