//! The objects of a clip, whose masks are scored apart.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use steadymask_core::{BitMask, Plane, RAW_LEVEL, resize};

use crate::{Error, Result, error::name_of, picture};

/// The index that stands for "not to be judged" in palette PNGs. DAVIS 2017 counts it as background.
const VOID: u8 = 255;

/// Which objects a clip has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// One, or several that count as one: everything but the background.
    Whole,
    /// Those of these palette indices, each for itself.
    Apart(Vec<u8>),
}

impl Objects {
    /// The objects that the truth shows: the indices of palette PNGs, unless they are to be scored as one (`union`).
    ///
    /// # Errors
    /// As [`picture::read_labels`].
    pub fn of(truth: &[PathBuf], union: bool) -> Result<Self> {
        if union {
            return Ok(Self::Whole);
        }
        let mut indices = BTreeSet::new();
        for file in truth {
            if has_palette(file)? {
                indices.extend(picture::read_labels(file)?.0.data());
            }
        }
        let has_void = indices.remove(&VOID);
        indices.remove(&0);
        // A lone 255 is an object: there is nothing else to judge.
        let whole = indices.is_empty() || (indices.len() == 1 && !has_void);
        Ok(if whole { Self::Whole } else { Self::Apart(indices.into_iter().collect()) })
    }

    /// What the objects of the clip `name` are called: its own name, or `name_1`, `name_2` … as in DAVIS 2017.
    pub fn names(&self, name: &str) -> Vec<String> {
        match self {
            Self::Apart(indices) if indices.len() > 1 => {
                indices.iter().map(|index| format!("{name}_{index}")).collect()
            }
            _ => vec![name.into()],
        }
    }

    /// The objects' masks in a file of the ground truth, all of one size.
    ///
    /// # Errors
    /// As [`Self::probabilities`].
    pub fn truth(&self, file: &Path) -> Result<Vec<BitMask>> {
        Ok(self.planes(file)?.iter().map(|plane| BitMask::from_threshold(plane, RAW_LEVEL)).collect())
    }

    /// The objects' probabilities in a file of masks, 0–255, scaled to `width`×`height` (bilinear).
    ///
    /// # Errors
    /// As [`picture::read_mask`]; [`Error::Picture`] for a gray file whose values are no labels where several objects
    /// are to be told apart.
    pub fn probabilities(&self, file: &Path, (width, height): (usize, usize)) -> Result<Vec<Plane<u8>>> {
        Ok(self.planes(file)?.iter().map(|plane| resize::bilinear(plane, width, height)).collect())
    }

    fn planes(&self, file: &Path) -> Result<Vec<Plane<u8>>> {
        let Self::Apart(indices) = self else { return Ok(vec![picture::read_mask(file)?]) };
        let labels = if has_palette(file)? { picture::read_labels(file)?.0 } else { gray_labels(file, indices)? };
        Ok(indices.iter().map(|&index| labels.map(|&label| if label == index { 255 } else { 0 })).collect())
    }
}

/// A gray file whose values are labels, as some programs write them.
fn gray_labels(file: &Path, indices: &[u8]) -> Result<Plane<u8>> {
    let labels = picture::read_mask(file)?;
    let known = |value: &u8| *value == 0 || indices.contains(value);
    match labels.data().iter().find(|value| !known(value)) {
        None => Ok(labels),
        Some(value) => Err(Error::Picture {
            name: name_of(file),
            detail: format!(
                "it is gray with a value of {value}, but the truth has the objects {indices:?}, which need a palette \
                 PNG or these very values; --union scores all objects as one"
            ),
        }),
    }
}

fn has_palette(file: &Path) -> Result<bool> {
    Ok(picture::png_kind(file)? == png::ColorType::Indexed)
}
