//! Where frames come from: a video, or a folder of pictures.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use steadymask_core::{Plane, Rgb};

use crate::{
    Error, Result,
    error::name_of,
    picture,
    video::{Decoder, Rate, Video},
};

/// A clip that can be read from its start as often as wanted.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file that ffmpeg reads.
    Video {
        /// The file.
        path: PathBuf,
        /// What ffprobe says of it.
        video: Video,
    },
    /// PNG and JPEG pictures.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The pictures, sorted by name; at least one.
        files: Vec<PathBuf>,
        /// Width and height of the first, in pixels.
        size: (usize, usize),
    },
}

impl Source {
    /// Looks at a video or a folder of `.png`, `.jpg` and `.jpeg` files, without decoding more than one frame.
    ///
    /// # Errors
    /// As [`Video::probe`]; for a folder [`Error::NoFrames`], [`Error::SameStem`], [`Error::Picture`] and
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Self::open_video(path, &name_of(path));
        }
        let files = picture::files_in(path, &["png", "jpg", "jpeg"])?;
        let first = files.first().ok_or_else(|| Error::NoFrames { name: name_of(path) })?;
        let mut stems = HashMap::new();
        for file in &files {
            if let Some(other) = stems.insert(stem_of(file), file) {
                return Err(Error::SameStem { first: name_of(other), second: name_of(file) });
            }
        }
        let size = picture::read_rgb(first)?.size();
        Ok(Self::Folder { path: path.to_path_buf(), size, files })
    }

    /// Looks at a video that people know under another name than the file's.
    ///
    /// # Errors
    /// As [`Video::probe`].
    pub fn open_video(path: &Path, name: &str) -> Result<Self> {
        Ok(Self::Video { path: path.to_path_buf(), video: Video::probe(path, name)? })
    }

    /// Frames of which no more is known than what they are called, and their size where that is: masks can be matched to
    /// them, but they cannot be read. `path` is what messages name.
    pub fn named(path: &Path, stems: &[String], size: Option<(usize, usize)>) -> Self {
        let files = stems.iter().map(|stem| path.join(format!("{stem}.png"))).collect();
        Self::Folder { path: path.to_path_buf(), files, size: size.unwrap_or((1, 1)) }
    }

    /// Name of the file or folder.
    pub fn name(&self) -> String {
        match self {
            Self::Video { video, .. } => video.name.clone(),
            Self::Folder { path, .. } => name_of(path),
        }
    }

    /// Width and height of the frames, upright, in pixels.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Video { video, .. } => video.size(),
            Self::Folder { size, .. } => *size,
        }
    }

    /// Number of frames; for a video what its container says, which decoding may correct.
    pub fn frames(&self) -> usize {
        match self {
            Self::Video { video, .. } => video.times.len(),
            Self::Folder { files, .. } => files.len(),
        }
    }

    /// Mean frame rate.
    pub fn rate(&self) -> Rate {
        match self {
            Self::Video { video, .. } => video.rate,
            Self::Folder { .. } => Rate::DEFAULT,
        }
    }

    /// What the mask of frame `index` is called, without ending: the picture's own name, or the frame's number.
    pub fn stem(&self, index: usize) -> String {
        match self {
            Self::Folder { files, .. } if index < files.len() => stem_of(&files[index]),
            _ => numbered(index),
        }
    }

    /// The frames from the first one on.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn read(&self) -> Result<Frames<'_>> {
        Ok(match self {
            Self::Video { path, video } => Frames::Video(Box::new(Decoder::open(path, video)?)),
            Self::Folder { files, size, .. } => Frames::Folder { files: files.iter(), size: *size },
        })
    }

    /// The frames from frame `index` on, without decoding all that is before it where the container allows; nothing
    /// follows an error.
    ///
    /// # Errors
    /// As [`Decoder::open_at`].
    pub fn read_from(&self, index: usize) -> Result<Box<dyn Iterator<Item = Result<Plane<Rgb>>> + '_>> {
        Ok(match self {
            Self::Video { path, video } => Box::new(Decoder::open_at(path, video, index)?),
            Self::Folder { files, size, .. } => Box::new(files.iter().skip(index).map(|file| read_sized(file, *size))),
        })
    }

    /// Frame `index` alone.
    ///
    /// # Errors
    /// As [`Self::read_from`] and its iterator; [`Error::NoFrames`] when there is no such frame.
    pub fn frame(&self, index: usize) -> Result<Plane<Rgb>> {
        self.read_from(index)?.next().unwrap_or_else(|| Err(Error::NoFrames { name: self.name() }))
    }
}

/// The frames of a [`Source`], upright; nothing follows an error.
pub enum Frames<'a> {
    /// From ffmpeg.
    Video(Box<Decoder>),
    /// From pictures.
    Folder {
        /// Those not yet read.
        files: std::slice::Iter<'a, PathBuf>,
        /// The size that each must have.
        size: (usize, usize),
    },
}

impl Frames<'_> {
    /// What is wrong with the source although its frames could be read; known after the last frame.
    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::Video(decoder) => decoder.warning(),
            Self::Folder { .. } => None,
        }
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Plane<Rgb>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Video(decoder) => decoder.next(),
            Self::Folder { files, size } => files.next().map(|file| read_sized(file, *size)),
        }
    }
}

/// `00042` for frame 42: how frames without a name of their own are called.
pub fn numbered(index: usize) -> String {
    format!("{index:05}")
}

fn read_sized(file: &Path, expected: (usize, usize)) -> Result<Plane<Rgb>> {
    let frame = picture::read_rgb(file)?;
    let (width, height) = frame.size();
    if (width, height) == expected {
        return Ok(frame);
    }
    let (expected_width, expected_height) = expected;
    Err(Error::FrameSize { frame: name_of(file), width, height, expected_width, expected_height })
}

pub(crate) fn stem_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
