//! JSON of COCO and YouTube-VIS: run lengths, a picture at a time or a track at a time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use steadymask_core::{BitMask, Plane, Rle};

use super::{Class, FrameList, FrameMasks, FrameNames, Planes, Sink, Surplus, frame_numbers};
use crate::{Error, Result, error::name_of, picture::partial, source::Source};

/// The largest file that is read, in bytes: it is held in memory while it is read.
const MAX_BYTES: u64 = 1 << 30;

/// The run lengths of a clip; 4 bytes a run are held in memory. What is not there is empty.
pub struct Tracks {
    size: (usize, usize),
    /// For each frame: a class and where it is. Several of one class are united.
    frames: Vec<Vec<(usize, Rle)>>,
}

/// What is written with a dataset around it, or the list of annotations alone, as results are.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Dataset {
    images: Vec<Image>,
    videos: Vec<VideoEntry>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

#[derive(Clone, Deserialize)]
struct Image {
    id: Id,
    #[serde(default)]
    file_name: String,
    #[serde(default, deserialize_with = "if_whole")]
    width: Option<usize>,
    #[serde(default, deserialize_with = "if_whole")]
    height: Option<usize>,
}

#[derive(Clone, Deserialize)]
struct VideoEntry {
    id: Id,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    file_names: Option<Vec<String>>,
    #[serde(default, deserialize_with = "if_whole")]
    length: Option<usize>,
    #[serde(default, deserialize_with = "if_whole")]
    width: Option<usize>,
    #[serde(default, deserialize_with = "if_whole")]
    height: Option<usize>,
}

#[derive(Deserialize)]
struct Category {
    id: u32,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    image_id: Option<Id>,
    #[serde(default)]
    video_id: Option<Id>,
    category_id: u32,
    #[serde(default)]
    segmentation: Option<Segmentation>,
    #[serde(default)]
    segmentations: Option<Vec<Option<Segmentation>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Id {
    Number(u64),
    Text(String),
}

struct Segmentation {
    size: [usize; 2],
    counts: Counts,
}

enum Counts {
    Text(String),
    List(Vec<u32>),
}

/// What one clip has of a dataset.
pub struct Part<'a> {
    images: Vec<&'a Image>,
    categories: &'a [Category],
    /// With their numbers in the file.
    annotations: Vec<(usize, &'a Annotation)>,
    /// The frames of its video, by name.
    stems: Option<Vec<String>>,
}

/// A clip that a dataset tells of.
struct Entry {
    /// Name of the folder of its frames; else the name or the id of its video.
    name: String,
    /// Of its pictures, or of its video.
    ids: HashSet<Id>,
    frames: Option<FrameList>,
    size: Option<(usize, usize)>,
}

impl Dataset {
    /// Reads and understands the file.
    pub fn open(path: &Path) -> Result<Self> {
        let refuse = |detail: String| Error::Masks { name: name_of(path), detail };
        let length = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
        if length > MAX_BYTES {
            return Err(refuse(format!("it has {length} bytes; expected JSON of at most {MAX_BYTES}")));
        }
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let json = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let dataset = if json.trim_ascii_start().starts_with(b"[") {
            serde_json::from_slice(json).map(|annotations| Self { annotations, ..Self::default() })
        } else {
            serde_json::from_slice(json)
        };
        let dataset: Self = dataset.map_err(|e| refuse(e.to_string()))?;
        match dataset.tracks() {
            n if n == 0 || n == dataset.annotations.len() => Ok(dataset),
            n => Err(refuse(format!(
                "{n} of its {} annotations have segmentations; expected all (a track each) or none (a picture each)",
                dataset.annotations.len()
            ))),
        }
    }

    /// A list of results names neither pictures nor videos: they are those of the dataset that it was made for.
    pub fn complete(&mut self, other: &Self) {
        if self.images.is_empty() && self.videos.is_empty() {
            self.images.clone_from(&other.images);
            self.videos.clone_from(&other.videos);
        }
    }

    /// Number of annotations that are tracks.
    fn tracks(&self) -> usize {
        self.annotations.iter().filter(|annotation| annotation.segmentations.is_some()).count()
    }

    /// The names of its clips: one for each video, or for each folder of pictures. Empty where it does not tell.
    pub fn clips(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.name).collect()
    }

    /// What it tells of the frames of a clip, or of all that it has.
    pub fn frames(&self, clip: Option<&str>) -> Option<FrameList> {
        self.entry(clip)?.frames
    }

    /// The size of a clip's frames, or of all frames, where it tells.
    pub fn size(&self, clip: Option<&str>) -> Option<(usize, usize)> {
        let of_masks = || {
            let part = self.part(clip).ok()?;
            let [height, width] = part.annotations.iter().flat_map(|(_, own)| own.segmentations()).next()?.size;
            Some((width, height))
        };
        self.entry(clip).and_then(|entry| entry.size).or_else(of_masks)
    }

    fn entry(&self, clip: Option<&str>) -> Option<Entry> {
        let mut entries = self.entries();
        match clip {
            Some(name) => entries.into_iter().find(|entry| entry.name == name),
            None if entries.len() == 1 => entries.pop(),
            None => None,
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let by_track = self.tracks() > 0;
        let mut entries: Vec<Entry> = Vec::new();
        if !self.videos.is_empty() {
            entries.extend(self.videos.iter().map(VideoEntry::entry));
        } else if !self.images.is_empty() && !by_track {
            let mut folders: Vec<(String, Vec<&Image>)> = Vec::new();
            for image in &self.images {
                let folder = folder_of(&image.file_name).unwrap_or_default();
                match folders.iter_mut().find(|(name, _)| *name == folder) {
                    Some((_, images)) => images.push(image),
                    None => folders.push((folder, vec![image])),
                }
            }
            entries.extend(folders.into_iter().map(|(name, images)| {
                // In the order in which the files lie in their folder.
                let mut stems: Vec<_> = images.iter().map(|image| stem(&image.file_name)).collect();
                stems.sort();
                let different = stems.windows(2).all(|pair| pair[0] != pair[1]) && !stems[0].is_empty();
                Entry {
                    name,
                    ids: images.iter().map(|image| image.id.clone()).collect(),
                    frames: Some(match different {
                        true => FrameList::Names(stems),
                        false => FrameList::Count(stems.len()),
                    }),
                    size: images[0].width.zip(images[0].height),
                }
            }));
        } else if by_track {
            for annotation in &self.annotations {
                let Some(id) = &annotation.video_id else { continue };
                if !entries.iter().any(|entry| entry.ids.contains(id)) {
                    entries.push(Entry {
                        name: id.plain(),
                        ids: HashSet::from([id.clone()]),
                        frames: annotation.segmentations.as_ref().map(|list| FrameList::Count(list.len())),
                        size: None,
                    });
                }
            }
        }
        // Names that do not tell them apart are none.
        let unique: HashSet<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        if unique.len() < entries.len() {
            for (entry, video) in entries.iter_mut().zip(&self.videos) {
                entry.name = video.id.plain();
            }
        }
        entries
    }

    /// What it has of a clip, or all of it.
    fn part(&self, clip: Option<&str>) -> Result<Part<'_>, String> {
        let entries = self.entries();
        let names = |entry: &Entry| match &entry.frames {
            Some(FrameList::Names(names)) => Some(names.clone()),
            _ => None,
        };
        let Some(clip) = clip else {
            return Ok(Part {
                images: self.images.iter().collect(),
                categories: &self.categories,
                annotations: self.annotations.iter().enumerate().collect(),
                stems: if let [entry] = entries.as_slice() { names(entry) } else { None },
            });
        };
        let Some(wanted) = entries.iter().position(|entry| entry.name == clip) else {
            let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
            return Err(format!("it has no clip {clip}; there are: {}", names.join(", ")));
        };
        let owner: HashMap<&Id, usize> = entries
            .iter()
            .enumerate()
            .flat_map(|(number, entry)| entry.ids.iter().map(move |id| (id, number)))
            .collect();
        let mut annotations = Vec::new();
        for (number, annotation) in self.annotations.iter().enumerate() {
            let (kind, id) = match annotation.segmentations {
                Some(_) => ("video_id", &annotation.video_id),
                None => ("image_id", &annotation.image_id),
            };
            let id = id.as_ref().ok_or(format!("annotation {number} has no {kind}"))?;
            match owner.get(id) {
                Some(&owner) if owner == wanted => annotations.push((number, annotation)),
                Some(_) => {}
                None => return Err(format!("the {kind} {id} of annotation {number} is none that it lists")),
            }
        }
        let wanted = &entries[wanted];
        let images = self.images.iter().filter(|image| wanted.ids.contains(&image.id)).collect();
        Ok(Part { images, categories: &self.categories, annotations, stems: names(wanted) })
    }
}

impl VideoEntry {
    fn entry(&self) -> Entry {
        let files = self.file_names.as_deref().unwrap_or_default();
        let folder = files.first().and_then(|name| folder_of(name));
        Entry {
            name: folder.or_else(|| self.name.clone()).unwrap_or_else(|| self.id.plain()),
            ids: HashSet::from([self.id.clone()]),
            frames: match files.is_empty() {
                false => Some(FrameList::Names(files.iter().map(|name| stem(name)).collect())),
                true => self.length.map(FrameList::Count),
            },
            size: self.width.zip(self.height),
        }
    }
}

/// A number that is told but not needed: none where it is no whole one, as some programs write.
fn if_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_u64().and_then(|value| value.try_into().ok()))
}

impl Annotation {
    fn segmentations(&self) -> impl Iterator<Item = &Segmentation> {
        self.segmentation.iter().chain(self.segmentations.iter().flatten().flatten())
    }
}

/// A file's name without folder and ending.
fn stem(file_name: &str) -> String {
    Path::new(file_name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of the folder in which a file is said to be.
fn folder_of(file_name: &str) -> Option<String> {
    Some(Path::new(file_name).parent()?.file_name()?.to_string_lossy().into_owned())
}

impl Tracks {
    /// The masks of a clip, or of all that the dataset `path` has.
    pub fn of(
        dataset: &Dataset,
        path: &Path,
        clip: Option<&str>,
        source: &Source,
        surplus: Surplus,
    ) -> Result<(Self, Vec<Class>)> {
        let read = dataset.part(clip).and_then(|part| match dataset.tracks() {
            0 => pictures(&part, source, surplus),
            _ => tracks(&part, source, surplus),
        });
        read.map_err(|detail| Error::Masks { name: name_of(path), detail })
    }

    pub fn read(&self, chosen: &[usize]) -> Planes<'_> {
        let chosen = chosen.to_vec();
        let (width, height) = self.size;
        Box::new(self.frames.iter().map(move |masks| {
            let plane = |&class: &usize| {
                let mut plane = Plane::filled(width, height, 0);
                for (_, rle) in masks.iter().filter(|(of, _)| *of == class) {
                    rle.decode().pixels().for_each(|(x, y)| plane.row_mut(y)[x] = 255);
                }
                plane
            };
            Ok(chosen.iter().map(plane).collect())
        }))
    }
}

/// A picture an annotation: the categories that occur are the classes.
fn pictures(part: &Part<'_>, source: &Source, surplus: Surplus) -> Result<(Tracks, Vec<Class>), String> {
    let frame_of = frames_of_images(part, source, surplus)?;
    let ids: BTreeSet<u32> = part.annotations.iter().map(|(_, annotation)| annotation.category_id).collect();
    let places: BTreeMap<u32, usize> = ids.iter().enumerate().map(|(place, &id)| (id, place)).collect();
    let mut masks = Gathered::new(source);
    for (number, annotation) in &part.annotations {
        let segmentation =
            annotation.segmentation.as_ref().ok_or(format!("annotation {number} has no segmentation"))?;
        let id = annotation.image_id.as_ref().ok_or(format!("annotation {number} has no image_id"))?;
        let frame = frame_of(id)
            .map_err(|expected| format!("the image_id {id} of annotation {number} belongs to no frame ({expected})"))?;
        if let Some(frame) = frame {
            masks
                .add(frame, places[&annotation.category_id], segmentation)
                .map_err(|e| format!("annotation {number}: {e}"))?;
        }
    }
    let names = names(part.categories);
    let class = |(place, id): (usize, &u32)| Class::new(name(&names, *id), *id, place);
    Ok(masks.finish(ids.iter().enumerate().map(class).collect()))
}

/// A track an annotation: each is a class of its own, named as its category.
fn tracks(part: &Part<'_>, source: &Source, surplus: Surplus) -> Result<(Tracks, Vec<Class>), String> {
    let names = names(part.categories);
    let frames = source.frames();
    // Where the video has more frames than the clip, those of its names.
    let known = FrameNames::of(source, "");
    let named = part.stems.as_ref().filter(|stems| surplus == Surplus::Ignored && stems.len() > frames);
    let places: Option<Vec<Option<usize>>> = named.map(|stems| stems.iter().map(|stem| known.find(stem)).collect());
    let places = places.filter(|places| places.iter().flatten().collect::<HashSet<_>>().len() == frames);
    let places = places.unwrap_or_else(|| (0..frames).map(Some).collect());
    let mut masks = Gathered::new(source);
    let mut classes = Vec::new();
    for (place, (number, annotation)) in part.annotations.iter().enumerate() {
        let first = &part.annotations[0].1.video_id;
        if annotation.video_id != *first {
            let shown = |id: &Option<Id>| id.as_ref().map_or("none".into(), Id::to_string);
            let (id, first) = (shown(&annotation.video_id), shown(first));
            return Err(format!("annotation {number} is of the video {id}; expected one video, {first}"));
        }
        let segmentations = annotation.segmentations.as_deref().unwrap_or_default();
        if segmentations.len() != places.len() {
            let (count, frames) = (segmentations.len(), places.len());
            return Err(format!("annotation {number} has {count} segmentations; expected {frames}, one a frame"));
        }
        for (frame, segmentation) in places.iter().zip(segmentations) {
            if let Some((frame, segmentation)) = frame.zip(segmentation.as_ref()) {
                let added = masks.add(frame, place, segmentation);
                added.map_err(|e| format!("annotation {number}, frame {frame}: {e}"))?;
            }
        }
        classes.push(Class::new(name(&names, annotation.category_id), annotation.category_id, place));
    }
    Ok(masks.finish(classes))
}

fn names(categories: &[Category]) -> HashMap<u32, &str> {
    categories.iter().map(|category| (category.id, category.name.as_str())).collect()
}

fn name(names: &HashMap<u32, &str>, id: u32) -> String {
    names.get(&id).map_or_else(|| id.to_string(), |name| (*name).into())
}

/// Finds the frame of an image, or tells which there are; none for an image that is left alone. With a list of images:
/// by their file names where these are those of the frames (or, for a video, their numbers), else by their place in the
/// list. Without: an id that is the name of a frame in a folder is that frame's; a number is that in the frames' names
/// where all of these are numbers, else the frame's number: from 0, or from 1 where no image is 0 and one is as large as
/// the number of frames.
fn frames_of_images(
    part: &Part<'_>,
    source: &Source,
    surplus: Surplus,
) -> Result<impl Fn(&Id) -> Result<Option<usize>, String>, String> {
    let (names, frames) = (FrameNames::of(source, ""), source.frames());
    let mut known: HashMap<Id, Option<usize>> = HashMap::new();
    let mut expected = "expected the id of one of its images".to_owned();
    if !part.images.is_empty() {
        let by_name: Vec<Option<usize>> = part.images.iter().map(|image| names.find(&stem(&image.file_name))).collect();
        let named = by_name.iter().flatten().collect::<HashSet<_>>().len();
        let found = match by_name.iter().position(Option::is_none) {
            None => by_name,
            Some(_) if surplus == Surplus::Ignored && named == frames => by_name,
            Some(_) if part.images.len() == frames => (0..frames).map(Some).collect(),
            Some(stranger) => {
                let name = &part.images[stranger].file_name;
                return Err(format!("its image {name:?} belongs to no frame ({})", names.expected));
            }
        };
        known.extend(part.images.iter().map(|image| image.id.clone()).zip(found));
    } else {
        known.extend((0..frames).map(|index| (Id::Text(source.stem(index)), Some(index))));
        if let Some(numbers) = frame_numbers(source) {
            expected.clone_from(&names.expected);
            known.extend(numbers.into_iter().enumerate().map(|(index, number)| (Id::Number(number), Some(index))));
        } else {
            let has = |number: usize| {
                part.annotations.iter().any(|(_, annotation)| annotation.image_id == Some(Id::Number(number as u64)))
            };
            let first = usize::from(has(frames) && !has(0));
            expected = format!("expected {first} to {}", first + frames - 1);
            known.extend((0..frames).map(|index| (Id::Number((first + index) as u64), Some(index))));
        }
    }
    Ok(move |id: &Id| known.get(id).copied().ok_or_else(|| expected.clone()))
}

/// Masks on their way into [`Tracks`].
struct Gathered {
    size: Option<(usize, usize)>,
    default_size: (usize, usize),
    frames: Vec<Vec<(usize, Rle)>>,
}

impl Gathered {
    fn new(source: &Source) -> Self {
        Self { size: None, default_size: source.size(), frames: vec![Vec::new(); source.frames()] }
    }

    fn add(&mut self, frame: usize, class: usize, segmentation: &Segmentation) -> Result<(), String> {
        let [height, width] = segmentation.size;
        let (expected_width, expected_height) = *self.size.get_or_insert((width, height));
        if (width, height) != (expected_width, expected_height) {
            return Err(format!("it is {width}×{height}; expected {expected_width}×{expected_height}, as the first"));
        }
        let rle = match &segmentation.counts {
            Counts::Text(text) => Rle::from_text(width, height, text),
            Counts::List(counts) => Rle::from_counts(width, height, counts.clone()),
        };
        self.frames[frame].push((class, rle.map_err(|e| e.to_string())?));
        Ok(())
    }

    /// Of a clip without any annotation every frame is empty.
    fn finish(self, classes: Vec<Class>) -> (Tracks, Vec<Class>) {
        let size = self.size.unwrap_or(self.default_size);
        let classes = if classes.is_empty() { Class::only() } else { classes };
        (Tracks { size, frames: self.frames }, classes)
    }
}

impl Id {
    /// As a name.
    fn plain(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 or a string")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
                Ok(Id::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(Id::Text(text.into()))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

impl<'de> Deserialize<'de> for Segmentation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            size: [usize; 2],
            counts: Counts,
        }
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Segmentation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("run lengths, {\"size\": [height, width], \"counts\": …} (polygons are not read)")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Segmentation, A::Error> {
                let Fields { size, counts } = Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Segmentation { size, counts })
            }
        }
        deserializer.deserialize_any(FieldsVisitor)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountsVisitor;
        impl<'de> Visitor<'de> for CountsVisitor {
            type Value = Counts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of compressed run lengths or a list of numbers")
            }

            fn visit_str<E>(self, text: &str) -> Result<Counts, E> {
                Ok(Counts::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Counts, A::Error> {
                let mut counts = Vec::new();
                while let Some(count) = numbers.next_element()? {
                    counts.push(count);
                }
                Ok(Counts::List(counts))
            }
        }
        deserializer.deserialize_any(CountsVisitor)
    }
}

/// `{"size": [height, width], "counts": "…"}`, with the pixels and the box around them, which datasets tell.
struct Region {
    runs: Runs,
    area: usize,
    bbox: [usize; 4],
}

#[derive(Serialize)]
struct Runs {
    size: [usize; 2],
    counts: String,
}

impl Region {
    /// Where `label` is; `None` where it is nowhere.
    fn of(labels: &Plane<u8>, label: u8) -> Option<Self> {
        let (width, height) = labels.size();
        let rle = Rle::encode(&BitMask::from_fn(width, height, |x, y| labels.get(x, y) == label));
        let area = rle.area();
        let runs = Runs { size: [height, width], counts: rle.text() };
        (area > 0).then(|| Self { runs, area, bbox: rle.bounds() })
    }
}

/// Names and numbers of the classes, each number once.
fn categories(classes: &[Class]) -> Vec<serde_json::Value> {
    let mut seen = BTreeSet::new();
    let new = classes.iter().filter(|class| seen.insert(class.id));
    new.map(|class| serde_json::json!({"id": class.id, "name": class.name})).collect()
}

/// What an image is called, and its number.
fn image(source: &Source, numbers: Option<&[u64]>, index: usize) -> (String, u64) {
    let name = match source {
        Source::Folder { files, .. } if index < files.len() => name_of(&files[index]),
        _ => format!("{}.png", source.stem(index)),
    };
    (name, numbers.and_then(|numbers| numbers.get(index).copied()).unwrap_or(index as u64))
}

/// JSON on its way to its name; dropped before, it leaves nothing.
struct JsonFile {
    file: BufWriter<File>,
    path: PathBuf,
    partial: PathBuf,
}

impl JsonFile {
    fn create(path: &Path) -> Result<Self> {
        let partial = partial(path);
        let file = BufWriter::new(File::create(&partial).map_err(Error::io("create", &partial))?);
        Ok(Self { file, path: path.to_path_buf(), partial })
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).map_err(Error::io("write", &self.partial))
    }

    fn value(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.file, value).map_err(|e| Error::io("write", &self.partial)(e.into()))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.partial))?;
        std::fs::rename(&self.partial, &self.path).map_err(Error::io("write", &self.path))
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        // Not there any more once it has its name.
        let _ = std::fs::remove_file(&self.partial);
    }
}

/// The annotations of pictures, one after another as they come.
struct PictureAnnotations<'a> {
    json: JsonFile,
    ids: Vec<u32>,
    source: &'a Source,
    numbers: Option<Vec<u64>>,
    count: usize,
}

impl<'a> PictureAnnotations<'a> {
    fn create(path: &Path, classes: &[Class], source: &'a Source) -> Result<Self> {
        let ids = classes.iter().map(|class| class.id).collect();
        Ok(Self { json: JsonFile::create(path)?, ids, source, numbers: frame_numbers(source), count: 0 })
    }

    /// Writes what `describe` makes of the number of the annotation, of the image, and of the class.
    fn write<T: Serialize>(
        &mut self,
        frame: &FrameMasks<'_>,
        describe: impl Fn(usize, u64, u32, Region) -> T,
    ) -> Result<()> {
        let (_, image_id) = image(self.source, self.numbers.as_deref(), frame.index);
        for (label, id) in (1..).zip(self.ids.clone()) {
            if let Some(region) = Region::of(frame.labels, label) {
                self.json.text(if self.count == 0 { "\n" } else { ",\n" })?;
                self.count += 1;
                self.json.value(&describe(self.count, image_id, id, region))?;
            }
        }
        Ok(())
    }
}

/// A list of results.
pub struct ResultsSink<'a>(PictureAnnotations<'a>);

impl<'a> ResultsSink<'a> {
    pub fn create(path: &Path, classes: &[Class], source: &'a Source) -> Result<Self> {
        let mut annotations = PictureAnnotations::create(path, classes, source)?;
        annotations.json.text("[")?;
        Ok(Self(annotations))
    }
}

impl Sink for ResultsSink<'_> {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        self.0.write(frame, |_, image_id, category_id, Region { runs, .. }| {
            serde_json::json!({"image_id": image_id, "category_id": category_id, "segmentation": runs, "score": 1.0})
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut json = self.0.json;
        json.text("\n]\n")?;
        json.finish()
    }
}

/// Annotations with images and categories around them.
pub struct DatasetSink<'a> {
    annotations: PictureAnnotations<'a>,
    categories: Vec<serde_json::Value>,
    frames: usize,
}

impl<'a> DatasetSink<'a> {
    pub fn create(path: &Path, classes: &[Class], source: &'a Source) -> Result<Self> {
        let mut annotations = PictureAnnotations::create(path, classes, source)?;
        annotations.json.text("{\"annotations\": [")?;
        Ok(Self { annotations, categories: categories(classes), frames: 0 })
    }
}

impl Sink for DatasetSink<'_> {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        self.frames = frame.index + 1;
        self.annotations.write(frame, |id, image_id, category_id, Region { runs, area, bbox }| {
            serde_json::json!({
                "id": id,
                "image_id": image_id,
                "category_id": category_id,
                "segmentation": runs,
                "area": area,
                "bbox": bbox,
                "iscrowd": 0,
            })
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let PictureAnnotations { mut json, source, numbers, .. } = self.annotations;
        let (width, height) = source.size();
        json.text("\n],\n\"images\": [")?;
        for index in 0..self.frames {
            let (file_name, id) = image(source, numbers.as_deref(), index);
            json.text(if index == 0 { "\n" } else { ",\n" })?;
            json.value(&serde_json::json!({"id": id, "file_name": file_name, "width": width, "height": height}))?;
        }
        json.text("\n],\n\"categories\": ")?;
        json.value(&self.categories)?;
        json.text("}\n")?;
        json.finish()
    }
}

/// A track a class: the run lengths of the whole clip wait in memory for its end.
pub struct TrackSink<'a> {
    path: PathBuf,
    source: &'a Source,
    classes: Vec<Class>,
    tracks: Vec<Vec<Option<Region>>>,
}

impl<'a> TrackSink<'a> {
    pub fn new(path: PathBuf, classes: &[Class], source: &'a Source) -> Self {
        let tracks = classes.iter().map(|_| Vec::new()).collect();
        Self { path, source, classes: classes.to_vec(), tracks }
    }
}

impl Sink for TrackSink<'_> {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        for (label, track) in (1..).zip(&mut self.tracks) {
            track.push(Region::of(frame.labels, label));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        #[derive(Serialize)]
        struct Track {
            id: usize,
            video_id: u32,
            category_id: u32,
            width: usize,
            height: usize,
            length: usize,
            segmentations: Vec<Option<Runs>>,
            bboxes: Vec<Option<[usize; 4]>>,
            areas: Vec<Option<usize>>,
            iscrowd: u32,
        }
        let (width, height) = self.source.size();
        let length = self.tracks.first().map_or(0, Vec::len);
        let names: Vec<_> = (0..length).map(|index| image(self.source, None, index).0).collect();
        let mut json = JsonFile::create(&self.path)?;
        json.text("{\"videos\": [")?;
        json.value(
            &serde_json::json!({"id": 1, "width": width, "height": height, "length": length, "file_names": names}),
        )?;
        json.text("],\n\"annotations\": [")?;
        for (index, (track, class)) in self.tracks.into_iter().zip(&self.classes).enumerate() {
            json.text(if index == 0 { "\n" } else { ",\n" })?;
            json.value(&Track {
                id: index + 1,
                video_id: 1,
                category_id: class.id,
                width,
                height,
                length,
                bboxes: track.iter().map(|region| region.as_ref().map(|region| region.bbox)).collect(),
                areas: track.iter().map(|region| region.as_ref().map(|region| region.area)).collect(),
                segmentations: track.into_iter().map(|region| region.map(|region| region.runs)).collect(),
                iscrowd: 0,
            })?;
        }
        json.text("\n],\n\"categories\": ")?;
        json.value(&categories(&self.classes))?;
        json.text("}\n")?;
        json.finish()
    }
}
