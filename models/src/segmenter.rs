use serde::Serialize;
use steadymask_core::{Plane, Rgb};

use crate::{
    DeviceChoice, DeviceReport, Error, Result, classes,
    cpu::{Engine, Width},
    device,
    gpu::{self, OnGpu},
    input::{Sides, scaled},
    net::{Architecture, Batch, Network},
    output::Logits,
    rcnn::MaskRcnn,
    remarks::Remarks,
    weights::StateDict,
};

/// What a network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// Its name.
    pub name: String,
    /// The name of its architecture.
    pub architecture: &'static str,
    /// How many numbers it has learned.
    pub parameters: usize,
    /// The classes it tells apart, by number; 0 is the background.
    pub classes: Vec<String>,
}

/// What a network says of a frame, before it is made probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameLogits {
    /// A number for each class and place, row by row.
    pub values: Vec<f32>,
    /// `[classes, height, width]` of the network's grid.
    pub shape: [usize; 3],
}

/// A network where it runs.
#[derive(Debug)]
enum Placed {
    Cpu(Engine),
    Gpu(OnGpu),
    /// Finds objects.
    Objects(Box<MaskRcnn>),
}

/// A network, ready on its device.
#[derive(Debug)]
pub struct Segmenter {
    architecture: &'static Architecture,
    network: Placed,
    remarks: Remarks,
    report: DeviceReport,
    info: ModelInfo,
}

impl Segmenter {
    /// Loads the network that the crate carries.
    ///
    /// # Errors
    /// [`Error::DeviceUnavailable`] when `device` asks for a GPU that does not work.
    #[cfg(feature = "embedded")]
    pub async fn embedded(device: DeviceChoice) -> Result<Self> {
        use crate::weights::embedded::{NAME, SAFETENSORS};
        Self::load(&StateDict::from_safetensors(SAFETENSORS)?, Some(NAME), device).await
    }

    /// Loads a network from the bytes of a safetensors file; which one, the names of its tensors tell.
    ///
    /// # Errors
    /// [`Error::Weights`] and its neighbours when the file is damaged or of no network known;
    /// [`Error::DeviceUnavailable`] when `device` asks for a GPU that does not work.
    pub async fn from_safetensors(bytes: Vec<u8>, device: DeviceChoice) -> Result<Self> {
        let weights = StateDict::from_safetensors(&bytes)?;
        drop(bytes);
        Self::load(&weights, None, device).await
    }

    /// The same network under names of a person's own.
    ///
    /// # Errors
    /// [`Error::Weights`] when there are more or fewer names than classes.
    pub fn with_names(mut self, name: &str, classes: Vec<String>) -> Result<Self> {
        if classes.len() != self.info.classes.len() {
            let reason = format!("{} classes are named, but there are {}", classes.len(), self.info.classes.len());
            return Err(Error::Weights { reason });
        }
        self.info = ModelInfo { name: name.into(), classes, ..self.info };
        Ok(self)
    }

    /// Whether the network that the crate carries computes on that kind of GPU what it computes on the CPU, tried in
    /// this process: what a [`Trial`](crate::Trial) asks for in its own. One that computes in software counts if
    /// `software` says so.
    ///
    /// # Errors
    /// In words, when it does not.
    #[cfg(feature = "embedded")]
    pub async fn try_embedded(kind: DeviceChoice, software: bool) -> std::result::Result<(), String> {
        use crate::weights::embedded::SAFETENSORS;
        // First, since most machines have no such GPU, and the network takes its time.
        gpu::open(kind, software).await?;
        let on_cpu = || {
            let weights = StateDict::from_safetensors(SAFETENSORS)?;
            let network = Network::load(&weights)?;
            Self::on_cpu(&weights, &network, None).map(|on_cpu| (network, on_cpu))
        };
        let (network, on_cpu) = on_cpu().map_err(|e| e.to_string())?;
        on_cpu.on_gpu(&network, kind, software).await.map(drop)
    }

    async fn load(weights: &StateDict, name: Option<&str>, choice: DeviceChoice) -> Result<Self> {
        let network = Network::load(weights)?;
        let on_cpu = Self::on_cpu(weights, &network, name)?;
        if network.heads().is_some() && choice != DeviceChoice::Cpu {
            let reason = format!("{} runs on the CPU only", network.architecture.name);
            return match choice {
                DeviceChoice::Auto => Ok(Self { report: DeviceReport::cpu(reason), ..on_cpu }),
                gpu => Err(gpu.unavailable(reason)),
            };
        }
        // Each reason once, after the kinds it is of.
        let mut refusals: Vec<(String, String)> = Vec::new();
        for kind in choice.candidates()? {
            let on_gpu = match device::tried(kind, choice == kind) {
                Ok(()) => on_cpu.on_gpu(&network, kind, choice == kind).await,
                Err(reason) => Err(reason),
            };
            match on_gpu {
                Ok(on_gpu) if choice == kind => return Ok(on_gpu),
                Ok(on_gpu) => return Ok(on_gpu.backed_by(on_cpu, told(refusals))),
                Err(reason) if choice == kind => return Err(kind.unavailable(reason)),
                Err(reason) => match refusals.iter_mut().find(|(_, known)| *known == reason) {
                    Some((kinds, _)) => *kinds += &format!(", {kind}"),
                    None => refusals.push((kind.to_string(), reason)),
                },
            }
        }
        let reason = match choice {
            DeviceChoice::Auto if refusals.is_empty() => "built without GPU support".into(),
            DeviceChoice::Auto => told(refusals),
            _ => "asked for".into(),
        };
        Ok(Self { report: DeviceReport::cpu(reason), ..on_cpu })
    }

    /// The network on the CPU.
    fn on_cpu(weights: &StateDict, network: &Network, name: Option<&str>) -> Result<Self> {
        let remarks = Remarks::of(weights, network.classes())?;
        let info = ModelInfo {
            name: name.unwrap_or(network.architecture.name).into(),
            architecture: network.architecture.name,
            parameters: weights.parameters(),
            classes: remarks.classes.clone().unwrap_or_else(|| classes::named(network.classes())),
        };
        let placed = match network.heads() {
            None => Placed::Cpu(Engine::new(network.graph(), Width::best())),
            Some(_) if remarks.temperatures.is_some() => {
                let reason =
                    format!("its remarks are wrong: {} has no logits that temperatures could be of", info.architecture);
                return Err(Error::Weights { reason });
            }
            Some(heads) => Placed::Objects(Box::new(MaskRcnn::new(network, heads, Width::best()))),
        };
        Ok(Self { architecture: network.architecture, network: placed, remarks, report: DeviceReport::cpu(""), info })
    }

    /// The same network on a GPU that computes what this one does, else in words why there is none. One that computes
    /// in software counts if it was `asked_for`.
    async fn on_gpu(
        &self,
        network: &Network,
        kind: DeviceChoice,
        asked_for: bool,
    ) -> std::result::Result<Self, String> {
        let gpu = gpu::open(kind, asked_for).await?;
        let reason = if asked_for { format!("asked for: {}", gpu.name) } else { format!("there is {}", gpu.name) };
        let on_gpu = Self {
            architecture: self.architecture,
            network: Placed::Gpu(OnGpu::new(network.graph(), gpu)?),
            remarks: self.remarks.clone(),
            report: DeviceReport { name: kind.name().into(), reason },
            info: self.info.clone(),
        };
        on_gpu.agrees_with(self).await?;
        Ok(on_gpu)
    }

    /// The same with the CPU to take over when the GPU fails, and with why other GPUs were refused.
    fn backed_by(self, on_cpu: Self, refusals: String) -> Self {
        let network = match (self.network, on_cpu.network) {
            (Placed::Gpu(gpu), Placed::Cpu(engine)) => Placed::Gpu(gpu.with_spare(engine)),
            (network, _) => network,
        };
        let reasons = [self.report.reason, refusals].into_iter().filter(|reason| !reason.is_empty());
        let reason = reasons.collect::<Vec<_>>().join("; ");
        Self { network, report: DeviceReport { reason, ..self.report }, ..self }
    }

    /// What network this is.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The names of the classes, by number; 0 is the background.
    pub fn classes(&self) -> &[String] {
        &self.info.classes
    }

    /// The numbers of the classes of these names, or of those that mean the same ([`classes::find`]); none for none.
    ///
    /// # Errors
    /// [`Error::UnknownClass`], which lists the names there are.
    pub fn class_ids(&self, names: &[String]) -> Result<Vec<usize>> {
        let available = || {
            let names: Vec<&str> = classes::offered(self.classes()).map(|(_, name)| name.as_str()).collect();
            names.join(", ")
        };
        let id = |name: &String| {
            let found = classes::find(self.classes(), name);
            found.ok_or_else(|| Error::UnknownClass { name: name.clone(), available: available() })
        };
        names.iter().map(id).collect()
    }

    /// The device in use, and why.
    pub fn device(&self) -> DeviceReport {
        match &self.network {
            Placed::Cpu(_) | Placed::Objects(_) => self.report.clone(),
            Placed::Gpu(gpu) => gpu.report(&self.report),
        }
    }

    /// What was learned of the device since, in words: that its memory is small, that it failed.
    pub fn trouble(&self) -> Option<String> {
        match &self.network {
            Placed::Cpu(_) | Placed::Objects(_) => None,
            Placed::Gpu(gpu) => gpu.trouble().map(|trouble| format!("{}: {trouble}", self.report.name)),
        }
    }

    /// The probabilities, as `round(255·p)`, of classes in a batch of frames of one size: a plane at the
    /// frames' size for each frame and each of `class_ids`, in their order. Empty `class_ids` give one plane a
    /// frame: the probability of anything but the background.
    ///
    /// # Errors
    /// [`Error::FrameSize`], [`Error::ClassId`]; [`Error::DeviceFailed`] and [`Error::Garbage`] when the device
    /// does.
    pub async fn segment(&self, frames: &[&Plane<Rgb>], class_ids: &[usize]) -> Result<Vec<Vec<Plane<u8>>>> {
        let Some(size) = common_size(frames)? else { return Ok(Vec::new()) };
        self.segment_at(frames, class_ids, self.input_size(size, None), size).await
    }

    /// The same with another size of the network's input, and planes of any `size`: both `(width, height)` in pixels,
    /// 1 and more.
    ///
    /// # Errors
    /// As [`Self::segment`].
    pub async fn segment_at(
        &self,
        frames: &[&Plane<Rgb>],
        class_ids: &[usize],
        input_size: (usize, usize),
        size: (usize, usize),
    ) -> Result<Vec<Vec<Plane<u8>>>> {
        if common_size(frames)?.is_none() {
            return Ok(Vec::new());
        }
        let last = self.classes().len() - 1;
        if let Some(&id) = class_ids.iter().find(|&&id| id > last) {
            return Err(Error::ClassId { id, last });
        }
        if let Placed::Objects(network) = &self.network {
            return frames.iter().map(|frame| network.segment(frame, class_ids, input_size, size)).collect();
        }
        let Batch { mut values, shape } = self.forward(frames, input_size).await?;
        self.remarks.temper(&mut values, shape);
        let logits = Logits { values, shape, alignment: self.architecture.alignment, input: input_size };
        Ok((0..frames.len()).map(|index| logits.probabilities(index, size, class_ids)).collect())
    }

    /// The size `(width, height)` at which the network is shown frames of `size`: with a short side of `side` pixels, or
    /// of what it was made for, and the frames' proportions, as nearly as the network allows.
    pub fn input_size(&self, (width, height): (usize, usize), side: Option<u32>) -> (usize, usize) {
        let sides = self.architecture.preparation.sides;
        match side {
            Some(side) => Sides { short: side as usize, ..sides }.of_frame(width, height),
            None => sides.of_published(width, height),
        }
    }

    /// The frame as the network is shown it, in 8 bits: all that [`Self::segment_at`] needs of it.
    pub fn shown(&self, frame: &Plane<Rgb>, input_size: (usize, usize)) -> Plane<Rgb> {
        scaled(frame, input_size, self.architecture.preparation.scaling).into_owned()
    }

    /// The logits of each frame of a batch of one size, as the network gives them: for torchvision's networks those
    /// that its `SemanticSegmentation` transform leads to, so that anyone can check them.
    ///
    /// # Errors
    /// [`Error::FrameSize`]; [`Error::DeviceFailed`] and [`Error::Garbage`] when the device does.
    pub async fn logits(&self, frames: &[&Plane<Rgb>]) -> Result<Vec<FrameLogits>> {
        let Some(size) = common_size(frames)? else { return Ok(Vec::new()) };
        self.logits_at(frames, self.input_size(size, None)).await
    }

    /// The same with another size of the network's input, `(width, height)` in pixels: 1 and more.
    ///
    /// # Errors
    /// [`Error::FrameSize`]; [`Error::DeviceFailed`] and [`Error::Garbage`] when the device does.
    pub async fn logits_at(&self, frames: &[&Plane<Rgb>], input_size: (usize, usize)) -> Result<Vec<FrameLogits>> {
        if common_size(frames)?.is_none() {
            return Ok(Vec::new());
        }
        let input_size = (input_size.0.max(1), input_size.1.max(1));
        let Batch { values, shape } = self.forward(frames, input_size).await?;
        let shape = [shape[1], shape[2], shape[3]];
        let frames = values.chunks_exact(shape.iter().product());
        Ok(frames.map(|values| FrameLogits { values: values.to_vec(), shape }).collect())
    }

    /// The logits for frames that are shown at `input_size`: `[batch, classes, height, width]`.
    async fn forward(&self, frames: &[&Plane<Rgb>], input_size: (usize, usize)) -> Result<Batch> {
        let failed = |reason: String| Error::DeviceFailed { device: self.report.name.clone(), reason };
        let prepare = |frames: &[&Plane<Rgb>]| self.architecture.preparation.batch(frames, input_size);
        let logits = match &self.network {
            Placed::Cpu(engine) => engine.run_frames(&self.architecture.preparation, frames, input_size).swap_remove(0),
            Placed::Gpu(gpu) => gpu.run(frames, prepare).await.map_err(failed)?,
            Placed::Objects(_) => return Err(Error::NoLogits { network: self.architecture.name }),
        };
        match logits.values.iter().filter(|value| !value.is_finite()).count() {
            0 => Ok(logits),
            count => Err(Error::Garbage { device: self.report.name.clone(), count, total: logits.values.len() }),
        }
    }

    /// Whether this device computes what the other does, on a small picture. Shaders that do not compile, for
    /// one, are not reported but give garbage.
    async fn agrees_with(&self, other: &Self) -> std::result::Result<(), String> {
        /// Of the largest logit; devices differ by rounding, a thousand times less.
        const TOLERANCE: f32 = 0.01;
        const SIDE: usize = 65;

        let picture = Plane::from_fn(SIDE, SIDE, |x, y| [(x * 3) as u8, (y * 3) as u8, (x * y % 251) as u8]);
        let run = async |segmenter: &Self| {
            let logits = segmenter.forward(&[&picture], (SIDE, SIDE)).await;
            logits.map(|logits| logits.values).map_err(|e| e.to_string())
        };
        let (ours, expected) = (run(self).await?, run(other).await?);
        let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
        let apart = ours.iter().zip(&expected).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        if ours.len() == expected.len() && apart <= TOLERANCE * largest {
            Ok(())
        } else {
            Err(format!("it computes wrongly: a logit is off by {apart}, with {largest} the largest"))
        }
    }
}

/// Kinds of GPU, each with why it was refused, in words.
fn told(refusals: Vec<(String, String)>) -> String {
    let refusals: Vec<_> = refusals.into_iter().map(|(kinds, reason)| format!("{kinds}: {reason}")).collect();
    refusals.join("; ")
}

/// The size that all frames have; `None` where there are none.
///
/// # Errors
/// [`Error::FrameSize`] for the first of another size than the first frame's.
fn common_size(frames: &[&Plane<Rgb>]) -> Result<Option<(usize, usize)>> {
    let Some(first) = frames.first() else { return Ok(None) };
    let (expected_width, expected_height) = first.size();
    match frames.iter().enumerate().find(|(_, frame)| frame.size() != first.size()) {
        None => Ok(Some(first.size())),
        Some((index, frame)) => {
            let (width, height) = frame.size();
            Err(Error::FrameSize { index, width, height, expected_width, expected_height })
        }
    }
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use std::pin::Pin;

    use super::*;
    use crate::{
        block_on,
        gpu::{Fallible, Fault},
        weights::embedded::SAFETENSORS,
    };

    /// A device that computes as the CPU does, as long as there is memory.
    #[derive(Debug)]
    struct Small {
        engine: Engine,
        room: usize,
    }

    impl Fallible for Small {
        fn run(&self, input: Batch) -> Pin<Box<dyn Future<Output = std::result::Result<Vec<Batch>, Fault>> + '_>> {
            assert!(input.shape[0] <= self.room, "CUDA_ERROR_OUT_OF_MEMORY");
            Box::pin(async move { Ok(self.engine.run(&input)) })
        }
    }

    fn on_cpu() -> (Network, Segmenter) {
        let weights = StateDict::from_safetensors(SAFETENSORS).expect("sound weights");
        let network = Network::load(&weights).expect("the default network");
        let on_cpu = Segmenter::on_cpu(&weights, &network, None).expect("sound remarks");
        (network, on_cpu)
    }

    fn on_small_gpu(room: usize) -> Segmenter {
        let (network, segmenter) = on_cpu();
        let engine = Engine::new(network.graph(), Width::best());
        let network = Placed::Gpu(OnGpu::of(Box::new(Small { engine, room })));
        Segmenter { network, report: DeviceReport { name: "cuda".into(), reason: "there is one".into() }, ..segmenter }
    }

    fn frames() -> Vec<Plane<Rgb>> {
        let frame = |seed| Plane::from_fn(60, 50, |x, y| [(x * seed) as u8, (y * 5) as u8, (x * y + seed * 40) as u8]);
        (1..=7).map(frame).collect()
    }

    #[test]
    fn a_small_gpu_loses_no_frame() {
        let frames = frames();
        let views: Vec<_> = frames.iter().collect();
        let expected = block_on(on_cpu().1.segment(&views, &[0, 15])).expect("sound frames");
        let small = on_small_gpu(2);
        assert_eq!(block_on(small.segment(&views, &[0, 15])).expect("sound frames"), expected);
        assert!(small.device().reason.starts_with("there is one; its memory holds one frame"), "{:?}", small.device());
        assert!(small.trouble().is_some_and(|trouble| trouble.starts_with("cuda: ")));
    }

    #[test]
    fn the_cpu_takes_over_where_any_device_will_do() {
        let frames = frames();
        let views: Vec<_> = frames.iter().collect();
        let error = block_on(on_small_gpu(0).segment(&views, &[])).expect_err("no memory, and asked for by name");
        assert!(error.to_string().contains("the device cuda failed: CUDA_ERROR_OUT_OF_MEMORY"), "{error}");

        let (_, on_cpu) = on_cpu();
        let expected = block_on(on_cpu.segment(&views, &[])).expect("sound frames");
        let backed = on_small_gpu(0).backed_by(on_cpu, "vulkan: no adapter".into());
        assert_eq!(backed.device().reason, "there is one; vulkan: no adapter");
        assert_eq!(block_on(backed.segment(&views, &[])).expect("sound frames"), expected);
        let DeviceReport { name, reason } = backed.device();
        assert_eq!(name, "cpu");
        assert!(reason.ends_with("the CPU took over: CUDA_ERROR_OUT_OF_MEMORY"), "{reason}");
    }
}
