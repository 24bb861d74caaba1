//! Times the kernels against their rivals: `cargo xtask bench` builds everything and calls this.

#[cfg(feature = "networks")]
mod chromium;
#[cfg(feature = "networks")]
mod inference;
mod machine;
mod measure;
mod memory;
mod networks;
mod report;
mod rival;
mod rows;
mod scene;
mod turns;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use turns::Patience;

const USAGE: &str = "\
steadymask-bench --python PROGRAM --wasm PACKAGE [--only WORD] [--frames N] [--seconds N]
steadymask-bench memory [--frames N]
steadymask-bench networks --python PROGRAM [--only WORD] [--seconds N]
steadymask-bench chromium --python PROGRAM --wasm FOLDER [--only WORD] [--seconds N]

  --python   the Python that has what requirements.txt names
  --wasm     the package that wasm-bindgen made of the library for Node; for Chromium the folder of those for the web
  --only     only the lines whose name contains the word (also flow_error, memory); nothing is published then
  --frames   at most this many frames a line; nothing is published then
  --seconds  how long a line may take, once each side had three turns (20)

Writes BENCHMARKS.md and bench/results.json in the current folder.

memory prints, as JSON, the peak memory of a stabiliser while it does ten minutes of 1080p (or N frames).

networks, in a build with that feature, measures inference against onnxruntime and torch, and writes
bench/networks.json, from where it goes into BENCHMARKS.md; PROGRAM has what networks-requirements.txt names. chromium
does so in the browser, against onnxruntime-web, and writes bench/chromium.json.";

/// What was asked for on the command line.
pub struct Options {
    pub python: PathBuf,
    pub wasm: Option<PathBuf>,
    pub only: Option<String>,
    pub frames: Option<usize>,
    pub patience: Patience,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let (mut python, mut wasm, mut only, mut frames, mut seconds) = (None, None, None, None, 20);
    while let Some(flag) = args.next() {
        let mut value = || args.next().with_context(|| format!("{flag} needs a value\n\n{USAGE}"));
        match flag.as_str() {
            "--python" => python = Some(value()?.into()),
            "--wasm" => wasm = Some(value()?.into()),
            "--only" => only = Some(value()?),
            "--frames" => frames = Some(value()?.parse().context("--frames")?),
            "--seconds" => seconds = value()?.parse().context("--seconds")?,
            _ => bail!("unknown flag {flag}\n\n{USAGE}"),
        }
    }
    Ok(Options {
        python: python.context(USAGE)?,
        wasm,
        only,
        frames,
        patience: Patience { rounds: (3, 25), budget: Duration::from_secs(seconds) },
    })
}

fn memory() -> Result<()> {
    let frames = match std::env::args().skip(2).collect::<Vec<_>>().as_slice() {
        [] => memory::TEN_MINUTES,
        [flag, frames] if flag == "--frames" => frames.parse().context("--frames")?,
        _ => bail!("{USAGE}"),
    };
    println!("{}", serde_json::to_string(&memory::Memory::measure(frames)?)?);
    Ok(())
}

#[cfg(feature = "networks")]
fn networks() -> Result<()> {
    let options = options(std::env::args().skip(2))?;
    inference::measure(&options.python, options.only.as_deref(), options.patience)
}

#[cfg(feature = "networks")]
fn in_chromium() -> Result<()> {
    let options = options(std::env::args().skip(2))?;
    chromium::measure(&options.python, &options.wasm.context(USAGE)?, options.only.as_deref(), options.patience)
}

#[cfg(not(feature = "networks"))]
fn networks() -> Result<()> {
    bail!("built without the feature networks: `cargo xtask bench networks` builds with it")
}

#[cfg(not(feature = "networks"))]
use networks as in_chromium;

fn run() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("memory") => return memory(),
        Some("networks") => return networks(),
        Some("chromium") => return in_chromium(),
        _ => {}
    }
    let options = options(std::env::args().skip(1))?;
    let results = measure::everything(&options)?;
    print!("{}", report::markdown(&results));
    if options.only.is_none() && options.frames.is_none() {
        report::publish(&results)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steadymask-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
