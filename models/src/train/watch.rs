//! How far a run is, and stopping it.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::{Error, Result};

/// What is told while a run goes on.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// What is done just now.
    pub stage: &'static str,
    /// How much of it is done.
    pub done: usize,
    /// Of how much.
    pub total: usize,
    /// Time left of this stage; `None` before there is anything to tell by.
    pub left: Option<Duration>,
    /// Something more to say; empty for nothing.
    pub note: &'a str,
}

/// Tells a listener how far a run is, and the run whether to stop.
pub struct Watch<'a> {
    cancelled: &'a AtomicBool,
    tell: &'a dyn Fn(&Progress<'_>),
    now: RefCell<Now>,
}

struct Now {
    stage: &'static str,
    done: usize,
    /// Done before this process began.
    skipped: usize,
    total: usize,
    since: Instant,
    note: String,
}

impl<'a> Watch<'a> {
    /// Calls `tell` after everything that is done; when `cancelled` becomes true the run stops at the next occasion.
    pub fn new(cancelled: &'a AtomicBool, tell: &'a dyn Fn(&Progress<'_>)) -> Self {
        let now = Now { stage: "", done: 0, skipped: 0, total: 0, since: Instant::now(), note: String::new() };
        Self { cancelled, tell, now: RefCell::new(now) }
    }

    pub(super) fn stage(&self, stage: &'static str, total: usize) {
        *self.now.borrow_mut() = Now { stage, done: 0, skipped: 0, total, since: Instant::now(), note: String::new() };
    }

    /// So much of the stage was done by an earlier process.
    pub(super) fn skip(&self, done: usize) {
        let mut now = self.now.borrow_mut();
        (now.done, now.skipped) = (done, done);
    }

    /// Something to say with the next thing done.
    pub(super) fn note(&self, note: String) {
        let mut now = self.now.borrow_mut();
        if !now.note.is_empty() {
            now.note.push('\n');
        }
        now.note.push_str(&note);
    }

    /// # Errors
    /// [`Error::Cancelled`].
    pub(super) fn advance(&self, by: usize) -> Result<()> {
        let mut now = self.now.borrow_mut();
        now.done += by;
        let note = std::mem::take(&mut now.note);
        let here = now.done - now.skipped;
        let left =
            (here > 0).then(|| now.since.elapsed().mul_f64((now.total - now.done.min(now.total)) as f64 / here as f64));
        (self.tell)(&Progress { stage: now.stage, done: now.done, total: now.total, left, note: &note });
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}
