//! Runs every line of the table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use steadymask_bench::{Content, Job, MARGIN};
use steadymask_core::simd::{self, Level};
use steadymask_core::{Plane, flow};

use crate::machine::{self, Machine};
use crate::memory::Memory;
use crate::rival::Rival;
use crate::rows::{self, Against, Row};
use crate::turns::{Turns, cpu_timed, timed};
use crate::{Options, scene};

/// A line with its times.
pub struct Timed {
    pub row: Row,
    pub turns: Turns,
    /// How far the two sums of results are apart, as a share of the larger.
    pub disagreement: f64,
    /// For lines with two threads: the most that they could do, by [`machine::two_threads`], measured right after.
    pub limit: Option<f64>,
}

/// Mean end-point errors on one motion, in pixels.
pub struct FlowError {
    pub motion: &'static str,
    pub ours: f64,
    pub opencv: f64,
}

/// All that was measured.
pub struct Results {
    pub machine: Machine,
    pub versions: Vec<(String, String)>,
    pub rows: Vec<Timed>,
    pub flow_errors: Vec<FlowError>,
    /// Peak memory of a short clip, from a process of its own, where it was asked for.
    pub memory: Option<Memory>,
    /// Lines that could not be measured, and why.
    pub skipped: Vec<(String, String)>,
}

/// Runs the lines that the options ask for.
pub fn everything(options: &Options) -> Result<Results> {
    let folder = std::env::temp_dir().join(format!("steadymask-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let results = Bench::new(options, folder.clone()).and_then(Bench::run);
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    results
}

struct Bench<'a> {
    options: &'a Options,
    /// For the bytes that are handed over.
    folder: PathBuf,
    python: Rival,
    wasm: Rival,
    one: ThreadPool,
    two: ThreadPool,
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options, folder: PathBuf) -> Result<Self> {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
        let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let wasm = options.wasm.as_deref().context("--wasm is missing")?;
        Ok(Self {
            options,
            folder,
            python: Rival::start(&options.python, &script("rivals.py"), &[])?,
            wasm: Rival::start(Path::new("node"), &script("wasm.mjs"), &[wasm])?,
            one: pool(1)?,
            two: pool(2)?,
        })
    }

    fn run(mut self) -> Result<Results> {
        eprintln!("memory and threads of this machine");
        let machine = Machine::measure(self.options.patience, &self.one, &self.two)?;
        let mut versions = Vec::new();
        for rival in [&mut self.python, &mut self.wasm] {
            if let Value::Object(answer) = rival.ask(&json!({ "op": "versions" }))? {
                versions
                    .extend(answer.into_iter().map(|(name, version)| (name, version.as_str().unwrap_or("?").into())));
            }
        }
        let only = |name: &str| self.options.only.as_ref().is_none_or(|word| name.contains(word));
        // First: it starts this program anew, which a build that goes on meanwhile may have replaced by the end.
        let memory = if only("memory") { Some(memory(1200)?) } else { None };
        let flow_errors = if only("flow_error") { self.flow_errors()? } else { Vec::new() };
        let (mut rows, mut skipped) = (Vec::new(), Vec::new());
        for row in rows::all(self.options.frames.unwrap_or(usize::MAX)) {
            if !only(&row.name) {
                continue;
            }
            if row.real && sequence().is_none() {
                skipped.push((row.name, "the folder of real videos is not there".into()));
                continue;
            }
            rows.push(self.time(row)?);
        }
        Ok(Results { machine, memory, versions, rows, flow_errors, skipped })
    }

    fn time(&mut self, row: Row) -> Result<Timed> {
        let bytes = self.bytes(&row)?;
        let data = self.folder.join("data");
        std::fs::write(&data, &bytes)?;
        let mut job = Job::new(row.kernel.name, row.size, row.frames, &bytes)?;
        drop(bytes);
        let patience = self.options.patience;
        let (one, two) = (&self.one, &self.two);
        let (name, size, frames) = (row.kernel.name, row.size, row.frames);
        let (their_sum, turns) = match row.against {
            Against::Python => {
                let sum = self.python.prepare(name, size, frames, &data)?;
                (sum, Turns::take(patience, || Ok(one.install(|| cpu_timed(|| job.run()))), || self.python.run())?)
            }
            Against::OneThread => {
                let mut other = Job::new(name, size, frames, &std::fs::read(&data)?)?;
                let sum = one.install(|| other.check());
                let ours = || Ok(two.install(|| timed(|| job.run())));
                (sum, Turns::take(patience, ours, || Ok(one.install(|| timed(|| other.run()))))?)
            }
            Against::Native | Against::NarrowNative => {
                let most = if row.against == Against::Native { Level::Avx512 } else { Level::Baseline };
                simd::limit(most);
                let sum = self.wasm.prepare(name, size, frames, &data)?;
                (sum, Turns::take(patience, || self.wasm.run(), || Ok(one.install(|| cpu_timed(|| job.run()))))?)
            }
        };
        simd::limit(Level::Avx512);
        let limit = match row.against {
            Against::OneThread => Some(machine::two_threads(patience, one, two)?),
            _ => None,
        };
        let our_sum = two.install(|| job.check());
        let disagreement = (our_sum - their_sum).abs() / our_sum.abs().max(their_sum.abs()).max(1e-9);
        let (low, high) = turns.spread();
        eprintln!("{:36} {:8.2} ({low:.2} to {high:.2}), sums apart by {disagreement:.1e}", row.name, turns.ratio());
        Ok(Timed { row, turns, disagreement, limit })
    }

    fn bytes(&mut self, row: &Row) -> Result<Vec<u8>> {
        let (width, height) = row.size;
        let clip = |bench: &mut Self| {
            let Some(folder) = sequence().filter(|_| row.real) else { return Ok(scene::clip(row.size, row.frames)) };
            let to = bench.folder.join("frames");
            bench.python.ask(&json!({
                "op": "frames", "folder": folder.join("frames"), "probabilities": folder.join("net-a"),
                "count": row.frames, "width": width, "height": height, "to": to,
            }))?;
            Ok::<_, anyhow::Error>(std::fs::read(&to)?)
        };
        Ok(match row.kernel.content {
            Content::Window => scene::probabilities(width + MARGIN, height + MARGIN),
            Content::Clip => clip(self)?,
            Content::Luma => {
                let rgb = clip(self)?;
                let frames = rgb.chunks_exact(3 * width * height).take(row.frames);
                let luma = |frame| anyhow::Ok(Plane::from_rgb_bytes(width, height, frame)?.luma().into_vec());
                frames.map(luma).collect::<Result<Vec<_>>>()?.concat()
            }
        })
    }

    /// End-point errors on motions that are known, ours and OpenCV's.
    fn flow_errors(&mut self) -> Result<Vec<FlowError>> {
        type Motion = fn(f64, f64) -> [f64; 2];
        const SIZE: (usize, usize) = (854, 480);
        const MOTIONS: [(&str, Motion); 5] = [
            ("small shift", |_, _| [0.6, -0.35]),
            ("large shift", |_, _| [13.3, -8.7]),
            ("rotation by 2°", |x, y| [-0.0349 * (y - 240.0) - 0.0006 * (x - 427.0), 0.0349 * (x - 427.0)]),
            ("zoom by 3 %", |x, y| [0.03 * (x - 427.0), 0.03 * (y - 240.0)]),
            ("waves", |x, y| [3.0 * (y / 40.0).sin(), 2.5 * (x / 55.0 + y / 90.0).cos()]),
        ];
        let (data, to) = (self.folder.join("pair"), self.folder.join("flow"));
        let (width, height) = SIZE;
        let mut errors = Vec::new();
        for ((name, motion), seed) in MOTIONS.into_iter().zip(100..) {
            let pair = scene::pair(SIZE, seed, motion);
            std::fs::write(&data, &pair)?;
            self.python.ask(&json!({ "op": "flow", "width": width, "height": height, "data": data, "to": to }))?;
            let floats = std::fs::read(&to)?;
            let theirs = floats.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>();
            let mut frames = pair
                .chunks_exact(width * height)
                .map(|frame| Plane::from_vec(width, height, frame.to_vec()).expect("a whole frame"));
            let (from, to) = (frames.next().context("two frames")?, frames.next().context("two frames")?);
            let ours = flow::dense_inverse_search(&from, &to, flow::Preset::Medium);
            let mean_error = |vectors: &[[f32; 2]]| {
                let error = |(i, v): (usize, &[f32; 2])| {
                    let truth = motion((i % width) as f64, (i / width) as f64);
                    (f64::from(v[0]) - truth[0]).hypot(f64::from(v[1]) - truth[1])
                };
                vectors.iter().enumerate().map(error).sum::<f64>() / vectors.len() as f64
            };
            let error =
                FlowError { motion: name, ours: mean_error(ours.data()), opencv: mean_error(theirs.as_chunks().0) };
            eprintln!("{:36} ours {:.4} px, OpenCV {:.4} px", error.motion, error.ours, error.opencv);
            errors.push(error);
        }
        Ok(errors)
    }
}

/// A sequence of real frames with a network's probabilities, where there is one.
fn sequence() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("STEADYMASK_DATA").map_or(beside, PathBuf::from);
    Some(data.join("davis-dev/dog")).filter(|folder| folder.is_dir())
}

/// [`Memory::measure`] in a process that has done nothing else.
fn memory(frames: usize) -> Result<Memory> {
    eprintln!("memory over {frames} frames");
    let program = std::env::current_exe().context("the path of this program")?;
    let mut command = std::process::Command::new(program);
    command.args(["memory", "--frames", &frames.to_string()]);
    // The allocator is to be as users have it.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MALLOC_")) {
        command.env_remove(name);
    }
    let output = command.output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("measuring memory: {}", String::from_utf8_lossy(&output.stderr)))
}
