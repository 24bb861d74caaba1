//! Measures the networks against onnxruntime and torch: `networks.py`.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use steadymask_core::Plane;
use steadymask_models::{DeviceChoice, Segmenter, block_on};

use crate::machine;
use crate::networks::{Line, Networks, Place};
use crate::rival::Rival;
use crate::scene;
use crate::turns::{Patience, Turns, cpu_timed, timed};

/// Networks, the sides of their inputs, and whether a ratio of 1 to onnxruntime is asked for.
const NETWORKS: [(&str, usize, bool); 4] = [
    ("lraspp_mobilenet_v3_large", 256, true),
    ("lraspp_mobilenet_v3_large", 520, false),
    ("deeplabv3_mobilenet_v3_large", 520, false),
    ("deeplabv3_resnet101", 520, true),
];

/// Seconds of a turn, about: small networks are run several times, as on the frames of a video.
const TURN: f64 = 0.3;
/// Before each turn: onnxruntime's threads look for work for some 20 ms after their last, on the processors of the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Measures what contains `only`, and keeps it where that is everything.
pub fn measure(python: &Path, only: Option<&str>, patience: Patience) -> Result<()> {
    let networks = with_folder(|folder| lines(python, only, patience, folder))?;
    print!("{}", networks.section(Place::Native));
    if only.is_none() { networks.keep(Place::Native) } else { Ok(()) }
}

/// Calls it with a folder that is there as long.
pub fn with_folder<T>(work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let folder = std::env::temp_dir().join(format!("steadymask-networks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let done = work(&folder);
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    done
}

/// The runtimes of a rival, with their versions.
pub fn versions(rival: &mut Rival) -> Result<Vec<(String, String)>> {
    let Value::Object(answer) = rival.ask(&json!({ "op": "versions" }))? else { return Ok(Vec::new()) };
    let version = |value: Value| value.as_str().unwrap_or("?").to_owned();
    Ok(answer.into_iter().map(|(name, value)| (name, version(value))).collect())
}

/// The networks with seeded weights, and how torch and onnxruntime run them.
pub fn torchvision(python: &Path) -> Result<Rival> {
    Rival::start(python, &Path::new(env!("CARGO_MANIFEST_DIR")).join("networks.py"), &[])
}

/// A frame to look at.
pub fn frame(side: usize) -> Result<Plane<[u8; 3]>> {
    Ok(Plane::from_rgb_bytes(side, side, &scene::clip((side, side), 1)[..3 * side * side])?)
}

fn lines(python: &Path, only: Option<&str>, patience: Patience, folder: &Path) -> Result<Networks> {
    let mut rival = torchvision(python)?;
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
    let pools = [pool(1)?, pool(2)?];
    let versions = versions(&mut rival)?;
    let mut networks = Networks { processor: machine::processor(), versions, lines: Vec::new(), skipped: Vec::new() };
    for (network, side, asked) in NETWORKS {
        if only.is_some_and(|word| !format!("{network}_{side}").contains(word)) {
            continue;
        }
        rival.ask(&json!({ "op": "network", "name": network, "side": side, "folder": folder }))?;
        let weights = std::fs::read(folder.join("weights.safetensors")).context("the rival's weights")?;
        let mut contest = Contest {
            segmenter: block_on(Segmenter::from_safetensors(weights, DeviceChoice::Cpu))?,
            frame: frame(side)?,
            picture: folder.join("picture"),
            logits: folder.join("logits"),
        };
        std::fs::write(&contest.picture, contest.frame.as_bytes())?;
        for runtime in ["onnxruntime", "torch"] {
            for pool in &pools {
                let (turns, apart) = contest.take(&mut rival, runtime, pool, patience)?;
                let (ours, theirs) = turns.minima();
                let line = Line {
                    network: network.into(),
                    side,
                    threads: pool.current_num_threads(),
                    build: None,
                    rival: runtime.into(),
                    ours: 1e3 * ours,
                    theirs: 1e3 * theirs,
                    spread: turns.spread(),
                    apart,
                    target: (asked && runtime == "onnxruntime").then_some(1.0),
                };
                eprintln!("{:56} {:8.2} ({ours:.4} s to {theirs:.4} s)", line.name(), line.ratio());
                networks.lines.push(line);
            }
        }
    }
    Ok(networks)
}

/// A network here and there.
struct Contest {
    segmenter: Segmenter,
    frame: Plane<[u8; 3]>,
    picture: PathBuf,
    logits: PathBuf,
}

impl Contest {
    fn infer(&self) -> Result<Vec<f32>> {
        let mut logits = block_on(self.segmenter.logits_at(&[&self.frame], self.frame.size()))?;
        Ok(logits.swap_remove(0).values)
    }

    /// The times of both, and how far their logits are apart as a share of the largest.
    fn take(
        &mut self,
        rival: &mut Rival,
        runtime: &str,
        pool: &ThreadPool,
        patience: Patience,
    ) -> Result<(Turns, f64)> {
        let threads = pool.current_num_threads();
        let first = timed(|| drop(pool.install(|| self.infer())));
        let times = (TURN / first).clamp(1.0, 100.0) as usize;
        rival.ask(&json!({
            "op": "prepare", "runtime": runtime, "threads": threads, "times": times, "picture": self.picture,
            "logits": self.logits,
        }))?;
        let theirs = std::fs::read(&self.logits)?;
        let theirs: Vec<f32> = theirs.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let ours = pool.install(|| self.infer())?;
        ensure!(ours.len() == theirs.len(), "{} logits here, {} there", ours.len(), theirs.len());
        let largest = theirs.iter().fold(0f32, |m, v| m.max(v.abs()));
        let apart = ours.iter().zip(&theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest;
        let mut failed = None;
        let run = || {
            sleep(PAUSE);
            let mut work = || failed = (0..times).find_map(|_| self.infer().err());
            let seconds = pool.install(|| if threads == 1 { cpu_timed(&mut work) } else { timed(&mut work) });
            failed.take().map_or(Ok(seconds / times as f64), Err)
        };
        let theirs = || {
            sleep(PAUSE);
            rival.run()
        };
        let turns = Turns::take(patience, run, theirs)?;
        Ok((turns, apart.into()))
    }
}
