//! The HTTP interface, over real connections to the real program.

mod common;

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use common::{LIMIT, ffmpeg, json, names, run, sample, steadymask, temp};
use serde_json::{Value, json};
use steadymask_core::{Settings, union_of};
use steadymask_server::{masks::Masks, source::Source};
use ureq::{Agent, Body, http::Response};

const BUILT_IN: &str = "deeplabv3_mobilenet_v2-voc21";

/// A server of its own on a free port; killed at the end.
struct Server {
    child: Child,
    base: String,
    agent: Agent,
}

impl Server {
    #[track_caller]
    fn start(data: &Path, more: &[&str]) -> Self {
        let mut child = steadymask()
            .args(["serve", "--port", "0", "--device", "cpu", "--data"])
            .arg(data)
            .args(more)
            .env("STEADYMASK_MODELS", data.join("models"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.next().expect("the server says where it listens").expect("line");
        let base = line.split_whitespace().last().expect("address").to_owned();
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT));
        Self { child, base, agent: config.build().into() }
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    #[track_caller]
    fn get(&self, path: &str) -> Response<Body> {
        self.agent.get(self.address(path)).call().expect("answer")
    }

    #[track_caller]
    fn get_json(&self, path: &str) -> (u16, Value) {
        answer(self.get(path))
    }

    #[track_caller]
    fn get_bytes(&self, path: &str) -> Vec<u8> {
        let mut response = self.get(path);
        assert_eq!(response.status(), 200, "{path}");
        response.body_mut().read_to_vec().expect("body")
    }

    #[track_caller]
    fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.agent.post(self.address(path)).send_json(body).expect("answer"))
    }

    #[track_caller]
    fn delete(&self, id: &str) -> (u16, Value) {
        answer(self.agent.delete(self.address(&format!("/api/job/{id}"))).call().expect("answer"))
    }

    #[track_caller]
    fn upload(&self, name: &str, bytes: &[u8]) -> (u16, Value) {
        let form = [
            format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").as_bytes(),
            bytes,
            b"\r\n--edge--\r\n",
        ]
        .concat();
        let request = self.agent.post(self.address("/api/upload"));
        answer(request.content_type("multipart/form-data; boundary=edge").send(&form).expect("answer"))
    }

    /// Uploads a good video; its job.
    #[track_caller]
    fn new_job(&self, video: &Path) -> String {
        let (status, body) = self.upload("clip.mp4", &std::fs::read(video).expect("file"));
        assert_eq!(status, 200, "{body}");
        body["job_id"].as_str().expect("id").to_owned()
    }

    /// Waits until the job is `wanted`; its status.
    #[track_caller]
    fn wait(&self, id: &str, wanted: &str) -> Value {
        let start = Instant::now();
        loop {
            let (status, body) = self.get_json(&format!("/api/status/{id}"));
            assert_eq!(status, 200, "{body}");
            if body["status"] == wanted {
                return body;
            }
            assert!(body["status"] != "failed" && start.elapsed() < LIMIT, "waiting for {wanted}: {body}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn answer(mut response: Response<Body>) -> (u16, Value) {
    assert_eq!(response.headers()["access-control-allow-origin"], "*", "pages of any origin may read it");
    (response.status().as_u16(), response.body_mut().read_json().expect("JSON"))
}

#[track_caller]
fn check_refused((status, body): (u16, Value), expected: u16, code: &str, words: &[&str]) {
    assert_eq!((status, body["code"].as_str()), (expected, Some(code)), "{body}");
    let message = body["message"].as_str().expect("message");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

/// Twelve frames of the sample, 320×180.
fn short_clip(folder: &Path) -> PathBuf {
    std::fs::copy(sample(), folder.join("sample.mp4")).expect("sample");
    ffmpeg(folder, "-i sample.mp4 -frames:v 12 -vf scale=320:180 short.mp4");
    folder.join("short.mp4")
}

#[test]
fn from_upload_to_results() {
    let folder = temp();
    let server = Server::start(&folder.path().join("data"), &[]);
    let (status, about) = server.get_json("/");
    assert_eq!((status, about["name"].as_str(), about["status"].as_str()), (200, Some("steadymask"), Some("ok")));
    assert_eq!(about["device"]["name"], "cpu");
    assert!(about["version"].is_string() && about["links"]["upload"].is_string());
    let (_, classes) = server.get_json("/api/classes");
    assert_eq!(classes[0], json!({ "id": 0, "name": "background" }));
    assert_eq!(classes[15], json!({ "id": 15, "name": "person" }));

    let bytes = std::fs::read(short_clip(folder.path())).expect("file");
    let (status, uploaded) = server.upload("../../etc/my clip.mp4", &bytes);
    assert_eq!(status, 200, "{uploaded}");
    let expected = json!({
        "job_id": uploaded["job_id"], "filename": "my clip.mp4",
        "frames": 12, "fps": 24.0, "width": 320, "height": 180, "duration": 0.5,
    });
    assert_eq!(uploaded, expected);
    let id = uploaded["job_id"].as_str().expect("id");

    // Out of order.
    let status = server.wait(id, "uploaded");
    assert_eq!((&status["stage"], &status["progress"]), (&json!("upload"), &json!(1.0)));
    let frame = |kind: &str, num: &str| format!("/api/frames/{id}/{kind}/{num}");
    check_refused(server.post("/api/stabilize", json!({ "job_id": id })), 409, "wrong_order", &["segment"]);
    check_refused(server.get_json(&frame("mask", "0")), 409, "wrong_order", &["segment"]);
    check_refused(server.get_json(&format!("/api/results/{id}")), 409, "wrong_order", &["stabilize"]);
    check_refused(server.get_json(&format!("/api/metrics/{id}")), 409, "wrong_order", &["stabilize"]);

    let (status, body) = server.post("/api/segment", json!({ "job_id": id, "classes": ["cat", "person"] }));
    assert_eq!((status, &body["job_id"], &body["status"]), (202, &json!(id), &json!("queued")));
    let status = server.wait(id, "segmented");
    assert_eq!((&status["progress"], &status["frames_done"]), (&json!(1.0), &json!(12)));
    check_refused(server.get_json(&frame("stabilized", "0")), 409, "wrong_order", &["stabilize"]);

    // As often as wanted, without the network.
    for settings in [json!({ "method": "moving_average", "window_size": 3 }), json!({ "look_ahead": "all" })] {
        let mut body = settings.clone();
        body["job_id"] = json!(id);
        let (status, answer) = server.post("/api/stabilize", body);
        assert_eq!(status, 202, "{answer}");
        server.wait(id, "completed");
        let (_, results) = server.get_json(&format!("/api/results/{id}"));
        for (field, value) in settings.as_object().expect("object") {
            assert_eq!(&results["settings"][field], value);
        }
        assert_eq!(results["summary"]["frames"], 12);
        let (_, metrics) = server.get_json(&format!("/api/metrics/{id}"));
        assert_eq!(metrics["frames"].as_array().map(Vec::len), Some(12));
        let numbers = [&metrics["before"]["area"], &metrics["after"]["area"], &metrics["frames"][3]["after"]["iou"]];
        assert!(numbers.iter().all(|n| n.is_number()), "{metrics}");
        assert!(metrics["improvement_percent"].is_object());
    }
    // A method is proposed, and the whole trade-off told.
    let plot = format!("/api/results/{id}/auto.svg");
    check_refused(server.get_json(&plot), 404, "not_found", &["auto.svg"]);
    assert_eq!(server.post("/api/stabilize", json!({ "job_id": id, "method": "auto" })).0, 202);
    server.wait(id, "completed");
    let (_, results) = server.get_json(&format!("/api/results/{id}"));
    let (auto, (_, metrics)) = (&results["auto"], server.get_json(&format!("/api/metrics/{id}")));
    assert_eq!((auto, &results["links"]["auto_plot"]), (&metrics["auto"], &json!(plot)));
    assert_eq!(auto["stretches"], json!([{ "first": 0, "frames": 12 }]));
    let candidates = auto["candidates"].as_array().expect("candidates");
    let chosen = &candidates[auto["chosen"].as_u64().expect("index") as usize];
    // As f32: JSON may have been through f64.
    let settings = |of: &Value| serde_json::from_value::<Settings>(of.clone()).expect("settings");
    assert_eq!(settings(&results["settings"]), settings(&chosen["settings"]));
    assert!(candidates.len() >= 10 && candidates.iter().all(|c| c["score"].is_number()), "{auto}");
    assert!(server.get_bytes(&plot).starts_with(b"<svg"));

    // Every format of the command line, a file each; nothing of it stays when the masks are made anew.
    let all = ["png", "palette", "color", "probability", "coco", "coco-results", "youtube-vis", "npz", "video"];
    assert_eq!(about["export"], json!(all));
    let twice = [&all[..], &["png"]].concat();
    assert_eq!(server.post("/api/stabilize", json!({ "job_id": id, "export": twice })).0, 202);
    server.wait(id, "completed");
    let (_, results) = server.get_json(&format!("/api/results/{id}"));
    assert_eq!(results["exports"].as_object().expect("exports").len(), all.len());
    let source = Source::open(&folder.path().join("short.mp4")).expect("source");
    let steady = image::load_from_memory(&server.get_bytes(&frame("stabilized", "5"))).expect("PNG").into_luma8();
    for name in all {
        let link = results["exports"][name].as_str().expect("link");
        let mut file = folder.path().join(link.rsplit('/').next().expect("name"));
        std::fs::write(&file, server.get_bytes(link)).expect("file");
        if file.extension().is_some_and(|ending| ending == "zip") {
            let mut archive = zip::ZipArchive::new(std::fs::File::open(&file).expect("file")).expect("zip");
            file.set_extension("");
            archive.extract(&file).expect("extracted");
        }
        let masks = Masks::open(&file, &source).expect(name);
        let planes = masks.read(&masks.choose(&[]).expect("classes")).expect(name);
        let planes: Vec<_> = planes.take(12).collect::<Result<_, _>>().expect(name);
        assert_eq!(planes.len(), 12, "{name}");
        if !["probability", "npz", "video"].contains(&name) {
            assert!(union_of(&planes[5]).data() == steady.as_raw(), "{name}");
        }
    }

    let one = json!({ "job_id": id, "classes": ["cat"], "method": "none" });
    assert_eq!(server.post("/api/stabilize", one).0, 202);
    server.wait(id, "completed");
    let (_, results) = server.get_json(&format!("/api/results/{id}"));
    assert_eq!(results["exports"], json!({}));
    let gone = server.get_json(&format!("/api/results/{id}/coco.json"));
    check_refused(gone, 422, "invalid_value", &["file", "coco.json", "overlay.mp4"]);
    let outputs = folder.path().join("data/results/outputs").join(id);
    let left = ["job.json", "masks", "metrics.json", "overlay.mp4", "probabilities", "raw"];
    assert_eq!(names(&outputs), left);

    for kind in ["original", "overlay", "overlay_stabilized", "difference"] {
        for num in ["0", "7", "11"] {
            let picture = image::load_from_memory(&server.get_bytes(&frame(kind, num))).expect("JPEG");
            assert_eq!((picture.width(), picture.height()), (320, 180), "{kind}");
        }
    }
    for kind in ["mask", "stabilized"] {
        let response = server.get(&frame(kind, "11"));
        assert_eq!(response.headers()["content-type"], "image/png");
        let picture = image::load_from_memory(&server.get_bytes(&frame(kind, "11"))).expect("PNG").into_luma8();
        assert_eq!(picture.dimensions(), (320, 180));
        assert!(picture.iter().all(|&v| v == 0 || v == 255));
    }
    check_refused(server.get_json(&frame("mask", "12")), 422, "invalid_value", &["num", "12", "0 to 11"]);
    check_refused(server.get_json(&frame("mask", "-1")), 422, "invalid_value", &["num", "-1", "0 to 11"]);
    check_refused(server.get_json(&frame("x-ray", "1")), 422, "invalid_value", &["type", "x-ray", "original, mask"]);

    let (_, results) = server.get_json(&format!("/api/results/{id}"));
    for link in results["links"].as_object().expect("links").values() {
        server.get_bytes(&link.as_str().expect("link").replace("{num}", "3"));
    }
    let overlay = server.get_bytes(results["links"]["overlay_video"].as_str().expect("link"));
    assert_eq!(&overlay[4..8], b"ftyp");

    // State and results are where the documentation says.
    assert_eq!(json(&outputs.join("job.json"))["status"], "completed");
    assert_eq!(names(&outputs.join("masks")).len(), 12);
    assert!(folder.path().join("data/results/uploads").join(id).join("video").is_file());
    assert!(folder.path().join("data/logs/steadymask.log").is_file());

    assert_eq!(server.delete(id), (200, json!({ "job_id": id, "status": "deleted" })));
    assert!(!outputs.exists() && names(&folder.path().join("data/results/uploads")).is_empty());
    check_refused(server.get_json(&format!("/api/status/{id}")), 404, "unknown_job", &[id]);
}

#[test]
fn a_kept_network_is_used_by_name() {
    let folder = temp();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let job = server.new_job(&short_clip(folder.path()));
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../models/weights/{BUILT_IN}.f16.safetensors"));
    // The last number has no class.
    let classes: Vec<_> = (0..20).map(|id| format!("k{id}")).chain(["N/A".into()]).collect();
    let mut import = steadymask();
    import.env("STEADYMASK_MODELS", data.join("models")).args(["models", "import"]).arg(weights);
    run(import.args(["--name", "own", "--classes", &classes.join(",")])).succeeds();

    // It need not be there when the server starts.
    let (_, models) = server.get_json("/api/models");
    assert_eq!((&models[0]["name"], &models[1]["name"]), (&json!(BUILT_IN), &json!("own")));
    assert_eq!(models[1]["classes"], json!(classes[..20]));
    assert_eq!(server.get_json("/api/classes?model=own").1.as_array().map(Vec::len), Some(20));
    assert_eq!(server.get_json("/api/classes?model=own").1[15], json!({ "id": 15, "name": "k15" }));
    let ask = |more: Value| {
        let mut body = json!({ "job_id": job });
        body.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        server.post("/api/segment", body)
    };
    let wrong = ask(json!({ "model": "own", "classes": ["person"] }));
    check_refused(wrong, 422, "invalid_value", &["classes", "person", "k15"]);
    let wrong = ask(json!({ "model": "own", "classes": ["N/A"] }));
    check_refused(wrong, 422, "invalid_value", &["classes", "N/A", "k19"]);
    // A truck is no car.
    check_refused(ask(json!({ "classes": ["truck"] })), 422, "invalid_value", &["classes", "truck", "car"]);
    let mut masks = Vec::new();
    for (model, class) in [("own", "k15"), (BUILT_IN, "person")] {
        assert_eq!(ask(json!({ "model": model, "classes": [class] })).0, 202);
        server.wait(&job, "segmented");
        masks.push(server.get_bytes(&format!("/api/frames/{job}/mask/3")));
        assert_eq!(server.post("/api/stabilize", json!({ "job_id": job, "method": "none" })).0, 202);
        server.wait(&job, "completed");
        assert_eq!(server.get_json(&format!("/api/results/{job}")).1["model"], model);
    }
    assert!(masks[0] == masks[1], "the same weights under two names");
}

#[test]
fn bad_requests_say_what_is_wrong() {
    let folder = temp();
    let server = Server::start(&folder.path().join("data"), &["--max-upload", "1"]);
    let id = server.new_job(&short_clip(folder.path()));
    let nobody = "00000000-0000-4000-8000-000000000000";

    for stranger in [nobody, "..%2F..%2Fetc", "x"] {
        for path in ["status/J", "results/J", "metrics/J", "results/J/overlay.mp4", "frames/J/mask/0"] {
            let path = format!("/api/{}", path.replace('J', stranger));
            check_refused(server.get_json(&path), 404, "unknown_job", &[]);
        }
        check_refused(server.delete(stranger), 404, "unknown_job", &[]);
    }
    check_refused(server.post("/api/segment", json!({ "job_id": nobody })), 404, "unknown_job", &[nobody]);
    check_refused(server.post("/api/stabilize", json!({ "job_id": nobody })), 404, "unknown_job", &[nobody]);
    check_refused(server.get_json("/api/nothing"), 404, "not_found", &[]);
    check_refused(server.get_json("/api/upload"), 405, "method_not_allowed", &[]);

    let segment = |more: Value| {
        let mut body = json!({ "job_id": id });
        body.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        server.post("/api/segment", body)
    };
    check_refused(segment(json!({ "classes": ["unicorn"] })), 422, "invalid_value", &["classes", "unicorn", "person"]);
    check_refused(segment(json!({ "classes": "cat" })), 422, "invalid_value", &["classes", "cat", "sequence"]);
    check_refused(segment(json!({ "model": "huge" })), 422, "invalid_value", &["model", "huge", BUILT_IN]);
    check_refused(segment(json!({ "model": ["huge"] })), 422, "invalid_value", &["model", "huge", "a name"]);
    check_refused(server.get_json("/api/classes?model=huge"), 422, "invalid_value", &["model", "huge", BUILT_IN]);
    check_refused(server.get_json("/api/classes?model=a&model=b"), 400, "invalid_query", &["model"]);
    check_refused(segment(json!({ "clases": [] })), 422, "invalid_value", &["clases", "input_side"]);
    check_refused(segment(json!({ "input_side": 63 })), 422, "invalid_value", &["input_side", "63", "64 to 1080"]);
    check_refused(server.post("/api/segment", json!({})), 422, "invalid_value", &["job_id"]);
    check_refused(server.post("/api/segment", json!([1])), 400, "invalid_json", &["object"]);
    let broken = server.agent.post(server.address("/api/stabilize")).send("{\"job_id\":").expect("answer");
    check_refused(answer(broken), 400, "invalid_json", &["not JSON"]);

    let cases = [
        (json!({ "method": "magic" }), "method", ["magic", "consensus, moving_average"]),
        (json!({ "method": "magic" }), "method", ["magic", "none, auto"]),
        (json!({ "low": 0.6 }), "low", ["0.6", "0.05 to 0.5"]),
        (json!({ "method": 7 }), "method", ["7", "string"]),
        (json!({ "window_size": 4 }), "window_size", ["4", "3, 5, 7 or 9"]),
        (json!({ "window_size": -3 }), "window_size", ["-3", "u32"]),
        (json!({ "alpha": 0.95 }), "alpha", ["0.95", "0.1 to 0.9"]),
        (json!({ "look_ahead": "some" }), "look_ahead", ["some", "0 to 64"]),
        (json!({ "look_ahead": 65 }), "look_ahead", ["65", "0 to 64"]),
        (json!({ "threshold": 0 }), "threshold", ["0", "0.05 to 0.95"]),
        (json!({ "work_side": 9 }), "work_side", ["9", "64 to 1080"]),
        (json!({ "export": ["png", "gif"] }), "export", ["gif", "png, palette"]),
        (json!({ "export": "png" }), "export", ["png", "list"]),
        (json!({ "windowsize": 5 }), "windowsize", ["5", "window_size"]),
    ];
    for (mut body, field, words) in cases {
        body["job_id"] = json!(id);
        let (status, answer) = server.post("/api/stabilize", body);
        assert_eq!(answer["field"], field, "{answer}");
        assert!(answer["value"].is_string() && answer["allowed"].is_string(), "{answer}");
        check_refused((status, answer), 422, "invalid_value", &words);
    }

    check_refused(server.upload("notes.txt", b"not a video"), 415, "not_a_video", &["notes.txt"]);
    check_refused(server.upload("none.mp4", b""), 415, "not_a_video", &["none.mp4", "empty"]);
    check_refused(server.upload("big.mp4", &vec![0; 1 << 20 | 1]), 413, "too_large", &["at most 1 MiB"]);
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i sine=d=1 sound.m4a");
    ffmpeg(path, "-f lavfi -i testsrc=s=160x120:r=25:d=4 whole.mp4");
    let whole = std::fs::read(path.join("whole.mp4")).expect("file");
    let sound = std::fs::read(path.join("sound.m4a")).expect("file");
    check_refused(server.upload("cut.mp4", &whole[..whole.len() / 2]), 422, "damaged_video", &["cut.mp4", "moov"]);
    check_refused(server.upload("sound.m4a", &sound), 415, "no_video_track", &["sound.m4a", "audio"]);
    let form = "--edge\r\nContent-Disposition: form-data; name=\"movie\"\r\n\r\nx\r\n--edge--\r\n";
    let post = |kind: &str| {
        answer(server.agent.post(server.address("/api/upload")).content_type(kind).send(form).expect("answer"))
    };
    check_refused(post("multipart/form-data; boundary=edge"), 422, "invalid_value", &["file"]);
    check_refused(post("text/plain"), 400, "not_multipart", &[]);
    let kept = names(&path.join("data/results/uploads"));
    assert_eq!(kept, [id], "of refused uploads nothing is left");
}

#[test]
fn a_size_that_changes_fails_the_job_in_words() {
    let folder = temp();
    let path = folder.path();
    let server = Server::start(&path.join("data"), &[]);
    for (size, name) in [("64x48", "a.ts"), ("80x60", "b.ts")] {
        ffmpeg(path, &format!("-f lavfi -i testsrc=s={size}:r=10:d=1 -c:v mpeg2video {name}"));
    }
    let both = ["a.ts", "b.ts"].map(|name| std::fs::read(path.join(name)).expect("file")).concat();
    let (_, uploaded) = server.upload("grows.ts", &both);
    let id = uploaded["job_id"].as_str().expect("id");
    assert_eq!(server.post("/api/segment", json!({ "job_id": id })).0, 202);
    let start = Instant::now();
    let status = loop {
        let (_, status) = server.get_json(&format!("/api/status/{id}"));
        if status["status"] == "failed" || start.elapsed() > LIMIT {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status["error"]["code"], "frame_size", "{status}");
    assert!(status["message"].as_str().is_some_and(|m| m.contains("80×60") && m.contains("64×48")), "{status}");
}

#[test]
fn work_stops_when_deleted_and_is_told_after_a_kill() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=320x240:r=25:d=60 -preset ultrafast long.mp4");
    let data = path.join("data");
    let mut server = Server::start(&data, &[]);
    let (removed, killed) = (server.new_job(&path.join("long.mp4")), server.new_job(&path.join("long.mp4")));
    for id in [&removed, &killed] {
        assert_eq!(server.post("/api/segment", json!({ "job_id": id })).0, 202);
    }
    server.wait(&removed, "segmenting");
    check_refused(server.post("/api/segment", json!({ "job_id": removed })), 409, "busy", &[]);
    assert_eq!(server.delete(&removed).0, 200);
    // The next in the queue begins, and nothing is left of the one before.
    server.wait(&killed, "segmenting");
    assert_eq!(names(&data.join("results/outputs")), [killed.as_str()]);
    assert_eq!(names(&data.join("results/uploads")), [killed.as_str()]);

    server.child.kill().expect("kill");
    server.child.wait().expect("wait");
    let server = Server::start(&data, &[]);
    let (_, status) = server.get_json(&format!("/api/status/{killed}"));
    assert_eq!((&status["status"], &status["error"]["code"]), (&json!("failed"), &json!("interrupted")), "{status}");
    // It can be asked for again; and a polite end says the same.
    assert_eq!(server.post("/api/segment", json!({ "job_id": killed })).0, 202);
    server.wait(&killed, "segmenting");
    terminate(server);
    let job = json(&data.join("results/outputs").join(&killed).join("job.json"));
    assert_eq!((&job["status"], &job["error"]["code"]), (&json!("failed"), &json!("interrupted")), "{job}");
}

/// Asks the server to end and waits until it has.
#[track_caller]
fn terminate(mut server: Server) {
    let signal = std::process::Command::new("kill").arg(server.child.id().to_string()).status().expect("kill");
    assert!(signal.success());
    let start = Instant::now();
    loop {
        match server.child.try_wait().expect("wait") {
            Some(status) => return assert!(status.success(), "{status}"),
            None if start.elapsed() > LIMIT => panic!("the server does not end"),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[test]
fn the_page_is_served_and_addresses_must_be_free() {
    let folder = temp();
    let path = folder.path();
    let site = path.join("site");
    let arguments = |site: &Path| ["--site-port".into(), "0".into(), "--site".into(), site.display().to_string()];
    let serve = |more: &[String]| {
        run(steadymask().args(["serve", "--device", "cpu", "--data"]).arg(path.join("other")).args(more))
    };
    serve(&arguments(&site)).refuses(&["holds no page", "index.html"]);
    std::fs::create_dir_all(&site).expect("folder");
    std::fs::write(site.join("index.html"), "<!doctype html>hello").expect("file");
    std::fs::write(site.join("worker.wasm"), "x").expect("file");

    let site_arguments = arguments(&site);
    let more: Vec<_> = site_arguments.iter().map(String::as_str).collect();
    let mut child = steadymask()
        .args(["serve", "--port", "0", "--device", "cpu", "--data"])
        .arg(path.join("data"))
        .args(&more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut address = || lines.next().expect("line").expect("line").split_whitespace().last().map(str::to_owned);
    let (api, page) = (address().expect("address"), address().expect("address"));
    let mut body = String::new();
    let mut response = ureq::get(&page).call().expect("page");
    assert!(response.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    response.body_mut().as_reader().read_to_string(&mut body).expect("body");
    assert!(body.contains("hello"));
    let wasm = ureq::get(format!("{page}/worker.wasm")).call().expect("file");
    assert_eq!(wasm.headers()["content-type"], "application/wasm");

    let port = |address: &str| address.rsplit(':').next().expect("port").to_owned();
    serve(&["--port".into(), port(&api)]).refuses(&["is in use", &port(&api), "--port"]);
    let taken = ["--port", "0", "--site-port", &port(&page), "--site", &site.display().to_string()].map(String::from);
    serve(&taken).refuses(&["is in use", &port(&page), "--site-port"]);
    child.kill().expect("kill");
    child.wait().expect("wait");

    std::fs::write(path.join("file"), "").expect("file");
    let data = path.join("file/data");
    run(steadymask().args(["serve", "--port", "0", "--data"]).arg(&data)).refuses(&["cannot create", "not a folder"]);
}
