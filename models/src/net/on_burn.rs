//! A network in burn: on the GPU, and as the reference of the CPU engine.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{hard_sigmoid, hard_swish, relu, sigmoid, silu},
    module::{conv2d, interpolate, max_pool2d},
    ops::{ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions},
};

use super::{
    Batch,
    graph::{Activation, Conv, Graph, Op, Values},
};

/// A convolution on its device.
#[derive(Debug)]
struct OnDevice {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

impl OnDevice {
    fn new(conv: &Conv, device: &Device) -> Self {
        let shape = conv.shape;
        let weight = TensorData::new(
            conv.weight.clone(),
            [shape.outputs, shape.inputs / shape.groups, shape.kernel, shape.kernel],
        );
        Self {
            weight: Tensor::from_data(weight, device),
            bias: Tensor::from_data(TensorData::new(conv.bias.clone(), [shape.outputs]), device),
            options: ConvOptions::new([shape.stride; 2], [shape.padding(); 2], [shape.dilation; 2], shape.groups),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "train")]
        if self.weight.is_tracked() {
            return crate::train::gradient::conv2d(x, self.weight.clone(), self.bias.clone(), self.options.clone());
        }
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone())
    }
}

/// `min(max(x, 0), 6)`
fn relu6(x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "train")]
    if x.is_tracked() {
        return crate::train::gradient::relu6(x);
    }
    burn::tensor::activation::relu6(x)
}

/// A network on one of burn's devices.
#[derive(Debug)]
pub(crate) struct OnBurn {
    graph: Graph<OnDevice>,
    device: Device,
}

impl OnBurn {
    /// Brings the weights to the device.
    pub(crate) fn new(graph: &Graph, device: Device) -> Self {
        Self { graph: graph.map(|conv| OnDevice::new(conv, &device)), device }
    }

    /// The outputs for a batch.
    ///
    /// # Errors
    /// In words, when the device fails.
    pub(crate) async fn run(&self, input: Batch) -> Result<Vec<Batch>, String> {
        let input = Tensor::from_data(TensorData::new(input.values, input.shape), &self.device);
        let tensors = self.graph.run(|op, values| step(op, values, &input), drop);
        let mut outputs = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let shape = tensor.dims();
            let data: TensorData = tensor.into_data_async().await.map_err(|e| e.to_string())?;
            outputs.push(Batch { values: data.try_into_vec().map_err(|e| e.to_string())?, shape });
        }
        Ok(outputs)
    }
}

#[cfg(feature = "train")]
impl OnBurn {
    /// The network on the CPU with its graph of gradients, and the weight and bias of each convolution, in order.
    pub(crate) fn tracked(graph: &Graph) -> (Self, Vec<(Tensor<4>, Tensor<1>)>) {
        let device = Device::flex().autodiff();
        let mut parameters = Vec::new();
        let graph = graph.map(|conv| {
            let OnDevice { weight, bias, options } = OnDevice::new(conv, &device);
            let (weight, bias) = (weight.require_grad(), bias.require_grad());
            parameters.push((weight.clone(), bias.clone()));
            OnDevice { weight, bias, options }
        });
        (Self { graph, device }, parameters)
    }

    /// The first output, where it can be differentiated.
    pub(crate) fn forward(&self, input: Batch) -> Tensor<4> {
        let input = Tensor::from_data(TensorData::new(input.values, input.shape), &Device::flex());
        self.graph.run(|op, values| step(op, values, &input), drop).swap_remove(0)
    }
}

fn step(op: &Op<OnDevice>, values: &Values<Tensor<4>>, input: &Tensor<4>) -> Tensor<4> {
    let get = |value| values[value].clone();
    match op {
        Op::Input => input.clone(),
        Op::Conv { x, conv, add, activation } => {
            let y = conv.forward(get(*x));
            let y = match add {
                Some(add) => y + get(*add),
                None => y,
            };
            activate(y, *activation)
        }
        Op::MaxPool { x, kernel } => {
            let options = MaxPoolOptions::new([*kernel; 2]).with_stride([2; 2]).with_padding([kernel / 2; 2]);
            max_pool2d(get(*x), options)
        }
        Op::Mean(x) => get(*x).mean_dim(3).mean_dim(2),
        Op::Scale { x, by } => get(*x) * get(*by),
        Op::Concat(parts) => {
            let parts: Vec<_> = parts.iter().map(|&part| get(part)).collect();
            let [height, width] =
                [2, 3].map(|axis| parts.iter().map(|part| part.dims()[axis]).max().unwrap_or_default());
            let expand = |part: Tensor<4>| {
                let [batch, channels, ..] = part.dims();
                part.expand([batch, channels, height, width])
            };
            Tensor::cat(parts.into_iter().map(expand).collect(), 1)
        }
        Op::Resize { x, like } => {
            let [_, _, height, width] = values[*like].dims();
            let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_output_size([height, width])
                .with_align_corners(false);
            interpolate(get(*x), options)
        }
        Op::Repeat { x, like } => {
            let [_, _, height, width] = values[*like].dims();
            let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([height, width]);
            interpolate(get(*x), options)
        }
    }
}

fn activate(x: Tensor<4>, activation: Activation) -> Tensor<4> {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Relu6 => relu6(x),
        Activation::HardSwish => hard_swish(x),
        Activation::HardSigmoid => hard_sigmoid(x, 1.0 / 6.0, 0.5),
        Activation::Sigmoid => sigmoid(x),
        Activation::Silu => silu(x),
    }
}
