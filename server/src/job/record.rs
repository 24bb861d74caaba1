use serde::{Deserialize, Serialize};
use steadymask_core::Settings;
use uuid::Uuid;

use crate::{Error, masks::Bundled, run::Progress, source::Source};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The video is there; nothing was asked yet.
    Uploaded,
    /// Waiting for the jobs before it.
    Queued,
    /// The network is at work.
    Segmenting,
    /// Probabilities are there; stabilising can be asked for.
    Segmented,
    /// The stabiliser is at work.
    Stabilizing,
    /// Steady masks are there.
    Completed,
    /// The last stage failed; it can be asked for again.
    Failed,
}

/// What a job did last, or does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The video was received.
    Upload,
    /// The network looks at every frame.
    Segment,
    /// Masks are made steady.
    Stabilize,
}

/// What a video is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Number of frames.
    pub frames: usize,
    /// Frames a second, mean.
    pub fps: f64,
    /// Width in pixels, as shown.
    pub width: usize,
    /// Height in pixels, as shown.
    pub height: usize,
    /// In seconds.
    pub duration: f64,
}

impl VideoInfo {
    /// Of a source.
    pub fn of(source: &Source) -> Self {
        let (width, height) = source.size();
        let (frames, fps) = (source.frames(), source.rate().as_f64());
        let duration = match source {
            Source::Video { video, .. } => video.duration,
            Source::Folder { .. } => frames as f64 / fps,
        };
        Self { frames, fps, width, height, duration }
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A name for programs.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A job: the whole of what `job.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Its name, unguessable.
    pub job_id: Uuid,
    /// What the person called the video.
    pub filename: String,
    /// Where it stands.
    pub status: Status,
    /// What it did last, or does now.
    pub stage: Stage,
    /// Share of the stage that is done, 0 to 1.
    pub progress: f64,
    /// Frames of the stage that are done.
    pub frames_done: usize,
    /// Frames of the clip.
    pub frames_total: usize,
    /// Time left in the stage in seconds, where it can be told.
    pub eta_seconds: Option<f64>,
    /// The state in words.
    pub message: String,
    /// Why the last stage failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Failure>,
    /// The video.
    pub video: VideoInfo,
    /// Classes of the probabilities that are there; `None` before segmenting, empty for all but the background.
    pub classes: Option<Vec<String>>,
    /// Settings of the steady masks that are there.
    pub settings: Option<Settings>,
    /// Other formats of the steady masks that are there.
    #[serde(default)]
    pub exports: Vec<Bundled>,
}

impl Job {
    /// A job whose video has just come.
    pub fn new(job_id: Uuid, filename: String, video: VideoInfo) -> Self {
        Self {
            job_id,
            filename,
            status: Status::Uploaded,
            stage: Stage::Upload,
            progress: 1.0,
            frames_done: 0,
            frames_total: video.frames,
            eta_seconds: None,
            message: "uploaded; ask for segmentation next".into(),
            error: None,
            video,
            classes: None,
            settings: None,
            exports: Vec::new(),
        }
    }

    /// Whether a stage waits or runs.
    pub fn is_busy(&self) -> bool {
        matches!(self.status, Status::Queued | Status::Segmenting | Status::Stabilizing)
    }

    /// A stage was asked for. What it will replace is void from now on.
    pub fn queue(&mut self, stage: Stage) {
        (self.status, self.stage, self.error) = (Status::Queued, stage, None);
        (self.progress, self.frames_done, self.eta_seconds) = (0.0, 0, None);
        self.message = "waiting for its turn".into();
        self.settings = None;
        self.exports.clear();
        if stage == Stage::Segment {
            self.classes = None;
        }
    }

    /// The stage begins.
    pub fn begin(&mut self) {
        (self.status, self.message) = match self.stage {
            Stage::Stabilize => (Status::Stabilizing, "making masks steady".into()),
            Stage::Upload | Stage::Segment => (Status::Segmenting, "finding objects".into()),
        };
    }

    /// More frames are done.
    pub fn advance(&mut self, progress: Progress) {
        self.progress = progress.share();
        self.frames_done = progress.frames_done;
        self.frames_total = progress.frames_total;
        self.eta_seconds = progress.eta_seconds();
    }

    /// Probabilities for `frames` frames are there.
    pub fn segmented(&mut self, classes: Vec<String>, frames: usize) {
        self.end(Status::Segmented, "segmented; ask for stabilisation next");
        self.classes = Some(classes);
        // The container's word on the number of frames is corrected by what was decoded.
        (self.video.frames, self.frames_done, self.frames_total) = (frames, frames, frames);
    }

    /// Steady masks are there.
    pub fn completed(&mut self, settings: Settings, exports: Vec<Bundled>) {
        self.end(Status::Completed, "completed");
        (self.settings, self.exports) = (Some(settings), exports);
    }

    fn end(&mut self, status: Status, message: &str) {
        (self.status, self.message) = (status, message.into());
        (self.progress, self.eta_seconds) = (1.0, None);
    }

    /// The stage failed.
    pub fn failed(&mut self, error: &Error) {
        self.fail(error.code(), error.to_string());
    }

    /// The server stopped while the stage was waiting or running.
    pub fn interrupted(&mut self) {
        self.fail("interrupted", "the server stopped before this was done; ask for it again".into());
    }

    /// The program itself is at fault.
    pub fn panicked(&mut self) {
        self.fail("internal", "the server failed at this; its log says more".into());
    }

    fn fail(&mut self, code: &str, message: String) {
        (self.status, self.eta_seconds, self.message) = (Status::Failed, None, message.clone());
        self.error = Some(Failure { code: code.into(), message });
    }
}
