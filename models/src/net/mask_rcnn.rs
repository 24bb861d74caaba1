//! Mask R-CNN (He et al. 2017) on a ResNet-50 with a feature pyramid (Lin et al. 2017), as torchvision's
//! `maskrcnn_resnet50_fpn`. It finds objects, each with a class, a score and a mask. What it does besides convolutions is
//! in [`crate::rcnn`].
//!
//! torchvision gave some layers other names later and renames those of older files, the published one among them, when it
//! loads them; here either is taken.

use super::{
    Architecture, Layers,
    graph::{
        Activation::{Identity, Relu},
        Conv, Graph,
    },
    resnet::{self, Kind},
};
use crate::{
    Result,
    input::{Normalization, Preparation, Scaling, Sides},
    output::Alignment,
    weights::{ConvShape, Loader},
};

pub(super) static ARCHITECTURE: Architecture = Architecture {
    name: "maskrcnn_resnet50_fpn",
    preparation: Preparation {
        // torchvision's `GeneralizedRCNNTransform`.
        sides: Sides { short: SHORT_SIDE, longest: LONGEST, step: 1, published: true },
        scaling: Scaling::Bilinear,
        normalization: Normalization::IMAGENET,
    },
    alignment: Alignment::HalfPixel,
    marks: &[
        "backbone.body.layer3.5.conv1.weight",
        "roi_heads.box_head.fc6.weight",
        "roi_heads.mask_predictor.mask_fcn_logits.weight",
    ],
    load,
};

/// Length of the short side at which the network was published, and the long side's limit, in pixels.
const SHORT_SIDE: usize = 800;
const LONGEST: usize = 1333;

/// The ε of the body's batch norms, which are frozen: torchvision sets it to 0 for the weights it publishes.
const EPSILON: f32 = 0.0;
/// Channels of the pyramid's levels.
pub(crate) const CHANNELS: usize = 256;
/// Numbers that are made of a proposal before its class is told.
const HIDDEN: usize = 1024;
/// Places along a side of what is seen of a proposal, for its class, and for its mask.
pub(crate) const BOX_SIDE: usize = 7;
pub(crate) const MASK_SIDE: usize = 14;
/// Channels before the masks' last layer, and along a side how many of its places lie on one before.
pub(crate) const MASK_CHANNELS: usize = 256;
pub(crate) const MASK_SCALE: usize = 2;
/// Shapes of anchors at a place.
pub(crate) const ANCHORS: usize = 3;

/// The layers that see proposals.
#[derive(Debug)]
pub(crate) struct Heads {
    /// `[proposals, BOX_SIDE² · CHANNELS, 1, 1]`, row by row, the channels of a place side by side → logits of the classes
    /// `[proposals, classes, 1, 1]` and corrections of the proposal for each class `[proposals, 4 · classes, 1, 1]`.
    pub(crate) boxes: Graph,
    /// `[objects, CHANNELS, MASK_SIDE, MASK_SIDE]` → `[objects, MASK_SCALE² · MASK_CHANNELS, MASK_SIDE, MASK_SIDE]`: the places
    /// of a mask that lie on one place, row by row, each with its channels.
    pub(crate) masks: Graph,
    /// From a mask's channels to a logit for each class.
    pub(crate) mask_logits: Conv,
}

/// The body, the pyramid and what it proposes: from pictures whose sides are multiples of 32 to the pyramid's levels at
/// strides of 4, 8, 16, 32, `CHANNELS` each, and for these and one at twice the last stride what is said of the anchors:
/// `ANCHORS` logits, and then four corrections for each anchor.
fn load(loader: &mut Loader) -> Result<Layers> {
    let mut graph = Graph::new();
    let stages = resnet::body(&mut graph, loader, "backbone.body.", Kind::Bottleneck, [3, 4, 6, 3], false, EPSILON)?;
    let filter = ConvShape { inputs: CHANNELS, outputs: CHANNELS, kernel: 3, stride: 1, dilation: 1, groups: 1 };

    // From the last stage down, each level with what the one above it saw.
    let mut levels = Vec::with_capacity(stages.len() + 1);
    let mut above = None;
    for (number, stage) in stages.into_iter().enumerate().rev() {
        let [inner, layer] = ["inner", "layer"].map(|part| {
            let block = format!("backbone.fpn.{part}_blocks.{number}");
            [format!("{block}.0"), block]
        });
        let inner = loader.conv_of(inner, ConvShape::pointwise(graph.channels(stage), CHANNELS))?;
        let merged = match above {
            None => graph.conv(stage, inner, Identity),
            Some(above) => {
                let repeated = graph.repeat(above, stage);
                graph.conv_add(stage, inner, repeated, Identity)
            }
        };
        above = Some(merged);
        levels.insert(0, graph.conv(merged, loader.conv_of(layer, filter)?, Identity));
    }
    let mut outputs = levels.clone();
    let top = levels[levels.len() - 1];
    levels.push(graph.max_pool(top, 1));

    let shared = loader.conv_of(["rpn.head.conv.0.0".into(), "rpn.head.conv".into()], filter)?;
    let logits = loader.conv("rpn.head.cls_logits", ConvShape::pointwise(CHANNELS, ANCHORS))?;
    let corrections = loader.conv("rpn.head.bbox_pred", ConvShape::pointwise(CHANNELS, 4 * ANCHORS))?;
    let said = logits.beside(&corrections);
    for level in levels {
        let x = graph.conv(level, shared.clone(), Relu);
        outputs.push(graph.conv(x, said.clone(), Identity));
    }

    let classes = loader.outputs("roi_heads.box_predictor.cls_score.weight")?;
    let heads = Heads {
        boxes: load_boxes(loader, classes)?,
        masks: load_masks(loader, filter)?,
        mask_logits: loader
            .conv("roi_heads.mask_predictor.mask_fcn_logits", ConvShape::pointwise(MASK_CHANNELS, classes))?,
    };
    Ok(Layers { classes, graph: graph.with_outputs(outputs), heads: Some(heads) })
}

fn load_boxes(loader: &mut Loader, classes: usize) -> Result<Graph> {
    let mut graph = Graph::of(BOX_SIDE * BOX_SIDE * CHANNELS);
    let first = loader.linear_of_map("roi_heads.box_head.fc6", CHANNELS, BOX_SIDE, HIDDEN)?;
    let x = graph.conv(Graph::INPUT, first, Relu);
    let x = graph.conv(x, loader.linear("roi_heads.box_head.fc7", HIDDEN, HIDDEN)?, Relu);
    let logits = graph.conv(x, loader.linear("roi_heads.box_predictor.cls_score", HIDDEN, classes)?, Identity);
    let corrections = graph.conv(x, loader.linear("roi_heads.box_predictor.bbox_pred", HIDDEN, 4 * classes)?, Identity);
    Ok(graph.with_outputs(vec![logits, corrections]))
}

fn load_masks(loader: &mut Loader, filter: ConvShape) -> Result<Graph> {
    let mut graph = Graph::of(CHANNELS);
    let mut x = Graph::INPUT;
    for number in 0..4 {
        let names = [format!("{number}.0"), format!("mask_fcn{}", number + 1)];
        let conv = loader.conv_of(names.map(|name| format!("roi_heads.mask_head.{name}")), filter)?;
        x = graph.conv(x, conv, Relu);
    }
    let name = "roi_heads.mask_predictor.conv5_mask";
    let x = graph.conv(x, loader.transposed(name, CHANNELS, MASK_CHANNELS, MASK_SCALE)?, Relu);
    Ok(graph.with_outputs(vec![x]))
}
