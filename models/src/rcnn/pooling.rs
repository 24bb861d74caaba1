//! RoIAlign (He et al. 2017): what is seen of an area, at a few places whatever its size.

use super::{LEVELS, boxes::Area};
use crate::cpu::Map;

/// Samples of a place along a side.
const SAMPLES: usize = 2;
/// An area of this side is seen at level 2, one of half of it at level 1 (equation 1 of Lin et al. 2017).
const CANONICAL: (f32, f32) = (224.0, 2.0);
/// Pixels of the network's input between two places of the finest level.
const STRIDE: f32 = 4.0;

/// The level on which an area is seen: large ones on a coarse one.
fn level(area: Area) -> usize {
    let side = (area.width() * area.height()).sqrt();
    // Where it is on the edge between two, the coarser.
    let level = (CANONICAL.1 + (side / CANONICAL.0).log2() + 1e-6).floor();
    level.clamp(0.0, (LEVELS - 1) as f32) as usize
}

/// What is seen of an area at `side`×`side` places, row by row: at each the mean of four samples of the level that suits it,
/// interpolated bilinearly. The channels go to every `stride`th of `to`.
///
/// Places of a level lie at whole multiples of its stride, half a stride from where they should (`aligned = False` in
/// torchvision, which the published weights were trained with), and an area has at least one of them along a side.
pub(super) fn pool(levels: &[Map], area: Area, side: usize, to: &mut [f32], stride: usize) {
    let level = level(area);
    let map = &levels[level];
    let scale = 1.0 / (STRIDE * (1 << level) as f32);
    let part = |from: f32, to: f32| ((to - from).max(1.0) / side as f32, from);
    let rows = part(area.top * scale, area.bottom * scale);
    let columns = part(area.left * scale, area.right * scale);
    let sample = |(size, first): (f32, f32), place: usize, i: usize| {
        first + place as f32 * size + (i as f32 + 0.5) * size / SAMPLES as f32
    };
    for (place, to) in to.chunks_exact_mut(stride).take(side * side).enumerate() {
        let to = &mut to[..map.channels];
        to.fill(0.0);
        for (dy, dx) in (0..SAMPLES).flat_map(|dy| (0..SAMPLES).map(move |dx| (dy, dx))) {
            let down = tap(sample(rows, place / side, dy), map.height);
            let along = tap(sample(columns, place % side, dx), map.width);
            let (Some((above, below, down)), Some((left, right, along))) = (down, along) else { continue };
            let at = |y: usize, x: usize| map.at(y * map.width + x);
            let weights = [(1.0 - down) * (1.0 - along), (1.0 - down) * along, down * (1.0 - along), down * along];
            let corners =
                at(above, left).iter().zip(at(above, right)).zip(at(below, left).iter().zip(at(below, right)));
            for (to, ((a, b), (c, d))) in to.iter_mut().zip(corners) {
                *to += weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
            }
        }
        to.iter_mut().for_each(|to| *to *= 1.0 / (SAMPLES * SAMPLES) as f32);
    }
}

/// Between which two of `len` places a sample lies, and the weight of the second; `None` more than one place outside.
fn tap(at: f32, len: usize) -> Option<(usize, usize, f32)> {
    if !(-1.0..=len as f32).contains(&at) {
        return None;
    }
    let at = at.max(0.0);
    let first = at as usize;
    Some(if first + 1 >= len { (len - 1, len - 1, 0.0) } else { (first, first + 1, at - first as f32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_areas_are_seen_on_coarse_levels() {
        for (width, height, expected) in [
            (1.0, 1.0, 0),
            (111.0, 111.0, 0),
            (112.0, 112.0, 1),
            (224.0, 224.0, 2),
            (56.0, 896.0, 2),
            (448.0, 448.0, 3),
            (2000.0, 2000.0, 3),
        ] {
            let area = Area { left: 3.0, top: 5.0, right: 3.0 + width, bottom: 5.0 + height };
            assert_eq!(level(area), expected, "{width}×{height}");
        }
    }

    #[test]
    fn samples_outside_count_as_nothing_or_as_the_edge() {
        assert_eq!(tap(-1.1, 5), None);
        assert_eq!(tap(-0.7, 5), Some((0, 1, 0.0)));
        assert_eq!(tap(2.25, 5), Some((2, 3, 0.25)));
        assert_eq!(tap(4.5, 5), Some((4, 4, 0.0)));
        assert_eq!(tap(5.0, 5), Some((4, 4, 0.0)));
        assert_eq!(tap(5.1, 5), None);
    }
}
