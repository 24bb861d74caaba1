//! EfficientNet-B0 (Tan and Le 2019), as torchvision's `efficientnet_b0`.

use burn::tensor::{Tensor, activation::silu};

use super::{
    Body, Conv,
    inverted_residual::{Activation, Gate, InvertedResidual, SqueezeExcitation},
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
pub(super) const OUTPUTS: usize = 1280;

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

#[derive(Debug)]
pub(super) struct EfficientNetB0 {
    stem: Conv,
    blocks: Vec<InvertedResidual>,
    last: Conv,
}

impl EfficientNetB0 {
    /// Takes `{prefix}.0` to `{prefix}.8`.
    pub(super) fn load(loader: &mut Loader, prefix: &str) -> Result<Self> {
        let conv_norm = |loader: &mut Loader, name: String, shape| {
            loader.conv_norm(&format!("{name}.0"), &format!("{name}.1"), EPSILON, shape)
        };
        let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 3, stride: 2, dilation: 1, groups: 1 };
        let stem = conv_norm(loader, format!("{prefix}.0"), stem)?;
        let mut inputs = STEM;
        let mut blocks = Vec::new();
        for (stage, (expansion, kernel, first_stride, outputs, count)) in (1..).zip(STAGES) {
            for i in 0..count {
                let name = format!("{prefix}.{stage}.{i}.block");
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
                blocks.push(InvertedResidual {
                    expand,
                    depthwise: conv_norm(loader, format!("{name}.{first}"), depthwise)?,
                    squeeze: Some(SqueezeExcitation {
                        fc1: loader.conv(&format!("{squeeze}.fc1"), ConvShape::pointwise(inside, squeezed))?,
                        fc2: loader.conv(&format!("{squeeze}.fc2"), ConvShape::pointwise(squeezed, inside))?,
                        gate: Gate::Smooth,
                    }),
                    project: conv_norm(loader, format!("{name}.{}", first + 2), ConvShape::pointwise(inside, outputs))?,
                    activation: Activation::Silu,
                    residual: stride == 1 && inputs == outputs,
                });
                inputs = outputs;
            }
        }
        let last = format!("{prefix}.{}", STAGES.len() + 1);
        let last = conv_norm(loader, last, ConvShape::pointwise(inputs, OUTPUTS))?;
        Ok(Self { stem, blocks, last })
    }
}

impl Body for EfficientNetB0 {
    /// `[batch, 3, height, width]` → `[batch, 1280, ⌈height / 32⌉, ⌈width / 32⌉]`
    fn features(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.blocks.iter().fold(silu(self.stem.forward(x)), |x, block| block.forward(x));
        silu(self.last.forward(x))
    }
}
