//! Pictures and masks as files.

use std::io::Cursor;

use image::{ImageReader, Limits};
use steadymask_core::{Plane, Rgb};

/// Most pixels along a side.
const LONGEST: u32 = 16_384;

/// The colours of a JPEG or PNG file. Why not, in words.
pub(super) fn decode(bytes: &[u8]) -> Result<Plane<Rgb>, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    reader.limits(limits);
    let image = reader.decode().map_err(|e| e.to_string())?.into_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.into_raw().as_chunks::<3>().0.to_vec();
    Plane::from_vec(width, height, pixels).map_err(|e| e.to_string())
}

/// The class of each pixel of a gray or palette PNG of up to 8 bits. Why not, in words.
pub(super) fn decode_labels(bytes: &[u8]) -> Result<Plane<u8>, String> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 1 << 28 });
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|e| e.to_string())?;
    let info = reader.info();
    let (width, height, depth) = (info.width as usize, info.height as usize, info.bit_depth as usize);
    if !matches!(info.color_type, png::ColorType::Grayscale | png::ColorType::Indexed) || depth > 8 {
        return Err(format!(
            "a mask of {:?} with {depth} bits (expected class numbers: gray or palette of up to 8 bits)",
            info.color_type
        ));
    }
    let length = reader.output_buffer_size().ok_or("it is too large")?;
    let mut packed = vec![0; length];
    let frame = reader.next_frame(&mut packed).map_err(|e| e.to_string())?;
    let (line, mask) = (frame.line_size, (1u16 << depth) - 1);
    // Several pixels share a byte where they have fewer bits; the first has the highest ones.
    let class = |x: usize, y: usize| {
        let bit = x * depth;
        (u16::from(packed[y * line + bit / 8]) >> (8 - depth - bit % 8) & mask) as u8
    };
    Ok(Plane::from_fn(width, height, class))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(color: png::ColorType, depth: png::BitDepth, size: (u32, u32), bytes: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            encoder
                .set_palette((0..=255u8).flat_map(|i| [i, 255 - i, 7]).take(3 << depth as usize).collect::<Vec<_>>());
        }
        let mut writer = encoder.write_header().expect("memory");
        writer.write_image_data(bytes).expect("memory");
        drop(writer);
        file
    }

    #[test]
    fn masks_are_class_numbers_whatever_their_palette() {
        let indexed = png(png::ColorType::Indexed, png::BitDepth::Eight, (3, 2), &[0, 1, 15, 255, 20, 7]);
        assert_eq!(decode_labels(&indexed).expect("a mask").data(), [0, 1, 15, 255, 20, 7]);
        let gray = png(png::ColorType::Grayscale, png::BitDepth::Eight, (2, 1), &[3, 255]);
        assert_eq!(decode_labels(&gray).expect("a mask").data(), [3, 255]);
        let bits = png(png::ColorType::Grayscale, png::BitDepth::One, (10, 1), &[0b1010_0000, 0b0100_0000]);
        assert_eq!(decode_labels(&bits).expect("a mask").data(), [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
        let quarters = png(png::ColorType::Indexed, png::BitDepth::Two, (3, 1), &[0b1101_1000]);
        assert_eq!(decode_labels(&quarters).expect("a mask").data(), [3, 1, 2]);
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        let colors = png(png::ColorType::Rgb, png::BitDepth::Eight, (1, 1), &[1, 2, 3]);
        let reason = decode_labels(&colors).expect_err("colours");
        assert_eq!(reason, "a mask of Rgb with 8 bits (expected class numbers: gray or palette of up to 8 bits)");
        assert!(decode_labels(b"nonsense").is_err());
        assert!(decode(b"nonsense").is_err());
    }
}
