//! Classifiers of a person's own: trained, calibrated, and asked about pictures and clips, through both doors.

mod common;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use common::{LIMIT, Said, TempDir, ffmpeg, json, names, run, steadymask, temp};
use serde_json::Value;
use steadymask_core::{Plane, Rgb};
use steadymask_server::picture;
use ureq::Agent;

/// Pictures of a class.
const PICTURES: usize = 30;

/// Numbers that depend on the seed only.
fn noise(seed: usize, index: usize) -> usize {
    let z = (seed as u64 * 1_000_003 + index as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as usize
}

/// Paint in two colours, one over the other, different in each picture; a dirty one is spattered with brown.
fn paint(seed: usize, dirty: bool) -> Plane<Rgb> {
    let (width, height) = (96 + noise(seed, 0) % 60, 72 + noise(seed, 1) % 40);
    let color = |from: usize| -> [usize; 3] { std::array::from_fn(|c| 60 + noise(seed, from + c) % 190) };
    let (above, below) = (color(2), color(5));
    Plane::from_fn(width, height, |x, y| {
        let spatter = dirty && noise(seed, 100 + (x / 4) + 400 * (y / 4)).is_multiple_of(3);
        let mix = |c: usize| (above[c] * (height - y) + below[c] * y) / height;
        if spatter { [96, 70, 40] } else { std::array::from_fn(|c| mix(c) as u8) }
    })
}

fn write_class(folder: &Path, dirty: bool, seeds: std::ops::Range<usize>) {
    std::fs::create_dir_all(folder).expect("a folder");
    for seed in seeds {
        let picture = paint(2 * seed + usize::from(dirty), dirty);
        picture::write_rgb(&folder.join(format!("{seed:03}.png")), &picture).expect("a picture");
    }
}

/// A folder of pictures of two classes, and the program with a library of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: temp() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = steadymask();
        command.env("STEADYMASK_MODELS", self.path("library")).current_dir(self.folder.path());
        command
    }

    fn say(&self, arguments: &[&str]) -> Said {
        run(self.command().args(arguments))
    }
}

/// Two classifiers, trained once for all tests: `cleanliness_model`, and `condition_model` with its classes the other way
/// round than the folders lie.
static TRAINED: LazyLock<Place> = LazyLock::new(|| {
    let place = Place::new();
    write_class(&place.path("paint/clean"), false, 0..PICTURES);
    write_class(&place.path("paint/dirty"), true, 0..PICTURES);
    write_class(&place.path("dents/intact"), false, 200..200 + PICTURES);
    write_class(&place.path("dents/damaged"), true, 200..200 + PICTURES);
    let said = place.say(&["train-classifier", "paint", "--name", "cleanliness_model", "--report", "paint.json"]);
    said.succeeds();
    assert!(said.err.contains("60/60 pictures") && said.err.contains("s left"), "{}", said.err);
    assert!(said.out.contains("clean: 30 pictures, 30 distinct") && said.out.contains("kept as"), "{}", said.out);
    let more = ["--classes", "intact,damaged", "--out", "condition.safetensors", "--folds", "3", "--seed", "7"];
    let said = place.say(&[&["train-classifier", "dents", "--name", "condition_model"], &more[..]].concat());
    said.succeeds();
    place
});

fn answers(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn a_folder_of_pictures_becomes_a_classifier_with_an_honest_score() {
    let report = json(&TRAINED.path("paint.json"));
    let score = &report["score"];
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    let (low, high) = (number(&score["interval"][0]), number(&score["interval"][1]));
    let accuracy = number(&score["accuracy"]);
    println!("{accuracy} in {low} to {high}, {}", report["seconds"]);
    // Sixty pictures do not say more than that, however well it does.
    assert!(accuracy > 0.9 && low > 0.75 && low < 0.95 && low <= accuracy && accuracy <= high, "{score}");
    assert_eq!((score["distinct"].as_u64(), score["baseline"].as_f64()), (Some(60), Some(0.5)));
    let calibration = &score["calibration"];
    assert!(number(&calibration["error_after"]) < 0.15 && number(&calibration["error_before"]) < 0.5, "{calibration}");
    assert_eq!((&report["base"], &report["settings"]["folds"]), (&"mobilenet_v2_stride16".into(), &5.into()));

    let info = TRAINED.say(&["models", "info", "condition.safetensors"]);
    assert!(info.succeeds().out.contains("a classifier") && info.out.contains("intact, damaged"), "{}", info.out);
    let info = TRAINED.say(&["models", "info", "cleanliness_model"]);
    assert!(info.succeeds().out.contains("calibrated on 60 pictures: temperature "), "{}", info.out);
    TRAINED.say(&["models", "verify"]).succeeds();

    // The same pictures and seed give the same file.
    let more = ["--classes", "intact,damaged", "--out", "again.safetensors", "--folds", "3", "--seed", "7"];
    TRAINED.say(&[&["train-classifier", "dents"], &more[..]].concat()).succeeds();
    let bytes = |name: &str| std::fs::read(TRAINED.path(name)).expect("a file");
    assert!(bytes("again.safetensors") == bytes("condition.safetensors"));
    let refused = ["train-classifier", "dents", "--name", "condition_model"];
    TRAINED.say(&refused).refuses(&["another network is kept as condition_model"]);
}

#[test]
fn a_trained_classifier_is_trained_and_calibrated_further() {
    let place = &*TRAINED;
    // Pictures that it has not seen.
    write_class(&place.path("fresh/clean"), false, 400..430);
    write_class(&place.path("fresh/dirty"), true, 400..430);
    let said = place.say(&["calibrate", "fresh", "--model", "cleanliness_model", "--out", "calibrated.safetensors"]);
    assert!(said.succeeds().out.contains("expected calibration error: "), "{}", said.out);
    let new = place.say(&["analyze", "fresh/dirty/400.png", "--cleanliness", "calibrated.safetensors"]);
    let answer = answers(new.succeeds()).remove(0);
    assert_eq!((&answer["cleanliness"], &answer["calibrated"][0]), (&"dirty".into(), &"cleanliness".into()));

    let base = ["--base", "calibrated.safetensors", "--out", "third.safetensors"];
    let said = place.say(&[&["train-classifier", "fresh"], &base[..]].concat());
    assert!(said.succeeds().out.contains("mobilenet_v2_stride16 with a new last layer"), "{}", said.out);

    // Parted by hand: the held out pictures are scored.
    std::fs::create_dir_all(place.path("parted")).expect("a folder");
    std::fs::rename(place.path("fresh"), place.path("parted/val")).expect("a folder moves");
    write_class(&place.path("parted/train/clean"), false, 500..530);
    write_class(&place.path("parted/train/dirty"), true, 500..530);
    let said = place.say(&["train-classifier", "parted", "--out", "parted.safetensors"]);
    assert!(said.succeeds().out.contains("60 pictures held out in val; trained on 60"), "{}", said.out);

    place
        .say(&["calibrate", "parted", "--model", "cleanliness_model", "--out", "x.safetensors"])
        .refuses(&["it has train and val"]);
    place
        .say(&["calibrate", "dents", "--model", "cleanliness_model", "--out", "x.safetensors"])
        .refuses(&["its folders are damaged, intact", "expected clean, dirty"]);
    place
        .say(&["calibrate", "parted/val", "--model", "nothing", "--out", "x.safetensors"])
        .refuses(&["no network is kept as nothing"]);
}

#[test]
fn folders_without_an_honest_score_are_refused() {
    let place = Place::new();
    let train = |folder: &str, words: &[&str]| {
        place.say(&["train-classifier", folder, "--out", "x.safetensors"]).refuses(words)
    };
    train("nowhere", &["cannot read nowhere", "No such file"]);
    std::fs::create_dir_all(place.path("empty")).expect("a folder");
    train("empty", &["two folders or more, one a class (none)"]);
    write_class(&place.path("one/clean"), false, 0..25);
    train("one", &["two folders or more, one a class (only clean)"]);

    write_class(&place.path("few/clean"), false, 0..25);
    write_class(&place.path("few/dirty"), true, 0..19);
    train("few", &["19 distinct pictures of dirty are too few", "expected 20 or more"]);
    // Copies do not help: one as it was, one smaller and compressed anew.
    let copy = |from: &str, to: &str| std::fs::copy(place.path(from), place.path(to)).expect("a copy");
    copy("few/dirty/003.png", "few/dirty/copy.png");
    ffmpeg(place.folder.path(), "-i few/dirty/005.png -vf scale=80:60 -q:v 4 few/dirty/small.jpg");
    train("few", &["19 distinct pictures of dirty are too few"]);
    copy("few/dirty/003.png", "few/clean/mine.png");
    train("few", &["clean/mine.png and dirty/003.png are the same picture, but in two classes"]);

    write_class(&place.path("torn/clean"), false, 0..25);
    write_class(&place.path("torn/dirty"), true, 0..25);
    std::fs::write(place.path("torn/dirty/note.png"), b"not a picture").expect("a file");
    std::fs::write(place.path("torn/clean/half.jpg"), [0xFF, 0xD8, 0xFF, 0xE0, 0, 16]).expect("a file");
    train("torn", &["2 pictures cannot be read", "clean/half.jpg (", "dirty/note.png ("]);

    write_class(&place.path("split/train/clean"), false, 0..25);
    write_class(&place.path("split/train/dirty"), true, 0..25);
    train("split", &["it has a folder train but none called val"]);
    write_class(&place.path("split/val/clean"), false, 50..75);
    train("split", &["val must hold two folders or more", "only clean"]);
    write_class(&place.path("split/val/dirty"), true, 50..75);
    copy("split/train/clean/007.png", "split/val/clean/other.png");
    train("split", &["train/clean/007.png and val/clean/other.png are the same picture", "one is held out"]);

    let say = |more: &[&str]| place.say(&[&["train-classifier", "torn"], more].concat());
    say(&["--out", "x.safetensors", "--classes", "a,b"]).refuses(&["its folders are clean, dirty (expected a, b)"]);
    say(&["--out", "x.safetensors", "--folds", "1"]).refuses(&["folds", "2 to 20"]);
    say(&["--out", "x.safetensors", "--framing", "round"])
        .refuses(&["unknown framing: round (expected squeeze or middle)"]);
    say(&["--out", "x.safetensors", "--base", "torn/dirty/000.png"]).refuses(&["torn/dirty/000.png"]);
    say(&["--name", "../x"]).refuses(&["cannot be called"]);
    say(&[]).refuses(&["--name"]);
    assert!(!place.path("x.safetensors").exists());
}

#[test]
fn pictures_are_judged() {
    let place = &*TRAINED;
    std::fs::create_dir_all(place.path("asked")).expect("a folder");
    let mut arguments = vec!["analyze".to_owned()];
    for (name, seed, dirty) in [("a", 701, true), ("b", 702, false), ("c", 703, true), ("d", 704, false)] {
        picture::write_rgb(&place.path(&format!("asked/{name}.png")), &paint(seed, dirty)).expect("a picture");
        arguments.push(format!("asked/{name}.png"));
    }
    let said = run(place.command().args(&arguments).args(["--heat", "--out", "heat"]));
    let told = answers(said.succeeds());
    assert_eq!(told.len(), 4);
    for (answer, dirty) in told.iter().zip([true, false, true, false]) {
        let expected = if dirty { ["dirty", "damaged"] } else { ["clean", "intact"] };
        assert_eq!([&answer["cleanliness"], &answer["condition"]], expected, "{answer}");
        for confidence in [&answer["cleanlinessConfidence"], &answer["conditionConfidence"]] {
            assert!((0.5..=1.0).contains(&confidence.as_f64().expect("a number")), "{answer}");
        }
        assert!(answer["processingTime"].is_u64() && answer["calibrated"].as_array().map(Vec::len) == Some(2));
        // A piece of paint is no car.
        assert_eq!(answer["car"]["found"], false);
        assert!(answer["warnings"][0].as_str().is_some_and(|w| w.starts_with("no car was found")), "{answer}");
    }
    assert_eq!(told[1]["image"], "b.png");
    assert_eq!(names(&place.path("heat")).len(), 8);
    let map = picture::read_rgb(&place.path("heat/a-cleanliness.png")).expect("a picture");
    assert_eq!(map.size(), paint(701, true).size());

    let text = place.say(&["analyze", "asked/a.png", "--text"]);
    assert!(text.succeeds().out.contains("cleanliness  dirty, ") && text.out.contains("not found"), "{}", text.out);
    // The contract of who asks about one picture: one object, nothing else.
    let one = place.say(&["analyze", "asked/b.png"]);
    let answer = answers(one.succeeds());
    assert!(answer.len() == 1 && answer[0].get("image").is_none());
    let half = place.say(&["analyze", "asked/b.png", "--condition", "none"]);
    assert!(answers(half.succeeds())[0].get("condition").is_none());
}

#[test]
fn what_cannot_be_judged_is_said_as_json() {
    let place = &*TRAINED;
    let fails = |arguments: &[&str], words: &[&str]| {
        let said = place.say(&[&["analyze"], arguments].concat());
        said.refuses(&[]);
        let error = answers(&said).pop().expect("a line")["error"].as_str().expect("an error").to_owned();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    picture::write_rgb(&place.path("plain.png"), &paint(801, false)).expect("a picture");
    std::fs::write(place.path("torn.jpg"), b"no picture").expect("a file");
    // Of any shape.
    picture::write_rgb(&place.path("long.png"), &Plane::filled(4000, 3, [200, 10, 10])).expect("a picture");
    picture::write_rgb(&place.path("dot.png"), &Plane::filled(1, 1, [200, 10, 10])).expect("a picture");
    assert_eq!(answers(place.say(&["analyze", "long.png", "dot.png"]).succeeds()).len(), 2);
    fails(&["long.png", "--framing", "middle"], &["a picture of 4000×3 has no middle to show"]);
    fails(&["missing.png"], &["cannot read missing.png", "No such file"]);
    fails(&["torn.jpg"], &["torn.jpg"]);
    fails(&["plain.png", "--car-only"], &["no car was found", "--car-only"]);
    fails(&["plain.png", "--cleanliness", "nothing"], &["no network is kept as nothing"]);
    fails(&["plain.png", "--cleanliness", "../nothing"], &["no network is kept as ../nothing"]);
    fails(&["plain.png", "--cleanliness", "torn.jpg"], &["no network is kept as torn.jpg"]);
    fails(&["plain.png", "--cleanliness", "missing.pth"], &["missing.pth", "No such file"]);
    fails(
        &["plain.png", "--cleanliness", "condition.safetensors"],
        &["the network for the cleanliness tells apart intact, damaged (expected clean and dirty)"],
    );
    fails(&["plain.png", "--cleanliness", "none", "--condition", "none"], &["nothing to ask"]);
    fails(&["plain.png", "--server", "http://127.0.0.1:9"], &["cannot ask http://127.0.0.1:9/analyze"]);
    // One of several.
    let said = place.say(&["analyze", "plain.png", "torn.jpg"]);
    said.refuses(&["1 of 2 could not be judged"]);
    let told = answers(&said);
    assert!(told[0].get("cleanliness").is_some() && told[1].get("error").is_some());

    let bare = Place::new();
    picture::write_rgb(&bare.path("plain.png"), &paint(801, false)).expect("a picture");
    let said = bare.say(&["analyze", "plain.png"]);
    said.refuses(&["there is no network for the cleanliness", "steadymask models import cleanliness_model.pth"]);
    // A network that segments is none for this.
    bare.say(&["analyze", "plain.png", "--cleanliness", "deeplabv3_resnet50-voc21"])
        .refuses(&["no network is kept as"]);
    // A file where it is looked for.
    std::fs::copy(place.path("condition.safetensors"), bare.path("condition_model.safetensors")).expect("a copy");
    let said = bare.say(&["analyze", "plain.png", "--cleanliness", "none"]);
    assert_eq!(answers(said.succeeds())[0]["condition"], "intact");
}

#[test]
fn a_clip_gets_one_verdict() {
    let place = &*TRAINED;
    // Twenty frames of dirty paint, every fifth of them clean.
    let frames = place.path("clip");
    std::fs::create_dir_all(&frames).expect("a folder");
    for index in 0..20 {
        let picture = paint(901, index % 5 != 4);
        picture::write_rgb(&frames.join(format!("{index:02}.png")), &picture).expect("a picture");
    }
    let said = place.say(&["analyze", "clip", "--out", "verdict", "--frames", "10"]);
    let answer = answers(said.succeeds()).remove(0);
    assert!(said.err.contains("10/10 frames"), "{}", said.err);
    assert_eq!((&answer["cleanliness"], &answer["condition"]), (&"dirty".into(), &"damaged".into()));
    assert_eq!((&answer["framesTotal"], answer["frames"].as_array().map(Vec::len)), (&20.into(), Some(10)));
    let frames = answer["frames"].as_array().expect("frames");
    let dirty: Vec<f64> = frames.iter().map(|frame| frame["dirty"].as_f64().expect("a number")).collect();
    let disagree = dirty.iter().filter(|&&p| p < 0.5).count();
    assert_eq!(disagree, 2, "frames 9 and 19 of those looked at are clean: {dirty:?}");
    // One frame does not turn it over.
    assert!(frames.iter().all(|frame| frame["dirtySoFar"].as_f64().is_some_and(|p| p > 0.5)));
    assert_eq!(answer["agreement"][0]["share"], 0.8);
    assert_eq!(names(&place.path("verdict")), ["clip-cleanliness.svg", "clip-condition.svg", "clip.json"]);
    let plot = std::fs::read_to_string(place.path("verdict/clip-cleanliness.svg")).expect("a plot");
    assert!(plot.starts_with("<svg") && plot.contains("dirty: 10 of 20 frames"), "{plot}");
    let text = place.say(&["analyze", "clip", "--text", "--frames", "4"]);
    assert!(text.succeeds().out.contains("4 of 20 looked at"), "{}", text.out);
    place.say(&["analyze", "clip", "--car-only", "--frames", "2"]).refuses(&["no car was found"]);
    place.say(&["analyze", "clip", "--frames", "0"]).refuses(&["--frames"]);
}

/// A server with networks for cars.
struct Server {
    child: Child,
    bases: Vec<String>,
    agent: Agent,
}

impl Server {
    fn start(place: &Place, more: &[&str]) -> Self {
        let mut child = place
            .command()
            .args(["serve", "--port", "0", "--analyze-port", "0", "--device", "cpu", "--data", "data"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().take(2);
        let base = |line: String| line.split_whitespace().last().expect("an address").to_owned();
        let bases = lines.map(|line| base(line.expect("a line"))).collect();
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT));
        Self { child, bases, agent: config.build().into() }
    }

    fn send(&self, path: &str, field: &str, bytes: &[u8]) -> (u16, Value) {
        let form = [
            format!("--edge\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a.png\"\r\n\r\n")
                .as_bytes(),
            bytes,
            b"\r\n--edge--\r\n",
        ]
        .concat();
        let request = self.agent.post(format!("{}{path}", self.bases[1]));
        let mut answer = request.content_type("multipart/form-data; boundary=edge").send(&form).expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_server_judges_as_the_command_does() {
    let place = &*TRAINED;
    picture::write_rgb(&place.path("sent.png"), &paint(1001, true)).expect("a picture");
    let bytes = std::fs::read(place.path("sent.png")).expect("a file");
    let mut own = answers(place.say(&["analyze", "sent.png"]).succeeds()).remove(0);
    let server = Server::start(place, &[]);
    for base in &server.bases {
        let mut health = server.agent.get(format!("{base}/health")).call().expect("an answer");
        assert_eq!(health.body_mut().read_json::<Value>().expect("JSON"), serde_json::json!({ "status": "OK" }));
    }
    let (status, mut answer) = server.send("/analyze", "image", &bytes);
    assert_eq!(status, 200, "{answer}");
    for key in ["cleanliness", "cleanlinessConfidence", "condition", "conditionConfidence", "processingTime"] {
        assert!(!answer[key].is_null(), "{key} is missing: {answer}");
    }
    own["processingTime"].take();
    answer["processingTime"].take();
    assert_eq!(answer, own);
    // The command line asks the server.
    let said = place.say(&["analyze", "sent.png", "--server", &server.bases[0]]);
    let mut asked = answers(said.succeeds()).remove(0);
    asked["processingTime"].take();
    assert_eq!(asked, own);
    place.say(&["analyze", "sent.png", "--car-only", "--server", &server.bases[0]]).refuses(&["no car was found"]);

    let fails = |(status, answer): (u16, Value), expected: u16, words: &str| {
        let error = answer["error"].as_str().unwrap_or_else(|| panic!("no error: {answer}"));
        assert!(status == expected && error.contains(words), "{status}, not {expected}: {error}");
    };
    fails(server.send("/analyze", "file", &bytes), 400, "of the name image");
    fails(server.send("/analyze", "image", b"no picture"), 415, "expected PNG or JPEG");
    fails(server.send("/analyze", "image", b"GIF89a\x01\x00\x01\x00"), 415, "expected PNG or JPEG");
    fails(server.send("/analyze", "image", &bytes[..bytes.len() / 2]), 422, "a.png");
    fails(server.send("/analyze?car_only=true", "image", &bytes), 422, "no car was found");
    fails(server.send("/analyze?car_only=perhaps", "image", &bytes), 422, "car_only");
    fails(server.send("/analyze", "image", &vec![0; 33 << 20]), 413, "expected at most 32 MiB");
    fails(server.send("/nothing", "image", &bytes), 404, "nothing at this address");
    let mut answer = server.agent.post(format!("{}/analyze", server.bases[1])).send("x").expect("an answer");
    let error = (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"));
    fails(error, 415, "multipart");
    let mut answer = server.agent.get(format!("{}/analyze", server.bases[1])).call().expect("an answer");
    fails((answer.status().as_u16(), answer.body_mut().read_json().expect("JSON")), 405, "another method");

    let bare = Place::new();
    let server = Server::start(&bare, &[]);
    fails(server.send("/analyze", "image", &bytes), 500, "no networks for cars");
}

#[test]
fn the_car_is_found_where_there_is_one() {
    let data = std::env::var_os("STEADYMASK_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let frames = data.unwrap_or_else(beside).join("davis-dev/car-shadow/frames");
    if !frames.is_dir() {
        eprintln!("skipped: there is no {} (STEADYMASK_DATA names the folder of real data)", frames.display());
        return;
    }
    let place = &*TRAINED;
    let frames = frames.to_str().expect("UTF-8");
    let said = place.say(&["analyze", frames, "--frames", "5", "--car-only", "--device", "cpu"]);
    let answer = answers(said.succeeds()).remove(0);
    assert_eq!((&answer["car"]["found"], &answer["carOnly"]), (&true.into(), &true.into()));
    let shares = answer["frames"].as_array().expect("frames").iter().map(|frame| frame["carShare"].as_f64());
    // In truth 5 to 14 hundredths of each frame.
    assert!(shares.flatten().filter(|share| (0.02..0.25).contains(share)).count() >= 4, "{}", answer["frames"]);
    assert!(Duration::from_millis(answer["processingTime"].as_u64().expect("a number")) < LIMIT);
}
