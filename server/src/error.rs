use std::path::{Path, PathBuf};

/// What can go wrong between an input and its results. Each variant says what it met and, where a person can
/// help it, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting, size or frame that the core refuses.
    #[error(transparent)]
    Core(#[from] steadymask_core::Error),
    /// The network cannot be loaded or run, or lacks a class.
    #[error(transparent)]
    Model(#[from] steadymask_models::Error),
    /// ffmpeg or ffprobe is not there.
    #[error(
        "{tool} was not found in PATH; install ffmpeg, which brings it (Debian, Ubuntu: apt install ffmpeg; macOS: \
         brew install ffmpeg; Windows: winget install ffmpeg)"
    )]
    ToolMissing {
        /// `ffmpeg` or `ffprobe`.
        tool: &'static str,
    },
    /// The file is no video, or of a kind that is not accepted.
    #[error("{name} is not a video that can be read ({detail})")]
    NotVideo {
        /// File name.
        name: String,
        /// What ffprobe said.
        detail: String,
    },
    /// The file has tracks, but none with pictures.
    #[error("{name} has no video track, only {tracks}")]
    NoPictures {
        /// File name.
        name: String,
        /// Kinds of the tracks it has.
        tracks: String,
    },
    /// The file begins as a video but cannot be decoded.
    #[error("{name} is damaged or was cut short ({detail})")]
    Damaged {
        /// File name.
        name: String,
        /// What ffmpeg said.
        detail: String,
    },
    /// The video or folder is empty.
    #[error("{name} holds no frames")]
    NoFrames {
        /// File or folder name.
        name: String,
    },
    /// Rotation metadata other than quarter turns.
    #[error("{name} asks to be turned by {degrees}° (expected a multiple of 90°)")]
    Rotation {
        /// File name.
        name: String,
        /// Clockwise.
        degrees: i32,
    },
    /// A frame is of another size than the first.
    #[error(
        "{frame} is {width}×{height}, but the clip began at {expected_width}×{expected_height}; all frames must be \
         of one size"
    )]
    FrameSize {
        /// `frame N` or the file's name.
        frame: String,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Width of the first frame.
        expected_width: usize,
        /// Height of the first frame.
        expected_height: usize,
    },
    /// Two frames of a folder would get the same mask name.
    #[error("{first} and {second} differ only in their ending; their masks would have one name")]
    SameStem {
        /// File name.
        first: String,
        /// File name.
        second: String,
    },
    /// A frame has no mask in the folder that was brought.
    #[error("the mask {name} is missing in {folder} ({frames} frames need a mask each)")]
    MaskMissing {
        /// Name of the file that was looked for.
        name: String,
        /// The folder.
        folder: String,
        /// Frames of the clip.
        frames: usize,
    },
    /// The folder has a mask that belongs to no frame.
    #[error("the mask {name} in {folder} belongs to no frame ({expected})")]
    MaskSurplus {
        /// File name.
        name: String,
        /// The folder.
        folder: String,
        /// Which names belong to frames.
        expected: String,
    },
    /// A frame that has a mask is not in the folder of the frames.
    #[error("the frame {name} is missing in {folder} (.jpg, .jpeg, .png or a video)", folder = folder.display())]
    FrameMissing {
        /// Name of the picture that was looked for, without ending.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A folder holds no ground truth in any layout that is known.
    #[error(
        "{folder} holds no ground truth (expected *.png, Annotations/480p/CLIP/*.png, CLIP/truth, CLIP/*.png or a file of \
         masks for each clip)",
        folder = folder.display()
    )]
    NoTruth {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no clip of this name.
    #[error("there is no clip {name} (there are: {available})")]
    UnknownClip {
        /// The name that was asked for.
        name: String,
        /// The clips there are.
        available: String,
    },
    /// There are no masks for a clip that has a truth.
    #[error(
        "the masks of {clip} are missing: {path} {found} (expected {expected})",
        path = path.display(),
        found = if path.is_dir() { "does not hold them" } else { "is not there" },
        expected = if *single { "a file or folder of masks" } else {
            "CLIP/*.png, CLIP/masks/*.png or a file CLIP.* for each clip, or one JSON that names its clips"
        }
    )]
    ClipMissing {
        /// The clip.
        clip: String,
        /// Where they were looked for.
        path: PathBuf,
        /// Whether it is the only clip.
        single: bool,
    },
    /// Masks that were brought, or that were asked for, cannot be used.
    #[error("cannot use the masks {name} ({detail})")]
    Masks {
        /// Name of the file or folder.
        name: String,
        /// What is wrong: the value, and what is allowed.
        detail: String,
    },
    /// A picture cannot be read.
    #[error("cannot read the picture {name} ({detail})")]
    Picture {
        /// File name.
        name: String,
        /// Why.
        detail: String,
    },
    /// ffmpeg failed at something that is not the input's fault.
    #[error("ffmpeg failed while {doing} ({detail})")]
    Ffmpeg {
        /// What it was to do.
        doing: &'static str,
        /// What it said.
        detail: String,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {path} ({reason}){hint}", path = path.display(), hint = hint(reason))]
    Io {
        /// `read`, `write`, `create` …
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why. Told in this message, so it is no `source` that would be told again.
        reason: std::io::Error,
    },
    /// There is no place for networks.
    #[error("this account has no home folder to keep networks in; name a folder in {variable}")]
    NoHome {
        /// The environment variable that may name one.
        variable: &'static str,
    },
    /// No network is kept under that name.
    #[error("no network is kept as {name} in {folder}", folder = folder.display())]
    NotKept {
        /// The name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A kept file is not what was written.
    #[error(
        "{path} was altered: its SHA-256 is {actual} (expected {expected}); remove the network, and fetch or import it \
         again",
        path = path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// Its hash.
        actual: String,
        /// The hash of what was written.
        expected: String,
    },
    /// A file of weights cannot be used.
    #[error("{name}: {error}")]
    Weights {
        /// Its name.
        name: String,
        /// Why. Told in this message, so it is no `source` that would be told again.
        error: steadymask_models::Error,
    },
    /// A folder of pictures does not make a classifier, or none with an honest score.
    #[error("cannot train on {folder}: {detail}", folder = folder.display())]
    Training {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, by name and number.
        detail: String,
    },
    /// No classifier answers a question about a car.
    #[error(
        "there is no network for the {question}; take yours in with: steadymask models import {usual}.pth, put {usual}.pth \
         here, make one with steadymask train-classifier, or do without: --{question} none"
    )]
    NoClassifier {
        /// Which question.
        question: &'static str,
        /// What its network is called where no name is given.
        usual: String,
    },
    /// The classes of a classifier are not the answers to the question.
    #[error(
        "the network for the {question} tells apart {found} (expected {good} and {bad}); name its classes by number: \
         steadymask models import FILE --classes {good},{bad}"
    )]
    Answers {
        /// Which question.
        question: &'static str,
        /// Its classes.
        found: String,
        /// The good answer.
        good: &'static str,
        /// The bad one.
        bad: &'static str,
    },
    /// The car alone was to be looked at.
    #[error(
        "no car was found in the picture, so there is nothing to look at; leave --car-only away to judge all of it"
    )]
    NoCar,
    /// A file cannot be fetched.
    #[error("cannot fetch {url}: {reason}")]
    Download {
        /// Where it is.
        url: String,
        /// Why not, in words.
        reason: String,
    },
    /// The person asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err` on file operations.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |reason| Self::Io { action, path: path.to_path_buf(), reason }
    }

    /// A name for programs; it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Core(steadymask_core::Error::Setting { .. }) => "invalid_setting",
            Self::Core(_) => "invalid_frame",
            Self::Model(_) => "model",
            Self::ToolMissing { .. } => "tool_missing",
            Self::NotVideo { .. } => "not_a_video",
            Self::NoPictures { .. } => "no_video_track",
            Self::Damaged { .. } => "damaged_video",
            Self::NoFrames { .. } => "no_frames",
            Self::Rotation { .. } => "rotation",
            Self::FrameSize { .. } => "frame_size",
            Self::SameStem { .. } => "same_name",
            Self::MaskMissing { .. } => "mask_missing",
            Self::MaskSurplus { .. } => "mask_surplus",
            Self::FrameMissing { .. } => "frame_missing",
            Self::ClipMissing { .. } => "mask_missing",
            Self::NoTruth { .. } => "no_truth",
            Self::UnknownClip { .. } => "unknown_clip",
            Self::Masks { .. } => "masks",
            Self::Picture { .. } => "picture",
            Self::Ffmpeg { .. } => "ffmpeg",
            Self::Io { .. } => "io",
            Self::NoHome { .. } | Self::NotKept { .. } | Self::Altered { .. } | Self::Weights { .. } => "model",
            Self::NoClassifier { .. } | Self::Answers { .. } => "no_classifier",
            Self::NoCar => "no_car",
            Self::Training { .. } => "training",
            Self::Download { .. } => "download",
            Self::Cancelled => "cancelled",
        }
    }
}

fn hint(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match source.kind() {
        PermissionDenied | ReadOnlyFilesystem => "; choose a place you may write to, or change its permissions",
        NotADirectory => "; a part of the path is a file, not a folder",
        StorageFull => "; free some space",
        _ => "",
    }
}

/// The last part of a path, for messages.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
