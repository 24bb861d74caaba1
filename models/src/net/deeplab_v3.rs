//! DeepLabV3 (Chen et al. 2017) in the small form that Google ships for MobileNetV2: of the pyramid only the
//! 1×1 branch and the mean of the picture.

use burn::tensor::{Tensor, activation::relu6};

use super::{
    Architecture, Body, Conv, Forward, Layers, global_mean,
    mobilenet_v2::{Form, MobileNetV2},
};
use crate::{
    Result,
    input::{Normalization, Preparation, Scaling, Sides},
    output::Alignment,
    weights::{ConvShape, Loader},
};

pub(super) static ARCHITECTURE: Architecture = Architecture {
    name: "deeplabv3_mobilenet_v2",
    preparation: Preparation {
        // Trained on crops of 241 to 321.
        sides: Sides { short: (241, 241), longest: 1025, step: 16, published: None },
        scaling: Scaling::Area,
        normalization: Normalization { mean: [0.5; 3], deviation: [0.5; 3] },
    },
    alignment: Alignment::Corners,
    marks: &["backbone.features.0.0.weight", "classifier.aspp.weight", "classifier.predict.weight"],
    load,
};

/// Channels inside the head.
const WIDTH: usize = 256;

#[derive(Debug)]
struct DeepLabV3 {
    backbone: MobileNetV2,
    pool: Conv,
    aspp: Conv,
    project: Conv,
    predict: Conv,
}

fn load(loader: &mut Loader) -> Result<Layers> {
    let classes = loader.outputs("classifier.predict.weight")?;
    let features = Form::Folded.outputs();
    let network = DeepLabV3 {
        backbone: MobileNetV2::load(loader, "backbone.features", Form::Folded)?,
        pool: loader.conv("classifier.pool", ConvShape::pointwise(features, WIDTH))?,
        aspp: loader.conv("classifier.aspp", ConvShape::pointwise(features, WIDTH))?,
        project: loader.conv("classifier.project", ConvShape::pointwise(2 * WIDTH, WIDTH))?,
        predict: loader.conv("classifier.predict", ConvShape::pointwise(WIDTH, classes))?,
    };
    Ok(Layers { classes, forward: Box::new(network) })
}

impl Forward for DeepLabV3 {
    /// `[batch, 3, 16h + 1, 16w + 1]` → `[batch, classes, h + 1, w + 1]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let features = self.backbone.features(x);
        let [batch, _, height, width] = features.dims();
        let pool = relu6(self.pool.forward(global_mean(features.clone())));
        let pool = pool.expand([batch, WIDTH, height, width]);
        let aspp = relu6(self.aspp.forward(features));
        let project = relu6(self.project.forward(Tensor::cat(vec![pool, aspp], 1)));
        self.predict.forward(project)
    }
}
