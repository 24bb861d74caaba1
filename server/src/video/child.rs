use std::{
    ffi::OsString,
    io::Read,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread::JoinHandle,
};

use crate::{Error, Result};

/// Containers that are opened. Playlists and scripts are left out: they name further files and addresses, which an
/// upload must not make us read; and so is `tty`, which takes any text for a video.
const FORMATS: &str = "3g2,3gp,aac,apng,asf,av1,avi,bmp_pipe,dv,flac,flv,gif,h264,hevc,image2,ivf,jpeg_pipe,m4a,m4v,\
                       matroska,mj2,mov,mp3,mp4,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,png_pipe,rm,tiff_pipe,wav,webm,\
                       webp_pipe,yuv4mpegpipe";

/// How much of what a child says on standard error is kept: the end says why it stopped.
const STDERR_LIMIT: usize = 16 * 1024;

/// A tool as a child process: its standard error is read along, and it is killed when this is dropped.
pub struct Tool {
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

impl Tool {
    /// Starts `name` with `arguments` and with both its pipes open.
    pub fn spawn(name: &'static str, arguments: &[OsString]) -> Result<Self> {
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C reaches this program, which then ends the child in its own time.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::ToolMissing { tool: name },
            _ => Error::Io { action: "start", path: name.into(), reason: source },
        })?;
        let stderr = child.stderr.take().map(|pipe| std::thread::spawn(move || tail(pipe)));
        Ok(Self { child, stderr })
    }

    /// The child's standard output; once.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("standard output is piped and taken once")
    }

    /// The child's standard input; once.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("standard input is piped and taken once")
    }

    /// Waits for the end: the exit status, and what was said on standard error.
    pub fn wait(&mut self) -> (Option<ExitStatus>, String) {
        let status = self.child.wait().ok();
        let said = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        (status, said)
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // Both fail only when the child has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last [`STDERR_LIMIT`] bytes of `pipe`.
pub(crate) fn tail(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..count]);
        if kept.len() > 2 * STDERR_LIMIT {
            kept.drain(..kept.len() - STDERR_LIMIT);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The line of a tool's complaints that tells most, without its `[mov @ 0x…]` prefixes and the file's path.
pub fn gist(said: &str, path: &Path) -> String {
    let file = format!("file:{}: ", path.display());
    let clean = |line: &str| {
        let line = line.replace(&file, "");
        line.rsplit_once(" @ 0x")
            .and_then(|(_, rest)| rest.split_once("] "))
            .map_or(line.clone(), |(_, text)| text.into())
    };
    let telling = said.lines().find(|line| line.contains("moov atom not found") || line.contains("not on whitelist"));
    match telling.or_else(|| said.lines().rfind(|line| !line.trim().is_empty())) {
        Some(line) if line.contains("not on whitelist") => "its kind of file is not accepted".into(),
        Some(line) => clean(line).trim().into(),
        None => "no reason given".into(),
    }
}

/// Arguments that open `path` as a file, whatever its name looks like, and only as one of the accepted containers.
pub fn input(path: &Path) -> [OsString; 6] {
    let mut file = OsString::from("file:");
    file.push(path);
    ["-format_whitelist".into(), FORMATS.into(), "-protocol_whitelist".into(), "file".into(), "-i".into(), file]
}

/// Checks that ffmpeg and ffprobe are there.
///
/// # Errors
/// [`Error::ToolMissing`] for the first that is not.
pub fn require_tools() -> Result<()> {
    for name in ["ffmpeg", "ffprobe"] {
        let mut tool = Tool::spawn(name, &["-version".into()])?;
        let mut version = String::new();
        tool.stdout().read_to_string(&mut version).map_err(Error::io("run", Path::new(name)))?;
        tool.wait();
    }
    Ok(())
}
