//! What every long command shows, and how it is stopped.

use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::run::{CancelToken, Progress};

/// A token that Ctrl-C cancels. Asked for twice, the program ends at once.
///
/// # Errors
/// When the system does not let the program listen; when called twice.
pub(super) fn cancel_on_interrupt() -> anyhow::Result<CancelToken> {
    let cancel = CancelToken::default();
    let on_interrupt = cancel.clone();
    ctrlc::set_handler(move || {
        if on_interrupt.is_cancelled() {
            std::process::exit(super::INTERRUPTED.into());
        }
        on_interrupt.cancel();
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(cancel)
}

/// Progress on standard error: a bar on a terminal, else a line every few seconds.
pub(super) struct Meter {
    bar: ProgressBar,
    /// What is counted.
    unit: &'static str,
    plain: bool,
    last: Mutex<Duration>,
}

impl Meter {
    const PLAIN_INTERVAL: Duration = Duration::from_secs(2);

    pub(super) fn new(frames: usize) -> Self {
        Self::counting(frames, "frames")
    }

    /// A meter of so many things that are called so.
    pub(super) fn counting(total: usize, unit: &'static str) -> Self {
        let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{msg}}"));
        let bar = ProgressBar::new(total as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, unit, plain: !std::io::stderr().is_terminal(), last: Mutex::default() }
    }

    pub(super) fn show(&self, progress: Progress) {
        let Progress { frames_done, frames_total, elapsed } = progress;
        let left = progress.eta_seconds().unwrap_or(0.0).ceil();
        let rate = format!("{:.1} {}/s, {left:.0} s left", progress.speed(), self.unit);
        self.bar.set_length(frames_total as u64);
        self.bar.set_position(frames_done as u64);
        self.bar.set_message(rate.clone());
        if self.plain
            && let Ok(mut last) = self.last.lock()
            && (elapsed >= *last + Self::PLAIN_INTERVAL || frames_done == frames_total)
        {
            *last = elapsed;
            eprintln!("{frames_done}/{frames_total} {}, {rate}", self.unit);
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The same for a download.
pub(super) struct ByteMeter {
    bar: ProgressBar,
    name: String,
    plain: bool,
    last: Mutex<Option<Instant>>,
}

impl ByteMeter {
    pub(super) fn new(name: &str) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {binary_bytes}/{binary_total_bytes}  {eta} left  {msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(name.to_owned());
        Self { bar, name: name.into(), plain: !std::io::stderr().is_terminal(), last: Mutex::default() }
    }

    pub(super) fn show(&self, here: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(here);
        if self.plain
            && let Ok(mut last) = self.last.lock()
            && (here == total || last.is_none_or(|last| last.elapsed() >= Meter::PLAIN_INTERVAL))
        {
            *last = Some(Instant::now());
            eprintln!("{}: {here} of {total} bytes", self.name);
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
