use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Subcommand;
use steadymask_models::{Calibration, Card, Contents, EMBEDDED, Entry, Input, Manifest, Task, Weights, classes};

use super::progress::{self, ByteMeter};
use crate::{
    Error,
    download::{self, Controls},
    library::{self, Library, Record},
};

/// Networks besides the one built in: list them, get them, bring your own.
#[derive(clap::Args)]
pub struct Args {
    /// A list of networks in place of the program's own, in the same form (TOML).
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the networks there are, and which are here.
    List {
        /// Only those that have this class, such as truck.
        #[arg(long, value_name = "NAME")]
        class: Option<String>,
    },
    /// Download networks by name; a download that was cut goes on where it was.
    Fetch {
        /// Names that `list` shows.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Take in a .pth or .safetensors file; its architecture is recognised. Nothing in it is executed.
    Import {
        /// The file.
        file: PathBuf,
        /// What to call it [default: the list's name for this file, else the file's own].
        #[arg(long)]
        name: Option<String>,
        /// The names of its classes by number, of a segmentation network the background first [default: VOC's, where there
        /// are 21; COCO's, where there are 91; those of a classifier that was trained here].
        #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
        classes: Vec<String>,
    },
    /// Tell what is known of a network, or what a file of weights holds.
    Info {
        /// A name, or a file.
        network: String,
    },
    /// Check that the files kept here are what they were, and that they load.
    Verify {
        /// Names [default: every network that is here].
        names: Vec<String>,
    },
    /// Forget networks that were fetched or imported.
    Remove {
        /// Names.
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// When a name is not known, a file is not what it should be, or the network or the disk fails.
pub fn run(args: Args) -> anyhow::Result<()> {
    let manifest = match &args.manifest {
        None => Manifest::ours(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Manifest::parse(&text).with_context(|| path.display().to_string())?
        }
    };
    let library = Library::open()?;
    let text = match args.command {
        Command::List { class } => list(class.as_deref(), &manifest, &library)?,
        Command::Fetch { names } => fetch(&names, &manifest, &library)?,
        Command::Import { file, name, classes } => import(&file, name, classes, &manifest, &library)?,
        Command::Info { network } => info(&network, &manifest, &library)?,
        Command::Verify { names } => verify(names, &library)?,
        Command::Remove { names } => remove(&names, &library)?,
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the answer")
}

fn list(class: Option<&str>, manifest: &Manifest, library: &Library) -> anyhow::Result<String> {
    let kept = library.list()?;
    let wanted = |classes: &[String]| class.is_none_or(|class| classes::find(classes, class).is_some());
    let is_here = |name: &str| kept.iter().any(|record| record.name == name);
    let mut rows = vec![["NAME", "ARCHITECTURE", "CLASSES", "SIZE", "SCORE", "HERE"].map(String::from)];
    for entry in manifest.networks().iter().filter(|entry| wanted(&entry.classes)) {
        let here = match &entry.url {
            None => "built in",
            Some(_) if is_here(&entry.name) => "yes",
            Some(_) => "no",
        };
        rows.push([
            entry.name.clone(),
            entry.architecture.clone(),
            classes::offered(&entry.classes).count().to_string(),
            mib(entry.size.0),
            entry.score.as_ref().map_or("–".into(), |score| format!("{} {}", score.metric, score.value)),
            here.into(),
        ]);
    }
    let own = kept.iter().filter(|record| manifest.get(&record.name).is_none() && wanted(&record.classes));
    for record in own {
        let classes = classes::offered(&record.classes).count().to_string();
        let (name, architecture) = (record.name.clone(), record.architecture.clone());
        rows.push([name, architecture, classes, mib(record.size), "–".into(), "imported".into()]);
    }
    if let (Some(class), 1) = (class, rows.len()) {
        bail!("no network has the class {class:?}; steadymask models info NAME tells what one has");
    }
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    Ok(text
        + &format!("Scores are of different pictures: see info. Networks are kept in {}\n", library.folder().display()))
}

fn fetch(names: &[String], manifest: &Manifest, library: &Library) -> anyhow::Result<String> {
    let entries = names.iter().map(|name| listed(manifest, name)).collect::<anyhow::Result<Vec<_>>>()?;
    let cancel = progress::cancel_on_interrupt()?;
    let mut text = String::new();
    for entry in entries {
        let Some(url) = &entry.url else {
            text += &format!("{} is built in\n", entry.name);
            continue;
        };
        if library.get(&entry.name)?.is_some() {
            text += &format!("{} is here already\n", entry.name);
            continue;
        }
        let path = library.download(&entry.name);
        let meter = ByteMeter::new(&entry.name);
        let controls = Controls { progress: &|here, total| meter.show(here, total), cancel: &cancel };
        download::fetch(url, &path, entry.size, &controls)?;
        meter.finish();
        let record = take_in(entry, url, &path, library);
        // Whole, but either taken in or not the file that was meant: there is nothing to go on from.
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        text += &kept(&record?);
    }
    Ok(text)
}

/// Checks a whole download and keeps it.
fn take_in(entry: &Entry, url: &str, path: &Path, library: &Library) -> anyhow::Result<Record> {
    let hash = library::sha256(path)?;
    if !entry.has_hash(&hash) {
        bail!("{url} is not the file that was published: its SHA-256 is {hash} (expected {})", begins(&entry.sha256));
    }
    let weights = Weights::open(path).with_context(|| url.to_owned())?;
    let contents = weights.contents();
    if contents.architecture != entry.architecture || contents.classes.len() != entry.classes.len() {
        bail!(
            "{url} holds {} with {} classes (expected {} with {})",
            contents.architecture,
            contents.classes.len(),
            entry.architecture,
            entry.classes.len()
        );
    }
    Ok(library.add(&entry.name, &weights, &entry.classes, url, &hash)?)
}

fn import(
    file: &Path,
    name: Option<String>,
    classes: Vec<String>,
    manifest: &Manifest,
    library: &Library,
) -> anyhow::Result<String> {
    let shown = file.display().to_string();
    let weights = Weights::open(file).with_context(|| shown.clone())?;
    let contents = weights.contents();
    let hash = library::sha256(file)?;
    let listed = manifest.by_hash(&hash).filter(|entry| entry.architecture == contents.architecture);
    let stem = || file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.or_else(|| listed.map(|entry| entry.name.clone())).unwrap_or_else(stem);
    if !Manifest::is_name(&name) {
        bail!("a network cannot be called {name:?} (expected up to 100 letters, digits, '-', '_' and '.'); use --name");
    }
    let published = manifest.get(&name).filter(|entry| listed.is_none_or(|listed| listed.name != entry.name));
    if published.is_some() || name == EMBEDDED {
        bail!("{name} is the name of another network, which was published; use --name");
    }
    if library.get(&name)?.is_some_and(|record| record.source_sha256 != hash) {
        bail!("another network is kept as {name}; use --name, or remove it: steadymask models remove {name}");
    }
    let classes = match (classes.is_empty(), listed) {
        (true, Some(entry)) => entry.classes.clone(),
        (true, None) => contents.classes.clone(),
        (false, _) => classes,
    };
    if classes.len() != contents.classes.len() {
        let first = if contents.task == Task::Segmentation { ", the background first" } else { "" };
        bail!("{} classes are named (expected {}{first})", classes.len(), contents.classes.len());
    }
    let record = library.add(&name, &weights, &classes, &shown, &hash)?;
    Ok(describe(contents) + &kept(&record))
}

fn info(network: &str, manifest: &Manifest, library: &Library) -> anyhow::Result<String> {
    let path = Path::new(network);
    let entry = manifest.get(network);
    let record = if Manifest::is_name(network) { library.get(network)? } else { None };
    if entry.is_none() && record.is_none() {
        if !path.exists() {
            listed(manifest, network)?;
        }
        let weights = Weights::open(path).with_context(|| network.to_owned())?;
        let classes = format!("classes: {}\n", names(&weights.contents().classes));
        let card = weights.card().map(|card| format!("confidence: {}\n", confidence(card)));
        return Ok(describe(weights.contents()) + &classes + &card.unwrap_or_default());
    }
    let mut text = format!("{network}\n");
    let mut line = |name: &str, value: &str| text += &format!("  {name:<13} {value}\n");
    if let Some(entry) = entry {
        line("architecture", &entry.architecture);
        line("classes", &names(&entry.classes));
        let Input { short_side, mean, deviation } = &entry.input;
        line("input", &format!("short side {short_side}, mean {mean:?}, deviation {deviation:?}"));
        if let Some(score) = &entry.score {
            line("score", &format!("{} {} on {}, by {}", score.metric, score.value, score.on, score.by));
        }
        line("licence", &entry.licence);
        line("from", entry.url.as_deref().unwrap_or("built in"));
        line("file", &format!("{}, SHA-256 {}", mib(entry.size.0), begins(&entry.sha256)));
    }
    match &record {
        Some(record) => {
            if entry.is_none() {
                line("architecture", &record.architecture);
                line("classes", &names(&record.classes));
                line("from", &record.source);
            }
            if record.task == Task::Classification {
                line("confidence", &confidence(library.classifier(network)?.card()));
            }
            line("parameters", &record.parameters.to_string());
            line("made from", &format!("a file with SHA-256 {}", record.source_sha256));
            line("kept", &format!("{}, SHA-256 {}", mib(record.size), record.sha256));
        }
        None if entry.is_some_and(|entry| entry.url.is_some()) => {
            line("kept", &format!("no; get it with: steadymask models fetch {network}"));
        }
        None => {}
    }
    Ok(text)
}

fn verify(names: Vec<String>, library: &Library) -> anyhow::Result<String> {
    let names = if names.is_empty() {
        library.list()?.into_iter().map(|record| record.name).collect()
    } else {
        checked(names)?
    };
    if names.is_empty() {
        return Ok(format!("no networks are kept in {}\n", library.folder().display()));
    }
    let mut text = String::new();
    for name in names {
        let record = library.verify(&name).with_context(|| name.clone())?;
        text += &format!("{name} is sound: {}, SHA-256 {}\n", mib(record.size), record.sha256);
    }
    Ok(text)
}

fn remove(names: &[String], library: &Library) -> anyhow::Result<String> {
    let names = checked(names.to_vec())?;
    for name in &names {
        library.remove(name)?;
    }
    Ok(names.iter().map(|name| format!("{name} is removed\n")).collect())
}

/// The classes that can be asked for.
fn names(classes: &[String]) -> String {
    classes::offered(classes).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Names that can be those of files.
fn checked(names: Vec<String>) -> anyhow::Result<Vec<String>> {
    match names.iter().find(|name| !Manifest::is_name(name)) {
        Some(name) => bail!("no network can be called {name:?}"),
        None => Ok(names),
    }
}

fn listed<'a>(manifest: &'a Manifest, name: &str) -> anyhow::Result<&'a Entry> {
    manifest.get(name).with_context(|| {
        let names: Vec<_> = manifest.networks().iter().map(|entry| entry.name.as_str()).collect();
        format!("no such network: {name} (expected one of {})", names.join(", "))
    })
}

fn describe(contents: &Contents) -> String {
    let Contents { architecture, task, classes, parameters, tensors, auxiliary, prefix, left_out } = contents;
    let kind = if *task == Task::Classification { ", a classifier" } else { "" };
    let mut text = format!(
        "{architecture}{kind}: {} classes, {:.1} M parameters in {tensors} tensors",
        classes::offered(classes).count(),
        *parameters as f64 / 1e6
    );
    if *auxiliary {
        text += ", with the auxiliary classifier, which is not used";
    }
    if !prefix.is_empty() {
        text += &format!("; found behind {prefix:?}");
    }
    if *left_out > 0 {
        text += &format!("; {left_out} other tensors left out");
    }
    text + "\n"
}

/// How far a classifier's confidence can be taken at its word.
fn confidence(card: &Card) -> String {
    match &card.calibration {
        None => "the network's own, not calibrated".into(),
        Some(Calibration { pictures, error_before, error_after }) => format!(
            "calibrated on {pictures} pictures: temperature {:.3}, expected error {:.1} % (before: {:.1} %)",
            card.temperature,
            100.0 * error_after,
            100.0 * error_before
        ),
    }
}

fn kept(record: &Record) -> String {
    format!(
        "{} is kept: {}, {} classes, {:.1} M parameters, made from a file with SHA-256 {}\n",
        record.name,
        record.architecture,
        classes::offered(&record.classes).count(),
        record.parameters as f64 / 1e6,
        record.source_sha256
    )
}

/// A hash, or as much of it as is known.
fn begins(sha256: &str) -> String {
    if sha256.len() == 64 { sha256.into() } else { format!("{sha256}…") }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}
