//! The default network's weights. Their story, licence and scores are in `weights/MODEL_CARD.md`.

/// The name under which the network is listed.
pub const NAME: &str = "deeplabv3_mobilenet_v2-voc21";

/// A safetensors file of 16-bit floats.
pub(crate) const SAFETENSORS: &[u8] = include_bytes!("../../weights/deeplabv3_mobilenet_v2-voc21.f16.safetensors");
