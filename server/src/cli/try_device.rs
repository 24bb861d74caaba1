use anyhow::anyhow;
use steadymask_models::{DeviceChoice, Segmenter, block_on};

/// Try a kind of GPU on a small picture; other commands run this before they use one.
#[derive(clap::Args)]
pub struct Args {
    /// Which: cuda, vulkan or webgpu.
    device: DeviceChoice,
    /// Take one that computes in software, too.
    #[arg(long)]
    software: bool,
}

/// Runs the command.
///
/// # Errors
/// Why that kind of GPU cannot be used, in one line.
pub fn run(args: Args) -> anyhow::Result<()> {
    block_on(Segmenter::try_embedded(args.device, args.software)).map_err(|reason| anyhow!(reason))
}
