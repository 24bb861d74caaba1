//! 3×3 convolutions at stride 1 by Winograd's minimal filtering F(2×2, 3×3) (Lavin and Gray 2016): four outputs by 16
//! products in place of 36, for a few sums before and after. A dilated one is as many smaller ones, side by side.
//!
//! With `Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 1 0 −1]`, `G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1]` and
//! `Aᵀ = [1 1 1 0; 0 1 −1 −1]` the outputs of a tile are `Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`, summed over the inputs before
//! `A`. Sums and differences of four numbers round about as much as the sum of nine products does.

use std::array::from_fn;

use super::{
    activation::activate,
    conv::{Packed, Task},
    map::{self, Floats, Map},
    simd::{Vector, Width, Work, dispatch},
    threads,
};
use crate::{
    net::{Activation, Conv},
    weights::ConvShape,
};

/// Products of a tile.
const POINTS: usize = 16;
/// Outputs along a side of a tile, and inputs.
const SIDE: usize = 2;
const PATCH: usize = 4;
/// Tiles of a piece at least: the products' weights are read once for each.
const TILES: usize = 96;
/// Larger dilations leave too little of a picture for tiles.
const DILATION: usize = 4;
/// Fewer channels are not worth the sums.
const CHANNELS: usize = 32;

/// A convolution in that form.
#[derive(Debug)]
pub(super) struct Winograd {
    shape: ConvShape,
    width: Width,
    /// A matrix for each point.
    products: Vec<Packed>,
    /// To the stride.
    bias: Floats,
    /// What lies outside the picture.
    zeros: Floats,
}

impl Winograd {
    /// Whether a convolution is worth it.
    pub(super) fn suits(shape: ConvShape) -> bool {
        (shape.kernel, shape.stride, shape.groups) == (3, 1, 1)
            && shape.dilation <= DILATION
            && shape.inputs.min(shape.outputs) >= CHANNELS
    }

    /// Transforms the weights.
    pub(super) fn new(conv: &Conv, width: Width) -> Self {
        let shape = conv.shape;
        let mut points: [Vec<f32>; POINTS] = from_fn(|_| Vec::with_capacity(conv.weight.len() / 9));
        for kernel in conv.weight.as_chunks::<9>().0 {
            let rows: [[f32; 4]; 3] = from_fn(|y| filter([kernel[3 * y], kernel[3 * y + 1], kernel[3 * y + 2]]));
            let columns: [[f32; 4]; 4] = from_fn(|x| filter([rows[0][x], rows[1][x], rows[2][x]]));
            points.iter_mut().enumerate().for_each(|(i, point)| point.push(columns[i % PATCH][i / PATCH]));
        }
        let pointwise = ConvShape::pointwise(shape.inputs, shape.outputs);
        let product = |weight| Packed::new(&Conv { shape: pointwise, weight, bias: vec![0.0; shape.outputs] }, width);
        let mut bias = conv.bias.clone();
        bias.resize(map::stride(shape.outputs), 0.0);
        let products = points.into_iter().map(product).collect();
        let zeros = Floats::zeros(map::stride(shape.inputs));
        Self { shape, width, products, bias: Floats::of(&bias), zeros }
    }

    /// How many channels the result has.
    pub(super) fn outputs(&self) -> usize {
        self.shape.outputs
    }

    /// `activation(conv(x) + add)` into `to`, which has the size of `x`.
    pub(super) fn run(&self, x: &Map, add: Option<&Map>, activation: Activation, to: &mut Map) {
        debug_assert_eq!((x.batch, x.height, x.width), (to.batch, to.height, to.width));
        let row = to.width * to.stride;
        // Rows that tiles share with no others.
        let band = SIDE * self.shape.dilation;
        let in_band = self.shape.dilation * to.width.div_ceil(SIDE);
        let rows = band * TILES.div_ceil(in_band);
        let picture_len = to.height * row;
        threads::pieces(&mut to.data[..to.batch * picture_len], picture_len, |picture, out| {
            let add = add.map(|add| add.picture(picture));
            threads::pieces(out, rows * row, |index, out| {
                let add = add.map(|add| &add[index * rows * row..][..out.len()]);
                let tiles = self.tiles(x.width, out.len() / row);
                let (first, stride) = (index * rows, row / x.width);
                dispatch(self.width, Piece { conv: self, x, picture, add, activation, tiles, first, stride, out });
            });
        });
    }

    /// Row and column of the first output of each tile in so many rows.
    fn tiles(&self, width: usize, rows: usize) -> Vec<(usize, usize)> {
        let dilation = self.shape.dilation;
        let firsts = |len: usize| (0..len).step_by(SIDE * dilation).flat_map(move |i| i..len.min(i + dilation));
        firsts(rows).flat_map(|y| firsts(width).map(move |x| (y, x))).collect()
    }
}

/// `G` times three weights.
fn filter([a, b, c]: [f32; 3]) -> [f32; 4] {
    [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c]
}

/// `Bᵀ` times four vectors.
#[inline(always)]
fn spread<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
    [a.sub(c), b.add(c), c.sub(b), b.sub(d)]
}

/// `Aᵀ` times four vectors.
#[inline(always)]
fn gather<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 2] {
    [a.add(b).add(c), b.sub(c).sub(d)]
}

/// Some rows of a picture of the result.
struct Piece<'a> {
    conv: &'a Winograd,
    x: &'a Map,
    picture: usize,
    add: Option<&'a [f32]>,
    activation: Activation,
    /// Row in the piece and column of the first output of each tile.
    tiles: Vec<(usize, usize)>,
    /// The piece's first row, the stride of a place and where it goes.
    first: usize,
    stride: usize,
    out: &'a mut [f32],
}

impl Work for Piece<'_> {
    #[inline(always)]
    fn run<V: Vector, const ROWS: usize>(mut self) {
        let points = self.spread::<V>();
        let mut products = Floats::zeros(POINTS * self.tiles.len() * self.stride);
        for ((x, conv), out) in
            points.iter().zip(&self.conv.products).zip(products.chunks_exact_mut(self.tiles.len() * self.stride))
        {
            Task::pointwise(conv, x, self.stride, out).dense::<V, ROWS>();
        }
        self.gather::<V>(&products);
    }
}

impl Piece<'_> {
    /// What each tile sees, transformed: a map of one row for each point.
    #[inline(always)]
    fn spread<V: Vector>(&self) -> Vec<Map> {
        let (x, tiles) = (self.x, self.tiles.len());
        let ConvShape { inputs, dilation, .. } = self.conv.shape;
        let map = |_| Map {
            batch: 1,
            height: 1,
            width: tiles,
            channels: inputs,
            stride: x.stride,
            data: Floats::zeros(tiles * x.stride),
        };
        let mut points: Vec<Map> = (0..POINTS).map(map).collect();
        let (first, stride) = (self.picture * x.height * x.width, x.stride);
        for (tile, &(row, column)) in self.tiles.iter().enumerate() {
            let mut patch: [&[f32]; POINTS] = [&self.conv.zeros; POINTS];
            for (i, seen) in patch.iter_mut().enumerate() {
                let at = |start: usize, step: usize| (start + step * dilation) as isize - dilation as isize;
                if let Some(place) = x.inside(first, at(self.first + row, i / PATCH), at(column, i % PATCH)) {
                    *seen = &x.data[place * x.stride..][..x.stride];
                }
            }
            for channel in (0..inputs).step_by(V::LANES) {
                let mut rows = [[V::splat(0.0); PATCH]; PATCH];
                for (row, patch) in rows.iter_mut().zip(patch.chunks_exact(PATCH)) {
                    for (value, seen) in row.iter_mut().zip(patch) {
                        *value = V::load(&seen[channel..]);
                    }
                    *row = spread(*row);
                }
                for x in 0..PATCH {
                    let column = spread([rows[0][x], rows[1][x], rows[2][x], rows[3][x]]);
                    for y in 0..PATCH {
                        column[y].store(&mut points[y * PATCH + x].data[tile * stride + channel..]);
                    }
                }
            }
        }
        points
    }

    /// The outputs of each tile from its products.
    #[inline(always)]
    fn gather<V: Vector>(&mut self, products: &[f32]) {
        let ConvShape { outputs, dilation, .. } = self.conv.shape;
        let (width, stride, tiles) = (self.x.width, self.stride, self.tiles.len());
        let height = self.out.len() / (width * stride);
        for (tile, &(row, column)) in self.tiles.iter().enumerate() {
            for channel in (0..outputs).step_by(V::LANES) {
                let mut sides = [[V::splat(0.0); PATCH]; SIDE];
                for x in 0..PATCH {
                    let mut points = [V::splat(0.0); PATCH];
                    for (y, point) in points.iter_mut().enumerate() {
                        *point = V::load(&products[((y * PATCH + x) * tiles + tile) * stride + channel..]);
                    }
                    [sides[0][x], sides[1][x]] = gather(points);
                }
                let bias = V::load(&self.conv.bias[channel..]);
                for (dy, side) in sides.into_iter().enumerate() {
                    let sums = gather(side);
                    for (dx, sum) in sums.into_iter().enumerate() {
                        let (y, x) = (row + dy * dilation, column + dx * dilation);
                        if y < height && x < width {
                            let at = (y * width + x) * stride + channel;
                            let sum = match self.add {
                                Some(add) => sum.add(bias).add(V::load(&add[at..])),
                                None => sum.add(bias),
                            };
                            activate(sum, self.activation).store(&mut self.out[at..]);
                        }
                    }
                }
            }
        }
    }
}
