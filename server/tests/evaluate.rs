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
    assert!(said.out.contains("J mean ↑ ") && said.out.contains("false flips ↓ "), "{}", said.out);
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
    said.refuses(&["masks pair", "frame 00000", "a value of 255", "[1, 2]", "--union"]);
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
    assert!(said.out.contains("lag    J&F\n") && said.out.contains("0  100.0\n"), "{}", said.out);
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
    refuses(&path.join("nowhere"), &truth, &[], &["masks of pair are missing", "nowhere is not there", "CLIP/*.png"]);
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
    refuses(&predictions, &truth, &[], &["the truth 00001 is 30×20", "64×48"]);
}

/// DAVIS's folders with two clips of four frames and two objects that move, predictions for them that are not quite
/// right, and both in every format, written by the program itself: `FORMAT/CLIP`, `FORMAT/CLIP.json` and so on.
fn in_every_format(root: &Path) -> PathBuf {
    let truth = root.join("DAVIS");
    let export = "png,palette,color,probability,coco,coco-results,youtube-vis,npz,video";
    for (clip, shift) in [("a", 0), ("b", 3)] {
        let frames = truth.join("JPEGImages").join(clip);
        write_frames(&frames, &[0, 1, 2, 3].map(|x| picture_at(x + shift)), gray_png);
        let masks = [0, 1, 2, 3].map(|x| two_objects(8 + x + shift, true));
        write_frames(&truth.join("Annotations").join(clip), &masks, palette_png);
        let wrong = [(0, true), (2, true), (2, false), (5, true)].map(|(x, second)| two_objects(8 + x + shift, second));
        write_frames(&root.join("masks").join(clip), &wrong, palette_png);
        for (masks, formats) in [("DAVIS/Annotations", "truth-in"), ("masks", "in")] {
            let out = root.join("out");
            let mut command = steadymask();
            command.arg("stabilize").arg(&frames).arg("--masks").arg(root.join(masks).join(clip));
            command.arg("--out").arg(&out).args(["--method", "none", "--export", export]);
            run(&mut command).succeeds();
            for (name, ending) in
                [("png", ""), ("palette", ""), ("color", ""), ("probability", ""), ("video", ""), ("masks", ".npz")]
                    .into_iter()
                    .chain(["coco", "coco-results", "youtube-vis"].map(|name| (name, ".json")))
            {
                let to = root.join(formats).join(if name == "masks" { "npz" } else { name });
                std::fs::create_dir_all(&to).expect("folder");
                std::fs::rename(out.join(format!("{name}{ending}")), to.join(format!("{clip}{ending}"))).expect(name);
            }
            std::fs::remove_dir_all(&out).expect("folder");
        }
        for formats in ["truth-in", "in"] {
            let arrays = root.join(formats).join("labels");
            std::fs::create_dir_all(&arrays).expect("folder");
            let numpy = root.join(formats).join("npz").join(format!("{clip}.npz"));
            std::fs::write(arrays.join(format!("{clip}.npz")), array_of(&numpy, "labels")).expect("file");
        }
    }
    for formats in ["truth-in", "in"] {
        merge(&root.join(formats));
    }
    truth
}

/// A picture that moves to the right.
fn picture_at(x: usize) -> Plane<u8> {
    Plane::from_fn(SIZE.0, SIZE.1, |px, y| (((px + 64 - x) * 7) ^ (y * 11)) as u8)
}

/// An archive of one of another's arrays.
fn array_of(file: &Path, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(file).expect("file")).expect("archive");
    let entry = archive.by_name(&format!("{name}.npy")).expect("array");
    let mut one = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    one.raw_copy_file(entry).expect("entry");
    one.finish().expect("archive").into_inner()
}

/// The JSON of two clips as one file, as datasets have several: `coco.json`, `youtube-vis.json`, and what they hold as
/// lists of results, `coco-list.json`, `youtube-vis-list.json`.
fn merge(formats: &Path) {
    let mut coco = serde_json::json!({"images": [], "annotations": [], "categories": []});
    let mut tracks = serde_json::json!({"videos": [], "annotations": [], "categories": []});
    let push = |to: &mut Value, key: &str, value: Value| to[key].as_array_mut().expect("array").push(value);
    // Listed in another order than that of their names.
    for (number, clip) in ["b", "a"].into_iter().enumerate() {
        let one = json(&formats.join("coco").join(format!("{clip}.json")));
        let id = |id: &Value| id.as_u64().expect("id") + 100 * number as u64;
        for image in one["images"].as_array().expect("array") {
            let name = format!("JPEGImages/{clip}/{}", image["file_name"].as_str().expect("name"));
            let mut image = image.clone();
            (image["id"], image["file_name"]) = (id(&image["id"]).into(), name.into());
            push(&mut coco, "images", image);
        }
        for annotation in one["annotations"].as_array().expect("array") {
            let mut annotation = annotation.clone();
            annotation["image_id"] = id(&annotation["image_id"]).into();
            push(&mut coco, "annotations", annotation);
        }
        coco["categories"] = one["categories"].clone();
        let one = json(&formats.join("youtube-vis").join(format!("{clip}.json")));
        let mut video = one["videos"][0].clone();
        let names = video["file_names"].as_array().expect("array").iter();
        let names: Vec<_> = names.map(|name| format!("{clip}/{}", name.as_str().expect("name"))).collect();
        (video["id"], video["file_names"]) = ((7 + number).into(), names.into());
        push(&mut tracks, "videos", video);
        for annotation in one["annotations"].as_array().expect("array") {
            let mut annotation = annotation.clone();
            annotation["video_id"] = (7 + number).into();
            push(&mut tracks, "annotations", annotation);
        }
        tracks["categories"] = one["categories"].clone();
    }
    for (name, dataset) in [("coco", coco), ("youtube-vis", tracks)] {
        std::fs::write(formats.join(format!("{name}.json")), dataset.to_string()).expect("file");
        std::fs::write(formats.join(format!("{name}-list.json")), dataset["annotations"].to_string()).expect("file");
    }
}

#[test]
fn every_format_scores_the_same() {
    let folder = temp();
    let path = folder.path();
    let truth = in_every_format(path);
    let frames = truth.join("JPEGImages");
    let scored = |predictions: &Path, truth: &Path, more: &[&str]| {
        let out = path.join("scores");
        evaluate(predictions, truth, &out, more).succeeds();
        let evaluation = json(&out.join("evaluation.json"));
        (evaluation["clips"].clone(), evaluation["subjects"].clone(), evaluation["protocol"].clone())
    };
    let (clips, subjects, protocol) = scored(&path.join("masks"), &truth, &["--references"]);
    let names: Vec<_> = clips.as_array().expect("array").iter().map(|clip| clip["name"].clone()).collect();
    assert_eq!(names, ["a_1", "a_2", "b_1", "b_2"]);
    let j = number(&subjects[0]["mean"]["j_mean"]);
    assert!(j > 0.5 && j < 0.95 && subjects[0]["mean"]["flicker"].is_number(), "{subjects}");
    assert_eq!(protocol["objects_matched_by"], serde_json::json!(["name"]));
    let (same, expected) = (clips, subjects);

    // Predictions: a folder or a file for each clip, or all clips in one.
    let several =
        ["png", "palette", "color", "probability", "video", "npz", "labels", "coco", "coco-results", "youtube-vis"];
    let number_of_formats = several.len();
    for format in several.into_iter().chain(["coco.json", "youtube-vis.json"]) {
        let predictions = path.join("in").join(format);
        let (clips, subjects, protocol) = scored(&predictions, &truth, &["--references"]);
        assert!(clips == same && subjects == expected, "{format}: {subjects}");
        let by = if format == "color" { "number" } else { "name" };
        assert_eq!(protocol["objects_matched_by"], serde_json::json!([by]), "{format}");
    }

    // Truth in every format, against predictions in another.
    let frames_flag = ["--references", "--frames", frames.to_str().expect("UTF-8")];
    let truths = ["npz", "labels", "coco", "youtube-vis", "coco.json", "youtube-vis.json", "palette"];
    for (index, format) in truths.into_iter().enumerate() {
        let predictions = path.join("in").join(several[(3 * index + 2) % number_of_formats]);
        let (clips, subjects, _) = scored(&predictions, &path.join("truth-in").join(format), &frames_flag);
        assert!(clips == same && subjects == expected, "{format}: {subjects}");
    }
    // Lists of results for such a dataset.
    for format in ["coco", "youtube-vis"] {
        let list = path.join(format!("in/{format}-list.json"));
        let (clips, subjects, _) = scored(&list, &path.join(format!("truth-in/{format}.json")), &frames_flag);
        assert!(clips == same && subjects == expected, "{format}: {subjects}");
    }
    // Without frames the order is that of the files' names.
    let (plain, _, _) = scored(&path.join("masks"), &path.join("truth-in/coco.json"), &[]);
    let (folders, _, _) = scored(&path.join("masks"), &truth.join("Annotations"), &[]);
    assert_eq!(plain, folders);

    // Images without names are the frames in the order of the list.
    let mut nameless = json(&path.join("truth-in/coco/b.json"));
    for image in nameless["images"].as_array_mut().expect("array") {
        image.as_object_mut().expect("object").remove("file_name");
    }
    std::fs::write(path.join("nameless.json"), nameless.to_string()).expect("file");
    let (by_place, _, _) = scored(&path.join("masks/b"), &path.join("nameless.json"), &[]);
    let (by_name, _, _) = scored(&path.join("masks/b"), &truth.join("Annotations/b"), &[]);
    let apart =
        |clips: &Value| clips.as_array().expect("array").iter().map(|c| c["subjects"].clone()).collect::<Vec<_>>();
    assert_eq!(apart(&by_place), apart(&by_name));

    // One clip: every pair of formats; classes as folders and as videos are one's where the frames are.
    let clip = |list: &Value| {
        let list = list
            .as_array()
            .expect("array")
            .iter()
            .filter(|clip| clip["name"].as_str().is_some_and(|n| n.starts_with('b')));
        list.map(|clip| clip["subjects"].clone()).collect::<Vec<_>>()
    };
    let frames = frames.join("b");
    let flags = ["--references", "--frames", frames.to_str().expect("UTF-8")];
    let ending = |format: &str| match format {
        "npz" | "labels" => "b.npz",
        "coco" | "coco-results" | "youtube-vis" => "b.json",
        _ => "b",
    };
    for (index, format) in several.into_iter().enumerate() {
        let truth = path.join("truth-in").join(format).join(ending(format));
        let other = several[(7 * index + 3) % number_of_formats];
        let predictions = path.join("in").join(other).join(ending(other));
        let (one, _, _) = scored(&predictions, &truth, &flags);
        // Names are the truth's own; objects come in the order of the truth.
        assert_eq!(Value::from(clip(&one)), Value::from(clip(&same)), "{other} against {format}");
    }
}

/// Where names tell nothing: by number, by order, or not at all.
#[test]
fn objects_are_matched_by_what_tells_them_apart() {
    let folder = temp();
    let path = folder.path();
    let truth = in_every_format(path);
    let out = path.join("scores");
    let mut dataset = json(&path.join("in/youtube-vis.json"));
    let j = |dataset: &Value, more: &[&str]| {
        let file = path.join("changed.json");
        std::fs::write(&file, dataset.to_string()).expect("file");
        let said = evaluate(&file, &truth, &out, more);
        (said.status == Some(0)).then(|| {
            let evaluation = json(&out.join("evaluation.json"));
            (number(&evaluation["subjects"][0]["mean"]["j_mean"]), evaluation["protocol"].clone(), said.out)
        })
    };
    let (expected, _, said) = j(&dataset, &[]).expect("scores");
    assert!(said.contains("matched to those of the truth by name\n"), "{said}");
    dataset["categories"] = serde_json::json!([{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]);
    let (by_number, protocol, said) = j(&dataset, &[]).expect("scores");
    near(&by_number.into(), expected, 0.0);
    assert_eq!(protocol["objects_matched_by"], serde_json::json!(["number"]));
    assert!(said.contains("by number\n"), "{said}");
    for annotation in dataset["annotations"].as_array_mut().expect("array") {
        annotation["category_id"] = 9.into();
    }
    let (by_order, protocol, _) = j(&dataset, &[]).expect("scores");
    near(&by_order.into(), expected, 0.0);
    assert_eq!(protocol["objects_matched_by"], serde_json::json!(["order"]));
    // Two others: which is whose cannot be told, but all as one can be scored.
    for (place, annotation) in (0..).zip(dataset["annotations"].as_array_mut().expect("array")) {
        annotation["category_id"] = (30 + place % 2).into();
    }
    std::fs::write(path.join("changed.json"), dataset.to_string()).expect("file");
    let said = evaluate(&path.join("changed.json"), &truth, &out, &[]);
    said.refuses(&["changed.json", "its objects are 30, 31", "by name or number: 1, 2", "--union"]);
    let union = j(&dataset, &["--union"]).expect("scores").0;
    evaluate(&path.join("masks"), &truth, &out, &["--union"]).succeeds();
    near(&json(&out.join("evaluation.json"))["subjects"][0]["mean"]["j_mean"], union, 0.0);
    // A truth with a name of its own is not held against other things in the picture.
    let mut one = json(&path.join("truth-in/coco/a.json"));
    one["categories"] = serde_json::json!([{"id": 1, "name": "dog"}]);
    one["annotations"].as_array_mut().expect("array").retain(|annotation| annotation["category_id"] == 1);
    let both = path.join("in/coco/a.json");
    let mut found = json(&both);
    found["categories"] = serde_json::json!([{"id": 1, "name": "dog"}, {"id": 2, "name": "person"}]);
    for (file, dataset) in [(path.join("dog.json"), &one), (both.clone(), &found)] {
        std::fs::write(file, dataset.to_string()).expect("file");
    }
    evaluate(&both, &path.join("dog.json"), &out, &[]).succeeds();
    let named = json(&out.join("evaluation.json"))["subjects"][0]["mean"]["j_mean"].clone();
    evaluate(&path.join("masks"), &truth, &out, &[]).succeeds();
    let palette = json(&out.join("evaluation.json"));
    near(&named, number(&scores(&palette, "a_1", 0)["j_mean"]), 0.0);
}

#[test]
fn masks_that_do_not_fit_the_truth_are_refused_in_words() {
    let folder = temp();
    let path = folder.path();
    let truth = in_every_format(path);
    let copied = |from: &str, to: &str| {
        let to = path.join(to);
        std::fs::create_dir_all(to.parent().expect("folder")).expect("folder");
        std::fs::copy(path.join(from), &to).expect("copy");
        to
    };
    let written = |name: &str, value: &Value| {
        let file = path.join(name);
        std::fs::write(&file, value.to_string()).expect("file");
        file
    };
    let refuses = |predictions: &Path, truth: &Path, more: &[&str], words: &[&str]| {
        evaluate(predictions, truth, &path.join("scores"), more).refuses(words);
        assert!(!path.join("scores").exists(), "nothing is written");
    };
    // One file for several clips that names none of them.
    let npz = path.join("in/npz/a.npz");
    refuses(&npz, &truth, &[], &["a.npz", "names no clips", "CLIP.*", "--clips"]);
    let alone = path.join("in/youtube-vis/a.json");
    refuses(&alone, &truth, &[], &["a.json", "no clip a", "there are: 1"]);
    refuses(&path.join("in/youtube-vis-list.json"), &truth, &[], &["no clip a", "there are: 7, 8"]);
    // Two files for one clip.
    copied("in/npz/a.npz", "two/a.npz");
    copied("in/coco/a.json", "two/a.json");
    refuses(&path.join("two"), &truth, &["--clips", "a"], &["a.json", "a.npz", "differ only in their ending"]);
    refuses(&path.join("two"), &truth, &["--clips", "b"], &["masks of b are missing", "two does not hold them"]);
    // Another number of frames.
    let annotations = truth.join("Annotations/a");
    std::fs::remove_file(annotations.join("00003.png")).expect("file");
    for (format, words) in [
        ("npz/a.npz", ["a.npz", "4 frames; expected 3"]),
        ("youtube-vis/a.json", ["a.json", "4 segmentations; expected 3"]),
        ("video/a", ["1.mkv", "4 frames; expected 3"]),
    ] {
        // The tracks name their frames: those without truth are left alone.
        if format.starts_with("youtube") {
            let mut dataset = json(&path.join("in").join(format));
            dataset["videos"] = serde_json::json!([]);
            refuses(&written("list.json", &dataset), &annotations, &[], &["list.json", words[1]]);
            evaluate(&path.join("in").join(format), &annotations, &path.join("fewer"), &[]).succeeds();
            evaluate(&path.join("masks/a"), &annotations, &path.join("folder"), &[]).succeeds();
            let [tracks, folder] = ["fewer", "folder"].map(|out| json(&path.join(out).join("evaluation.json")));
            assert_eq!(tracks["clips"], folder["clips"]);
        } else {
            refuses(&path.join("in").join(format), &annotations, &[], &words);
        }
    }
    refuses(&path.join("masks/a"), &path.join("truth-in/npz/a.npz"), &["--frames", "nowhere"], &["00000", "nowhere"]);
    let frames = truth.join("JPEGImages/a");
    std::fs::remove_file(frames.join("00001.png")).expect("file");
    let flags = ["--frames", frames.to_str().expect("UTF-8")];
    refuses(&path.join("masks/a"), &path.join("truth-in/npz/a.npz"), &flags, &["a.npz", "4 frames; expected 3"]);
    refuses(&path.join("masks/a"), &annotations, &flags, &["frame 00001", "missing"]);
    // Truth that tells too little.
    let list = path.join("truth-in/coco-results/a.json");
    refuses(&path.join("masks/a"), &list, &[], &["a.json", "tells nothing of its frames", "--frames"]);
    let nothing = serde_json::json!({"images": [{"id": 0, "file_name": "00000.png"}], "annotations": []});
    refuses(&path.join("masks/a"), &written("none.json", &nothing), &[], &["none.json", "no mask", "width and height"]);
    // Damage.
    let broken = written("broken.json", &Value::from("x"));
    std::fs::write(&broken, "[{\"image_id\": 0,").expect("file");
    refuses(&broken, &annotations, &[], &["broken.json", "EOF"]);
    refuses(&path.join("masks/a"), &broken, &[], &["broken.json", "EOF"]);
    let mut strange = json(&path.join("in/coco.json"));
    strange["annotations"][0]["image_id"] = 999.into();
    refuses(
        &written("strange.json", &strange),
        &truth,
        &["--clips", "b"],
        &["strange.json", "image_id 999", "annotation 0"],
    );
}

/// Frames, truth and masks as videos.
#[test]
fn videos_are_scored_as_folders() {
    let folder = temp();
    let path = folder.path();
    let still = [8, 9, 10, 11].map(|x| square(SIZE.0, SIZE.1, x, 8, 16));
    write_frames(&path.join("truth"), &still, gray_png);
    write_frames(&path.join("masks"), &[8, 10, 10, 12].map(|x| square(SIZE.0, SIZE.1, x, 8, 16)), gray_png);
    write_frames(&path.join("frames"), &[0, 1, 2, 3].map(picture_at), gray_png);
    for name in ["truth", "masks", "frames"] {
        common::ffmpeg(path, &format!("-i {name}/%05d.png -c:v ffv1 -pix_fmt gray {name}.mkv"));
    }
    let scored = |ending: &str| {
        let (out, frames) = (path.join("scores"), path.join(format!("frames{ending}")));
        let of = |name: &str| path.join(format!("{name}{ending}"));
        evaluate(&of("masks"), &of("truth"), &out, &["--frames", frames.to_str().expect("UTF-8"), "--references"])
            .succeeds();
        json(&out.join("evaluation.json"))
    };
    let (folders, videos) = (scored(""), scored(".mkv"));
    assert!(folders["subjects"][0]["mean"]["flicker"].is_number());
    assert_eq!(folders["clips"], videos["clips"]);
    // Only some frames of a video have a truth.
    std::fs::remove_file(path.join("truth/00001.png")).expect("file");
    let out = path.join("sparse");
    let frames = path.join("frames.mkv");
    let flags = ["--frames", frames.to_str().expect("UTF-8")];
    evaluate(&path.join("masks"), &path.join("truth"), &out, &flags).succeeds();
    let sparse = json(&out.join("evaluation.json"));
    assert_eq!(sparse["clips"][0]["frames"], serde_json::json!(["00000", "00002", "00003"]));
    std::fs::rename(path.join("truth/00002.png"), path.join("truth/00009.png")).expect("file");
    evaluate(&path.join("masks"), &path.join("truth"), &out, &flags).refuses(&["frame 00009", "frames.mkv"]);
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
