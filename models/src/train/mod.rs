//! Training the default network on pictures with masks: `cargo run --release -p steadymask-models --features train --bin
//! train`, which `docs/training.md` tells about.
//!
//! - `data`, `picture`: what there is to learn from, and what is kept out of it. `views`: how it is shown.
//! - `run`: from pictures to weights. `watch`: how far it is, and stopping it.
//! - `loss`, `gradient`: what a step is judged by, and which way is down. `state`: what steps lead to, on disk.
//! - `evaluation`, `calibration`: how good a network is on what it never saw. `card`, `plot`: how that is told.

mod calibration;
mod card;
mod data;
mod evaluation;
pub(crate) mod gradient;
mod loss;
mod picture;
mod plot;
mod run;
mod state;
mod views;
mod watch;

use std::path::{Path, PathBuf};

pub use run::{Options, Recipe, evaluate, train};
pub use watch::{Progress, Watch};

/// What can go wrong in a training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Pictures, masks or where they lie.
    #[error("{what}: {reason}")]
    Data {
        /// Which.
        what: String,
        /// Why, in words.
        reason: String,
    },
    /// A file that is written or read on the way.
    #[error("{}: {reason}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// A setting.
    #[error("{name} is {value} (expected {expected})")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What was given.
        value: String,
        /// What may be.
        expected: String,
    },
    /// The folder holds a run with other settings or pictures.
    #[error("{} holds another run: {theirs}; this one would be {ours} (give another folder, or the same settings)", folder.display())]
    OtherRun {
        /// The checkpoint.
        folder: PathBuf,
        /// What that run is of.
        theirs: String,
        /// What this one is of.
        ours: String,
    },
    /// The loss is infinite or no number.
    #[error("the loss of step {step} is not finite; the run cannot go on (a lower --rate may help)")]
    Diverged {
        /// The step.
        step: u64,
    },
    /// It was stopped; a checkpoint is there to go on from.
    #[error("stopped; the same command goes on from the last checkpoint")]
    Cancelled,
    /// The weights, or the network.
    #[error(transparent)]
    Network(#[from] crate::Error),
}

impl Error {
    fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A result of training.
pub type Result<T> = std::result::Result<T, Error>;
