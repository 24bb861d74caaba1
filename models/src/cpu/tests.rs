//! The engine against sums as they are written in books. `net/tests.rs` holds whole networks against burn.

use rayon::ThreadPoolBuilder;
use steadymask_core::Plane;

use super::{
    Engine, Layer, Width,
    simd::{Columns, Places, Vector, Work, dispatch},
    winograd::Winograd,
};
use crate::{
    input::Preparation,
    net::{Activation, Batch, Conv, Graph},
    weights::ConvShape,
};

/// Numbers from −1 to 1.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729 + 13) % 1009) as f32 / 504.0 - 1.0).collect()
}

fn conv(shape: ConvShape, seed: usize) -> Conv {
    let weight = numbers(shape.outputs * shape.inputs / shape.groups * shape.kernel * shape.kernel, seed);
    Conv { shape, weight, bias: numbers(shape.outputs, seed + 1) }
}

fn batch(shape: [usize; 4]) -> Batch {
    Batch { values: numbers(shape.iter().product(), 3), shape }
}

/// The activation as it is defined, in 64 bits.
fn activated(x: f64, activation: Activation) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    let hard_sigmoid = (x + 3.0).clamp(0.0, 6.0) / 6.0;
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::HardSwish => x * hard_sigmoid,
        Activation::HardSigmoid => hard_sigmoid,
        Activation::Sigmoid => sigmoid,
        Activation::Silu => x * sigmoid,
    }
}

/// `activation(conv(x) + add)` in 64 bits.
fn reference(x: &Batch, conv: &Conv, add: Option<&Batch>, activation: Activation) -> Vec<f64> {
    let ConvShape { inputs, outputs, kernel, stride, dilation, groups } = conv.shape;
    let [count, _, height, width] = x.shape;
    let (depth, padding) = (inputs / groups, conv.shape.padding());
    let mut out = Vec::new();
    for picture in 0..count {
        for output in 0..outputs {
            let first = output / (outputs / groups) * depth;
            for (y, x_out) in
                (0..height.div_ceil(stride)).flat_map(|y| (0..width.div_ceil(stride)).map(move |x| (y, x)))
            {
                let mut sum = f64::from(conv.bias[output]);
                for (i, dy, dx) in
                    (0..depth).flat_map(|i| (0..kernel).flat_map(move |dy| (0..kernel).map(move |dx| (i, dy, dx))))
                {
                    let row = (y * stride + dy * dilation).wrapping_sub(padding);
                    let column = (x_out * stride + dx * dilation).wrapping_sub(padding);
                    if row < height && column < width {
                        let value = x.values[((picture * inputs + first + i) * height + row) * width + column];
                        let weight = conv.weight[((output * depth + i) * kernel + dy) * kernel + dx];
                        sum += f64::from(value) * f64::from(weight);
                    }
                }
                sum += add.map_or(0.0, |add| f64::from(add.values[out.len()]));
                out.push(activated(sum, activation));
            }
        }
    }
    out
}

#[track_caller]
fn assert_close(ours: &[f32], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    let largest = expected.iter().fold(0f64, |m, v| m.max(v.abs()));
    for (i, (&ours, &expected)) in ours.iter().zip(expected).enumerate() {
        assert!((f64::from(ours) - expected).abs() <= 1e-5 * largest, "{i}: {ours}, not {expected}");
    }
}

#[test]
fn convolutions_are_sums() {
    let square =
        |inputs, outputs, kernel, stride, dilation| ConvShape { inputs, outputs, kernel, stride, dilation, groups: 1 };
    let shapes = [
        // As the first layers: few inputs are gathered.
        square(3, 16, 3, 2, 1),
        square(3, 33, 7, 2, 1),
        square(3, 8, 3, 1, 2),
        square(3, 21, 1, 1, 1),
        square(3, 40, 1, 2, 1),
    ];
    let second = [
        ConvShape::pointwise(24, 72),
        ConvShape { stride: 2, ..ConvShape::pointwise(24, 17) },
        square(24, 20, 3, 1, 1),
        square(24, 50, 3, 1, 4),
        square(24, 16, 3, 2, 1),
        // Most taps are outside.
        square(24, 16, 3, 1, 12),
        ConvShape::depthwise(24, 3, 1, 1),
        ConvShape::depthwise(24, 3, 2, 1),
        ConvShape::depthwise(24, 5, 1, 2),
        ConvShape::pointwise(24, 300),
    ];
    for width in Width::all() {
        for input in [batch([2, 3, 13, 9]), batch([1, 3, 1, 1]), batch([1, 3, 40, 37])] {
            for (shape, activation) in
                shapes.into_iter().zip([Activation::Relu, Activation::HardSwish].into_iter().cycle())
            {
                let conv = conv(shape, 5);
                let mut graph = Graph::new();
                let y = graph.conv(Graph::INPUT, conv.clone(), activation);
                let outputs = Engine::new(&graph.with_outputs(vec![y]), width).run(&input);
                assert_close(&outputs[0].values, &reference(&input, &conv, None, activation));
            }
            for shape in second {
                let widen = conv(ConvShape::pointwise(3, 24), 7);
                let mut graph = Graph::new();
                let x = graph.conv(Graph::INPUT, widen, Activation::Identity);
                let conv = conv(shape, 11);
                let y = graph.conv(x, conv.clone(), Activation::Relu6);
                let outputs = Engine::new(&graph.with_outputs(vec![x, y]), width).run(&input);
                assert_close(&outputs[1].values, &reference(&outputs[0], &conv, None, Activation::Relu6));
            }
        }
    }
}

#[test]
fn pairs_are_what_each_is_by_itself() {
    let depthwise = |kernel, stride, dilation| ConvShape::depthwise(70, kernel, stride, dilation);
    let shapes = [depthwise(3, 1, 1), depthwise(3, 2, 1), depthwise(5, 1, 1), depthwise(5, 2, 1), depthwise(5, 1, 2)];
    for width in Width::all() {
        // The last has several bands.
        for input in [batch([1, 3, 1, 1]), batch([2, 3, 13, 9]), batch([2, 3, 90, 151])] {
            for shape in shapes {
                let outputs = |shown: bool| {
                    let mut graph = Graph::new();
                    let first = graph.conv(Graph::INPUT, conv(ConvShape::pointwise(3, 70), 5), Activation::HardSwish);
                    let beside = ConvShape { kernel: 3, stride: shape.stride, ..ConvShape::pointwise(3, 70) };
                    let beside = graph.conv(Graph::INPUT, conv(beside, 7), Activation::Identity);
                    let second = graph.conv_add(first, conv(shape, 11), beside, Activation::Relu6);
                    // What is an output is there by itself.
                    let outputs = if shown { vec![second, first] } else { vec![second] };
                    let engine = Engine::new(&graph.with_outputs(outputs), width);
                    let mut pairs = 0;
                    engine.graph.map(|layer| pairs += usize::from(matches!(layer, Layer::Joined(_))));
                    assert_eq!(pairs, usize::from(!shown));
                    let run = |threads: usize| {
                        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a few threads");
                        pool.install(|| engine.run(&input)).swap_remove(0)
                    };
                    [run(1), run(3)]
                };
                let (pair, apart) = (outputs(false), outputs(true));
                assert!(pair == apart, "{shape:?}, {:?}, {width:?}", input.shape);
            }
        }
    }
}

#[test]
fn minimal_filtering_gives_the_same_sums() {
    for width in Width::all() {
        for input in [batch([2, 3, 13, 9]), batch([1, 3, 1, 1]), batch([1, 3, 30, 31])] {
            for dilation in [1, 2, 3, 4] {
                let shape = ConvShape { inputs: 48, outputs: 70, kernel: 3, stride: 1, dilation, groups: 1 };
                assert!(Winograd::suits(shape));
                let widen = conv(ConvShape::pointwise(3, 48), 7);
                let beside = conv(ConvShape::pointwise(3, 70), 9);
                let conv = conv(shape, 11);
                let mut graph = Graph::new();
                let x = graph.conv(Graph::INPUT, widen, Activation::Identity);
                let add = graph.conv(Graph::INPUT, beside, Activation::Identity);
                let y = graph.conv_add(x, conv.clone(), add, Activation::HardSwish);
                let outputs = Engine::new(&graph.with_outputs(vec![x, add, y]), width).run(&input);
                let expected = reference(&outputs[0], &conv, Some(&outputs[1]), Activation::HardSwish);
                assert_close(&outputs[2].values, &expected);
            }
        }
    }
}

#[test]
fn every_activation_is_what_it_says() {
    use Activation::{HardSigmoid, HardSwish, Identity, Relu, Relu6, Sigmoid, Silu};
    let input = batch([1, 3, 20, 30]);
    let (wide, narrow) = (conv(ConvShape::pointwise(3, 20), 1), conv(ConvShape::pointwise(20, 20), 2));
    for width in Width::all() {
        for activation in [Identity, Relu, Relu6, HardSwish, HardSigmoid, Sigmoid, Silu] {
            let mut graph = Graph::new();
            let x = graph.conv(Graph::INPUT, wide.clone(), Identity);
            let y = graph.conv_add(x, narrow.clone(), x, activation);
            let outputs = Engine::new(&graph.with_outputs(vec![x, y]), width).run(&input);
            assert_close(&outputs[1].values, &reference(&outputs[0], &narrow, Some(&outputs[0]), activation));
        }
    }
}

/// All kinds of operations, one after the other.
fn all_operations() -> Graph {
    let mut graph = Graph::new();
    let stem = ConvShape { inputs: 3, outputs: 40, kernel: 3, stride: 2, dilation: 1, groups: 1 };
    let stem = graph.conv(Graph::INPUT, conv(stem, 1), Activation::Relu);
    let pooled = graph.max_pool(stem, 3);
    let filtered = graph.conv(pooled, conv(ConvShape::depthwise(40, 5, 1, 1), 2), Activation::HardSwish);
    let mean = graph.mean(filtered);
    let weights = graph.conv(mean, conv(ConvShape::pointwise(40, 40), 3), Activation::Sigmoid);
    let scaled = graph.scale(filtered, weights);
    let resized = graph.resize(scaled, stem);
    let thinned = graph.max_pool(pooled, 1);
    let repeated = graph.repeat(thinned, stem);
    let joined = graph.concat(vec![stem, weights, resized, repeated]);
    let filter = ConvShape { inputs: 160, outputs: 70, kernel: 3, stride: 1, dilation: 2, groups: 1 };
    let last = graph.conv(joined, conv(filter, 4), Activation::Identity);
    graph.with_outputs(vec![last, weights])
}

#[test]
fn threads_and_earlier_runs_change_nothing() {
    let graph = all_operations();
    for width in Width::all() {
        let engine = Engine::new(&graph, width);
        let run = |threads: usize, input: &Batch| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a few threads");
            pool.install(|| engine.run(input))
        };
        let large = batch([3, 3, 97, 121]);
        let one = run(1, &large);
        // Other sizes in between leave other numbers in the memory that is used again.
        run(2, &batch([1, 3, 33, 45]));
        for threads in [2, 3, 5] {
            assert!(run(threads, &large) == one, "{threads} threads, {width:?}");
        }
        // Nor does the rest of the batch.
        let first = Batch { values: large.values[..3 * 97 * 121].to_vec(), shape: [1, 3, 97, 121] };
        let alone = run(2, &first);
        assert!(one.iter().zip(&alone).all(|(one, alone)| one.values[..alone.values.len()] == alone.values));
    }
}

#[test]
fn frames_are_the_batch_that_they_make() {
    let preparation = Preparation::TORCHVISION;
    let frame = |seed| Plane::from_fn(61, 47, |x, y| [(x * seed) as u8, (y * 5) as u8, (x * y + seed) as u8]);
    let (first, second) = (frame(3), frame(7));
    let engine = Engine::new(&all_operations(), Width::best());
    // As they are, and made smaller.
    for size in [(61, 47), (50, 33)] {
        let expected = engine.run(&preparation.batch(&[&first, &second], size));
        for threads in [1, 3] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a few threads");
            let outputs = pool.install(|| engine.run_frames(&preparation, &[&first, &second], size));
            assert!(outputs == expected, "{size:?}, {threads} threads");
        }
    }
}

#[test]
fn what_is_not_a_number_stays_visible() {
    let mut input = batch([1, 3, 33, 33]);
    input.values[40] = f32::NAN;
    for width in Width::all() {
        let outputs = Engine::new(&all_operations(), width).run(&input);
        assert!(outputs.iter().all(|output| output.values.iter().any(|value| value.is_nan())), "{width:?}");
    }
}

#[test]
fn channels_of_one_place_are_shared_out() {
    let mut graph = Graph::new();
    let wide = graph.conv(Graph::INPUT, conv(ConvShape::pointwise(3, 200), 1), Activation::HardSwish);
    let mean = graph.mean(wide);
    let wide = graph.conv(mean, conv(ConvShape::pointwise(200, 203), 2), Activation::HardSigmoid);
    let graph = graph.with_outputs(vec![wide]);
    for width in Width::all() {
        let engine = Engine::new(&graph, width);
        let run = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a few threads");
            pool.install(|| engine.run(&batch([2, 3, 40, 37])))
        };
        let one = run(1);
        for threads in [2, 3, 9] {
            assert!(run(threads) == one, "{threads} threads, {width:?}");
        }
    }
}

/// Writes a vector of ones.
struct Write<'a> {
    to: Columns<'a>,
    places: Places,
    channel: usize,
}

impl Work for Write<'_> {
    #[inline(always)]
    fn run<V: Vector, const ROWS: usize>(mut self) {
        self.to.write(self.places, 2, self.channel, [[V::splat(1.0)]; 3]);
    }
}

#[test]
fn columns_are_written_where_they_are() {
    let mut floats = [0.0; 4 * 48];
    for (places, channel) in [(Places { first: 0, before: 1, gap: 1 }, 0), (Places::side_by_side(2), 16)] {
        let (before, rest) = Columns::of(&mut floats, 48).split_at(16);
        assert_eq!((before.channels(), rest.channels(), rest.places()), (0..16, 16..48, 4));
        let to = if channel == 0 { before } else { rest };
        dispatch(Width::Narrow, Write { to, places, channel });
    }
    let written: Vec<usize> = (0..floats.len()).filter(|&i| floats[i] == 1.0).collect();
    let expected: Vec<usize> = [0, 2 * 48, 2 * 48 + 16, 3 * 48 + 16].into_iter().flat_map(|i| i..i + 4).collect();
    assert_eq!(written, expected);
}

#[test]
fn columns_are_not_left() {
    let side_by_side = Places::side_by_side;
    let gap = |gap| Places { first: 1, before: 1, gap };
    // Channels of the others, the next place, no place, one behind the gap.
    for (places, channel) in [
        (side_by_side(0), 12),
        (side_by_side(0), 30),
        (side_by_side(0), 45),
        (side_by_side(2), 16),
        (side_by_side(3), 16),
        (side_by_side(usize::MAX), 16),
        (side_by_side(0), usize::MAX),
        (gap(1), 16),
        (gap(usize::MAX), 16),
    ] {
        let mut floats = [0.0; 3 * 48];
        let (_, rest) = Columns::of(&mut floats, 48).split_at(16);
        let (rest, _) = rest.split_at(32);
        let write = std::panic::AssertUnwindSafe(|| dispatch(Width::Narrow, Write { to: rest, places, channel }));
        assert!(std::panic::catch_unwind(write).is_err(), "{places:?}, channel {channel}");
    }
}
