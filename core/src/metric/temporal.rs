use serde::{Deserialize, Serialize};

use super::{
    estimate::{Estimate, Evidence},
    overlap::{Overlap, share},
};
use crate::{
    BitMask, Motion, Result,
    flow::{Flow, TRUSTED},
    plane::check_frame_size,
};

/// What is known of one frame's mask. Comparisons with the frame before are `None` on the first frame of a shot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskMetrics {
    /// Share of the frame that the mask covers, 0 to 1.
    pub area: f32,
    /// Intersection over union with the frame before.
    pub iou: Option<f32>,
    /// Dice coefficient with the frame before.
    pub dice: Option<f32>,
    /// `1 − iou`. Rewards a frozen mask: see [`Self::motion_compensated_instability`].
    pub instability: Option<f32>,
    /// Change that motion does not explain: [`motion_compensated_instability`]. An estimate.
    pub motion_compensated_instability: Option<f32>,
    /// Change of the area that motion does not explain: [`area_drift`]. An estimate.
    pub area_drift: Option<f32>,
    /// What the mask is worth, as far as can be told without ground truth.
    pub estimate: Option<Estimate>,
}

/// What is known of one frame, before and after stabilising; masks are unions over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameMetrics {
    /// Number of the frame, from 0.
    pub index: usize,
    /// Whether a new shot begins here. The first frame of a clip is none.
    pub scene_cut: bool,
    /// How far the motion since the frame before can be trusted, mean over the pixels, 0 to 1.
    pub mean_trust: Option<f32>,
    /// The mask as it came, at threshold ½.
    pub before: MaskMetrics,
    /// The stabilised mask.
    pub after: MaskMetrics,
}

/// Means over a clip. `None` where no frame has the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SummaryMetrics {
    /// Mean share of the frame that the mask covers, 0 to 1.
    pub area: f32,
    /// Mean intersection over union of neighbouring frames.
    pub temporal_consistency: Option<f32>,
    /// Mean Dice coefficient of neighbouring frames.
    pub dice: Option<f32>,
    /// Mean `1 − IoU` of neighbouring frames.
    pub instability: Option<f32>,
    /// Mean change that motion does not explain. An estimate.
    pub motion_compensated_instability: Option<f32>,
    /// Mean change of the area that motion does not explain. An estimate.
    pub area_drift: Option<f32>,
    /// Means of what the masks are worth, as far as can be told without ground truth: the one score here by which
    /// masks may be ranked.
    pub estimate: Option<Estimate>,
}

/// By how many percent stabilising lowered each instability: `100 (before − after) / before`.
///
/// `None` where there was none to lower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Improvement {
    /// Of the classic instability, which also rewards a frozen mask.
    pub instability: Option<f32>,
    /// Of the motion-compensated one.
    pub motion_compensated_instability: Option<f32>,
}

/// What is known of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of frames.
    pub frames: usize,
    /// Numbers of the frames at which a new shot begins.
    pub scene_cuts: Vec<usize>,
    /// Mean of the frames' mean trust.
    pub mean_trust: Option<f32>,
    /// The masks as they came.
    pub before: SummaryMetrics,
    /// The stabilised masks.
    pub after: SummaryMetrics,
    /// How much was gained.
    pub improvement_percent: Improvement,
}

/// Change between two frames' masks that motion does not explain, 0 to 1: `1 − IoU(warp(previous), current)` over
/// the pixels whose trust is over [`TRUSTED`].
///
/// `motion` is the motion between the two; masks are warped by the nearest pixel.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn motion_compensated_instability(previous: &BitMask, current: &BitMask, motion: &Motion) -> Result<f32> {
    Ok(Unexplained::between(previous, current, motion)?.instability())
}

/// Change of the mask's area that motion does not explain, 0 to 1: how much the smaller of `warp(previous)` and
/// `current` lacks of the larger, over the pixels whose trust is over [`TRUSTED`]; 0 when both are empty.
///
/// # Errors
/// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
pub fn area_drift(previous: &BitMask, current: &BitMask, motion: &Motion) -> Result<f32> {
    Ok(Unexplained::between(previous, current, motion)?.area_drift())
}

/// Numbers of trusted pixels in two frames' masks, the earlier carried to the later.
struct Unexplained {
    previous: usize,
    current: usize,
    both: usize,
}

impl Unexplained {
    fn between(previous: &BitMask, current: &BitMask, motion: &Motion) -> Result<Self> {
        let flow = &motion.backward;
        for size in [flow.size(), previous.size()] {
            check_frame_size(0, size, current.size())?;
        }
        let [carried] = warped([previous], flow);
        let trusted = trusted(motion);
        let mut counts = Self { previous: 0, current: 0, both: 0 };
        for ((a, b), trusted) in carried.words().iter().zip(current.words()).zip(trusted.words()) {
            counts.previous += (a & trusted).count_ones() as usize;
            counts.current += (b & trusted).count_ones() as usize;
            counts.both += (a & b & trusted).count_ones() as usize;
        }
        Ok(counts)
    }

    fn instability(&self) -> f32 {
        (1.0 - share(self.both, self.previous + self.current - self.both)) as f32
    }

    fn area_drift(&self) -> f32 {
        (1.0 - share(self.previous.min(self.current), self.previous.max(self.current))) as f32
    }
}

/// Masks of the earlier frame carried along `flow` from the later: the nearest pixel, the edge's repeated outside.
///
/// All must be of one size.
pub(super) fn warped<const N: usize>(masks: [&BitMask; N], flow: &Flow) -> [BitMask; N] {
    let (width, height) = flow.size();
    let stride = width.div_ceil(64);
    let sources = masks.map(BitMask::words);
    let mut warped = [(); N].map(|()| BitMask::empty(width, height));
    for y in 0..height {
        for (i, flow) in flow.row(y).chunks(64).enumerate() {
            let mut words = [0; N];
            for (bit, &[dx, dy]) in flow.iter().enumerate() {
                // A cast of a negative number is 0: the edge pixel is repeated.
                let from_x = (((i * 64 + bit) as f32 + dx + 0.5) as usize).min(width - 1);
                let from_y = ((y as f32 + dy + 0.5) as usize).min(height - 1);
                let from = from_y * stride + from_x / 64;
                for (word, source) in words.iter_mut().zip(sources) {
                    *word |= (source[from] >> (from_x % 64) & 1) << bit;
                }
            }
            for (warped, word) in warped.iter_mut().zip(words) {
                warped.row_mut(y)[i] = word;
            }
        }
    }
    warped
}

/// The pixels of the later frame whose motion is [`TRUSTED`].
pub(super) fn trusted(motion: &Motion) -> BitMask {
    let trust = &motion.backward_trust;
    let mut trusted = BitMask::empty(trust.width(), trust.height());
    for y in 0..trust.height() {
        for (word, trust) in trusted.row_mut(y).iter_mut().zip(trust.row(y).chunks(64)) {
            *word = trust.iter().rev().fold(0, |word, &trust| word << 1 | u64::from(trust > TRUSTED));
        }
    }
    trusted
}

/// The metrics of a clip's masks, a frame at a time.
#[derive(Debug, Clone, Default)]
pub struct MaskAccumulator {
    previous: Option<BitMask>,
    area: Mean,
    iou: Mean,
    dice: Mean,
    motion_compensated: Mean,
    area_drift: Mean,
    /// Of score, evidence and alignment.
    estimate: [Mean; 3],
}

impl MaskAccumulator {
    /// Takes the next frame's mask, the motion since the frame before, `None` at the beginning of a shot, and what the
    /// other frames tell of it, `None` where no [`Estimate`] is asked for.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the size is not that of the frame before.
    pub fn push(&mut self, mask: BitMask, motion: Option<&Motion>, evidence: Option<&Evidence>) -> Result<MaskMetrics> {
        let mut metrics = MaskMetrics {
            area: share(mask.area(), mask.width() * mask.height()) as f32,
            estimate: evidence.map(|evidence| evidence.estimate(&mask)).transpose()?,
            ..MaskMetrics::default()
        };
        if let (Some(previous), Some(motion)) = (&self.previous, motion) {
            let overlap = Overlap::of_masks(previous, &mask)?;
            let unexplained = Unexplained::between(previous, &mask, motion)?;
            let iou = overlap.iou();
            metrics.iou = Some(iou);
            metrics.dice = Some(overlap.dice());
            metrics.instability = Some(1.0 - iou);
            metrics.motion_compensated_instability = Some(unexplained.instability());
            metrics.area_drift = Some(unexplained.area_drift());
        }
        self.area.push(Some(metrics.area));
        self.iou.push(metrics.iou);
        self.dice.push(metrics.dice);
        self.motion_compensated.push(metrics.motion_compensated_instability);
        self.area_drift.push(metrics.area_drift);
        if let Some(Estimate { score, evidence, alignment }) = metrics.estimate {
            for (mean, value) in self.estimate.iter_mut().zip([score, evidence, alignment]) {
                mean.push(Some(value));
            }
        }
        self.previous = Some(mask);
        Ok(metrics)
    }

    /// The means so far.
    pub fn summary(&self) -> SummaryMetrics {
        let iou = self.iou.get();
        SummaryMetrics {
            area: self.area.get().unwrap_or(0.0),
            temporal_consistency: iou,
            dice: self.dice.get(),
            instability: iou.map(|iou| 1.0 - iou),
            motion_compensated_instability: self.motion_compensated.get(),
            area_drift: self.area_drift.get(),
            estimate: self.estimate(),
        }
    }

    fn estimate(&self) -> Option<Estimate> {
        let [score, evidence, alignment] = self.estimate.map(Mean::get);
        Some(Estimate { score: score?, evidence: evidence?, alignment: alignment? })
    }
}

/// By how many percent `after` is lower than `before`; `None` when `before` is 0.
pub fn improvement_percent(before: f32, after: f32) -> Option<f32> {
    (before > 0.0).then(|| 100.0 * (before - after) / before)
}

impl Improvement {
    /// From the means before and after.
    pub fn between(before: &SummaryMetrics, after: &SummaryMetrics) -> Self {
        let percent = |before: Option<f32>, after: Option<f32>| improvement_percent(before?, after?);
        Self {
            instability: percent(before.instability, after.instability),
            motion_compensated_instability: percent(
                before.motion_compensated_instability,
                after.motion_compensated_instability,
            ),
        }
    }
}

/// The mean of the values there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    pub fn push(&mut self, value: Option<impl Into<f64>>) {
        if let Some(value) = value {
            self.sum += value.into();
            self.count += 1;
        }
    }

    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    pub fn get(self) -> Option<f32> {
        self.value().map(|mean| mean as f32)
    }
}
