//! In place of the crate `cubecl-llvm`, whose build downloads a whole LLVM.
//!
//! `cubecl-cuda` has two compilers of kernels and links both. The one in use here hands CUDA C++ to NVIDIA's NVRTC
//! (`cubecl-cuda`'s feature `cpp`); the other goes through LLVM and is never asked. This crate is what `cubecl-cuda`
//! needs of the latter to compile: its types, of which most have no value, and a compiler that refuses. Cargo takes it
//! by `[patch.crates-io]` in the workspace's `Cargo.toml`, and builds it with the feature `cuda` only.

use std::convert::Infallible;

#[cfg(feature = "nvptx")]
use cubecl_core::ir::nvidia::SmArch;
use cubecl_core::{
    CompilationError, environment::backtrace::BackTrace, ir::attributes::BufferIOAttr, prelude::KernelDefinition,
};

/// What LLVM would compile for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA's GPUs.
    Nvptx,
}

/// What LLVM would compile by.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlironOptions {
    /// AMD's architecture; there is none.
    pub arch: Option<Infallible>,
    /// NVIDIA's architecture.
    #[cfg(feature = "nvptx")]
    pub sm_arch: Option<SmArch>,
    /// The version of PTX; there is none.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether scalars travel in the kernel's parameters.
    pub grid_constants: bool,
}

/// What LLVM would have made; it has no value.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// PTX, with a zero at its end.
    pub ptx: Vec<std::ffi::c_char>,
    /// What is logged.
    pub ir: String,
    /// Bytes of shared memory of a launch.
    pub shared_memory_size: usize,
    /// What each buffer is used for.
    pub io: Vec<BufferIOAttr>,
    /// Nothing was made.
    pub never: Infallible,
}

/// What compiling gives; it has no value.
#[derive(Clone, Debug)]
pub enum PlironArtifact {
    /// A kernel for NVIDIA's GPUs.
    NvptxCode(NvptxModule),
    /// A kernel for another target.
    Other(Infallible),
}

/// The compiler that is not there.
#[derive(Clone, Debug)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

impl PlironCompiler {
    /// Refuses.
    ///
    /// # Errors
    /// Always: there is no LLVM.
    pub fn compile(
        &mut self,
        _kernel: KernelDefinition,
        _options: &PlironOptions,
    ) -> Result<PlironArtifact, CompilationError> {
        let reason = "built without LLVM: kernels are compiled by NVRTC".into();
        Err(CompilationError::Generic { reason, backtrace: BackTrace::capture() })
    }

    /// The name of its language.
    pub fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}

/// What belongs to NVIDIA's GPUs.
pub mod nvptx {
    /// The version of PTX that LLVM would write.
    pub mod ptx_version {
        use std::{convert::Infallible, fmt};

        /// A version of PTX; it has no value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct PtxVersion(Infallible);

        impl PtxVersion {
            /// None: without LLVM nobody asks for one.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {}
            }
        }
    }
}

/// What belongs to every GPU.
pub mod shared {
    /// What LLVM can compile.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// The kind of GPU.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// NVIDIA's.
            Nvptx,
        }

        /// Would take away what LLVM cannot compile. NVRTC can, and this is not called.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}
