//! What the tests of both doors need: the real program, clips made by ffmpeg, and a limit on every wait.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use steadymask_core::Plane;
use steadymask_server::picture;

/// No single run of these small clips takes that long; what does hangs.
pub const LIMIT: Duration = Duration::from_secs(240);

/// The program under test.
pub fn steadymask() -> Command {
    Command::new(env!("CARGO_BIN_EXE_steadymask"))
}

/// The project's sample clip: 640×360, 88 frames.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/assets/sample.mp4")
}

/// A folder of this test's own, removed at its end.
pub struct TempDir(PathBuf);

/// A new [`TempDir`].
pub fn temp() -> TempDir {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("steadymask-test-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).expect("temporary folder");
    TempDir(path)
}

impl TempDir {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run said, and how it ended.
pub struct Said {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Fails unless the run failed with an error (not a panic, not a signal) that contains all of `words`.
    #[track_caller]
    pub fn refuses(&self, words: &[&str]) {
        assert!(matches!(self.status, Some(1 | 2)), "status {:?}\n{}\n{}", self.status, self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        assert!(self.err.matches("os error").count() <= 1, "a reason is told twice: {}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
    }

    /// Fails unless the run went well.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        assert_eq!(self.status, Some(0), "{}\n{}", self.out, self.err);
        self
    }
}

/// Runs a command to its end, or kills it at [`LIMIT`] and fails.
#[track_caller]
pub fn run(command: &mut Command) -> Said {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    finish(child.expect("the command starts"))
}

/// Waits for a child with both outputs piped, or kills it at [`LIMIT`] and fails.
#[track_caller]
pub fn finish(mut child: Child) -> Said {
    let mut pipes = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let out = std::thread::spawn(move || read(&mut pipes.0));
    let err = std::thread::spawn(move || read(&mut pipes.1));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("a child can be killed");
            panic!("still running after {LIMIT:?}: {}", err.join().unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let said = (out.join().expect("reader"), err.join().expect("reader"));
    Said { status: status.code(), out: said.0, err: said.1 }
}

fn read(pipe: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).expect("pipe");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs ffmpeg with `arguments` (split at blanks) inside `folder`.
#[track_caller]
pub fn ffmpeg(folder: &Path, arguments: &str) {
    let output: Output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Frames of a video as ffmpeg itself turns and shows them: gray, so many bytes each.
pub fn gray_frames(video: &Path, bytes: usize) -> Vec<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(video)
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
        .output()
        .expect("ffmpeg is installed");
    output.stdout.chunks_exact(bytes).map(Into::into).collect()
}

/// A square mask, `side` pixels, with its corner at (`x`, `y`).
pub fn square(width: usize, height: usize, x: usize, y: usize, side: usize) -> Plane<u8> {
    let inside = |value: usize, from: usize| (from..from + side).contains(&value);
    Plane::from_fn(width, height, |px, py| if inside(px, x) && inside(py, y) { 255 } else { 0 })
}

/// `count` masks of a moving square in `folder`, named by number; every fourth is empty, as flicker has it.
pub fn flickering_masks(folder: &Path, count: usize, width: usize, height: usize) {
    std::fs::create_dir_all(folder).expect("folder");
    for index in 0..count {
        let side = if index % 4 == 3 { 0 } else { width.min(height) / 2 };
        let mask = square(width, height, index % 4, 1, side);
        picture::write_gray(&folder.join(format!("{index:05}.png")), &mask).expect("mask");
    }
}

/// Names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A JSON file.
pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).expect("file")).expect("JSON")
}
