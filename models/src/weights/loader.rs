use std::collections::BTreeSet;

use super::{StateDict, state_dict::Array};
use crate::{Error, Result, net::Conv};

/// What a convolution looks like: square kernel, symmetric padding that keeps the size at stride 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) groups: usize,
}

impl ConvShape {
    /// A 1×1 convolution.
    pub(crate) fn pointwise(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, kernel: 1, stride: 1, dilation: 1, groups: 1 }
    }

    /// A convolution of each channel by itself.
    pub(crate) fn depthwise(channels: usize, kernel: usize, stride: usize, dilation: usize) -> Self {
        Self { inputs: channels, outputs: channels, kernel, stride, dilation, groups: channels }
    }

    /// Zeros on each side.
    pub(crate) fn padding(self) -> usize {
        self.kernel / 2 * self.dilation
    }
}

/// Takes a network's layers from a state dictionary, by the names torchvision gives them, and keeps the
/// account of what was used.
pub(crate) struct Loader<'a> {
    network: &'static str,
    weights: &'a StateDict,
    used: BTreeSet<String>,
    /// Names of the convolutions with a bias, in the order in which they were taken.
    #[cfg(feature = "train")]
    pub(crate) taken: Vec<String>,
}

impl<'a> Loader<'a> {
    /// A loader for the network of that name.
    pub(crate) fn new(network: &'static str, weights: &'a StateDict) -> Self {
        Self {
            network,
            weights,
            used: BTreeSet::new(),
            #[cfg(feature = "train")]
            taken: Vec::new(),
        }
    }

    /// A convolution with a bias: `{name}.weight` and `{name}.bias`.
    pub(crate) fn conv(&mut self, name: &str, shape: ConvShape) -> Result<Conv> {
        let weight = self.kernel(name, shape)?.to_vec();
        let bias = self.vector(name, "bias", shape.outputs)?.to_vec();
        #[cfg(feature = "train")]
        self.taken.push(name.to_owned());
        Ok(Conv { shape, weight, bias })
    }

    /// A convolution with a bias that goes by one of these names: the first where it has both or neither.
    pub(crate) fn conv_of(&mut self, names: [String; 2], shape: ConvShape) -> Result<Conv> {
        let [first, other] = names;
        let there = |name: &str| self.weights.get(&format!("{name}.weight")).is_some();
        let name = if !there(&first) && there(&other) { other } else { first };
        self.conv(&name, shape)
    }

    /// A transposed convolution with a bias, whose kernel is as large as its stride, so that none of what it gives overlaps:
    /// a convolution of one pixel that gives the `kernel²` pixels which lie on it, row by row, each with its outputs.
    pub(crate) fn transposed(&mut self, name: &str, inputs: usize, outputs: usize, kernel: usize) -> Result<Conv> {
        let pixels = kernel * kernel;
        let weight = self.values(format!("{name}.weight"), &[inputs, outputs, kernel, kernel])?;
        let at = |pixel, output, input| weight[(input * outputs + output) * pixels + pixel];
        let rows = (0..pixels).flat_map(|pixel| (0..outputs).map(move |output| (pixel, output)));
        let weight = rows.flat_map(|(pixel, output)| (0..inputs).map(move |input| at(pixel, output, input))).collect();
        let bias = self.vector(name, "bias", outputs)?.repeat(pixels);
        Ok(Conv { shape: ConvShape::pointwise(inputs, pixels * outputs), weight, bias })
    }

    /// A linear layer on all of a map of `side`×`side`, as a convolution of one pixel whose inputs are the map's places, row
    /// by row, each with its channels.
    pub(crate) fn linear_of_map(&mut self, name: &str, channels: usize, side: usize, outputs: usize) -> Result<Conv> {
        let Conv { shape, weight, bias } = self.linear(name, channels * side * side, outputs)?;
        let mut by_place = Vec::with_capacity(weight.len());
        for row in weight.chunks_exact(shape.inputs) {
            for place in 0..side * side {
                by_place.extend(row[place..].iter().step_by(side * side));
            }
        }
        Ok(Conv { shape, weight: by_place, bias })
    }

    /// A convolution without a bias: `{name}.weight`.
    pub(crate) fn conv_without_bias(&mut self, name: &str, shape: ConvShape) -> Result<Conv> {
        let weight = self.kernel(name, shape)?.to_vec();
        Ok(Conv { shape, weight, bias: vec![0.0; shape.outputs] })
    }

    /// A linear layer, as a convolution of one pixel: `{name}.weight` and `{name}.bias`.
    pub(crate) fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<Conv> {
        let weight = self.values(format!("{name}.weight"), &[outputs, inputs])?.to_vec();
        let bias = self.vector(name, "bias", outputs)?.to_vec();
        Ok(Conv { shape: ConvShape::pointwise(inputs, outputs), weight, bias })
    }

    /// A convolution without a bias, `{conv}.weight`, and the batch normalisation `norm` behind it, folded
    /// into one: `γ·(w∗x − μ)/√(σ² + ε) + β = (w·s)∗x + (β − μ·s)` with `s = γ/√(σ² + ε)`.
    pub(crate) fn conv_norm(&mut self, conv: &str, norm: &str, epsilon: f32, shape: ConvShape) -> Result<Conv> {
        let mut weight = self.kernel(conv, shape)?.to_vec();
        let gamma = self.vector(norm, "weight", shape.outputs)?;
        let beta = self.vector(norm, "bias", shape.outputs)?;
        let mean = self.vector(norm, "running_mean", shape.outputs)?;
        let variance = self.vector(norm, "running_var", shape.outputs)?;
        if let Some(negative) = variance.iter().find(|&&v| v < 0.0) {
            let reason = format!("the tensor {norm}.running_var holds the variance {negative} (expected 0 or more)");
            return Err(Error::Weights { reason });
        }
        let scale: Vec<f32> = gamma.iter().zip(variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        let kernel_len = weight.len() / shape.outputs;
        for (kernel, scale) in weight.chunks_exact_mut(kernel_len).zip(&scale) {
            kernel.iter_mut().for_each(|w| *w *= scale);
        }
        let bias = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok(Conv { shape, weight, bias })
    }

    /// The first extent of a tensor whose size the file decides (the number of classes).
    pub(crate) fn outputs(&self, name: &str) -> Result<usize> {
        self.array(name)?.shape.first().copied().filter(|&n| n > 1).ok_or_else(|| Error::Weights {
            reason: format!("the tensor {name} does not tell two classes or more apart"),
        })
    }

    /// Whether the weights have a tensor whose name begins so.
    pub(crate) fn any(&self, prefix: &str) -> bool {
        self.weights.names().any(|name| name.starts_with(prefix))
    }

    /// Checks a tensor that the network has but inference does not use.
    pub(crate) fn leave_out(&mut self, tensor: &str, shape: &[usize]) -> Result<()> {
        self.values(tensor.to_owned(), shape).map(drop)
    }

    /// Checks that nothing is left over: weights with surplus tensors belong to another network.
    pub(crate) fn finish(self) -> Result<()> {
        let mut surplus = self.weights.names().filter(|&name| !self.used.contains(name));
        match surplus.next() {
            None => Ok(()),
            Some(first) => Err(Error::SurplusTensors {
                network: self.network,
                count: 1 + surplus.count(),
                first: first.to_owned(),
            }),
        }
    }

    fn array(&self, name: &str) -> Result<&'a Array> {
        self.weights.get(name).ok_or_else(|| Error::MissingTensor { network: self.network, tensor: name.to_owned() })
    }

    fn values(&mut self, tensor: String, expected: &[usize]) -> Result<&'a [f32]> {
        let array = self.array(&tensor)?;
        if array.shape != expected {
            return Err(Error::TensorShape {
                network: self.network,
                tensor,
                actual: array.shape.clone(),
                expected: expected.to_vec(),
            });
        }
        self.used.insert(tensor);
        Ok(&array.values)
    }

    fn kernel(&mut self, name: &str, shape: ConvShape) -> Result<&'a [f32]> {
        let expected = [shape.outputs, shape.inputs / shape.groups, shape.kernel, shape.kernel];
        self.values(format!("{name}.weight"), &expected)
    }

    fn vector(&mut self, name: &str, parameter: &str, len: usize) -> Result<&'a [f32]> {
        self.values(format!("{name}.{parameter}"), &[len])
    }
}
