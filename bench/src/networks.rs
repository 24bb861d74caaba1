//! The networks' speed: what `steadymask-bench networks` measured and kept, as a section of the page.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Where the measurements are kept.
pub const FILE: &str = "bench/networks.json";

/// A network against a runtime.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Torchvision's name of the network.
    pub network: String,
    /// Sides of its input, a square, in pixels.
    pub side: usize,
    pub threads: usize,
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
        format!("{}_{}_{}_threads_{}", self.network, self.side, self.rival, self.threads)
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
}

impl Networks {
    /// What was measured last, where anything was.
    pub fn kept() -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(FILE).ok()?).ok()
    }

    /// A section of the page.
    pub fn section(&self) -> String {
        let versions: Vec<_> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let mut section = format!(
            "## Networks on the processor\n\nOne inference of `Segmenter`, from the frame to its logits, against the same \
             network with the same weights; by `cargo xtask bench networks`, on {}, with {}. The rival is given its input \
             ready, ours a frame. One thread is timed by the processor, two by the clock on the wall.\n\n\
             | network | input | threads | rival | ours ms | theirs ms | ratio | spread | target | | apart |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            self.processor,
            versions.join(", "),
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
                line.threads,
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
        section
    }
}
