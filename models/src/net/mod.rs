//! The networks. Each file describes one part, from a state dictionary by the names torchvision gives, as a piece of a
//! [`Graph`], which does not know where it will run.

pub(crate) mod classification;
mod deeplab_v3;
mod deeplab_v3_aspp;
mod efficientnet;
mod graph;
mod inverted_residual;
mod lraspp;
pub(crate) mod mask_rcnn;
mod mobilenet_v2;
mod mobilenet_v3;
mod on_burn;
mod resnet;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    Error, Result,
    input::Preparation,
    output::Alignment,
    weights::{Loader, StateDict},
};

pub(crate) use graph::{Activation, Conv, Graph, Op, Values};
pub(crate) use on_burn::OnBurn;

/// Numbers that go into a network or come out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    pub(crate) values: Vec<f32>,
    /// `[batch, channels, height, width]`
    pub(crate) shape: [usize; 4],
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
static ARCHITECTURES: [&Architecture; 6] = [
    &deeplab_v3::ARCHITECTURE,
    &deeplab_v3_aspp::RESNET_101,
    &deeplab_v3_aspp::RESNET_50,
    &deeplab_v3_aspp::MOBILENET_V3_LARGE,
    &lraspp::ARCHITECTURE,
    &mask_rcnn::ARCHITECTURE,
];

/// The layers of a network, and the number of its classes.
#[derive(Debug)]
struct Layers {
    classes: usize,
    /// `[batch, 3, height, width]` → logits `[batch, classes, grid height, grid width]`; of a network that finds objects,
    /// what its heads see.
    graph: Graph,
    /// Of a network that finds objects.
    heads: Option<mask_rcnn::Heads>,
}

/// A network with its weights, on no device yet.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) architecture: &'static Architecture,
    layers: Layers,
}

impl Network {
    /// Recognises the network by the names of its tensors.
    ///
    /// # Errors
    /// [`Error::UnknownNetwork`], [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::SurplusTensors`].
    pub(crate) fn load(weights: &StateDict) -> Result<Self> {
        if classification::is_classifier(weights) {
            let reason = "they are of a classifier, which tells what a picture shows, not where".into();
            return Err(Error::Weights { reason });
        }
        let known = ARCHITECTURES.into_iter().find(|a| a.is_in(weights, ""));
        let architecture = known.ok_or_else(|| unknown(weights))?;
        let mut loader = Loader::new(architecture.name, weights);
        let layers = (architecture.load)(&mut loader)?;
        loader.finish()?;
        Ok(Self { architecture, layers })
    }

    /// The default network, and the names of its convolutions in the order of its graph.
    #[cfg(feature = "train")]
    pub(crate) fn named(weights: &StateDict) -> Result<(Self, Vec<String>)> {
        let architecture = &deeplab_v3::ARCHITECTURE;
        let mut loader = Loader::new(architecture.name, weights);
        let layers = (architecture.load)(&mut loader)?;
        let names = std::mem::take(&mut loader.taken);
        loader.finish()?;
        Ok((Self { architecture, layers }, names))
    }

    /// How many classes it tells apart, the background among them.
    pub(crate) fn classes(&self) -> usize {
        self.layers.classes
    }

    /// Its operations; the output is the logits `[batch, classes, grid height, grid width]`, or of a network that finds
    /// objects what its [`Self::heads`] see.
    pub(crate) fn graph(&self) -> &Graph {
        &self.layers.graph
    }

    /// What follows where a network finds objects.
    pub(crate) fn heads(&self) -> Option<&mask_rcnn::Heads> {
        self.layers.heads.as_ref()
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
