//! Agreement with ground truth, a frame at a time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    boundary::{boundary_f, boundary_f_within, region_similarity},
    overlap::share,
    temporal::{Mean, trusted, warped},
};
use crate::{BitMask, Motion, Plane, Result, plane::check_frame_size, resize::resize_mask};

/// Pixels within which contours match in the strict form of F: 8 pixels, DAVIS's own at 480p, hide edges that crawl.
pub const STRICT_RADIUS: usize = 2;

/// The colour deviation with which the trust behind [`TruthMetrics::flicker`] is to be estimated, in levels of 255:
/// half that of the filters, so that a flow on which errors are counted is surer than one along which masks are fused.
pub const FLICKER_SIGMA: f32 = 12.0;

/// The largest lag that is looked for, in frames.
pub const MAX_LAG: usize = 4;

/// Windows of VC8 and VC16.
const WINDOWS: [usize; 2] = [8, 16];

/// Mean, recall and decay of a measure over a clip, as DAVIS reports them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Mean over the frames.
    pub mean: f64,
    /// Share of the frames whose value is over ½.
    pub recall: f64,
    /// Mean of the first quarter of the clip minus that of the last: over 0 when the masks get worse.
    pub decay: f64,
}

impl Statistics {
    /// Of one value a frame, as `db_statistics` of `davis2017-evaluation`; `None` of no value.
    ///
    /// Neighbouring quarters share a frame, as they do there. (There, decay goes wrong for clips of over 256 frames,
    /// whose frames are numbered in 8 bits; here it does not.)
    pub fn of(values: &[f64]) -> Option<Self> {
        let last = values.len().checked_sub(1)?;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        // The ends of quarters, to the nearest frame; halves go up, for the benchmark adds 1e-10 before it rounds.
        let end = |quarter: usize| (quarter * last + 2) / 4;
        Some(Self {
            mean: mean(values),
            recall: values.iter().filter(|&&value| value > 0.5).count() as f64 / values.len() as f64,
            decay: mean(&values[..=end(1)]) - mean(&values[end(3)..]),
        })
    }
}

/// Video consistency over all windows of some frames: VC8 or VC16.
///
/// J. Miao et al., *VSPW: a large-scale dataset for video scene parsing in the wild*, CVPR 2021. Both forms are shares
/// of the pixels whose truth is constant in the window. Most of them are background far from any object, so that both
/// are high on every clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// The published program's form: the prediction is constant. A constant mask scores 1, whatever it shows.
    pub constant: f64,
    /// The prediction is constant and right.
    pub correct: f64,
}

/// How a frame's mask agrees with its truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TruthMetrics {
    /// J: [`region_similarity`].
    pub j: f64,
    /// F: [`boundary_f`].
    pub f: f64,
    /// F with contours that match within [`STRICT_RADIUS`].
    pub f_strict: f64,
    /// Error that changes along motion: `|warp(E') ≠ E| / |G|` over trusted pixels, where E = mask ≠ truth, E' that
    /// of the frame before, and G the truth (1 pixel where it is empty). `None` on the first frame of a shot.
    ///
    /// 0 for a perfect mask and for an error that moves along with the picture; a frozen mask is punished as the
    /// object leaves it.
    pub flicker: Option<f64>,
    /// Trusted pixels whose truth stayed the same along motion and whose prediction did not, in shares of the truth's
    /// area as [`Self::flicker`].
    pub false_flips: Option<f64>,
}

/// How a clip's masks agree with the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruthSummary {
    /// Number of frames.
    pub frames: usize,
    /// J of the frames.
    pub j: Statistics,
    /// F of the frames.
    pub f: Statistics,
    /// F at [`STRICT_RADIUS`] of the frames.
    pub f_strict: Statistics,
    /// Mean of the means of J and F.
    pub j_and_f: f64,
    /// Mean flicker.
    pub flicker: Option<f64>,
    /// Mean false flips.
    pub false_flips: Option<f64>,
    /// By how many frames the masks come late: the k of −[`MAX_LAG`] to [`MAX_LAG`] for which the mean J of the mask
    /// of frame t with the truth of frame t − k is greatest; of equals the one nearest 0.
    pub lag: i32,
    /// VC8; `None` for clips of 8 frames or fewer, as published, or where no pixel's truth is ever constant.
    pub vc8: Option<Consistency>,
    /// VC16; as [`Self::vc8`].
    pub vc16: Option<Consistency>,
}

/// Measures a clip's masks against their truth, a frame at a time.
///
/// It keeps [`MAX_LAG`] + 1 frames of both, 16 frames of what changed, and three numbers of every frame.
#[derive(Debug, Clone, Default)]
pub struct TruthAccumulator {
    j: Vec<f64>,
    f: Vec<f64>,
    f_strict: Vec<f64>,
    flicker: Mean,
    false_flips: Mean,
    /// J at each lag, from −[`MAX_LAG`].
    lagged: [Mean; 2 * MAX_LAG + 1],
    /// The latest masks and truths, newest last.
    recent: VecDeque<(BitMask, BitMask)>,
    /// The latest mask and truth at the motion's size, where there was motion.
    scaled: Option<[BitMask; 2]>,
    consistency: [WindowSums; WINDOWS.len()],
    /// For the latest frames: whose truth differs from the frame before, whose prediction does, what is wrong.
    changes: VecDeque<[BitMask; 3]>,
}

impl TruthAccumulator {
    /// Takes the next frame's mask and truth, and the motion since the frame before, `None` on the first frame of a
    /// shot or where flicker is not asked for. Where motion is of another size than the masks, they are scaled to it
    /// for flicker and false flips (area means, over ½).
    ///
    /// The motion's trust should be estimated with [`FLICKER_SIGMA`].
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when mask and truth are not of one size, or not of that of the frames before.
    pub fn push(&mut self, mask: BitMask, truth: BitMask, motion: Option<&Motion>) -> Result<TruthMetrics> {
        let expected = self.recent.back().map_or(mask.size(), |(mask, _)| mask.size());
        for size in [mask.size(), truth.size()] {
            check_frame_size(self.j.len(), size, expected)?;
        }
        let (flicker, false_flips) = self.along_motion(&mask, &truth, motion).unzip();
        let metrics = TruthMetrics {
            j: region_similarity(&mask, &truth)?,
            f: boundary_f(&mask, &truth)?,
            f_strict: boundary_f_within(&mask, &truth, STRICT_RADIUS)?,
            flicker,
            false_flips,
        };
        self.j.push(metrics.j);
        self.f.push(metrics.f);
        self.f_strict.push(metrics.f_strict);
        self.flicker.push(flicker);
        self.false_flips.push(false_flips);
        self.count_consistency(&mask, &truth);
        self.recent.push_back((mask, truth));
        self.count_lags()?;
        Ok(metrics)
    }

    /// The clip so far; `None` before its first frame.
    pub fn summary(&self) -> Option<TruthSummary> {
        let (j, f) = (Statistics::of(&self.j)?, Statistics::of(&self.f)?);
        let [vc8, vc16] = &self.consistency;
        Some(TruthSummary {
            frames: self.j.len(),
            j_and_f: (j.mean + f.mean) / 2.0,
            j,
            f,
            f_strict: Statistics::of(&self.f_strict)?,
            flicker: self.flicker.value(),
            false_flips: self.false_flips.value(),
            lag: self.lag(),
            vc8: vc8.get(),
            vc16: vc16.get(),
        })
    }

    /// Flicker and false flips, where there is motion.
    fn along_motion(&mut self, mask: &BitMask, truth: &BitMask, motion: Option<&Motion>) -> Option<(f64, f64)> {
        let kept = self.scaled.take();
        let (motion, (mask_before, truth_before)) = motion.zip(self.recent.back())?;
        let (width, height) = motion.backward.size();
        let scaled = |masks: [&BitMask; 2]| masks.map(|mask| resize_mask(mask, width, height));
        let kept = kept.filter(|[mask, _]| mask.size() == (width, height));
        let [mask_before, truth_before] = kept.unwrap_or_else(|| scaled([mask_before, truth_before]));
        let [mask_before, truth_before] = warped([&mask_before, &truth_before], &motion.backward);
        let [mask, truth] = self.scaled.insert(scaled([mask, truth]));
        let trusted = trusted(motion);
        let now = mask.words().iter().zip(truth.words());
        let before = mask_before.words().iter().zip(truth_before.words());
        let (mut flicker, mut flips) = (0, 0);
        for (((m, g), (m_before, g_before)), trusted) in now.zip(before).zip(trusted.words()) {
            let (prediction, truth) = (m ^ m_before, g ^ g_before);
            flicker += ((prediction ^ truth) & trusted).count_ones();
            flips += (prediction & !truth & trusted).count_ones();
        }
        let area = truth.area().max(1) as f64;
        Some((f64::from(flicker) / area, f64::from(flips) / area))
    }

    fn count_lags(&mut self) -> Result<()> {
        if self.recent.len() > MAX_LAG + 1 {
            self.recent.pop_front();
        }
        let Some((mask, truth)) = self.recent.back() else { return Ok(()) };
        for (k, (earlier_mask, earlier_truth)) in self.recent.iter().rev().enumerate() {
            self.lagged[MAX_LAG + k].push(Some(region_similarity(mask, earlier_truth)?));
            if k > 0 {
                self.lagged[MAX_LAG - k].push(Some(region_similarity(earlier_mask, truth)?));
            }
        }
        Ok(())
    }

    fn lag(&self) -> i32 {
        let mean = |lag: i32| self.lagged[(lag + MAX_LAG as i32) as usize].value().unwrap_or(0.0);
        let nearest_first = (1..=MAX_LAG as i32).flat_map(|k| [k, -k]);
        nearest_first.fold(0, |best, lag| if mean(lag) > mean(best) { lag } else { best })
    }

    fn count_consistency(&mut self, mask: &BitMask, truth: &BitMask) {
        let (before_mask, before_truth) = match self.recent.back() {
            Some((mask, truth)) => (mask, truth),
            None => (mask, truth),
        };
        let changes = [(truth, before_truth), (mask, before_mask), (mask, truth)].map(|(a, b)| a.difference(b));
        // A window is counted when the frame after it has come: the published program leaves out the last window.
        for (window, sums) in WINDOWS.iter().zip(&mut self.consistency) {
            if let Some(start) = self.changes.len().checked_sub(*window) {
                sums.count(self.changes.range(start..));
            }
        }
        self.changes.push_back(changes);
        if self.changes.len() > WINDOWS[1] {
            self.changes.pop_front();
        }
    }
}

/// Sums of both forms of VC over the windows so far.
#[derive(Debug, Clone, Copy, Default)]
struct WindowSums {
    constant: Mean,
    correct: Mean,
}

impl WindowSums {
    /// Takes a window: what changed in each of its frames, and what is wrong.
    fn count<'a>(&mut self, window: impl Iterator<Item = &'a [BitMask; 3]> + Clone) {
        let Some([_, _, wrong]) = window.clone().next() else { return };
        let (width, height) = wrong.size();
        let (mut truth_constant, mut constant, mut correct) = (0, 0, 0);
        for (i, &wrong) in wrong.words().iter().enumerate() {
            let (mut truth_changes, mut mask_changes, mut wrong) = (0, 0, wrong);
            for [truth, mask, error] in window.clone().skip(1) {
                truth_changes |= truth.words()[i];
                mask_changes |= mask.words()[i];
                wrong |= error.words()[i];
            }
            // Bits past the width never change; they are taken off below.
            truth_constant += (!truth_changes).count_ones() as usize;
            constant += (!(truth_changes | mask_changes)).count_ones() as usize;
            correct += (!(truth_changes | wrong)).count_ones() as usize;
        }
        let padding = wrong.words().len() * 64 - width * height;
        if truth_constant > padding {
            let of_constant = |count: usize| Some(share(count - padding, truth_constant - padding));
            self.constant.push(of_constant(constant));
            self.correct.push(of_constant(correct));
        }
    }

    fn get(&self) -> Option<Consistency> {
        Some(Consistency { constant: self.constant.value()?, correct: self.correct.value()? })
    }
}

/// Measures soft mattes against their truth, a frame at a time: dtSSD.
///
/// M. Erofeev et al., *Perceptually motivated benchmark for video matting*, BMVC 2015: the root of the mean square,
/// over the pixels, of how differently the two changed since the frame before; then the mean over the frames. Of mattes
/// in 0–1; papers give it ×100. A matte that is wrong but steady on a steady truth scores 0.
#[derive(Debug, Clone, Default)]
pub struct MatteAccumulator {
    previous: Option<(Plane<u8>, Plane<u8>)>,
    mean: Mean,
    count: usize,
}

impl MatteAccumulator {
    /// Takes the next frame's matte and truth, 0–255, and gives its dtSSD, 0 to 2; `None` for the first.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes are not all one.
    pub fn push(&mut self, matte: Plane<u8>, truth: Plane<u8>) -> Result<Option<f64>> {
        let expected = self.previous.as_ref().map_or(matte.size(), |(matte, _)| matte.size());
        for size in [matte.size(), truth.size()] {
            check_frame_size(self.count, size, expected)?;
        }
        let dtssd = self.previous.as_ref().map(|(matte_before, truth_before)| {
            let now = matte.data().iter().zip(truth.data());
            let before = matte_before.data().iter().zip(truth_before.data());
            let error = |(&matte, &truth): (&u8, &u8)| i32::from(matte) - i32::from(truth);
            let squares = now.zip(before).map(|(now, before)| u64::from(error(now).abs_diff(error(before)).pow(2)));
            (squares.sum::<u64>() as f64 / matte.data().len() as f64).sqrt() / 255.0
        });
        self.mean.push(dtssd);
        self.count += 1;
        self.previous = Some((matte, truth));
        Ok(dtssd)
    }

    /// The mean so far; `None` before the second frame.
    pub fn mean(&self) -> Option<f64> {
        self.mean.value()
    }
}
