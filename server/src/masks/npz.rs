//! NPY and NPZ of NumPy: arrays of masks, probabilities or labels.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use npyz::{DType, Endianness, NpyFile, NpyHeader, Order, TypeChar, WriteOptions, WriterBuilder};
use steadymask_core::Plane;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{Class, FrameMasks, FrameNames, Planes, Sink, check_classes, equal};
use crate::{Error, Result, error::name_of, picture::partial, source::Source};

/// The longest header of an array, in bytes. NumPy's own are of 128; its limit is 10,000.
const MAX_HEADER: usize = 10_000;
/// The most values a frame may have, all classes together.
const MAX_VALUES: u64 = 1 << 28;
/// The largest array of class names, in bytes.
const MAX_NAMES: u64 = 1 << 20;
/// The array of class names.
const NAMES: &str = "classes";
/// The array that is preferred where there are several.
const PROBABILITIES: &str = "probabilities";
/// The array whose values are labels.
const LABELS: &str = "labels";

/// Arrays in a file, all checked: every value was read once.
pub struct Arrays {
    path: PathBuf,
    arrays: Vec<Array>,
    layout: Layout,
    frames: usize,
    /// Width and height.
    size: (usize, usize),
}

enum Layout {
    /// An array `[height, width]` a frame.
    ByFrame,
    /// An array `[frames, height, width]` a class.
    ByClass,
    /// One array `[frames, classes, height, width]`, of so many classes.
    Stack(usize),
    /// One array `[frames, height, width]` of labels: those of the classes.
    Labels(Vec<u8>),
}

/// What a file holds, before it is known what the arrays are to each other.
pub struct Archive {
    arrays: Vec<Array>,
    names: Option<Vec<String>>,
}

/// An array and where its values are.
#[derive(Clone)]
struct Array {
    name: String,
    shape: Vec<usize>,
    element: Element,
    /// Of the (compressed) array in the file.
    start: u64,
    length: u64,
    deflated: bool,
    /// From the array's start to its first value.
    header: u64,
    /// Whether the integers are only 0 and 1.
    binary: bool,
}

#[derive(Clone, Copy)]
struct Element {
    kind: Kind,
    /// 1, 2, 4 or 8.
    bytes: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
}

/// Whether something is wrong with an array, in words that follow its name.
type Checked<T> = Result<T, String>;

impl Archive {
    /// An NPY file.
    pub fn open_one(path: &Path) -> Result<Self> {
        let (length, mut reader) = opened(path)?;
        let refuse = |detail| Error::Masks { name: name_of(path), detail };
        let place = Place { name: "array".into(), start: 0, length, deflated: false, declared: length };
        let array = Array::read(place, &mut reader).map_err(refuse)?;
        Ok(Self { arrays: vec![array], names: None })
    }

    /// An NPZ file.
    pub fn open(path: &Path) -> Result<Self> {
        let refuse = |detail| Error::Masks { name: name_of(path), detail };
        let zip = |e: zip::result::ZipError| refuse(e.to_string());
        let mut archive = ZipArchive::new(opened(path)?.1).map_err(zip)?;
        let (mut arrays, mut names) = (Vec::new(), None);
        for number in 0..archive.len() {
            let mut entry = archive.by_index(number).map_err(zip)?;
            let file = entry.name().map_err(zip)?.into_owned();
            let Some(name) = npyz::npz::array_name_from_file_name(&file) else { continue };
            let in_array = |detail: String| refuse(format!("array {name:?}: {detail}"));
            if name == NAMES {
                names = Some(class_names(entry.size(), &mut entry).map_err(in_array)?);
                continue;
            }
            let place = Place {
                name: name.into(),
                start: entry.data_start().ok_or_else(|| in_array("its place in the file is not known".into()))?,
                length: entry.compressed_size(),
                deflated: match entry.compression() {
                    CompressionMethod::Stored => false,
                    CompressionMethod::Deflated => true,
                    other => return Err(in_array(format!("it is compressed by {other}; expected deflate or none"))),
                },
                declared: entry.size(),
            };
            arrays.push(Array::read(place, &mut entry).map_err(in_array)?);
        }
        if let Some(preferred) = arrays.iter().position(|array| array.name == PROBABILITIES) {
            arrays = vec![arrays.swap_remove(preferred)];
        }
        Ok(Self { arrays, names })
    }

    /// How many frames there are.
    pub fn frames(&self) -> Option<usize> {
        let first = self.arrays.first()?;
        Some(if first.shape.len() == 2 { self.arrays.len() } else { first.shape[0] })
    }
}

impl Arrays {
    /// Finds out what the arrays of the file `path` are to each other, and to the frames of `source`.
    pub fn of(archive: &Archive, path: &Path, source: &Source) -> Result<(Self, Vec<Class>)> {
        arranged(path, archive.arrays.clone(), archive.names.as_deref(), source)
    }

    pub fn read(&self, chosen: &[usize]) -> Result<Planes<'_>> {
        let chosen = chosen.to_vec();
        let (width, height) = self.size;
        let plane = move |values: &[u8]| Ok(Plane::from_vec(width, height, values.to_vec())?);
        let pixels = width * height;
        Ok(match &self.layout {
            Layout::ByFrame => Box::new(
                self.arrays
                    .iter()
                    .map(move |array| plane(&array.values(&self.path)?.next_frame(pixels)?).map(|plane| vec![plane])),
            ),
            Layout::ByClass => {
                let open = |&class: &usize| self.arrays[class].values(&self.path);
                let mut readers = chosen.iter().map(open).collect::<Result<Vec<_>>>()?;
                Box::new(
                    (0..self.frames)
                        .map(move |_| readers.iter_mut().map(|reader| plane(&reader.next_frame(pixels)?)).collect()),
                )
            }
            Layout::Stack(classes) => {
                let mut reader = self.arrays[0].values(&self.path)?;
                Box::new((0..self.frames).map(move |_| {
                    let values = reader.next_frame(classes * pixels)?;
                    chosen.iter().map(|&class| plane(&values[class * pixels..][..pixels])).collect()
                }))
            }
            Layout::Labels(labels) => {
                let mut reader = self.arrays[0].values(&self.path)?;
                Box::new((0..self.frames).map(move |_| {
                    let values = plane(&reader.next_frame(pixels)?)?;
                    Ok(chosen.iter().map(|&class| equal(&values, labels[class])).collect())
                }))
            }
        })
    }
}

fn opened(path: &Path) -> Result<(u64, BufReader<File>)> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    Ok((length, BufReader::new(file)))
}

fn class_names(declared: u64, reader: impl Read) -> Checked<Vec<String>> {
    if declared > MAX_NAMES {
        return Err(format!("it has {declared} bytes; expected class names of at most {MAX_NAMES}"));
    }
    let names = NpyFile::new(Cursor::new(read_all(reader)?)).and_then(NpyFile::into_vec::<String>);
    names.map_err(|e| format!("it holds no class names ({e})"))
}

fn read_all(reader: impl Read) -> Checked<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_NAMES).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

fn arranged(
    path: &Path,
    mut arrays: Vec<Array>,
    names: Option<&[String]>,
    source: &Source,
) -> Result<(Arrays, Vec<Class>)> {
    let refuse = |detail: String| Error::Masks { name: name_of(path), detail };
    let frames = source.frames();
    let single = arrays.len() == 1;
    let Some(first) = arrays.first() else { return Err(refuse("it holds no array".into())) };
    let dimensions = first.shape.len();
    if let Some(other) = arrays.iter().find(|array| array.shape != first.shape) {
        return Err(refuse(format!(
            "array {:?} is {}, but {:?} is {}; expected arrays of one shape",
            other.name,
            shown(&other.shape),
            first.name,
            shown(&first.shape)
        )));
    }
    let layout = match dimensions {
        2 if single && frames == 1 => Layout::ByFrame,
        2 if !single => {
            arrays = in_order(path, arrays, source)?;
            Layout::ByFrame
        }
        3 if single && first.name == LABELS => {
            let labels = find_labels(path, first)?;
            if labels.is_empty() { Layout::ByClass } else { Layout::Labels(labels) }
        }
        3 => Layout::ByClass,
        4 if single => Layout::Stack(first.shape[1]),
        _ => {
            return Err(refuse(format!(
                "array {:?} is {}; expected one array [frames, height, width] or [frames, classes, height, width], \
                 an array [frames, height, width] for each class, or an array [height, width] for each frame",
                first.name,
                shown(&first.shape)
            )));
        }
    };
    let first = &arrays[0];
    if dimensions > 2 && first.shape[0] != frames {
        return Err(refuse(format!(
            "array {:?} is {}: {} frames; expected {frames}, as the clip has",
            first.name,
            shown(&first.shape),
            first.shape[0]
        )));
    }
    let count = match &layout {
        Layout::ByFrame => 1,
        Layout::ByClass => arrays.len(),
        Layout::Stack(classes) => *classes,
        Layout::Labels(labels) => labels.len(),
    };
    check_classes(&name_of(path), count)?;
    // Labels are numbers of classes: their names are found by number.
    let named = match &layout {
        Layout::Labels(labels) => labels.iter().map(|&label| usize::from(label)).max().unwrap_or(0),
        _ => count,
    };
    if let Some(names) = names.filter(|names| names.len() < named) {
        return Err(refuse(format!("array {NAMES:?} has {} names; expected {named}", names.len())));
    }
    let name = |number: usize| names.map_or_else(|| number.to_string(), |names| names[number - 1].clone());
    let classes = match &layout {
        _ if count == 1 && names.is_none() => Class::only(),
        Layout::ByClass if names.is_none() => {
            let class = |(place, array): (usize, &Array)| Class::new(&array.name, place as u32 + 1, place);
            arrays.iter().enumerate().map(class).collect()
        }
        Layout::Labels(labels) => {
            let class = |&label: &u8| Class::new(name(label.into()), label.into(), usize::from(label) - 1);
            labels.iter().map(class).collect()
        }
        _ => (0..count).map(|place| Class::new(name(place + 1), place as u32 + 1, place)).collect(),
    };
    let size = (first.shape[dimensions - 1], first.shape[dimensions - 2]);
    Ok((Arrays { path: path.to_path_buf(), arrays, layout, frames, size }, classes))
}

/// The arrays of single frames in the order of the frames: by the frame's name, or by the number at the end of the
/// array's, which counts frames from 0.
fn in_order(path: &Path, arrays: Vec<Array>, source: &Source) -> Result<Vec<Array>> {
    let names = FrameNames::of(source, "");
    let number = |name: &str| {
        let digits = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        name[digits..].parse().ok().filter(|&frame: &usize| frame < source.frames())
    };
    let (mut found, mut surplus): (Vec<Option<Array>>, _) = ((0..source.frames()).map(|_| None).collect(), None);
    for array in arrays {
        let frame = names.find(&array.name).or_else(|| number(&array.name));
        match frame.map(|frame| &mut found[frame]) {
            Some(place @ None) => *place = Some(array),
            _ => surplus = surplus.or(Some(array)),
        }
    }
    let folder = name_of(path);
    let missing =
        |frame| Error::MaskMissing { name: source.stem(frame), folder: folder.clone(), frames: source.frames() };
    let arrays = found.into_iter().enumerate().map(|(frame, array)| array.ok_or_else(|| missing(frame)));
    let arrays = arrays.collect::<Result<_>>()?;
    match surplus {
        None => Ok(arrays),
        Some(array) => Err(Error::MaskSurplus { name: array.name, folder, expected: names.expected }),
    }
}

/// The labels that occur in an array, less 0.
fn find_labels(path: &Path, array: &Array) -> Result<Vec<u8>> {
    let mut present = [false; 256];
    let mut values = array.values(path)?;
    for _ in 0..array.shape[0] {
        for label in values.next_frame(array.shape[1] * array.shape[2])? {
            present[usize::from(label)] = true;
        }
    }
    Ok((1..=255).filter(|&label| present[usize::from(label)]).collect())
}

fn shown(shape: &[usize]) -> String {
    let sides: Vec<_> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", sides.join(", "))
}

/// What the archive says of an array.
struct Place {
    name: String,
    start: u64,
    length: u64,
    deflated: bool,
    /// Its length, header and all, without compression.
    declared: u64,
}

impl Array {
    /// Reads the header and checks every value; the reader's own checksum is checked at its end.
    fn read(place: Place, mut reader: impl Read) -> Checked<Self> {
        let Place { name, start, length, deflated, declared } = place;
        let (header, npy) = read_header(&mut reader)?;
        let shape = npy.shape();
        if !(2..=4).contains(&shape.len()) {
            return Err(format!("it has {} dimensions; expected 2 to 4", shape.len()));
        }
        let max = Plane::<u8>::MAX_SIDE as u64;
        let [.., rows, columns] = *shape else { unreachable!("there are 2 to 4") };
        if !(1..=max).contains(&rows) || !(1..=max).contains(&columns) {
            return Err(format!("its pictures are {columns}×{rows}; expected 1 to {max} pixels a side"));
        }
        let classes = if shape.len() == 4 { shape[1] } else { 1 };
        if classes == 0 || classes > MAX_VALUES / (rows * columns) {
            return Err(format!(
                "a frame has {classes} classes of {columns}×{rows}; expected 1 to {} at this size ({MAX_VALUES} values)",
                MAX_VALUES / (rows * columns)
            ));
        }
        let element = Element::of(&npy.dtype())?;
        if npy.order() == Order::Fortran {
            return Err("its order is Fortran's; expected C's, as numpy.ascontiguousarray gives".into());
        }
        let frame = classes * rows * columns;
        let frames = if shape.len() > 2 { shape[0] } else { 1 };
        let expected = frames.checked_mul(frame * element.bytes as u64).and_then(|values| values.checked_add(header));
        if expected != Some(declared) {
            let expected = expected.map_or("more than 2^64".into(), |bytes| bytes.to_string());
            return Err(format!("it has {declared} bytes; expected {expected}, as its header says"));
        }
        // They fit: each is at most what the file declares, or was held against a limit.
        let shape = shape.iter().map(|&side| side as usize).collect();
        let mut array = Self { name, shape, element, start, length, deflated, header, binary: false };
        let mut highest = 0;
        for number in 0..frames {
            let values = array.frame(&mut reader, frame as usize).map_err(|e| format!("frame {number}: {e}"))?;
            highest = highest.max(values.iter().copied().max().unwrap_or(0));
        }
        io::copy(&mut reader, &mut io::sink()).map_err(|e| e.to_string())?;
        array.binary = highest == 1 && element.is_integer() && array.name != LABELS;
        Ok(array)
    }

    /// The values from the first on.
    fn values(&self, path: &Path) -> Result<Values<'_>> {
        let (_, mut file) = opened(path)?;
        file.seek(SeekFrom::Start(self.start)).map_err(Error::io("read", path))?;
        let stored = file.take(self.length);
        let mut reader: Box<dyn Read + Send> =
            if self.deflated { Box::new(BufReader::new(DeflateDecoder::new(stored))) } else { Box::new(stored) };
        let skipped = io::copy(&mut (&mut reader).take(self.header), &mut io::sink());
        skipped.map_err(Error::io("read", path))?;
        Ok(Values { array: self, name: name_of(path), reader })
    }

    /// The next `count` values of `reader`.
    fn frame(&self, reader: &mut impl Read, count: usize) -> Checked<Vec<u8>> {
        let mut bytes = vec![0; count * self.element.bytes];
        reader.read_exact(&mut bytes).map_err(|e| e.to_string())?;
        let mut values = self.element.levels(bytes).map_err(|(index, value, allowed)| {
            let width = self.shape[self.shape.len() - 1];
            let height = self.shape[self.shape.len() - 2];
            let (x, y) = (index % width, index / width % height);
            format!("the value at ({x}, {y}) is {value}; expected {allowed}")
        })?;
        if self.binary {
            values.iter_mut().for_each(|v| *v *= 255);
        }
        Ok(values)
    }
}

/// An array's values, a frame at a time.
struct Values<'a> {
    array: &'a Array,
    name: String,
    reader: Box<dyn Read + Send>,
}

impl Values<'_> {
    fn next_frame(&mut self, count: usize) -> Result<Vec<u8>> {
        let frame = self.array.frame(&mut self.reader, count);
        frame.map_err(|e| Error::Masks { name: self.name.clone(), detail: format!("array {:?}: {e}", self.array.name) })
    }
}

/// The header and its length in bytes, of which no more is read than is allowed.
fn read_header(reader: &mut impl Read) -> Checked<(u64, NpyHeader)> {
    let mut start = vec![0; 8];
    reader.read_exact(&mut start).map_err(|_| "it is cut off in its header".to_owned())?;
    let of_length = if start[6] == 1 { 2 } else { 4 };
    start.resize(8 + of_length, 0);
    reader.read_exact(&mut start[8..]).map_err(|_| "it is cut off in its header".to_owned())?;
    let length = start[8..].iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > MAX_HEADER {
        return Err(format!("its header has {length} bytes; expected at most {MAX_HEADER}"));
    }
    let before = start.len();
    start.resize(before + length, 0);
    reader.read_exact(&mut start[before..]).map_err(|_| "it is cut off in its header".to_owned())?;
    let header = NpyHeader::from_reader(start.as_slice()).map_err(|e| {
        // What was parsed is in the lines below.
        let reason = e.to_string();
        format!("its header cannot be read ({})", reason.lines().next().unwrap_or_default().trim_end())
    })?;
    Ok((start.len() as u64, header))
}

impl Element {
    fn of(dtype: &DType) -> Checked<Self> {
        let refused =
            || format!("its type is {}; expected bool, an integer, float16, float32 or float64", dtype.descr());
        let DType::Plain(of) = dtype else { return Err(refused()) };
        let kind = match of.type_char() {
            TypeChar::Bool => Kind::Bool,
            TypeChar::Uint => Kind::Unsigned,
            TypeChar::Int => Kind::Signed,
            TypeChar::Float => Kind::Float,
            _ => return Err(refused()),
        };
        let bytes = of.num_bytes().unwrap_or(0);
        let known = match kind {
            Kind::Bool => bytes == 1,
            Kind::Float => [2, 4, 8].contains(&bytes),
            _ => [1, 2, 4, 8].contains(&bytes),
        };
        if !known {
            return Err(refused());
        }
        Ok(Self { kind, bytes, big_endian: of.endianness() == Endianness::Big })
    }

    fn is_integer(self) -> bool {
        matches!(self.kind, Kind::Unsigned | Kind::Signed)
    }

    /// Levels from 0 to 255; or where a value is out of its range, which, and the range.
    fn levels(self, bytes: Vec<u8>) -> Result<Vec<u8>, (usize, String, &'static str)> {
        match (self.kind, self.bytes) {
            (Kind::Unsigned, 1) => return Ok(bytes),
            (Kind::Bool, _) => {
                if let Some(at) = bytes.iter().position(|&v| v > 1) {
                    return Err((at, bytes[at].to_string(), "0 or 1"));
                }
                return Ok(bytes.into_iter().map(|v| 255 * v).collect());
            }
            _ => {}
        }
        let values = bytes.chunks_exact(self.bytes).enumerate().map(|(index, value)| {
            let mut little = [0; 8];
            little[..self.bytes].copy_from_slice(value);
            if self.big_endian {
                little[..self.bytes].reverse();
            }
            let bits = u64::from_le_bytes(little);
            let float = match (self.kind, self.bytes) {
                (Kind::Float, 2) => half::f16::from_bits(bits as u16).to_f64(),
                (Kind::Float, 4) => f32::from_bits(bits as u32).into(),
                (Kind::Float, _) => f64::from_bits(bits),
                (kind, bytes) => {
                    let unused = 64 - 8 * bytes as u32;
                    let signed = (bits << unused) as i64 >> unused;
                    let value = if kind == Kind::Signed { i128::from(signed) } else { i128::from(bits) };
                    return u8::try_from(value).map_err(|_| (index, value.to_string(), "0 to 255"));
                }
            };
            if !(0.0..=1.0).contains(&float) {
                return Err((index, float.to_string(), "0 to 1"));
            }
            Ok((float * 255.0).round() as u8)
        });
        values.collect()
    }
}

/// `probabilities` [frames, classes, height, width] and `labels` [frames, height, width], both u8, and the names
/// `classes`. An array's header comes first and tells the number of frames, which only the end of the clip does: so
/// the values wait in files beside, compressed.
pub struct ArraySink {
    path: PathBuf,
    names: Vec<String>,
    size: (usize, usize),
    frames: u64,
    probabilities: Spool,
    labels: Spool,
}

impl ArraySink {
    pub fn create(path: &Path, classes: &[Class], size: (usize, usize)) -> Result<Self> {
        let names = classes.iter().map(|class| class.name.clone()).collect();
        let spool = |name| Spool::create(partial(&path.with_extension(name)));
        let (probabilities, labels) = (spool(PROBABILITIES)?, spool(LABELS)?);
        Ok(Self { path: path.to_path_buf(), names, size, frames: 0, probabilities, labels })
    }
}

impl Sink for ArraySink {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        self.frames += 1;
        frame.probabilities.iter().try_for_each(|plane| self.probabilities.write(plane.data()))?;
        self.labels.write(frame.labels.data())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { path, names, size: (width, height), frames, probabilities, labels } = *self;
        let (width, height, classes) = (width as u64, height as u64, names.len() as u64);
        // The archive takes its place among the files that are removed unless it gets its name.
        let archive = Temporary(partial(&path));
        let file = File::create(&archive.0).map_err(Error::io("create", &archive.0))?;
        let mut zip = ZipWriter::new(BufWriter::new(file));
        let written = (|| {
            let level = Some(Compression::fast().level().into());
            let options = SimpleFileOptions::default().compression_level(level).large_file(true);
            let bytes = "|u1".parse().map(DType::new_scalar).map_err(io::Error::other)?;
            let shapes = [vec![frames, classes, height, width], vec![frames, height, width]];
            for ((name, mut spool), shape) in [(PROBABILITIES, probabilities), (LABELS, labels)].into_iter().zip(shapes)
            {
                zip.start_file(npyz::npz::file_name_from_array_name(name), options)?;
                let header = WriteOptions::new_header_only().dtype(bytes.clone()).shape(&shape);
                header.writer(&mut zip).write_header_only()?;
                io::copy(&mut spool.read()?, &mut zip)?;
            }
            zip.start_file(npyz::npz::file_name_from_array_name(NAMES), options)?;
            let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(1);
            let text = format!("<U{longest}").parse().map(DType::new_scalar).map_err(io::Error::other)?;
            let mut array = WriteOptions::new().dtype(text).shape(&[classes]).writer(&mut zip).begin_nd()?;
            array.extend(names)?;
            array.finish()?;
            zip.finish()?.flush()
        })();
        written.map_err(Error::io("write", &path))?;
        std::fs::rename(&archive.0, &path).map_err(Error::io("write", &path))
    }
}

/// A file that is removed when this is dropped, if it is still there.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Bytes that wait in a file, compressed.
struct Spool {
    encoder: DeflateEncoder<BufWriter<File>>,
    file: Temporary,
}

impl Spool {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let encoder = DeflateEncoder::new(BufWriter::new(file), Compression::fast());
        Ok(Self { encoder, file: Temporary(path) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.encoder.write_all(bytes).map_err(Error::io("write", &self.file.0))
    }

    fn read(&mut self) -> io::Result<impl Read> {
        self.encoder.try_finish()?;
        self.encoder.get_mut().flush()?;
        Ok(DeflateDecoder::new(BufReader::new(File::open(&self.file.0)?)))
    }
}
