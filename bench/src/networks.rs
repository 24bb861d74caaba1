//! The networks' speed: what `steadymask-bench networks` and `chromium` measured and kept, as sections of the page.

use std::fmt::Write;

#[cfg(feature = "networks")]
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where they were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Native,
    Chromium,
}

impl Place {
    /// Where the measurements are kept.
    pub fn file(self) -> &'static str {
        match self {
            Self::Native => "bench/networks.json",
            Self::Chromium => "bench/chromium.json",
        }
    }
}

/// A network against a runtime.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Torchvision's name of the network.
    pub network: String,
    /// Sides of its input, a square, in pixels.
    pub side: usize,
    pub threads: usize,
    /// In the browser, what ours was built for.
    pub build: Option<String>,
    pub rival: String,
    /// Least milliseconds of an inference.
    pub ours: f64,
    pub theirs: f64,
    /// Least and largest ratio of any round.
    pub spread: (f64, f64),
    /// How far the logits are apart at most, as a share of the largest.
    pub apart: f64,
    /// The ratio asked for, where one is.
    pub target: Option<f64>,
}

impl Line {
    /// Its name among the results.
    pub fn name(&self) -> String {
        let Self { network, side, threads, rival, .. } = self;
        match &self.build {
            Some(build) => format!("{network}_{side}_chromium_{build}"),
            None => format!("{network}_{side}_{rival}_threads_{threads}"),
        }
    }

    /// How many times faster ours is.
    pub fn ratio(&self) -> f64 {
        self.theirs / self.ours
    }
}

/// All that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Networks {
    /// The processor, and the runtimes with their versions.
    pub processor: String,
    pub versions: Vec<(String, String)>,
    pub lines: Vec<Line>,
    /// What could not be measured, and why.
    #[serde(default)]
    pub skipped: Vec<(String, String)>,
}

impl Networks {
    /// What was measured there last, where anything was.
    pub fn kept(place: Place) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(place.file()).ok()?).ok()
    }

    /// Keeps it for [`Self::kept`].
    #[cfg(feature = "networks")]
    pub fn keep(&self, place: Place) -> Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(place.file(), json).with_context(|| format!("cannot write {}", place.file()))
    }

    /// A section of the page.
    pub fn section(&self, place: Place) -> String {
        let versions: Vec<_> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let (processor, versions) = (&self.processor, versions.join(", "));
        let (intro, column) = match place {
            Place::Native => (
                format!(
                    "## Networks on the processor\n\nOne inference of `Segmenter`, from the frame to its logits, against \
                     the same network with the same weights; by `cargo xtask bench networks`, on {processor}, with \
                     {versions}. The rival is given its input ready, ours a frame. One thread is timed by the processor, \
                     two by the clock on the wall. Each turn of either side begins after a pause of 100 ms, since \
                     onnxruntime's threads stay on the processors for some 20 ms after their last inference."
                ),
                "threads",
            ),
            Place::Chromium => (
                format!(
                    "## Networks in the browser\n\nThe same in a worker of a page, both sides in the same one and on one \
                     thread, by the clock on the wall; by `cargo xtask bench networks` or `bench chromium`, on \
                     {processor}, with {versions}. `relaxed-simd` is the worker of browsers that have it, \
                     with a product and a sum in one instruction, `simd128` that of the others. onnxruntime-web is as npm has \
                     it, with `numThreads` 1: there is one build of it, with SIMD128 and without relaxed SIMD."
                ),
                "ours",
            ),
        };
        let mut section = format!(
            "{intro}\n\n| network | input | {column} | rival | ours ms | theirs ms | ratio | spread | target | | apart |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for line in &self.lines {
            let ratio = line.ratio();
            let verdict = match line.target {
                Some(target) if ratio < target => "**missed**",
                Some(_) => "reached",
                None if ratio < 1.0 => "**behind**",
                None => "ahead",
            };
            let _ = writeln!(
                section,
                "| `{}` | {side}×{side} | {} | {} | {:.1} | {:.1} | {ratio:.2} | {:.2}–{:.2} | {} | {verdict} | {:.0e} |",
                line.network,
                line.build.as_ref().map_or_else(|| line.threads.to_string(), |build| format!("`{build}`")),
                line.rival,
                line.ours,
                line.theirs,
                line.spread.0,
                line.spread.1,
                line.target.map_or(String::new(), |target| format!("{target}")),
                line.apart,
                side = line.side,
            );
        }
        if !self.skipped.is_empty() {
            section.push('\n');
        }
        for (name, reason) in &self.skipped {
            let _ = writeln!(section, "- Not measured: {name}: {reason}.");
        }
        section
    }
}
