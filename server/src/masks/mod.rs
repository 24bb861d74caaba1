//! Masks that a person brings, and masks that go out: one file a format, each with its reading and its writing.
//!
//! ```text
//!            ┌ png    a folder of pictures: gray, palette or one colour a class; or such a folder a class
//! --masks ──▶┤ video  luma is probability; or a folder with a video a class          ──▶ planes of probabilities,
//!            ├ coco   run lengths in JSON, a picture at a time or a track at a time      one a class, frame by frame
//!            └ npz    arrays of NumPy
//! ```
//!
//! Going out, each format is an [`Export`], and an [`Exporter`] writes several of them frame by frame.
//!
//! What a path is, is told by what it is and by how it begins, never by its ending. Every format is read as often as
//! wanted, from the first frame on, in memory that does not grow with the clip; but for JSON, which is read whole.

mod bundle;
mod coco;
mod found;
mod npz;
mod png;
mod video;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use steadymask_core::{Plane, Rgb, palette::PALETTE};

use crate::{
    Error, Result,
    source::{Source, numbered},
};

pub use bundle::{Bundled, bundle, clear};
pub use found::{Found, FrameList};

/// The most classes or objects that masks may hold: labels are 8 bits, and 0 is nothing.
pub const MAX_CLASSES: usize = 255;

/// A class or an object of the masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name: from the file where it has names, else its number or colour.
    pub name: String,
    /// Its number in the file: a palette index, a category's id.
    pub id: u32,
    /// Its colour.
    pub color: Rgb,
}

impl Class {
    /// A class whose colour is that of its place among all, from 0.
    pub fn new(name: impl Into<String>, id: u32, place: usize) -> Self {
        Self { name: name.into(), id, color: PALETTE[(place + 1).min(MAX_CLASSES)] }
    }

    /// The one class of masks that tell no more than where it is.
    pub fn only() -> Vec<Self> {
        vec![Self::new("object", 1, 0)]
    }
}

/// The probabilities of a clip, frame by frame: one plane of 0–255 for each class that was asked for, all of one
/// size. Nothing follows an error.
pub type Planes<'a> = Box<dyn Iterator<Item = Result<Vec<Plane<u8>>>> + Send + 'a>;

/// Masks or probabilities that a person brought, matched to the frames of a clip.
pub struct Masks {
    name: String,
    frames: usize,
    classes: Vec<Class>,
    format: Format,
}

enum Format {
    Pictures(png::Pictures),
    Videos(video::Videos),
    Tracks(coco::Tracks),
    Arrays(npz::Arrays),
}

impl Masks {
    /// Finds out what `path` is, and matches it to the frames of `source`.
    ///
    /// # Errors
    /// As [`Found::open`] and [`Found::masks`].
    pub fn open(path: &Path, source: &Source) -> Result<Self> {
        Found::open(path)?.masks(None, source, Surplus::Refused)
    }

    /// Name of the file or folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The classes there are, in the order of the planes.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The numbers of the planes of the classes named `names`; of all planes when it is empty. Several objects of one
    /// name are all chosen.
    ///
    /// # Errors
    /// [`steadymask_core::Error::Setting`] for a name that no class has.
    pub fn choose(&self, names: &[String]) -> Result<Vec<usize>> {
        let has = |name: &String| self.classes.iter().any(|class| class.name == *name);
        if let Some(name) = names.iter().find(|&name| !has(name)) {
            let mut known: Vec<_> = self.classes.iter().map(|class| class.name.as_str()).collect();
            known.dedup();
            let allowed = format!("those of the masks: {}", known.join(", "));
            return Err(steadymask_core::Error::Setting { field: "classes", value: name.clone(), allowed }.into());
        }
        if names.is_empty() {
            return Ok((0..self.classes.len()).collect());
        }
        let planes = |name: &String| {
            let name = name.clone();
            self.classes.iter().enumerate().filter(move |(_, class)| class.name == name).map(|(plane, _)| plane)
        };
        let mut seen = HashSet::new();
        Ok(names.iter().flat_map(planes).filter(|&plane| seen.insert(plane)).collect())
    }

    /// The planes `chosen` of every frame, from the first one on, at the size they were brought in. After the last
    /// mask comes [`Error::MaskMissing`]: a video can have more frames than its container said.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] and [`Error::Io`].
    pub fn read(&self, chosen: &[usize]) -> Result<Planes<'_>> {
        let planes = match &self.format {
            Format::Pictures(pictures) => pictures.read(chosen),
            Format::Videos(videos) => videos.read(chosen)?,
            Format::Tracks(tracks) => tracks.read(chosen),
            Format::Arrays(arrays) => arrays.read(chosen)?,
        };
        let missing =
            || Error::MaskMissing { name: numbered(self.frames), folder: self.name.clone(), frames: self.frames + 1 };
        Ok(Box::new(planes.chain(std::iter::once_with(move || Err(missing())))))
    }
}

/// That there are some classes, and no more than labels can tell apart.
fn check_classes(name: &str, count: usize) -> Result<()> {
    if (1..=MAX_CLASSES).contains(&count) {
        return Ok(());
    }
    let detail = format!("it holds {count} classes or objects; expected 1 to {MAX_CLASSES}");
    Err(Error::Masks { name: name.into(), detail })
}

/// What is done with masks that belong to no frame, where that can be told by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    /// They are an error: the masks may be those of another clip.
    Refused,
    /// They are left alone.
    Ignored,
}

/// A format that masks are written in, and what is written into the folder of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// `png/`: 1-bit PNG; where there are several classes, a folder for each.
    Png,
    /// `palette/`: PNG of labels with the palette of DAVIS.
    Palette,
    /// `color/`: RGB PNG, one colour a class.
    Color,
    /// `probability/`: 8-bit gray PNG; where there are several classes, a folder for each.
    Probability,
    /// `coco.json`: a dataset of COCO, run lengths picture by picture.
    Coco,
    /// `coco-results.json`: the same as a list of results.
    CocoResults,
    /// `youtube-vis.json`: a dataset of YouTube-VIS, a track a class.
    YoutubeVis,
    /// `masks.npz`: `probabilities` [frames, classes, height, width], `labels` [frames, height, width], `classes`.
    Npz,
    /// `mask.mkv`: lossless gray video of probabilities; where there are several classes, `video/` with one for each.
    Video,
}

impl Export {
    /// All of them, with the names that people give them.
    pub const ALL: [(&str, Self); 9] = [
        ("png", Self::Png),
        ("palette", Self::Palette),
        ("color", Self::Color),
        ("probability", Self::Probability),
        ("coco", Self::Coco),
        ("coco-results", Self::CocoResults),
        ("youtube-vis", Self::YoutubeVis),
        ("npz", Self::Npz),
        ("video", Self::Video),
    ];

    /// What it leaves in the folder of the results: one of these, a file or a folder.
    pub fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Palette => &["palette"],
            Self::Color => &["color"],
            Self::Probability => &["probability"],
            Self::Coco => &["coco.json"],
            Self::CocoResults => &["coco-results.json"],
            Self::YoutubeVis => &["youtube-vis.json"],
            Self::Npz => &["masks.npz"],
            Self::Video => &["mask.mkv", "video"],
        }
    }
}

impl FromStr for Export {
    type Err = steadymask_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        let unknown = || Self::Err::Setting { field: "export", value: text.into(), allowed: names() };
        found.map(|(_, export)| export).ok_or_else(unknown)
    }
}

/// A frame's masks on their way out, all of the frame's size.
pub struct FrameMasks<'a> {
    /// Number of the frame, from 0.
    pub index: usize,
    /// 0 is nothing, `k` the `k`-th class.
    pub labels: &'a Plane<u8>,
    /// One plane a class, 0–255.
    pub probabilities: &'a [Plane<u8>],
}

/// Writes masks in some formats. Files that are not one a frame appear when they are finished.
pub struct Exporter<'a>(Vec<Box<dyn Sink + Send + 'a>>);

trait Sink {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()>;
    fn finish(self: Box<Self>) -> Result<()>;
}

impl<'a> Exporter<'a> {
    /// Into `folder`, masks of the frames of `source`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::ToolMissing`].
    pub fn create(exports: &[Export], folder: &Path, classes: &[Class], source: &'a Source) -> Result<Self> {
        let sink = |export: &Export| -> Result<Box<dyn Sink + Send + 'a>> {
            Ok(match export {
                Export::Png | Export::Palette | Export::Color | Export::Probability => {
                    Box::new(png::PictureSink::create(*export, folder, classes, source)?)
                }
                Export::Coco => Box::new(coco::DatasetSink::create(&folder.join("coco.json"), classes, source)?),
                Export::CocoResults => {
                    Box::new(coco::ResultsSink::create(&folder.join("coco-results.json"), classes, source)?)
                }
                Export::YoutubeVis => Box::new(coco::TrackSink::new(folder.join("youtube-vis.json"), classes, source)),
                Export::Npz => Box::new(npz::ArraySink::create(&folder.join("masks.npz"), classes, source.size())?),
                Export::Video => Box::new(video::VideoSink::create(folder, classes, source)?),
            })
        };
        exports.iter().map(sink).collect::<Result<_>>().map(Self)
    }

    /// The next frame.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Ffmpeg`].
    pub fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        self.0.iter_mut().try_for_each(|sink| sink.write(frame))
    }

    /// Ends all files and gives them their names.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Ffmpeg`].
    pub fn finish(self) -> Result<()> {
        self.0.into_iter().try_for_each(Sink::finish)
    }
}

/// A file's name for each class, without ending: the class's own, changed where a file cannot have it or another has.
pub(crate) fn file_names(classes: &[Class]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for class in classes {
        let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
        let plain: String = class.name.trim().chars().map(safe).collect();
        let plain = if plain.is_empty() || plain.starts_with('.') { format!("_{plain}") } else { plain };
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let name = std::iter::once(plain.clone()).chain(numbered).find(|name| !names.contains(name));
        names.extend(name);
    }
    names
}

/// The palette index of each class: its number in the file, where these can be indices, else its place.
fn palette_indices(classes: &[Class]) -> Vec<u8> {
    let mut seen = HashSet::new();
    // 255 beside others would stand for pixels that no one has labelled.
    let most = if classes.len() == 1 { 255 } else { 254 };
    let own = classes.iter().map(|class| u8::try_from(class.id).ok().filter(|id| (1..=most).contains(id)));
    let own: Option<Vec<u8>> = own.map(|id| id.filter(|&id| seen.insert(id))).collect();
    own.unwrap_or_else(|| (1..=255).take(classes.len()).collect())
}

/// The number of each frame where they are called by number: those in the names of a folder's frames, where all of
/// these are different numbers.
fn frame_numbers(source: &Source) -> Option<Vec<u64>> {
    let Source::Folder { .. } = source else { return None };
    let numbers: Vec<u64> = (0..source.frames()).map(|index| source.stem(index).parse().ok()).collect::<Option<_>>()?;
    (numbers.iter().collect::<HashSet<_>>().len() == numbers.len()).then_some(numbers)
}

/// 255 where the picture has `value`, else 0.
fn equal<T: PartialEq>(picture: &Plane<T>, value: T) -> Plane<u8> {
    picture.map(|v| if *v == value { 255 } else { 0 })
}

/// To which frame a name belongs: that of the same name in a folder of frames; that of the number in a video.
/// Names without their ending.
pub(crate) struct FrameNames {
    frames: HashMap<String, usize>,
    by_number: bool,
    expected: String,
}

impl FrameNames {
    /// `ending` is only told in messages.
    pub(crate) fn of(source: &Source, ending: &str) -> Self {
        let frames = source.frames();
        let by_number = matches!(source, Source::Video { .. });
        Self {
            frames: (0..frames).map(|index| (source.stem(index), index)).collect(),
            by_number,
            expected: if by_number {
                format!("expected {}{ending} to {}{ending}", numbered(0), numbered(frames - 1))
            } else {
                format!("expected the {frames} names of the frames in {}", source.name())
            },
        }
    }

    pub(crate) fn find(&self, stem: &str) -> Option<usize> {
        if self.by_number {
            return stem.parse().ok().filter(|&index: &usize| index < self.frames.len());
        }
        self.frames.get(stem).copied()
    }
}
