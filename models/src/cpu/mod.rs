//! Convolution networks on the processor.
//!
//! Plain burn computes them too, and is what this is tested against, but takes three times as long. What makes the
//! difference: channels lie side by side, so that a convolution is a product of matrices whose rows are read where they
//! lie, with nothing copied in between ([`conv`]); 3×3 ones
//! take half the products ([`winograd`]); a tile of the product stays in the processor's registers ([`simd`])
//! until bias, sum and activation are done to it; maps are written over as soon as they are not needed.
//!
//! The result does not depend on the number of threads. With other vectors its sums are rounded otherwise.

mod activation;
mod conv;
mod joined;
mod map;
mod ops;
mod simd;
#[cfg(test)]
mod tests;
pub(crate) mod threads;
mod winograd;

use std::sync::{Mutex, PoisonError};

use steadymask_core::{Plane, Rgb, parallel};

use crate::{
    input::Preparation,
    net::{Activation, Batch, Conv, Graph, Op, Values},
};
use conv::Packed;
use joined::Joined;
use map::Floats;
pub(crate) use map::Map;
pub(crate) use simd::Width;
use winograd::Winograd;

/// A convolution as the engine keeps it.
#[derive(Debug)]
enum Layer {
    Plain(Packed),
    Winograd(Winograd),
    Joined(Box<Joined>),
}

impl Layer {
    fn new(conv: &Conv, width: Width) -> Self {
        if Winograd::suits(conv.shape) {
            Self::Winograd(Winograd::new(conv, width))
        } else {
            Self::Plain(Packed::new(conv, width))
        }
    }

    /// Whether two layers, one behind the other, are done together.
    fn suit(first: &Self, second: &Self) -> bool {
        matches!((first, second), (Self::Plain(first), Self::Plain(second)) if Joined::suits(first, second))
    }

    fn join(first: Self, activation: Activation, second: Self) -> Self {
        match (first, second) {
            (Self::Plain(first), Self::Plain(second)) => Self::Joined(Box::new(Joined { first, activation, second })),
            (_, second) => unreachable!("they do not suit: {second:?}"),
        }
    }

    /// `[height, width]` of the result for a map.
    fn size(&self, x: &Map) -> [usize; 2] {
        match self {
            Self::Plain(conv) => conv.size(x),
            Self::Winograd(_) => [x.height, x.width],
            Self::Joined(pair) => pair.second.size(x),
        }
    }

    /// How many channels the result has.
    fn outputs(&self) -> usize {
        match self {
            Self::Plain(conv) => conv.outputs(),
            Self::Winograd(conv) => conv.outputs(),
            Self::Joined(pair) => pair.second.outputs(),
        }
    }

    /// `activation(conv(x) + add)` into `to`, which has the result's size.
    fn run(&self, engine: &Engine, x: &Map, add: Option<&Map>, activation: Activation, to: &mut Map) {
        match self {
            Self::Plain(conv) => conv.run(x, add, activation, to),
            Self::Winograd(conv) => conv.run(x, add, activation, to),
            Self::Joined(pair) => pair.run(engine, x, add, activation, to),
        }
    }
}

/// A network on the processor.
#[derive(Debug)]
pub(crate) struct Engine {
    graph: Graph<Layer>,
    width: Width,
    /// Memory of maps that are done with.
    free: Mutex<Vec<Floats>>,
}

impl Engine {
    /// Lays out the weights for vectors of this width.
    pub(crate) fn new(graph: &Graph, width: Width) -> Self {
        let graph = graph.map(|conv| Layer::new(conv, width)).joined(Layer::suit, Layer::join);
        Self { graph, width, free: Mutex::default() }
    }

    /// The outputs for a batch.
    pub(crate) fn run(&self, input: &Batch) -> Vec<Batch> {
        self.batches(self.outputs(|| self.input(input)))
    }

    /// The outputs for frames: those for what [`Preparation::batch`] makes of them.
    pub(crate) fn run_frames(
        &self,
        preparation: &Preparation,
        frames: &[&Plane<Rgb>],
        (width, height): (usize, usize),
    ) -> Vec<Batch> {
        let table = preparation.normalization.table();
        let scaled: Vec<_> = preparation.scaled(frames, (width, height)).collect();
        self.batches(self.outputs(|| {
            let mut input = self.without_gaps([frames.len(), 3, height, width]);
            ops::from_pictures(&scaled, &table, &mut input);
            input
        }))
    }

    /// The outputs as they leave the engine.
    fn batches(&self, outputs: Vec<Map>) -> Vec<Batch> {
        outputs
            .into_iter()
            .map(|map| {
                let batch = ops::to_batch(&map);
                self.put_back(map);
                batch
            })
            .collect()
    }

    /// A batch as [`Self::run_on`] wants it.
    pub(crate) fn input(&self, batch: &Batch) -> Map {
        let mut map = self.without_gaps(batch.shape);
        ops::from_batch(batch, &mut map);
        map
    }

    /// A map to be written whose places have nothing between them: only a convolution that gathers reads an input.
    fn without_gaps(&self, [batch, channels, height, width]: [usize; 4]) -> Map {
        let data = self.take(batch * height * width * channels);
        Map { batch, height, width, channels, stride: channels, data }
    }

    /// The outputs for an input, both with their channels side by side. What is no longer needed of them, let
    /// [`Self::put_back`] have.
    pub(crate) fn run_on(&self, input: Map) -> Vec<Map> {
        self.outputs(|| input)
    }

    /// The outputs for the input that `input` makes.
    fn outputs(&self, input: impl FnOnce() -> Map + Send) -> Vec<Map> {
        parallel::inside(|| {
            let mut input = Some(input());
            self.graph.run(|op, values| self.step(op, values, &mut input), |map| self.put_back(map))
        })
    }

    fn step(&self, op: &Op<Layer>, values: &Values<Map>, input: &mut Option<Map>) -> Map {
        match op {
            Op::Input => input.take().expect("a graph has one input"),
            Op::Conv { x, conv, add, activation } => {
                let x = &values[*x];
                let mut to = self.map(x.batch, conv.size(x), conv.outputs());
                conv.run(self, x, add.map(|add| &values[add]), *activation, &mut to);
                to
            }
            Op::MaxPool { x, kernel } => {
                let x = &values[*x];
                let mut to = self.map(x.batch, [x.height.div_ceil(2), x.width.div_ceil(2)], x.channels);
                ops::max_pool(x, *kernel, &mut to);
                to
            }
            Op::Mean(x) => {
                let x = &values[*x];
                let mut to = self.map(x.batch, [1, 1], x.channels);
                ops::mean(self.width, x, &mut to);
                to
            }
            Op::Scale { x, by } => {
                let (x, by) = (&values[*x], &values[*by]);
                let mut to = self.map(x.batch, [x.height, x.width], x.channels);
                ops::scale(x, by, &mut to);
                to
            }
            Op::Concat(parts) => {
                let parts: Vec<&Map> = parts.iter().map(|&part| &values[part]).collect();
                let side = |of: fn(&Map) -> usize| parts.iter().map(|part| of(part)).max().unwrap_or_default();
                let channels = parts.iter().map(|part| part.channels).sum();
                let mut to = self.map(parts[0].batch, [side(|part| part.height), side(|part| part.width)], channels);
                ops::concat(&parts, &mut to);
                to
            }
            Op::Resize { x, like } => {
                let (x, like) = (&values[*x], &values[*like]);
                let mut to = self.map(x.batch, [like.height, like.width], x.channels);
                ops::resize(x, &mut to);
                to
            }
            Op::Repeat { x, like } => {
                let (x, like) = (&values[*x], &values[*like]);
                let mut to = self.map(x.batch, [like.height, like.width], x.channels);
                ops::repeat(x, &mut to);
                to
            }
        }
    }

    /// A map to be written, with what numbers ever.
    pub(crate) fn map(&self, batch: usize, [height, width]: [usize; 2], channels: usize) -> Map {
        let stride = map::stride(channels);
        Map { batch, height, width, channels, stride, data: self.take(batch * height * width * stride) }
    }

    /// Memory of so many floats or more: the least that is free and enough, else new in place of the most.
    fn take(&self, len: usize) -> Floats {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let best = (0..free.len()).min_by_key(|&i| {
            let there = free[i].len();
            if there >= len { (false, there) } else { (true, usize::MAX - there) }
        });
        let memory = best.map(|i| free.swap_remove(i));
        drop(free);
        memory.filter(|memory| memory.len() >= len).unwrap_or_else(|| Floats::zeros(len))
    }

    /// Keeps memory that [`Self::take`] gave.
    fn keep(&self, memory: Floats) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    /// Keeps a map's memory for the next one.
    pub(crate) fn put_back(&self, map: Map) {
        self.keep(map.data);
    }
}
