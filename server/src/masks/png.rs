//! Folders of PNG: gray probabilities, the palette of DAVIS, one colour a class.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use steadymask_core::{Plane, Rgb, palette};

use super::{
    Class, Export, FrameMasks, FrameNames, MAX_CLASSES, Planes, Sink, Surplus, equal, file_names, palette_indices,
};
use crate::{
    Error, Result,
    error::name_of,
    picture,
    source::{Source, stem_of},
};

/// The palette index that PASCAL VOC and YouTube-VOS give to pixels that no one has labelled.
const VOID: u8 = 255;

/// PNG files, one a frame, or one a frame for each class.
pub struct Pictures {
    /// For each class, or for all of them, the files in the order of the frames.
    folders: Vec<Vec<PathBuf>>,
    content: Content,
}

enum Content {
    /// A folder is a class; gray is probability.
    Levels,
    /// The same in pictures of red, green and blue that are equal.
    RgbLevels,
    /// The palette index of each class.
    Indices(Vec<u8>),
    /// The colour of each class.
    Colors(Vec<Rgb>),
}

impl Pictures {
    /// A folder whose pictures hold all classes. Palette and colour pictures are decoded once to find their classes.
    pub fn open(folder: &Path, source: &Source, surplus: Surplus) -> Result<(Self, Vec<Class>)> {
        let files = matched(folder, source, surplus)?;
        let kinds = files.iter().map(|file| picture::png_kind(file)).collect::<Result<Vec<_>>>()?;
        let all = |kind| kinds.iter().all(|&k| k == kind);
        let (content, classes) = if all(png::ColorType::Indexed) {
            find_indices(&files)?
        } else if all(png::ColorType::Rgb) {
            find_colors(&files)?
        } else if let Some(at) = kinds.iter().position(|&kind| kind == png::ColorType::Rgb) {
            let other = kinds.iter().position(|&kind| kind != png::ColorType::Rgb).unwrap_or_default();
            let detail = format!(
                "it is Rgb, but {} is {:?}; the masks of a clip are all gray or palette PNG, or all of one colour a \
                 class",
                name_of(&files[other]),
                kinds[other]
            );
            return Err(Error::Picture { name: name_of(&files[at]), detail });
        } else {
            (Content::Levels, Class::only())
        };
        Ok((Self { folders: vec![files], content }, classes))
    }

    /// A folder for each class, named as the class; in its pictures gray is probability.
    pub fn open_by_class(folders: &[PathBuf], source: &Source, surplus: Surplus) -> Result<(Self, Vec<Class>)> {
        let files = folders.iter().map(|folder| matched(folder, source, surplus)).collect::<Result<_>>()?;
        let class = |(place, folder): (usize, &PathBuf)| Class::new(name_of(folder), place as u32 + 1, place);
        let classes = folders.iter().enumerate().map(class).collect();
        Ok((Self { folders: files, content: Content::Levels }, classes))
    }

    pub fn read(&self, chosen: &[usize]) -> Planes<'_> {
        let chosen = chosen.to_vec();
        Box::new((0..self.folders[0].len()).map(move |frame| self.read_frame(frame, &chosen)))
    }

    fn read_frame(&self, frame: usize, chosen: &[usize]) -> Result<Vec<Plane<u8>>> {
        let file = &self.folders[0][frame];
        match &self.content {
            Content::Levels => {
                let planes = chosen.iter().map(|&class| picture::read_mask(&self.folders[class][frame]));
                let planes = planes.collect::<Result<Vec<_>>>()?;
                same_size(&planes, &self.folders, chosen, frame)?;
                Ok(planes)
            }
            Content::RgbLevels => Ok(vec![picture::read_rgb(file)?.map(|&[red, ..]| red)]),
            Content::Indices(indices) => {
                let (labels, _) = picture::read_labels(file)?;
                Ok(chosen.iter().map(|&class| equal(&labels, indices[class])).collect())
            }
            Content::Colors(colors) => {
                let picture = picture::read_rgb(file)?;
                Ok(chosen.iter().map(|&class| equal(&picture, colors[class])).collect())
            }
        }
    }
}

fn same_size(planes: &[Plane<u8>], folders: &[Vec<PathBuf>], chosen: &[usize], frame: usize) -> Result<()> {
    let (expected_width, expected_height) = planes[0].size();
    match planes.iter().zip(chosen).find(|(plane, _)| plane.size() != planes[0].size()) {
        None => Ok(()),
        Some((plane, &class)) => {
            let (width, height) = plane.size();
            let file = &folders[class][frame];
            let folder = file.parent().map(name_of).unwrap_or_default();
            let frame = format!("{} of the class {folder}", name_of(file));
            Err(Error::FrameSize { frame, width, height, expected_width, expected_height })
        }
    }
}

/// The PNG files of `folder` in the order of the frames: by name for a folder of frames; by number (`00000.png` is the
/// first frame) for a video.
fn matched(folder: &Path, source: &Source, surplus: Surplus) -> Result<Vec<PathBuf>> {
    let names = FrameNames::of(source, ".png");
    let shown = folder.display().to_string();
    let (mut found, mut stranger) = (vec![None; source.frames()], None);
    for file in picture::files_in(folder, &["png"])? {
        match names.find(&stem_of(&file)).map(|frame| &mut found[frame]) {
            Some(place @ None) => *place = Some(file),
            _ => stranger = stranger.or(Some(file)),
        }
    }
    let missing = |frame| {
        let name = format!("{}.png", source.stem(frame));
        Error::MaskMissing { name, folder: shown.clone(), frames: source.frames() }
    };
    let files = found.into_iter().enumerate().map(|(frame, file)| file.ok_or_else(|| missing(frame)));
    let files = files.collect::<Result<_>>()?;
    match stranger.filter(|_| surplus == Surplus::Refused) {
        None => Ok(files),
        Some(file) => Err(Error::MaskSurplus { name: name_of(&file), folder: shown, expected: names.expected }),
    }
}

/// The classes of palette pictures: the indices that occur, less 0, and less [`VOID`] beside others.
fn find_indices(files: &[PathBuf]) -> Result<(Content, Vec<Class>)> {
    let mut present = [false; 256];
    let mut colors = palette::PALETTE;
    for file in files {
        let (labels, table) = picture::read_labels(file)?;
        let mut here = [false; 256];
        labels.data().iter().for_each(|&label| here[usize::from(label)] = true);
        for label in (1..256).filter(|&label| here[label]) {
            if !present[label] {
                colors[label] = table.get(label).copied().unwrap_or(colors[label]);
            }
            present[label] = true;
        }
    }
    let mut indices: Vec<u8> = (1..=255).filter(|&label| present[usize::from(label)]).collect();
    if indices.len() > 1 {
        indices.retain(|&label| label != VOID);
    }
    let class = |&label: &u8| Class { name: label.to_string(), id: label.into(), color: colors[usize::from(label)] };
    match indices.is_empty() {
        true => Ok((Content::Levels, Class::only())),
        false => Ok((Content::Indices(indices.clone()), indices.iter().map(class).collect())),
    }
}

/// The classes of colour pictures: the colours that occur, less black. Where all of them are gray, they are levels.
fn find_colors(files: &[PathBuf]) -> Result<(Content, Vec<Class>)> {
    let mut present = HashSet::new();
    for file in files {
        let picture = picture::read_rgb(file)?;
        // Neighbours are mostly of one colour.
        let mut last = [0; 3];
        for &color in picture.data() {
            if color != last {
                last = color;
                present.insert(color);
            }
        }
        let gray = present.iter().all(|[red, green, blue]| red == green && green == blue);
        if present.len() > MAX_CLASSES + 1 && !gray {
            let detail = format!(
                "its masks have more than {MAX_CLASSES} colours; a class is one colour, not blended with others at \
                 its edges"
            );
            return Err(Error::Picture { name: name_of(file), detail });
        }
    }
    present.remove(&[0; 3]);
    if present.iter().all(|[red, green, blue]| red == green && green == blue) {
        return Ok((Content::RgbLevels, Class::only()));
    }
    let mut colors: Vec<Rgb> = present.into_iter().collect();
    // In the order of the palette, where all of them are in it.
    let labels: Option<Vec<u8>> = colors.iter().map(|&color| palette::label_of(color)).collect();
    match labels {
        Some(_) => colors.sort_by_key(|&color| palette::label_of(color)),
        None => colors.sort(),
    }
    let class = |(place, &color): (usize, &Rgb)| {
        let [red, green, blue] = color;
        let label = labels.as_ref().and_then(|_| palette::label_of(color)).map_or(place as u32 + 1, u32::from);
        Class { name: format!("#{red:02x}{green:02x}{blue:02x}"), id: label, color }
    };
    let classes = colors.iter().enumerate().map(class).collect();
    Ok((Content::Colors(colors), classes))
}

/// A PNG a frame, or one a frame for each class.
pub struct PictureSink<'a> {
    /// One, or one for each class.
    folders: Vec<PathBuf>,
    pixels: Pixels,
    source: &'a Source,
}

enum Pixels {
    /// Black and white.
    Bits,
    /// Gray.
    Levels,
    /// The index of each label, and the palette.
    Indices(Box<[u8; 256]>, Box<[Rgb; 256]>),
    /// The colour of each class.
    Colors(Vec<Rgb>),
}

impl<'a> PictureSink<'a> {
    pub fn create(export: Export, folder: &Path, classes: &[Class], source: &'a Source) -> Result<Self> {
        let (name, pixels) = match export {
            Export::Palette => {
                let (mut of_label, mut palette) = (Box::new([0; 256]), Box::new(palette::PALETTE));
                for (label, (index, class)) in (1..).zip(palette_indices(classes).into_iter().zip(classes)) {
                    of_label[label] = index;
                    palette[usize::from(index)] = class.color;
                }
                ("palette", Pixels::Indices(of_label, palette))
            }
            Export::Color => ("color", Pixels::Colors(classes.iter().map(|class| class.color).collect())),
            Export::Probability => ("probability", Pixels::Levels),
            _ => ("png", Pixels::Bits),
        };
        let folder = folder.join(name);
        let folders = match pixels {
            Pixels::Bits | Pixels::Levels if classes.len() > 1 => {
                file_names(classes).iter().map(|name| folder.join(name)).collect()
            }
            _ => vec![folder],
        };
        for folder in &folders {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        Ok(Self { folders, pixels, source })
    }
}

impl Sink for PictureSink<'_> {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        let name = format!("{}.png", self.source.stem(frame.index));
        let file = self.folders[0].join(&name);
        match &self.pixels {
            Pixels::Bits => (1..)
                .zip(&self.folders)
                .try_for_each(|(label, folder)| picture::write_bits(&folder.join(&name), &equal(frame.labels, label))),
            Pixels::Levels => frame
                .probabilities
                .iter()
                .zip(&self.folders)
                .try_for_each(|(plane, folder)| picture::write_gray(&folder.join(&name), plane)),
            Pixels::Indices(of_label, palette) => {
                picture::write_labels(&file, &frame.labels.map(|&label| of_label[usize::from(label)]), palette)
            }
            Pixels::Colors(colors) => picture::write_rgb(&file, &palette::paint(frame.labels, colors)),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
