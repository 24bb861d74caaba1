//! MobileNetV2 (Sandler et al. 2018), width 1, at output stride 16, its batch norm folded by whoever made the
//! weights.

use burn::tensor::Tensor;

use super::{
    Conv,
    inverted_residual::{Activation, InvertedResidual},
};
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// Outputs, stride and dilation of the blocks 1 to 17. The stride of block 14 is 1 where a classifier has 2,
/// and what follows is dilated instead.
const BLOCKS: [(usize, usize, usize); 17] = [
    (16, 1, 1),
    (24, 2, 1),
    (24, 1, 1),
    (32, 2, 1),
    (32, 1, 1),
    (32, 1, 1),
    (64, 2, 1),
    (64, 1, 1),
    (64, 1, 1),
    (64, 1, 1),
    (96, 1, 1),
    (96, 1, 1),
    (96, 1, 1),
    (160, 1, 1),
    (160, 1, 2),
    (160, 1, 2),
    (320, 1, 2),
];

/// Channels after the stem.
const STEM: usize = 32;
/// Width of a block's inside in widths of its input; that of the first is 1.
const EXPANSION: usize = 6;

#[derive(Debug)]
pub(super) struct MobileNetV2 {
    stem: Conv,
    blocks: Vec<InvertedResidual>,
}

impl MobileNetV2 {
    /// Channels of the features.
    pub(super) const OUTPUTS: usize = BLOCKS[BLOCKS.len() - 1].0;

    /// Takes `{prefix}.0` to `{prefix}.17`.
    pub(super) fn load(loader: &mut Loader, prefix: &str) -> Result<Self> {
        let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 3, stride: 2, dilation: 1, groups: 1 };
        let stem = loader.conv(&format!("{prefix}.0.0"), stem)?;
        let mut inputs = STEM;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (i, (outputs, stride, dilation)) in BLOCKS.into_iter().enumerate() {
            let name = format!("{prefix}.{}.conv", i + 1);
            // The first block does not expand, so that its parts are numbered one lower.
            let inside = if i == 0 { inputs } else { EXPANSION * inputs };
            let (expand, first) = if i == 0 {
                (None, 0)
            } else {
                (Some(loader.conv(&format!("{name}.0.0"), ConvShape::pointwise(inputs, inside))?), 1)
            };
            blocks.push(InvertedResidual {
                expand,
                depthwise: loader
                    .conv(&format!("{name}.{first}.0"), ConvShape::depthwise(inside, 3, stride, dilation))?,
                project: loader.conv(&format!("{name}.{}", first + 1), ConvShape::pointwise(inside, outputs))?,
                squeeze: None,
                activation: Activation::Relu6,
                residual: stride == 1 && inputs == outputs,
            });
            inputs = outputs;
        }
        Ok(Self { stem, blocks })
    }

    /// `[batch, 3, height, width]` → `[batch, 320, ⌈height / 16⌉, ⌈width / 16⌉]`
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let stem = Activation::Relu6.forward(self.stem.forward(x));
        self.blocks.iter().fold(stem, |x, block| block.forward(x))
    }
}
