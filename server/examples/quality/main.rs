//! Measures every method on real video and writes QUALITY.md: `cargo xtask quality`.
//!
//! Flow is computed once a clip; all methods run on it, and on the masks of every network.

mod clip;
mod page;
mod strip;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, bail};
use clip::{Kept, Sequence};
use page::Page;
use steadymask_core::{All, LookAhead, Method, Settings};
use steadymask_models::{DeviceChoice, Segmenter, block_on};
use steadymask_server::evaluate::{Evaluation, Protocol, RAW};

/// A row of the tables.
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// Where its masks come from.
    pub masks: Masks,
}

/// Where masks come from.
pub enum Masks {
    /// Fused and laid along the edges of the frame, as the product does with these settings.
    Product(Settings),
    /// Fused and only enlarged.
    Enlarged(Settings),
    /// As the network gives them.
    Raw,
    /// The first of the network's, for ever.
    Frozen,
    /// None at all.
    Empty,
    /// The ground truth.
    Truth,
}

/// The rows, the default first. The others stand in the order of the tables.
fn rows() -> Vec<Row> {
    let default = Settings::default();
    let product = |name, settings| Row { name, masks: Masks::Product(settings) };
    let method = |name, method| product(name, Settings { method, ..default.clone() });
    let average =
        |name, window_size| product(name, Settings { method: Method::MovingAverage, window_size, ..default.clone() });
    let exponential = |name, alpha| product(name, Settings { method: Method::Exponential, alpha, ..default.clone() });
    let consensus = |name, look_ahead| product(name, Settings { look_ahead, ..default.clone() });
    vec![
        product(DEFAULT, default.clone()),
        Row { name: RAW, masks: Masks::Raw },
        method("raw, along edges", Method::None),
        average("moving average 3", 3),
        average("moving average 5", 5),
        average("moving average 9", 9),
        method("median 5", Method::Median),
        exponential("exponential 0.3", 0.3),
        method("uncertainty", Method::Uncertainty),
        method("hysteresis", Method::Hysteresis),
        consensus("consensus, causal", LookAhead::Frames(0)),
        consensus("consensus, whole clip", LookAhead::All(All::All)),
        Row { name: "consensus, enlarged only", masks: Masks::Enlarged(default.clone()) },
        Row { name: "frozen first mask", masks: Masks::Frozen },
        Row { name: "empty", masks: Masks::Empty },
        exponential("exponential 0.1", 0.1),
        Row { name: "ground truth", masks: Masks::Truth },
    ]
}

/// Name of the row with the default settings.
pub const DEFAULT: &str = "consensus (default)";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [data, root] = &arguments[..] else { bail!("expected the folder of davis-dev and that of QUALITY.md") };
    let start = Instant::now();
    let sequences = Sequence::all(data)?;
    let segmenter = block_on(Segmenter::embedded(DeviceChoice::Cpu))?;
    let nets = clip::nets(&segmenter);
    let rows = rows();
    let frames: usize = sequences.iter().map(Sequence::frames).sum();
    let mut done = 0;
    let mut scored: Vec<Vec<_>> = nets.iter().map(|_| Vec::new()).collect();
    let mut kept: Vec<Kept> = Vec::new();
    for sequence in &sequences {
        let (scores, masks) = sequence.score(&nets, &rows)?;
        scored.iter_mut().zip(scores).for_each(|(clips, scores)| clips.push(scores));
        kept.extend(masks);
        done += sequence.frames();
        let elapsed = start.elapsed().as_secs_f64();
        let left = elapsed / done as f64 * (frames - done) as f64;
        eprintln!("{done}/{frames} frames ({}), {elapsed:.0} s, {left:.0} s left", sequence.name);
    }
    let protocol = Protocol { union: true, ends_skipped: false, along_motion: true, objects_matched_by: Vec::new() };
    let names: Vec<_> = rows.iter().map(|row| row.name.to_owned()).collect();
    let evaluations = scored.into_iter().map(|clips| Evaluation::new(protocol.clone(), names.clone(), clips));
    let page = Page { nets: &nets, evaluations: evaluations.collect(), sequences: &sequences, kept: &kept };
    page.write(root).with_context(|| format!("cannot write into {}", root.display()))?;
    eprintln!("wrote {} in {:.0} s", Path::new(root).join("QUALITY.md").display(), start.elapsed().as_secs_f64());
    Ok(())
}
