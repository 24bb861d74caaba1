//! The chores of the project: `cargo xtask start`, `cargo xtask test`, `cargo xtask bench`,
//! `cargo xtask audit`, `cargo xtask quality`.

mod audit;
mod bench;
mod build;
mod quality;
mod run;
mod test;
mod tools;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  start   install what is missing, build, and run the API on port 8000 and the page on port 8080
  test    install what is missing, build, and run every test, the browser's included
  build   install what is missing and build the server and the page, nothing more
  bench   measure speed against NumPy, OpenCV and WASM, and write BENCHMARKS.md; --only WORD for some lines;
          `bench memory` instead: peak memory over ten minutes of 1080p;
          `bench networks` instead: inference against onnxruntime and torch, and in Chromium against
          onnxruntime-web; `bench chromium`: the latter alone
  audit   check licences, duplicate crates and, where the network allows, security advisories
  quality measure every method on real video and write QUALITY.md";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["start"] => build::everything().and_then(|()| build::start()),
        ["test"] => test::everything(),
        ["build"] => build::everything(),
        ["bench", "memory"] => bench::memory(),
        ["bench", "networks", ref flags @ ..] => bench::networks(flags),
        ["bench", "chromium", ref flags @ ..] => bench::chromium(flags),
        ["bench", ref flags @ ..] => bench::everything(flags),
        ["audit"] => audit::everything(),
        ["quality"] => quality::everything(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
