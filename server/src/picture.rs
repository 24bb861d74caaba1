//! Pictures on disk: frames in, masks in and out.

use std::{
    io::{BufRead, BufReader, Cursor, Seek, Write},
    path::{Path, PathBuf},
};

use image::{DynamicImage, ImageDecoder, ImageReader};
use steadymask_core::{Plane, Rgb};

use crate::{Error, Result, error::name_of};

/// The files in `folder` with one of these endings (in any case), sorted by name. Hidden files are left out.
///
/// # Errors
/// [`Error::Io`].
pub fn files_in(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if endings.contains(&ending.as_str()) && !name_of(&path).starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A PNG or JPEG as RGB, turned as its EXIF data asks; transparency is dropped.
///
/// # Errors
/// [`Error::Io`] and [`Error::Picture`].
pub fn read_rgb(path: &Path) -> Result<Plane<Rgb>> {
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(Error::io("read", path))?;
    decode(reader, &name_of(path))
}

/// The same of a file that came over the network, by its name.
///
/// # Errors
/// [`Error::Picture`].
pub fn rgb_of(bytes: &[u8], name: &str) -> Result<Plane<Rgb>> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    decode(reader.map_err(|e| Error::Picture { name: name.into(), detail: e.to_string() })?, name)
}

fn decode(reader: ImageReader<impl BufRead + Seek>, name: &str) -> Result<Plane<Rgb>> {
    let unreadable = |e: image::ImageError| Error::Picture { name: name.into(), detail: e.to_string() };
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    // Before memory is taken for it.
    if width.max(height) as usize > Plane::<Rgb>::MAX_SIDE {
        return Err(steadymask_core::Error::Size { width: width as usize, height: height as usize }.into());
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    let picture = picture.into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Plane::from_rgb_bytes(width as usize, height as usize, picture.as_raw())?)
}

/// A mask or a picture of probabilities, 0–255: gray PNG of any depth, where white stands for 255, or a palette
/// PNG (as DAVIS has them), where any colour but the first stands for the object.
///
/// # Errors
/// [`Error::Io`]; [`Error::Picture`] for a damaged file and for one with colours or transparency.
pub fn read_mask(path: &Path) -> Result<Plane<u8>> {
    let (picture, palette) = read_plane(path)?;
    Ok(if palette.is_some() { picture.map(|&index| if index == 0 { 0 } else { 255 }) } else { picture })
}

/// The indices of a palette PNG, and its palette.
///
/// # Errors
/// As [`read_mask`]; [`Error::Picture`] for a PNG without a palette.
pub fn read_labels(path: &Path) -> Result<(Plane<u8>, Vec<Rgb>)> {
    let (labels, palette) = read_plane(path)?;
    let none = || Error::Picture { name: name_of(path), detail: "it has no palette".into() };
    Ok((labels, palette.ok_or_else(none)?))
}

/// What kind of pixels a PNG has, by its header alone.
///
/// # Errors
/// [`Error::Io`]; [`Error::Picture`] for what does not begin as a PNG.
pub fn png_kind(path: &Path) -> Result<png::ColorType> {
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    let info = decoder.read_header_info();
    info.map(|info| info.color_type).map_err(|e| Error::Picture { name: name_of(path), detail: e.to_string() })
}

/// A gray PNG as 8-bit levels, or a palette PNG as indices, with its palette.
fn read_plane(path: &Path) -> Result<(Plane<u8>, Option<Vec<Rgb>>)> {
    let refuse = |detail: String| Error::Picture { name: name_of(path), detail };
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    let info = decoder.read_header_info().map_err(|e| refuse(e.to_string()))?;
    let (palette, depth) = (info.color_type == png::ColorType::Indexed, info.bit_depth as u8);
    // Without any transformation a palette PNG gives its indices, several to the byte where they are small.
    decoder.set_transformations(if palette {
        png::Transformations::IDENTITY
    } else {
        png::Transformations::EXPAND | png::Transformations::STRIP_16
    });
    let mut reader = decoder.read_info().map_err(|e| refuse(e.to_string()))?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    // Before memory is taken for it.
    if width.max(height) > Plane::<u8>::MAX_SIDE {
        return Err(steadymask_core::Error::Size { width, height }.into());
    }
    let (color, _) = reader.output_color_type();
    if !palette && color != png::ColorType::Grayscale {
        return Err(refuse(format!("it is {color:?}; a mask is a gray or palette PNG without transparency")));
    }
    let length = reader.output_buffer_size().ok_or_else(|| refuse("it is too large".into()))?;
    let mut bytes = vec![0; length];
    let frame = reader.next_frame(&mut bytes).map_err(|e| refuse(e.to_string()))?;
    let colors = palette.then(|| reader.info().palette.as_deref().unwrap_or_default().as_chunks::<3>().0.to_vec());
    if palette && width > 0 {
        bytes = bytes.chunks_exact(frame.line_size).flat_map(|line| indices(line, depth).take(width)).collect();
    }
    Ok((Plane::from_vec(width, height, bytes)?, colors))
}

/// The palette indices in a row of `depth` bits each, the first in the highest bits.
fn indices(line: &[u8], depth: u8) -> impl Iterator<Item = u8> {
    line.iter().flat_map(move |&byte| (0..8 / depth).map(move |i| byte << (i * depth) >> (8 - depth)))
}

/// Writes an 8-bit gray PNG; it appears whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_gray(path: &Path, picture: &Plane<u8>) -> Result<()> {
    write_whole(path, &gray_png(picture))
}

/// The bytes of an 8-bit gray PNG.
pub fn gray_png(picture: &Plane<u8>) -> Vec<u8> {
    png_bytes(picture.size(), png::ColorType::Grayscale, png::BitDepth::Eight, &[], picture.data())
}

/// Writes a black and white PNG of 1 bit a pixel, white where the value is over 127; whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_bits(path: &Path, mask: &Plane<u8>) -> Result<()> {
    let pack = |pixels: &[u8]| pixels.iter().enumerate().fold(0, |byte, (i, &v)| byte | (v >> 7) << (7 - i));
    let rows = mask.data().chunks_exact(mask.width());
    let bytes: Vec<u8> = rows.flat_map(|row| row.chunks(8).map(pack)).collect();
    write_whole(path, &png_bytes(mask.size(), png::ColorType::Grayscale, png::BitDepth::One, &[], &bytes))
}

/// Writes a PNG of 8-bit indices into `palette`; whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_labels(path: &Path, labels: &Plane<u8>, palette: &[Rgb; 256]) -> Result<()> {
    let palette = palette.as_flattened();
    write_whole(path, &png_bytes(labels.size(), png::ColorType::Indexed, png::BitDepth::Eight, palette, labels.data()))
}

/// Writes an 8-bit RGB PNG; whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_rgb(path: &Path, picture: &Plane<Rgb>) -> Result<()> {
    write_whole(path, &png_bytes(picture.size(), png::ColorType::Rgb, png::BitDepth::Eight, &[], picture.as_bytes()))
}

/// The bytes of a PNG, its rows in `data` filled up to whole bytes.
fn png_bytes(
    (width, height): (usize, usize),
    color: png::ColorType,
    depth: png::BitDepth,
    palette: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 << 14);
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(data));
    written.expect("memory takes any number of bytes, and a plane's length is its size");
    bytes
}

/// The frame as JPEG bytes, for a page to show.
///
/// # Errors
/// [`Error::Picture`] when it is too large for JPEG.
pub fn jpeg(frame: &Plane<Rgb>) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder
        .encode(frame.as_bytes(), frame.width() as u32, frame.height() as u32, image::ExtendedColorType::Rgb8)
        .map_err(|e| Error::Picture { name: "frame".into(), detail: e.to_string() })?;
    Ok(bytes.into_inner())
}

/// Writes a file beside its final name first, so that a reader never sees half of it.
///
/// # Errors
/// [`Error::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = partial(path);
    let written = std::fs::File::create(&partial)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|e| {
        // The write's own error is the one to tell.
        let _ = std::fs::remove_file(&partial);
        Error::io("write", path)(e)
    })
}

/// What a file is called until it is whole.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}
