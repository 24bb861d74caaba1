use serde::{Deserialize, Serialize};

use crate::{
    Settings,
    auto::Proposal,
    metric::{FrameMetrics, Summary},
};

/// What was done to a clip, and how well: `metrics.json`, the same behind every door.
///
/// `D` tells on what the network ran, and why; the crate that runs networks brings it.
#[derive(Debug, Clone, Serialize)]
pub struct Report<D> {
    /// Version of the program.
    pub version: &'static str,
    /// Name of the video or folder.
    pub input: String,
    /// The settings.
    pub settings: Settings,
    /// What was tried before, when the method was left to [`auto`](crate::auto); `settings` are then those proposed.
    pub auto: Option<Proposal>,
    /// The threshold in force.
    pub threshold: f32,
    /// The network; `None` for masks that were brought.
    pub model: Option<String>,
    /// Where the network ran and why; `None` for masks that were brought.
    pub device: Option<D>,
    /// Width of frames and masks in pixels.
    pub width: usize,
    /// Height of frames and masks in pixels.
    pub height: usize,
    /// Width at which flow and fusion ran.
    pub work_width: usize,
    /// Height at which flow and fusion ran.
    pub work_height: usize,
    /// Mean frame rate.
    pub fps: f64,
    /// Before and after, over the clip.
    pub summary: Summary,
    /// Before and after, frame by frame.
    pub frames: Vec<FrameMetrics>,
    /// Where the time went.
    pub timings: Timings,
    /// What the person should know about the input.
    pub warnings: Vec<String>,
}

/// Seconds each stage was at work, all frames together. Where stages overlap they add up to more than `total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Trying methods on a sample, where the method was left to [`auto`](crate::auto): all of what follows, for it.
    pub propose: f64,
    /// Decoding, colour conversion, scaling to work size.
    pub decode: f64,
    /// The network, or reading masks.
    pub segment: f64,
    /// Flow, fusion and metrics.
    pub stabilize: f64,
    /// Masks to frame size and into files, and what the door writes beside them.
    pub write: f64,
    /// From start to end.
    pub total: f64,
}
