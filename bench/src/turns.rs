//! Two competitors take turns, so that both meet the machine in the same moods.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Seconds of each turn.
#[derive(Debug, Clone)]
pub struct Turns {
    pub ours: Vec<f64>,
    pub theirs: Vec<f64>,
}

/// How long to go on: at least `rounds.0`, at most `rounds.1` rounds, and no new round after `budget`. Two rounds are
/// enough where one takes longer than that.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub rounds: (usize, usize),
    pub budget: Duration,
}

impl Turns {
    /// Lets them take turns; each turn gives its seconds.
    pub fn take(
        patience: Patience,
        mut ours: impl FnMut() -> Result<f64>,
        mut theirs: impl FnMut() -> Result<f64>,
    ) -> Result<Self> {
        let start = Instant::now();
        let mut turns = Self { ours: Vec::new(), theirs: Vec::new() };
        for round in 0..patience.rounds.1 {
            let long = round > 0 && start.elapsed() > patience.budget * round as u32;
            if round >= if long { 2 } else { patience.rounds.0 } && start.elapsed() > patience.budget {
                break;
            }
            turns.ours.push(ours()?);
            turns.theirs.push(theirs()?);
        }
        Ok(turns)
    }

    /// The least seconds of each.
    pub fn minima(&self) -> (f64, f64) {
        let least = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
        (least(&self.ours), least(&self.theirs))
    }

    /// How many times faster ours is: the ratio of the minima, since noise only ever adds.
    pub fn ratio(&self) -> f64 {
        let (ours, theirs) = self.minima();
        theirs / ours
    }

    /// The least and the largest ratio of any round.
    pub fn spread(&self) -> (f64, f64) {
        let ratios = self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| theirs / ours);
        ratios.fold((f64::INFINITY, 0.0), |(low, high), ratio| (low.min(ratio), high.max(ratio)))
    }
}

/// Seconds that `work` takes by the clock on the wall.
pub fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Seconds of the processor that `work` takes in this thread: what other programs do meanwhile does not count.
#[cfg(unix)]
pub fn cpu_timed(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let start = now();
    work();
    now() - start
}

/// Where there is no such clock, that on the wall.
#[cfg(not(unix))]
pub fn cpu_timed(work: impl FnOnce()) -> f64 {
    timed(work)
}
