//! DeepLabV3 (Chen et al. 2017) with its whole pyramid on three bodies, as torchvision's `deeplabv3_resnet101`,
//! `deeplabv3_resnet50` and `deeplabv3_mobilenet_v3_large`.
//!
//! torchvision's weights carry a second, auxiliary classifier that only training uses. Where it is there, its
//! tensors are checked like the others and then left out; where it is not, nothing is missing.

use burn::tensor::{Tensor, activation::relu};

use super::{
    Architecture, Body, Conv, Forward, Layers, global_mean,
    mobilenet_v3::{self, MobileNetV3},
    resnet::{Kind, ResNet},
};
use crate::{
    Result,
    input::Preparation,
    output::Alignment,
    weights::{ConvShape, Loader},
};

pub(super) static RESNET_101: Architecture = Architecture {
    name: "deeplabv3_resnet101",
    preparation: Preparation::TORCHVISION,
    alignment: Alignment::HalfPixel,
    marks: &["backbone.layer3.22.conv1.weight", "classifier.0.convs.0.0.weight"],
    load: |loader| load_resnet(loader, [3, 4, 23, 3]),
};

/// To be asked for after [`RESNET_101`], which has all of its tensors.
pub(super) static RESNET_50: Architecture = Architecture {
    name: "deeplabv3_resnet50",
    marks: &["backbone.layer3.5.conv1.weight", "classifier.0.convs.0.0.weight"],
    load: |loader| load_resnet(loader, [3, 4, 6, 3]),
    ..RESNET_101
};

pub(super) static MOBILENET_V3_LARGE: Architecture = Architecture {
    name: "deeplabv3_mobilenet_v3_large",
    marks: &["backbone.0.0.weight", "classifier.0.convs.0.0.weight"],
    load: load_mobilenet,
    ..RESNET_101
};

/// Channels inside the head.
const WIDTH: usize = 256;
/// Dilations of the pyramid's 3×3 convolutions.
const DILATIONS: [usize; 3] = [12, 24, 36];
/// The ε of the head's batch norms.
const EPSILON: f32 = 1e-5;

#[derive(Debug)]
struct DeepLabV3 {
    body: Box<dyn Body>,
    /// The 1×1 branch and the dilated ones.
    pyramid: Vec<Conv>,
    pool: Conv,
    project: Conv,
    filter: Conv,
    predict: Conv,
}

fn load_resnet(loader: &mut Loader, blocks: [usize; 4]) -> Result<Layers> {
    let body = Box::new(ResNet::load(loader, "backbone.", Kind::Bottleneck, blocks, true)?);
    load_head(loader, body, Kind::Bottleneck.outputs(), ResNet::THIRD)
}

fn load_mobilenet(loader: &mut Loader) -> Result<Layers> {
    let body = Box::new(MobileNetV3::load(loader, "backbone", &mobilenet_v3::LARGE, true)?);
    load_head(loader, body, mobilenet_v3::LARGE.high, mobilenet_v3::LOW)
}

/// The head for a body with so many `features`; the auxiliary classifier's input has `auxiliary` channels.
fn load_head(loader: &mut Loader, body: Box<dyn Body>, features: usize, auxiliary: usize) -> Result<Layers> {
    const PYRAMID: &str = "classifier.0.convs";

    let classes = loader.outputs("classifier.4.weight")?;
    let filter = |inputs, dilation| ConvShape { inputs, outputs: WIDTH, kernel: 3, stride: 1, dilation, groups: 1 };
    let shapes = std::iter::once(ConvShape::pointwise(features, WIDTH)).chain(DILATIONS.map(|d| filter(features, d)));
    let pyramid = shapes
        .enumerate()
        .map(|(i, shape)| loader.conv_norm(&format!("{PYRAMID}.{i}.0"), &format!("{PYRAMID}.{i}.1"), EPSILON, shape))
        .collect::<Result<Vec<_>>>()?;
    let (pool, pool_norm) = (format!("{PYRAMID}.{}.1", pyramid.len()), format!("{PYRAMID}.{}.2", pyramid.len()));
    let joined = WIDTH * (pyramid.len() + 1);
    let network = DeepLabV3 {
        body,
        pyramid,
        pool: loader.conv_norm(&pool, &pool_norm, EPSILON, ConvShape::pointwise(features, WIDTH))?,
        project: loader.conv_norm(
            "classifier.0.project.0",
            "classifier.0.project.1",
            EPSILON,
            ConvShape::pointwise(joined, WIDTH),
        )?,
        filter: loader.conv_norm("classifier.1", "classifier.2", EPSILON, filter(WIDTH, 1))?,
        predict: loader.conv("classifier.4", ConvShape::pointwise(WIDTH, classes))?,
    };
    if loader.any("aux_classifier.") {
        let inside = auxiliary / 4;
        loader.leave_out("aux_classifier.0.weight", &[inside, auxiliary, 3, 3])?;
        for parameter in ["weight", "bias", "running_mean", "running_var"] {
            loader.leave_out(&format!("aux_classifier.1.{parameter}"), &[inside])?;
        }
        loader.leave_out("aux_classifier.4.weight", &[classes, inside, 1, 1])?;
        loader.leave_out("aux_classifier.4.bias", &[classes])?;
    }
    Ok(Layers { classes, forward: Box::new(network) })
}

impl Forward for DeepLabV3 {
    /// `[batch, 3, height, width]` → `[batch, classes, ⌈height / stride⌉, ⌈width / stride⌉]`, the stride being 8 with a
    /// ResNet and 16 with a MobileNet.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let features = self.body.features(x);
        let [batch, _, height, width] = features.dims();
        let mut branches: Vec<_> = self.pyramid.iter().map(|conv| relu(conv.forward(features.clone()))).collect();
        let pool = relu(self.pool.forward(global_mean(features)));
        branches.push(pool.expand([batch, WIDTH, height, width]));
        let x = relu(self.project.forward(Tensor::cat(branches, 1)));
        self.predict.forward(relu(self.filter.forward(x)))
    }
}
