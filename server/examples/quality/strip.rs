//! Pictures of masks: a strip of frames for people to look at.

use steadymask_core::{BitMask, Plane, Rgb, overlay, resize};
use steadymask_server::picture;

use crate::clip::{Kept, Sequence};

const COLUMNS: usize = 5;
/// Size of one frame in the strip, in pixels.
const CELL: (usize, usize) = (240, 135);
/// White between the frames, in pixels.
const GAP: usize = 4;
const COLORS: [Rgb; 3] = [[230, 110, 40], overlay::MASK_COLOR, [240, 215, 60]];

/// A JPEG of frames spread evenly over the clip, from left to right: raw masks above, steady ones below them, then the
/// truth.
pub fn jpeg(sequence: &Sequence, kept: &Kept) -> anyhow::Result<Vec<u8>> {
    let (width, height) = (COLUMNS * (CELL.0 + GAP) - GAP, COLORS.len() * (CELL.1 + GAP) - GAP);
    let mut strip = Plane::filled(width, height, [255; 3]);
    for column in 0..COLUMNS {
        let index = (2 * column + 1) * sequence.frames() / (2 * COLUMNS);
        let frame = sequence.frame(index)?;
        let truth = sequence.truth(index)?;
        for (row, (mask, color)) in [&kept.raw[index], &kept.steady[index], &truth].into_iter().zip(COLORS).enumerate()
        {
            let cell = cell(frame.clone(), mask, color);
            for y in 0..CELL.1 {
                let left = column * (CELL.0 + GAP);
                strip.row_mut(row * (CELL.1 + GAP) + y)[left..left + CELL.0].copy_from_slice(cell.row(y));
            }
        }
    }
    Ok(picture::jpeg(&strip)?)
}

fn cell(mut frame: Plane<Rgb>, mask: &BitMask, color: Rgb) -> Plane<Rgb> {
    overlay::draw_mask(&mut frame, &mask.to_plane(), color);
    resize::area_rgb(&frame, CELL.0, CELL.1)
}
