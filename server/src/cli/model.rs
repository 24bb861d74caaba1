use std::path::Path;

use anyhow::{Context, bail};
use steadymask_models::{DeviceChoice, EMBEDDED, Segmenter, block_on};

/// Loads the network of that name, or of a `.safetensors` file; without a name the one built in. Says which, and where
/// it runs.
///
/// # Errors
/// When there is no such network or file, and as [`Segmenter::from_safetensors`].
pub(super) fn open(model: Option<&str>, device: DeviceChoice) -> anyhow::Result<Segmenter> {
    let segmenter = match model {
        None | Some(EMBEDDED) => block_on(Segmenter::embedded(device))?,
        Some(name) => {
            let path = Path::new(name);
            let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
            if ending == "pth" || ending == "pt" {
                bail!("{name} must be imported once: steadymask models import {name}");
            }
            if ending != "safetensors" {
                bail!("no such network: {name} (expected {EMBEDDED}, or a .safetensors file)");
            }
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
            block_on(Segmenter::from_safetensors(bytes, device)).with_context(|| name.to_owned())?
        }
    };
    let device = segmenter.device();
    eprintln!("{} on {} ({})", segmenter.info().name, device.name, device.reason);
    Ok(segmenter)
}
