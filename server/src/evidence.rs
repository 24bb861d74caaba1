//! What says where the object is before it is made steady: a network, the masks a person brought, or the
//! probabilities that an earlier run kept.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use steadymask_core::{Plane, Settings};
use steadymask_models::{DeviceReport, Segmenter};

use crate::{
    Error, Result,
    error::name_of,
    picture,
    source::{Source, numbered, stem_of},
};

/// Where the probabilities of each frame come from.
pub enum Evidence<'a> {
    /// A network looks at every frame.
    Network(&'a Segmenter),
    /// A file a frame.
    Masks(MaskFolder),
    /// An earlier run's.
    Kept(Kept),
}

impl Evidence<'_> {
    /// How many probability planes a frame gets.
    ///
    /// # Errors
    /// For classes in the settings that this evidence does not have.
    pub fn planes(&self, settings: &Settings) -> Result<usize> {
        match self {
            Self::Network(segmenter) => Ok(segmenter.class_ids(&settings.classes)?.len().max(1)),
            Self::Masks(_) if settings.classes.is_empty() => Ok(1),
            Self::Masks(_) => Err(steadymask_core::Error::Setting {
                field: "classes",
                value: settings.classes.join(","),
                allowed: "none when masks are brought".into(),
            }
            .into()),
            Self::Kept(kept) => Ok(kept.choose(&settings.classes)?.len()),
        }
    }

    /// The masks that were brought.
    pub fn masks(&self) -> Option<&MaskFolder> {
        if let Self::Masks(masks) = self { Some(masks) } else { None }
    }

    /// Name of the network.
    pub fn model(&self) -> Option<String> {
        match self {
            Self::Network(segmenter) => Some(segmenter.info().name.clone()),
            Self::Masks(_) => None,
            Self::Kept(kept) => Some(kept.index.model.clone()),
        }
    }

    /// Where the network ran and why.
    pub fn device(&self) -> Option<DeviceReport> {
        match self {
            Self::Network(segmenter) => Some(segmenter.device().clone()),
            Self::Masks(_) => None,
            Self::Kept(kept) => Some(kept.index.device.clone()),
        }
    }
}

/// Masks or probabilities that a person brought, matched to the frames of a clip.
pub struct MaskFolder {
    files: Vec<PathBuf>,
}

impl MaskFolder {
    /// Matches the PNG files of `folder` to frames: by name for a folder of frames; by number (`00000.png` is the
    /// first frame) for a video.
    ///
    /// # Errors
    /// [`Error::MaskMissing`], [`Error::MaskSurplus`], and [`Error::Io`].
    pub fn open(folder: &Path, source: &Source) -> Result<Self> {
        let shown = folder.display().to_string();
        let frames = source.frames();
        let key = |stem: String| match source {
            Source::Video { .. } => stem.parse().map_or(stem, numbered),
            Source::Folder { .. } => stem,
        };
        let expected = match source {
            Source::Video { .. } => format!("expected {}.png to {}.png", numbered(0), numbered(frames - 1)),
            Source::Folder { .. } => format!("expected the {frames} names of the frames in {}", source.name()),
        };
        let surplus =
            |file: &Path| Error::MaskSurplus { name: name_of(file), folder: shown.clone(), expected: expected.clone() };
        let mut found = BTreeMap::new();
        for file in picture::files_in(folder, &["png"])? {
            if let Some(twin) = found.insert(key(stem_of(&file)), file) {
                return Err(surplus(&twin));
            }
        }
        let files = (0..frames)
            .map(|index| {
                let stem = source.stem(index);
                found.remove(&stem).ok_or_else(|| Error::MaskMissing {
                    name: format!("{stem}.png"),
                    folder: shown.clone(),
                    frames,
                })
            })
            .collect::<Result<_>>()?;
        match found.into_values().next() {
            Some(file) => Err(surplus(&file)),
            None => Ok(Self { files }),
        }
    }

    /// The mask of frame `index` at the size it was brought in, 0–255.
    ///
    /// # Errors
    /// As [`picture::read_mask`]; [`Error::MaskMissing`] when the video has more frames than its container said.
    pub fn read(&self, index: usize) -> Result<Plane<u8>> {
        let file = self.files.get(index).ok_or_else(|| Error::MaskMissing {
            name: format!("{}.png", numbered(index)),
            folder: self.files[0].parent().unwrap_or(Path::new("")).display().to_string(),
            frames: index + 1,
        })?;
        picture::read_mask(file)
    }
}

/// The probabilities of a whole clip on disk: a gray PNG a frame, the planes of its classes below each other.
pub struct Kept {
    folder: PathBuf,
    /// What they are.
    pub index: KeptIndex,
}

/// What the kept probabilities are; `index.json` beside them, written last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeptIndex {
    /// Names of the classes, one a plane; empty for the one plane of everything but the background.
    pub classes: Vec<String>,
    /// Number of frames.
    pub frames: usize,
    /// The network.
    pub model: String,
    /// Where it ran and why.
    pub device: DeviceReport,
}

impl Kept {
    /// Opens what [`Keeper`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("index.json");
        let json = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let index = serde_json::from_slice(&json).map_err(|e| Error::io("read", &path)(e.into()))?;
        Ok(Self { folder: folder.to_path_buf(), index })
    }

    /// The numbers of the planes of `classes`; of all planes when it is empty.
    ///
    /// # Errors
    /// [`steadymask_core::Error::Setting`] for a class that was not kept.
    pub fn choose(&self, classes: &[String]) -> Result<Vec<usize>> {
        let kept = &self.index.classes;
        if classes.is_empty() {
            return Ok((0..kept.len().max(1)).collect());
        }
        let find = |name: &String| {
            kept.iter().position(|k| k == name).ok_or_else(|| {
                let allowed = if kept.is_empty() {
                    "none: it was segmented for everything but the background".into()
                } else {
                    format!("those segmented: {}", kept.join(", "))
                };
                steadymask_core::Error::Setting { field: "classes", value: name.clone(), allowed }.into()
            })
        };
        classes.iter().map(find).collect()
    }

    /// The planes of frame `number`, one a class, at the size they were kept in.
    ///
    /// # Errors
    /// As [`picture::read_mask`].
    pub fn read(&self, number: usize) -> Result<Vec<Plane<u8>>> {
        let path = self.folder.join(format!("{}.png", numbered(number)));
        let stack = picture::read_mask(&path)?;
        let (width, height) = (stack.width(), stack.height() / self.index.classes.len().max(1));
        let planes = stack.data().chunks_exact(width * height);
        planes.map(|plane| Ok(Plane::from_vec(width, height, plane.to_vec())?)).collect()
    }
}

/// Writes what [`Kept`] reads.
pub struct Keeper {
    folder: PathBuf,
    frames: usize,
}

impl Keeper {
    /// Into `folder`, which is created where it is not there; what it kept before is void from now on.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let index = folder.join("index.json");
        match std::fs::remove_file(&index) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("replace", &index)(e)),
            _ => Ok(Self { folder: folder.to_path_buf(), frames: 0 }),
        }
    }

    /// The next frame's planes, all of one size.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, planes: &[Plane<u8>]) -> Result<()> {
        let (width, height) = planes[0].size();
        let stack = planes.iter().flat_map(|plane| plane.data()).copied().collect();
        let stack = Plane::from_vec(width, height * planes.len(), stack)?;
        picture::write_gray(&self.folder.join(format!("{}.png", numbered(self.frames))), &stack)?;
        self.frames += 1;
        Ok(())
    }

    /// Marks the clip as complete.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self, classes: &[String], model: &str, device: &DeviceReport) -> Result<()> {
        let index =
            KeptIndex { classes: classes.to_vec(), frames: self.frames, model: model.into(), device: device.clone() };
        let path = self.folder.join("index.json");
        let json = serde_json::to_vec_pretty(&index).map_err(|e| Error::io("write", &path)(e.into()))?;
        picture::write_whole(&path, &json)
    }
}
