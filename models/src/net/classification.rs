//! Networks that tell what a whole picture shows: torchvision's, and the default network's body with a head of its own.
//!
//! All are a body, the mean of its features, for MobileNetV3 one more layer, and a linear layer at the end. Only the
//! last has as many outputs as there are classes, so a file tells their number.

use super::{
    efficientnet,
    graph::{
        Activation::{HardSwish, Identity},
        Conv, Graph, Value,
    },
    mobilenet_v2::{self, Form},
    mobilenet_v3::{self, Variant},
    resnet::{self, Kind},
};
use crate::{
    Error, Result,
    input::Normalization,
    weights::{Loader, StateDict},
};

/// What is particular to a classifier besides its layers.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// Its name.
    pub(crate) name: &'static str,
    /// Side of the pictures it is shown, in pixels.
    pub(crate) side: usize,
    /// The short side to which a picture is scaled before its middle is cut out, where that is how it is shown.
    pub(crate) resized: usize,
    /// How colours become its input.
    pub(crate) normalization: Normalization,
    /// Tensors by which its weights are told from others'.
    marks: &'static [&'static str],
    /// What the last layer's tensors begin with: itself, or a sequence that it ends.
    head: &'static str,
    load: fn(&mut Loader, last: &str) -> Result<Layers>,
}

/// torchvision's preset, and the head of its ResNets.
const RESNET_50: Architecture = Architecture {
    name: "resnet50",
    side: 224,
    resized: 256,
    normalization: Normalization::IMAGENET,
    marks: &["layer3.5.conv1.weight", "layer1.0.conv3.weight", "conv1.weight"],
    head: "fc",
    load: |loader, last| resnet(loader, last, Kind::Bottleneck, [3, 4, 6, 3]),
};

const MOBILENET_V2: Architecture = Architecture {
    name: "mobilenet_v2",
    marks: &["features.18.0.weight", "features.1.conv.0.0.weight"],
    head: "classifier",
    load: |loader, last| {
        let mut graph = Graph::new();
        let features = mobilenet_v2::body(&mut graph, loader, "features", Form::Classifier)?;
        Layers::new(loader, graph, features, None, last)
    },
    ..RESNET_50
};

/// Every classifier known, in the order in which their marks are looked for.
static ARCHITECTURES: [Architecture; 8] = [
    RESNET_50,
    // Bottlenecks were asked for before.
    Architecture {
        name: "resnet34",
        marks: &["layer3.5.conv1.weight", "conv1.weight"],
        load: |loader, last| resnet(loader, last, Kind::Basic, [3, 4, 6, 3]),
        ..RESNET_50
    },
    // Larger ones were asked for before.
    Architecture {
        name: "resnet18",
        marks: &["layer4.1.conv2.weight", "conv1.weight"],
        load: |loader, last| resnet(loader, last, Kind::Basic, [2, 2, 2, 2]),
        ..RESNET_50
    },
    MOBILENET_V2,
    Architecture {
        name: "mobilenet_v3_large",
        marks: &["features.16.0.weight", "features.1.block.0.0.weight"],
        load: |loader, last| mobilenet_v3(loader, last, &mobilenet_v3::LARGE),
        ..MOBILENET_V2
    },
    Architecture {
        name: "mobilenet_v3_small",
        marks: &["features.12.0.weight", "features.1.block.0.0.weight"],
        load: |loader, last| mobilenet_v3(loader, last, &mobilenet_v3::SMALL),
        ..MOBILENET_V2
    },
    Architecture {
        name: "efficientnet_b0",
        marks: &["features.8.0.weight", "features.1.0.block.0.0.weight"],
        load: |loader, last| {
            let mut graph = Graph::new();
            let features = efficientnet::body(&mut graph, loader, "features")?;
            Layers::new(loader, graph, features, None, last)
        },
        ..MOBILENET_V2
    },
    Architecture {
        name: DEFAULT_BODY,
        side: 241,
        resized: 272,
        normalization: Normalization { mean: [0.5; 3], deviation: [0.5; 3] },
        marks: &["backbone.features.0.0.weight", "backbone.features.17.conv.0.0.weight"],
        head: "head",
        load: |loader, last| {
            let mut graph = Graph::new();
            let features = mobilenet_v2::body(&mut graph, loader, "backbone.features", Form::Folded)?;
            Layers::new(loader, graph, features, None, last)
        },
    },
];

/// The classifier on the default segmentation network's body.
const DEFAULT_BODY: &str = "mobilenet_v2_stride16";
/// How many numbers that body gives.
#[cfg(all(feature = "embedded", not(target_arch = "wasm32")))]
pub(crate) const DEFAULT_FEATURES: usize = mobilenet_v2::FEATURES;

fn resnet(loader: &mut Loader, last: &str, kind: Kind, blocks: [usize; 4]) -> Result<Layers> {
    let mut graph = Graph::new();
    let [.., features] = resnet::body(&mut graph, loader, "", kind, blocks, false, resnet::EPSILON)?;
    Layers::new(loader, graph, features, None, last)
}

fn mobilenet_v3(loader: &mut Loader, last: &str, variant: &Variant) -> Result<Layers> {
    let mut graph = Graph::new();
    let features = mobilenet_v3::body(&mut graph, loader, "features", variant, false)?.high;
    let hidden = loader.linear("classifier.0", variant.high, variant.hidden)?;
    Layers::new(loader, graph, features, Some(hidden), last)
}

impl Architecture {
    /// Whether its marks are among the weights, behind `prefix`.
    fn is_in(&self, weights: &StateDict, prefix: &str) -> bool {
        self.marks.iter().all(|mark| weights.get(&format!("{prefix}{mark}")).is_some())
            && weights.names().any(|name| name.strip_prefix(prefix).is_some_and(|name| name.starts_with(self.head)))
    }

    /// The name of the last layer: `fc`, or the last of a sequence `fc.N`, as people have it who put a dropout before.
    fn last(&self, weights: &StateDict) -> String {
        let number = |name: &str| {
            let rest = name.strip_prefix(self.head)?.strip_prefix('.')?.strip_suffix(".weight")?;
            rest.parse::<usize>().ok()
        };
        match weights.names().filter_map(number).max() {
            Some(number) => format!("{}.{number}", self.head),
            None => self.head.into(),
        }
    }
}

/// The classifier whose marks are among the weights.
fn of(weights: &StateDict) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|a| a.is_in(weights, ""))
}

/// Whether the weights are those of a classifier.
pub(crate) fn is_classifier(weights: &StateDict) -> bool {
    of(weights).is_some()
}

/// As [`super::prefix`], of classifiers.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn prefix(weights: &StateDict) -> Option<String> {
    let of = |a: &Architecture| {
        let prefixes = weights.names().filter_map(|name| name.strip_suffix(a.marks[0]));
        prefixes.filter(|prefix| a.is_in(weights, prefix)).min_by_key(|prefix| prefix.len()).map(String::from)
    };
    ARCHITECTURES.iter().find_map(of)
}

/// The names of all classifiers known.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ARCHITECTURES.iter().map(|a| a.name)
}

/// The layers of a classifier.
#[derive(Debug)]
struct Layers {
    /// `[batch, 3, height, width]` → logits `[batch, classes, 1, 1]`, and `[batch, features, 1, 1]`.
    graph: Graph,
    features: usize,
    classes: usize,
}

impl Layers {
    /// The mean of a body's `features`, MobileNetV3's layer before the last, and the linear layer of the name `last`.
    fn new(loader: &mut Loader, mut graph: Graph, features: Value, hidden: Option<Conv>, last: &str) -> Result<Self> {
        let classes = loader.outputs(&format!("{last}.weight"))?;
        let mut x = graph.mean(features);
        if let Some(hidden) = hidden {
            x = graph.conv(x, hidden, HardSwish);
        }
        let features = graph.channels(x);
        let logits = graph.conv(x, loader.linear(last, features, classes)?, Identity);
        Ok(Self { graph: graph.with_outputs(vec![logits, x]), features, classes })
    }
}

/// A classifier with its weights, on no device yet.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) architecture: &'static Architecture,
    layers: Layers,
    /// Name of the last layer, for who would put another in its place.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) last: String,
}

impl Network {
    /// Recognises the network by the names of its tensors.
    ///
    /// # Errors
    /// [`Error::UnknownNetwork`], [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::SurplusTensors`];
    /// [`Error::Weights`] for a segmentation network.
    pub(crate) fn load(weights: &StateDict) -> Result<Self> {
        if super::segments(weights) {
            let reason = "they are of a segmentation network, which tells where things are, not of a classifier".into();
            return Err(Error::Weights { reason });
        }
        let architecture = of(weights).ok_or_else(|| super::unknown(weights))?;
        let mut loader = Loader::new(architecture.name, weights);
        let last = architecture.last(weights);
        let layers = (architecture.load)(&mut loader, &last)?;
        loader.finish()?;
        Ok(Self {
            architecture,
            layers,
            #[cfg(not(target_arch = "wasm32"))]
            last,
        })
    }

    /// How many classes it tells apart.
    pub(crate) fn classes(&self) -> usize {
        self.layers.classes
    }

    /// How many numbers the last layer is given.
    pub(crate) fn features(&self) -> usize {
        self.layers.features
    }

    /// Its operations; the outputs are the logits `[batch, classes, 1, 1]` and what the last layer is given for them,
    /// `[batch, features, 1, 1]`.
    pub(crate) fn graph(&self) -> &Graph {
        &self.layers.graph
    }
}
