//! Files of weights as people have them: what is in them, and the one form in which they are kept.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Card, Classifier, Error, Result, classes,
    net::{self, Network, classification},
    remarks::Remarks,
    weights::{Array, StateDict},
};

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Telling the classes of pixels.
    #[default]
    Segmentation,
    /// Telling the class of a picture.
    Classification,
}

/// What a file of weights holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The network that its tensors are of.
    pub architecture: &'static str,
    /// What that is for.
    pub task: Task,
    /// The classes it tells apart, by number; of a segmentation 0 is the background.
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
#[derive(Clone)]
pub struct Weights {
    state: StateDict,
    contents: Contents,
    /// Of a classifier.
    card: Option<Card>,
}

/// The last layer of a classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// For each class a weight for each feature.
    pub weights: Vec<Vec<f32>>,
    /// For each class.
    pub bias: Vec<f32>,
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
        Self::recognised(state, prefix, left_out)
    }

    /// Finds out what the weights are.
    fn recognised(state: StateDict, prefix: String, left_out: usize) -> Result<Self> {
        let (architecture, task, classes, card) = if classification::is_classifier(&state) {
            let network = classification::Network::load(&state)?;
            let card = Card::of(&state, network.classes())?;
            (network.architecture.name, Task::Classification, card.classes.clone(), Some(card))
        } else {
            let network = Network::load(&state)?;
            let named = Remarks::of(&state, network.classes())?.classes;
            let classes = named.unwrap_or_else(|| classes::named(network.classes()));
            (network.architecture.name, Task::Segmentation, classes, None)
        };
        let contents = Contents {
            architecture,
            task,
            classes,
            parameters: state.parameters(),
            tensors: state.len(),
            auxiliary: state.names().any(|name| name.starts_with("aux_classifier.")),
            prefix,
            left_out,
        };
        Ok(Self { state, contents, card })
    }

    /// The body of the default segmentation network as a classifier of two classes, whose last layer is yet to be trained:
    /// see [`Self::with_head`].
    ///
    /// # Errors
    /// Never, as a test shows; the weights are read like any others.
    #[cfg(feature = "embedded")]
    pub fn default_body() -> Result<Self> {
        let mut state = StateDict::from_safetensors(crate::weights::embedded::SAFETENSORS)?;
        state.retain("backbone.");
        let features = classification::DEFAULT_FEATURES;
        state.set("head.weight".into(), Array { shape: vec![2, features], values: vec![0.0; 2 * features] });
        state.set("head.bias".into(), Array { shape: vec![2], values: vec![0.0; 2] });
        Self::recognised(state, String::new(), 0)
    }

    /// The weights of a classifier with this last layer, and this card.
    ///
    /// # Errors
    /// [`Error::Weights`] when the layer does not fit the network, or the card the layer.
    pub fn with_head(&self, head: &Head, card: Card) -> Result<Self> {
        let network = classification::Network::load(&self.state)?;
        let (features, classes) = (network.features(), head.weights.len());
        if head.bias.len() != classes || head.weights.iter().any(|weights| weights.len() != features) {
            let reason = format!("a last layer of other sizes (expected {features} weights and a bias a class)");
            return Err(Error::Weights { reason });
        }
        card.check(classes).map_err(|reason| Error::Weights { reason })?;
        let mut state = self.state.clone();
        let weight = Array { shape: vec![classes, features], values: head.weights.concat() };
        state.set(format!("{}.weight", network.last), weight);
        state.set(format!("{}.bias", network.last), Array { shape: vec![classes], values: head.bias.clone() });
        let mut changed = Self::recognised(state, String::new(), 0)?;
        changed.contents.classes.clone_from(&card.classes);
        changed.card = Some(card);
        Ok(changed)
    }

    /// The weights of a classifier with another card.
    ///
    /// # Errors
    /// [`Error::Weights`] when they are of no classifier, or the card does not fit.
    pub fn with_card(mut self, card: Card) -> Result<Self> {
        let refuse = |reason: String| Error::Weights { reason };
        if self.card.is_none() {
            return Err(refuse(format!("{} segments; only a classifier has a card", self.contents.architecture)));
        }
        card.check(self.contents.classes.len()).map_err(refuse)?;
        self.contents.classes.clone_from(&card.classes);
        self.card = Some(card);
        Ok(self)
    }

    /// What a classifier says of itself; `None` of a segmentation network.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// The classifier of these weights.
    ///
    /// # Errors
    /// [`Error::Weights`] when they are of a segmentation network.
    pub fn classifier(&self) -> Result<Classifier> {
        Classifier::load(&self.state, self.card.as_ref())
    }

    /// What they are.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The bytes of a safetensors file with these weights under torchvision's names, in 32 bits; its header tells the
    /// architecture, or class names and temperatures where there are such, or of a classifier the card. The same weights give the same bytes.
    ///
    /// # Errors
    /// [`Error::Weights`] when they are too many.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        match &self.card {
            None => self.state.to_safetensors(match self.state.remark(Remarks::KEY) {
                Some(remarks) => (Remarks::KEY, remarks),
                None => ("architecture", self.contents.architecture),
            }),
            Some(card) => {
                let json = serde_json::to_string(card).map_err(|e| Error::Weights { reason: e.to_string() })?;
                self.state.to_safetensors((Card::KEY, &json))
            }
        }
    }
}
