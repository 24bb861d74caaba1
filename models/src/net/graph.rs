//! A network as data: which operation follows which. Made once from the weights; the CPU engine and burn each make of
//! it what they run.

use crate::weights::ConvShape;

/// What is done to each number that a convolution gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x · min(max(x + 3, 0), 6) / 6`
    HardSwish,
    /// `min(max(x + 3, 0), 6) / 6`
    HardSigmoid,
    /// `1 / (1 + exp(−x))`
    Sigmoid,
    /// `x / (1 + exp(−x))`
    Silu,
}

/// A convolution: square kernel, padding that keeps the size at stride 1. A linear layer is a 1×1 one.
#[derive(Debug, Clone)]
pub(crate) struct Conv {
    pub(crate) shape: ConvShape,
    /// `[outputs, inputs / groups, kernel, kernel]`
    pub(crate) weight: Vec<f32>,
    /// `[outputs]`
    pub(crate) bias: Vec<f32>,
}

impl Conv {
    /// Both convolutions of one input as one, the other's outputs behind these.
    pub(crate) fn beside(&self, other: &Self) -> Self {
        debug_assert_eq!((self.shape.inputs, self.shape.kernel), (other.shape.inputs, other.shape.kernel));
        Self {
            shape: ConvShape { outputs: self.shape.outputs + other.shape.outputs, ..self.shape },
            weight: [&self.weight[..], &other.weight].concat(),
            bias: [&self.bias[..], &other.bias].concat(),
        }
    }
}

/// What an operation gives: `[batch, channels, height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value(usize);

/// An operation; `C` is what a convolution is kept as.
#[derive(Debug, Clone)]
pub(crate) enum Op<C> {
    /// `[batch, channels, height, width]`
    Input,
    /// `activation(conv(x) + add)`: `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
    Conv { x: Value, conv: C, add: Option<Value>, activation: Activation },
    /// The maximum of `kernel`×`kernel`, an odd number, at stride 2, padded by half of it. Of 1×1 it is every second place.
    MaxPool { x: Value, kernel: usize },
    /// The mean of each channel: `[batch, channels, 1, 1]`
    Mean(Value),
    /// `x` times `by`, which has a number for each channel: `[batch, channels, 1, 1]`
    Scale { x: Value, by: Value },
    /// One after the other along the channels; 1×1 stands for all places.
    Concat(Vec<Value>),
    /// Interpolated bilinearly to the height and width of `like`, half-pixel centres (`align_corners = false`).
    Resize { x: Value, like: Value },
    /// The nearest place above and to the left, at the height and width of `like`: place `⌊i · from / to⌋`.
    Repeat { x: Value, like: Value },
}

impl<C> Op<C> {
    fn operands(&self) -> Vec<Value> {
        match self {
            Self::Input => Vec::new(),
            Self::Conv { x, add, .. } => std::iter::once(*x).chain(*add).collect(),
            Self::MaxPool { x, .. } | Self::Mean(x) => vec![*x],
            Self::Scale { x, by: other } | Self::Resize { x, like: other } | Self::Repeat { x, like: other } => {
                vec![*x, *other]
            }
            Self::Concat(parts) => parts.clone(),
        }
    }

    fn operands_mut(&mut self) -> Vec<&mut Value> {
        match self {
            Self::Input => Vec::new(),
            Self::Conv { x, add, .. } => std::iter::once(x).chain(add).collect(),
            Self::MaxPool { x, .. } | Self::Mean(x) => vec![x],
            Self::Scale { x, by: other } | Self::Resize { x, like: other } | Self::Repeat { x, like: other } => {
                vec![x, other]
            }
            Self::Concat(parts) => parts.iter_mut().collect(),
        }
    }
}

/// Operations in an order in which they can be done.
#[derive(Debug, Clone)]
pub(crate) struct Graph<C = Conv> {
    ops: Vec<Op<C>>,
    channels: Vec<usize>,
    outputs: Vec<Value>,
}

impl Graph {
    /// The network's input.
    pub(crate) const INPUT: Value = Value(0);

    /// A graph that has only [`Self::INPUT`], of three channels.
    pub(crate) fn new() -> Self {
        Self::of(3)
    }

    /// A graph that has only [`Self::INPUT`], of so many channels.
    pub(crate) fn of(channels: usize) -> Self {
        Self { ops: vec![Op::Input], channels: vec![channels], outputs: Vec::new() }
    }

    fn push(&mut self, op: Op<Conv>, channels: usize) -> Value {
        debug_assert!(op.operands().iter().all(|value| value.0 < self.ops.len()));
        self.ops.push(op);
        self.channels.push(channels);
        Value(self.ops.len() - 1)
    }

    /// How many channels a value has.
    pub(crate) fn channels(&self, x: Value) -> usize {
        self.channels[x.0]
    }

    /// `activation(conv(x))`
    pub(crate) fn conv(&mut self, x: Value, conv: Conv, activation: Activation) -> Value {
        debug_assert_eq!(conv.shape.inputs, self.channels(x));
        let channels = conv.shape.outputs;
        self.push(Op::Conv { x, conv, add: None, activation }, channels)
    }

    /// `activation(conv(x) + add)`
    pub(crate) fn conv_add(&mut self, x: Value, conv: Conv, add: Value, activation: Activation) -> Value {
        debug_assert_eq!((conv.shape.inputs, conv.shape.outputs), (self.channels(x), self.channels(add)));
        let channels = conv.shape.outputs;
        self.push(Op::Conv { x, conv, add: Some(add), activation }, channels)
    }

    /// See [`Op::MaxPool`].
    pub(crate) fn max_pool(&mut self, x: Value, kernel: usize) -> Value {
        debug_assert!(kernel % 2 == 1);
        self.push(Op::MaxPool { x, kernel }, self.channels(x))
    }

    /// See [`Op::Mean`].
    pub(crate) fn mean(&mut self, x: Value) -> Value {
        self.push(Op::Mean(x), self.channels(x))
    }

    /// See [`Op::Scale`].
    pub(crate) fn scale(&mut self, x: Value, by: Value) -> Value {
        debug_assert_eq!(self.channels(x), self.channels(by));
        self.push(Op::Scale { x, by }, self.channels(x))
    }

    /// See [`Op::Concat`].
    pub(crate) fn concat(&mut self, parts: Vec<Value>) -> Value {
        let channels = parts.iter().map(|&part| self.channels(part)).sum();
        self.push(Op::Concat(parts), channels)
    }

    /// See [`Op::Resize`].
    pub(crate) fn resize(&mut self, x: Value, like: Value) -> Value {
        self.push(Op::Resize { x, like }, self.channels(x))
    }

    /// See [`Op::Repeat`].
    pub(crate) fn repeat(&mut self, x: Value, like: Value) -> Value {
        self.push(Op::Repeat { x, like }, self.channels(x))
    }

    /// The same with these outputs.
    pub(crate) fn with_outputs(self, outputs: Vec<Value>) -> Self {
        Self { outputs, ..self }
    }
}

impl<C> Graph<C> {
    /// The same with its convolutions kept otherwise.
    pub(crate) fn map<D>(&self, mut keep: impl FnMut(&C) -> D) -> Graph<D> {
        let ops = self.ops.iter().map(|op| match op {
            Op::Input => Op::Input,
            Op::Conv { x, conv, add, activation } => {
                Op::Conv { x: *x, conv: keep(conv), add: *add, activation: *activation }
            }
            Op::MaxPool { x, kernel } => Op::MaxPool { x: *x, kernel: *kernel },
            Op::Mean(x) => Op::Mean(*x),
            Op::Scale { x, by } => Op::Scale { x: *x, by: *by },
            Op::Concat(parts) => Op::Concat(parts.clone()),
            Op::Resize { x, like } => Op::Resize { x: *x, like: *like },
            Op::Repeat { x, like } => Op::Repeat { x: *x, like: *like },
        });
        Graph { ops: ops.collect(), channels: self.channels.clone(), outputs: self.outputs.clone() }
    }

    /// The same with pairs of convolutions as one: those that suit, of which the first is there for the second only.
    /// `join` gets the first, what is done to its numbers, and the second.
    pub(crate) fn joined(self, suits: impl Fn(&C, &C) -> bool, join: impl Fn(C, Activation, C) -> C) -> Self {
        let mut uses = vec![0; self.ops.len()];
        let needed = self.ops.iter().flat_map(Op::operands).chain(self.outputs.iter().copied());
        needed.for_each(|value| uses[value.0] += 1);
        // Of each second one, the number of the first.
        let firsts: Vec<Option<usize>> = (self.ops.iter())
            .map(|op| match op {
                Op::Conv { x, conv, .. } if uses[x.0] == 1 => match &self.ops[x.0] {
                    Op::Conv { conv: first, add: None, .. } => suits(first, conv).then_some(x.0),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        let mut gone = vec![false; self.ops.len()];
        firsts.iter().flatten().for_each(|&first| gone[first] = true);
        let left: Vec<usize> =
            gone.iter().scan(0, |left, gone| Some(std::mem::replace(left, *left + usize::from(!gone)))).collect();
        let mut ops: Vec<Option<Op<C>>> = self.ops.into_iter().map(Some).collect();
        let mut graph = Self { ops: Vec::new(), channels: Vec::new(), outputs: self.outputs };
        for (i, channels) in self.channels.into_iter().enumerate().filter(|&(i, _)| !gone[i]) {
            let first = firsts[i].and_then(|first| ops[first].take());
            let mut op = match (first, ops[i].take().expect("each is taken once")) {
                (
                    Some(Op::Conv { x, conv: first, activation: between, .. }),
                    Op::Conv { conv, add, activation, .. },
                ) => Op::Conv { x, conv: join(first, between, conv), add, activation },
                (_, op) => op,
            };
            op.operands_mut().into_iter().for_each(|value| value.0 = left[value.0]);
            graph.ops.push(op);
            graph.channels.push(channels);
        }
        graph.outputs.iter_mut().for_each(|value| value.0 = left[value.0]);
        graph
    }

    /// Does the operations one after the other and gives the outputs. `run(op, values)` does one on the values there
    /// are; a value is let go after its last use by `free`.
    pub(crate) fn run<T>(&self, mut run: impl FnMut(&Op<C>, &Values<T>) -> T, mut free: impl FnMut(T)) -> Vec<T> {
        let mut last_use = vec![0; self.ops.len()];
        for (i, op) in self.ops.iter().enumerate() {
            op.operands().iter().for_each(|value| last_use[value.0] = i);
        }
        self.outputs.iter().for_each(|value| last_use[value.0] = usize::MAX);
        let mut values = Values(Vec::with_capacity(self.ops.len()));
        for (i, op) in self.ops.iter().enumerate() {
            let value = run(op, &values);
            values.0.push(Some(value));
            let mut done = op.operands();
            done.retain(|value| last_use[value.0] == i);
            done.into_iter().filter_map(|value| values.0[value.0].take()).for_each(&mut free);
        }
        self.outputs.iter().filter_map(|value| values.0[value.0].take()).collect()
    }
}

/// The values of a graph that is being run.
pub(crate) struct Values<T>(Vec<Option<T>>);

impl<T> std::ops::Index<Value> for Values<T> {
    type Output = T;

    fn index(&self, value: Value) -> &T {
        self.0[value.0].as_ref().expect("a value that is still needed")
    }
}
