//! The browser application.
//!
//! Two kinds of program are made of this crate. The page (`bin/app.rs`) shows and asks; it holds no network
//! and no codec. The worker (`bin/worker_cpu.rs`, `bin/worker_cpu_relaxed.rs`, `bin/worker_webgpu.rs`) decodes, segments,
//! stabilises and encodes. They speak the [`engine::protocol`] with each other, and nothing with the outside world.

pub mod engine;
pub mod i18n;
#[cfg(any(feature = "worker", test))]
pub mod media;
pub mod ui;
pub mod view;
#[cfg(feature = "worker")]
pub mod worker;
