//! EfficientNet-B0 (Tan and Le 2019), as torchvision's `efficientnet_b0`.

use super::{
    graph::{Activation::Silu, Graph, Value},
    inverted_residual::{Gate, InvertedResidual, SqueezeExcitation},
};
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// The ε of the batch norms.
const EPSILON: f32 = 1e-5;

/// Channels after the stem.
const STEM: usize = 32;
/// Channels of the features.
const OUTPUTS: usize = 1280;

/// The table of the paper, one row a stage: width inside the blocks in widths of their input, kernel, stride of the
/// first block, outputs, number of blocks.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// Takes `{prefix}.0` to `{prefix}.8`: `[batch, 3, height, width]` → `[batch, 1280, ⌈height / 32⌉, ⌈width / 32⌉]`
pub(super) fn body(graph: &mut Graph, loader: &mut Loader, prefix: &str) -> Result<Value> {
    let conv_norm = |loader: &mut Loader, name: String, shape| {
        loader.conv_norm(&format!("{name}.0"), &format!("{name}.1"), EPSILON, shape)
    };
    let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 3, stride: 2, dilation: 1, groups: 1 };
    let mut x = graph.conv(Graph::INPUT, conv_norm(loader, format!("{prefix}.0"), stem)?, Silu);
    for (stage, (expansion, kernel, first_stride, outputs, count)) in (1..).zip(STAGES) {
        for i in 0..count {
            let name = format!("{prefix}.{stage}.{i}.block");
            let inputs = graph.channels(x);
            let stride = if i == 0 { first_stride } else { 1 };
            let inside = expansion * inputs;
            // Where nothing is widened, the other parts are numbered one lower.
            let (expand, first) = if expansion == 1 {
                (None, 0)
            } else {
                (Some(conv_norm(loader, format!("{name}.0"), ConvShape::pointwise(inputs, inside))?), 1)
            };
            let depthwise = ConvShape::depthwise(inside, kernel, stride, 1);
            let (squeeze, squeezed) = (format!("{name}.{}", first + 1), inputs / 4);
            let block = InvertedResidual {
                expand,
                depthwise: conv_norm(loader, format!("{name}.{first}"), depthwise)?,
                squeeze: Some(SqueezeExcitation {
                    fc1: loader.conv(&format!("{squeeze}.fc1"), ConvShape::pointwise(inside, squeezed))?,
                    fc2: loader.conv(&format!("{squeeze}.fc2"), ConvShape::pointwise(squeezed, inside))?,
                    gate: Gate::Smooth,
                }),
                project: conv_norm(loader, format!("{name}.{}", first + 2), ConvShape::pointwise(inside, outputs))?,
                activation: Silu,
                residual: stride == 1 && inputs == outputs,
            };
            x = block.push(graph, x);
        }
    }
    let last = format!("{prefix}.{}", STAGES.len() + 1);
    let last = conv_norm(loader, last, ConvShape::pointwise(graph.channels(x), OUTPUTS))?;
    Ok(graph.conv(x, last, Silu))
}
