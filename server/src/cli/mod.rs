//! The command line: arguments in, exit status out; one file a command.

mod analyze;
mod calibrate;
mod evaluate;
mod model;
mod models;
mod progress;
mod segment;
mod serve;
mod stabilize;
mod train_classifier;
mod try_device;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Error, device};

/// Steady masks from any video.
#[derive(Parser)]
#[command(name = "steadymask", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Stabilize(stabilize::Args),
    Segment(segment::Args),
    Evaluate(evaluate::Args),
    Analyze(analyze::Args),
    TrainClassifier(train_classifier::Args),
    Calibrate(calibrate::Args),
    Models(models::Args),
    Serve(serve::Args),
    #[command(hide = true)]
    TryDevice(try_device::Args),
}

/// Exit status of a program that was interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Parses the arguments and runs the command: 0 when all went well, 1 for an error, which is told on standard error,
/// 2 for wrong arguments, 130 when interrupted.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    if !matches!(command, Command::TryDevice(_)) {
        steadymask_models::try_gpus_by(device::try_apart);
    }
    let result = match command {
        Command::Stabilize(args) => stabilize::run(args),
        Command::Segment(args) => segment::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Analyze(args) => analyze::run(args),
        Command::TrainClassifier(args) => train_classifier::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Models(args) => models::run(args),
        Command::Serve(args) => serve::run(args),
        Command::TryDevice(args) => try_device::run(args),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    if let Some(Error::Cancelled) = error.downcast_ref() {
        eprintln!("steadymask: interrupted; what was finished stays, and a download goes on where it was");
        return INTERRUPTED.into();
    }
    eprintln!("steadymask: {error:#}");
    ExitCode::FAILURE
}
