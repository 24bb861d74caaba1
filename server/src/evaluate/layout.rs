//! Which masks and which pictures belong to which clip and frame.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use steadymask_core::{Plane, Rgb};

use crate::{
    Error, Result,
    error::name_of,
    masks::{Found, FrameList, FrameNames, Masks, Surplus},
    picture,
    source::{Source, numbered, stem_of},
};

/// Where the parts of the clips lie. Masks may be of any format that [`Masks`] reads.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The masks to score:
    /// - of one clip: a file, or a folder that holds them or whose `masks` does;
    /// - of several: a folder with `CLIP`, `CLIP/masks` or a file `CLIP.*` for each; or JSON that names its clips;
    /// - the name of a folder or file that lies in each clip's folder of `truth`.
    pub predictions: &'a Path,
    /// The ground truth. One of:
    /// - `*.png`, or a file: one clip;
    /// - `Annotations/480p/CLIP/*.png` or `Annotations/CLIP/*.png`: DAVIS and its kin, whose frames are found in
    ///   `JPEGImages`;
    /// - `CLIP/truth` or `CLIP/truth.*`, whose frames are found in `CLIP/frames`;
    /// - `CLIP/*.png`;
    /// - a file `CLIP.*` for each clip;
    /// - JSON that names several clips.
    ///
    /// Folders of classes, or videos of classes, are those of one clip where `frames` or `predictions` are one's.
    pub truth: &'a Path,
    /// The frames: a folder of `*.jpg` and the like, or a video; of several clips `CLIP` or `CLIP.*` in a folder. `None`
    /// takes those beside the truth.
    pub frames: Option<&'a Path>,
    /// The masks before they were made steady, where `predictions` may lie too.
    pub raw: Option<&'a Path>,
}

/// A clip whose masks can be scored.
pub struct Clip {
    /// Its name: that of its folder or file, or the one in the JSON.
    pub name: String,
    /// What the frames are called, without endings.
    pub stems: Vec<String>,
    /// Ground truth.
    pub truth: Masks,
    /// The masks to score.
    pub predictions: Masks,
    /// The masks before they were made steady.
    pub raw: Option<Masks>,
    /// The frames.
    pub frames: Option<Pictures>,
}

/// The pictures of a clip's frames, among those of a source.
pub struct Pictures {
    source: Source,
    /// Which of them, ascending: one for each frame.
    indices: Vec<usize>,
}

impl Pictures {
    /// The pictures of the frames from the first one on, each of the first one's size; nothing follows an error.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn read(&self) -> Result<impl Iterator<Item = Result<Plane<Rgb>>>> {
        let mut frames = self.source.read()?;
        let mut next = 0;
        Ok(self.indices.iter().map(move |&index| {
            loop {
                let name = || self.source.stem(index);
                let frame = frames.next().ok_or_else(|| missing(name(), Path::new(&self.source.name())))??;
                next += 1;
                if next > index {
                    return Ok(frame);
                }
            }
        }))
    }
}

impl Inputs<'_> {
    /// The clips there are, by name; only those of `names` unless it is empty. A clip has the frames that its truth
    /// has; masks and frames of other names beside them are left alone.
    ///
    /// # Errors
    /// [`Error::NoTruth`], [`Error::UnknownClip`], [`Error::ClipMissing`]; [`Error::FrameMissing`] for the first frame
    /// that is missing; as [`Found::open`] and [`Found::masks`].
    pub fn clips(&self, names: &[String]) -> Result<Vec<Clip>> {
        let mut predictions = Given::open(self.predictions)?;
        let mut raw = self.raw.map(Given::open).transpose()?;
        let truth = if self.truth.is_file() { Some(Found::open(self.truth)?) } else { None };
        if let Some(truth) = &truth {
            predictions.complete(truth);
            raw.iter_mut().for_each(|raw| raw.complete(truth));
        }
        let places = match &truth {
            Some(found) => places_of(found),
            None => self.places(predictions.is_one_clip() || self.frames.is_some_and(is_one_clip))?,
        };
        if let Some(name) = names.iter().find(|name| places.iter().all(|place| place.name != **name)) {
            let available = places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::UnknownClip { name: name.clone(), available });
        }
        let wanted: Vec<_> = places.iter().filter(|place| names.is_empty() || names.contains(&place.name)).collect();
        let open = |place: &&Place| self.clip(place, truth.as_ref(), &predictions, raw.as_ref());
        // Of several errors the first clip's is told, whichever comes first.
        wanted.par_iter().map(open).collect::<Vec<_>>().into_iter().collect()
    }

    /// Where the truth of each clip lies in the folder `truth`; `one_clip` where it is known to be one's.
    fn places(&self, one_clip: bool) -> Result<Vec<Place>> {
        let root = self.truth;
        let single = || Place { name: name_of(root), truth: root.into(), inside: None, frames: None, single: true };
        if !picture::files_in(root, &["png"])?.is_empty() {
            return Ok(vec![single()]);
        }
        for (annotations, frames) in
            [("Annotations/480p", "JPEGImages/480p"), ("Annotations", "JPEGImages")].map(|(a, f)| (root.join(a), f))
        {
            let places = subfolders(&annotations, |name, truth| {
                let frames = in_folder(&root.join(frames), name)?;
                Ok(Place { frames, name: name.into(), inside: None, truth, single: false })
            })?;
            if !places.is_empty() {
                return Ok(places);
            }
        }
        if one_clip {
            return Ok(vec![single()]);
        }
        let mut places = subfolders(root, |name, folder| {
            Ok(match in_folder(&folder, "truth")? {
                Some(truth) => {
                    let frames = in_folder(&folder, "frames")?;
                    Place { name: name.into(), truth, frames, inside: Some(folder), single: false }
                }
                None => Place { name: name.into(), truth: folder, frames: None, inside: None, single: false },
            })
        })?;
        if places.is_empty() {
            let files = entries(root)?.into_iter().filter(|path| path.is_file());
            places.extend(files.map(|truth| Place {
                name: stem_of(&truth),
                truth,
                inside: None,
                frames: None,
                single: false,
            }));
        }
        if places.is_empty() { Err(Error::NoTruth { folder: root.into() }) } else { Ok(places) }
    }

    fn clip(&self, place: &Place, truth: Option<&Found>, predictions: &Given, raw: Option<&Given>) -> Result<Clip> {
        let opened;
        let (found, name) = match truth {
            Some(found) => (found, (!place.single).then_some(place.name.as_str())),
            None => {
                opened = Found::open(&place.truth)?;
                (&opened, None)
            }
        };
        let frames = match (self.frames, &place.frames) {
            (Some(path), _) if place.single => Some(path.to_path_buf()),
            (Some(folder), _) => Some(in_folder(folder, &place.name)?.unwrap_or_else(|| folder.join(&place.name))),
            (None, beside) => beside.clone(),
        };
        let (source, frames) = matched(found, name, frames.as_deref())?;
        let open = |given: &Given| place.masks(given, found, &source);
        Ok(Clip {
            name: place.name.clone(),
            stems: (0..source.frames()).map(|index| source.stem(index)).collect(),
            truth: found.masks(name, &source, Surplus::Ignored)?,
            predictions: open(predictions)?,
            raw: raw.map(open).transpose()?,
            frames,
        })
    }
}

/// Masks as they were named: one file that is read once for all clips, or a folder, or the name of what lies in each
/// clip's folder.
enum Given<'a> {
    File(Box<Found>),
    Folder(&'a Path),
}

impl<'a> Given<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        Ok(if path.is_file() { Self::File(Box::new(Found::open(path)?)) } else { Self::Folder(path) })
    }

    fn complete(&mut self, truth: &Found) {
        if let Self::File(found) = self {
            found.complete(truth);
        }
    }

    fn is_one_clip(&self) -> bool {
        matches!(self, Self::File(found) if found.clips().len() < 2)
    }
}

/// Where one clip's truth lies, and what was found beside it.
struct Place {
    name: String,
    truth: PathBuf,
    /// The clip's own folder, where it has one in which other masks may lie.
    inside: Option<PathBuf>,
    frames: Option<PathBuf>,
    /// Whether what was named is this clip's own, not that of several.
    single: bool,
}

impl Place {
    /// The masks of this clip that `given` stands for.
    fn masks(&self, given: &Given<'_>, truth: &Found, source: &Source) -> Result<Masks> {
        let given = match given {
            Given::Folder(given) => *given,
            Given::File(found) => {
                let clips = found.clips();
                let clip = match () {
                    () if self.single && clips.len() < 2 => None,
                    () if !clips.is_empty() => Some(self.name.as_str()),
                    () => {
                        let detail = format!(
                            "it names no clips, but {} has several; expected one such file for each, CLIP.*, in a \
                             folder, or --clips and the truth of one",
                            name_of(truth.path().parent().unwrap_or(truth.path()))
                        );
                        return Err(Error::Masks { name: name_of(found.path()), detail });
                    }
                };
                return found.masks(clip, source, Surplus::Ignored);
            }
        };
        let beside = match &self.inside {
            Some(inside) if !given.exists() => in_folder(inside, &given.to_string_lossy())?,
            _ => None,
        };
        let path = match beside {
            Some(path) => Some(path),
            None if self.single => given.is_dir().then(|| given.to_path_buf()),
            None => in_folder(given, &self.name)?,
        };
        let Some(path) = path else {
            return Err(Error::ClipMissing { clip: self.name.clone(), path: given.into(), single: self.single });
        };
        let masks = path.join("masks");
        let mut found = Found::open(if masks.is_dir() { &masks } else { &path })?;
        found.complete(truth);
        let clip = Some(self.name.as_str()).filter(|_| found.clips().len() > 1);
        found.masks(clip, source, Surplus::Ignored)
    }
}

/// The clips of a file.
fn places_of(found: &Found) -> Vec<Place> {
    let place =
        |name: String, single| Place { name, truth: found.path().to_path_buf(), inside: None, frames: None, single };
    let mut clips = found.clips();
    if clips.len() > 1 {
        clips.sort();
        return clips.into_iter().map(|name| place(name, false)).collect();
    }
    vec![place(stem_of(found.path()), true)]
}

/// The names of a clip's frames, as a source that masks are matched to, and its pictures, if `path` is where they are.
fn matched(truth: &Found, clip: Option<&str>, path: Option<&Path>) -> Result<(Source, Option<Pictures>)> {
    let frames = truth.frames(clip)?;
    let size = truth.size(clip);
    let Some(path) = path else {
        let names = match frames {
            Some(FrameList::Names(names)) => names,
            Some(FrameList::Count(count)) => (0..count).map(numbered).collect(),
            None => {
                let detail = "it tells nothing of its frames; expected a dataset with images or videos, or --frames";
                return Err(Error::Masks { name: name_of(truth.path()), detail: detail.into() });
            }
        };
        if size.is_none() && truth.is_json() {
            let detail =
                "it has no mask, and does not tell the size of its frames; expected width and height, or --frames";
            return Err(Error::Masks { name: name_of(truth.path()), detail: detail.into() });
        }
        return Ok((Source::named(truth.path(), &names, size), None));
    };
    let all = |source: &Source| Pictures { indices: (0..source.frames()).collect(), source: source.clone() };
    if !path.exists() {
        let first = match &frames {
            Some(FrameList::Names(names)) => names.first().cloned(),
            _ => None,
        };
        return Err(missing(first.unwrap_or_else(|| numbered(0)), path));
    }
    let source = Source::open(path)?;
    let Some(FrameList::Names(names)) = frames else {
        let pictures = all(&source);
        return Ok((source, Some(pictures)));
    };
    let known = FrameNames::of(&source, "");
    let mut places: Vec<(usize, &String)> = names.iter().filter_map(|name| Some((known.find(name)?, name))).collect();
    if places.len() < names.len() {
        // Names in JSON may be those of other files, a picture each all the same.
        if places.is_empty() && names.len() == source.frames() && truth.is_json() {
            let pictures = all(&source);
            return Ok((source, Some(pictures)));
        }
        let lost = names.iter().find(|name| known.find(name).is_none());
        return Err(missing(lost.cloned().unwrap_or_default(), path));
    }
    places.sort_by_key(|(index, _)| *index);
    let (indices, names): (Vec<_>, Vec<String>) = places.into_iter().map(|(index, name)| (index, name.clone())).unzip();
    let size = size.or(Some(source.size()));
    Ok((Source::named(truth.path(), &names, size), Some(Pictures { source, indices })))
}

fn missing(name: String, folder: &Path) -> Error {
    Error::FrameMissing { name, folder: folder.to_path_buf() }
}

/// Whether frames are one clip's: a video, or a folder of pictures.
fn is_one_clip(frames: &Path) -> bool {
    frames.is_file() || picture::files_in(frames, &["jpg", "jpeg", "png"]).is_ok_and(|files| !files.is_empty())
}

/// What `folder` holds by the name `name`: that very file or folder, else a file called so but for its ending.
fn in_folder(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let exact = folder.join(name);
    if exact.exists() {
        return Ok(Some(exact));
    }
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut files = entries(folder)?.into_iter().filter(|path| path.is_file() && stem_of(path) == name);
    match (files.next(), files.next()) {
        (Some(first), Some(second)) => Err(Error::SameStem { first: name_of(&first), second: name_of(&second) }),
        (file, _) => Ok(file),
    }
}

/// A place for every subfolder in which `place` finds truth, by name.
fn subfolders(root: &Path, place: impl Fn(&str, PathBuf) -> Result<Place>) -> Result<Vec<Place>> {
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let mut places = Vec::new();
    for path in entries(root)?.into_iter().filter(|path| path.is_dir()) {
        let found = place(&name_of(&path), path)?;
        let is_truth = found.inside.is_some() || !picture::files_in(&found.truth, &["png"])?.is_empty();
        if is_truth {
            places.push(found);
        }
    }
    Ok(places)
}

/// What lies in a folder, by name, but for what is hidden.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>());
    let mut paths = read.map_err(Error::io("read", folder))?;
    paths.retain(|path| !name_of(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}
