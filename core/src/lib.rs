//! What Steadymask knows: masks, optical flow, temporal filters, metrics.
//!
//! No I/O, no clock, no async, no threads of its own: bytes in, the same bytes out, natively and in WASM.
//! A driver (a thread in the server, an async loop in the browser's worker) decodes frames, obtains
//! per-class probabilities from a network or from files, and pushes both into a [`Stabilizer`], which
//! gives finished frames back as soon as its look-ahead allows.

mod color;
mod error;
pub mod filter;
pub mod flow;
mod mask;
pub mod metric;
mod motion;
pub mod overlay;
mod plane;
#[doc(hidden)]
pub mod reference;
pub mod resize;
mod settings;
mod stabilizer;

pub use color::{ColorMatrix, ColorRange, I420, Rotation, rgb_from_i420, rotate};
pub use error::{Error, Result};
pub use mask::{BitMask, full_mask, union_of};
pub use motion::{Motion, MotionEstimator};
pub use plane::{Plane, Rgb};
pub use settings::{All, LookAhead, Method, Settings};
pub use stabilizer::{Finished, RAW_LEVEL, Stabilizer};
