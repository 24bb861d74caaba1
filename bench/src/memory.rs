//! Peak memory of the stabiliser in fixed-lag mode, as the clip goes on.

use std::alloc::System;

use anyhow::{Context, Result, bail, ensure};
use cap::Cap;
use serde::{Deserialize, Serialize};
use steadymask_core::{LookAhead, Plane, Settings, Stabilizer};

use crate::scene;

/// Counts what is allocated: the resident memory alone does not tell what is kept from what the allocator has not given
/// back.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// Frames of ten minutes at 25 a second.
pub const TEN_MINUTES: usize = 15_000;

/// Peak memory of a process that stabilised a clip.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memory {
    /// `(width, height)` of the video.
    pub video: (usize, usize),
    /// `(width, height)` at which flow and fusion run.
    pub work: (usize, usize),
    /// Frames that the output lags behind.
    pub look_ahead: u32,
    /// After a tenth, half and all of the clip.
    pub peaks: Vec<Peak>,
}

/// The most memory that there was until then, in MiB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peak {
    /// Frames stabilised until then.
    pub frames: usize,
    /// In use: allocated and not yet given back. The bytes of the short scene, which are the benchmark's own, are part
    /// of it.
    pub live: f64,
    /// Resident: with what the allocator holds for later, and the program itself.
    pub resident: f64,
}

impl Memory {
    /// Stabilises `frames` frames of a 1080p clip with the default settings, and drops them as soon as they are finished.
    ///
    /// The frames come at work size, as they do from the decoder: what a driver holds of a full-size frame is not
    /// counted. The clip runs to and fro over a short scene.
    pub fn measure(frames: usize) -> Result<Self> {
        const SCENE: usize = 24;
        ensure!(frames >= 10, "invalid number of frames {frames} (expected at least 10)");
        let settings = Settings::default();
        let LookAhead::Frames(look_ahead) = settings.look_ahead else { bail!("the default look-ahead is not bounded") };
        let video = (1920, 1080);
        let (width, height) = settings.work_size(video.0, video.1);
        let bytes = scene::clip((width, height), SCENE);
        let (rgb, probabilities) = bytes.split_at(3 * width * height * SCENE);
        let mut stabilizer = Stabilizer::new(&settings, width, height, 1)?;
        let mut peaks = Vec::new();
        for t in 0..frames {
            let i = (t % (2 * SCENE - 2)).abs_diff(SCENE - 1);
            let size = width * height;
            let frame = Plane::from_rgb_bytes(width, height, &rgb[3 * size * i..][..3 * size])?;
            let probability = Plane::from_vec(width, height, probabilities[size * i..][..size].to_vec())?;
            stabilizer.push(frame, vec![probability])?;
            let done = t + 1;
            if done == frames / 10 || done == frames / 2 || done == frames {
                peaks.push(Peak { frames: done, live: HEAP.max_allocated() as f64 / MIB, resident: resident()? });
            }
        }
        stabilizer.finish();
        Ok(Self { video, work: (width, height), look_ahead, peaks })
    }

    /// By which factors the peaks, live and resident, grew from half of the clip to its end: 1 where memory does not
    /// follow the length.
    pub fn growth(&self) -> Option<[f64; 2]> {
        let [.., half, all] = &self.peaks[..] else { return None };
        Some([all.live / half.live, all.resident / half.resident])
    }
}

/// The most memory that this process ever had resident, in MiB, as Linux counts it.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("peak memory is read where Linux keeps it")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM")?;
    Ok(kib * 1024.0 / MIB)
}
