//! Folders of pictures in the layout that torchvision calls ImageFolder: a folder a class.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use steadymask_core::{Plane, Rgb, resize};

use crate::{Error, Result, error::name_of, picture};

/// Endings of pictures.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];
/// Names of the folders that hold the pictures to train on and those to be held out, where a person parted them.
const PARTS: [(&str, &[&str]); 2] =
    [("train", &["train", "training"]), ("val", &["val", "valid", "validation", "test"])];
/// Names told of many.
const TOLD: usize = 5;

/// A picture's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it is.
    pub path: PathBuf,
    /// Number of its class.
    pub class: usize,
    /// Whether a person held it out, to be scored on.
    pub held_out: bool,
}

/// The pictures of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Names of the classes, by number.
    pub classes: Vec<String>,
    /// The pictures, class by class, in the order of their names.
    pub items: Vec<Item>,
    /// Whether a person parted them into `train` and `val`.
    pub parted: bool,
}

impl Folder {
    /// Lists `PATH/CLASS/*`, or `PATH/train/CLASS/*` and `PATH/val/CLASS/*`. The classes are numbered in the order of
    /// `classes`, or of their names where there are none.
    ///
    /// # Errors
    /// [`Error::Training`] when there are not two classes or more, or other ones than asked for; [`Error::Io`].
    pub fn open(path: &Path, classes: &[String]) -> Result<Self> {
        let refuse = |detail: String| Error::Training { folder: path.into(), detail };
        let folders = folders_in(path)?;
        let part = |names: &[&str]| folders.iter().find(|folder| names.contains(&name_of(folder).as_str())).cloned();
        let parts: Vec<Option<PathBuf>> = PARTS.iter().map(|(_, names)| part(names)).collect();
        let (roots, parted) = match &parts[..] {
            [Some(train), Some(held_out)] => (vec![(train.clone(), false), (held_out.clone(), true)], true),
            [None, None] => (vec![(path.to_path_buf(), false)], false),
            [train, _] => {
                let (there, missing) = if train.is_some() { ("train", "val") } else { ("val", "train") };
                return Err(refuse(format!("it has a folder {there} but none called {missing}")));
            }
            _ => unreachable!("there are two parts"),
        };
        let mut names: Vec<String> = Vec::new();
        for (root, _) in &roots {
            let found: Vec<String> = folders_in(root)?.iter().map(|folder| name_of(folder)).collect();
            if found.len() < 2 {
                let found = if found.is_empty() { "none".into() } else { format!("only {}", found.join(", ")) };
                let detail = format!("{} must hold two folders or more, one a class ({found})", name_of(root));
                return Err(refuse(detail));
            }
            if !names.is_empty() && names != found {
                let detail = format!("train has the classes {}, but val {}", names.join(", "), found.join(", "));
                return Err(refuse(detail));
            }
            names = found;
        }
        if !classes.is_empty() {
            let mut asked = classes.to_vec();
            asked.sort();
            if asked != names {
                return Err(refuse(format!("its folders are {} (expected {})", names.join(", "), classes.join(", "))));
            }
            names = classes.to_vec();
        }
        let mut items = Vec::new();
        for (root, held_out) in roots {
            for (class, name) in names.iter().enumerate() {
                let files = picture::files_in(&root.join(name), &ENDINGS)?;
                items.extend(files.into_iter().map(|path| Item { path, class, held_out }));
            }
        }
        Ok(Self { path: path.into(), classes: names, items, parted })
    }

    /// How an item is told: its part, class and name.
    pub fn name(&self, item: &Item) -> String {
        item.path.strip_prefix(&self.path).unwrap_or(&item.path).display().to_string()
    }

    /// Refuses pictures that cannot be read, by name, all at once.
    ///
    /// # Errors
    /// [`Error::Training`].
    pub fn refuse_unreadable(&self, unreadable: &[(usize, Error)]) -> Result<()> {
        if unreadable.is_empty() {
            return Ok(());
        }
        let told = unreadable.iter().take(TOLD).map(|(index, error)| match error {
            Error::Picture { detail, .. } => format!("{} ({detail})", self.name(&self.items[*index])),
            error => format!("{} ({error})", self.name(&self.items[*index])),
        });
        let told: Vec<_> = told.collect();
        let more =
            if unreadable.len() > TOLD { format!(" and {} more", unreadable.len() - TOLD) } else { String::new() };
        let detail = format!("{} pictures cannot be read: {}{more}", unreadable.len(), told.join(", "));
        Err(Error::Training { folder: self.path.clone(), detail })
    }

    /// Which pictures are one: the number of its group for each. Refuses a picture that is in two classes, and one that is
    /// in both parts: neither gives an honest score.
    ///
    /// # Errors
    /// [`Error::Training`].
    pub fn groups(&self, thumbnails: &[Thumbnail]) -> Result<Vec<usize>> {
        let twins: Vec<(usize, usize)> = (0..thumbnails.len())
            .into_par_iter()
            .flat_map_iter(|a| {
                let alike = move |&b: &usize| thumbnails[a].is_like(&thumbnails[b]);
                (a + 1..thumbnails.len()).filter(alike).map(move |b| (a, b))
            })
            .collect();
        let refuse = |(a, b): (usize, usize), what: &str| {
            let (a, b) = (self.name(&self.items[a]), self.name(&self.items[b]));
            Err(Error::Training {
                folder: self.path.clone(),
                detail: format!("{a} and {b} are the same picture, {what}"),
            })
        };
        if let Some(&pair) = twins.iter().find(|(a, b)| self.items[*a].class != self.items[*b].class) {
            return refuse(pair, "but in two classes");
        }
        if let Some(&pair) = twins.iter().find(|(a, b)| self.items[*a].held_out != self.items[*b].held_out) {
            return refuse(pair, "but one is to be trained on and one is held out");
        }
        let mut groups: Vec<usize> = (0..thumbnails.len()).collect();
        // Pairs come in the order of their first: a group is known by its first picture.
        for (a, b) in twins {
            let (low, high) = (groups[a].min(groups[b]), groups[a].max(groups[b]));
            groups.iter_mut().filter(|group| **group == high).for_each(|group| *group = low);
        }
        Ok(groups)
    }
}

/// A picture's look, by which it is found again when it was scaled or compressed anew. Its colours count, so that two
/// photographs of one thing, or one in another light, are two; what keeps pictures out of the segmenter's training looks at
/// edges alone and takes these for one.
#[derive(Debug, Clone)]
pub struct Thumbnail(Plane<Rgb>);

impl Thumbnail {
    /// Pixels of a side.
    const SIDE: usize = 16;
    /// Mean difference of one picture's copies, in levels of 256: anew compressed, they are within 2.
    const ALIKE: u32 = 3;

    /// That of a picture.
    pub fn of(picture: &Plane<Rgb>) -> Self {
        Self(resize::area_rgb(picture, Self::SIDE, Self::SIDE))
    }

    fn is_like(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let most = Self::ALIKE * a.len() as u32;
        let mut sum = 0;
        // Most pairs differ from the first rows on.
        for (a, b) in a.chunks(96).zip(b.chunks(96)) {
            sum += a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
            if sum > most {
                return false;
            }
        }
        true
    }
}

/// The folders in a folder, sorted by name. Hidden ones are left out.
fn folders_in(path: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io("read", path))? {
        let path = entry.map_err(Error::io("read", path))?.path();
        if path.is_dir() && !name_of(&path).starts_with('.') {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
