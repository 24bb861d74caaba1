//! The block that MobileNets and EfficientNets are made of (Sandler et al. 2018): widen, filter each channel by itself,
//! narrow.

use burn::tensor::{
    Tensor,
    activation::{hard_sigmoid, hard_swish, relu, relu6, sigmoid, silu},
};

use super::{Conv, global_mean};

#[derive(Debug, Clone, Copy)]
pub(super) enum Activation {
    Relu,
    Relu6,
    HardSwish,
    Silu,
}

impl Activation {
    pub(super) fn forward(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Relu => relu(x),
            Self::Relu6 => relu6(x),
            Self::HardSwish => hard_swish(x),
            Self::Silu => silu(x),
        }
    }
}

#[derive(Debug)]
pub(super) struct InvertedResidual {
    pub(super) expand: Option<Conv>,
    pub(super) depthwise: Conv,
    pub(super) squeeze: Option<SqueezeExcitation>,
    pub(super) project: Conv,
    pub(super) activation: Activation,
    /// Whether the input is added to the output.
    pub(super) residual: bool,
}

impl InvertedResidual {
    /// `[batch, inputs, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = self.residual.then(|| x.clone());
        let x = match &self.expand {
            Some(expand) => self.activation.forward(expand.forward(x)),
            None => x,
        };
        let x = self.activation.forward(self.depthwise.forward(x));
        let x = match &self.squeeze {
            Some(squeeze) => squeeze.forward(x),
            None => x,
        };
        let x = self.project.forward(x);
        match shortcut {
            Some(shortcut) => x + shortcut,
            None => x,
        }
    }
}

/// Weighs each channel by what the means of all channels say (Hu et al. 2018).
#[derive(Debug)]
pub(super) struct SqueezeExcitation {
    pub(super) fc1: Conv,
    pub(super) fc2: Conv,
    pub(super) gate: Gate,
}

/// With which functions the means become weights.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gate {
    /// ReLU and the hard sigmoid: MobileNetV3.
    Hard,
    /// SiLU and the sigmoid: EfficientNet.
    Smooth,
}

impl SqueezeExcitation {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let squeezed = self.fc1.forward(global_mean(x.clone()));
        x * match self.gate {
            Gate::Hard => hard_sigmoid(self.fc2.forward(relu(squeezed)), 1.0 / 6.0, 0.5),
            Gate::Smooth => sigmoid(self.fc2.forward(silu(squeezed))),
        }
    }
}
