//! Frames on their way into a network.

use std::borrow::Cow;

use steadymask_core::{Plane, Rgb, resize};

use crate::{net::Batch, pillow};

/// No side of an input is shorter: below that the deep layers see nothing but padding.
const SHORTEST: usize = 33;

/// How a frame comes to the size of a network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// By area averaging where a side shrinks, bilinearly where none does.
    Area,
    /// Bilinearly, without antialiasing.
    Bilinear,
    /// As Pillow's antialiased bilinear filter, and so torchvision's transforms, to the bit.
    Pillow,
}

/// What becomes of frames before a network sees them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preparation {
    pub(crate) sides: Sides,
    pub(crate) scaling: Scaling,
    pub(crate) normalization: Normalization,
}

impl Preparation {
    /// torchvision's `SemanticSegmentation` transform. Its networks are shown pictures with a short side of 520.
    pub(crate) const TORCHVISION: Self = Self {
        sides: Sides { short: 520, longest: 2080, step: 1, published: true },
        scaling: Scaling::Pillow,
        normalization: Normalization::IMAGENET,
    };

    /// Makes frames a network's input of `width`×`height`.
    ///
    /// # Shapes
    /// `[frames, 3, height, width]`
    pub(crate) fn batch(&self, frames: &[&Plane<Rgb>], (width, height): (usize, usize)) -> Batch {
        self.normalization.batch(self.scaled(frames, (width, height)), (width, height))
    }

    /// The frames at the size of a network's input.
    pub(crate) fn scaled<'a>(
        &self,
        frames: &'a [&Plane<Rgb>],
        size: (usize, usize),
    ) -> impl ExactSizeIterator<Item = Cow<'a, Plane<Rgb>>> {
        let scaling = self.scaling;
        frames.iter().map(move |frame| scaled(frame, size, scaling))
    }
}

/// Which input sizes a network is given. All sides are of the form `step · k + 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    /// Length of the short side, in pixels, unless another is asked for.
    pub(crate) short: usize,
    /// Greatest length of the long side, in pixels. Very long frames get a shorter short side for it.
    pub(crate) longest: usize,
    /// Distance of the lengths accepted, in pixels.
    pub(crate) step: usize,
    /// Whether the network was published with that short side, so that others can check its logits.
    pub(crate) published: bool,
}

impl Sides {
    /// The input size `(width, height)` for frames of `width`×`height`: their aspect ratio as nearly as
    /// `step` allows.
    pub(crate) fn of_frame(self, width: usize, height: usize) -> (usize, usize) {
        let (short, long) = (width.min(height) as f64, width.max(height) as f64);
        let scale = (self.short as f64 / short).min(self.longest as f64 / long);
        let side = |pixels: usize| {
            let steps = ((pixels as f64 * scale - 1.0) / self.step as f64 + 0.5).floor();
            (self.step * steps.max(0.0) as usize + 1).clamp(SHORTEST, self.longest)
        };
        (side(width), side(height))
    }

    /// The input size at which the network was published: the short side as torchvision's `resize` makes it, the long
    /// one in proportion, rounded down; frames over four times as long as wide, and networks that were published for
    /// no size, as in [`Self::of_frame`].
    pub(crate) fn of_published(self, width: usize, height: usize) -> (usize, usize) {
        let (short, long) = (width.min(height), width.max(height));
        let long = self.short * long / short;
        if !self.published || long > self.longest {
            return self.of_frame(width, height);
        }
        if width <= height { (self.short, long) } else { (long, self.short) }
    }
}

/// How 8-bit colours become a network's input: `(value / 255 − mean) / deviation`, for red, green, blue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalization {
    pub(crate) mean: [f32; 3],
    pub(crate) deviation: [f32; 3],
}

impl Normalization {
    /// That of the networks trained on ImageNet.
    pub(crate) const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

    /// Pictures of `width`×`height` as a batch `[pictures, 3, height, width]`.
    pub(crate) fn batch<'a>(
        self,
        pictures: impl ExactSizeIterator<Item = Cow<'a, Plane<Rgb>>>,
        (width, height): (usize, usize),
    ) -> Batch {
        let (table, count) = (self.table(), pictures.len());
        let mut values = Vec::with_capacity(count * 3 * width * height);
        for picture in pictures {
            for (c, table) in table.iter().enumerate() {
                values.extend(picture.data().iter().map(|pixel| table[usize::from(pixel[c])]));
            }
        }
        Batch { values, shape: [count, 3, height, width] }
    }

    /// The input for each channel and each of the 256 levels.
    pub(crate) fn table(self) -> [[f32; 256]; 3] {
        std::array::from_fn(|c| std::array::from_fn(|level| (level as f32 / 255.0 - self.mean[c]) / self.deviation[c]))
    }
}

/// For each of `to` places on a side: between which of `from` it lies, half-pixel centres (`align_corners = false`), and
/// the weight of the second.
pub(crate) fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let tap = |i: usize| {
        let at = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
        let first = (at as usize).min(from - 1);
        (first, (first + 1).min(from - 1), at - first as f32)
    };
    (0..to).map(tap).collect()
}

/// The frame at another size.
pub(crate) fn scaled(frame: &Plane<Rgb>, (width, height): (usize, usize), scaling: Scaling) -> Cow<'_, Plane<Rgb>> {
    if frame.size() == (width, height) {
        return Cow::Borrowed(frame);
    }
    if scaling == Scaling::Pillow {
        return Cow::Owned(pillow::bilinear(frame, width, height));
    }
    if scaling == Scaling::Area && (width < frame.width() || height < frame.height()) {
        return Cow::Owned(resize::area_rgb(frame, width, height));
    }
    let channels: [_; 3] = std::array::from_fn(|c| resize::bilinear(&frame.map(|pixel| pixel[c]), width, height));
    Cow::Owned(Plane::from_fn(width, height, |x, y| std::array::from_fn(|c| channels[c].get(x, y))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMBEDDED: Sides = Sides { short: 321, longest: 1025, step: 16, published: false };
    const FREE: Sides = Preparation::TORCHVISION.sides;

    #[test]
    fn input_sizes_keep_the_aspect_ratio_within_bounds() {
        for (frame, embedded, free) in [
            ((428, 240), (577, 321), (927, 520)),
            ((240, 428), (321, 577), (520, 927)),
            ((1920, 1080), (577, 321), (924, 520)),
            ((500, 300), (529, 321), (867, 520)),
            ((1, 1), (321, 321), (520, 520)),
            ((17, 300), (65, 1025), (118, 2080)),
            ((16_384, 1), (1025, 33), (2080, 33)),
        ] {
            assert_eq!(EMBEDDED.of_frame(frame.0, frame.1), embedded, "{frame:?}");
            assert_eq!(FREE.of_frame(frame.0, frame.1), free, "{frame:?}");
        }
    }

    #[test]
    fn frames_become_planes_of_numbers() {
        let frame = Plane::from_fn(2, 1, |x, _| if x == 0 { [0, 255, 51] } else { [255, 0, 51] });
        let normalization = Normalization { mean: [0.5; 3], deviation: [0.5; 3] };
        let preparation = Preparation { sides: EMBEDDED, scaling: Scaling::Area, normalization };
        let batch = preparation.batch(&[&frame, &frame], (2, 1));
        assert_eq!(batch.shape, [2, 3, 1, 2]);
        for values in batch.values.chunks(6) {
            for (value, expected) in values.iter().zip([-1.0, 1.0, 1.0, -1.0, -0.6, -0.6]) {
                assert!((value - expected).abs() < 1e-6, "{values:?}");
            }
        }
    }

    #[test]
    fn published_sizes_are_torchvisions() {
        for (frame, size) in [
            ((854, 480), (925, 520)),
            ((480, 854), (520, 925)),
            ((1920, 1080), (924, 520)),
            ((500, 375), (693, 520)),
            ((100, 100), (520, 520)),
            ((520, 2080), (520, 2080)),
            // torchvision has no limit here.
            ((500, 2081), (500, 2080)),
        ] {
            assert_eq!(FREE.of_published(frame.0, frame.1), size, "{frame:?}");
        }
        assert_eq!(EMBEDDED.of_published(428, 240), (577, 321));
    }
}
