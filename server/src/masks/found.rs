//! What lies at a path: found out, and read as far as it can be, before it is known to which frames it belongs.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    Class, Format, Masks, Surplus, check_classes,
    coco::{Dataset, Tracks},
    npz::{Archive, Arrays},
    png::Pictures,
    video::{MaskVideo, Videos, probe},
};
use crate::{
    Error, Result,
    error::name_of,
    picture,
    source::{Source, stem_of},
};

/// Masks at a path, of one clip or, in JSON, of several.
pub struct Found {
    path: PathBuf,
    content: Content,
}

enum Content {
    Pictures,
    /// A folder of pictures for each class, named as the class.
    PicturesByClass(Vec<PathBuf>),
    Video(MaskVideo),
    /// One for each class, named as the class.
    VideosByClass(Vec<MaskVideo>),
    Json(Dataset),
    Arrays(Archive),
}

/// What masks tell of the frames they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameList {
    /// What each is called, without ending.
    Names(Vec<String>),
    /// How many there are.
    Count(usize),
}

impl Found {
    /// Finds out what `path` is.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Masks`] for what cannot be used, with the value and what is allowed; and as
    /// [`Video::probe`](crate::video::Video::probe) for a mask video.
    pub fn open(path: &Path) -> Result<Self> {
        let found = |content| Ok(Self { path: path.to_path_buf(), content });
        if !std::fs::metadata(path).map_err(Error::io("read", path))?.is_dir() {
            return found(match beginning(path)?.as_slice() {
                [b'P', b'K', 3 | 5, 4 | 6, ..] => Content::Arrays(Archive::open(path)?),
                [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Content::Arrays(Archive::open_one(path)?),
                bytes if begins_as_json(bytes) => Content::Json(Dataset::open(path)?),
                _ => Content::Video(probe(path)?),
            });
        }
        if !picture::files_in(path, &["png"])?.is_empty() {
            return found(Content::Pictures);
        }
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(path).map_err(Error::io("read", path))? {
            let entry = entry.map_err(Error::io("read", path))?.path();
            match () {
                () if name_of(&entry).starts_with('.') => {}
                () if entry.is_dir() => folders.push(entry),
                () => files.push(entry),
            }
        }
        folders.sort();
        files.sort_by_key(|file| stem_of(file));
        match (folders.is_empty(), files.is_empty()) {
            (false, true) => found(Content::PicturesByClass(folders)),
            (true, false) => {
                found(Content::VideosByClass(files.iter().map(|file| probe(file)).collect::<Result<_>>()?))
            }
            _ => Err(Error::Masks {
                name: name_of(path),
                detail: format!(
                    "a folder with {} folders and {} files, none of them PNG; expected PNG files, a folder of them for \
                     each class, or a video for each class",
                    folders.len(),
                    files.len()
                ),
            }),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is JSON, which need not hold a mask for every frame.
    pub fn is_json(&self) -> bool {
        matches!(self.content, Content::Json(_))
    }

    /// Takes over what a list of results leaves out, which pictures or videos there are, from the dataset that it was
    /// made for; nothing where either is of another format or it leaves nothing out.
    pub fn complete(&mut self, other: &Self) {
        if let (Content::Json(own), Content::Json(other)) = (&mut self.content, &other.content) {
            own.complete(other);
        }
    }

    /// The clips that it names: those of JSON; none of other formats.
    pub fn clips(&self) -> Vec<String> {
        if let Content::Json(dataset) = &self.content { dataset.clips() } else { Vec::new() }
    }

    /// The frames of a clip as far as the masks tell; `None` where they do not. Without the name of a clip, those of
    /// the only one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn frames(&self, clip: Option<&str>) -> Result<Option<FrameList>> {
        let names = |folder: &Path| -> Result<_> {
            let files = picture::files_in(folder, &["png"])?;
            Ok(Some(FrameList::Names(files.iter().map(|file| stem_of(file)).collect())))
        };
        match &self.content {
            Content::Pictures => names(&self.path),
            Content::PicturesByClass(folders) => names(&folders[0]),
            Content::Video((_, video)) => Ok(Some(FrameList::Count(video.times.len()))),
            Content::VideosByClass(videos) => Ok(Some(FrameList::Count(videos[0].1.times.len()))),
            Content::Json(dataset) => Ok(dataset.frames(clip)),
            Content::Arrays(archive) => Ok(archive.frames().map(FrameList::Count)),
        }
    }

    /// Width and height of the frames, where the masks tell it even of a clip on which there are none.
    pub fn size(&self, clip: Option<&str>) -> Option<(usize, usize)> {
        if let Content::Json(dataset) = &self.content { dataset.size(clip) } else { None }
    }

    /// The masks of a clip, or all there are, matched to the frames of `source`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Masks`] for what cannot be used, with the value and what is allowed;
    /// [`Error::MaskMissing`] and [`Error::MaskSurplus`] where masks and frames do not match.
    pub fn masks(&self, clip: Option<&str>, source: &Source, surplus: Surplus) -> Result<Masks> {
        let path = &self.path;
        let (format, classes) = match &self.content {
            Content::Pictures => with(Format::Pictures, Pictures::open(path, source, surplus)?),
            Content::PicturesByClass(folders) => {
                with(Format::Pictures, Pictures::open_by_class(folders, source, surplus)?)
            }
            Content::Video(video) => with(Format::Videos, Videos::of(video, source)?),
            Content::VideosByClass(videos) => with(Format::Videos, Videos::by_class(videos, source)?),
            Content::Json(dataset) => with(Format::Tracks, Tracks::of(dataset, path, clip, source, surplus)?),
            Content::Arrays(archive) => with(Format::Arrays, Arrays::of(archive, path, source)?),
        };
        let name = name_of(path);
        check_classes(&name, classes.len())?;
        Ok(Masks { name, frames: source.frames(), classes, format })
    }
}

fn with<T>(format: impl Fn(T) -> Format, (masks, classes): (T, Vec<Class>)) -> (Format, Vec<Class>) {
    (format(masks), classes)
}

/// The first bytes of a file; fewer when it is shorter.
fn beginning(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(64).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

fn begins_as_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}
