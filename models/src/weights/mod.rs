//! Weights on their way into a network.

#[cfg(feature = "embedded")]
pub(crate) mod embedded;
mod loader;
#[cfg(not(target_arch = "wasm32"))]
mod pickle;
mod state_dict;

pub(crate) use loader::{ConvShape, Loader};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use state_dict::Array;
pub(crate) use state_dict::StateDict;
