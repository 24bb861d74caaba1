use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::ChildStdin,
};

use steadymask_core::{Plane, Rgb};

use super::{Rate, child::Tool, child::gist};
use crate::{Error, Result, picture};

/// A video in the making. It appears under its name when it is finished; dropped before, it leaves nothing.
pub struct Encoder {
    tool: Tool,
    stdin: Option<ChildStdin>,
    path: PathBuf,
    partial: PathBuf,
}

impl Encoder {
    /// An H.264 video in MP4: RGB frames of `size` pixels are to follow. H.264 needs even sides: an odd one gets a
    /// black row or column more.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] and [`Error::Io`].
    pub fn create(path: &Path, size: (usize, usize), rate: Rate) -> Result<Self> {
        let filter = "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";
        let codec = "-c:v libx264 -preset veryfast -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
                     -color_range tv -movflags +faststart -f mp4";
        Self::start(path, "rgb24", size, rate, &format!("-vf {filter} {codec}"))
    }

    /// A video in Matroska that keeps every level of gray (FFV1): gray frames of `size` pixels are to follow.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] and [`Error::Io`].
    pub fn create_gray(path: &Path, size: (usize, usize), rate: Rate) -> Result<Self> {
        Self::start(path, "gray", size, rate, "-c:v ffv1 -level 3 -g 1 -color_range pc -f matroska")
    }

    /// `output`: options without blanks inside, for what becomes of the frames.
    fn start(path: &Path, pixels: &str, (width, height): (usize, usize), rate: Rate, output: &str) -> Result<Self> {
        let partial = picture::partial(path);
        let Rate { num, den } = rate;
        let options = format!(
            "-v error -nostdin -y -f rawvideo -pix_fmt {pixels} -video_size {width}x{height} -framerate {num}/{den} \
             -i pipe:0 {output}"
        );
        let mut arguments: Vec<OsString> = options.split_whitespace().map(Into::into).collect();
        let mut target = OsString::from("file:");
        target.push(&partial);
        arguments.push(target);
        let mut tool = Tool::spawn("ffmpeg", &arguments)?;
        Ok(Self { stdin: Some(tool.stdin()), tool, path: path.to_path_buf(), partial })
    }

    /// One more frame of [`Self::create`].
    ///
    /// # Errors
    /// [`Error::Ffmpeg`] when ffmpeg has given up.
    pub fn write(&mut self, frame: &Plane<Rgb>) -> Result<()> {
        self.write_bytes(frame.as_bytes())
    }

    /// One more frame of [`Self::create_gray`].
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_gray(&mut self, frame: &Plane<u8>) -> Result<()> {
        self.write_bytes(frame.data())
    }

    fn write_bytes(&mut self, frame: &[u8]) -> Result<()> {
        let written = self.stdin.as_mut().is_some_and(|pipe| pipe.write_all(frame).is_ok());
        if written { Ok(()) } else { Err(self.failure()) }
    }

    /// Ends the video and gives it its name.
    ///
    /// # Errors
    /// [`Error::Ffmpeg`] when ffmpeg fails, [`Error::Io`] when the file cannot be renamed.
    pub fn finish(mut self) -> Result<()> {
        self.stdin = None;
        let (status, said) = self.tool.wait();
        if !status.is_some_and(|s| s.success()) {
            return Err(failure(&said, &self.partial));
        }
        std::fs::rename(&self.partial, &self.path).map_err(Error::io("write", &self.path))
    }

    fn failure(&mut self) -> Error {
        self.stdin = None;
        failure(&self.tool.wait().1, &self.partial)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Not there any more once the video is finished.
        let _ = std::fs::remove_file(&self.partial);
    }
}

fn failure(said: &str, path: &Path) -> Error {
    let detail = if said.contains("Unknown encoder") {
        "it was built without H.264 (libx264) or FFV1; install a complete ffmpeg".into()
    } else {
        gist(said, path)
    };
    Error::Ffmpeg { doing: "writing a video", detail }
}
