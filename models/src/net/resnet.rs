//! ResNets (He et al. 2016) as torchvision's: a bottleneck's stride is in its 3×3 convolution. For segmentation the
//! last two stages are dilated in place of striding (`replace_stride_with_dilation=[False, True, True]`), which leaves
//! an output stride of 8 in place of 32.

use burn::tensor::{Tensor, activation::relu, module::max_pool2d, ops::MaxPoolOptions};

use super::{Body, Conv};
use crate::{
    Result,
    weights::{ConvShape, Loader},
};

/// The ε of the batch norms.
const EPSILON: f32 = 1e-5;

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

/// Convolutions one after the other, and what is added to them.
#[derive(Debug)]
struct Block {
    /// Narrow, filter, widen; in the smaller networks two filters.
    convs: Vec<Conv>,
    /// Fits the input to the output where their shapes differ.
    downsample: Option<Conv>,
}

impl Block {
    /// `[batch, inputs, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(x.clone()),
            None => x.clone(),
        };
        let (last, first) = self.convs.split_last().expect("a block has two or three");
        let x = first.iter().fold(x, |x, conv| relu(conv.forward(x)));
        relu(last.forward(x) + shortcut)
    }
}

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

    /// Channels of the features.
    pub(super) const fn outputs(self) -> usize {
        self.expansion() * WIDTHS[3]
    }
}

#[derive(Debug)]
pub(super) struct ResNet {
    stem: Conv,
    blocks: Vec<Block>,
}

impl ResNet {
    /// Channels after the third stage of bottlenecks.
    pub(super) const THIRD: usize = EXPANSION * WIDTHS[2];

    /// Takes `{prefix}conv1`, `{prefix}bn1` and `{prefix}layer1` to `{prefix}layer4`, which have so many `blocks`;
    /// `dilated` for segmentation.
    pub(super) fn load(
        loader: &mut Loader,
        prefix: &str,
        kind: Kind,
        blocks: [usize; 4],
        dilated: bool,
    ) -> Result<Self> {
        let conv_norm =
            |loader: &mut Loader, conv: String, norm: String, shape| loader.conv_norm(&conv, &norm, EPSILON, shape);
        let stem = ConvShape { inputs: 3, outputs: STEM, kernel: 7, stride: 2, dilation: 1, groups: 1 };
        let stem = conv_norm(loader, format!("{prefix}conv1"), format!("{prefix}bn1"), stem)?;
        let stages = if dilated { DILATED } else { STRIDED };
        let mut inputs = STEM;
        let mut all = Vec::with_capacity(blocks.iter().sum());
        for (stage, ((inside, (first_stride, first_dilation, dilation)), count)) in
            WIDTHS.into_iter().zip(stages).zip(blocks).enumerate()
        {
            let outputs = kind.expansion() * inside;
            for i in 0..count {
                let name = format!("{prefix}layer{}.{i}", stage + 1);
                let (stride, dilation) = if i == 0 { (first_stride, first_dilation) } else { (1, dilation) };
                let filter =
                    |inputs, stride| ConvShape { inputs, outputs: inside, kernel: 3, stride, dilation, groups: 1 };
                let shapes = match kind {
                    Kind::Basic => vec![filter(inputs, stride), filter(inside, 1)],
                    Kind::Bottleneck => vec![
                        ConvShape::pointwise(inputs, inside),
                        filter(inside, stride),
                        ConvShape::pointwise(inside, outputs),
                    ],
                };
                let convs = (1..).zip(shapes).map(|(number, shape)| {
                    conv_norm(loader, format!("{name}.conv{number}"), format!("{name}.bn{number}"), shape)
                });
                let convs = convs.collect::<Result<Vec<_>>>()?;
                let downsample = if stride > 1 || inputs != outputs {
                    let shape = ConvShape { stride, ..ConvShape::pointwise(inputs, outputs) };
                    Some(conv_norm(loader, format!("{name}.downsample.0"), format!("{name}.downsample.1"), shape)?)
                } else {
                    None
                };
                all.push(Block { convs, downsample });
                inputs = outputs;
            }
        }
        Ok(Self { stem, blocks: all })
    }
}

impl Body for ResNet {
    /// `[batch, 3, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`, the stride being 32, or 8
    /// where it is dilated.
    fn features(&self, x: Tensor<4>) -> Tensor<4> {
        let stem = relu(self.stem.forward(x));
        let pool = MaxPoolOptions::new([3; 2]).with_stride([2; 2]).with_padding([1; 2]);
        self.blocks.iter().fold(max_pool2d(stem, pool), |x, block| block.forward(x))
    }
}
