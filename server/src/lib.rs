//! The `steadymask` program: a command line and an HTTP server around one run.
//!
//! ```text
//! cli ──┐             ┌─ source    a video through ffmpeg, or a folder of pictures
//!       ├─▶ run ──────┼─ evidence  the network, masks a person brought, or kept probabilities
//! http ─▶ job ─┘      └─ files     masks, overlay, metrics
//! ```
//!
//! - [`run`]: from an input to its results, in overlapping stages; [`propose`]: which method, where that is asked.
//! - [`library`], [`download`]: networks besides the one built in. [`logits`]: a network's own numbers, for anyone to
//!   check.
//! - [`source`], [`evidence`], [`masks`]: what goes in; masks go out, too. [`evaluate`]: masks against ground truth.
//! - [`cars`]: photographs of cars judged by a person's own classifiers; [`training`] makes such.
//! - [`device`]: GPUs tried where they can do no harm.
//! - [`video`]: ffmpeg and ffprobe as child processes. [`picture`]: PNG and JPEG files.
//! - [`job`]: what the server does for whom, on disk. [`http`]: the interface to it, one file a resource.
//! - [`cli`]: one file a command.

pub mod cars;
pub mod cli;
pub mod device;
pub mod download;
mod error;
pub mod evaluate;
pub mod evidence;
pub mod http;
pub mod job;
pub mod library;
pub mod logits;
pub mod masks;
pub mod picture;
pub mod propose;
pub mod run;
pub mod source;
pub mod training;
pub mod video;

pub use error::{Error, Result};
