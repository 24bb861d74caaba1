//! `steadymask models`, against a server on this machine that does what servers do to downloads.

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use common::{Said, TempDir, ffmpeg, names, run, steadymask, temp};
use sha2::{Digest, Sha256};

const WEIGHTS: &[u8] = include_bytes!("../../models/weights/deeplabv3_mobilenet_v2-voc21.f16.safetensors");
const BUILT_IN: &str = "deeplabv3_mobilenet_v2-voc21";

/// What the server says to a request.
struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    /// After how many bytes of the body the connection ends.
    cut: usize,
}

impl Answer {
    fn new(status: &'static str, headers: impl Into<String>, body: &[u8]) -> Self {
        Self { status, headers: headers.into(), body: body.to_vec(), cut: usize::MAX }
    }

    /// The file, or what was asked of it.
    fn file(file: &[u8], from: Option<usize>) -> Self {
        match from {
            None => Self::new("200 OK", format!("Content-Length: {}\r\n", file.len()), file),
            Some(from) if from >= file.len() => Self::new("416 Range Not Satisfiable", "Content-Length: 0\r\n", b""),
            Some(from) => {
                let (total, last) = (file.len(), file.len() - 1);
                let headers =
                    format!("Content-Length: {}\r\nContent-Range: bytes {from}-{last}/{total}\r\n", total - from);
                Self::new("206 Partial Content", headers, &file[from..])
            }
        }
    }

    fn cut(self, cut: usize) -> Self {
        Self { cut, ..self }
    }
}

/// A server that answers request number `n`, for the file from a byte on, as it is told.
struct Host {
    url: String,
    /// From which byte each request wanted the file.
    asked: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Host {
    fn start(answer: impl Fn(usize, Option<usize>) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/file", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let from = requested(&stream);
                let number = {
                    let mut log = log.lock().expect("no panic before");
                    log.push(from);
                    log.len() - 1
                };
                let Answer { status, headers, body, cut } = answer(number, from);
                let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n");
                // The client may have gone, when it was told enough.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..cut.min(body.len())]));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Option<usize>> {
        self.asked.lock().expect("no panic before").clone()
    }
}

/// Reads a request; the byte it wants the file from.
fn requested(stream: &TcpStream) -> Option<usize> {
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line").to_ascii_lowercase());
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    head.iter().find_map(|line| line.strip_prefix("range: bytes=")?.trim_end_matches('-').parse().ok())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A library and a list of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: temp() }
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    /// Writes the list: one network called `own`, with a `sha256` and a `size` as they stand in the file.
    fn list(&self, url: &str, sha256: &str, size: &str, architecture: &str) {
        let classes: Vec<String> = (0..21).map(|i| format!("\"thing{i}\"")).collect();
        let text = format!(
            "[classes]\nthings = [{}]\n[[network]]\nname = \"own\"\narchitecture = \"{architecture}\"\nurl = \"{url}\"\n\
             sha256 = \"{sha256}\"\n{size}\nlicence = \"none\"\nclasses = \"things\"\n\
             input = {{ short_side = 241, mean = [0.5, 0.5, 0.5], deviation = [0.5, 0.5, 0.5] }}\n",
            classes.join(", ")
        );
        std::fs::write(self.folder.path().join("list.toml"), text).expect("file");
    }

    /// The list for `file` as it is.
    fn list_file(&self, url: &str, file: &[u8]) {
        self.list(url, &sha256(file), &format!("size = {}", file.len()), "deeplabv3_mobilenet_v2");
    }

    fn command(&self) -> Command {
        let mut command = steadymask();
        command.env("STEADYMASK_MODELS", self.library()).current_dir(self.folder.path());
        command
    }

    /// `steadymask models … ` with the list.
    fn models(&self, arguments: &[&str]) -> Said {
        run(self.command().args(["models", "--manifest", "list.toml"]).args(arguments))
    }

    /// Fails unless nothing is kept, and of a download nothing either.
    #[track_caller]
    fn is_empty(&self) {
        let downloads = self.library().join("downloads");
        let left = if downloads.exists() { names(&downloads) } else { Vec::new() };
        let whole = left.iter().filter(|name| downloads.join(name).metadata().is_ok_and(|m| m.len() > 0)).count();
        assert_eq!(whole, 0, "{left:?}");
        assert!(names(&self.library()).iter().all(|name| name == "downloads"));
    }
}

#[test]
fn a_network_comes_is_used_and_goes() {
    let place = Place::new();
    let host = Host::start(|_, from| Answer::file(WEIGHTS, from));
    place.list_file(&host.url, WEIGHTS);
    let said = place.models(&["list"]);
    let line = said.succeeds().out.lines().find(|line| line.starts_with("own ")).expect("a line").to_owned();
    assert!(line.contains("deeplabv3_mobilenet_v2") && line.ends_with("no"), "{line}");
    assert!(said.out.contains(&place.library().display().to_string()), "{}", said.out);
    place.models(&["info", "own"]).succeeds().out.find("models fetch own").expect("what to do");

    let said = place.models(&["fetch", "own"]);
    assert!(said.succeeds().out.contains("own is kept: deeplabv3_mobilenet_v2, 21 classes, 2.1 M"), "{}", said.out);
    assert!(said.err.contains("4205346 of 4205346 bytes"), "{}", said.err);
    assert_eq!(host.asked(), [None]);
    assert_eq!(names(&place.library()), ["downloads", "own.json", "own.safetensors"]);
    assert!(names(&place.library().join("downloads")).is_empty());
    assert!(place.models(&["fetch", "own"]).succeeds().out.contains("own is here already"));
    assert_eq!(host.asked().len(), 1, "nothing is fetched twice");
    assert!(place.models(&["list"]).succeeds().out.lines().any(|l| l.starts_with("own ") && l.ends_with("yes")));
    let info = place.models(&["info", "own"]).succeeds().out.clone();
    assert!(info.contains(&sha256(WEIGHTS)) && info.contains("thing20") && info.contains("2097013"), "{info}");
    assert!(place.models(&["verify"]).succeeds().out.contains("own is sound"));

    // It computes what the same weights compute that are built in, under names of its own.
    ffmpeg(place.folder.path(), "-f lavfi -i testsrc=s=64x48:r=1:d=1 in.mp4");
    let segment = |out: &str, more: &[&str]| {
        run(place.command().args(["segment", "in.mp4", "--device", "cpu", "--out", out]).args(more))
    };
    let said = segment("a", &["--logits", "--model", "own"]);
    assert!(said.succeeds().out.contains("1 frames by own"), "{}", said.out);
    segment("b", &["--logits"]).succeeds();
    let logits = |out: &str| std::fs::read(place.folder.path().join(out).join("logits/00000.npy")).expect("file");
    assert_eq!(logits("a"), logits("b"));
    segment("c", &["--model", "own", "--classes", "thing15"]).succeeds();
    segment("d", &["--model", "own", "--classes", "person"]).refuses(&["no such class: person", "thing1, "]);
    let stabilize = |model: &str| {
        run(place.command().args(["stabilize", "in.mp4", "--device", "cpu", "--out", "e", "--model", model]))
    };
    stabilize("own").succeeds();
    assert_eq!(common::json(&place.folder.path().join("e/metrics.json"))["model"], "own");
    stabilize("other").refuses(&["no such network: other", BUILT_IN, "own", ".safetensors"]);
    stabilize("deeplabv3_resnet101-voc21").refuses(&["not here yet", "models fetch deeplabv3_resnet101-voc21"]);
    stabilize("weights.pth").refuses(&["models import weights.pth"]);

    let path = place.library().join("own.safetensors");
    let mut altered = std::fs::read(&path).expect("file");
    *altered.last_mut().expect("a byte") ^= 1;
    std::fs::write(&path, altered).expect("file");
    place.models(&["verify", "own"]).refuses(&["own.safetensors was altered", "SHA-256", "expected"]);
    assert!(place.models(&["remove", "own"]).succeeds().out.contains("own is removed"));
    assert_eq!(names(&place.library()), ["downloads"]);
    place.models(&["remove", "own"]).refuses(&["no network is kept as own"]);
    place.models(&["verify", "own"]).refuses(&["no network is kept as own"]);
    assert!(place.models(&["verify"]).succeeds().out.contains("no networks are kept"));
    for command in ["verify", "remove"] {
        place.models(&[command, "../own"]).refuses(&["no network can be called \"../own\""]);
    }
    place.models(&["fetch", "nothing"]).refuses(&["no such network: nothing", "own"]);
    place.models(&["info", "nothing"]).refuses(&["no such network: nothing", "own"]);
}

#[test]
fn downloads_go_on_where_they_were_cut() {
    let half = WEIGHTS.len() / 2;
    // Cut half-way, once: the same run goes on.
    let place = Place::new();
    let host = Host::start(move |n, from| Answer::file(WEIGHTS, from).cut(if n == 0 { half } else { usize::MAX }));
    place.list_file(&host.url, WEIGHTS);
    place.models(&["fetch", "own"]).succeeds();
    assert_eq!(host.asked(), [None, Some(half)]);
    place.models(&["verify", "own"]).succeeds();

    // Cut every time: what has arrived is kept for the next run.
    let place = Place::new();
    let host = Host::start(|_, from| Answer::file(WEIGHTS, from).cut(1000));
    place.list_file(&host.url, WEIGHTS);
    place.models(&["fetch", "own"]).refuses(&["5000 of 4205346 bytes arrived", "goes on from there"]);
    let fives = [None, Some(1000), Some(2000), Some(3000), Some(4000)];
    assert_eq!(host.asked(), fives);
    let host = Host::start(|_, from| Answer::file(WEIGHTS, from));
    place.list_file(&host.url, WEIGHTS);
    place.models(&["fetch", "own"]).succeeds();
    assert_eq!(host.asked(), [Some(5000)]);
    place.models(&["verify", "own"]).succeeds();

    // A server that knows no ranges sends all of it again.
    let place = Place::new();
    let host = Host::start(move |n, _| Answer::file(WEIGHTS, None).cut(if n == 0 { half } else { usize::MAX }));
    place.list_file(&host.url, WEIGHTS);
    place.models(&["fetch", "own"]).succeeds();
    assert_eq!(host.asked(), [None, Some(half)]);

    // One that is busy is asked again; one that sends another part, from the start.
    let place = Place::new();
    let host = Host::start(move |n, from| match n {
        0 => Answer::new("503 Service Unavailable", "Content-Length: 0\r\n", b""),
        1 => Answer::file(WEIGHTS, from).cut(half),
        2 => Answer::file(WEIGHTS, Some(half + 1)),
        _ => Answer::file(WEIGHTS, from),
    });
    place.list_file(&host.url, WEIGHTS);
    place.models(&["fetch", "own"]).succeeds();
    assert_eq!(host.asked(), [None, None, Some(half), None]);
    place.models(&["verify", "own"]).succeeds();

    // Of a hash and a size that are known in part, and a file that was whole already.
    let place = Place::new();
    let host = Host::start(|_, from| Answer::file(WEIGHTS, from));
    let mib = format!("size_mib = {:.3}", WEIGHTS.len() as f64 / 1_048_576.0);
    place.list(&host.url, &sha256(WEIGHTS)[..8], &mib, "deeplabv3_mobilenet_v2");
    std::fs::create_dir_all(place.library().join("downloads")).expect("folder");
    std::fs::write(place.library().join("downloads/own"), WEIGHTS).expect("file");
    place.models(&["fetch", "own"]).succeeds();
    assert_eq!(host.asked(), [Some(WEIGHTS.len())]);
    assert!(place.models(&["info", "own"]).succeeds().out.contains(&sha256(WEIGHTS)), "the whole hash is kept");
}

#[test]
fn what_is_not_the_published_file_is_refused() {
    let mut flipped = WEIGHTS.to_vec();
    flipped[WEIGHTS.len() / 2] ^= 1;
    let page = b"<!doctype html><title>Sign in</title>".repeat(50);
    let fetch = |answer: fn(&[u8], Option<usize>) -> Answer, sent: &[u8], listed: &[u8], words: &[&str]| {
        let place = Place::new();
        let sent = sent.to_vec();
        let host = Host::start(move |_, from| answer(&sent, from));
        place.list_file(&host.url, listed);
        place.models(&["fetch", "own"]).refuses(words);
        place.is_empty();
    };
    let (hash, wrong) = (sha256(WEIGHTS), sha256(&flipped));
    fetch(Answer::file, &flipped, WEIGHTS, &["not the file that was published", &hash, &wrong]);
    fetch(Answer::file, &WEIGHTS[..1000], WEIGHTS, &["the file there has 1000 bytes (expected 4205346)"]);
    fetch(Answer::file, &[WEIGHTS, b"x"].concat(), WEIGHTS, &["has 4205347 bytes (expected 4205346)"]);
    fetch(Answer::file, &page, &page, &["neither a zip archive nor a pickle"]);
    // Without a length, as servers send what they make on the way.
    fetch(|file, _| Answer::new("200 OK", "", file), &WEIGHTS[..1000], WEIGHTS, &["has 1000 bytes (expected 4205346)"]);
    fetch(
        |file, _| Answer::new("200 OK", "", file),
        &WEIGHTS.repeat(2),
        WEIGHTS,
        &["has more than", "expected 4205346"],
    );
    let gone = |_: &[u8], _| Answer::new("404 Not Found", "Content-Length: 4\r\n", b"gone");
    fetch(gone, b"", WEIGHTS, &["the server answered 404 Not Found"]);
    let script = b"cos\nsystem\n(S'id'\ntR.".repeat(10);
    fetch(Answer::file, &script, &script, &["the pickle asks for os.system", "it was not run"]);

    let place = Place::new();
    let host = Host::start(|_, from| Answer::file(WEIGHTS, from));
    place.list(&host.url, &hash, &format!("size = {}", WEIGHTS.len()), "deeplabv3_resnet50");
    let words = ["holds deeplabv3_mobilenet_v2 with 21 classes", "expected deeplabv3_resnet50 with 21"];
    place.models(&["fetch", "own"]).refuses(&words);
    place.is_empty();

    // A list that is wrong, and a server that is not there.
    place.list("ftp://example.org/file", &hash, "size = 7", "deeplabv3_resnet50");
    place.models(&["list"]).refuses(&["list.toml", "ftp://example.org/file", "https://"]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    place.list_file(&format!("http://127.0.0.1:{port}/file"), WEIGHTS);
    place.models(&["fetch", "own"]).refuses(&["cannot fetch http://127.0.0.1", "refused"]);
}

#[test]
fn files_are_taken_in() {
    let place = Place::new();
    let path = place.folder.path();
    place.list_file("http://127.0.0.1:9/file", WEIGHTS);
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).expect("file");
    write("mine.safetensors", WEIGHTS);
    write("odd name!.safetensors", WEIGHTS);
    write("bad.pth", b"cos\nsystem\n(S'id'\ntR.");
    write("half.safetensors", &WEIGHTS[..WEIGHTS.len() / 2]);

    let info = place.models(&["info", "mine.safetensors"]).succeeds().out.clone();
    assert!(info.contains("deeplabv3_mobilenet_v2: 21 classes, 2.1 M parameters") && info.contains("person"), "{info}");
    // The list knows the file by its hash.
    let said = place.models(&["import", "mine.safetensors"]);
    assert!(said.succeeds().out.contains("own is kept"), "{}", said.out);
    assert!(place.models(&["info", "own"]).succeeds().out.contains("thing20"));
    // Without the list it has its own name.
    let import = |more: &[&str]| run(place.command().args(["models", "import"]).args(more));
    assert!(import(&["mine.safetensors"]).succeeds().out.contains("mine is kept"));
    import(&["mine.safetensors"]).succeeds();
    let classes: Vec<_> = (0..21).map(|i| format!("k{i}")).collect();
    import(&["mine.safetensors", "--name", "second", "--classes", &classes.join(",")]).succeeds();
    assert!(run(place.command().args(["models", "info", "second"])).succeeds().out.contains("k20"));
    let list = run(place.command().args(["models", "list"])).succeeds().out.clone();
    assert!(list.lines().any(|line| line.starts_with("second ") && line.ends_with("imported")), "{list}");
    assert!(list.contains("deeplabv3_resnet101-voc21") && list.contains("mIoU 67.4"), "{list}");
    assert!(list.lines().any(|line| line.starts_with(BUILT_IN) && line.ends_with("built in")), "{list}");
    let with = |class: &str| run(place.command().args(["models", "list", "--class", class]));
    let trucks = with("truck").succeeds().out.clone();
    assert!(trucks.contains("maskrcnn_resnet50_fpn-coco91") && !trucks.contains("voc21"), "{trucks}");
    // What another network calls otherwise.
    assert!(with("motorcycle").succeeds().out.contains(BUILT_IN));
    with("lorry").refuses(&["no network has the class \"lorry\""]);

    import(&["mine.safetensors", "--classes", "a,b"]).refuses(&["2 classes are named", "expected 21"]);
    import(&["odd name!.safetensors"]).refuses(&["cannot be called \"odd name!\"", "--name"]);
    import(&["mine.safetensors", "--name", "../up"]).refuses(&["cannot be called"]);
    import(&["mine.safetensors", "--name", BUILT_IN]).refuses(&["another network, which was published"]);
    import(&["mine.safetensors", "--name", "lraspp_mobilenet_v3_large-voc21"]).refuses(&["which was published"]);
    import(&["bad.pth"]).refuses(&["bad.pth", "asks for os.system", "state_dict"]);
    import(&["half.safetensors"]).refuses(&["half.safetensors", "not a whole safetensors file"]);
    import(&["nowhere.pth"]).refuses(&["nowhere.pth", "No such file"]);
    // Another network does not take the name of one that is kept.
    let record = place.library().join("mine.json");
    let other = std::fs::read_to_string(&record).expect("file").replace(&sha256(WEIGHTS), &"0".repeat(64));
    std::fs::write(&record, other).expect("file");
    import(&["mine.safetensors"]).refuses(&["another network is kept as mine", "--name", "models remove mine"]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_is_where_the_platform_keeps_such_things() {
    let folder = temp();
    let list = |name: &str, value: &Path| {
        let mut command = steadymask();
        command.args(["models", "list"]).env_remove("STEADYMASK_MODELS").env_remove("XDG_CACHE_HOME");
        run(command.env("HOME", folder.path()).env(name, value)).succeeds().out.clone()
    };
    let path = folder.path();
    assert!(list("HOME", path).contains(&format!("kept in {}", path.join(".cache/steadymask/models").display())));
    let cache = path.join("elsewhere");
    assert!(list("XDG_CACHE_HOME", &cache).contains(&format!("kept in {}", cache.join("steadymask/models").display())));
    assert!(list("STEADYMASK_MODELS", &cache).contains(&format!("kept in {}\n", cache.display())));
    assert!(!cache.exists(), "looking creates nothing");
}
