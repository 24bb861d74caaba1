//! Which processor runs the network, and why.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Mutex, OnceLock, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The device that a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The first GPU of [`DeviceChoice::built_in`] that computes rightly, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU through CUDA. An error where it does not work, as for the others below.
    Cuda,
    /// A GPU through Vulkan.
    Vulkan,
    /// The GPU through what the platform prefers: WebGPU in the browser, wgpu natively.
    WebGpu,
}

impl DeviceChoice {
    const ALL: [Self; 5] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Vulkan, Self::WebGpu];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::WebGpu => "webgpu",
        }
    }

    /// The kinds of GPU that this program was built for, in the order in which `auto` tries them.
    pub const fn built_in() -> &'static [Self] {
        &[
            #[cfg(feature = "cuda")]
            Self::Cuda,
            #[cfg(feature = "vulkan")]
            Self::Vulkan,
            #[cfg(feature = "wgpu")]
            Self::WebGpu,
        ]
    }

    /// The kinds of GPU to try for this choice, in order.
    ///
    /// # Errors
    /// [`Error::DeviceUnavailable`] when one is asked for that was not built in.
    pub(crate) fn candidates(self) -> Result<Vec<Self>> {
        match self {
            Self::Auto => Ok(Self::built_in().to_vec()),
            Self::Cpu => Ok(Vec::new()),
            gpu if Self::built_in().contains(&gpu) => Ok(vec![gpu]),
            gpu => Err(gpu.unavailable(format!("this program was built without the feature {}", gpu.feature()))),
        }
    }

    /// The feature that brings it.
    const fn feature(self) -> &'static str {
        match self {
            Self::WebGpu => "wgpu",
            other => other.name(),
        }
    }

    /// That this GPU cannot be had, and what there is in its place.
    pub(crate) fn unavailable(self, reason: impl Into<String>) -> Error {
        let others = Self::built_in().iter().filter(|&&gpu| gpu != self);
        let others = std::iter::once(Self::Cpu).chain(others.copied());
        let others = others.map(Self::name).collect::<Vec<_>>().join(", ");
        Error::DeviceUnavailable { device: self.name(), reason: reason.into(), others }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|choice| choice.name() == name);
        let known = known.or_else(|| (name == "wgpu").then_some(Self::WebGpu));
        known.ok_or_else(|| Error::UnknownDevice { value: name.into() })
    }
}

/// The device in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// `cpu`, `cuda`, `vulkan` or `webgpu`.
    pub name: String,
    /// Why this one, in words.
    pub reason: String,
}

impl DeviceReport {
    pub(crate) fn cpu(reason: impl Into<String>) -> Self {
        Self { name: DeviceChoice::Cpu.name().into(), reason: reason.into() }
    }
}

/// Tries a kind of GPU in a process of its own, where its driver may crash or hang: nothing when a network computes
/// rightly there, else in words why not. The second argument is whether one that computes in software counts.
pub type Trial = fn(DeviceChoice, bool) -> std::result::Result<(), String>;

static TRIAL: OnceLock<Trial> = OnceLock::new();

/// From now on each kind of GPU must pass `trial` once before this process opens it. The first call counts.
///
/// Without it a GPU is tried in this process: its panics are caught, a crash in its driver is not.
pub fn try_gpus_by(trial: Trial) {
    // A second call finds the first one's.
    let _ = TRIAL.set(trial);
}

/// What the trial said of that kind of GPU; it is asked once for each question.
pub(crate) fn tried(gpu: DeviceChoice, software: bool) -> std::result::Result<(), String> {
    type Answers = BTreeMap<(DeviceChoice, bool), std::result::Result<(), String>>;
    static ANSWERS: Mutex<Answers> = Mutex::new(Answers::new());
    let Some(trial) = TRIAL.get() else { return Ok(()) };
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    answers.entry((gpu, software)).or_insert_with(|| trial(gpu, software)).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for choice in DeviceChoice::ALL {
            assert_eq!(choice.name().parse(), Ok(choice));
            assert_eq!(serde_json::to_value(choice).expect("JSON"), choice.name());
        }
        assert_eq!("wgpu".parse(), Ok(DeviceChoice::WebGpu));
        let error = "abacus".parse::<DeviceChoice>().expect_err("no such device").to_string();
        for word in ["abacus", "auto", "cpu", "cuda", "vulkan", "webgpu"] {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_was_not_built_in_is_refused_with_what_there_is() {
        assert_eq!(DeviceChoice::Auto.candidates(), Ok(DeviceChoice::built_in().to_vec()));
        assert_eq!(DeviceChoice::Cpu.candidates(), Ok(Vec::new()));
        for gpu in [DeviceChoice::Cuda, DeviceChoice::Vulkan, DeviceChoice::WebGpu] {
            if DeviceChoice::built_in().contains(&gpu) {
                assert_eq!(gpu.candidates(), Ok(vec![gpu]));
            } else {
                let error = gpu.candidates().expect_err("not built in").to_string();
                assert!(error.contains(&format!("without the feature {}", gpu.feature())), "{error}");
                assert!(error.contains("there is cpu"), "{error}");
            }
        }
    }
}
