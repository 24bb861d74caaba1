//! What Steadymask knows: masks, optical flow, temporal filters, metrics.
//!
//! No I/O, no clock, no async: bytes in, the same bytes out, natively and in WASM,
//! with one thread or (feature `parallel`) with many.
//! A driver (a thread in the server, an async loop in the browser's worker) decodes frames, obtains
//! per-class probabilities from a network or from files, and pushes both into a [`Stabilizer`], which
//! gives finished frames back as soon as its look-ahead allows.
//!
//! ```text
//! bytes ─ rgb_from_i420 ─ rotate ─ resize::area_rgb ─┬───────────────── frame ──┐
//!                                                    └ a network ─ probabilities ┤
//!                                                                      Stabilizer::push
//!   MotionEstimator  flow and trust between neighbouring frames; a cut begins a new shot
//!   filter           the method of the Settings, on u8 probabilities, one shot at a time
//!   metric           the mask before and after, with and without motion
//!                                                                          Finished
//! masks of frame size ─ BitMask::from_threshold ─ resize::bilinear ─ probabilities ┘
//! ```
//!
//! Pictures are [`Plane`]s, which own their size. Probabilities are u8, 0 to 255, and stay so until after
//! fusion: what a threshold throws away, fusion would have needed. [`Settings`] describe a run and check
//! themselves; errors name the value and the range it left.
//!
//! ```
//! use steadymask_core::{BitMask, Plane, Settings, Stabilizer};
//!
//! # fn main() -> steadymask_core::Result<()> {
//! let settings = Settings::default();
//! let mut stabilizer = Stabilizer::new(&settings, 64, 48, 1)?;
//! let mut areas = Vec::new();
//! let mut take = |finished: Vec<steadymask_core::Finished>| {
//!     for frame in finished {
//!         areas.push(BitMask::from_threshold(&frame.stabilized[0], settings.threshold_level()).area());
//!     }
//! };
//! for t in 0..12 {
//!     let frame = Plane::from_fn(64, 48, |x, y| [(5 * x) as u8, (5 * y) as u8, (x * y) as u8]);
//!     // The network sees a square, but not on frame 5.
//!     let seen = |x: usize, y: usize| t != 5 && (10..30).contains(&x) && (10..30).contains(&y);
//!     let probability = Plane::from_fn(64, 48, |x, y| if seen(x, y) { 230 } else { 20 });
//!     take(stabilizer.push(frame, vec![probability])?);
//! }
//! let (rest, summary) = stabilizer.finish();
//! take(rest);
//! assert_eq!(areas, [400; 12]);
//! assert_eq!(summary.after.instability, Some(0.0));
//! # Ok(())
//! # }
//! ```

pub mod auto;
mod color;
mod error;
pub mod filter;
pub mod flow;
mod mask;
pub mod metric;
mod motion;
pub mod overlay;
pub mod palette;
#[doc(hidden)]
pub mod parallel;
mod plane;
#[doc(hidden)]
pub mod reference;
mod report;
pub mod resize;
mod rle;
mod settings;
#[doc(hidden)]
pub mod simd;
mod stabilizer;
pub mod upsample;

pub use color::{ColorMatrix, ColorRange, I420, Rotation, rgb_from_i420, rotate};
pub use error::{Error, Result};
pub use mask::{BitMask, full_mask, union_of};
pub use motion::{Motion, MotionEstimator};
pub use plane::{Plane, Rgb};
pub use report::{Report, Timings};
pub use rle::Rle;
pub use settings::{All, LookAhead, Method, Settings};
pub use stabilizer::{Finished, RAW_LEVEL, Stabilizer};
