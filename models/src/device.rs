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

#[cfg(feature = "wgpu")]
mod gpu {
    use std::sync::OnceLock;

    use burn::tensor::{
        Device,
        wgpu::{WgpuInitError, WgpuSetup, wgpu::DeviceType},
    };

    use super::{DeviceReport, Gpu, WEBGPU};

    /// burn's runtime for the one adapter that the platform prefers.
    #[derive(Clone)]
    struct Opened {
        device: Device,
        adapter: String,
        software: bool,
    }

    /// The runtime can be set up once in a process only; a failure is final too.
    static OPENED: OnceLock<Result<Opened, String>> = OnceLock::new();

    /// The preferred adapter, or in words why there is none. A software adapter is slower than the network on
    /// the CPU and counts only when `forced`.
    pub(super) async fn open(forced: bool) -> Result<Gpu, String> {
        let Opened { device, adapter, software } = opened().await?;
        if software && !forced {
            return Err(format!("{adapter} computes in software, slower than the network on the CPU"));
        }
        let reason = if forced { format!("asked for: {adapter}") } else { format!("there is {adapter}") };
        Ok(Gpu { device, report: DeviceReport { name: WEBGPU.into(), reason } })
    }

    #[cfg(not(target_arch = "wasm32"))]
    async fn opened() -> Result<Opened, String> {
        OPENED.get_or_init(|| describe(Device::wgpu_options().init_with_setup())).clone()
    }

    #[cfg(target_arch = "wasm32")]
    async fn opened() -> Result<Opened, String> {
        match OPENED.get() {
            Some(opened) => opened.clone(),
            None => {
                let opened = describe(Device::wgpu_options().init_with_setup_async().await);
                OPENED.get_or_init(|| opened).clone()
            }
        }
    }

    fn describe(opened: Result<(Device, WgpuSetup), WgpuInitError>) -> Result<Opened, String> {
        let (device, setup) = opened.map_err(|e| match e {
            WgpuInitError::AdapterUnavailable { .. } => "no GPU adapter found".into(),
            other => other.to_string(),
        })?;
        let info = setup.adapter.get_info();
        // Browsers keep the name to themselves.
        let name = if info.name.is_empty() { "the browser's adapter" } else { &info.name };
        let software = info.device_type == DeviceType::Cpu || name.to_lowercase().contains("swiftshader");
        Ok(Opened { device, adapter: format!("{name} ({})", info.backend), software })
    }
}
