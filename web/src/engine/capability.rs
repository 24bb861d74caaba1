//! What this machine can do, and which worker it gets: the large WebGPU one only where a real adapter exists.

use js_sys::{Promise, Reflect, Uint8Array, WebAssembly};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

/// What the person wants the network to run on: `?device=` of the page's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// The best there is.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// WebGPU, be it a software adapter.
    WebGpu,
}

impl Wish {
    /// The wish in a query string such as `?device=cpu&method=median`; [`Wish::Auto`] where it has none.
    pub fn from_query(query: &str) -> Self {
        let parameters = web_sys::UrlSearchParams::new_with_str(query).ok();
        match parameters.and_then(|p| p.get("device")).as_deref() {
            Some("cpu") => Self::Cpu,
            Some("webgpu") => Self::WebGpu,
            _ => Self::Auto,
        }
    }
}

/// Which worker to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// Processor with SIMD.
    Cpu,
    /// WebGPU.
    WebGpu,
}

/// A decision with its reason, in words for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which worker.
    pub device: Device,
    /// Why.
    pub reason: String,
}

impl Choice {
    pub(crate) fn new(device: Device, reason: impl Into<String>) -> Self {
        Self { device, reason: reason.into() }
    }
}

/// Decides where the network runs.
pub async fn choose(wish: Wish) -> Choice {
    match wish {
        Wish::Cpu => Choice::new(Device::Cpu, "chosen by ?device=cpu"),
        Wish::WebGpu => Choice::new(Device::WebGpu, "chosen by ?device=webgpu"),
        Wish::Auto => match adapter().await {
            Err(reason) => Choice::new(Device::Cpu, reason),
            Ok(adapter) if adapter.is_software => Choice::new(
                Device::Cpu,
                format!("the WebGPU adapter ({}) is software, slower than the processor itself", adapter.name),
            ),
            Ok(adapter) => Choice::new(Device::WebGpu, format!("WebGPU adapter: {}", adapter.name)),
        },
    }
}

/// Whether the browser takes the worker that has a product and a sum in one instruction.
pub fn has_relaxed_simd() -> bool {
    /// A module with one function, of no parameters: `unreachable`, `f32x4.relaxed_madd`, `drop`.
    const MODULE: [u8; 29] =
        *b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x09\x01\x07\0\0\xfd\x85\x02\x1a\x0b";
    WebAssembly::validate(&Uint8Array::new_from_slice(&MODULE)).unwrap_or_default()
}

struct AdapterSummary {
    name: String,
    is_software: bool,
}

async fn adapter() -> Result<AdapterSummary, &'static str> {
    let gpu = web_sys::window()
        .and_then(|window| Reflect::get(&window.navigator(), &"gpu".into()).ok())
        .filter(JsValue::is_object)
        .ok_or("this browser has no WebGPU")?;
    let adapter = JsFuture::from(gpu.unchecked_ref::<Gpu>().request_adapter())
        .await
        .ok()
        .filter(JsValue::is_object)
        .ok_or("this machine offers the browser no WebGPU adapter")?;
    let adapter = adapter.unchecked_ref::<GpuAdapter>();
    let info = adapter.info();
    let architecture = info.architecture();
    let name = [info.vendor(), architecture.clone(), info.description()];
    let name = name.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ");
    Ok(AdapterSummary {
        name: if name.is_empty() { "unnamed".into() } else { name },
        // The flag moved from the adapter to its info; some browsers have it at neither place.
        is_software: info.is_fallback() == Some(true)
            || adapter.is_fallback() == Some(true)
            || architecture == "swiftshader",
    })
}

// The WebGPU bindings of web-sys are behind a compiler flag; these are all that is needed here.
#[wasm_bindgen]
extern "C" {
    type Gpu;
    #[wasm_bindgen(method, js_name = requestAdapter)]
    fn request_adapter(this: &Gpu) -> Promise;

    type GpuAdapter;
    #[wasm_bindgen(method, getter)]
    fn info(this: &GpuAdapter) -> GpuAdapterInfo;
    #[wasm_bindgen(method, getter, js_name = isFallbackAdapter)]
    fn is_fallback(this: &GpuAdapter) -> Option<bool>;

    type GpuAdapterInfo;
    #[wasm_bindgen(method, getter)]
    fn vendor(this: &GpuAdapterInfo) -> String;
    #[wasm_bindgen(method, getter)]
    fn architecture(this: &GpuAdapterInfo) -> String;
    #[wasm_bindgen(method, getter)]
    fn description(this: &GpuAdapterInfo) -> String;
    #[wasm_bindgen(method, getter, js_name = isFallbackAdapter)]
    fn is_fallback(this: &GpuAdapterInfo) -> Option<bool>;
}
