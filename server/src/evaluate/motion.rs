//! How things moved between the frames, for the measures that need it.

use std::path::Path;

use steadymask_core::{
    Motion, MotionEstimator, Plane, Rgb, Settings,
    flow::{is_scene_cut, trust},
    metric::FLICKER_SIGMA,
    resize,
};

use super::track::Step;
use crate::{Error, Result, error::name_of, picture};

/// Follows the motion of a clip at the work size, a frame at a time.
pub struct Follower {
    settings: Settings,
    estimator: MotionEstimator,
    /// Size of the clip's frames as they come.
    size: Option<(usize, usize)>,
    previous: Option<Plane<Rgb>>,
    motion: Option<Motion>,
}

impl Default for Follower {
    fn default() -> Self {
        let settings = Settings::default();
        let estimator = MotionEstimator::new(settings.color_sigma);
        Self { settings, estimator, size: None, previous: None, motion: None }
    }
}

impl Follower {
    /// Takes the picture of the next frame.
    ///
    /// # Errors
    /// As [`picture::read_rgb`]; [`Error::FrameSize`] when it is of another size than the first.
    pub fn push(&mut self, file: &Path) -> Result<Step<'_>> {
        let frame = picture::read_rgb(file)?;
        check_size(file, frame.size(), *self.size.get_or_insert(frame.size()))?;
        let (width, height) = self.settings.work_size(frame.width(), frame.height());
        let frame = resize::area_rgb(&frame, width, height);
        let motion = self.estimator.push(frame.clone()).filter(|motion| !is_scene_cut(&motion.backward_trust));
        let measuring = |motion, previous| for_measuring(motion, previous, &frame);
        self.motion = motion.zip(self.previous.as_ref()).map(|(motion, previous)| measuring(motion, previous));
        self.previous = Some(frame);
        Ok(self.motion.as_ref().map_or(Step::Start, Step::Moved))
    }
}

/// The motion between two frames with the trust that measuring asks for, which is stricter than that for filters.
pub fn for_measuring(motion: Motion, earlier: &Plane<Rgb>, later: &Plane<Rgb>) -> Motion {
    let backward_trust = trust(&motion.backward, &motion.forward, later, earlier, FLICKER_SIGMA);
    Motion { backward_trust, ..motion }
}

/// Fails where a file's picture is not of the size of the clip's first.
pub(super) fn check_size(file: &Path, (width, height): (usize, usize), expected: (usize, usize)) -> Result<()> {
    if (width, height) == expected {
        return Ok(());
    }
    let (expected_width, expected_height) = expected;
    Err(Error::FrameSize { frame: name_of(file), width, height, expected_width, expected_height })
}
