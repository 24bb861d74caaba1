//! Vectors of 32-bit floats as the processor has them, and the two loops in which a network spends its time.
//!
//! What uses them is written once, generic over [`Vector`], and compiled by [`dispatch`] for each kind of vector. The
//! only unsafe code of the crate is here: instructions that the processor was found to have, reads whose bounds were
//! checked before the loop, and channels of one map that several threads write ([`Columns`]).

#![allow(unsafe_code, reason = "see above")]

#[cfg(target_arch = "x86_64")]
use steadymask_core::simd::{self as core_simd, Level};

use std::{marker::PhantomData, ops::Range};

use crate::weights::ConvShape;

/// Which vectors are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// 4 lanes: what every processor of the target has. In WASM SIMD128, relaxed with that feature.
    Narrow,
    /// 8 lanes: AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 16 lanes: AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Width {
    /// The widest that the processor has and `steadymask_core::simd::limit` allows.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("fma") {
            match core_simd::level() {
                Level::Avx512 => return Self::Avx512,
                Level::Avx2 => return Self::Avx2,
                Level::Baseline => {}
            }
        }
        Self::Narrow
    }

    /// All that the processor has, the narrowest first.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let widths = [
            Self::Narrow,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512,
        ];
        widths.into_iter().filter(|width| width.is_there()).collect()
    }

    /// Whether the processor has it.
    #[cfg(any(test, target_arch = "x86_64"))]
    fn is_there(self) -> bool {
        match self {
            Self::Narrow => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2.is_there() && std::arch::is_x86_feature_detected!("avx512f"),
        }
    }

    /// Floats in a vector.
    pub(crate) const fn lanes(self) -> usize {
        match self {
            Self::Narrow => 4,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 16,
        }
    }

    /// Rows of the tile that its registers hold, two vectors wide.
    pub(crate) const fn rows(self) -> usize {
        match self {
            Self::Narrow => 4,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 6,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 12,
        }
    }
}

/// Work that is compiled for every width. What [`Self::run`] calls must be `#[inline(always)]` to be compiled with it.
pub(super) trait Work {
    /// Does it with vectors `V` in tiles of `ROWS` rows.
    fn run<V: Vector, const ROWS: usize>(self);
}

/// Does the work with vectors of this width.
///
/// # Panics
/// Where the processor lacks them.
pub(super) fn dispatch(width: Width, work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2<W: Work>(work: W) {
        work.run::<x86::Avx2, { Width::Avx2.rows() }>();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,avx512f")]
    fn avx512<W: Work>(work: W) {
        work.run::<x86::Avx512, { Width::Avx512.rows() }>();
    }

    // Where that makes a difference the whole binary is for browsers that have it: there is nothing to be asked.
    #[cfg_attr(all(target_arch = "wasm32", feature = "relaxed-simd"), target_feature(enable = "relaxed-simd"))]
    fn narrow<W: Work>(work: W) {
        work.run::<Narrow, { Width::Narrow.rows() }>();
    }

    #[cfg(target_arch = "x86_64")]
    assert!(width.is_there(), "a processor with {width:?}");
    match width {
        Width::Narrow => narrow(work),
        // SAFETY: the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Width::Avx2 => unsafe { avx2(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Width::Avx512 => unsafe { avx512(work) },
    }
}

/// A vector of floats.
pub(super) trait Vector: Copy {
    /// How many.
    const LANES: usize;

    /// The same in every lane.
    fn splat(value: f32) -> Self;

    /// # Safety
    /// `from` points to [`Self::LANES`] floats.
    unsafe fn read(from: *const f32) -> Self;

    /// # Safety
    /// `to` points to [`Self::LANES`] floats.
    unsafe fn write(self, to: *mut f32);

    /// `self + other`
    fn add(self, other: Self) -> Self;

    /// `self − other`
    fn sub(self, other: Self) -> Self;

    /// `self · other`
    fn mul(self, other: Self) -> Self;

    /// `self · factor + term`, rounded once where the processor does so.
    fn mul_add(self, factor: Self, term: Self) -> Self;

    /// The greater; `other` where they do not compare.
    fn max(self, other: Self) -> Self;

    /// The lesser; `other` where they do not compare.
    fn min(self, other: Self) -> Self;

    /// The first [`Self::LANES`] floats.
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let from = &from[..Self::LANES];
        // SAFETY: so many floats are there.
        unsafe { Self::read(from.as_ptr()) }
    }

    /// Into the first [`Self::LANES`] floats.
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: so many floats are there.
        unsafe { self.write(to.as_mut_ptr()) }
    }
}

/// `N` vectors one after the other. A loop: what is handed to a function of the standard library is not compiled for the
/// width in use.
#[inline(always)]
pub(super) fn load_all<V: Vector, const N: usize>(from: &[f32]) -> [V; N] {
    let mut vectors = [V::splat(0.0); N];
    for (n, vector) in vectors.iter_mut().enumerate() {
        *vector = V::load(&from[n * V::LANES..]);
    }
    vectors
}

/// `sums[m][n] += Σₖ rows[m][k] · panel[k][n]`, `n` counting vectors; the panel says how many `k` there are.
#[inline(always)]
pub(super) fn multiply<V: Vector, const ROWS: usize, const N: usize>(
    rows: &[&[f32]; ROWS],
    panel: &[f32],
    sums: &mut [[V; N]; ROWS],
) {
    let depth = panel.len() / (N * V::LANES);
    assert!(rows.iter().all(|row| row.len() >= depth), "rows as long as the panel");
    let mut total = *sums;
    for (k, weights) in panel.chunks_exact(N * V::LANES).enumerate() {
        let weights = load_all::<V, N>(weights);
        for m in 0..ROWS {
            // SAFETY: `k < depth`, and no row is shorter.
            let value = V::splat(unsafe { *rows[m].get_unchecked(k) });
            for n in 0..N {
                total[m][n] = value.mul_add(weights[n], total[m][n]);
            }
        }
    }
    *sums = total;
}

/// The same for rows that lie in a map, the first from `first` on and each `apart` floats behind the one before.
#[inline(always)]
pub(super) fn multiply_apart<V: Vector, const ROWS: usize, const N: usize>(
    map: &[f32],
    first: usize,
    apart: usize,
    panel: &[f32],
    sums: &mut [[V; N]; ROWS],
) {
    let depth = panel.len() / (N * V::LANES);
    let map = &map[first..][..(ROWS - 1) * apart + depth];
    let mut total = *sums;
    for (k, weights) in panel.chunks_exact(N * V::LANES).enumerate() {
        let weights = load_all::<V, N>(weights);
        for (m, total) in total.iter_mut().enumerate() {
            // SAFETY: `k < depth`, and the map was cut to where the last row ends.
            let value = V::splat(unsafe { *map.get_unchecked(m * apart + k) });
            for n in 0..N {
                total[n] = value.mul_add(weights[n], total[n]);
            }
        }
    }
    *sums = total;
}

/// The same for rows that do not lie in one piece: `taps` says how far from its first number each of their numbers lies.
#[inline(always)]
pub(super) fn multiply_taps<V: Vector, const ROWS: usize, const N: usize>(
    map: &[f32],
    first: usize,
    apart: usize,
    taps: &[usize],
    panel: &[f32],
    sums: &mut [[V; N]; ROWS],
) {
    let mut furthest = 0;
    for &tap in taps {
        furthest = if tap > furthest { tap } else { furthest };
    }
    let map = &map[first..][..(ROWS - 1) * apart + furthest + 1];
    let mut total = *sums;
    for (&tap, weights) in taps.iter().zip(panel.chunks_exact(N * V::LANES)) {
        let weights = load_all::<V, N>(weights);
        for (m, total) in total.iter_mut().enumerate() {
            // SAFETY: the map was cut to where the last row's furthest number ends.
            let value = V::splat(unsafe { *map.get_unchecked(m * apart + tap) });
            for n in 0..N {
                total[n] = value.mul_add(weights[n], total[n]);
            }
        }
    }
    *sums = total;
}

/// `sums[t][n] += Σᵢ rows[i][t] · weights[i]` for the channels from `channel` on, `n` counting vectors and each row of
/// weights `stride` long.
#[inline(always)]
pub(super) fn multiply_channels<V: Vector, const TILE: usize, const N: usize>(
    rows: &[[&[f32]; TILE]],
    weights: &[f32],
    stride: usize,
    channel: usize,
    sums: &mut [[V; N]; TILE],
) {
    let end = channel + N * V::LANES;
    assert!(end <= stride && weights.len() >= rows.len() * stride, "weights for every row and channel");
    let mut total = *sums;
    for (i, rows) in rows.iter().enumerate() {
        let weights = load_all::<V, N>(&weights[i * stride + channel..]);
        for t in 0..TILE {
            assert!(rows[t].len() >= end, "rows as long as the stride");
            for n in 0..N {
                // SAFETY: the assertion above.
                let value = unsafe { V::read(rows[t].as_ptr().add(channel + n * V::LANES)) };
                total[t][n] = value.mul_add(weights[n], total[t][n]);
            }
        }
    }
    *sums = total;
}

/// The same for `TILE` places whose kernels of `K`×`K` all lie inside the map.
///
/// `first` is where in the map's floats the channel lies that the first place's kernel begins with; `across` and `down`
/// lead from tap to tap, `next` from place to place.
#[inline(always)]
pub(super) fn multiply_inside<V: Vector, const TILE: usize, const N: usize, const K: usize>(
    map: &[f32],
    Steps { first, across, down, next }: Steps,
    weights: &[f32],
    stride: usize,
    channel: usize,
    sums: &mut [[V; N]; TILE],
) {
    let end = channel + N * V::LANES;
    assert!(end <= stride && weights.len() >= K * K * stride, "weights for every tap and channel");
    let last = first + (K - 1) * (across + down) + (TILE - 1) * next;
    assert!(map.len() >= last + N * V::LANES, "all taps inside the map");
    let mut total = *sums;
    for dy in 0..K {
        for dx in 0..K {
            let weights = load_all::<V, N>(&weights[(dy * K + dx) * stride + channel..]);
            for (t, total) in total.iter_mut().enumerate() {
                for (n, total) in total.iter_mut().enumerate() {
                    let from = first + dy * down + dx * across + t * next + n * V::LANES;
                    // SAFETY: the second assertion: this is no further on than the last vector of the last tap and place.
                    let value = unsafe { V::read(map.as_ptr().add(from)) };
                    *total = value.mul_add(weights[n], *total);
                }
            }
        }
    }
    *sums = total;
}

/// The same for one vector of channels, where it is known beforehand how a tile sees the map: taps are `D` places apart,
/// kernels `S`, and each place has `place` floats. What several kernels see is read once, which counts where vectors are
/// narrow: reading takes longer than the sums. These are taken in the same order.
#[inline(always)]
pub(super) fn multiply_shared<V: Vector, const TILE: usize, const K: usize, const S: usize, const D: usize>(
    map: &[f32],
    Steps { first, across, down, next }: Steps,
    place: usize,
    weights: &[f32],
    stride: usize,
    channel: usize,
    sums: &mut [[V; 1]; TILE],
) {
    // Places in a row that the tile sees.
    let seen = const {
        let seen = (TILE - 1) * S + (K - 1) * D + 1;
        assert!(seen <= 19, "as many as are spelled out below");
        seen
    };
    assert!(across == D * place && next == S * place, "taps and kernels as far apart as was said");
    assert!(channel + V::LANES <= stride && weights.len() >= K * K * stride, "weights for every tap and channel");
    let last = first + (K - 1) * (across + down) + (TILE - 1) * next;
    assert!(map.len() >= last + V::LANES, "all taps inside the map");
    let mut total = *sums;
    for dy in 0..K {
        let row = first + dy * down;
        let mut taps = [V::splat(0.0); K];
        for (dx, tap) in taps.iter_mut().enumerate() {
            // SAFETY: the assertion about weights.
            *tap = unsafe { V::read(weights.as_ptr().add((dy * K + dx) * stride + channel)) };
        }
        // Spelled out, since a loop would only be unrolled after the sums' places have been looked for.
        macro_rules! places {
            ($($p:literal)*) => { $(
                if $p < seen {
                    // SAFETY: the assertion about the map: this is no further on than the last tap of the last place.
                    let value = unsafe { V::read(map.as_ptr().add(row + $p * place)) };
                    for (dx, tap) in taps.iter().enumerate() {
                        if let Some(from) = usize::checked_sub($p, dx * D) && from % S == 0 && from / S < TILE {
                            total[from / S][0] = value.mul_add(*tap, total[from / S][0]);
                        }
                    }
                }
            )* };
        }
        places!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18);
    }
    *sums = total;
}

/// Channels of places side by side, to be written to: a mutable slice that can be split along the channels too.
pub(super) struct Columns<'a> {
    /// The first channel of the first place, be it among these or not.
    first: *mut f32,
    places: usize,
    /// Floats from place to place.
    stride: usize,
    channels: Range<usize>,
    floats: PhantomData<&'a mut [f32]>,
}

// SAFETY: as of a mutable slice. No two have a channel of a place in common.
unsafe impl Send for Columns<'_> {}

impl<'a> Columns<'a> {
    /// All channels of so many floats.
    pub(super) fn of(floats: &'a mut [f32], stride: usize) -> Self {
        let (first, places) = (floats.as_mut_ptr(), floats.len() / stride);
        Self { first, places, stride, channels: 0..stride, floats: PhantomData }
    }

    /// The channels before `channel`, and the others.
    pub(super) fn split_at(self, channel: usize) -> (Self, Self) {
        let Range { start, end } = self.channels;
        assert!(start <= channel && channel <= end, "{channel} is not among the channels {start} to {end}");
        (Self { channels: start..channel, ..self }, Self { channels: channel..end, ..self })
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Floats from place to place.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// The channels, with those up to the stride that mean nothing.
    pub(super) fn channels(&self) -> Range<usize> {
        self.channels.clone()
    }

    /// Writes the channels from `channel` on of the first `count` of so many places.
    #[inline(always)]
    pub(super) fn write<V: Vector, const ROWS: usize, const N: usize>(
        &mut self,
        places: Places,
        count: usize,
        channel: usize,
        vectors: [[V; N]; ROWS],
    ) {
        let Range { start, end } = self.channels;
        assert!(channel >= start && end.saturating_sub(channel) >= N * V::LANES, "among these channels");
        let end = places.first.saturating_add(count).saturating_add(places.gap);
        assert!(count <= ROWS && end <= self.places, "among these places");
        for (m, vectors) in vectors.iter().enumerate() {
            if m < count {
                for (n, vector) in vectors.iter().enumerate() {
                    let to = places.at(m) * self.stride + channel + n * V::LANES;
                    // SAFETY: there is such a place, and each has a stride of floats, within which the channels end.
                    unsafe { vector.write(self.first.add(to)) }
                }
            }
        }
    }
}

/// Places side by side, with a gap before one of them, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) first: usize,
    /// How many there are before the gap.
    pub(super) before: usize,
    /// How many the gap leaves out.
    pub(super) gap: usize,
}

impl Places {
    /// Without a gap.
    #[inline(always)]
    pub(super) fn side_by_side(first: usize) -> Self {
        Self { first, before: usize::MAX, gap: 0 }
    }

    /// The place of that number.
    #[inline(always)]
    pub(super) fn at(self, number: usize) -> usize {
        self.first + number + if number < self.before { 0 } else { self.gap }
    }
}

/// Ways through a map, in floats; see [`multiply_inside`].
#[derive(Clone, Copy)]
pub(super) struct Steps {
    first: usize,
    across: usize,
    down: usize,
    next: usize,
}

impl Steps {
    /// Of a convolution on a map with rows of `width` places, each `place` floats from the next.
    #[inline(always)]
    pub(super) fn of(shape: ConvShape, width: usize, place: usize, first: usize) -> Self {
        let across = shape.dilation * place;
        Self { first, across, down: width * across, next: shape.stride * place }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use plain::Narrow;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use std::array::from_fn;

    /// Plain arithmetic on four lanes, which becomes SSE or NEON; and the oracle of the others.
    #[derive(Clone, Copy)]
    pub(super) struct Narrow([f32; 4]);

    impl super::Vector for Narrow {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self([value; 4])
        }

        #[inline(always)]
        unsafe fn read(from: *const f32) -> Self {
            // SAFETY: the caller's.
            Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
        }

        #[inline(always)]
        unsafe fn write(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] + other.0[i]))
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] - other.0[i]))
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] * other.0[i]))
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            Self(from_fn(|i| self.0[i] * factor.0[i] + term.0[i]))
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(from_fn(|i| if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] }))
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use wasm::Narrow;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use std::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub(super) struct Narrow(v128);

    impl super::Vector for Narrow {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        #[inline(always)]
        unsafe fn read(from: *const f32) -> Self {
            // SAFETY: the caller's.
            Self(unsafe { v128_load(from.cast()) })
        }

        #[inline(always)]
        unsafe fn write(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { v128_store(to.cast(), self.0) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(f32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            #[cfg(feature = "relaxed-simd")]
            return Self(f32x4_relaxed_madd(self.0, factor.0, term.0));
            #[cfg(not(feature = "relaxed-simd"))]
            Self(f32x4_add(f32x4_mul(self.0, factor.0), term.0))
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(f32x4_pmax(other.0, self.0))
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(f32x4_pmin(other.0, self.0))
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    macro_rules! vector {
        ($name:ident, $register:ident, $lanes:literal, $splat:ident, $read:ident, $write:ident, $add:ident, $sub:ident, $mul:ident,
         $mul_add:ident, $max:ident, $min:ident) => {
            #[derive(Clone, Copy)]
            pub(super) struct $name($register);

            // SAFETY, of all below: only `dispatch` names this type, after it has asked the processor.
            impl super::Vector for $name {
                const LANES: usize = $lanes;

                #[inline(always)]
                fn splat(value: f32) -> Self {
                    Self(unsafe { $splat(value) })
                }

                #[inline(always)]
                unsafe fn read(from: *const f32) -> Self {
                    Self(unsafe { $read(from) })
                }

                #[inline(always)]
                unsafe fn write(self, to: *mut f32) {
                    unsafe { $write(to, self.0) }
                }

                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    Self(unsafe { $add(self.0, other.0) })
                }

                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    Self(unsafe { $sub(self.0, other.0) })
                }

                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    Self(unsafe { $mul(self.0, other.0) })
                }

                #[inline(always)]
                fn mul_add(self, factor: Self, term: Self) -> Self {
                    Self(unsafe { $mul_add(self.0, factor.0, term.0) })
                }

                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    Self(unsafe { $max(self.0, other.0) })
                }

                #[inline(always)]
                fn min(self, other: Self) -> Self {
                    Self(unsafe { $min(self.0, other.0) })
                }
            }
        };
    }

    vector!(
        Avx2,
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps,
        _mm256_min_ps
    );
    vector!(
        Avx512,
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps,
        _mm512_min_ps
    );
}
