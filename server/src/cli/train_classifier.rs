use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use steadymask_models::{EMBEDDED, Framing, Manifest, Weights};

use super::progress::{self, Meter};
use crate::{
    cars::models,
    library::{self, Library},
    picture,
    run::Controls,
    training::{self, Settings, folder::Folder},
};

/// Make a classifier from folders of pictures: a new last layer on a network that can already see.
///
/// FOLDER holds a folder of PNG and JPEG pictures for each class, or train/ and val/ which do, at least 20 distinct
/// pictures a class. Prints how well the classifier does on pictures that it was not trained on.
#[derive(clap::Args)]
pub struct Args {
    /// The pictures: FOLDER/CLASS/*, or FOLDER/train/CLASS/* and FOLDER/val/CLASS/*.
    folder: PathBuf,
    /// Keep the classifier under this name, for `analyze --cleanliness NAME` and the like.
    #[arg(long, required_unless_present = "out")]
    name: Option<String>,
    /// Write the classifier into this .safetensors file.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The network whose last layer is replaced: a classifier that is kept, a .pth or .safetensors file of one, or default,
    /// the body of the built-in segmentation network.
    #[arg(long, default_value = "default", value_name = "NAME")]
    base: String,
    /// The classes by number [default: the folders, by name].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    classes: Vec<String>,
    /// How pictures are shown: squeeze (all of it, as a square) or middle (torchvision's preset).
    #[arg(long, default_value = "squeeze", value_name = "HOW")]
    framing: Framing,
    /// Into how many parts the pictures are dealt, each held out once: 2 to 20.
    #[arg(long, default_value_t = Settings::default().folds, value_name = "COUNT")]
    folds: usize,
    /// What decides who goes into which part.
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Write the report, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// As [`training::train`]; when the classifier cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let library = Library::open()?;
    if let Some(name) = &args.name {
        check_name(name, &library)?;
    }
    let base = match args.base.as_str() {
        "default" => Weights::default_body()?,
        name => models::weights(name, &library)?,
    };
    let folder = Folder::open(&args.folder, &args.classes)?;
    let settings = Settings { folds: args.folds, seed: args.seed, framing: args.framing };
    let cancel = progress::cancel_on_interrupt()?;
    let meter = Meter::counting(folder.items.len(), "pictures");
    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
    let (weights, report) = training::train(&folder, &base, &settings, &controls)?;
    meter.finish();
    if let Some(path) = &args.report {
        picture::write_whole(path, &serde_json::to_vec_pretty(&report)?)?;
    }
    let source = format!("trained on {}", args.folder.display());
    let mut text = report.text();
    text += &keep(&weights, args.name.as_deref(), args.out.as_deref(), &source, &library)?;
    text += &format!("{:.0} s\n", report.seconds);
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the report")
}

/// Whether a network may be kept so.
pub(super) fn check_name(name: &str, library: &Library) -> anyhow::Result<()> {
    if !Manifest::is_name(name) {
        bail!("a network cannot be called {name:?} (expected up to 100 letters, digits, '-', '_' and '.')");
    }
    if Manifest::ours().get(name).is_some() || name == EMBEDDED {
        bail!("{name} is the name of another network, which was published");
    }
    if library.get(name)?.is_some() {
        bail!("another network is kept as {name}; take another name, or remove it: steadymask models remove {name}");
    }
    Ok(())
}

/// Writes a classifier where it was asked for; says so.
pub(super) fn keep(
    weights: &Weights,
    name: Option<&str>,
    out: Option<&Path>,
    source: &str,
    library: &Library,
) -> anyhow::Result<String> {
    let mut text = String::new();
    let bytes = weights.to_safetensors()?;
    if let Some(path) = out {
        picture::write_whole(path, &bytes)?;
        text += &format!("the classifier is in {}\n", path.display());
    }
    if let Some(name) = name {
        let classes = &weights.contents().classes;
        let record = library.add(name, weights, classes, source, &library::sha256_of(&bytes))?;
        text += &format!("the classifier is kept as {}\n", record.name);
    }
    Ok(text)
}
