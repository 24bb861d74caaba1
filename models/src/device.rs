//! Which processor runs the network, and why.

use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The device that a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A GPU where there is one that computes rightly, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU: WebGPU in the browser, wgpu natively. An error where it does not work.
    WebGpu,
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "webgpu" | "wgpu" => Ok(Self::WebGpu),
            _ => Err(Error::UnknownDevice { value: name.into() }),
        }
    }
}

/// The device in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// `cpu` or `webgpu`.
    pub name: String,
    /// Why this one, in words.
    pub reason: String,
}

const CPU: &str = "cpu";
const WEBGPU: &str = "webgpu";

impl DeviceReport {
    pub(crate) fn cpu(reason: impl Into<String>) -> Self {
        Self { name: CPU.into(), reason: reason.into() }
    }
}

pub(crate) fn unavailable(reason: impl Into<String>) -> Error {
    Error::DeviceUnavailable { device: WEBGPU, reason: reason.into() }
}

/// A GPU that answers, and its report.
pub(crate) struct Gpu {
    pub(crate) device: Device,
    pub(crate) report: DeviceReport,
}

/// The GPU for that choice, or in words why it is the CPU.
///
/// # Errors
/// [`Error::DeviceUnavailable`] when the GPU is asked for and there is none.
pub(crate) async fn choose(choice: DeviceChoice) -> Result<std::result::Result<Gpu, String>> {
    match choice {
        DeviceChoice::Cpu => Ok(Err("asked for".into())),
        DeviceChoice::Auto => Ok(gpu::open(false).await),
        DeviceChoice::WebGpu => gpu::open(true).await.map(Ok).map_err(unavailable),
    }
}

#[cfg(not(feature = "wgpu"))]
mod gpu {
    use super::Gpu;

    pub(super) async fn open(_forced: bool) -> Result<Gpu, String> {
        Err("built without GPU support".into())
    }
}
