//! What the measurements were made on, and what it could do at best.

use std::hint::black_box;

use rayon::ThreadPool;
use steadymask_core::simd;

use crate::turns::{Patience, Turns, cpu_timed, timed};

/// What limits every program here.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The processor's name, and how many of its threads this program sees.
    pub processor: String,
    pub threads: usize,
    /// Vector instructions in use.
    pub level: simd::Level,
    /// Memory read by one thread, in GB a second.
    pub read: f64,
    /// Memory copied by one thread: bytes read and bytes written, in GB a second.
    pub copy: f64,
    /// How much faster two threads are than one where they share nothing: 2 on two free cores.
    pub two_threads: f64,
}

/// Larger than any cache.
const BYTES: usize = 256 << 20;

impl Machine {
    /// Measures it.
    pub fn measure(patience: Patience, one: &ThreadPool, two: &ThreadPool) -> anyhow::Result<Self> {
        let source = vec![1u64; BYTES / 8];
        let mut target = vec![2u64; BYTES / 8];
        let bandwidth = Turns::take(
            patience,
            || Ok(cpu_timed(|| sum(&source))),
            || Ok(cpu_timed(|| black_box(&mut target).copy_from_slice(black_box(&source)))),
        )?;
        let (read, copy) = bandwidth.minima();
        Ok(Self {
            processor: processor(),
            threads: std::thread::available_parallelism().map_or(1, Into::into),
            level: simd::level(),
            read: BYTES as f64 / read / 1e9,
            copy: 2.0 * BYTES as f64 / copy / 1e9,
            two_threads: two_threads(patience, one, two)?,
        })
    }
}

/// How much faster two threads are than one where they share nothing. It is also measured beside each line with two
/// threads: a guest's second core may be half of a real one, or busy.
pub fn two_threads(patience: Patience, one: &ThreadPool, two: &ThreadPool) -> anyhow::Result<f64> {
    Ok(Turns::take(patience, || Ok(timed(|| both(two))), || Ok(timed(|| both(one))))?.ratio())
}

fn sum(words: &[u64]) {
    black_box(black_box(words).iter().fold(0, |sum: u64, word| sum.wrapping_add(*word)));
}

/// Twice some arithmetic that touches no memory, a chain of xorshifts, in as many threads as the pool has.
fn both(pool: &ThreadPool) {
    let spin = |seed: u64| {
        (0..black_box(30_000_000)).fold(seed, |mut bits, _| {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^ bits << 17
        })
    };
    black_box(pool.join(|| spin(1), || spin(2)));
}

/// The processor's name as Linux gives it, else its architecture.
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.trim().into())
}
