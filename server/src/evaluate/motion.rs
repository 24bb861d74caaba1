//! How things moved between the frames, for the measures that need it.

use std::sync::Arc;

use steadymask_core::{
    BitMask, Motion, MotionEstimator, Plane, Rgb, Settings,
    flow::{is_scene_cut, trust},
    metric::{Evidence, FLICKER_SIGMA, Witness, picture_edges},
    resize,
};

use super::track::Step;
use crate::Result;

/// Follows the motion of a clip at the work size, a frame at a time.
pub struct Follower {
    settings: Settings,
    estimator: MotionEstimator,
    previous: Option<Plane<Rgb>>,
}

/// What a frame's picture tells.
pub struct Seen {
    /// The motion since the frame before, as filters trust it; `None` on the first frame of a shot.
    pub motion: Option<Arc<Motion>>,
    /// The same as measures trust it.
    pub measuring: Option<Motion>,
    /// The edges of the picture.
    pub edges: BitMask,
}

impl Default for Follower {
    fn default() -> Self {
        let settings = Settings::default();
        let estimator = MotionEstimator::new(settings.color_sigma);
        Self { settings, estimator, previous: None }
    }
}

impl Follower {
    /// Takes the next frame as it came.
    ///
    /// # Panics
    /// When it is of another size than the one before.
    pub fn push_whole(&mut self, frame: &Plane<Rgb>) -> Seen {
        let (width, height) = self.settings.work_size(frame.width(), frame.height());
        self.push(resize::area_rgb(frame, width, height))
    }

    /// Takes the next frame at work size.
    ///
    /// # Panics
    /// When it is of another size than the one before.
    pub fn push(&mut self, frame: Plane<Rgb>) -> Seen {
        let motion = self.estimator.push(frame.clone()).filter(|motion| !is_scene_cut(&motion.backward_trust));
        let strict = |(motion, earlier): (&Motion, &Plane<Rgb>)| Motion {
            backward_trust: trust(&motion.backward, &motion.forward, &frame, earlier, FLICKER_SIGMA),
            ..motion.clone()
        };
        let measuring = motion.as_ref().zip(self.previous.as_ref()).map(strict);
        let edges = picture_edges(&frame);
        self.previous = Some(frame);
        Seen { motion: motion.map(Arc::new), measuring, edges }
    }
}

impl Seen {
    /// What the frames before tell of this one, given what is seen in it: a probability of any size, 0–255. `None` on
    /// the first frame of a shot.
    ///
    /// # Errors
    /// As [`Witness::push`].
    pub fn evidence(&self, witness: &mut Witness, raw: &Plane<u8>) -> Result<Option<Evidence>> {
        let (width, height) = self.edges.size();
        Ok(witness.push(&resize::resize(raw, width, height), &self.edges, self.motion.as_deref())?)
    }

    /// How the frame follows from the one before, given their [`Self::evidence`].
    pub fn step<'a>(&'a self, evidence: Option<&'a Evidence>) -> Step<'a> {
        let moved = self.measuring.as_ref().zip(evidence);
        moved.map_or(Step::Start, |(motion, evidence)| Step::Moved { motion, evidence })
    }
}
