//! DeepLabV3 (Chen et al. 2017) in the small form that Google ships for MobileNetV2: of the pyramid only the
//! 1×1 branch and the mean of the picture.

use super::{
    Architecture, Layers,
    graph::{
        Activation::{Identity, Relu6},
        Graph,
    },
    mobilenet_v2::{self, Form},
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
        // Larger than a frame's work size: the logits lie 16 pixels apart, so that small things need the enlargement.
        sides: Sides { short: 321, longest: 1025, step: 16, published: false },
        scaling: Scaling::Area,
        normalization: Normalization { mean: [0.5; 3], deviation: [0.5; 3] },
    },
    alignment: Alignment::Corners,
    marks: &["backbone.features.0.0.weight", "classifier.aspp.weight", "classifier.predict.weight"],
    load,
};

/// Channels inside the head.
const WIDTH: usize = 256;

/// `[batch, 3, 16h + 1, 16w + 1]` → `[batch, classes, h + 1, w + 1]`
fn load(loader: &mut Loader) -> Result<Layers> {
    let classes = loader.outputs("classifier.predict.weight")?;
    let mut graph = Graph::new();
    let features = mobilenet_v2::body(&mut graph, loader, "backbone.features", Form::Folded)?;
    let mean = graph.mean(features);
    let from_features = ConvShape::pointwise(graph.channels(features), WIDTH);
    let pool = graph.conv(mean, loader.conv("classifier.pool", from_features)?, Relu6);
    let aspp = graph.conv(features, loader.conv("classifier.aspp", from_features)?, Relu6);
    let joined = graph.concat(vec![pool, aspp]);
    let project = loader.conv("classifier.project", ConvShape::pointwise(2 * WIDTH, WIDTH))?;
    let project = graph.conv(joined, project, Relu6);
    let predict = loader.conv("classifier.predict", ConvShape::pointwise(WIDTH, classes))?;
    let logits = graph.conv(project, predict, Identity);
    Ok(Layers { classes, graph: graph.with_outputs(vec![logits]), heads: None })
}
