//! How fast it is, against its rivals: BENCHMARKS.md and bench/results.json; and how much memory it takes.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{cargo, command, output, root, step, target_folder};
use crate::tools::{self, WASM};

/// Builds the kernels natively and for WASM, installs the rivals, and lets them take turns. `flags` are those of the
/// program in `bench/`.
pub fn everything(flags: &[&str]) -> Result<()> {
    tools::for_measuring()?;
    let package = ["build", "--release", "--package", "steadymask-bench"];
    step("building the kernels", cargo(&package))?;
    step("building the kernels for WASM", cargo(&[&package[..], &["--lib", "--target", WASM]].concat()))?;
    let folder = target_folder().join("bench");
    let mut bindings = command("wasm-bindgen", &["--target", "nodejs", "--out-dir"]);
    bindings.arg(folder.join("wasm")).arg(target_folder().join(WASM).join("release/steadymask_bench.wasm"));
    step("making them callable from Node", bindings)?;
    let python = python("python", "bench/requirements.txt", "NumPy and OpenCV")?;
    let mut bench = command(target_folder().join("release/steadymask-bench"), flags);
    bench.arg("--python").arg(python).arg("--wasm").arg(folder.join("wasm/steadymask_bench.js"));
    step("measuring (half an hour; a quiet machine is best)", bench)
}

/// Stabilises ten minutes of 1080p and keeps the peaks of memory in `bench/memory.json`, from where they go into
/// BENCHMARKS.md.
pub fn memory() -> Result<()> {
    step("building the kernels", cargo(&["build", "--release", "--package", "steadymask-bench"]))?;
    eprintln!("\n▶ stabilising ten minutes of 1080p (five minutes and more)");
    let bench = command(target_folder().join("release/steadymask-bench"), &["memory"]);
    let json = output(bench).context("steadymask-bench memory failed; run it by hand to see why")?;
    eprintln!("{json}");
    std::fs::write(root().join("bench/memory.json"), json + "\n").context("cannot write bench/memory.json")
}

/// Times inference against onnxruntime and torch and keeps it in `bench/networks.json`, from where it goes into
/// BENCHMARKS.md.
pub fn networks(flags: &[&str]) -> Result<()> {
    tools::for_measuring()?;
    let build = ["build", "--release", "--package", "steadymask-bench", "--features", "networks"];
    step("building the networks", cargo(&build))?;
    let python = python("python-networks", "bench/networks-requirements.txt", "onnxruntime and torch")?;
    let mut bench = command(target_folder().join("release/steadymask-bench"), &["networks"]);
    bench.args(flags).arg("--python").arg(python);
    step("measuring (ten minutes; a quiet machine is best)", bench)
}

/// A Python of the project's own, in that folder below `bench`, with what a file of requirements pins.
fn python(folder: &str, requirements: &str, what: &str) -> Result<PathBuf> {
    let folder = target_folder().join("bench").join(folder);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.is_file() {
        let mut venv = command("python3", &["-m", "venv"]);
        venv.arg(&folder);
        step("making a Python environment", venv)?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
    step(&format!("installing {what}"), command(&python, &install))?;
    Ok(python)
}
