//! ResNets (He et al. 2016) as torchvision's: a bottleneck's stride is in its 3×3 convolution. For segmentation the
//! last two stages are dilated in place of striding (`replace_stride_with_dilation=[False, True, True]`), which leaves
//! an output stride of 8 in place of 32.

use super::graph::{
    Activation::{Identity, Relu},
    Graph, Value,
};
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// The ε of the batch norms, unless they are frozen.
pub(super) const EPSILON: f32 = 1e-5;

/// Channels after the stem.
const STEM: usize = 64;
/// Outputs of a bottleneck in widths of its inside.
const EXPANSION: usize = 4;

/// Width inside the blocks of the stages 1 to 4.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// Stride of the first block, dilation of the first and of the others, for the stages 1 to 4 of a classifier.
const STRIDED: [(usize, usize, usize); 4] = [(1, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1)];
/// The same for segmentation.
const DILATED: [(usize, usize, usize); 4] = [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4)];

/// What a ResNet is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Two 3×3 convolutions a block: ResNet-18 and 34.
    Basic,
    /// Bottlenecks: ResNet-50 and 101.
    Bottleneck,
}

impl Kind {
    /// Outputs of a block in widths of its inside.
    const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => EXPANSION,
        }
    }
}

/// Channels after the third stage of bottlenecks.
pub(super) const THIRD: usize = EXPANSION * WIDTHS[2];

/// Takes `{prefix}conv1`, `{prefix}bn1` and `{prefix}layer1` to `{prefix}layer4`, which have so many `blocks`; `dilated`
/// for segmentation of every pixel. `epsilon` is that of the batch norms. Gives the stages' ends, the last of which are
/// the features:
///
/// `[batch, 3, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`, the stride being 32, or 8 where it
/// is dilated; 512 outputs, or 2048 of bottlenecks.
pub(super) fn body(
    graph: &mut Graph,
    loader: &mut Loader,
    prefix: &str,
    kind: Kind,
    blocks: [usize; 4],
    dilated: bool,
    epsilon: f32,
) -> Result<[Value; 4]> {
    let conv_norm =
        |loader: &mut Loader, conv: String, norm: String, shape| loader.conv_norm(&conv, &norm, epsilon, shape);
    let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 7, stride: 2, dilation: 1, groups: 1 };
    let stem = conv_norm(loader, format!("{prefix}conv1"), format!("{prefix}bn1"), stem)?;
    let stem = graph.conv(Graph::INPUT, stem, Relu);
    let mut x = graph.max_pool(stem, 3);
    let mut ends = [x; 4];
    let stages = if dilated { DILATED } else { STRIDED };
    for (stage, ((inside, (first_stride, first_dilation, dilation)), count)) in
        WIDTHS.into_iter().zip(stages).zip(blocks).enumerate()
    {
        let outputs = kind.expansion() * inside;
        for i in 0..count {
            let name = format!("{prefix}layer{}.{i}", stage + 1);
            let inputs = graph.channels(x);
            let (stride, dilation) = if i == 0 { (first_stride, first_dilation) } else { (1, dilation) };
            let filter = |inputs, stride| ConvShape { inputs, outputs: inside, kernel: 3, stride, dilation, groups: 1 };
            let (first, last) = match kind {
                Kind::Basic => (vec![filter(inputs, stride)], filter(inside, 1)),
                // Narrow, filter, widen.
                Kind::Bottleneck => (
                    vec![ConvShape::pointwise(inputs, inside), filter(inside, stride)],
                    ConvShape::pointwise(inside, outputs),
                ),
            };
            let mut part = |number: usize, shape| {
                conv_norm(loader, format!("{name}.conv{number}"), format!("{name}.bn{number}"), shape)
            };
            let last = part(first.len() + 1, last)?;
            let mut inner = x;
            for (number, shape) in (1..).zip(first) {
                inner = graph.conv(inner, part(number, shape)?, Relu);
            }
            // What is added: the input, fitted where its shape differs.
            let shortcut = if stride > 1 || inputs != outputs {
                let shape = ConvShape { stride, ..ConvShape::pointwise(inputs, outputs) };
                let fit = conv_norm(loader, format!("{name}.downsample.0"), format!("{name}.downsample.1"), shape)?;
                graph.conv(x, fit, Identity)
            } else {
                x
            };
            x = graph.conv_add(inner, last, shortcut, Relu);
        }
        ends[stage] = x;
    }
    Ok(ends)
}
