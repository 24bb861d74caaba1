use crate::{
    Plane, Rgb,
    flow::{self, DenseInverseSearch, Flow, FlowFrame, Preset},
    parallel,
};

/// Motion between two neighbouring frames, both ways, and how far it can be trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    /// Where each pixel of the earlier frame lies in the later.
    pub forward: Flow,
    /// Trust in `forward`, 0 to 1, at the pixels of the earlier frame.
    pub forward_trust: Plane<f32>,
    /// Where each pixel of the later frame lies in the earlier.
    pub backward: Flow,
    /// Trust in `backward`, 0 to 1, at the pixels of the later frame.
    pub backward_trust: Plane<f32>,
}

/// Finds the [`Motion`] of a clip, a frame at a time.
#[derive(Debug, Clone)]
pub struct MotionEstimator {
    color_sigma: f32,
    /// One for each direction.
    search: [DenseInverseSearch; 2],
    previous: Option<(Plane<[f32; 4]>, FlowFrame)>,
}

impl MotionEstimator {
    /// `color_sigma` as in [`flow::trust`].
    pub fn new(color_sigma: f32) -> Self {
        Self { color_sigma, search: Default::default(), previous: None }
    }

    /// The motion from the frame pushed before to `frame`; `None` for the first.
    ///
    /// # Panics
    /// When `frame` is of another size than the one before.
    pub fn push(&mut self, frame: Plane<Rgb>) -> Option<Motion> {
        parallel::inside(|| {
            let (frame, prepared) =
                parallel::join(|| flow::fill_up(&frame), || FlowFrame::new(&frame.luma(), Preset::default()));
            let motion = self.previous.as_ref().map(|(earlier, earlier_prepared)| {
                let [there, back] = &mut self.search;
                let (forward, backward) = parallel::join(
                    || there.calc(earlier_prepared, &prepared),
                    || back.calc(&prepared, earlier_prepared),
                );
                let (forward_trust, backward_trust) = parallel::join(
                    || flow::trust_filled_up(&forward, &backward, earlier, &frame, self.color_sigma),
                    || flow::trust_filled_up(&backward, &forward, &frame, earlier, self.color_sigma),
                );
                Motion { forward, forward_trust, backward, backward_trust }
            });
            self.previous = Some((frame, prepared));
            motion
        })
    }
}
