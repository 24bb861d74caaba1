//! How fast it is, against its rivals: BENCHMARKS.md and bench/results.json; and how much memory it takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::{cargo, command, output, root, step, target_folder};
use crate::tools::WASM;
use crate::{build, tools};

/// Tells glibc's allocator to keep the memory that a program has had. Otherwise it gives back what threads free, and in
/// the next turn each page is a fault again: with two threads a third of the time goes there.
const KEEP_MEMORY: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_TRIM_THRESHOLD_", "4294967296"), ("MALLOC_MMAP_THRESHOLD_", "4294967296")];

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
    bench.arg("--python").arg(python).arg("--wasm").arg(folder.join("wasm/steadymask_bench.js")).envs(KEEP_MEMORY);
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

/// Times inference against onnxruntime and torch and keeps it in `bench/networks.json`, then [`chromium`]; from there it
/// goes into BENCHMARKS.md.
pub fn networks(flags: &[&str]) -> Result<()> {
    tools::for_measuring()?;
    let python = with_networks()?;
    let mut bench = command(target_folder().join("release/steadymask-bench"), &["networks"]);
    bench.args(flags).arg("--python").arg(python);
    step("measuring (ten minutes; a quiet machine is best)", bench)?;
    if flags.contains(&"--only") { Ok(()) } else { chromium(flags) }
}

/// Times inference in Chromium against onnxruntime-web and keeps it in `bench/chromium.json`.
pub fn chromium(flags: &[&str]) -> Result<()> {
    tools::for_measuring()?;
    tools::for_testing()?;
    let python = with_networks()?;
    build::javascript_package("fetching onnxruntime-web", "bench")?;
    build::javascript_package("fetching what drives the browser", "e2e")?;
    let packages = target_folder().join("bench/chromium");
    package(&packages, "simd128", "networks")?;
    package(&packages, "relaxed-simd", "relaxed-simd")?;
    // Most of burn again, so only where it can be measured.
    if output(command("node", &["bench/chromium.mjs"])).is_some_and(|gpu| !gpu.is_empty()) {
        package(&packages, "webgpu", "webgpu")?;
    }
    let mut bench = command(target_folder().join("release/steadymask-bench"), &["chromium"]);
    bench.args(flags).arg("--python").arg(python).arg("--wasm").arg(packages);
    step("measuring in Chromium (a minute; a quiet machine is best)", bench)
}

/// Builds the program with the networks, and gives the Python that has them too.
fn with_networks() -> Result<PathBuf> {
    let build = ["build", "--release", "--package", "steadymask-bench", "--features", "networks"];
    step("building the networks", cargo(&build))?;
    python("python-networks", "bench/networks-requirements.txt", "onnxruntime and torch")
}

/// Builds the library for the browser, with these features, into a folder of that name.
fn package(folder: &Path, name: &str, features: &str) -> Result<()> {
    let build =
        ["build", "--release", "--package", "steadymask-bench", "--lib", "--target", WASM, "--features", features];
    step(&format!("building the networks for the browser, {name}"), cargo(&build))?;
    let mut bindings = command("wasm-bindgen", &["--target", "web", "--out-dir"]);
    bindings.arg(folder.join(name)).arg(target_folder().join(WASM).join("release/steadymask_bench.wasm"));
    step("making them callable from the browser", bindings)
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
