//! What the server does for whom. A [`Job`] is a video and what became of it; its state is a JSON file.
//!
//! The doors see [`Jobs`] only: add, ask, look, remove. Behind it is one thread with a queue in memory; a durable
//! queue and workers of their own can take its place without a change in the doors.

mod record;
mod store;
mod worker;

pub use record::{Failure, Job, Stage, Status, VideoInfo};
pub use store::Store;
pub use worker::{Jobs, Refusal, Task};
