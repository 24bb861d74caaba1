use std::path::Path;

use anyhow::{Context, bail};
use steadymask_models::{DeviceChoice, EMBEDDED, Manifest, Segmenter, block_on};

use crate::library::Library;

/// Which network, and where it runs.
#[derive(clap::Args)]
pub(super) struct ModelArgs {
    /// The network: a name that `steadymask models list` shows, or a .safetensors file [default: the one built in].
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Where the network runs: auto, cpu, cuda, vulkan or webgpu.
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: DeviceChoice,
}

impl ModelArgs {
    /// As [`open`].
    pub(super) fn open(&self) -> anyhow::Result<Segmenter> {
        open(self.model.as_deref(), self.device)
    }
}

/// Loads the network of that name, or of a `.safetensors` file; without a name the one built in. Says which, and where
/// it runs.
///
/// # Errors
/// When there is no such network or file, and as [`Segmenter::from_safetensors`].
pub(super) fn open(model: Option<&str>, device: DeviceChoice) -> anyhow::Result<Segmenter> {
    let segmenter = match model {
        None | Some(EMBEDDED) => block_on(Segmenter::embedded(device))?,
        Some(name) => named(name, device)?,
    };
    let device = segmenter.device();
    eprintln!("{} on {} ({})", segmenter.info().name, device.name, device.reason);
    Ok(segmenter)
}

fn named(name: &str, device: DeviceChoice) -> anyhow::Result<Segmenter> {
    let path = Path::new(name);
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    if ending == "safetensors" {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        return block_on(Segmenter::from_safetensors(bytes, device)).with_context(|| name.to_owned());
    }
    if ending == "pth" || ending == "pt" {
        bail!("{name} must be taken in once: steadymask models import {name}");
    }
    let library = Library::open()?;
    if Manifest::is_name(name) && library.get(name)?.is_some() {
        return Ok(library.load(name, device)?);
    }
    let manifest = Manifest::ours();
    if manifest.get(name).is_some() {
        bail!("{name} is not here yet; get it with: steadymask models fetch {name}");
    }
    let kept = library.list()?;
    let published = manifest.networks().iter().map(|entry| entry.name.as_str());
    let own = kept.iter().map(|record| record.name.as_str()).filter(|&name| manifest.get(name).is_none());
    let names: Vec<_> = published.chain(own).collect();
    bail!("no such network: {name} (expected one of {}, or a .safetensors file)", names.join(", "))
}
