//! Lite R-ASPP (Howard et al. 2019) on MobileNetV3-Large, as torchvision's `lraspp_mobilenet_v3_large`.

use super::{
    Architecture, Layers,
    graph::{
        Activation::{Identity, Relu, Sigmoid},
        Graph,
    },
    mobilenet_v3::{self, Features, LARGE},
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

/// `[batch, 3, height, width]` → `[batch, classes, ⌈height / 8⌉, ⌈width / 8⌉]`
fn load(loader: &mut Loader) -> Result<Layers> {
    let classes = loader.outputs("classifier.low_classifier.weight")?;
    let mut graph = Graph::new();
    let Features { low, high } = mobilenet_v3::body(&mut graph, loader, "backbone", &LARGE, true)?;
    let inside = ConvShape::pointwise(graph.channels(high), WIDTH);
    let mean = graph.mean(high);
    let scale = graph.conv(mean, loader.conv_without_bias("classifier.scale.1", inside)?, Sigmoid);
    let cbr = loader.conv_norm("classifier.cbr.0", "classifier.cbr.1", EPSILON, inside)?;
    let x = graph.conv(high, cbr, Relu);
    let x = graph.scale(x, scale);
    let x = graph.resize(x, low);
    let from_low = ConvShape::pointwise(graph.channels(low), classes);
    let from_low = graph.conv(low, loader.conv("classifier.low_classifier", from_low)?, Identity);
    let from_high = loader.conv("classifier.high_classifier", ConvShape::pointwise(WIDTH, classes))?;
    let logits = graph.conv_add(x, from_high, from_low, Identity);
    Ok(Layers { classes, graph: graph.with_outputs(vec![logits]), heads: None })
}
