//! Convolutions and ReLU6 with gradients of our own. burn's gradient of a depthwise kernel takes the channels one at a
//! time, and that of a clamp makes a mask for each bound, which together cost more than the rest of a step.

use burn::{
    backend::{
        Autodiff, BackendTypes, Flex,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        ops::ModuleOps,
    },
    tensor::{Device, Tensor, TensorData, ops::ConvOptions},
};
use rayon::prelude::*;

type Plain = <Flex as BackendTypes>::FloatTensorPrimitive;
type Tracked = <Autodiff<Flex> as BackendTypes>::FloatTensorPrimitive;

const TRACKED: &str = "tensors that are trained are on the CPU, in 32 bits, with their graph";

/// A convolution with a bias, symmetric padding and a kernel that is 1×1, or depthwise, or any other (slower).
pub(crate) fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, options: ConvOptions<2>) -> Tensor<4> {
    let x: Tracked = x.autodiff().try_into_primitive::<Autodiff<Flex>>().expect(TRACKED);
    let weight: Tracked = weight.try_into_primitive::<Autodiff<Flex>>().expect(TRACKED);
    let bias: Tracked = bias.try_into_primitive::<Autodiff<Flex>>().expect(TRACKED);
    let forward = |x: &Tracked, weight: &Tracked, bias: &Tracked, options| {
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.primitive().clone());
        <Flex as ModuleOps<Flex>>::conv2d(x, weight, Some(bias), options)
    };
    let out = forward(&x, &weight, &bias, options.clone());
    let nodes = [x.node(), weight.node(), bias.node()];
    let out = match Conv.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut prep) => {
            let state = (prep.checkpoint(&x), prep.checkpoint(&weight), options);
            prep.finish(state, out)
        }
        OpsKind::UnTracked(prep) => prep.finish(out),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(out)
}

/// `min(max(x, 0), 6)`
pub(crate) fn relu6(x: Tensor<4>) -> Tensor<4> {
    let x: Tracked = x.try_into_primitive::<Autodiff<Flex>>().expect(TRACKED);
    let plain: Tensor<4> = Tensor::from_primitive::<Flex>(x.primitive().clone());
    let out: Plain = plain.clamp(0.0, 6.0).try_into_primitive::<Flex>().expect(TRACKED);
    let out = match Relu6.prepare::<NoCheckpointing>([x.node()]).compute_bound().stateful() {
        // What comes out tells as much as what went in, and is kept for the next layer anyway.
        OpsKind::Tracked(prep) => prep.finish(out.clone(), out),
        OpsKind::UnTracked(prep) => prep.finish(out),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(out)
}

#[derive(Debug)]
struct Relu6;

impl Backward<Flex, 1> for Relu6 {
    type State = Plain;

    fn backward(self, ops: Ops<Plain, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let (grad, out) = (Values::of(grads.consume::<Flex>(&ops.node)), Values::of(ops.state));
        let Some(node) = node else { return };
        let inside = |(&g, &y): (&f32, &f32)| if y > 0.0 && y < 6.0 { g } else { 0.0 };
        let values = grad.slice().par_iter().with_min_len(1 << 14).zip(out.slice()).map(inside).collect();
        grads.register::<Flex>(node.id, primitive(values, grad.shape));
    }
}

#[derive(Debug)]
struct Conv;

impl Backward<Flex, 3> for Conv {
    type State = (NodeId, NodeId, ConvOptions<2>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [on_x, on_weight, on_bias] = ops.parents;
        let grad: Plain = grads.consume::<Flex>(&ops.node);
        let (x, weight, options) = ops.state;
        let x: Plain = checkpointer.retrieve_node_output(x);
        let weight: Plain = checkpointer.retrieve_node_output(weight);
        let tensor = |primitive: &Plain| Tensor::<4>::from_primitive::<Flex>(primitive.clone());
        let inner = |tensor: Tensor<4>| -> Plain { tensor.try_into_primitive::<Flex>().expect(TRACKED) };

        if let Some(node) = on_bias {
            let sums: Tensor<1> = tensor(&grad).sum_dim(3).sum_dim(2).sum_dim(0).flatten(0, 3);
            grads.register::<Flex>(node.id, sums.try_into_primitive::<Flex>().expect(TRACKED));
        }
        let shape = tensor(&weight).dims();
        let (to_x, to_weight) = if shape[2..] == [1, 1] && options.groups == 1 && options.stride == [1, 1] {
            let (x, w, g) = (tensor(&x), tensor(&weight), tensor(&grad));
            let ([batch, inputs, height, width], outputs) = (x.dims(), shape[0]);
            let g: Tensor<3> = g.reshape([batch, outputs, height * width]);
            let x: Tensor<3> = x.reshape([batch, inputs, height * width]);
            let w: Tensor<3> = w.reshape([1, outputs, inputs]).swap_dims(1, 2);
            let to_x = on_x.is_some().then(|| w.matmul(g.clone()).reshape([batch, inputs, height, width]));
            let to_weight = g.matmul(x.swap_dims(1, 2)).sum_dim(0).reshape(shape);
            (to_x.map(inner), inner(to_weight))
        } else if shape[1] == 1 && options.groups == shape[0] {
            let (to_x, to_weight) = depthwise(&Values::of(x), &Values::of(weight), &Values::of(grad), &options);
            (Some(to_x), to_weight)
        } else {
            let to_x = on_x
                .is_some()
                .then(|| Flex::conv2d_x_backward(x.clone(), weight.clone(), grad.clone(), options.clone()));
            (to_x, Flex::conv2d_weight_backward(x, weight, grad, options))
        };
        if let (Some(node), Some(to_x)) = (on_x, to_x) {
            grads.register::<Flex>(node.id, to_x);
        }
        if let Some(node) = on_weight {
            grads.register::<Flex>(node.id, to_weight);
        }
    }
}

/// The numbers of a tensor, row by row.
struct Values {
    primitive: Plain,
    shape: [usize; 4],
}

impl Values {
    fn of(primitive: Plain) -> Self {
        let tensor: Tensor<4> = Tensor::from_primitive::<Flex>(primitive.clone());
        Self { shape: tensor.dims(), primitive: primitive.to_contiguous() }
    }

    fn slice(&self) -> &[f32] {
        self.primitive.as_slice().expect(TRACKED)
    }
}

/// The tensor of these numbers.
fn primitive(values: Vec<f32>, shape: [usize; 4]) -> Plain {
    let tensor: Tensor<4> = Tensor::from_data(TensorData::new(values, shape), &Device::flex());
    tensor.try_into_primitive::<Flex>().expect(TRACKED)
}

/// The gradients of a depthwise convolution to its input and its kernels, given that to its output.
fn depthwise(x: &Values, weight: &Values, grad: &Values, options: &ConvOptions<2>) -> (Plain, Plain) {
    let [_, channels, height, width] = x.shape;
    let [_, _, out_height, out_width] = grad.shape;
    let [_, _, kernel, _] = weight.shape;
    let (stride, dilation, padding) = (options.stride[0], options.dilation[0], options.padding_begin()[0]);
    let taps = kernel * kernel;
    let (x_shape, weight_shape) = (x.shape, weight.shape);
    let (x, weight, grad) = (x.slice(), weight.slice(), grad.slice());
    let mut to_x = vec![0.0; x.len()];
    let to_kernels: Vec<Vec<f32>> = to_x
        .par_chunks_mut(height * width)
        .enumerate()
        .map(|(plane, to_x)| {
            let channel = plane % channels;
            let x = &x[plane * height * width..][..height * width];
            let g = &grad[plane * out_height * out_width..][..out_height * out_width];
            let w = &weight[channel * taps..][..taps];
            let mut to_kernel = vec![0.0; taps];
            for row in 0..kernel {
                let rows = reach(row * dilation, padding, stride, height, out_height);
                for column in 0..kernel {
                    let columns = reach(column * dilation, padding, stride, width, out_width);
                    if columns.is_empty() {
                        continue;
                    }
                    let tap = row * kernel + column;
                    let left = columns.start * stride + column * dilation - padding;
                    let span = (columns.len() - 1) * stride + 1;
                    for y in rows.clone() {
                        let g = &g[y * out_width..][columns.clone()];
                        let from = (y * stride + row * dilation - padding) * width + left;
                        to_kernel[tap] += dot(&x[from..from + span], g, stride);
                        add(&mut to_x[from..from + span], g, w[tap], stride);
                    }
                }
            }
            to_kernel
        })
        .collect();
    let mut to_weight = vec![0.0; channels * taps];
    for (plane, kernel) in to_kernels.iter().enumerate() {
        let sums = &mut to_weight[plane % channels * taps..][..taps];
        sums.iter_mut().zip(kernel).for_each(|(sum, k)| *sum += k);
    }
    (primitive(to_x, x_shape), primitive(to_weight, weight_shape))
}

/// The outputs along one side that a tap of the kernel at `offset` takes from inside the input.
fn reach(offset: usize, padding: usize, stride: usize, inputs: usize, outputs: usize) -> std::ops::Range<usize> {
    let first = padding.saturating_sub(offset).div_ceil(stride);
    // `o · stride + offset − padding ≤ inputs − 1`
    let end = (inputs + padding).checked_sub(offset + 1).map_or(0, |last| last / stride + 1);
    first..end.clamp(first, outputs.max(first))
}

/// `Σ x[i · stride] · g[i]`, in eight sums that become vector instructions.
fn dot(x: &[f32], g: &[f32], stride: usize) -> f32 {
    if stride > 1 {
        return x.iter().step_by(stride).zip(g).map(|(x, g)| x * g).sum();
    }
    let ((x, x_rest), (g, g_rest)) = (x.as_chunks::<8>(), g.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (x, g) in x.iter().zip(g) {
        for ((sum, x), g) in sums.iter_mut().zip(x).zip(g) {
            *sum += x * g;
        }
    }
    let rest: f32 = x_rest.iter().zip(g_rest).map(|(x, g)| x * g).sum();
    sums.iter().sum::<f32>() + rest
}

/// `to[i · stride] += w · g[i]`
fn add(to: &mut [f32], g: &[f32], w: f32, stride: usize) {
    if stride > 1 {
        to.iter_mut().step_by(stride).zip(g).for_each(|(to, g)| *to += w * g);
    } else {
        to.iter_mut().zip(g).for_each(|(to, g)| *to += w * g);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::module;

    use super::*;

    fn pattern(shape: [usize; 4], seed: usize) -> Tensor<4> {
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|i| ((i * 7919 + seed * 104_729) % 1013) as f32 / 506.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff()).require_grad()
    }

    /// Gradients to input, kernel and bias of `Σ conv(x)·t`.
    fn gradients(
        shape: [usize; 4],
        kernel: [usize; 4],
        options: &ConvOptions<2>,
        conv: impl Fn(Tensor<4>, Tensor<4>, Tensor<1>, ConvOptions<2>) -> Tensor<4>,
    ) -> Vec<Vec<f32>> {
        let (x, weight) = (pattern(shape, 1), pattern(kernel, 2));
        let bias: Tensor<1> = pattern([kernel[0], 1, 1, 1], 3).flatten::<1>(0, 3).detach().require_grad();
        let out = conv(x.clone(), weight.clone(), bias.clone(), options.clone());
        let target = pattern(out.dims(), 4).detach();
        let grads = (out * target).sum().backward();
        [
            x.grad(&grads).map(Tensor::into_data),
            weight.grad(&grads).map(Tensor::into_data),
            bias.grad(&grads).map(Tensor::into_data),
        ]
        .map(|data| data.expect("it is tracked").try_into_vec().expect("32-bit floats"))
        .to_vec()
    }

    #[test]
    fn gradients_of_convolutions_are_burns() {
        for (shape, kernel, stride, dilation, groups) in [
            ([2, 5, 9, 7], [5, 1, 3, 3], 1, 1, 5),
            ([2, 5, 9, 7], [5, 1, 3, 3], 2, 1, 5),
            ([2, 4, 8, 11], [4, 1, 3, 3], 2, 1, 4),
            ([1, 3, 17, 19], [3, 1, 3, 3], 1, 2, 3),
            ([2, 3, 3, 2], [3, 1, 3, 3], 1, 2, 3),
            ([2, 6, 5, 4], [7, 6, 1, 1], 1, 1, 1),
            ([2, 3, 9, 9], [4, 3, 3, 3], 2, 1, 1),
        ] {
            let padding = kernel[2] / 2 * dilation;
            let options = ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups);
            let ours = gradients(shape, kernel, &options, conv2d);
            let theirs = gradients(shape, kernel, &options, |x, w, b, o| module::conv2d(x, w, Some(b), o));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!(ours.len(), theirs.len());
                let greatest = theirs.iter().fold(0f32, |m, v| m.max(v.abs()));
                for (a, b) in ours.iter().zip(theirs) {
                    assert!((a - b).abs() <= 1e-5 * greatest, "{shape:?} {kernel:?} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn the_gradient_of_relu6_is_burns() {
        let run = |activation: fn(Tensor<4>) -> Tensor<4>| {
            let x = pattern([1, 2, 11, 13], 5);
            let grads = (activation(x.clone() * 9.0) * pattern([1, 2, 11, 13], 6).detach()).sum().backward();
            x.grad(&grads).expect("it is tracked").into_data().try_into_vec::<f32>().expect("32-bit floats")
        };
        assert_eq!(run(relu6), run(burn::tensor::activation::relu6));
    }
}
