//! What page and worker say to each other.
//!
//! Both directions are `postMessage` of plain objects. Pictures travel as transferred [`web_sys::ImageBitmap`]s
//! and files as [`web_sys::Blob`]s (a handle, not a copy); nothing large is ever serialised. The masks of a clip
//! stay in the worker, as PNG files, and come to the page frame by frame when it asks for a [`Picture`].

use js_sys::Array;
use serde::{Deserialize, Serialize};
#[cfg(doc)]
use steadymask_core::Method;
use steadymask_core::{
    Settings, Timings,
    auto::Proposal,
    metric::{FrameMetrics, Summary},
};
use wasm_bindgen::JsValue;
use web_sys::{Blob, ImageBitmap};

/// What the page tells the worker to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Look at a video. Answer: [`Event::Opened`] or [`Event::Failed`]. Drops what an earlier video left.
    Open(#[serde(with = "serde_wasm_bindgen::preserve")] Blob),
    /// Segment and stabilise the open video. Answer: [`Event::Progress`] and [`Event::Frame`]s, for [`Method::Auto`]
    /// [`Event::Proposed`] before the first frame, then [`Event::Finished`], [`Event::Cancelled`] or [`Event::Failed`]. Can be given again with other settings.
    Start(Settings),
    /// Stop what is running: a run or an export. Answer: [`Event::Cancelled`], at once.
    Cancel,
    /// Show frame `index`. Answer: [`Event::Picture`]; of several requests that wait, only the last is answered.
    /// Allowed from [`Event::Opened`] on, also during a run.
    Picture {
        /// Number of the frame, from 0.
        index: usize,
    },
    /// Take another network. Answer: [`Event::Loading`]s, then [`Event::Ready`], [`Event::Cancelled`] or
    /// [`Event::Failed`]; the network before stays until the other one is ready.
    Use(Weights),
    /// Keep the network of this SHA-256 no longer. Answer: [`Event::Ready`].
    Forget(String),
    /// Make a file of a finished run. Answer: [`Event::Exporting`]s, then [`Event::Exported`],
    /// [`Event::Cancelled`] or [`Event::Failed`].
    Export(ExportKind),
}

/// Where a network's weights come from: a safetensors file with an architecture's own names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Weights {
    /// The site: its own network.
    Site,
    /// A file of the person's.
    File(#[serde(with = "serde_wasm_bindgen::preserve")] Blob),
    /// An address, absolute or relative to the site. Kept here once it has come.
    Address(String),
    /// This browser, which keeps a file of this SHA-256, in lower-case hexadecimal.
    Kept(String),
}

/// A file that can be made of a finished run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// Stabilised masks: a zip of `NNNNN.png`, 8 bits, 0 or 255, frame size.
    Masks,
    /// The same before stabilising.
    RawMasks,
    /// The video with the stabilised masks drawn on it.
    Overlay,
    /// The settings, the metrics of each frame and their summary.
    Metrics,
}

/// What the worker tells the page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// The network is loaded; the first event of a worker, unless it [`Event::Failed`].
    Ready(Ready),
    /// How much of another network has come.
    Loading {
        /// Bytes that have come.
        done: u64,
        /// Bytes of the file; `None` where its host does not tell.
        total: Option<u64>,
    },
    /// The video can be decoded.
    Opened(Clip),
    /// How far the run is, after each frame that went in.
    Progress(Progress),
    /// What the run will use, and all that was tried: once, before its first frame, for [`Method::Auto`].
    Proposed(Box<Proposal>),
    /// A frame is finished. Each index comes once, in order, late by the look-ahead.
    Frame(Frame),
    /// The run is over, and its results can be seen and exported.
    Finished(Box<Finished>),
    /// What was running has been stopped. The results of the stopped run are gone; the video stays open.
    Cancelled,
    /// The last command failed. The video, if one was open, stays open unless it was [`Command::Open`] that failed.
    Failed(Failure),
    /// A frame to look at.
    Picture(Picture),
    /// How far an export is.
    Exporting {
        /// Which one.
        kind: ExportKind,
        /// 0 to 1.
        progress: f64,
    },
    /// A file to download.
    Exported {
        /// Which one.
        kind: ExportKind,
        /// A name to save it under.
        file_name: String,
        /// Its content, with its media type.
        #[serde(with = "serde_wasm_bindgen::preserve")]
        blob: Blob,
    },
}

/// What the worker runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where the network runs: `webgpu` or `cpu`.
    pub device: String,
    /// Why there, in words for the person.
    pub reason: String,
    /// Names of the classes that can be chosen, without the background.
    pub classes: Vec<String>,
    /// Names by which some of them may be asked for too, each with the name in `classes`.
    pub other_names: Vec<(String, String)>,
    /// Name of the network.
    pub network: String,
    /// The SHA-256 under which this browser keeps it; `None` for the site's own, and where nothing is kept.
    pub sha256: Option<String>,
    /// The networks that this browser keeps.
    pub kept: Vec<Kept>,
}

/// A network that this browser keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// SHA-256 of its file, in lower-case hexadecimal.
    pub sha256: String,
    /// Name of its file, without ending.
    pub name: String,
    /// Length of its file in bytes.
    pub size: u64,
}

/// An opened video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// Width in pixels, upright.
    pub width: usize,
    /// Height in pixels, upright.
    pub height: usize,
    /// Mean frame rate, frames a second.
    pub fps: f64,
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Number of frames as the container tells; a decoder may find fewer.
    pub frames: usize,
    /// Name of the codec: `avc`, `vp9`, …
    pub codec: String,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether methods are still being tried on a sample; frames are then those of the sample.
    pub trying: bool,
    /// Frames that went through the network.
    pub done: usize,
    /// Frames of the clip.
    pub total: usize,
    /// Speed since the start; `None` on the first frame.
    pub frames_per_second: Option<f64>,
    /// Time left, in seconds; `None` on the first frame.
    pub eta_seconds: Option<f64>,
}

/// A finished frame. Its masks stay in the worker; ask for its picture to see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Number of the frame, from 0.
    pub index: usize,
    /// When it is shown, in seconds from the start.
    pub timestamp_seconds: f64,
    /// Its metrics, before and after.
    pub metrics: FrameMetrics,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Metrics of the whole clip.
    pub summary: Summary,
    /// Where the time went.
    pub timings: Timings,
    /// What the person should know about the video, such as that its end is missing.
    pub warnings: Vec<String>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure, for a program.
    pub code: FailureCode,
    /// What happened and what to do, for the person.
    pub message: String,
}

impl Failure {
    /// With these words.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<steadymask_core::Error> for Failure {
    fn from(error: steadymask_core::Error) -> Self {
        use steadymask_core::Error;
        let code = match error {
            Error::Setting { .. } => FailureCode::Settings,
            Error::Size { .. } | Error::FrameSize { .. } => FailureCode::FrameSize,
            _ => FailureCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The worker could not start: no WebAssembly, a file of the site is missing, no memory.
    Start,
    /// The browser lacks WebCodecs.
    NoWebCodecs,
    /// Not a video file, or a container that is not known.
    NotAVideo,
    /// A media file without a video track.
    NoVideoTrack,
    /// A video track without frames.
    NoFrames,
    /// A codec that this browser cannot decode.
    Codec,
    /// The file is damaged or cut short.
    Damaged,
    /// Frames of several sizes, or too large ones.
    FrameSize,
    /// A setting outside its range, or a class that the network does not have.
    Settings,
    /// Weights that cannot be used: not to be had, damaged, or of no network known.
    Network,
    /// A command that makes no sense now, such as an export before a run.
    Order,
    /// The encoder failed, or there is none.
    Encode,
    /// A defect of ours.
    Internal,
}

/// A frame to look at: three layers of the same size, the clip's, to be drawn on one another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Picture {
    /// Number of the frame, from 0.
    pub index: usize,
    /// The frame itself, upright.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub frame: ImageBitmap,
    /// Its masks; `None` while the frame is not finished.
    pub masks: Option<Masks>,
}

/// Masks as layers: opaque white inside, transparent outside. Fill with `globalCompositeOperation = "source-in"`
/// to give them a colour.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Masks {
    /// Before stabilising.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub raw: ImageBitmap,
    /// After stabilising.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub stabilized: ImageBitmap,
}

impl Event {
    /// What must be transferred with the event, not copied.
    pub fn transferables(&self) -> Array {
        match self {
            Self::Picture(Picture { frame, masks, .. }) => {
                let layers = masks.iter().flat_map(|masks| [&masks.raw, &masks.stabilized]);
                std::iter::once(frame).chain(layers).collect()
            }
            _ => Array::new(),
        }
    }
}

/// A command or an event as `postMessage` takes it.
///
/// # Errors
/// When the value cannot be put into JavaScript, which these types always can.
pub fn to_message<T: Serialize>(value: &T) -> Result<JsValue, serde_wasm_bindgen::Error> {
    value.serialize(&serde_wasm_bindgen::Serializer::new())
}

/// A command or an event as `onmessage` gives it.
///
/// # Errors
/// When it is not one, for instance because page and worker are of different versions.
pub fn from_message<T: for<'a> Deserialize<'a>>(message: JsValue) -> Result<T, serde_wasm_bindgen::Error> {
    serde_wasm_bindgen::from_value(message)
}
