//! MobileNetV2 (Sandler et al. 2018), width 1: as torchvision's classifier has it, at output stride 32; and as the
//! default network has it, at output stride 16, its batch norm folded by whoever made the weights.

use super::{
    graph::{Activation::Relu6, Graph, Value},
    inverted_residual::InvertedResidual,
};
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// Outputs and stride of the blocks 1 to 17 of a classifier.
const BLOCKS: [(usize, usize); 17] = [
    (16, 1),
    (24, 2),
    (24, 1),
    (32, 2),
    (32, 1),
    (32, 1),
    (64, 2),
    (64, 1),
    (64, 1),
    (64, 1),
    (96, 1),
    (96, 1),
    (96, 1),
    (160, 2),
    (160, 1),
    (160, 1),
    (320, 1),
];
/// The block that for segmentation does not stride; the blocks after it are dilated instead.
const DILATED: usize = 14;

/// Channels after the stem.
const STEM: usize = 32;
/// Width of a block's inside in widths of its input; that of the first is 1.
const EXPANSION: usize = 6;

/// The ε of the classifier's batch norms.
const EPSILON: f32 = 1e-5;
/// Channels of the default network's features.
#[cfg(all(feature = "embedded", not(target_arch = "wasm32")))]
pub(super) const FEATURES: usize = BLOCKS[BLOCKS.len() - 1].0;
/// Channels after the classifier's last convolution.
const LAST: usize = 1280;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The default network's: dilated, without batch norms and the last convolution.
    Folded,
    /// torchvision's classifier.
    Classifier,
}

/// Takes `{prefix}.0` to `{prefix}.17`, of a classifier `{prefix}.18`, too.
///
/// `[batch, 3, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`, the stride being 32 for the
/// classifier and 16 for the default network; 320 outputs for the default network and 1280 for the classifier.
pub(super) fn body(graph: &mut Graph, loader: &mut Loader, prefix: &str, form: Form) -> Result<Value> {
    // A convolution, with its batch norm where it still has one.
    let conv = |loader: &mut Loader, conv: String, norm: String, shape| match form {
        Form::Folded => loader.conv(&conv, shape),
        Form::Classifier => loader.conv_norm(&conv, &norm, EPSILON, shape),
    };
    let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 3, stride: 2, dilation: 1, groups: 1 };
    let stem = conv(loader, format!("{prefix}.0.0"), format!("{prefix}.0.1"), stem)?;
    let mut x = graph.conv(Graph::INPUT, stem, Relu6);
    for (number, (outputs, stride)) in (1..).zip(BLOCKS) {
        let name = format!("{prefix}.{number}.conv");
        let inputs = graph.channels(x);
        // The first block does not expand, so that its parts are numbered one lower.
        let inside = if number == 1 { inputs } else { EXPANSION * inputs };
        let (expand, first) = if number == 1 {
            (None, 0)
        } else {
            let shape = ConvShape::pointwise(inputs, inside);
            (Some(conv(loader, format!("{name}.0.0"), format!("{name}.0.1"), shape)?), 1)
        };
        let (depthwise_stride, dilation) = match form {
            Form::Folded if number == DILATED => (1, 1),
            Form::Folded if number > DILATED => (1, 2),
            _ => (stride, 1),
        };
        let depthwise = ConvShape::depthwise(inside, 3, depthwise_stride, dilation);
        let project = ConvShape::pointwise(inside, outputs);
        let block = InvertedResidual {
            expand,
            depthwise: conv(loader, format!("{name}.{first}.0"), format!("{name}.{first}.1"), depthwise)?,
            project: conv(loader, format!("{name}.{}", first + 1), format!("{name}.{}", first + 2), project)?,
            squeeze: None,
            activation: Relu6,
            residual: stride == 1 && inputs == outputs,
        };
        x = block.push(graph, x);
    }
    Ok(match form {
        Form::Folded => x,
        Form::Classifier => {
            let name = format!("{prefix}.{}", BLOCKS.len() + 1);
            let last = ConvShape::pointwise(graph.channels(x), LAST);
            graph.conv(x, conv(loader, format!("{name}.0"), format!("{name}.1"), last)?, Relu6)
        }
    })
}
