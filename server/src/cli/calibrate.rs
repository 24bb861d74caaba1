use std::{io::Write, path::PathBuf};

use anyhow::{Context, bail};
use steadymask_models::{Card, Framing};

use super::{
    progress::{self, Meter},
    train_classifier::{check_name, keep},
};
use crate::{
    cars::models,
    library::Library,
    run::Controls,
    training::{self, folder::Folder},
};

/// Fit a classifier's temperature on pictures that it was not trained on, so that its confidences can be believed.
///
/// FOLDER holds a folder of pictures for each class, at least 20 distinct ones. Prints the score and the expected
/// calibration error before and after, and writes the classifier with its temperature.
#[derive(clap::Args)]
pub struct Args {
    /// The pictures: FOLDER/CLASS/*.
    folder: PathBuf,
    /// The classifier: a name that is kept, or a .pth or .safetensors file.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Its classes by number, which are the folders [default: those that it names].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    classes: Vec<String>,
    /// How it was shown pictures: squeeze or middle [default: what its card says, else squeeze].
    #[arg(long, value_name = "HOW")]
    framing: Option<Framing>,
    /// Keep the classifier under this name.
    #[arg(long, required_unless_present = "out")]
    name: Option<String>,
    /// Write the classifier into this .safetensors file.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// As [`training::calibrate`]; when the classifier cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let library = Library::open()?;
    if let Some(name) = &args.name {
        check_name(name, &library)?;
    }
    let mut weights = models::weights(&args.model, &library)?;
    let Some(card) = weights.card().cloned() else {
        bail!("{} segments; only a classifier has confidences to calibrate", args.model);
    };
    let kept = match models::is_file(&args.model) {
        true => card.classes.clone(),
        false => library.get(&args.model)?.map_or(card.classes.clone(), |record| record.classes),
    };
    let classes = if args.classes.is_empty() { kept } else { args.classes };
    weights = weights.with_card(Card { classes, framing: args.framing.unwrap_or(card.framing), ..card })?;
    let folder = Folder::open(&args.folder, &weights.contents().classes)?;
    let cancel = progress::cancel_on_interrupt()?;
    let meter = Meter::counting(folder.items.len(), "pictures");
    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
    let (calibrated, score) = training::calibrate(&folder, &weights, &controls)?;
    meter.finish();
    let source = format!("{}, calibrated on {}", args.model, args.folder.display());
    let mut text = score.text(&folder.classes);
    text += &keep(&calibrated, args.name.as_deref(), args.out.as_deref(), &source, &library)?;
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the score")
}
