//! Pictures with masks, from folders and zip archives, and which of them are kept out of training.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use steadymask_core::{Plane, Rgb, resize};

use super::{Error, Result, loss::IGNORED, picture};
use crate::input::{self, Scaling};

/// One in so many pictures is kept out of training where no folder says which.
const HELD_OUT: u64 = 12;
/// Pictures are kept no larger than this along their short side: twice what the network is shown.
const SHORT: usize = 482;
/// Most bytes of one file.
const LARGEST: u64 = 1 << 28;

/// What a picture is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Learned from.
    Training,
    /// Kept out of training; settings are chosen on it.
    Choosing,
    /// Kept out of everything until the end.
    Scoring,
}

/// A picture that was decoded.
pub(super) struct Picture {
    pub(super) image: Plane<Rgb>,
    /// The class of each pixel; `None` where only the teacher says.
    pub(super) labels: Option<Plane<u8>>,
}

/// A picture and where it lies.
pub(super) struct Sample {
    /// Its path inside its source, without the extension.
    pub(super) name: String,
    /// Which of [`Data::sources`] it is from.
    pub(super) source: usize,
    pub(super) part: Part,
    image: Bytes,
    labels: Option<Bytes>,
}

enum Bytes {
    File(PathBuf),
    Memory(Vec<u8>),
}

impl Bytes {
    fn read(&self) -> std::io::Result<std::borrow::Cow<'_, [u8]>> {
        match self {
            Self::File(path) => fs::read(path).map(Into::into),
            Self::Memory(bytes) => Ok(bytes.into()),
        }
    }
}

impl Sample {
    fn wrong(&self, reason: impl std::fmt::Display) -> Error {
        Error::Data { what: self.name.clone(), reason: reason.to_string() }
    }

    /// Decodes the picture, and its mask, which may have labels up to `classes − 1` and 255.
    pub(super) fn picture(&self, classes: usize) -> Result<Picture> {
        let wrong = |reason: String| self.wrong(reason);
        let bytes = self.image.read().map_err(|e| self.wrong(e))?;
        let image = picture::decode(&bytes).map_err(wrong)?;
        let Some(labels) = &self.labels else { return Ok(Picture { image: shrunk(image), labels: None }) };
        let labels = picture::decode_labels(&labels.read().map_err(|e| self.wrong(e))?).map_err(wrong)?;
        if labels.size() != image.size() {
            let ((width, height), (of, by)) = (labels.size(), image.size());
            return Err(self.wrong(format!("its mask is {width}×{height}, but the picture {of}×{by}")));
        }
        if let Some(label) = labels.data().iter().find(|&&l| usize::from(l) >= classes && l != IGNORED) {
            let last = classes - 1;
            return Err(self.wrong(format!("its mask has the label {label} (expected 0 to {last}, or 255 for none)")));
        }
        let image = shrunk(image);
        let (width, height) = image.size();
        let labels = if labels.size() == image.size() {
            labels
        } else {
            let (of, by) = labels.size();
            Plane::from_fn(width, height, |x, y| {
                labels.get((2 * x + 1) * of / (2 * width), (2 * y + 1) * by / (2 * height))
            })
        };
        Ok(Picture { image, labels: Some(labels) })
    }

    /// Whether its mask tells its classes.
    pub(super) fn is_labelled(&self) -> bool {
        self.labels.is_some()
    }
}

/// Large pictures made as small as they are used.
fn shrunk(image: Plane<Rgb>) -> Plane<Rgb> {
    let (width, height) = image.size();
    let short = width.min(height);
    if short <= SHORT {
        return image;
    }
    let size = |length: usize| (length * SHORT + short / 2) / short;
    input::scaled(&image, (size(width), size(height)), Scaling::Area).into_owned()
}

/// All pictures of a run.
pub(super) struct Data {
    /// The names of the folders and archives.
    pub(super) sources: Vec<String>,
    /// By source and name.
    pub(super) samples: Vec<Sample>,
    /// Training pictures that were left out, each with the kept-out picture it is nearly equal to.
    pub(super) twins: Vec<(String, String)>,
}

impl Data {
    /// Finds the pictures in folders and zip archives: `…/images/NAME.jpg` (or .png) with `…/masks/NAME.png`, or
    /// `NAME.jpg` with `NAME.png` beside it.
    ///
    /// Kept out are those with a folder `val` on their way, where a source has such, else those one in twelve of which the
    /// name's hash says so. Of these, the hash says half to be for choosing settings. Masks of pictures whose names begin
    /// with one of `unlabelled` are not looked at. Training pictures that are nearly equal to a kept-out one are left out.
    pub(super) fn find(paths: &[PathBuf], unlabelled: &[String]) -> Result<Self> {
        let mut data = Self { sources: Vec::new(), samples: Vec::new(), twins: Vec::new() };
        for path in paths {
            let wrong = |reason: String| Error::Data { what: path.display().to_string(), reason };
            let files = if path.is_dir() { in_folder(path) } else { in_archive(path) }.map_err(wrong)?;
            let pairs = pairs(files);
            if pairs.is_empty() {
                let layout = "images/NAME.jpg with masks/NAME.png, or NAME.jpg with NAME.png beside it";
                return Err(wrong(format!("there are no pictures in it (expected {layout})")));
            }
            let divided = pairs.keys().any(|name| has_folder(name, "val"));
            for (name, (image, labels)) in pairs {
                let base = name.rsplit('/').next().unwrap_or(&name);
                let labels = labels.filter(|_| !unlabelled.iter().any(|prefix| base.starts_with(prefix.as_str())));
                let hash = hash(base);
                let held = if divided { has_folder(&name, "val") } else { hash.is_multiple_of(HELD_OUT) };
                let part = match (held, hash / HELD_OUT % 2) {
                    (false, _) => Part::Training,
                    (true, 0) => Part::Choosing,
                    (true, _) => Part::Scoring,
                };
                data.samples.push(Sample { name, source: data.sources.len(), part, image, labels });
            }
            let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
            data.sources.push(name.into_owned());
        }
        data.leave_out_twins()?;
        Ok(data)
    }

    /// Pictures of one part, in order.
    pub(super) fn of(&self, part: Part) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.part == part)
    }

    /// Labelled pictures of one part, at most so many of each source.
    pub(super) fn labelled(&self, part: Part, most: usize) -> Vec<&Sample> {
        let mut taken = vec![0; self.sources.len()];
        let mut samples: Vec<_> = self.of(part).filter(|sample| sample.is_labelled()).collect();
        // By hash, so that a few are of every kind.
        samples.sort_by_key(|sample| hash(&sample.name));
        samples.retain(|sample| {
            taken[sample.source] += 1;
            taken[sample.source] <= most
        });
        samples
    }

    /// A number for all names and parts: a run goes on only with the same pictures.
    pub(super) fn fingerprint(&self) -> String {
        let mut all = Sha256::new();
        for sample in &self.samples {
            all.update(format!("{}/{} {:?} {}\n", sample.source, sample.name, sample.part, sample.is_labelled()));
        }
        all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn leave_out_twins(&mut self) -> Result<()> {
        let prints = self.samples.par_iter().map(Print::of).collect::<Result<Vec<_>>>()?;
        let held: Vec<usize> = (0..prints.len()).filter(|&i| self.samples[i].part != Part::Training).collect();
        let twin_of = |i: usize| {
            let training = self.samples[i].part == Part::Training;
            training.then(|| held.iter().copied().find(|&j| prints[i].nearly_equals(&prints[j]))).flatten()
        };
        let twins: Vec<Option<usize>> = (0..prints.len()).into_par_iter().map(twin_of).collect();
        let name = |i: usize| self.samples[i].name.clone();
        self.twins = twins.iter().enumerate().filter_map(|(i, twin)| Some((name(i), name((*twin)?)))).collect();
        let mut twins = twins.iter();
        self.samples.retain(|_| twins.next().is_some_and(Option::is_none));
        Ok(())
    }
}

/// A picture in 256 bits: where it gets brighter to the right, on a grid of 16×16 (the difference hash).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print([u64; 4]);

impl Print {
    /// Of 256 bits, so many differ at most between copies that were scaled or compressed. Pictures that have nothing to do
    /// with each other differ in about 128.
    const APART: u32 = 20;
    const SIDE: usize = 16;

    fn of(sample: &Sample) -> Result<Self> {
        let image = picture::decode(&sample.image.read().map_err(|e| sample.wrong(e))?).map_err(|e| sample.wrong(e))?;
        Ok(Self::of_image(&image))
    }

    fn of_image(image: &Plane<Rgb>) -> Self {
        let small = resize::area_rgb(image, (Self::SIDE + 1).min(image.width()), Self::SIDE.min(image.height()));
        let luma = small.luma();
        let at = |x: usize, y: usize| luma.get(x.min(luma.width() - 1), y.min(luma.height() - 1));
        let mut bits = [0u64; 4];
        for i in 0..Self::SIDE * Self::SIDE {
            let (x, y) = (i % Self::SIDE, i / Self::SIDE);
            bits[i / 64] |= u64::from(at(x, y) < at(x + 1, y)) << (i % 64);
        }
        Self(bits)
    }

    fn nearly_equals(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() <= Self::APART
    }
}

/// A number that a name has for ever.
fn hash(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

fn has_folder(name: &str, folder: &str) -> bool {
    name.split('/').rev().skip(1).any(|part| part == folder)
}

type Files = Vec<(String, Bytes)>;

/// Pictures and their masks by the name they share.
fn pairs(files: Files) -> BTreeMap<String, (Bytes, Option<Bytes>)> {
    let extension = |name: &str| name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let (mut images, mut masks, mut alone) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, bytes) in files {
        let key = stem(&name);
        match extension(&name).as_str() {
            "jpg" | "jpeg" => drop(images.insert(key, bytes)),
            "png" if has_folder(&name, "images") => drop(images.insert(key, bytes)),
            "png" if has_folder(&name, "masks") => drop(masks.insert(key, bytes)),
            "png" => drop(alone.insert(key, bytes)),
            _ => {}
        }
    }
    let beside = |key: &str| {
        let at = key.rfind("images/").filter(|&at| at == 0 || key.as_bytes()[at - 1] == b'/')?;
        Some(format!("{}masks/{}", &key[..at], &key[at + "images/".len()..]))
    };
    let keys: BTreeSet<String> = images.keys().cloned().collect();
    let mut pairs = BTreeMap::new();
    for key in keys {
        let mask = beside(&key).and_then(|mask| masks.remove(&mask)).or_else(|| alone.remove(&key));
        if let Some(image) = images.remove(&key) {
            pairs.insert(key, (image, mask));
        }
    }
    pairs
}

fn in_folder(root: &Path) -> std::result::Result<Files, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let parts = path.strip_prefix(root).unwrap_or(&path).components();
                let name: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
                files.push((name.join("/"), Bytes::File(path.clone())));
            }
        }
    }
    Ok(files)
}

fn in_archive(path: &Path) -> std::result::Result<Files, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| e.to_string())?;
        if entry.is_dir() {
            continue;
        }
        let (name, size) = (entry.name().map_err(|e| e.to_string())?.into_owned(), entry.size());
        if size > LARGEST {
            return Err(format!("{name} has {size} bytes (expected at most {LARGEST})"));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(LARGEST).read_to_end(&mut bytes).map_err(|e| format!("{name}: {e}"))?;
        files.push((name, Bytes::Memory(bytes)));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> (String, Bytes) {
        (name.to_owned(), Bytes::Memory(Vec::new()))
    }

    #[test]
    fn both_layouts_are_found() {
        let found = pairs(vec![
            file("train/a.jpg"),
            file("train/a.png"),
            file("extra/images/b.jpg"),
            file("extra/masks/b.png"),
            file("images/c.png"),
            file("masks/c.png"),
            file("images/d.JPEG"),
            file("README.md"),
            file("masks/lonely.png"),
        ]);
        let found: Vec<_> = found.iter().map(|(name, (_, mask))| (name.as_str(), mask.is_some())).collect();
        assert_eq!(found, [("extra/images/b", true), ("images/c", true), ("images/d", false), ("train/a", true)]);
    }

    #[test]
    fn copies_are_recognised_and_others_are_not() {
        let texture = |seed: usize| {
            Plane::from_fn(320, 240, |x, y| {
                let v = ((x / 17 * 131 + y / 23 * 71 + seed * 37) % 199) as u8;
                [v, v / 2 + 40, 255 - v]
            })
        };
        let original = texture(1);
        let scaled = resize::area_rgb(&original, 161, 120);
        let relit = original.map(|pixel| pixel.map(|v| (f32::from(v) * 0.8 + 9.0) as u8));
        let print = Print::of_image(&original);
        assert!(print.nearly_equals(&Print::of_image(&scaled)));
        assert!(print.nearly_equals(&Print::of_image(&relit)));
        let other = Plane::from_fn(320, 240, |x, y| [((x / 13 * 61 + y / 19 * 151) % 211) as u8; 3]);
        assert!(!print.nearly_equals(&Print::of_image(&other)));
    }

    #[test]
    fn one_name_is_always_on_one_side() {
        assert_eq!(hash("car-tr207"), hash("car-tr207"));
        let held = (0..12_000).filter(|i| hash(&format!("name-{i}")).is_multiple_of(HELD_OUT)).count();
        assert!((850..1150).contains(&held), "{held}");
        assert!(has_folder("voc/val/x", "val") && !has_folder("voc/val", "val"));
    }
}
