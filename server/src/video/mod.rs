//! Video through ffmpeg and ffprobe as child processes: no codec runs in this process.

mod child;
mod decode;
mod encode;
mod probe;

pub use child::require_tools;
pub(crate) use child::tail;
pub use decode::{Decoder, LumaDecoder};
pub use encode::Encoder;
pub use probe::{Rate, Video};
