/// What can go wrong while a network is loaded or runs. Each variant carries the value and what was expected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No device goes by this name.
    #[error("unknown device: {value} (expected auto, cpu, cuda, vulkan or webgpu)")]
    UnknownDevice {
        /// The name that was given.
        value: String,
    },
    /// The device that was asked for cannot be used.
    #[error("the device {device} cannot be used: {reason}; there is {others}, or auto, which takes what works")]
    DeviceUnavailable {
        /// Name of the device.
        device: &'static str,
        /// Why, in words.
        reason: String,
        /// What else may be asked for.
        others: String,
    },
    /// The device failed while it computed.
    #[error("the device {device} failed: {reason}")]
    DeviceFailed {
        /// Name of the device.
        device: String,
        /// Why, in words.
        reason: String,
    },
    /// The network gave numbers that are infinite or not numbers at all.
    #[error("the device {device} returned garbage: {count} of {total} values are not finite")]
    Garbage {
        /// Name of the device.
        device: String,
        /// How many values are not finite.
        count: usize,
        /// How many values there are.
        total: usize,
    },
    /// The bytes are no file of weights, or a damaged one.
    #[error("the weights cannot be read: {reason}")]
    Weights {
        /// Why, in words.
        reason: String,
    },
    /// A pickle asks Python for something that is no part of a tensor. It was not run.
    #[error(
        "the pickle asks for {name}, which no tensor needs; it was not run (expected a state dictionary alone: \
         torch.save(model.state_dict(), …))"
    )]
    ForbiddenPickle {
        /// What it asks for: module and name.
        name: String,
    },
    /// A list of networks is not as it must be.
    #[error("the list of networks cannot be used: {reason}")]
    Manifest {
        /// What is wrong, and where.
        reason: String,
    },
    /// The tensors belong to no network known here.
    #[error("no known network has these tensors: {found} (expected those of {expected})")]
    UnknownNetwork {
        /// The first few names.
        found: String,
        /// The networks known.
        expected: String,
    },
    /// A tensor of the network is not among the weights.
    #[error("the weights of {network} lack the tensor {tensor}")]
    MissingTensor {
        /// Name of the network.
        network: &'static str,
        /// Name of the tensor.
        tensor: String,
    },
    /// A tensor has another shape than the network wants.
    #[error("the tensor {tensor} has the shape {actual:?}, but {network} wants {expected:?}")]
    TensorShape {
        /// Name of the network.
        network: &'static str,
        /// Name of the tensor.
        tensor: String,
        /// The shape given.
        actual: Vec<usize>,
        /// The shape wanted.
        expected: Vec<usize>,
    },
    /// There are tensors that the network has no place for.
    #[error("{count} tensors have no place in {network}, the first is {first}")]
    SurplusTensors {
        /// Name of the network.
        network: &'static str,
        /// How many.
        count: usize,
        /// Name of the first.
        first: String,
    },
    /// The network finds objects, one by one, and has no grid of logits.
    #[error(
        "{network} finds objects and has no grid of logits (expected a network that tells the class of every pixel)"
    )]
    NoLogits {
        /// Name of the network's architecture.
        network: &'static str,
    },
    /// The network does not know a class of this name.
    #[error("no such class: {name} (expected one of {available})")]
    UnknownClass {
        /// The name that was given.
        name: String,
        /// The names it knows.
        available: String,
    },
    /// The network does not have a class of this number.
    #[error("no such class: {id} (expected 0 to {last})")]
    ClassId {
        /// The number that was given.
        id: usize,
        /// The largest number accepted.
        last: usize,
    },
    /// There is no such way to show a picture to a classifier.
    #[error("unknown framing: {value} (expected squeeze or middle)")]
    UnknownFraming {
        /// The name that was given.
        value: String,
    },
    /// The middle of a picture of this shape is not shown.
    #[error("a picture of {width}×{height} has no middle to show (expected at most {longest} times as long as wide)")]
    PictureShape {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// How many times as long as wide it may be.
        longest: usize,
    },
    /// The frames of a batch differ in size.
    #[error(
        "frame {index} of the batch is {width}×{height}, but the first is {expected_width}×{expected_height}; a batch is of one size"
    )]
    FrameSize {
        /// Number of the frame in the batch, from 0.
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
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
