//! Measures a network in Chromium against onnxruntime-web: `chromium.mjs`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::inference::{frame, torchvision, versions, with_folder};
use crate::machine;
use crate::networks::{Line, Networks, Place};
use crate::rival::Rival;
use crate::turns::{Patience, Turns};

const NETWORK: &str = "lraspp_mobilenet_v3_large";
const SIDE: usize = 256;

/// Most rounds, and inferences of a turn: by the clock on the wall many short turns find the quiet moments.
const ROUNDS: usize = 200;
const TIMES: usize = 3;

/// Most by which the logits of the two may be apart, as a share of the largest.
const APART: f64 = 1e-3;

/// What ours was built for.
struct Build {
    name: &'static str,
    /// Where it and the rival run.
    device: &'static str,
    rival: &'static str,
    /// The ratio asked for.
    target: f64,
}

const BUILDS: [Build; 3] = [
    Build { name: "simd128", device: "cpu", rival: "onnxruntime-web, WASM", target: 1.3 },
    Build { name: "relaxed-simd", device: "cpu", rival: "onnxruntime-web, WASM", target: 1.3 },
    Build { name: "webgpu", device: "webgpu", rival: "onnxruntime-web, WebGPU", target: 1.0 },
];

/// Measures the builds whose name contains `only`, and keeps it where that is everything; `packages` are what wasm-bindgen made of the library, by build.
pub fn measure(python: &Path, packages: &Path, only: Option<&str>, patience: Patience) -> Result<()> {
    let networks = with_folder(|folder| lines(python, packages, only, patience, folder))?;
    print!("{}", networks.section(Place::Chromium));
    if only.is_none() { networks.keep(Place::Chromium) } else { Ok(()) }
}

/// All builds, but that for WebGPU only where Chromium has a GPU.
fn lines(python: &Path, packages: &Path, only: Option<&str>, patience: Patience, folder: &Path) -> Result<Networks> {
    torchvision(python)?.ask(&json!({ "op": "network", "name": NETWORK, "side": SIDE, "folder": folder }))?;
    std::fs::write(folder.join("picture"), frame(SIDE)?.as_bytes())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("chromium.mjs");
    let mut chromium = Rival::start(Path::new("node"), &script, &[packages])?;
    let versions = versions(&mut chromium)?;
    let mut networks = Networks { processor: machine::processor(), versions, lines: Vec::new(), skipped: Vec::new() };
    let adapter = chromium.ask(&json!({ "op": "adapter" }))?["name"].take();
    match &adapter {
        Value::String(name) => networks.versions.push(("GPU".into(), name.clone())),
        _ => networks.skipped.push((
            format!("`{NETWORK}` {SIDE}×{SIDE} on WebGPU"),
            "this machine has no GPU that Chromium could use, and a software adapter is none".into(),
        )),
    }
    let asked = BUILDS.iter().filter(|build| only.is_none_or(|word| build.name.contains(word)));
    for build in asked.filter(|build| build.device == "cpu" || adapter.is_string()) {
        let line = line(&mut chromium, build, patience, folder)?;
        eprintln!("{:56} {:8.2} ({:.2} ms to {:.2} ms)", line.name(), line.ratio(), line.ours, line.theirs);
        networks.lines.push(line);
    }
    Ok(networks)
}

fn line(chromium: &mut Rival, build: &Build, patience: Patience, folder: &Path) -> Result<Line> {
    let &Build { name, device, rival, target } = build;
    let request = json!({ "op": "prepare", "build": name, "device": device, "folder": folder, "side": SIDE });
    let apart = chromium.ask(&request)?["apart"].as_f64().context("no comparison of the logits")?;
    ensure!(apart <= APART, "logits are {apart} of the largest apart, at most {APART} is rounding");
    let chromium = std::cell::RefCell::new(chromium);
    let side = |op: &str| {
        let answer = chromium.borrow_mut().ask(&json!({ "op": op, "times": TIMES }))?;
        answer["seconds"].as_f64().with_context(|| format!("no seconds in {answer}"))
    };
    let patience = Patience { rounds: (patience.rounds.0, ROUNDS), ..patience };
    let turns = Turns::take(patience, || side("ours"), || side("theirs"))?;
    let (ours, theirs) = turns.minima();
    Ok(Line {
        network: NETWORK.into(),
        side: SIDE,
        threads: 1,
        build: Some(name.into()),
        rival: rival.into(),
        ours: 1e3 * ours,
        theirs: 1e3 * theirs,
        spread: turns.spread(),
        apart,
        target: Some(target),
    })
}
