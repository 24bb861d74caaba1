//! Files of weights as people have them: what is in them, and the one form in which they are kept.

use std::path::Path;

use burn::tensor::Device;
use serde::Serialize;

use crate::{
    Error, Result,
    net::{self, Network},
    segmenter::class_names,
    weights::StateDict,
};

/// What a file of weights holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The network that its tensors are of.
    pub architecture: &'static str,
    /// The classes it tells apart, by number; 0 is the background.
    pub classes: Vec<String>,
    /// How many numbers it has learned.
    pub parameters: usize,
    /// How many tensors of numbers it has.
    pub tensors: usize,
    /// Whether it brings the auxiliary classifier that only training uses.
    pub auxiliary: bool,
    /// What stood before the names of the tensors, as `module.` of a checkpoint.
    pub prefix: String,
    /// How many tensors of the file are no part of the network.
    pub left_out: usize,
}

/// The weights of a network that is known here, whole and of the right shapes.
pub struct Weights {
    state: StateDict,
    contents: Contents,
}

impl Weights {
    /// Reads a `.safetensors` file, or a `.pth` one, of which nothing is executed. Checkpoints that hold the network
    /// under another name (`model`, `state_dict`, `module.`) are searched for it.
    ///
    /// # Errors
    /// [`Error::Weights`], [`Error::ForbiddenPickle`], [`Error::UnknownNetwork`], [`Error::MissingTensor`],
    /// [`Error::TensorShape`], [`Error::SurplusTensors`].
    pub fn open(path: &Path) -> Result<Self> {
        let mut state = StateDict::from_file(path)?;
        let prefix = net::prefix(&state).unwrap_or_default();
        let left_out = if prefix.is_empty() { 0 } else { state.descend(&prefix) };
        if let Some((tensor, count)) = state.not_finite() {
            let reason = format!("{count} values of the tensor {tensor} are infinite or not numbers");
            return Err(Error::Weights { reason });
        }
        let network = Network::load(&state, &Device::flex())?;
        let contents = Contents {
            architecture: network.architecture.name,
            classes: class_names(network.classes()),
            parameters: state.parameters(),
            tensors: state.len(),
            auxiliary: state.names().any(|name| name.starts_with("aux_classifier.")),
            prefix,
            left_out,
        };
        Ok(Self { state, contents })
    }

    /// What they are.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The bytes of a safetensors file with these weights under torchvision's names, in 32 bits; its header tells the
    /// architecture. The same weights give the same bytes.
    ///
    /// # Errors
    /// [`Error::Weights`] when they are too many.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        self.state.to_safetensors(("architecture", self.contents.architecture))
    }
}
