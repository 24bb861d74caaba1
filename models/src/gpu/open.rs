//! GPUs that answer.

use burn::tensor::Device;

use crate::DeviceChoice;

/// A GPU that answers. Whether it computes rightly is another question.
#[derive(Clone)]
pub(crate) struct Gpu {
    pub(crate) device: Device,
    /// Its name, in words.
    pub(crate) name: String,
    /// Whether it is a program on the CPU.
    software: bool,
}

/// The first GPU of that kind, or in words why there is none. One that computes in software is slower than the network
/// on the CPU and counts only when `software` is asked for.
pub(crate) async fn open(kind: DeviceChoice, software: bool) -> Result<Gpu, String> {
    let gpu = opened(kind).await?;
    if gpu.software && !software {
        return Err(format!("{} computes in software, slower than the network on the CPU", gpu.name));
    }
    Ok(gpu)
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
async fn opened(_kind: DeviceChoice) -> Result<Gpu, String> {
    Err("built without GPU support".into())
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use kept::opened;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kept {
    use std::{
        collections::BTreeMap,
        sync::{Mutex, MutexGuard, PoisonError},
    };

    use super::{DeviceChoice, Gpu};

    /// burn's runtime for each kind. It can be set up once in a process only; a failure is final too.
    type Opened = BTreeMap<DeviceChoice, Result<Gpu, String>>;

    fn all() -> MutexGuard<'static, Opened> {
        static OPENED: Mutex<Opened> = Mutex::new(Opened::new());
        OPENED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn opened(kind: DeviceChoice) -> Result<Gpu, String> {
        use crate::gpu::caught;

        // Locked all the while, so that of two threads one opens it.
        let open = || match kind {
            #[cfg(feature = "cuda")]
            DeviceChoice::Cuda => super::cuda::open(),
            #[cfg(feature = "vulkan")]
            DeviceChoice::Vulkan => super::wgpu::open(burn::tensor::wgpu::WgpuBackend::Vulkan),
            #[cfg(feature = "wgpu")]
            DeviceChoice::WebGpu => super::wgpu::open(burn::tensor::wgpu::WgpuBackend::Auto),
            _ => Err("this program was built without it".into()),
        };
        all().entry(kind).or_insert_with(|| caught(open).and_then(|opened| opened)).clone()
    }

    #[cfg(target_arch = "wasm32")]
    pub(super) async fn opened(kind: DeviceChoice) -> Result<Gpu, String> {
        let known = all().get(&kind).cloned();
        match known {
            Some(opened) => opened,
            None => {
                let opened = super::wgpu::open_async().await;
                all().entry(kind).or_insert(opened).clone()
            }
        }
    }
}

#[cfg(all(feature = "cuda", not(target_arch = "wasm32")))]
mod cuda {
    use burn::tensor::Device;
    use cubecl_cuda::CudaRuntime;
    use cubecl_runtime::runtime::Runtime;

    use super::Gpu;

    /// Looks for the driver before any call that would panic without it. burn's own list of devices would ask for those
    /// of Vulkan too, whose drivers are not to be trusted here. `CUDA_VISIBLE_DEVICES` says which GPU is the first.
    pub(super) fn open() -> Result<Gpu, String> {
        if CudaRuntime::enumerate_all_devices().is_empty() {
            return Err("no NVIDIA GPU with its driver (libcuda) was found".into());
        }
        let device = Device::cuda(0);
        let name = device.identity().map_or_else(|| "an NVIDIA GPU".into(), |identity| identity.name);
        Ok(Gpu { device, name, software: false })
    }
}

#[cfg(feature = "wgpu")]
mod wgpu {
    use burn::tensor::{
        Device,
        wgpu::{WgpuInitError, WgpuSetup, wgpu::DeviceType},
    };

    use super::Gpu;

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn open(api: burn::tensor::wgpu::WgpuBackend) -> Result<Gpu, String> {
        describe(Device::wgpu_options().graphics_api(api).init_with_setup())
    }

    #[cfg(target_arch = "wasm32")]
    pub(super) async fn open_async() -> Result<Gpu, String> {
        describe(Device::wgpu_options().init_with_setup_async().await)
    }

    fn describe(opened: Result<(Device, WgpuSetup), WgpuInitError>) -> Result<Gpu, String> {
        let (device, setup) = opened.map_err(|e| match e {
            WgpuInitError::AdapterUnavailable { .. } => "no GPU adapter found".into(),
            other => other.to_string(),
        })?;
        let info = setup.adapter.get_info();
        // Browsers keep the name to themselves.
        let name = if info.name.is_empty() { "the browser's adapter" } else { &info.name };
        let software = info.device_type == DeviceType::Cpu || name.to_lowercase().contains("swiftshader");
        Ok(Gpu { device, name: format!("{name} ({})", info.backend), software })
    }
}
