//! MobileNetV3, large and small (Howard et al. 2019), as torchvision's. For segmentation the last stage is dilated in
//! place of striding (`dilated=True`).

use super::{
    graph::{
        Activation::{self, HardSwish, Relu},
        Graph, Value,
    },
    inverted_residual::{Gate, InvertedResidual, SqueezeExcitation},
};
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// The ε of the batch norms in the body; those of the heads have torch's default.
const EPSILON: f32 = 1e-3;

/// Channels after the stem.
const STEM: usize = 16;

/// The table of the paper, one row a block.
struct Block {
    kernel: usize,
    inside: usize,
    outputs: usize,
    squeeze: bool,
    activation: Activation,
    /// The stride of the classifier.
    stride: usize,
    /// The dilation for segmentation; a dilated block does not stride.
    dilation: usize,
}

const fn block(
    kernel: usize,
    inside: usize,
    outputs: usize,
    squeeze: bool,
    activation: Activation,
    stride: usize,
    dilation: usize,
) -> Block {
    Block { kernel, inside, outputs, squeeze, activation, stride, dilation }
}

/// One of the two.
pub(super) struct Variant {
    blocks: &'static [Block],
    /// Channels of the features.
    pub(super) high: usize,
    /// Channels between the two layers of a classifier's head.
    pub(super) hidden: usize,
}

pub(super) static LARGE: Variant = Variant { blocks: &LARGE_BLOCKS, high: 960, hidden: 1280 };
pub(super) static SMALL: Variant = Variant { blocks: &SMALL_BLOCKS, high: 576, hidden: 1024 };

const LARGE_BLOCKS: [Block; 15] = [
    block(3, 16, 16, false, Relu, 1, 1),
    block(3, 64, 24, false, Relu, 2, 1),
    block(3, 72, 24, false, Relu, 1, 1),
    block(5, 72, 40, true, Relu, 2, 1),
    block(5, 120, 40, true, Relu, 1, 1),
    block(5, 120, 40, true, Relu, 1, 1),
    block(3, 240, 80, false, HardSwish, 2, 1),
    block(3, 200, 80, false, HardSwish, 1, 1),
    block(3, 184, 80, false, HardSwish, 1, 1),
    block(3, 184, 80, false, HardSwish, 1, 1),
    block(3, 480, 112, true, HardSwish, 1, 1),
    block(3, 672, 112, true, HardSwish, 1, 1),
    block(5, 672, 160, true, HardSwish, 2, 2),
    block(5, 960, 160, true, HardSwish, 1, 2),
    block(5, 960, 160, true, HardSwish, 1, 2),
];

const SMALL_BLOCKS: [Block; 11] = [
    block(3, 16, 16, true, Relu, 2, 1),
    block(3, 72, 24, false, Relu, 2, 1),
    block(3, 88, 24, false, Relu, 1, 1),
    block(5, 96, 40, true, HardSwish, 2, 1),
    block(5, 240, 40, true, HardSwish, 1, 1),
    block(5, 240, 40, true, HardSwish, 1, 1),
    block(5, 120, 48, true, HardSwish, 1, 1),
    block(5, 144, 48, true, HardSwish, 1, 1),
    block(5, 288, 96, true, HardSwish, 2, 2),
    block(5, 576, 96, true, HardSwish, 1, 2),
    block(5, 576, 96, true, HardSwish, 1, 2),
];

/// How many blocks of the large one it takes to the finer features, at stride 8.
const FINE: usize = 4;
/// Channels of the large one's finer features.
pub(super) const LOW: usize = LARGE_BLOCKS[FINE - 1].outputs;

/// What a head is given.
pub(super) struct Features {
    /// Of the large one `[batch, 40, ⌈height / 8⌉, ⌈width / 8⌉]`
    pub(super) low: Value,
    /// `[batch, high, ⌈height / stride⌉, ⌈width / stride⌉]`, the stride being 32, or 16 where it is dilated.
    pub(super) high: Value,
}

/// Takes `{prefix}.0` to `{prefix}.16` (large) or `{prefix}.12` (small); `dilated` for segmentation.
pub(super) fn body(
    graph: &mut Graph,
    loader: &mut Loader,
    prefix: &str,
    variant: &Variant,
    dilated: bool,
) -> Result<Features> {
    let conv_norm = |loader: &mut Loader, name: String, shape| {
        loader.conv_norm(&format!("{name}.0"), &format!("{name}.1"), EPSILON, shape)
    };
    let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 3, stride: 2, dilation: 1, groups: 1 };
    let mut x = graph.conv(Graph::INPUT, conv_norm(loader, format!("{prefix}.0"), stem)?, HardSwish);
    let mut low = x;
    for (number, block) in (1..).zip(variant.blocks) {
        let &Block { kernel, inside, outputs, squeeze, activation, stride, dilation } = block;
        let inputs = graph.channels(x);
        // Parts that a block does not have are not counted.
        let mut part = 0;
        let mut next = || {
            part += 1;
            format!("{prefix}.{number}.block.{}", part - 1)
        };
        let expand = if inside == inputs {
            None
        } else {
            Some(conv_norm(loader, next(), ConvShape::pointwise(inputs, inside))?)
        };
        let (depthwise_stride, dilation) = match dilated {
            true if dilation > 1 => (1, dilation),
            _ => (stride, 1),
        };
        let block = InvertedResidual {
            expand,
            depthwise: conv_norm(loader, next(), ConvShape::depthwise(inside, kernel, depthwise_stride, dilation))?,
            squeeze: if squeeze { Some(squeeze_excitation(loader, &next(), inside)?) } else { None },
            project: conv_norm(loader, next(), ConvShape::pointwise(inside, outputs))?,
            activation,
            residual: stride == 1 && inputs == outputs,
        };
        x = block.push(graph, x);
        if number == FINE {
            low = x;
        }
    }
    let last = format!("{prefix}.{}", variant.blocks.len() + 1);
    let last = conv_norm(loader, last, ConvShape::pointwise(graph.channels(x), variant.high))?;
    Ok(Features { low, high: graph.conv(x, last, HardSwish) })
}

fn squeeze_excitation(loader: &mut Loader, name: &str, channels: usize) -> Result<SqueezeExcitation> {
    let squeezed = round_to_eight(channels / 4);
    Ok(SqueezeExcitation {
        fc1: loader.conv(&format!("{name}.fc1"), ConvShape::pointwise(channels, squeezed))?,
        fc2: loader.conv(&format!("{name}.fc2"), ConvShape::pointwise(squeezed, channels))?,
        gate: Gate::Hard,
    })
}

/// The nearest multiple of 8, at least 8, and never more than a tenth below (torchvision's `_make_divisible`).
fn round_to_eight(channels: usize) -> usize {
    let rounded = ((channels + 4) / 8 * 8).max(8);
    if rounded * 10 < channels * 9 { rounded + 8 } else { rounded }
}
