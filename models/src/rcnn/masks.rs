//! Masks of objects: from features to probabilities on an object's area, and from there onto a frame.

use steadymask_core::Plane;

use super::boxes::Area;
use crate::{
    cpu::Map,
    input::taps,
    net::{
        Conv,
        mask_rcnn::{MASK_CHANNELS, MASK_SCALE, MASK_SIDE},
    },
    output::exp,
};

/// Places along a side of a mask.
const SIDE: usize = MASK_SCALE * MASK_SIDE;

/// The masks' last layer, of which only an object's own class is needed.
#[derive(Debug)]
pub(super) struct Predictor {
    /// `[classes, MASK_CHANNELS]`
    weights: Vec<f32>,
    /// `[classes]`
    bias: Vec<f32>,
}

impl Predictor {
    pub(super) fn new(conv: &Conv) -> Self {
        Self { weights: conv.weight.clone(), bias: conv.bias.clone() }
    }

    /// The probability of `class` at each place of the mask of the picture `index` of `features`, in which the places lie
    /// four by four on one: see [`Heads`](crate::net::mask_rcnn::Heads).
    pub(super) fn mask(&self, features: &Map, index: usize, class: usize) -> Plane<f32> {
        let weights = &self.weights[class * MASK_CHANNELS..][..MASK_CHANNELS];
        let first = index * MASK_SIDE * MASK_SIDE;
        Plane::from_fn(SIDE, SIDE, |x, y| {
            let place = features.at(first + y / MASK_SCALE * MASK_SIDE + x / MASK_SCALE);
            let within = y % MASK_SCALE * MASK_SCALE + x % MASK_SCALE;
            let channels = &place[within * MASK_CHANNELS..][..MASK_CHANNELS];
            let logit =
                channels.iter().zip(weights).fold(self.bias[class], |sum, (value, weight)| sum + value * weight);
            let small = exp(-logit.abs());
            if logit < 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) }
        })
    }
}

/// Raises a plane to `round(255 · score · mask)` where the mask of an object lies on it.
pub(super) fn raise(plane: &mut Plane<u8>, mask: &Plane<f32>, area: Area, score: f32) {
    paste(mask, area, plane.size(), |x, y, probability| {
        let value = (255.0 * (score * probability) + 0.5) as u8;
        let there = &mut plane.row_mut(y)[x];
        *there = value.max(*there);
    });
}

/// Calls `put(x, y, probability)` for each pixel of a frame of that width and height on which a mask lies: with a border of
/// zeros, so that it fades out, interpolated bilinearly onto the whole pixels that its area touches.
pub(super) fn paste(
    mask: &Plane<f32>,
    area: Area,
    (width, height): (usize, usize),
    mut put: impl FnMut(usize, usize, f32),
) {
    let (columns, rows) = (pixels(area.left, area.right, width), pixels(area.top, area.bottom, height));
    let at = |x: usize, y: usize| {
        let inside = (1..=SIDE).contains(&x) && (1..=SIDE).contains(&y);
        if inside { mask.get(x - 1, y - 1) } else { 0.0 }
    };
    for &(y, (above, below, down)) in &rows {
        for &(x, (left, right, along)) in &columns {
            let mix = |y: usize| at(left, y) * (1.0 - along) + at(right, y) * along;
            put(x, y, mix(above) * (1.0 - down) + mix(below) * down);
        }
    }
}

/// The pixels along one side of a frame that a mask with its border lies on, and between which of its places each is.
fn pixels(from: f32, to: f32, frame: usize) -> Vec<(usize, (usize, usize, f32))> {
    const BORDERED: usize = SIDE + 2;
    let half = (to - from) * 0.5 * (BORDERED as f32 / SIDE as f32);
    let middle = (to + from) * 0.5;
    // Towards zero, as torchvision.
    let (first, last) = ((middle - half) as isize, (middle + half) as isize);
    let count = (last - first + 1).max(1) as usize;
    let pixel = |(i, tap)| Some((usize::try_from(first + i as isize).ok().filter(|&i| i < frame)?, tap));
    taps(BORDERED, count).into_iter().enumerate().filter_map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_raised_on_its_area_alone() {
        let mask = Plane::filled(SIDE, SIDE, 0.8);
        let mut plane = Plane::filled(40, 30, 100u8);
        let area = Area { left: 5.0, top: 4.0, right: 25.0, bottom: 20.0 };
        raise(&mut plane, &mask, area, 0.9);
        assert_eq!(plane.get(15, 12), 184); // 255 · 0.72
        // What is higher stays.
        raise(&mut plane, &mask, area, 0.5);
        assert_eq!(plane.get(15, 12), 184);
        let outside = |x: usize, y: usize| !(4..=26).contains(&x) || !(3..=21).contains(&y);
        for (x, y) in (0..30).flat_map(|y| (0..40).map(move |x| (x, y))) {
            assert!(if outside(x, y) { plane.get(x, y) == 100 } else { plane.get(x, y) >= 100 }, "{x} {y}");
        }
    }

    #[test]
    fn masks_at_the_edge_are_cut() {
        let mask = Plane::filled(SIDE, SIDE, 1.0);
        let mut plane = Plane::filled(20, 10, 0u8);
        raise(&mut plane, &mask, Area { left: 0.0, top: 0.0, right: 20.0, bottom: 10.0 }, 1.0);
        assert_eq!(plane.get(10, 5), 255);
        raise(&mut plane, &mask, Area { left: 19.9, top: 9.9, right: 20.0, bottom: 10.0 }, 1.0);
    }
}
