//! What says where the object is before it is made steady: a network, the masks a person brought, or the
//! probabilities that an earlier run kept.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steadymask_core::{Plane, Settings};
use steadymask_models::{DeviceReport, Segmenter};

use crate::{
    Error, Result,
    masks::{Class, Masks},
    picture,
    source::numbered,
};

/// Where the probabilities of each frame come from.
pub enum Evidence<'a> {
    /// A network looks at every frame.
    Network(&'a Segmenter),
    /// Those that a person brought.
    Masks(Masks),
    /// An earlier run's.
    Kept(Kept),
}

impl Evidence<'_> {
    /// The classes of the probability planes that a frame gets, one each.
    ///
    /// # Errors
    /// For classes in the settings that this evidence does not have.
    pub fn classes(&self, settings: &Settings) -> Result<Vec<Class>> {
        let named = |names: &[String]| match names.is_empty() {
            true => Class::only(),
            false => (0..).zip(names).map(|(place, name)| Class::new(name, place as u32 + 1, place)).collect(),
        };
        match self {
            Self::Network(segmenter) => {
                segmenter.class_ids(&settings.classes)?;
                Ok(named(&settings.classes))
            }
            Self::Masks(masks) => {
                Ok(masks.choose(&settings.classes)?.into_iter().map(|plane| masks.classes()[plane].clone()).collect())
            }
            Self::Kept(kept) => {
                kept.choose(&settings.classes)?;
                Ok(named(if settings.classes.is_empty() { &kept.index.classes } else { &settings.classes }))
            }
        }
    }

    /// The masks that were brought.
    pub fn masks(&self) -> Option<&Masks> {
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
            Self::Network(segmenter) => Some(segmenter.device()),
            Self::Masks(_) => None,
            Self::Kept(kept) => Some(kept.index.device.clone()),
        }
    }

    /// What the device's user should know after the run, in words.
    pub fn trouble(&self) -> Option<String> {
        if let Self::Network(segmenter) = self { segmenter.trouble() } else { None }
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
