//! Lite R-ASPP (Howard et al. 2019) on MobileNetV3-Large, as torchvision's `lraspp_mobilenet_v3_large`.

use burn::tensor::{
    Tensor,
    activation::{relu, sigmoid},
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};

use super::{
    Architecture, Conv, Forward, Layers, global_mean,
    mobilenet_v3::{self, Features, MobileNetV3},
};
use crate::{
    Result,
    input::Preparation,
    output::Alignment,
    weights::{ConvShape, Loader},
};

pub(super) static ARCHITECTURE: Architecture = Architecture {
    name: "lraspp_mobilenet_v3_large",
    preparation: Preparation::TORCHVISION,
    alignment: Alignment::HalfPixel,
    marks: &["backbone.0.0.weight", "classifier.cbr.0.weight", "classifier.low_classifier.weight"],
    load,
};

/// Channels inside the head.
const WIDTH: usize = 128;
/// The ε of the head's batch norm.
const EPSILON: f32 = 1e-5;

#[derive(Debug)]
struct Lraspp {
    backbone: MobileNetV3,
    cbr: Conv,
    scale: Conv,
    low_classifier: Conv,
    high_classifier: Conv,
}

fn load(loader: &mut Loader) -> Result<Layers> {
    let classes = loader.outputs("classifier.low_classifier.weight")?;
    let (low, high) = (mobilenet_v3::LOW, mobilenet_v3::LARGE.high);
    let network = Lraspp {
        backbone: MobileNetV3::load(loader, "backbone", &mobilenet_v3::LARGE, true)?,
        cbr: loader.conv_norm("classifier.cbr.0", "classifier.cbr.1", EPSILON, ConvShape::pointwise(high, WIDTH))?,
        scale: loader.conv_without_bias("classifier.scale.1", ConvShape::pointwise(high, WIDTH))?,
        low_classifier: loader.conv("classifier.low_classifier", ConvShape::pointwise(low, classes))?,
        high_classifier: loader.conv("classifier.high_classifier", ConvShape::pointwise(WIDTH, classes))?,
    };
    Ok(Layers { classes, forward: Box::new(network) })
}

impl Forward for Lraspp {
    /// `[batch, 3, height, width]` → `[batch, classes, ⌈height / 8⌉, ⌈width / 8⌉]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let Features { low, high } = self.backbone.forward(x);
        let [_, _, height, width] = low.dims();
        let scale = sigmoid(self.scale.forward(global_mean(high.clone())));
        let x = relu(self.cbr.forward(high)) * scale;
        let options = InterpolateOptions::new(InterpolateMode::Bilinear)
            .with_output_size([height, width])
            .with_align_corners(false);
        self.low_classifier.forward(low) + self.high_classifier.forward(interpolate(x, options))
    }
}
