//! Convolutions: bias, sum and activation are done while the result is in registers.

use super::{
    activation::activate,
    map::{self, Floats, Map},
    simd::{
        Columns, Places, Steps, Vector, Width, Work, dispatch, load_all, multiply, multiply_apart, multiply_channels,
        multiply_inside, multiply_taps,
    },
    threads,
};
use crate::{
    net::{Activation, Conv},
    weights::ConvShape,
};

/// Below so many inputs a kernel is gathered before it is multiplied.
const FEW_INPUTS: usize = 16;
/// Places that a convolution of each channel by itself does at once; tiles of a strip; channels of a column.
const TILE: usize = 4;
const STRIP: usize = 8;
const COLUMN: usize = 64;
/// Channels of a block: whole panels of any width.
pub(super) const BLOCK: usize = 32;
/// So many weights are worth sharing among threads, where the places are too few.
const MANY: usize = 1 << 15;
/// Bytes of a piece of work: what it reads and writes stays in the second cache.
const PIECE: usize = 384 << 10;

/// A convolution as the engine keeps it.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) shape: ConvShape,
    pub(super) width: Width,
    /// Of each panel of two vectors of outputs, one for the rest: `[kernel, kernel, inputs, outputs of the panel]`.
    /// Of each channel by itself: `[kernel, kernel, channels to the stride]`.
    pub(super) weights: Floats,
    /// To the stride.
    pub(super) bias: Floats,
    /// What lies outside the picture.
    zeros: Floats,
}

impl Packed {
    /// Lays out the weights for vectors of this width.
    pub(super) fn new(conv: &Conv, width: Width) -> Self {
        let shape = conv.shape;
        let ConvShape { inputs, outputs, kernel, groups, .. } = shape;
        assert!(groups == 1 || groups == inputs && groups == outputs, "all channels together, or each by itself");
        let (taps, depth, stride) = (kernel * kernel, inputs / groups, map::stride(outputs));
        let weight = |output: usize, input: usize, tap: usize| conv.weight[(output * depth + input) * taps + tap];
        let mut weights = Vec::new();
        if groups > 1 {
            for tap in 0..taps {
                weights.extend((0..stride).map(|c| if c < outputs { weight(c, 0, tap) } else { 0.0 }));
            }
        } else {
            for (first, len) in panels(outputs, width) {
                for (tap, input) in (0..taps).flat_map(|tap| (0..depth).map(move |input| (tap, input))) {
                    let of = |c| if c < outputs { weight(c, input, tap) } else { 0.0 };
                    weights.extend((first..first + len).map(of));
                }
            }
        }
        let mut bias = conv.bias.clone();
        bias.resize(stride, 0.0);
        let zeros = Floats::zeros(map::stride(inputs));
        Self { shape, width, weights: Floats::of(&weights), bias: Floats::of(&bias), zeros }
    }

    /// `[height, width]` of the result for a map.
    pub(super) fn size(&self, x: &Map) -> [usize; 2] {
        [x.height, x.width].map(|side| side.div_ceil(self.shape.stride))
    }

    /// How many channels the result has.
    pub(super) fn outputs(&self) -> usize {
        self.shape.outputs
    }

    /// `activation(conv(x) + add)` into `to`, which has the result's size.
    pub(super) fn run(&self, x: &Map, add: Option<&Map>, activation: Activation, to: &mut Map) {
        debug_assert_eq!((x.batch, x.channels), (to.batch, self.shape.inputs));
        debug_assert_eq!(([to.height, to.width], to.channels), (self.size(x), self.shape.outputs));
        debug_assert!(add.is_none_or(|add| add.places() == to.places() && add.stride == to.stride));
        let (stride, places) = (to.stride, to.places());
        let reads = x.places() * x.stride / places;
        let rows = self.width.rows();
        // As much as fits the cache, but where the weights are many they are to be read seldom.
        let fitting = PIECE.max(2 * size_of_val(&*self.weights)) / size_of::<f32>() / (reads + stride);
        let piece = threads::share(places, fitting).next_multiple_of(rows);
        let size = (to.height, to.width);
        let work = |first: usize, out: Columns| {
            let add = add.map(|add| &add.data[first * stride..][..out.places() * stride]);
            let corners = if self.is_pointwise() { Vec::new() } else { self.corners(size, first, out.places()) };
            let task = Task { conv: self, x, corners, first, sink: Sink { add, activation, out } };
            if self.shape.groups > 1 {
                dispatch(self.width, ByChannel(task));
            } else {
                dispatch(self.width, Dense(task));
            }
        };
        let out = &mut to.data[..places * stride];
        if places <= rows && self.shape.groups == 1 && self.weights.len() >= MANY {
            return threads::each(blocks(Columns::of(out, stride), self.outputs()), |out| work(0, out));
        }
        threads::pieces(out, piece * stride, |index, out| work(index * piece, Columns::of(out, stride)));
    }

    /// Whether each place of the result looks at the same place of the map alone.
    pub(super) fn is_pointwise(&self) -> bool {
        (self.shape.kernel, self.shape.stride, self.shape.groups) == (1, 1, 1)
    }

    /// Where the kernel begins for each of `count` places of a result of that `(height, width)`.
    fn corners(&self, (height, width): (usize, usize), first: usize, count: usize) -> Vec<Corner> {
        let at = |i: usize| (i * self.shape.stride) as isize - self.shape.padding() as isize;
        // Counted on, since dividing for each place takes longer than what is done there.
        let (row, mut x) = (first / width, first % width);
        let (mut picture, mut y) = (row / height, row % height);
        let mut corners = Vec::with_capacity(count);
        while corners.len() < count {
            let here = (width - x).min(count - corners.len());
            corners.extend((x..x + here).map(|x| Corner { picture, y: at(y), x: at(x) }));
            x = 0;
            (picture, y) = if y + 1 < height { (picture, y + 1) } else { (picture + 1, 0) };
        }
        corners
    }
}

/// The columns of so many channels in shares for the threads, about as large as each other, of whole blocks.
pub(super) fn blocks(mut out: Columns, channels: usize) -> Vec<Columns> {
    let mut shares = Vec::new();
    for share in 1..threads::count() {
        let end = (channels * share / threads::count() + BLOCK / 2) / BLOCK * BLOCK;
        if out.channels().start < end && end < channels {
            let (before, rest) = out.split_at(end);
            shares.push(before);
            out = rest;
        }
    }
    shares.push(out);
    shares
}

/// First output and number of outputs of each panel.
pub(super) fn panels(outputs: usize, width: Width) -> impl Iterator<Item = (usize, usize)> {
    let lanes = width.lanes();
    (0..outputs).step_by(2 * lanes).map(move |first| (first, if outputs - first > lanes { 2 * lanes } else { lanes }))
}

/// Row and column of a picture under the first tap of a kernel.
#[derive(Clone, Copy)]
struct Corner {
    picture: usize,
    y: isize,
    x: isize,
}

/// A piece of a convolution's result.
pub(super) struct Task<'a> {
    conv: &'a Packed,
    x: &'a Map,
    /// One for each place, but for pointwise convolutions.
    corners: Vec<Corner>,
    /// The piece's first place.
    first: usize,
    sink: Sink<'a>,
}

impl<'a> Task<'a> {
    /// All of a pointwise convolution's result, at that stride, without activation.
    pub(super) fn pointwise(conv: &'a Packed, x: &'a Map, stride: usize, out: &'a mut [f32]) -> Self {
        debug_assert!(conv.is_pointwise());
        let sink = Sink { add: None, activation: Activation::Identity, out: Columns::of(out, stride) };
        Self { conv, x, corners: Vec::new(), first: 0, sink }
    }

    fn places(&self) -> usize {
        self.sink.out.places()
    }

    /// What the tap at row `dy` and column `dx` of the kernel sees at a place of the piece; `None` outside.
    #[inline(always)]
    fn seen(&self, place: usize, dy: usize, dx: usize) -> Option<&'a [f32]> {
        let Corner { picture, y, x } = self.corners[place];
        let dilation = self.conv.shape.dilation;
        let map = self.x;
        let first = picture * map.height * map.width;
        let at = map.inside(first, y + (dy * dilation) as isize, x + (dx * dilation) as isize)?;
        Some(&map.data[at * map.stride..][..map.stride])
    }

    /// The place of the map under a kernel's first tap, where all of its taps are inside.
    #[inline(always)]
    fn uncut(&self, Corner { picture, y, x }: Corner) -> Option<usize> {
        let ConvShape { kernel, dilation, .. } = self.conv.shape;
        let reach = ((kernel - 1) * dilation) as isize;
        let first = picture * self.x.height * self.x.width;
        self.x.inside(first, y + reach, x + reach)?;
        self.x.inside(first, y, x)
    }

    /// The place of the map under the first tap for the first of `T` places side by side that see nothing but the map.
    #[inline(always)]
    fn whole<const T: usize>(&self, start: usize) -> Option<usize> {
        let (corner, last) = (self.corners[start], *self.corners.get(start + T - 1)?);
        if last.x != corner.x + ((T - 1) * self.conv.shape.stride) as isize {
            return None;
        }
        self.uncut(last)?;
        self.uncut(corner)
    }

    /// What each tap of the kernel sees at a tile of places.
    #[inline(always)]
    fn see(&self, start: usize, rows: &mut Vec<[&'a [f32]; TILE]>) {
        let kernel = self.conv.shape.kernel;
        let last = self.places() - 1;
        for (dy, dx) in (0..kernel).flat_map(|dy| (0..kernel).map(move |dx| (dy, dx))) {
            let mut row: [&[f32]; TILE] = [&self.conv.zeros; TILE];
            for (t, row) in row.iter_mut().enumerate() {
                *row = self.seen((start + t).min(last), dy, dx).unwrap_or(*row);
            }
            rows.push(row);
        }
    }

    /// Copies what the row `dy` of the kernel sees at a place of the piece.
    #[inline(always)]
    fn gather(&self, place: usize, dy: usize, to: &mut [f32]) {
        let inputs = self.conv.shape.inputs;
        for (dx, to) in to.chunks_exact_mut(inputs).enumerate() {
            let seen = self.seen(place, dy, dx).unwrap_or(&self.conv.zeros);
            // Too few for a call.
            to.iter_mut().zip(seen).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Where results go, and what is done to them before.
pub(super) struct Sink<'a> {
    /// Has the places and the stride of `out`.
    pub(super) add: Option<&'a [f32]>,
    pub(super) activation: Activation,
    pub(super) out: Columns<'a>,
}

impl Sink<'_> {
    /// Finishes the first `count` of `sums` and writes them to `places`, channels from `channel` on.
    #[inline(always)]
    pub(super) fn finish<V: Vector, const ROWS: usize, const N: usize>(
        &mut self,
        places: Places,
        count: usize,
        channel: usize,
        mut sums: [[V; N]; ROWS],
    ) {
        let stride = self.out.stride();
        // Loops over all rows, so that they are unrolled and the sums stay in registers.
        if let Some(add) = self.add {
            for m in 0..ROWS {
                if m < count {
                    for n in 0..N {
                        sums[m][n] = sums[m][n].add(V::load(&add[places.at(m) * stride + channel + n * V::LANES..]));
                    }
                }
            }
        }
        // One loop for each, and one for whole tiles.
        macro_rules! write {
            ($($activation:ident),*) => {
                match self.activation {
                    $(Activation::$activation => {
                        for m in 0..ROWS {
                            for n in 0..N {
                                sums[m][n] = activate(sums[m][n], Activation::$activation);
                            }
                        }
                        if count == ROWS {
                            self.out.write(places, ROWS, channel, sums);
                        } else {
                            self.out.write(places, count, channel, sums);
                        }
                    })*
                }
            };
        }
        write!(Identity, Relu, Relu6, HardSwish, HardSigmoid, Sigmoid, Silu)
    }
}

/// How a tile of places sees the map.
enum Tile {
    /// Side by side, all of it inside, from this place of the map on.
    Inside(usize),
    /// As is told for each tap, from this one on.
    ByTap(usize),
}

impl Task<'_> {
    /// Each of `N` vectors of channels by itself, at a tile of places; gives `N`.
    #[inline(always)]
    fn channels<V: Vector, const N: usize, const K: usize>(
        &mut self,
        tile: &Tile,
        rows: &[[&[f32]; TILE]],
        start: usize,
        channel: usize,
    ) -> usize {
        let (conv, x, stride) = (self.conv, self.x, self.sink.out.stride());
        let mut sums = [load_all::<V, N>(&conv.bias[channel..]); TILE];
        match *tile {
            Tile::Inside(first) => {
                let steps = Steps::of(conv.shape, x.width, x.stride, first * x.stride + channel);
                multiply_inside::<V, TILE, N, K>(&x.data, steps, &conv.weights, stride, channel, &mut sums);
            }
            Tile::ByTap(first) => {
                let taps = conv.shape.kernel * conv.shape.kernel;
                multiply_channels(&rows[first..first + taps], &conv.weights, stride, channel, &mut sums);
            }
        }
        self.sink.finish(Places::side_by_side(start), TILE.min(self.places() - start), channel, sums);
        N
    }

    /// All of it: kernels of `K`×`K`; `K` is 0 for any other.
    #[inline(always)]
    fn by_channel<V: Vector, const K: usize>(&mut self) {
        let outputs = self.conv.shape.outputs;
        // By columns of channels, so that what a strip sees stays in the first cache.
        let (mut tiles, mut rows) = (Vec::with_capacity(STRIP), Vec::new());
        let places = self.places();
        for strip in (0..places).step_by(STRIP * TILE) {
            tiles.clear();
            rows.clear();
            for start in (strip..places.min(strip + STRIP * TILE)).step_by(TILE) {
                let inside = if K == 0 { None } else { self.whole::<TILE>(start) };
                tiles.push(inside.map_or(Tile::ByTap(rows.len()), Tile::Inside));
                if inside.is_none() {
                    self.see(start, &mut rows);
                }
            }
            for column in (0..outputs).step_by(COLUMN) {
                for (tile, start) in tiles.iter().zip((strip..).step_by(TILE)) {
                    let (mut channel, end) = (column, outputs.min(column + COLUMN));
                    while channel < end {
                        let left = (end - channel).div_ceil(V::LANES);
                        channel += V::LANES
                            * match left {
                                4.. if V::LANES == 16 => self.channels::<V, 4, K>(tile, &rows, start, channel),
                                2.. => self.channels::<V, 2, K>(tile, &rows, start, channel),
                                _ => self.channels::<V, 1, K>(tile, &rows, start, channel),
                            };
                    }
                }
            }
        }
    }
}

/// All channels together.
struct Dense<'a>(Task<'a>);

impl Work for Dense<'_> {
    #[inline(always)]
    fn run<V: Vector, const ROWS: usize>(self) {
        self.0.dense::<V, ROWS>();
    }
}

impl Task<'_> {
    /// All channels together: a product of matrices, a panel of the weights at a time.
    #[inline(always)]
    pub(super) fn dense<V: Vector, const ROWS: usize>(mut self) {
        let conv = self.conv;
        let depth = conv.shape.kernel * conv.shape.kernel * conv.shape.inputs;
        let channels = self.sink.out.channels();
        for (channel, len) in panels(conv.shape.outputs, conv.width).filter(|(channel, _)| channels.contains(channel)) {
            let panel = &conv.weights[depth * channel..][..depth * len];
            match (self.places() < ROWS, len > V::LANES) {
                (false, true) => self.panel::<V, ROWS, 2>(channel, panel),
                (false, false) => self.panel::<V, ROWS, 1>(channel, panel),
                (true, true) => self.panel::<V, 1, 2>(channel, panel),
                (true, false) => self.panel::<V, 1, 1>(channel, panel),
            }
        }
    }

    #[inline(always)]
    fn panel<V: Vector, const ROWS: usize, const N: usize>(&mut self, channel: usize, weights: &[f32]) {
        let (conv, x) = (self.conv, self.x);
        let ConvShape { inputs, kernel, stride, dilation, .. } = conv.shape;
        let bias = load_all::<V, N>(&conv.bias[channel..]);
        let gathering = kernel > 1 && inputs < FEW_INPUTS;
        // What a row of the kernel sees, which lies in one piece in a map without gaps.
        let seen = kernel * inputs;
        let in_one_piece = gathering && x.stride == inputs && dilation == 1;
        let taps: Vec<usize> = (0..if in_one_piece { kernel } else { 0 })
            .flat_map(|dy| (0..seen).map(move |i| dy * x.width * inputs + i))
            .collect();
        let mut gathered = vec![0.0; if gathering { ROWS * seen } else { 0 }];
        for start in (0..self.places()).step_by(ROWS) {
            let last = self.places() - 1;
            let place = |m: usize| (start + m).min(last);
            let mut sums = [bias; ROWS];
            if conv.is_pointwise() && start + ROWS <= last + 1 {
                multiply_apart(&x.data, (self.first + start) * x.stride, x.stride, weights, &mut sums);
            } else if conv.is_pointwise() {
                let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
                for (m, row) in rows.iter_mut().enumerate() {
                    *row = x.at(self.first + place(m));
                }
                multiply(&rows, weights, &mut sums);
            } else if in_one_piece && let Some(corner) = self.whole::<ROWS>(start) {
                multiply_taps(&x.data, corner * inputs, stride * inputs, &taps, weights, &mut sums);
            } else if gathering {
                let mut uncut = [None; ROWS];
                for (m, uncut) in uncut.iter_mut().enumerate().filter(|_| in_one_piece) {
                    *uncut = self.uncut(self.corners[place(m)]);
                }
                for (dy, weights) in weights.chunks_exact(seen * N * V::LANES).enumerate() {
                    for (m, to) in gathered.chunks_exact_mut(seen).enumerate().filter(|&(m, _)| uncut[m].is_none()) {
                        self.gather(place(m), dy, to);
                    }
                    let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
                    for (m, row) in rows.iter_mut().enumerate() {
                        *row = match uncut[m] {
                            Some(corner) => &x.data[(corner + dy * x.width) * inputs..][..seen],
                            None => &gathered[m * seen..][..seen],
                        };
                    }
                    multiply(&rows, weights, &mut sums);
                }
            } else {
                for (tap, weights) in weights.chunks_exact(inputs * N * V::LANES).enumerate() {
                    let (mut rows, mut any): ([&[f32]; ROWS], _) = ([&conv.zeros; ROWS], false);
                    for (m, row) in rows.iter_mut().enumerate() {
                        if let Some(seen) = self.seen(place(m), tap / kernel, tap % kernel) {
                            (*row, any) = (seen, true);
                        }
                    }
                    if any {
                        multiply(&rows, weights, &mut sums);
                    }
                }
            }
            self.sink.finish(Places::side_by_side(start), ROWS.min(last + 1 - start), channel, sums);
        }
    }
}

/// Each channel by itself: vectors along the channels.
struct ByChannel<'a>(Task<'a>);

impl Work for ByChannel<'_> {
    #[inline(always)]
    fn run<V: Vector, const ROWS: usize>(self) {
        let mut task = self.0;
        match task.conv.shape.kernel {
            3 => task.by_channel::<V, 3>(),
            5 => task.by_channel::<V, 5>(),
            _ => task.by_channel::<V, 0>(),
        }
    }
}
