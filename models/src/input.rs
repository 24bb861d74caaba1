//! Frames on their way into a network.

use burn::tensor::{Device, Tensor, TensorData};
use steadymask_core::{Plane, Rgb, resize};

/// No side of an input is shorter: below that the deep layers see nothing but padding.
const SHORTEST: usize = 33;

/// Which input sizes a network is given. All sides are of the form `step · k + 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    /// Least and greatest length of the short side, in pixels; in between, a frame keeps its own.
    pub(crate) short: (usize, usize),
    /// Greatest length of the long side, in pixels. Very long frames get a shorter short side for it.
    pub(crate) longest: usize,
    /// Distance of the lengths accepted, in pixels.
    pub(crate) step: usize,
}

impl Sides {
    /// torchvision's segmentation networks are shown pictures with a short side of 520; they were trained on crops
    /// of pictures half to twice that size.
    pub(crate) const TORCHVISION: Self = Self { short: (260, 520), longest: 2080, step: 1 };

    /// The input size `(width, height)` for frames of `width`×`height`: their aspect ratio as nearly as
    /// `step` allows.
    pub(crate) fn of_frame(self, width: usize, height: usize) -> (usize, usize) {
        let (short, long) = (width.min(height) as f64, width.max(height) as f64);
        let wanted = short.clamp(self.short.0 as f64, self.short.1 as f64);
        let scale = (wanted / short).min(self.longest as f64 / long);
        let side = |pixels: usize| {
            let steps = ((pixels as f64 * scale - 1.0) / self.step as f64 + 0.5).floor();
            (self.step * steps.max(0.0) as usize + 1).clamp(SHORTEST, self.longest)
        };
        (side(width), side(height))
    }
}

/// How 8-bit colours become a network's input: `(value / 255 − mean) / deviation`, for red, green, blue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalization {
    pub(crate) mean: [f32; 3],
    pub(crate) deviation: [f32; 3],
}

impl Normalization {
    /// The statistics of ImageNet's pictures, which torchvision's networks expect.
    pub(crate) const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

    /// The input for each channel and each of the 256 levels.
    fn table(self) -> [[f32; 256]; 3] {
        std::array::from_fn(|c| std::array::from_fn(|level| (level as f32 / 255.0 - self.mean[c]) / self.deviation[c]))
    }
}

/// Scales frames to `width`×`height` (by area averaging where a side shrinks, bilinearly where none does) and
/// makes them a network's input.
///
/// # Shapes
/// `[frames, 3, height, width]`
pub(crate) fn tensor_from_frames(
    frames: &[&Plane<Rgb>],
    (width, height): (usize, usize),
    normalization: Normalization,
    device: &Device,
) -> Tensor<4> {
    let table = normalization.table();
    let mut values = Vec::with_capacity(frames.len() * 3 * width * height);
    for frame in frames {
        let shrunk;
        let frame = if width < frame.width() || height < frame.height() {
            shrunk = resize::area_rgb(frame, width, height);
            &shrunk
        } else {
            *frame
        };
        for (c, table) in table.iter().enumerate() {
            let channel = resize::bilinear(&frame.map(|pixel| pixel[c]), width, height);
            values.extend(channel.data().iter().map(|&level| table[usize::from(level)]));
        }
    }
    Tensor::from_data(TensorData::new(values, [frames.len(), 3, height, width]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMBEDDED: Sides = Sides { short: (241, 241), longest: 1025, step: 16 };
    const FREE: Sides = Sides::TORCHVISION;

    #[test]
    fn input_sizes_keep_the_aspect_ratio_within_bounds() {
        for (frame, embedded, free) in [
            ((428, 240), (433, 241), (464, 260)),
            ((240, 428), (241, 433), (260, 464)),
            ((1920, 1080), (433, 241), (924, 520)),
            ((500, 300), (401, 241), (500, 300)),
            ((1, 1), (241, 241), (260, 260)),
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
        let tensor = tensor_from_frames(&[&frame, &frame], (2, 1), normalization, &Device::flex());
        assert_eq!(tensor.dims(), [2, 3, 1, 2]);
        let values: Vec<f32> = tensor.into_data().try_to_vec().expect("32-bit floats");
        for values in values.chunks(6) {
            for (value, expected) in values.iter().zip([-1.0, 1.0, 1.0, -1.0, -0.6, -0.6]) {
                assert!((value - expected).abs() < 1e-6, "{values:?}");
            }
        }
    }
}
