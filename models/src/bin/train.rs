//! Trains, fine-tunes or measures the default segmentation network. See `docs/training.md`.

use std::{
    cell::Cell,
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use clap::Parser;
use steadymask_models::train::{self, Options, Progress, Recipe, Watch};

static CANCELLED: AtomicBool = AtomicBool::new(false);
/// Least time between two lines of progress.
const BETWEEN: Duration = Duration::from_secs(5);

/// Trains the default segmentation network on pictures with masks, or measures it on those kept out of training.
///
/// The same command goes on where it was stopped.
#[derive(Parser)]
struct Arguments {
    /// Folder or zip archive with images/ and masks/ (PNG of class numbers, 255 for none); several times for several
    #[arg(long, required = true, value_name = "PATH")]
    data: Vec<PathBuf>,
    /// Where weights, checkpoint, log, curves and card are written
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Weights to begin with, or to measure [default: those inside the program]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Any known network's weights with the same classes, to learn from [default: the weights to begin with]
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Other classes than the weights have, the background first: the last layer begins anew
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    classes: Option<Vec<String>>,
    /// Pictures whose names begin so are learned from the teacher alone
    #[arg(long, value_delimiter = ',', value_name = "PREFIXES")]
    unlabelled: Vec<String>,
    /// Only measure the weights
    #[arg(long)]
    evaluate_only: bool,
    #[arg(long, default_value_t = Recipe::default().steps)]
    steps: u64,
    /// Pictures a step, each in two views
    #[arg(long, default_value_t = Recipe::default().batch)]
    batch: usize,
    #[arg(long, default_value_t = Recipe::default().seed)]
    seed: u64,
    /// Greatest step of the weights, in shares of a tensor's size
    #[arg(long, default_value_t = Recipe::default().rate)]
    rate: f32,
    /// Weight of background pixels
    #[arg(long, default_value_t = Recipe::default().background)]
    background: f32,
    /// Weight of the divergence from the teacher
    #[arg(long, default_value_t = Recipe::default().distillation)]
    distillation: f32,
    /// How much larger the teacher sees each crop
    #[arg(long, default_value_t = Recipe::default().enlargement)]
    enlargement: f32,
    /// Weight of the disagreement of two views: how steady the network is to be
    #[arg(long, default_value_t = Recipe::default().consistency)]
    consistency: f32,
    /// Greatest side of a crop, in pixels: 16k + 1
    #[arg(long, default_value_t = Recipe::default().crop)]
    crop: usize,
    /// Steps between two checkpoints
    #[arg(long, default_value_t = 25)]
    checkpoint: u64,
    /// Measure on at most so many kept-out pictures of each source, in each half
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    score_at_most: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // The second Ctrl-C does not wait for the step to end.
    ctrlc::set_handler(|| {
        if CANCELLED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("stopping after this step");
    })?;
    let told = Cell::new(None::<Instant>);
    let tell = |progress: &Progress<'_>| {
        let quiet = told.get().is_some_and(|at| at.elapsed() < BETWEEN);
        if quiet && progress.done < progress.total {
            return;
        }
        told.set(Some(Instant::now()));
        let left = progress.left.map(|left| format!(", {} min {} s left", left.as_secs() / 60, left.as_secs() % 60));
        eprintln!("{}: {}/{}{}", progress.stage, progress.done, progress.total, left.unwrap_or_default());
        progress.note.lines().for_each(|line| eprintln!("  {line}"));
    };
    let watch = Watch::new(&CANCELLED, &tell);
    let evaluate_only = arguments.evaluate_only;
    let options = Options {
        data: arguments.data,
        unlabelled: arguments.unlabelled,
        start: arguments.weights,
        teacher: arguments.teacher,
        classes: arguments.classes,
        out: arguments.out,
        recipe: Recipe {
            seed: arguments.seed,
            steps: arguments.steps,
            batch: arguments.batch,
            rate: arguments.rate,
            background: arguments.background,
            distillation: arguments.distillation,
            enlargement: arguments.enlargement,
            consistency: arguments.consistency,
            crop: arguments.crop,
        },
        checkpoint: arguments.checkpoint,
        most: arguments.score_at_most,
    };
    let scores = if evaluate_only {
        train::evaluate(&options, &watch)?
    } else {
        let (path, scores) = train::train(&options, &watch)?;
        eprintln!("wrote {}", path.display());
        scores
    };
    Ok(writeln!(std::io::stdout(), "{scores}")?)
}
