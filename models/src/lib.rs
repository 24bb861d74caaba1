//! The networks of Steadymask: RGB frames in, a probability for each class and pixel out.
//!
//! A [`Segmenter`] is loaded once and then asked for batches of frames. It scales them to what its network
//! wants, runs the network on the CPU or the GPU, scales the result back to the frames' size and gives 8-bit
//! probabilities. All of burn, the tensor library, lives in this crate, and none of its types leave it.
//!
//! A [`Classifier`] tells what a whole picture shows. `Weights` reads files of either kind, and puts a new last layer on a
//! classifier.
//!
//! - `net`: the networks, one file each; they differ in layers and in how frames go in and logits come out.
//! - `weights`: state dictionaries, from safetensors or PyTorch files, under the names torchvision gives.
//! - `import`: files of weights as people have them, recognised and checked. `manifest`: the networks there are.
//! - [`logistic`], [`calibration`]: a classifier's last layer trained, and its confidence put right.
//! - `device`: which processor, and why. `gpu`: GPUs that answer, and what is done when one fails.
//! - [`classes`]: their names, and which mean the same.
//! - `rcnn`: what a network that finds objects does besides convolutions.
//! - `input`, `output`: frames to the network's input; logits to probabilities. `pillow`: how torchvision scales.
//!
//! Features: `embedded` (default) carries the default network's weights in the binary; `cuda`, `vulkan` and `wgpu` add
//! GPUs (`wgpu` is WebGPU in the browser); `relaxed-simd` is for WASM in browsers that have it.
//!
//! ```
//! use steadymask_core::Plane;
//! use steadymask_models::{DeviceChoice, Segmenter, block_on};
//!
//! # #[cfg(feature = "embedded")]
//! # fn main() -> Result<(), steadymask_models::Error> {
//! let segmenter = block_on(Segmenter::embedded(DeviceChoice::Cpu))?;
//! let classes = segmenter.class_ids(&["person".into(), "dog".into()])?;
//! let frame = Plane::filled(64, 48, [90, 120, 60]);
//! let probabilities = block_on(segmenter.segment(&[&frame], &classes))?;
//! assert_eq!(probabilities[0][1].size(), (64, 48)); // of dog, in the first frame
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```

#[cfg(not(target_arch = "wasm32"))]
pub mod calibration;
pub mod classes;
mod classifier;
mod cpu;
mod device;
mod error;
mod gpu;
#[cfg(not(target_arch = "wasm32"))]
mod import;
mod input;
#[cfg(not(target_arch = "wasm32"))]
pub mod logistic;
#[cfg(not(target_arch = "wasm32"))]
mod manifest;
mod net;
mod output;
mod pillow;
mod rcnn;
mod remarks;
mod segmenter;
#[cfg(feature = "train")]
pub mod train;
mod weights;

pub use classes::VOC_CLASSES;
pub use classifier::{Calibration, Card, Classifier, Framing, HeatMap, log_odds};
pub use device::{DeviceChoice, DeviceReport, Trial, try_gpus_by};
pub use error::{Error, Result};
#[cfg(not(target_arch = "wasm32"))]
pub use import::{Contents, Head, Task, Weights};
#[cfg(not(target_arch = "wasm32"))]
pub use manifest::{Entry, Input, Manifest, Score};
pub use segmenter::{FrameLogits, ModelInfo, Segmenter};
#[cfg(feature = "embedded")]
pub use weights::embedded::NAME as EMBEDDED;

/// Runs a future of this crate to its end on this thread. Browsers cannot block: there, await it.
#[cfg(not(target_arch = "wasm32"))]
pub fn block_on<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
