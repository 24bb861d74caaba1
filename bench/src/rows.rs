//! What is measured, against whom, and what is asked for.

use steadymask_bench::{KERNELS, Kernel};

/// Who runs the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// `rivals.py` on NumPy and OpenCV, against one thread of ours.
    Python,
    /// One thread of ours, against two.
    OneThread,
    /// Ours natively, against ours as WASM, one thread each.
    Native,
    /// The same, but natively with vectors as wide as those of WASM.
    NarrowNative,
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub kernel: Kernel,
    pub size: (usize, usize),
    pub frames: usize,
    /// Frames from a real video in place of made ones.
    pub real: bool,
    pub against: Against,
    /// The ratio asked for, where one is.
    pub target: Option<f64>,
}

const HD: (usize, usize) = (1920, 1080);
/// Neither side is a multiple of anything that would help.
const ODD: (usize, usize) = (1283, 721);
const DAVIS: (usize, usize) = (854, 480);
const WORK: (usize, usize) = (428, 240);
/// Shorter side first: odd both ways.
const ODD_WORK: (usize, usize) = (427, 241);

/// Frames of the lines of the consensus: with a fixed lag several times what it looks ahead, since it is for long clips;
/// before that many have come it asks the system for memory, and afterwards it has what it needs.
fn frames_of(consensus: &str) -> usize {
    if consensus == "consensus_fixed_lag" { 180 } else { 12 }
}

/// All lines, with at most `most` frames each.
pub fn all(most: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |name: &str, label: &str, size, frames: usize, real, against, target| {
        let kernel = KERNELS.into_iter().find(|kernel| kernel.name == name).expect("a kernel of that name");
        let prefix = match against {
            Against::Python => "",
            Against::OneThread => "threads_",
            Against::Native => "wasm_",
            Against::NarrowNative => "wasm_128_bit_",
        };
        let name = format!("{prefix}{name}_{label}");
        rows.push(Row { name, kernel, size, frames: frames.min(most), real, against, target });
    };
    for kernel in KERNELS {
        let python = Against::Python;
        match kernel.name {
            "mask_moving_average" | "mask_median" | "mask_iou" | "mask_dice" => {
                // NumPy's median of 300 frames takes most of a minute.
                let frames = if kernel.name == "mask_median" { 40 } else { 300 };
                add(kernel.name, "1080p", HD, frames, false, python, Some(100.0));
                add(kernel.name, "odd", ODD, 60, false, python, Some(100.0));
            }
            "u8_moving_average" | "u8_median" | "u8_iou" | "u8_dice" => {
                let frames = if kernel.name == "u8_median" { 40 } else { 300 };
                add(kernel.name, "1080p", HD, frames, false, python, Some(10.0));
                add(kernel.name, "odd", ODD, 60, false, python, Some(10.0));
            }
            "flow" => {
                add(kernel.name, "480p", DAVIS, 4, false, python, Some(1.2));
                add(kernel.name, "480p_real", DAVIS, 4, true, python, Some(1.2));
                add(kernel.name, "1080p", HD, 2, false, python, None);
                add(kernel.name, "odd", ODD_WORK, 4, false, python, None);
            }
            "consensus" | "consensus_fixed_lag" => {
                let frames = frames_of(kernel.name);
                add(kernel.name, "240p", WORK, frames, false, python, Some(5.0));
                add(kernel.name, "240p_real", WORK, frames, true, python, Some(5.0));
                add(kernel.name, "odd", ODD_WORK, frames, false, python, None);
            }
            _ => {
                add(kernel.name, "1080p", HD, 60, false, python, None);
                add(kernel.name, "odd", ODD, 60, false, python, None);
            }
        }
    }
    for name in ["consensus", "consensus_fixed_lag"] {
        add(name, "240p", WORK, frames_of(name), false, Against::OneThread, Some(1.7));
    }
    for kernel in KERNELS {
        let (label, size, frames) = match kernel.name {
            "flow" => ("480p", DAVIS, 4),
            "consensus" | "consensus_fixed_lag" => ("240p", WORK, frames_of(kernel.name)),
            // As many as against NumPy; median too, for which these are not too many.
            "mask_moving_average" | "mask_median" | "mask_iou" | "mask_dice" => ("1080p", HD, 300),
            _ => ("1080p", HD, 60),
        };
        add(kernel.name, label, size, frames, false, Against::Native, Some(0.67));
        add(kernel.name, label, size, frames, false, Against::NarrowNative, None);
        if label == "1080p" {
            add(kernel.name, "odd", ODD, 60, false, Against::Native, Some(0.67));
        }
    }
    rows
}
