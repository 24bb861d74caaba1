//! What is done between convolutions: little arithmetic, in loops along the channels.

use std::borrow::Cow;

use steadymask_core::{Plane, Rgb};

use super::{
    map::Map,
    simd::{Vector, Width, Work, dispatch},
    threads,
};
use crate::{input::taps, net::Batch};

/// So many floats are worth sharing among threads.
const WORTHWHILE: usize = 1 << 16;
/// Floats of a piece of work at most.
const PIECE: usize = 1 << 17;
/// Floats of a line of the cache.
const LINE: usize = 16;

/// Channel by channel to channels side by side, without gaps.
pub(super) fn from_batch(batch: &Batch, to: &mut Map) {
    let (places, channels) = (to.height * to.width, to.channels);
    let pictures = batch.values.chunks_exact(channels * places);
    for (picture, to) in pictures.zip(to.data.chunks_exact_mut(channels * places)) {
        for (c, plane) in picture.chunks_exact(places).enumerate() {
            plane.iter().zip(to[c..].iter_mut().step_by(channels)).for_each(|(value, to)| *to = *value);
        }
    }
}

/// Pictures of the map's size, without gaps, each colour by its table.
pub(super) fn from_pictures(pictures: &[Cow<Plane<Rgb>>], [red, green, blue]: &[[f32; 256]; 3], to: &mut Map) {
    let places = to.height * to.width;
    let share = threads::share(places, PIECE);
    for (picture, to) in pictures.iter().zip(to.data.chunks_exact_mut(3 * places)) {
        threads::pieces(to, 3 * share, |index, to| {
            for (to, pixel) in to.as_chunks_mut().0.iter_mut().zip(&picture.data()[index * share..]) {
                let [r, g, b] = pixel.map(usize::from);
                *to = [red[r], green[g], blue[b]];
            }
        });
    }
}

/// Channels side by side to channel by channel.
pub(super) fn to_batch(map: &Map) -> Batch {
    let mut values = Vec::with_capacity(map.places() * map.channels);
    for picture in (0..map.batch).map(|index| map.picture(index)) {
        for c in 0..map.channels {
            values.extend(picture[c..].iter().step_by(map.stride));
        }
    }
    Batch { values, shape: [map.batch, map.channels, map.height, map.width] }
}

/// See [`Op::MaxPool`](crate::net::Op::MaxPool).
pub(super) fn max_pool(x: &Map, kernel: usize, to: &mut Map) {
    debug_assert_eq!((to.height, to.width), (x.height.div_ceil(2), x.width.div_ceil(2)));
    let (stride, padding) = (to.stride, (kernel / 2) as isize);
    by_row(to, |picture, y, row| {
        for (x_to, to) in row.chunks_exact_mut(stride).enumerate() {
            to.fill(f32::NEG_INFINITY);
            for (dy, dx) in (0..kernel).flat_map(|dy| (0..kernel).map(move |dx| (dy, dx))) {
                let (row, column) = ((2 * y + dy) as isize - padding, (2 * x_to + dx) as isize - padding);
                if let Some(place) = x.inside(picture * x.height * x.width, row, column) {
                    let from = &x.data[place * stride..][..stride];
                    // What is not a number stays so.
                    let greater = |to: f32, from: f32| if from > to || from.is_nan() { from } else { to };
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to = greater(*to, from));
                }
            }
        }
    });
}

/// The mean of each channel, row by row and then over the rows, so that few numbers are added to a large one.
pub(super) fn mean(width: Width, x: &Map, to: &mut Map) {
    let alone = x.picture(0).len() < WORTHWHILE;
    let share = if alone { x.stride } else { threads::share(x.stride, x.stride).next_multiple_of(LINE) };
    for (index, to) in to.data.chunks_exact_mut(to.stride).take(x.batch).enumerate() {
        threads::pieces(to, share, |piece, to| {
            dispatch(width, Mean { picture: x.picture(index), x, first: piece * share, to });
        });
    }
}

/// Of the channels from `first` on.
struct Mean<'a> {
    picture: &'a [f32],
    x: &'a Map,
    first: usize,
    to: &'a mut [f32],
}

impl Work for Mean<'_> {
    #[inline(always)]
    fn run<V: Vector, const ROWS: usize>(self) {
        let Self { picture, x, first, to } = self;
        let mut sum = vec![0.0; to.len()];
        to.fill(0.0);
        for row in picture.chunks_exact(x.width * x.stride) {
            sum.fill(0.0);
            for place in row.chunks_exact(x.stride) {
                add::<V>(&mut sum, &place[first..]);
            }
            add::<V>(to, &sum);
        }
        let count = (x.height * x.width) as f32;
        to.iter_mut().for_each(|to| *to /= count);
    }
}

/// `to += from`, of whole vectors.
#[inline(always)]
fn add<V: Vector>(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.chunks_exact_mut(V::LANES).zip(from.chunks_exact(V::LANES)) {
        V::load(to).add(V::load(from)).store(to);
    }
}

/// `x` times a number for each picture and channel.
pub(super) fn scale(x: &Map, by: &Map, to: &mut Map) {
    let (width, stride) = (x.width, x.stride);
    by_row(to, |picture, y, row| {
        let by = &by.picture(picture)[..stride];
        let from = &x.picture(picture)[y * width * stride..][..width * stride];
        for (to, from) in row.chunks_exact_mut(stride).zip(from.chunks_exact(stride)) {
            to.iter_mut().zip(from).zip(by).for_each(|((to, from), by)| *to = from * by);
        }
    });
}

/// Maps of one size, and such of one place that stands for all, one after the other along the channels.
pub(super) fn concat(parts: &[&Map], to: &mut Map) {
    let (stride, width) = (to.stride, to.width);
    by_row(to, |picture, y, row| {
        for (x, to) in row.chunks_exact_mut(stride).enumerate() {
            let mut first = 0;
            for part in parts {
                let within = if part.height * part.width == 1 { 0 } else { y * width + x };
                let from = part.at(picture * part.height * part.width + within);
                to[first..first + from.len()].copy_from_slice(from);
                first += from.len();
            }
        }
    });
}

/// See [`Op::Resize`](crate::net::Op::Resize).
pub(super) fn resize(x: &Map, to: &mut Map) {
    let (stride, columns, rows) = (to.stride, taps(x.width, to.width), taps(x.height, to.height));
    by_row(to, |picture, y, row| {
        let (above, below, down) = rows[y];
        let at = |y: usize, column: usize| {
            let place = (picture * x.height + y) * x.width + column;
            &x.data[place * stride..][..stride]
        };
        for (to, &(left, right, along)) in row.chunks_exact_mut(stride).zip(&columns) {
            let corners =
                at(above, left).iter().zip(at(above, right)).zip(at(below, left).iter().zip(at(below, right)));
            for (to, ((a, b), (c, d))) in to.iter_mut().zip(corners) {
                let (upper, lower) = (a + (b - a) * along, c + (d - c) * along);
                *to = upper + (lower - upper) * down;
            }
        }
    });
}

/// See [`Op::Repeat`](crate::net::Op::Repeat).
pub(super) fn repeat(x: &Map, to: &mut Map) {
    let (stride, height, width) = (to.stride, to.height, to.width);
    by_row(to, |picture, y, row| {
        let from = &x.picture(picture)[y * x.height / height * x.width * stride..][..x.width * stride];
        for (column, to) in row.chunks_exact_mut(stride).enumerate() {
            to.copy_from_slice(&from[column * x.width / width * stride..][..stride]);
        }
    });
}

/// Calls `work(picture, y, row)` for every row of the map.
fn by_row(to: &mut Map, work: impl Fn(usize, usize, &mut [f32]) + Sync) {
    let (row, rows, height) = (to.width * to.stride, to.batch * to.height, to.height);
    let together = if rows * row < WORTHWHILE { rows } else { threads::share(rows, PIECE / row) };
    threads::pieces(&mut to.data[..rows * row], together * row, |index, rows| {
        for (i, row) in rows.chunks_exact_mut(row).enumerate() {
            let at = index * together + i;
            work(at / height, at % height, row);
        }
    });
}
