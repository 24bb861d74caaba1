//! The block that MobileNets and EfficientNets are made of (Sandler et al. 2018): widen, filter each channel by itself,
//! narrow.

use super::graph::{
    Activation::{self, HardSigmoid, Identity, Relu, Sigmoid, Silu},
    Conv, Graph, Value,
};

/// Its parts.
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
    pub(super) fn push(self, graph: &mut Graph, input: Value) -> Value {
        let mut x = input;
        if let Some(expand) = self.expand {
            x = graph.conv(x, expand, self.activation);
        }
        x = graph.conv(x, self.depthwise, self.activation);
        if let Some(squeeze) = self.squeeze {
            x = squeeze.push(graph, x);
        }
        if self.residual {
            graph.conv_add(x, self.project, input, Identity)
        } else {
            graph.conv(x, self.project, Identity)
        }
    }
}

/// Weighs each channel by what the means of all channels say (Hu et al. 2018).
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
    /// Keeps the shape.
    fn push(self, graph: &mut Graph, x: Value) -> Value {
        let (inner, outer) = match self.gate {
            Gate::Hard => (Relu, HardSigmoid),
            Gate::Smooth => (Silu, Sigmoid),
        };
        let mean = graph.mean(x);
        let squeezed = graph.conv(mean, self.fc1, inner);
        let weights = graph.conv(squeezed, self.fc2, outer);
        graph.scale(x, weights)
    }
}
