/// What can be wrong with the input of this crate. Each variant carries the value and the bound it broke.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error("invalid {field}: {value} (expected {allowed})")]
    Setting {
        /// Name of the field, as in JSON.
        field: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are accepted, in words.
        allowed: String,
    },
    /// A buffer does not hold as many elements as its width and height say.
    #[error("a plane of {width}×{height} holds {expected} values, not {actual}")]
    Length {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// `width * height`.
        expected: usize,
        /// The length that was given.
        actual: usize,
    },
    /// A width or height is zero or too large.
    #[error("invalid size {width}×{height} (expected 1 to {max} pixels a side)", max = crate::Plane::<u8>::MAX_SIDE)]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// A frame is of another size than the first.
    #[error(
        "frame {index} is {width}×{height}, but the clip began at {expected_width}×{expected_height}; all frames must be of one size"
    )]
    FrameSize {
        /// Number of the frame, from 0.
        index: usize,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Width of the first frame.
        expected_width: usize,
        /// Height of the first frame.
        expected_height: usize,
    },
    /// A frame brings another number of probability planes than the first.
    #[error("frame {index} brings {actual} probability planes, expected {expected}")]
    Classes {
        /// Number of the frame, from 0.
        index: usize,
        /// Planes given.
        actual: usize,
        /// Planes expected.
        expected: usize,
    },
    /// Run lengths do not describe a mask.
    #[error("invalid run lengths: {what} is {value} (expected {allowed})")]
    RunLengths {
        /// The part that is wrong: a run or a character, by its number from 0.
        what: String,
        /// What it is.
        value: String,
        /// What it may be, in words.
        allowed: String,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
