//! A pointwise convolution and, behind it, one of each channel by itself, done together: the map between the two, the
//! largest of its surroundings, is made a block of channels and a band of rows at a time and never leaves the cache.

use super::{
    Engine,
    conv::{BLOCK, Packed, Sink, blocks, panels},
    map::{Floats, Map},
    simd::{
        Columns, Places, Steps, Vector, Work, dispatch, load_all, multiply, multiply_apart, multiply_inside,
        multiply_shared,
    },
    threads,
};
use crate::{net::Activation, weights::ConvShape};

/// Most places that the second convolution does at once.
const TILE: usize = 8;
/// Bytes of a band of the map between: it stays in the second cache.
const BAND: usize = 448 << 10;
/// A band sees rows of its neighbours. Where that makes more rows than so many quarters of what there are, each
/// convolution is done for itself.
const QUARTERS: usize = 5;

/// The two.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) first: Packed,
    /// Of the first.
    pub(super) activation: Activation,
    pub(super) second: Packed,
}

impl Joined {
    /// Whether two convolutions can be joined.
    pub(super) fn suits(first: &Packed, second: &Packed) -> bool {
        first.is_pointwise() && second.shape.groups > 1 && matches!(second.shape.kernel, 3 | 5)
    }

    /// `activation(second(first(x)) + add)` into `to`, which has the result's size.
    pub(super) fn run(&self, engine: &Engine, x: &Map, add: Option<&Map>, activation: Activation, to: &mut Map) {
        let Some(split) = self.split(x, to) else {
            let mut between = engine.map(x.batch, [x.height, x.width], self.first.outputs());
            self.first.run(x, None, self.activation, &mut between);
            self.second.run(&between, add, activation, to);
            return engine.put_back(between);
        };
        let (wide, row, picture) = (self.wide(x), to.width * to.stride, to.height * to.width * to.stride);
        for index in 0..x.batch {
            let add = add.map(|add| &add.data[index * picture..][..picture]);
            let stride = to.stride;
            let work = |first: usize, out: Columns| {
                let below = self.seen(out.places() / to.width);
                // What the last tile sees beyond the last row is not used.
                let mut between = engine.take((below * wide + TILE * self.second.shape.stride) * BLOCK);
                dispatch(
                    self.first.width,
                    Band {
                        joined: self,
                        x,
                        picture: index,
                        top: (first * self.second.shape.stride) as isize - self.second.shape.padding() as isize,
                        below,
                        wide,
                        between: &mut between,
                        width: to.width,
                        sink: Sink {
                            add: add.map(|add| &add[first * row..][..out.places() * stride]),
                            activation,
                            out,
                        },
                    },
                );
                engine.keep(between);
            };
            let out = &mut to.data[index * picture..][..picture];
            match split {
                Split::Channels => {
                    threads::each(blocks(Columns::of(out, stride), self.second.outputs()), |out| work(0, out))
                }
                Split::Rows(rows) => {
                    threads::pieces(out, rows * row, |band, out| work(band * rows, Columns::of(out, stride)));
                }
            }
        }
    }

    /// Rows of the map between that so many rows of the result see.
    fn seen(&self, rows: usize) -> usize {
        let ConvShape { kernel, stride, dilation, .. } = self.second.shape;
        (rows - 1) * stride + (kernel - 1) * dilation + 1
    }

    /// Places of a row of the map between, with its margins.
    fn wide(&self, x: &Map) -> usize {
        x.width + 2 * self.second.shape.padding()
    }

    /// How a picture is split; `None` where bands would do too much twice.
    fn split(&self, x: &Map, to: &Map) -> Option<Split> {
        let fitting = BAND / size_of::<f32>() / BLOCK / self.wide(x);
        let fitting = fitting.checked_sub(self.seen(1))? / self.second.shape.stride + 1;
        let rows = threads::share(to.height, fitting);
        let share = self.second.outputs().div_ceil(BLOCK).div_ceil(threads::count()) * BLOCK;
        if to.height <= fitting && share * self.seen(to.height) <= self.second.outputs() * self.seen(rows) {
            return Some(Split::Channels);
        }
        let bands = to.height.div_ceil(rows);
        (4 * bands * self.seen(rows) <= QUARTERS * self.seen(to.height)).then_some(Split::Rows(rows))
    }
}

/// How a picture is shared out.
#[derive(Clone, Copy)]
enum Split {
    /// All rows in one band, some of the channels to each thread: nothing is done twice.
    Channels,
    /// So many rows of the result in a band.
    Rows(usize),
}

/// Some rows of the result, or of some of its channels.
struct Band<'a> {
    joined: &'a Joined,
    x: &'a Map,
    picture: usize,
    /// The row of the map between that the band sees first, and how many it sees.
    top: isize,
    below: usize,
    wide: usize,
    /// `[below, wide, BLOCK]` and a rest that is read and not used.
    between: &'a mut Floats,
    /// Of the result.
    width: usize,
    sink: Sink<'a>,
}

impl Work for Band<'_> {
    #[inline(always)]
    fn run<V: Vector, const ROWS: usize>(mut self) {
        self.margins();
        let channels = self.sink.out.channels();
        let end = channels.end.min(self.joined.second.outputs());
        for block in (channels.start..end).step_by(BLOCK) {
            for (channel, len) in panels(end.min(block + BLOCK) - block, self.joined.first.width) {
                if len > V::LANES {
                    self.expand::<V, ROWS, 2>(block, channel);
                } else {
                    self.expand::<V, ROWS, 1>(block, channel);
                }
            }
            let ConvShape { kernel, stride, dilation, .. } = self.joined.second.shape;
            // As many places as there are registers for.
            match (V::LANES, kernel, stride, dilation) {
                (16, 3, ..) => self.by_channel::<V, TILE, 3, 0, 0>(block),
                (16, ..) => self.by_channel::<V, TILE, 5, 0, 0>(block),
                (4, 3, 1, 1) => self.by_channel::<V, TILE, 3, 1, 1>(block),
                (4, 3, 2, 1) => self.by_channel::<V, TILE, 3, 2, 1>(block),
                (4, 5, 1, 1) => self.by_channel::<V, TILE, 5, 1, 1>(block),
                (4, 5, 1, 2) => self.by_channel::<V, TILE, 5, 1, 2>(block),
                (4, 5, 2, 1) => self.by_channel::<V, TILE, 5, 2, 1>(block),
                (_, 3, ..) => self.by_channel::<V, { TILE / 2 }, 3, 0, 0>(block),
                _ => self.by_channel::<V, { TILE / 2 }, 5, 0, 0>(block),
            }
        }
    }
}

impl Band<'_> {
    /// The rows of the map between that lie inside, of those that the band sees.
    fn inside(&self) -> std::ops::Range<usize> {
        let row = |row: isize| (row - self.top) as usize;
        row(self.top.max(0))..row((self.top + self.below as isize).min(self.x.height as isize))
    }

    /// Sets what lies outside to zero. No block writes there.
    fn margins(&mut self) {
        let padding = self.joined.second.shape.padding() * BLOCK;
        let inside = self.inside();
        for (y, row) in self.between.chunks_exact_mut(self.wide * BLOCK).take(self.below).enumerate() {
            if inside.contains(&y) {
                let end = row.len() - padding;
                row[..padding].fill(0.0);
                row[end..].fill(0.0);
            } else {
                row.fill(0.0);
            }
        }
    }

    /// The first convolution: channels from `block + channel` on to `channel` of the map between.
    #[inline(always)]
    fn expand<V: Vector, const ROWS: usize, const N: usize>(&mut self, block: usize, channel: usize) {
        let (conv, x, inside) = (&self.joined.first, self.x, self.inside());
        let margin = self.joined.second.shape.padding();
        let first = (self.picture * x.height + (self.top + inside.start as isize) as usize) * x.width;
        let count = inside.len() * x.width;
        let depth = conv.shape.inputs;
        let weights = &conv.weights[depth * (block + channel)..][..depth * N * V::LANES];
        let bias = load_all::<V, N>(&conv.bias[block + channel..]);
        let mut sink = Sink {
            add: None,
            activation: self.joined.activation,
            out: Columns::of(&mut self.between[(inside.start * self.wide + margin) * BLOCK..], BLOCK),
        };
        // Where a tile begins: the column, and the places of margins before it.
        let (mut start, mut column, mut skipped) = (0, 0, 0);
        while start < count {
            let mut sums = [bias; ROWS];
            if start + ROWS <= count {
                multiply_apart(&x.data, (first + start) * x.stride, x.stride, weights, &mut sums);
            } else {
                let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
                for (m, row) in rows.iter_mut().enumerate() {
                    *row = x.at(first + (start + m).min(count - 1));
                }
                multiply(&rows, weights, &mut sums);
            }
            // It ends in the next row at the latest.
            let before = x.width - column;
            let len = ROWS.min(before + x.width).min(count - start);
            let first = start + skipped;
            if len <= before {
                sink.finish(Places::side_by_side(first), len, channel, sums);
            } else {
                sink.finish(Places { first, before, gap: 2 * margin }, len, channel, sums);
            }
            (start, column) = (start + len, column + len);
            while column >= x.width {
                (column, skipped) = (column - x.width, skipped + 2 * margin);
            }
        }
    }

    /// The second convolution, of a block of channels, with a kernel of `K`×`K`, stride `S` and dilation `D`; both 0 for any.
    #[inline(always)]
    fn by_channel<V: Vector, const T: usize, const K: usize, const S: usize, const D: usize>(&mut self, block: usize) {
        let end = self.joined.second.outputs().min(block + BLOCK);
        let width = self.width;
        let rows = self.sink.out.places() / width;
        for (y, x) in (0..rows).flat_map(|y| (0..width).step_by(T).map(move |x| (y, x))) {
            let mut channel = block;
            while channel < end {
                channel += V::LANES
                    * if S > 0 {
                        self.shared::<V, T, K, S, D>((x, y), block, channel)
                    } else if end - channel > V::LANES {
                        self.tile::<V, T, 2, K>((x, y), block, channel)
                    } else {
                        self.tile::<V, T, 1, K>((x, y), block, channel)
                    };
            }
        }
    }

    /// A vector of channels at a tile of `T` places, whose kernels share what they see; gives 1.
    #[inline(always)]
    fn shared<V: Vector, const T: usize, const K: usize, const S: usize, const D: usize>(
        &mut self,
        (x, y): (usize, usize),
        block: usize,
        channel: usize,
    ) -> usize {
        let conv = &self.joined.second;
        let first = (y * self.wide + x) * S * BLOCK + channel - block;
        let steps = Steps::of(conv.shape, self.wide, BLOCK, first);
        let mut sums = [load_all::<V, 1>(&conv.bias[channel..]); T];
        multiply_shared::<V, T, K, S, D>(
            self.between,
            steps,
            BLOCK,
            &conv.weights,
            self.sink.out.stride(),
            channel,
            &mut sums,
        );
        self.sink.finish(Places::side_by_side(y * self.width + x), T.min(self.width - x), channel, sums);
        1
    }

    /// `N` vectors of channels at a tile of `T` places; gives `N`.
    #[inline(always)]
    fn tile<V: Vector, const T: usize, const N: usize, const K: usize>(
        &mut self,
        (x, y): (usize, usize),
        block: usize,
        channel: usize,
    ) -> usize {
        let conv = &self.joined.second;
        let first = (y * self.wide + x) * conv.shape.stride * BLOCK + channel - block;
        let steps = Steps::of(conv.shape, self.wide, BLOCK, first);
        let mut sums = [load_all::<V, N>(&conv.bias[channel..]); T];
        multiply_inside::<V, T, N, K>(self.between, steps, &conv.weights, self.sink.out.stride(), channel, &mut sums);
        self.sink.finish(Places::side_by_side(y * self.width + x), T.min(self.width - x), channel, sums);
        N
    }
}
