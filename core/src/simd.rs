//! The same plain loops, compiled for the vector instructions of the processor at hand.
//!
//! There is no arithmetic here, and none of it is written twice: [`vectorised!`] compiles the body of a function once
//! for the instructions that every processor of the target has (SSE2 on x86-64, NEON on aarch64, SIMD128 in WASM as
//! the build asks for it), and on x86-64 once more for AVX2 and once for AVX-512; which one runs is looked up when it
//! is called. Rust neither reorders nor fuses floating-point operations, so all of them give the same bytes: the tests
//! run each, through [`limit`].

use std::sync::atomic::{AtomicU8, Ordering};

/// Vector instructions beyond those that every processor of the target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// None.
    Baseline = 1,
    /// x86-64 with AVX2, BMI and POPCNT (2013 and later).
    Avx2 = 2,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VPOPCNTDQ (2019 and later).
    Avx512 = 3,
}

/// The level in use; 0 until it is known.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best there is, unless [`limit`] says less.
#[inline]
pub fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Level::Baseline,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => limit(Level::Avx512),
    }
}

/// Uses no more than `most` from here on, in all threads, and gives the level now in use. For tests and benchmarks:
/// results do not depend on it.
pub fn limit(most: Level) -> Level {
    let level = best().min(most);
    LEVEL.store(level as u8, Ordering::Relaxed);
    level
}

#[cfg(target_arch = "x86_64")]
fn best() -> Level {
    use std::arch::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("popcnt");
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    match (avx2, avx512 && has!("avx512vpopcntdq")) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> Level {
    Level::Baseline
}

/// The whole part of a value of 0 to 2²³. As `as i32`, which also minds what is outside and so does not vectorise.
#[inline(always)]
pub(crate) fn whole(value: f32) -> i32 {
    /// From here on, f32 holds whole numbers only, in its lowest bits.
    const WHOLE: f32 = 8_388_608.0;
    if cfg!(target_arch = "wasm32") {
        // An instruction there; elsewhere it may be a call.
        return ((value.floor() + WHOLE).to_bits() - WHOLE.to_bits()) as i32;
    }
    let nearest = value + WHOLE;
    (nearest.to_bits() as i32 - WHOLE.to_bits() as i32) - i32::from(nearest - WHOLE > value)
}

/// The larger of two numbers, `b` where one is NaN. As `a.max(b)`, which is a call for each number in WASM, and keeps
/// loops from being vectorised there.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller of two numbers, `b` where one is NaN. See [`larger`].
#[inline(always)]
pub(crate) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Compiles the function for every [`Level`] and calls the one in use. What it calls must be `#[inline(always)]` to be
/// compiled with it.
macro_rules! vectorised {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$(const $n:ident: usize),+>)? ($($argument:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$attribute])*
        #[inline]
        $visibility fn $name $(<$(const $n: usize),+>)? ($($argument: $type),*) $(-> $result)? {
            #[allow(clippy::too_many_arguments, reason = "those of the function itself")]
            #[inline(always)]
            fn plain $(<$(const $n: usize),+>)? ($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, clippy::too_many_arguments, reason = "calls what the processor is known to have")]
            {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2 $(<$(const $n: usize),+>)? ($($argument: $type),*) $(-> $result)? {
                    plain $(::<$($n),+>)? ($($argument),*)
                }

                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
                fn avx512 $(<$(const $n: usize),+>)? ($($argument: $type),*) $(-> $result)? {
                    plain $(::<$($n),+>)? ($($argument),*)
                }

                match $crate::simd::level() {
                    $crate::simd::Level::Baseline => {}
                    // SAFETY: the level is in use only where the processor has these instructions.
                    $crate::simd::Level::Avx2 => return unsafe { avx2 $(::<$($n),+>)? ($($argument),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx512 => return unsafe { avx512 $(::<$($n),+>)? ($($argument),*) },
                }
            }
            plain $(::<$($n),+>)? ($($argument),*)
        }
    )*};
}

pub(crate) use vectorised;
