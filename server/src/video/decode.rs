use std::{
    ffi::OsString,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::ChildStdout,
};

use steadymask_core::{ColorRange, I420, Plane, Rgb, rgb_from_i420, rotate};

use super::{
    Video,
    child::{Tool, gist, input},
    probe::find_other_size,
};
use crate::{Error, Result};

/// The frames of a video one after another, upright, as ffmpeg decodes them; ends after the first error.
pub struct Decoder {
    tool: Tool,
    pipe: BufReader<ChildStdout>,
    path: PathBuf,
    video: Video,
    buffer: Vec<u8>,
    count: usize,
    ended: bool,
    warning: Option<String>,
}

impl Decoder {
    /// All frames of the video.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] and [`Error::Io`].
    pub fn open(path: &Path, video: &Video) -> Result<Self> {
        Self::start(path, video, &[], Pixels::I420)
    }

    /// Frame `index` and those that follow; decodes from the key frame before it, or, in containers without an index,
    /// from the start.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(path: &Path, video: &Video, index: usize) -> Result<std::iter::Skip<Self>> {
        let (decoder, skip) = match video.times.get(index) {
            Some(&time) if video.indexed && index > 0 && time.is_finite() => {
                // Halfway back to the frame before, so that rounding cannot lose it.
                let seek = format!("{:.6}", (time + video.times[index - 1]) / 2.0);
                let seek = ["-seek_timestamp", "1", "-ss", &seek].map(Into::into);
                (Self::start(path, video, &seek, Pixels::I420)?, 0)
            }
            _ => (Self::open(path, video)?, index),
        };
        Ok(decoder.skip(skip))
    }

    fn start(path: &Path, video: &Video, seek: &[OsString], pixels: Pixels) -> Result<Self> {
        let (width, height) = (video.coded_width, video.coded_height);
        // Rotation is ours, after the conversion to RGB, as in the browser. Left alone, ffmpeg would rescale frames
        // of another size in silence; this crop keeps every frame as it is and fails on one of another size.
        let guard = format!("crop=w='if(eq(iw,{width})*eq(ih,{height}),iw,-1)':h=ih:exact=1");
        // Full range stays full: ffmpeg would squeeze yuvj420p into the limited range of yuv420p.
        let range = if video.range == ColorRange::Full { "full" } else { "limited" };
        let (out_range, format, length) = match pixels {
            Pixels::I420 => (range, "yuv420p", I420::len_of(width, height)),
            Pixels::Luma => ("full", "gray", width * height),
        };
        let filter = format!("{guard},scale=in_range={range}:out_range={out_range}");
        let mut arguments: Vec<OsString> = ["-v", "error", "-nostdin", "-noautorotate"].map(Into::into).into();
        arguments.extend_from_slice(seek);
        arguments.extend(input(path));
        let output =
            ["-map", "0:V:0", "-vf", &filter, "-fps_mode", "passthrough", "-pix_fmt", format, "-f", "rawvideo"];
        arguments.extend(output.map(Into::into));
        arguments.push("pipe:1".into());
        let mut tool = Tool::spawn("ffmpeg", &arguments)?;
        Ok(Self {
            pipe: BufReader::with_capacity(1 << 16, tool.stdout()),
            tool,
            path: path.to_path_buf(),
            video: video.clone(),
            buffer: vec![0; length],
            count: 0,
            ended: false,
            warning: None,
        })
    }

    /// The next frame's bytes as asked of ffmpeg, and the video; `None` after the last.
    fn advance(&mut self) -> Option<Result<(&[u8], &Video)>> {
        if self.ended {
            return None;
        }
        let filled = self.fill();
        self.ended = !matches!(filled, Ok(true));
        match filled {
            Ok(true) => {
                self.count += 1;
                Some(Ok((&self.buffer, &self.video)))
            }
            Ok(false) => None,
            Err(e) => Some(Err(e)),
        }
    }

    /// What ffmpeg complained of although it went on, once all frames are read.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// One frame into the buffer; `false` at a clean end.
    fn fill(&mut self) -> Result<bool> {
        let mut filled = 0;
        while filled < self.buffer.len() {
            match self.pipe.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io("read", &self.path)(e)),
            }
        }
        if filled == self.buffer.len() {
            return Ok(true);
        }
        let (status, said) = self.tool.wait();
        if said.contains("non positive size for width")
            && let size = (self.video.coded_width, self.video.coded_height)
            && let Some((index, width, height)) = find_other_size(&self.path, size)
        {
            let (expected_width, expected_height) = size;
            let frame = format!("frame {index} of {}", self.video.name);
            return Err(Error::FrameSize { frame, width, height, expected_width, expected_height });
        }
        let clean = filled == 0 && status.is_some_and(|s| s.success());
        if !clean || self.count == 0 {
            let (name, detail) = (self.video.name.clone(), gist(&said, &self.path));
            let silent = said.trim().is_empty() && clean;
            return Err(if silent { Error::NoFrames { name } } else { Error::Damaged { name, detail } });
        }
        if !said.trim().is_empty() {
            self.warning = Some(format!(
                "{} is damaged in places: {} frames were decoded ({})",
                self.video.name,
                self.count,
                gist(&said, &self.path)
            ));
        }
        Ok(false)
    }
}

impl Iterator for Decoder {
    type Item = Result<Plane<Rgb>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (bytes, video) = match self.advance()? {
            Ok(frame) => frame,
            Err(e) => return Some(Err(e)),
        };
        let Video { coded_width: width, coded_height: height, matrix, range, rotation, .. } = *video;
        let rgb = rgb_from_i420(I420 { width, height, bytes, matrix, range });
        Some(rgb.map(|rgb| rotate(rgb, rotation)).map_err(Into::into))
    }
}

/// What is asked of ffmpeg.
#[derive(Clone, Copy)]
enum Pixels {
    /// Planar 4:2:0 in the levels of the video.
    I420,
    /// Luma alone, from 0 to 255 whatever the levels of the video.
    Luma,
}

/// The luma of a video's frames one after another, upright, black at 0 and white at 255.
pub struct LumaDecoder(Decoder);

impl LumaDecoder {
    /// All frames of the video.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn open(path: &Path, video: &Video) -> Result<Self> {
        Ok(Self(Decoder::start(path, video, &[], Pixels::Luma)?))
    }
}

impl Iterator for LumaDecoder {
    type Item = Result<Plane<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (bytes, video) = match self.0.advance()? {
            Ok(frame) => frame,
            Err(e) => return Some(Err(e)),
        };
        let luma = Plane::from_vec(video.coded_width, video.coded_height, bytes.to_vec());
        Some(luma.map(|luma| rotate(luma, video.rotation)).map_err(Into::into))
    }
}
