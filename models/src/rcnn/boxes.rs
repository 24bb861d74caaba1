//! Rectangles: anchors, corrections to them, and which of those that overlap stays.

use super::ANCHORS;
use crate::output::exp;

/// A rectangle in pixels, edges at whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

/// A rectangle that may stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// Only those of one class compete: the number of the class, or of a proposal's level.
    pub(super) class: usize,
    pub(super) score: f32,
    pub(super) area: Area,
}

impl Area {
    pub(super) fn width(self) -> f32 {
        self.right - self.left
    }

    pub(super) fn height(self) -> f32 {
        self.bottom - self.top
    }

    /// Moved to the right and down.
    pub(super) fn moved(self, x: f32, y: f32) -> Self {
        Self { left: self.left + x, top: self.top + y, right: self.right + x, bottom: self.bottom + y }
    }

    /// Its centre moved by `dx` widths and `dy` heights, its sides scaled by `exp(dw)` and `exp(dh)`, once the corrections
    /// `[dx, dy, dw, dh]` were divided by the weight of the centre and of the sides.
    pub(super) fn corrected(self, [dx, dy, dw, dh]: [f32; 4], [of_centre, of_sides]: [f32; 2]) -> Self {
        let (width, height) = (self.width(), self.height());
        let x = dx / of_centre * width + (self.left + 0.5 * width);
        let y = dy / of_centre * height + (self.top + 0.5 * height);
        let (half_width, half_height) = (0.5 * (scale(dw / of_sides) * width), 0.5 * (scale(dh / of_sides) * height));
        Self { left: x - half_width, top: y - half_height, right: x + half_width, bottom: y + half_height }
    }

    /// What lies on a picture of that width and height.
    pub(super) fn within(self, (width, height): (usize, usize)) -> Self {
        let x = |value: f32| value.clamp(0.0, width as f32);
        let y = |value: f32| value.clamp(0.0, height as f32);
        Self { left: x(self.left), top: y(self.top), right: x(self.right), bottom: y(self.bottom) }
    }

    /// Whether neither side is shorter.
    pub(super) fn is_at_least(self, side: f32) -> bool {
        self.width() >= side && self.height() >= side
    }

    /// The same on a picture that is scaled from one width and height to another.
    pub(super) fn scaled(self, from: (usize, usize), to: (usize, usize)) -> Self {
        let (x, y) = (to.0 as f32 / from.0 as f32, to.1 as f32 / from.1 as f32);
        Self { left: self.left * x, top: self.top * y, right: self.right * x, bottom: self.bottom * y }
    }

    /// Intersection over union.
    fn overlap(self, other: Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        let shared = width.max(0.0) * height.max(0.0);
        let area = |area: Self| area.width() * area.height();
        shared / (area(self) + area(other) - shared)
    }
}

/// `exp(x)`, of `x` up to `ln(1000 / 16)`.
fn scale(x: f32) -> f32 {
    /// torchvision's `bbox_xform_clip`.
    const LARGEST: f32 = 4.135_166_6;
    let x = x.min(LARGEST);
    if x > 0.0 { 1.0 / exp(-x) } else { exp(x) }
}

/// The anchors around the origin at a level, as high as wide by ½, 1, 2, corners rounded to whole numbers: sides of 32 at
/// level 0, and twice as long at the next.
pub(super) fn anchors(level: usize) -> [Area; ANCHORS] {
    let side = (32 << level) as f32;
    [0.5f32, 1.0, 2.0].map(|ratio| {
        let height = ratio.sqrt();
        let [width, height] = [1.0 / height, height].map(|scale| (scale * side / 2.0).round_ties_even());
        Area { left: -width, top: -height, right: width, bottom: height }
    })
}

/// Numbers and values of the greatest `count`, the greatest first, of equal ones the first.
pub(super) fn greatest(values: impl Iterator<Item = f32>, count: usize) -> Vec<(usize, f32)> {
    let mut all: Vec<(usize, f32)> = values.enumerate().collect();
    let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if all.len() > count {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_unstable_by(order);
    all
}

/// By descending scores; equal ones stay in their order.
pub(super) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// Those that no better one of their class overlaps by more than `overlap`, class by class, the best first.
pub(super) fn suppressed(mut candidates: Vec<Candidate>, overlap: f64) -> Vec<Candidate> {
    sort(&mut candidates);
    candidates.sort_by_key(|candidate| candidate.class);
    let mut kept: Vec<Candidate> = Vec::new();
    for of_class in candidates.chunk_by(|a, b| a.class == b.class) {
        let first = kept.len();
        for candidate in of_class {
            let free = |other: &Candidate| f64::from(candidate.area.overlap(other.area)) <= overlap;
            if kept[first..].iter().all(free) {
                kept.push(*candidate);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(left: f32, top: f32, right: f32, bottom: f32) -> Area {
        Area { left, top, right, bottom }
    }

    #[test]
    fn anchors_are_torchvisions() {
        assert_eq!(
            anchors(0),
            [area(-23.0, -11.0, 23.0, 11.0), area(-16.0, -16.0, 16.0, 16.0), area(-11.0, -23.0, 11.0, 23.0)]
        );
        assert_eq!(anchors(4)[0], area(-362.0, -181.0, 362.0, 181.0));
    }

    #[test]
    fn corrections_move_and_scale() {
        let square = area(10.0, 20.0, 30.0, 60.0);
        assert_eq!(square.corrected([0.0; 4], [10.0, 5.0]), square);
        let ln_2 = std::f32::consts::LN_2;
        let moved = square.corrected([5.0, -10.0, 5.0 * ln_2, -5.0 * ln_2], [10.0, 5.0]);
        let expected = area(10.0, -10.0, 50.0, 10.0);
        let apart = [moved.left - expected.left, moved.top - expected.top, moved.right - expected.right];
        assert!(apart.iter().all(|d| d.abs() < 1e-4) && (moved.bottom - 10.0).abs() < 1e-4, "{moved:?}");
        // However large the correction, a side grows 62.5 times at most.
        assert!((square.corrected([0.0, 0.0, 1e9, 0.0], [1.0, 1.0]).width() - 1250.0).abs() < 0.01);
    }

    #[test]
    fn the_greatest_are_found_in_order() {
        let values = [1.0, 5.0, 3.0, 5.0, -2.0, 3.0];
        assert_eq!(greatest(values.into_iter(), 4), [(1, 5.0), (3, 5.0), (2, 3.0), (5, 3.0)]);
        assert_eq!(greatest(values.into_iter(), 9).len(), 6);
        assert_eq!(greatest(std::iter::empty(), 9), []);
    }

    #[test]
    fn the_better_of_those_that_overlap_stays() {
        let candidate = |class, score, left| Candidate { class, score, area: area(left, 0.0, left + 10.0, 10.0) };
        // Two thirds, a quarter, and of another class.
        let all = vec![candidate(1, 0.5, 2.0), candidate(1, 0.9, 0.0), candidate(1, 0.3, 6.0), candidate(2, 0.4, 0.0)];
        let kept = suppressed(all.clone(), 0.5);
        assert_eq!(kept.iter().map(|c| (c.class, c.score)).collect::<Vec<_>>(), [(1, 0.9), (1, 0.3), (2, 0.4)]);
        assert_eq!(suppressed(all, 0.7).len(), 4);
    }
}
