//! Which file of which folder belongs to which frame.

use std::path::{Path, PathBuf};

use crate::{Error, Result, error::name_of, picture, source::stem_of};

/// Where the parts of the clips lie.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// The masks to score: of one clip `*.png` or `masks/*.png`; of several `CLIP/*.png` or `CLIP/masks/*.png`; or the
    /// name of a folder that lies in each clip's folder of `truth`.
    pub predictions: &'a Path,
    /// The ground truth. One of:
    /// - `*.png`: one clip;
    /// - `Annotations/480p/CLIP/*.png` or `Annotations/CLIP/*.png`: DAVIS and its kin, whose frames are found in
    ///   `JPEGImages`;
    /// - `CLIP/truth/*.png`, whose frames are found in `CLIP/frames`;
    /// - `CLIP/*.png`.
    pub truth: &'a Path,
    /// The frames: `*.jpg` and the like of one clip, or `CLIP/*.jpg` of several; `None` takes those beside the truth.
    pub frames: Option<&'a Path>,
    /// The masks before they were made steady, where `predictions` may lie too.
    pub raw: Option<&'a Path>,
}

/// A clip whose masks can be scored: for each of its parts a file a frame.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Name of the clip's folder.
    pub name: String,
    /// What the frames are called, without endings.
    pub stems: Vec<String>,
    /// Ground truth.
    pub truth: Vec<PathBuf>,
    /// The masks to score.
    pub predictions: Vec<PathBuf>,
    /// The masks before they were made steady.
    pub raw: Option<Vec<PathBuf>>,
    /// The frames.
    pub frames: Option<Vec<PathBuf>>,
}

impl Clip {
    /// Takes the first and the last frame out, if there are more.
    pub(super) fn skip_ends(&mut self) {
        fn inner<T>(list: &mut Vec<T>) {
            if list.len() > 2 {
                list.pop();
                list.remove(0);
            }
        }
        inner(&mut self.stems);
        [&mut self.truth, &mut self.predictions].into_iter().for_each(inner);
        self.raw.iter_mut().chain(&mut self.frames).for_each(inner);
    }
}

impl Folders<'_> {
    /// The clips there are, by name; only those of `names` unless it is empty. A clip has the frames that its truth
    /// has; what else lies beside the masks is left alone.
    ///
    /// # Errors
    /// [`Error::NoTruth`], [`Error::UnknownClip`]; [`Error::MaskMissing`] and [`Error::FrameMissing`] for the first
    /// file that is missing; [`Error::Io`].
    pub fn clips(&self, names: &[String]) -> Result<Vec<Clip>> {
        let places = self.places()?;
        if let Some(name) = names.iter().find(|name| places.iter().all(|place| place.name != **name)) {
            let available = places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::UnknownClip { name: name.clone(), available });
        }
        let wanted = |place: &&Place| names.is_empty() || names.contains(&place.name);
        places.iter().filter(wanted).map(|place| self.clip(place)).collect()
    }

    fn places(&self) -> Result<Vec<Place>> {
        let root = self.truth;
        if !pngs(root)?.is_empty() {
            return Ok(vec![Place {
                name: name_of(root),
                truth: root.into(),
                inside: None,
                frames: None,
                single: true,
            }]);
        }
        for (annotations, frames) in
            [("Annotations/480p", "JPEGImages/480p"), ("Annotations", "JPEGImages")].map(|(a, f)| (root.join(a), f))
        {
            let places = subfolders(&annotations, |name, truth| Place {
                frames: existing(root.join(frames).join(name)),
                name: name.into(),
                inside: None,
                truth,
                single: false,
            })?;
            if !places.is_empty() {
                return Ok(places);
            }
        }
        let places = subfolders(root, |name, folder| {
            let truth = folder.join("truth");
            if truth.is_dir() {
                let frames = existing(folder.join("frames"));
                Place { name: name.into(), truth, frames, inside: Some(folder), single: false }
            } else {
                Place { name: name.into(), truth: folder, frames: None, inside: None, single: false }
            }
        })?;
        if places.is_empty() { Err(Error::NoTruth { folder: root.into() }) } else { Ok(places) }
    }

    fn clip(&self, place: &Place) -> Result<Clip> {
        let truth = pngs(&place.truth)?;
        let stems: Vec<_> = truth.iter().map(|file| stem_of(file)).collect();
        let frames = match (self.frames, &place.frames) {
            (Some(folder), _) if place.single => Some(folder.to_path_buf()),
            (Some(folder), _) => Some(folder.join(&place.name)),
            (None, beside) => beside.clone(),
        };
        Ok(Clip {
            predictions: place.masks(self.predictions, &stems)?,
            raw: self.raw.map(|folder| place.masks(folder, &stems)).transpose()?,
            frames: frames.map(|folder| matched_frames(&folder, &stems)).transpose()?,
            name: place.name.clone(),
            truth,
            stems,
        })
    }
}

/// Where one clip's truth lies, and what was found beside it.
struct Place {
    name: String,
    truth: PathBuf,
    /// The clip's own folder, where it has one in which other masks may lie.
    inside: Option<PathBuf>,
    frames: Option<PathBuf>,
    /// Whether the folders that were named are this clip's own, not those of several.
    single: bool,
}

impl Place {
    /// The masks of this clip that `given` stands for.
    fn masks(&self, given: &Path, stems: &[String]) -> Result<Vec<PathBuf>> {
        let named = self.inside.as_ref().map(|inside| inside.join(given)).filter(|folder| folder.is_dir());
        let folder = match named {
            Some(folder) if !given.is_dir() => folder,
            _ if self.single => given.to_path_buf(),
            _ => given.join(&self.name),
        };
        let folder = existing(folder.join("masks")).unwrap_or(folder);
        stems
            .iter()
            .map(|stem| {
                let file = folder.join(format!("{stem}.png"));
                if file.is_file() {
                    return Ok(file);
                }
                let (name, folder) = (name_of(&file), folder.display().to_string());
                Err(Error::MaskMissing { name, folder, frames: stems.len() })
            })
            .collect()
    }
}

/// The frames of these names, whatever kind of picture they are.
fn matched_frames(folder: &Path, stems: &[String]) -> Result<Vec<PathBuf>> {
    let missing = |stem: &String| Error::FrameMissing { name: stem.clone(), folder: folder.to_path_buf() };
    if !folder.is_dir() {
        return Err(missing(&stems[0]));
    }
    let files = picture::files_in(folder, &["jpg", "jpeg", "png"])?;
    let find = |stem: &String| files.iter().find(|file| stem_of(file) == *stem).cloned().ok_or_else(|| missing(stem));
    stems.iter().map(find).collect()
}

/// A place for every subfolder whose truth `place` finds in it, by name.
fn subfolders(root: &Path, place: impl Fn(&str, PathBuf) -> Place) -> Result<Vec<Place>> {
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let mut places = Vec::new();
    for entry in std::fs::read_dir(root).map_err(Error::io("read", root))? {
        let path = entry.map_err(Error::io("read", root))?.path();
        if path.is_dir() {
            let found = place(&name_of(&path), path);
            if found.truth.is_dir() && !pngs(&found.truth)?.is_empty() {
                places.push(found);
            }
        }
    }
    places.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(places)
}

fn pngs(folder: &Path) -> Result<Vec<PathBuf>> {
    picture::files_in(folder, &["png"])
}

fn existing(folder: PathBuf) -> Option<PathBuf> {
    folder.is_dir().then_some(folder)
}
