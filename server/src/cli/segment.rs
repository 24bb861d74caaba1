use std::{io::Write, path::PathBuf};

use anyhow::Context;
use steadymask_core::Settings;

use super::{
    model::ModelArgs,
    progress::{self, Meter},
};
use crate::{
    logits,
    run::{self, Controls},
    source::Source,
    video,
};

/// Let a network look at each frame, and keep what it says.
#[derive(clap::Args)]
pub struct Args {
    /// A video, or a folder of PNG or JPEG frames, which are taken in the order of their names.
    input: PathBuf,
    /// Where `probabilities/` or `logits/` goes; created where it is not there.
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Write the network's own numbers instead of probabilities: a NumPy file a frame, 32-bit floats,
    /// `[classes, height, width]` at the network's resolution, all classes, frames prepared as the network's authors do.
    #[arg(long, conflicts_with_all = ["classes", "work_side"])]
    logits: bool,
    /// Classes to keep, for instance person,dog [default: all but the background, as one].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    classes: Vec<String>,
    /// Short side in pixels of the probabilities: 64 to 1080.
    #[arg(long, default_value_t = Settings::default().work_side, value_name = "PIXELS")]
    work_side: u32,
    /// Short side in pixels of what the network is shown: 64 to 1080, less is faster [default: the network's own].
    #[arg(long, value_name = "PIXELS", conflicts_with = "logits")]
    input_side: Option<u32>,
}

/// Runs the command.
///
/// # Errors
/// As [`run::segment`] and [`logits::write`].
pub fn run(args: Args) -> anyhow::Result<()> {
    let settings = Settings {
        classes: args.classes,
        work_side: args.work_side,
        input_side: args.input_side,
        ..Settings::default()
    };
    settings.validate()?;
    video::require_tools()?;
    let source = Source::open(&args.input)?;
    let segmenter = args.model.open()?;
    segmenter.class_ids(&settings.classes)?;
    let cancel = progress::cancel_on_interrupt()?;
    let meter = Meter::new(source.frames());
    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
    let folder = args.out.join(if args.logits { "logits" } else { "probabilities" });
    let (frames, warning) = if args.logits {
        logits::write(&source, &segmenter, &folder, &controls)?
    } else {
        run::segment(&source, &segmenter, &settings, &folder, &controls)?
    };
    meter.finish();
    if let Some(warning) = warning {
        eprintln!("warning: {warning}");
    }
    writeln!(std::io::stdout(), "{frames} frames by {} in {}", segmenter.info().name, folder.display())
        .context("cannot print the summary")
}
