//! The networks. Each file is one part, built from a state dictionary by the names torchvision gives.

pub(crate) mod classification;
mod deeplab_v3;
mod deeplab_v3_aspp;
mod efficientnet;
mod inverted_residual;
mod lraspp;
mod mobilenet_v2;
mod mobilenet_v3;
mod resnet;
#[cfg(test)]
mod tests;

use burn::tensor::{Device, Tensor, module::conv2d, ops::ConvOptions};

use crate::{
    Error, Result,
    input::Preparation,
    output::Alignment,
    weights::{Loader, StateDict},
};

/// A convolution and how it is applied.
#[derive(Debug)]
pub(crate) struct Conv {
    /// `[outputs, inputs / groups, kernel, kernel]`
    pub(crate) weight: Tensor<4>,
    /// `[outputs]`
    pub(crate) bias: Option<Tensor<1>>,
    pub(crate) options: ConvOptions<2>,
}

impl Conv {
    /// `[batch, inputs, height, width]` → `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        conv2d(x, self.weight.clone(), self.bias.clone(), self.options.clone())
    }
}

/// The mean of each channel: `[batch, channels, height, width]` → `[batch, channels, 1, 1]`.
fn global_mean(x: Tensor<4>) -> Tensor<4> {
    x.mean_dim(3).mean_dim(2)
}

/// What is particular to a network besides its layers.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// Its name.
    pub(crate) name: &'static str,
    /// How frames become its input.
    pub(crate) preparation: Preparation,
    /// How its logits lie on its input.
    pub(crate) alignment: Alignment,
    /// Tensors by which its weights are told from others'.
    marks: &'static [&'static str],
    load: fn(&mut Loader) -> Result<Layers>,
}

impl Architecture {
    /// Whether its marks are among the weights, behind `prefix`.
    fn is_in(&self, weights: &StateDict, prefix: &str) -> bool {
        self.marks.iter().all(|mark| weights.get(&format!("{prefix}{mark}")).is_some())
    }
}

/// Whether there is an architecture of this name.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) fn is_known(architecture: &str) -> bool {
    ARCHITECTURES.iter().any(|a| a.name == architecture)
}

/// What stands before the names of a network's tensors in a checkpoint that holds more than the network (`model.`,
/// `state_dict.module.` …); the shortest where there are several. `None` where no network known is among the weights.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn prefix(weights: &StateDict) -> Option<String> {
    let of = |a: &Architecture| {
        let prefixes = weights.names().filter_map(|name| name.strip_suffix(a.marks[0]));
        prefixes.filter(|prefix| a.is_in(weights, prefix)).min_by_key(|prefix| prefix.len()).map(String::from)
    };
    ARCHITECTURES.into_iter().find_map(of).or_else(|| classification::prefix(weights))
}

/// Every network known, in the order in which their marks are looked for.
static ARCHITECTURES: [&Architecture; 5] = [
    &deeplab_v3::ARCHITECTURE,
    &deeplab_v3_aspp::RESNET_101,
    &deeplab_v3_aspp::RESNET_50,
    &deeplab_v3_aspp::MOBILENET_V3_LARGE,
    &lraspp::ARCHITECTURE,
];

/// The layers of a network, and the number of its classes.
#[derive(Debug)]
struct Layers {
    classes: usize,
    forward: Box<dyn Forward>,
}

/// What a head stands on: `[batch, 3, height, width]` → `[batch, features, ⌈height / stride⌉, ⌈width / stride⌉]`.
trait Body: std::fmt::Debug + Send + Sync {
    fn features(&self, x: Tensor<4>) -> Tensor<4>;
}

/// `[batch, 3, height, width]` → logits `[batch, classes, grid height, grid width]`.
trait Forward: std::fmt::Debug + Send + Sync {
    fn forward(&self, x: Tensor<4>) -> Tensor<4>;
}

/// A network on a device.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) architecture: &'static Architecture,
    layers: Layers,
}

impl Network {
    /// Recognises the network by the names of its tensors and builds it on `device`.
    ///
    /// # Errors
    /// [`Error::UnknownNetwork`], [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::SurplusTensors`].
    pub(crate) fn load(weights: &StateDict, device: &Device) -> Result<Self> {
        if classification::is_classifier(weights) {
            let reason = "they are of a classifier, which tells what a picture shows, not where".into();
            return Err(Error::Weights { reason });
        }
        let known = ARCHITECTURES.into_iter().find(|a| a.is_in(weights, ""));
        let architecture = known.ok_or_else(|| unknown(weights))?;
        let mut loader = Loader::new(architecture.name, weights, device);
        let layers = (architecture.load)(&mut loader)?;
        loader.finish()?;
        Ok(Self { architecture, layers })
    }

    /// How many classes it tells apart, the background among them.
    pub(crate) fn classes(&self) -> usize {
        self.layers.classes
    }

    /// `[batch, 3, height, width]` → logits `[batch, classes, grid height, grid width]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.layers.forward.forward(x)
    }
}

/// Whether the weights are those of a segmentation network.
fn segments(weights: &StateDict) -> bool {
    ARCHITECTURES.into_iter().any(|a| a.is_in(weights, ""))
}

/// The refusal of weights that are of no network known.
fn unknown(weights: &StateDict) -> Error {
    let found: Vec<&str> = weights.names().take(3).collect();
    let names: Vec<&str> = ARCHITECTURES.iter().map(|a| a.name).chain(classification::names()).collect();
    let (last, others) = names.split_last().expect("there are several");
    Error::UnknownNetwork {
        found: if found.is_empty() { "none at all".into() } else { format!("{}, …", found.join(", ")) },
        expected: format!("{} or {last}", others.join(", ")),
    }
}
