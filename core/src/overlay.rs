//! Drawing masks onto frames, for eyes.

use crate::{Plane, Rgb};

/// The tint of a mask where one colour is enough.
pub const MASK_COLOR: Rgb = [0, 190, 160];
/// The tint of pixels that stabilising added.
pub const ADDED_COLOR: Rgb = [60, 200, 60];
/// The tint of pixels that stabilising removed.
pub const REMOVED_COLOR: Rgb = [230, 60, 60];

/// Tints the pixels of `frame` that are in `mask` (value over 127) half with `color`, and draws the mask's
/// contour in full `color`: one pixel wide, and one more for every 480 pixels of the short side.
///
/// The frame's own border is no contour.
///
/// # Panics
/// When the sizes differ.
pub fn draw_mask(frame: &mut Plane<Rgb>, mask: &Plane<u8>, color: Rgb) {
    assert_eq!(frame.size(), mask.size(), "frame and mask must be of one size");
    let (width, height) = mask.size();
    let reach = 1 + width.min(height) / 480;
    for y in 0..height {
        let row = mask.row(y);
        let (above, below) = (mask.row(y.saturating_sub(reach)), mask.row((y + reach).min(height - 1)));
        for (x, pixel) in frame.row_mut(y).iter_mut().enumerate().filter(|&(x, _)| row[x] > 127) {
            let (left, right) = (row[x.saturating_sub(reach)], row[(x + reach).min(width - 1)]);
            let contour = left.min(right).min(above[x]).min(below[x]) <= 127;
            *pixel = if contour { color } else { mix(*pixel, color) };
        }
    }
}

/// Shows what stabilising changed: the frame in dim gray, pixels only in `after` tinted with [`ADDED_COLOR`],
/// pixels only in `before` with [`REMOVED_COLOR`]. A pixel is in a mask when its value is over 127.
///
/// # Panics
/// When the sizes differ.
pub fn draw_difference(frame: &mut Plane<Rgb>, before: &Plane<u8>, after: &Plane<u8>) {
    assert_eq!(frame.size(), before.size(), "frame and masks must be of one size");
    assert_eq!(frame.size(), after.size(), "frame and masks must be of one size");
    let luma = frame.luma();
    for (((pixel, &luma), &before), &after) in
        frame.data_mut().iter_mut().zip(luma.data()).zip(before.data()).zip(after.data())
    {
        let gray = [luma / 2; 3];
        *pixel = match (before > 127, after > 127) {
            (false, true) => mix(gray, ADDED_COLOR),
            (true, false) => mix(gray, REMOVED_COLOR),
            _ => gray,
        };
    }
}

fn mix(a: Rgb, b: Rgb) -> Rgb {
    std::array::from_fn(|c| ((u16::from(a[c]) + u16::from(b[c])).div_ceil(2)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tints_inside_draws_contour_and_leaves_the_rest() {
        let mut frame = Plane::filled(9, 7, [100, 100, 100]);
        let mask = Plane::from_fn(9, 7, |x, y| if (2..7).contains(&x) && (1..6).contains(&y) { 255 } else { 0 });
        draw_mask(&mut frame, &mask, [200, 0, 0]);
        assert_eq!(frame.get(0, 0), [100, 100, 100]);
        assert_eq!(frame.get(2, 1), [200, 0, 0]);
        assert_eq!(frame.get(4, 3), [150, 50, 50]);
    }

    #[test]
    fn a_mask_that_fills_the_frame_has_no_contour() {
        for (width, height) in [(1, 1), (5, 3)] {
            let mut frame = Plane::filled(width, height, [0, 0, 0]);
            draw_mask(&mut frame, &Plane::filled(width, height, 255), [200, 100, 0]);
            assert!(frame.data().iter().all(|&p| p == [100, 50, 0]));
        }
    }

    #[test]
    fn difference_tells_added_from_removed() {
        let mut frame = Plane::filled(3, 1, [100, 100, 100]);
        let before = Plane::from_fn(3, 1, |x, _| if x == 0 { 255 } else { 0 });
        let after = Plane::from_fn(3, 1, |x, _| if x == 1 { 255 } else { 0 });
        draw_difference(&mut frame, &before, &after);
        assert_eq!(frame.data(), [[140, 55, 55], [55, 125, 55], [50, 50, 50]]);
    }
}
