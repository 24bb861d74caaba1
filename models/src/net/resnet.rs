//! ResNet-50 and ResNet-101 (He et al. 2016) at output stride 8, as torchvision's
//! `resnet50(replace_stride_with_dilation=[False, True, True])`: the last two stages are dilated in place of
//! striding, and a block's stride is in its 3×3 convolution.

use burn::tensor::{Tensor, activation::relu, module::max_pool2d, ops::MaxPoolOptions};

use super::Conv;
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// The ε of the batch norms.
const EPSILON: f32 = 1e-5;

/// Channels after the stem.
const STEM: usize = 64;
/// Outputs of a block in widths of its inside.
const EXPANSION: usize = 4;

/// Width inside the blocks, stride of the first, dilation of the first and of the others, for the stages 1 to 4.
const STAGES: [(usize, usize, usize, usize); 4] = [(64, 1, 1, 1), (128, 2, 1, 1), (256, 1, 1, 2), (512, 1, 2, 4)];

/// Narrow, filter, widen; and what is added to it.
#[derive(Debug)]
struct Bottleneck {
    narrow: Conv,
    filter: Conv,
    widen: Conv,
    /// Fits the input to the output where their shapes differ.
    downsample: Option<Conv>,
}

impl Bottleneck {
    /// `[batch, inputs, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(x.clone()),
            None => x.clone(),
        };
        let x = relu(self.narrow.forward(x));
        let x = relu(self.filter.forward(x));
        relu(self.widen.forward(x) + shortcut)
    }
}

#[derive(Debug)]
pub(super) struct ResNet {
    stem: Conv,
    blocks: Vec<Bottleneck>,
}

impl ResNet {
    /// Channels of the features.
    pub(super) const OUTPUTS: usize = EXPANSION * STAGES[3].0;
    /// Channels after the third stage.
    pub(super) const THIRD: usize = EXPANSION * STAGES[2].0;

    /// Takes `{prefix}.conv1`, `{prefix}.bn1` and `{prefix}.layer1` to `{prefix}.layer4`, which have so many
    /// `blocks`.
    pub(super) fn load(loader: &mut Loader, prefix: &str, blocks: [usize; 4]) -> Result<Self> {
        let conv_norm =
            |loader: &mut Loader, conv: String, norm: String, shape| loader.conv_norm(&conv, &norm, EPSILON, shape);
        let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 7, stride: 2, dilation: 1, groups: 1 };
        let stem = conv_norm(loader, format!("{prefix}.conv1"), format!("{prefix}.bn1"), stem)?;
        let mut inputs = STEM;
        let mut all = Vec::with_capacity(blocks.iter().sum());
        for (stage, ((inside, first_stride, first_dilation, dilation), count)) in
            STAGES.into_iter().zip(blocks).enumerate()
        {
            let outputs = EXPANSION * inside;
            for i in 0..count {
                let name = format!("{prefix}.layer{}.{i}", stage + 1);
                let (stride, dilation) = if i == 0 { (first_stride, first_dilation) } else { (1, dilation) };
                let filter = ConvShape { inputs: inside, outputs: inside, kernel: 3, stride, dilation, groups: 1 };
                let mut part = |number: usize, shape| {
                    conv_norm(loader, format!("{name}.conv{number}"), format!("{name}.bn{number}"), shape)
                };
                let narrow = part(1, ConvShape::pointwise(inputs, inside))?;
                let filter = part(2, filter)?;
                let widen = part(3, ConvShape::pointwise(inside, outputs))?;
                let downsample = if i == 0 {
                    let shape = ConvShape { stride, ..ConvShape::pointwise(inputs, outputs) };
                    Some(conv_norm(loader, format!("{name}.downsample.0"), format!("{name}.downsample.1"), shape)?)
                } else {
                    None
                };
                all.push(Bottleneck { narrow, filter, widen, downsample });
                inputs = outputs;
            }
        }
        Ok(Self { stem, blocks: all })
    }

    /// `[batch, 3, height, width]` → `[batch, 2048, ⌈height / 8⌉, ⌈width / 8⌉]`
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let stem = relu(self.stem.forward(x));
        let pool = MaxPoolOptions::new([3; 2]).with_stride([2; 2]).with_padding([1; 2]);
        self.blocks.iter().fold(max_pool2d(stem, pool), |x, block| block.forward(x))
    }
}
