//! JSON of COCO and YouTube-VIS: run lengths, a picture at a time or a track at a time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
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

use super::{Class, FrameMasks, FrameNames, Planes, Sink, frame_numbers};
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
struct Dataset {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    #[serde(default)]
    file_name: String,
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

impl Tracks {
    pub fn open(path: &Path, source: &Source) -> Result<(Self, Vec<Class>)> {
        let name = name_of(path);
        let refuse = |detail: String| Error::Masks { name: name.clone(), detail };
        let length = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
        if length > MAX_BYTES {
            return Err(refuse(format!("it has {length} bytes; expected JSON of at most {MAX_BYTES}")));
        }
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let json = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let dataset = if json.trim_ascii_start().starts_with(b"[") {
            serde_json::from_slice(json).map(|annotations| Dataset { annotations, ..Dataset::default() })
        } else {
            serde_json::from_slice(json)
        };
        let dataset = dataset.map_err(|e| refuse(e.to_string()))?;
        drop(bytes);
        let tracks = dataset.annotations.iter().filter(|annotation| annotation.segmentations.is_some()).count();
        let read = match tracks {
            0 => pictures(dataset, source),
            n if n == dataset.annotations.len() => self::tracks(dataset, source),
            n => Err(format!(
                "{n} of its {} annotations have segmentations; expected all (a track each) or none (a picture each)",
                dataset.annotations.len()
            )),
        };
        read.map_err(refuse)
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
fn pictures(dataset: Dataset, source: &Source) -> Result<(Tracks, Vec<Class>), String> {
    let frame_of = frames_of_images(&dataset, source)?;
    let ids: BTreeSet<u32> = dataset.annotations.iter().map(|annotation| annotation.category_id).collect();
    let places: BTreeMap<u32, usize> = ids.iter().enumerate().map(|(place, &id)| (id, place)).collect();
    let mut masks = Gathered::new(source);
    for (number, annotation) in dataset.annotations.iter().enumerate() {
        let segmentation =
            annotation.segmentation.as_ref().ok_or(format!("annotation {number} has no segmentation"))?;
        let id = annotation.image_id.as_ref().ok_or(format!("annotation {number} has no image_id"))?;
        let frame = frame_of(id)
            .map_err(|expected| format!("the image_id {id} of annotation {number} belongs to no frame ({expected})"))?;
        masks
            .add(frame, places[&annotation.category_id], segmentation)
            .map_err(|e| format!("annotation {number}: {e}"))?;
    }
    let names = names(&dataset.categories);
    let class = |(place, id): (usize, &u32)| Class::new(name(&names, *id), *id, place);
    Ok(masks.finish(ids.iter().enumerate().map(class).collect()))
}

/// A track an annotation: each is a class of its own, named as its category.
fn tracks(dataset: Dataset, source: &Source) -> Result<(Tracks, Vec<Class>), String> {
    let names = names(&dataset.categories);
    let mut masks = Gathered::new(source);
    let mut classes = Vec::new();
    for (number, annotation) in dataset.annotations.iter().enumerate() {
        let first = &dataset.annotations[0].video_id;
        if annotation.video_id != *first {
            let shown = |id: &Option<Id>| id.as_ref().map_or("none".into(), Id::to_string);
            let (id, first) = (shown(&annotation.video_id), shown(first));
            return Err(format!("annotation {number} is of the video {id}; expected one video, {first}"));
        }
        let segmentations = annotation.segmentations.as_deref().unwrap_or_default();
        if segmentations.len() != source.frames() {
            let (count, frames) = (segmentations.len(), source.frames());
            return Err(format!("annotation {number} has {count} segmentations; expected {frames}, one a frame"));
        }
        for (frame, segmentation) in segmentations.iter().enumerate() {
            if let Some(segmentation) = segmentation {
                let added = masks.add(frame, number, segmentation);
                added.map_err(|e| format!("annotation {number}, frame {frame}: {e}"))?;
            }
        }
        classes.push(Class::new(name(&names, annotation.category_id), annotation.category_id, number));
    }
    Ok(masks.finish(classes))
}

fn names(categories: &[Category]) -> HashMap<u32, &str> {
    categories.iter().map(|category| (category.id, category.name.as_str())).collect()
}

fn name(names: &HashMap<u32, &str>, id: u32) -> String {
    names.get(&id).map_or_else(|| id.to_string(), |name| (*name).into())
}

/// Finds the frame of an image, or tells which there are. With a list of images: by their file names where these are
/// those of the frames (or, for a video, their numbers), else by their place in the list. Without: an id that is the
/// name of a frame in a folder is that frame's; a number is that in the frames' names where all of these are numbers,
/// else the frame's number: from 0, or from 1 where no image is 0 and one is as large as the number of frames.
fn frames_of_images(dataset: &Dataset, source: &Source) -> Result<impl Fn(&Id) -> Result<usize, String>, String> {
    let (names, frames) = (FrameNames::of(source, ""), source.frames());
    let mut known: HashMap<Id, usize> = HashMap::new();
    let mut expected = "expected the id of one of its images".to_owned();
    if !dataset.images.is_empty() {
        let stem =
            |image: &Image| Path::new(&image.file_name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let by_name: Option<Vec<usize>> = dataset.images.iter().map(|image| names.find(&stem(image))).collect();
        let found = match by_name {
            Some(found) => found,
            None if dataset.images.len() == frames => (0..frames).collect(),
            None => {
                let image = dataset.images.iter().find(|image| names.find(&stem(image)).is_none());
                let name = image.map_or("", |image| &image.file_name);
                return Err(format!("its image {name:?} belongs to no frame ({})", names.expected));
            }
        };
        known.extend(dataset.images.iter().map(|image| image.id.clone()).zip(found));
    } else {
        known.extend((0..frames).map(|index| (Id::Text(source.stem(index)), index)));
        if let Some(numbers) = frame_numbers(source) {
            expected.clone_from(&names.expected);
            known.extend(numbers.into_iter().enumerate().map(|(index, number)| (Id::Number(number), index)));
        } else {
            let has = |number: usize| dataset.annotations.iter().any(|a| a.image_id == Some(Id::Number(number as u64)));
            let first = usize::from(has(frames) && !has(0));
            expected = format!("expected {first} to {}", first + frames - 1);
            known.extend((0..frames).map(|index| (Id::Number((first + index) as u64), index)));
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
