//! DeepLabV3 (Chen et al. 2017) with its whole pyramid on three bodies, as torchvision's `deeplabv3_resnet101`,
//! `deeplabv3_resnet50` and `deeplabv3_mobilenet_v3_large`.
//!
//! torchvision's weights carry a second, auxiliary classifier that only training uses. Where it is there, its
//! tensors are checked like the others and then left out; where it is not, nothing is missing.

use super::{
    Architecture, Layers,
    graph::{
        Activation::{Identity, Relu},
        Graph, Value,
    },
    mobilenet_v3::{self, LARGE},
    resnet::{self, Kind},
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

fn load_resnet(loader: &mut Loader, blocks: [usize; 4]) -> Result<Layers> {
    let mut graph = Graph::new();
    let [.., features] =
        resnet::body(&mut graph, loader, "backbone.", Kind::Bottleneck, blocks, true, resnet::EPSILON)?;
    load_head(graph, loader, features, resnet::THIRD)
}

fn load_mobilenet(loader: &mut Loader) -> Result<Layers> {
    let mut graph = Graph::new();
    let features = mobilenet_v3::body(&mut graph, loader, "backbone", &LARGE, true)?.high;
    load_head(graph, loader, features, mobilenet_v3::LOW)
}

/// The head on a body's features; the auxiliary classifier's input has `auxiliary` channels.
///
/// `[batch, 3, height, width]` → `[batch, classes, ⌈height / stride⌉, ⌈width / stride⌉]`, the stride being 8 with a
/// ResNet and 16 with a MobileNet.
fn load_head(mut graph: Graph, loader: &mut Loader, features: Value, auxiliary: usize) -> Result<Layers> {
    const PYRAMID: &str = "classifier.0.convs";

    let classes = loader.outputs("classifier.4.weight")?;
    let inputs = graph.channels(features);
    let filter = |inputs, dilation| ConvShape { inputs, outputs: WIDTH, kernel: 3, stride: 1, dilation, groups: 1 };
    let pointwise = ConvShape::pointwise(inputs, WIDTH);
    // The 1×1 branch, the dilated ones, and the mean.
    let mut branches = Vec::with_capacity(DILATIONS.len() + 2);
    for shape in std::iter::once(pointwise).chain(DILATIONS.map(|d| filter(inputs, d))) {
        let name = format!("{PYRAMID}.{}", branches.len());
        let conv = loader.conv_norm(&format!("{name}.0"), &format!("{name}.1"), EPSILON, shape)?;
        branches.push(graph.conv(features, conv, Relu));
    }
    let name = format!("{PYRAMID}.{}", branches.len());
    let pool = loader.conv_norm(&format!("{name}.1"), &format!("{name}.2"), EPSILON, pointwise)?;
    let mean = graph.mean(features);
    branches.push(graph.conv(mean, pool, Relu));
    let joined = graph.concat(branches);
    let project = ConvShape::pointwise(graph.channels(joined), WIDTH);
    let project = loader.conv_norm("classifier.0.project.0", "classifier.0.project.1", EPSILON, project)?;
    let x = graph.conv(joined, project, Relu);
    let x = graph.conv(x, loader.conv_norm("classifier.1", "classifier.2", EPSILON, filter(WIDTH, 1))?, Relu);
    let logits = graph.conv(x, loader.conv("classifier.4", ConvShape::pointwise(WIDTH, classes))?, Identity);
    if loader.any("aux_classifier.") {
        let inside = auxiliary / 4;
        loader.leave_out("aux_classifier.0.weight", &[inside, auxiliary, 3, 3])?;
        for parameter in ["weight", "bias", "running_mean", "running_var"] {
            loader.leave_out(&format!("aux_classifier.1.{parameter}"), &[inside])?;
        }
        loader.leave_out("aux_classifier.4.weight", &[classes, inside, 1, 1])?;
        loader.leave_out("aux_classifier.4.bias", &[classes])?;
    }
    Ok(Layers { classes, graph: graph.with_outputs(vec![logits]), heads: None })
}
