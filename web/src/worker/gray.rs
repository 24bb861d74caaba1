//! 8-bit gray PNG: how the worker keeps masks, and how it gives them out.

use std::io::Cursor;

use steadymask_core::Plane;

use super::internal;
use crate::engine::protocol::Failure;

/// The picture as a file.
pub fn write(picture: &Plane<u8>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width() as u32, picture.height() as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(picture.data()));
    written.map_err(internal)?;
    Ok(bytes)
}

/// What [`write`] wrote.
pub fn read(png: &[u8]) -> Result<Plane<u8>, png::DecodingError> {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info()?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let mut pixels = Plane::filled(width, height, 0);
    reader.next_frame(pixels.data_mut())?;
    Ok(pixels)
}
