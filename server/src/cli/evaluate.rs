use std::{io::Write, path::PathBuf};

use anyhow::Context;

use super::progress::{self, Meter};
use crate::{
    evaluate::{self, Inputs, Options},
    run::Controls,
};

/// Score masks against ground truth.
///
/// Prints two tables and writes evaluation.json, clips.csv, frames.csv and plots (SVG). J and F are those of DAVIS, at
/// the size of the truth; masks of another size are scaled to it (bilinear, over ½). Where there are frames, flicker
/// and its kin are measured along optical flow. docs/metrics.md of the project says what each figure means.
///
/// Masks and truth may be of any format that stabilize --masks reads, and of different ones: PNG files, JSON of COCO or
/// YouTube-VIS, NPZ, video. A clip has the frames that its truth has.
#[derive(clap::Args)]
pub struct Args {
    /// The masks to score. Of one clip: a file, or a folder of PNG files named as the frames, which may be its `masks`.
    /// Of several: a folder with CLIP, CLIP/masks or a file CLIP.* for each, or JSON that names its clips. Where the
    /// truth is CLIP/truth, also the name of what lies beside it.
    #[arg(long, value_name = "PATH")]
    predictions: PathBuf,
    /// The ground truth. Of one clip: PNG files, or a file. Of several: as DAVIS has them (Annotations/480p/CLIP, frames in
    /// JPEGImages/480p/CLIP), as CLIP/truth with CLIP/frames, as CLIP/*.png, as a file CLIP.* for each, or as JSON that
    /// names its clips. Several objects are scored apart; those of the predictions are found by name, else by number.
    #[arg(long, value_name = "PATH")]
    truth: PathBuf,
    /// The frames: pictures named as the truth, or a video; of several clips CLIP or CLIP.* in a folder [default: those
    /// beside the truth].
    #[arg(long, value_name = "PATH")]
    frames: Option<PathBuf>,
    /// The masks before they were made steady, to compare with; as --predictions.
    #[arg(long, value_name = "PATH")]
    raw: Option<PathBuf>,
    /// Where the results go; created where it is not there.
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,
    /// Clips to score [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    clips: Vec<String>,
    /// Score all objects of a clip as one. Otherwise each is scored apart, as DAVIS 2017 does.
    #[arg(long)]
    union: bool,
    /// Leave out the first and the last frame of each clip, as DAVIS does where the first one's truth is given.
    #[arg(long)]
    skip_ends: bool,
    /// Add rows to hold the masks against: the first raw mask for ever (frozen), no mask at all (empty), exponential
    /// smoothing with alpha 0.1, and the truth itself. Without --raw they are made from the predictions.
    #[arg(long)]
    references: bool,
}

/// Runs the command.
///
/// # Errors
/// As [`evaluate::evaluate`]; when the results cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Args { union, skip_ends, references, clips, .. } = args;
    let inputs = Inputs {
        predictions: &args.predictions,
        truth: &args.truth,
        frames: args.frames.as_deref(),
        raw: args.raw.as_deref(),
    };
    let cancel = progress::cancel_on_interrupt()?;
    let meter = Meter::new(0);
    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
    let evaluation = evaluate::evaluate(&inputs, &Options { union, skip_ends, references, clips }, &controls)?;
    meter.finish();
    evaluation.write(&args.out)?;
    let text = format!("{}tables and plots are in {}\n", evaluation.text(), args.out.display());
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the tables")
}
