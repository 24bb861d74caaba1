//! What the frames of a run told, kept for the plot and the player.
//!
//! Free of the browser's API, so that its tests run natively.

use steadymask_core::metric::FrameMetrics;

/// The finished frames of a run, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    timestamps: Vec<f64>,
    before: Vec<Option<f32>>,
    after: Vec<Option<f32>>,
    cuts: Vec<usize>,
}

impl Series {
    /// Takes the next frame: when it is shown, in seconds, and what was measured on it.
    pub fn push(&mut self, timestamp: f64, metrics: &FrameMetrics) {
        if metrics.scene_cut {
            self.cuts.push(self.timestamps.len());
        }
        self.timestamps.push(timestamp);
        self.before.push(metrics.before.motion_compensated_instability);
        self.after.push(metrics.after.motion_compensated_instability);
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Motion-compensated instability of each frame before stabilising, 0 to 1.
    pub fn before(&self) -> &[Option<f32>] {
        &self.before
    }

    /// Motion-compensated instability of each frame after stabilising, 0 to 1.
    pub fn after(&self) -> &[Option<f32>] {
        &self.after
    }

    /// Frames at which a new shot begins.
    pub fn cuts(&self) -> &[usize] {
        &self.cuts
    }

    /// How long frame `index` stands, in seconds, at `fps` where it is not known.
    pub fn duration(&self, index: usize, fps: f64) -> f64 {
        match (self.timestamps.get(index), self.timestamps.get(index + 1)) {
            (Some(this), Some(next)) => next - this,
            _ => 1.0 / fps.max(1.0),
        }
    }

    /// The `count` frames that flickered most before stabilising, worst first. Of neighbours only the worst counts.
    pub fn worst(&self, count: usize) -> Vec<usize> {
        let value = |index: usize| self.before.get(index).copied().flatten().unwrap_or(0.0);
        let is_peak = |&index: &usize| {
            value(index) > 0.0 && value(index) >= value(index + 1) && (index == 0 || value(index) > value(index - 1))
        };
        let mut peaks: Vec<usize> = (0..self.before.len()).filter(is_peak).collect();
        peaks.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
        peaks.truncate(count);
        peaks
    }
}

#[cfg(test)]
mod tests {
    use steadymask_core::metric::MaskMetrics;

    use super::*;

    fn series(before: &[Option<f32>]) -> Series {
        let mut series = Series::default();
        for (index, &value) in before.iter().enumerate() {
            let mask = MaskMetrics { area: 0.1, motion_compensated_instability: value, ..MaskMetrics::default() };
            let scene_cut = index > 0 && value.is_none();
            let metrics = FrameMetrics { index, scene_cut, mean_trust: None, before: mask, after: mask };
            series.push(index as f64 * 0.04, &metrics);
        }
        series
    }

    #[test]
    fn the_worst_frames_are_peaks() {
        let series = series(&[None, Some(0.1), Some(0.5), Some(0.4), None, Some(0.7), Some(0.7), Some(0.2), Some(0.3)]);
        assert_eq!(series.worst(3), [5, 2, 8]);
        assert!(series.worst(0).is_empty());
        assert_eq!(series.cuts(), [4]);
    }

    #[test]
    fn steady_clips_have_no_worst_frame() {
        assert!(series(&[None, Some(0.0), Some(0.0)]).worst(3).is_empty());
        assert!(Series::default().worst(3).is_empty());
    }

    #[test]
    fn durations_come_from_the_clip() {
        let series = series(&[None, Some(0.0)]);
        assert!((series.duration(0, 10.0) - 0.04).abs() < 1e-9);
        assert!((series.duration(1, 10.0) - 0.1).abs() < 1e-9);
        assert!((series.duration(1, 0.0) - 1.0).abs() < 1e-9);
    }
}
