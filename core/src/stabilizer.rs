use std::{collections::VecDeque, sync::Arc};

use crate::{
    BitMask, Error, Motion, MotionEstimator, Plane, Result, Rgb, Settings,
    filter::{self, TemporalFilter},
    flow,
    metric::{Evidence, FrameMetrics, Improvement, MaskAccumulator, Mean, Summary, Witness, picture_edges},
    plane::{check_frame_size, check_size},
    union_of,
};

/// The level over which a probability of 0–255 that no filter has touched is in the mask: p > ½.
pub const RAW_LEVEL: u8 = 127;

/// A clip's frames in, steady probabilities out, in order and as soon as the look-ahead allows.
///
/// It owns no time and does no I/O: a driver pushes frames and takes what is finished. At most as many frames
/// are held back as the method looks ahead, whatever the length of the clip.
pub struct Stabilizer {
    size: (usize, usize),
    classes: usize,
    /// Level over which a stabilised probability is in the mask.
    level: u8,
    observer: Observer,
    filter: Box<dyn TemporalFilter>,
    /// Number of the first frame.
    first: usize,
    /// Number of the next frame.
    next: usize,
    /// Frames that the filter holds back, oldest first.
    pending: VecDeque<Pending>,
    before: MaskAccumulator,
    after: MaskAccumulator,
    mean_trust: Mean,
    scene_cuts: Vec<usize>,
}

/// A frame that the filter holds back.
struct Pending {
    index: usize,
    raw: Vec<Plane<u8>>,
    seen: Seen,
}

/// What is found out about each frame, whatever is then done to its probabilities.
pub(crate) struct Observer {
    estimator: MotionEstimator,
    witness: Witness,
}

/// What is known of a frame.
#[derive(Clone)]
pub(crate) struct Seen {
    /// Motion since the frame before, `None` on the first of a shot.
    motion: Option<Arc<Motion>>,
    /// What the frames before say of this one, `None` on the first of a shot.
    evidence: Option<Arc<Evidence>>,
    scene_cut: bool,
}

impl Observer {
    /// `color_sigma` as in [`flow::trust`].
    pub(crate) fn new(color_sigma: f32) -> Self {
        Self { estimator: MotionEstimator::new(color_sigma), witness: Witness::default() }
    }

    /// Looks at the next frame and its probabilities, all of one size.
    pub(crate) fn push(&mut self, frame: Plane<Rgb>, probabilities: &[Plane<u8>]) -> Seen {
        let edges = picture_edges(&frame);
        let motion = self.estimator.push(frame).map(Arc::new);
        let scene_cut = motion.as_ref().is_some_and(|motion| flow::is_scene_cut(&motion.backward_trust));
        let motion = motion.filter(|_| !scene_cut);
        let evidence = self.witness.push(&union_of(probabilities), &edges, motion.as_deref());
        Seen { motion, evidence: evidence.expect("all are of one size").map(Arc::new), scene_cut }
    }
}

/// A frame that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Number of the frame in the clip, from 0.
    pub index: usize,
    /// The probabilities as pushed, one plane a class, 0–255.
    pub raw: Vec<Plane<u8>>,
    /// The stabilised probabilities, one plane a class, 0–255.
    pub stabilized: Vec<Plane<u8>>,
    /// What was measured on this frame.
    pub metrics: FrameMetrics,
}

impl Stabilizer {
    /// For frames of `width`×`height` pixels with `classes` probability planes each.
    ///
    /// # Errors
    /// [`Error::Setting`] as [`Settings::validate`], and for [`Method::Auto`](crate::Method::Auto);
    /// [`Error::Size`] for a side of 0 or over [`Plane::MAX_SIDE`]; [`Error::Classes`] for no class.
    pub fn new(settings: &Settings, width: usize, height: usize, classes: usize) -> Result<Self> {
        Self::starting_at(0, settings, width, height, classes)
    }

    /// As [`Self::new`], for a piece of a clip that begins at frame `first` of it.
    ///
    /// Where [`Settings::overlap`] gives numbers, a frame that has at least so many frames of the piece before and
    /// after it, or the clip's first or last frame among them, comes out as from the whole clip, byte for byte. So a
    /// long clip can be cut into pieces that carry the overlap, which is then dropped. Metrics tell of the piece.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn starting_at(first: usize, settings: &Settings, width: usize, height: usize, classes: usize) -> Result<Self> {
        settings.validate()?;
        check_size(width, height)?;
        if classes == 0 {
            return Err(Error::Classes { index: 0, actual: 0, expected: 1 });
        }
        Ok(Self {
            size: (width, height),
            classes,
            level: settings.threshold_level(),
            observer: Observer::new(settings.color_sigma),
            filter: filter::from_settings(settings, first)?,
            first,
            next: first,
            pending: VecDeque::new(),
            before: MaskAccumulator::default(),
            after: MaskAccumulator::default(),
            mean_trust: Mean::default(),
            scene_cuts: Vec::new(),
        })
    }

    /// Takes the next frame and its probabilities, one plane a class, 0–255; gives the frames that this finishes.
    ///
    /// # Errors
    /// [`Error::FrameSize`] when the frame or a plane is of another size than announced, [`Error::Classes`] for
    /// another number of planes. The frame is then not taken, and the clip can go on.
    pub fn push(&mut self, frame: Plane<Rgb>, probabilities: Vec<Plane<u8>>) -> Result<Vec<Finished>> {
        self.check(&frame, &probabilities)?;
        self.show(&frame);
        let seen = self.observer.push(frame, &probabilities);
        Ok(self.follow(seen, probabilities))
    }

    /// Whether the next frame is as announced.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn check(&self, frame: &Plane<Rgb>, probabilities: &[Plane<u8>]) -> Result<()> {
        let index = self.next;
        if probabilities.len() != self.classes {
            return Err(Error::Classes { index, actual: probabilities.len(), expected: self.classes });
        }
        for size in std::iter::once(frame.size()).chain(probabilities.iter().map(Plane::size)) {
            check_frame_size(index, size, self.size)?;
        }
        Ok(())
    }

    /// Shows the picture of the frame that follows, to filters that go by colours.
    pub(crate) fn show(&mut self, frame: &Plane<Rgb>) {
        self.filter.show(frame);
    }

    /// As [`Self::push`], with a frame that was [shown](Self::show) and [observed](Observer) already, and probabilities
    /// that were checked.
    pub(crate) fn follow(&mut self, seen: Seen, probabilities: Vec<Plane<u8>>) -> Vec<Finished> {
        let index = self.next;
        self.next += 1;
        self.scene_cuts.extend(seen.scene_cut.then_some(index));
        let mut filtered = if seen.motion.is_none() { self.filter.finish() } else { Vec::new() };
        filtered.extend(self.filter.push(&probabilities, seen.motion.as_ref()));
        self.pending.push_back(Pending { index, raw: probabilities, seen });
        filtered.into_iter().map(|stabilized| self.complete(stabilized)).collect()
    }

    /// Ends the clip: the frames still held back, and the summary.
    pub fn finish(mut self) -> (Vec<Finished>, Summary) {
        let rest = self.filter.finish();
        let finished = rest.into_iter().map(|stabilized| self.complete(stabilized)).collect();
        let (before, after) = (self.before.summary(), self.after.summary());
        let summary = Summary {
            frames: self.next - self.first,
            scene_cuts: self.scene_cuts,
            mean_trust: self.mean_trust.get(),
            improvement_percent: Improvement::between(&before, &after),
            before,
            after,
        };
        (finished, summary)
    }

    /// Measures the oldest frame held back, whose stabilised planes have come.
    fn complete(&mut self, stabilized: Vec<Plane<u8>>) -> Finished {
        let Pending { index, raw, seen: Seen { motion, evidence, scene_cut } } =
            self.pending.pop_front().expect("a filter gives no more than it took");
        let motion = motion.as_deref();
        let mean_trust = motion.map(|motion| flow::mean_trust(&motion.backward_trust));
        self.mean_trust.push(mean_trust);
        let measure = |masks: &mut MaskAccumulator, probability: &Plane<u8>, level| {
            let mask = BitMask::from_threshold(probability, level);
            masks.push(mask, motion, evidence.as_deref()).expect("sizes were checked on the way in")
        };
        let metrics = FrameMetrics {
            index,
            scene_cut,
            mean_trust,
            before: measure(&mut self.before, &union_of(&raw), RAW_LEVEL),
            after: measure(&mut self.after, &union_of(&stabilized), self.level),
        };
        Finished { index, raw, stabilized, metrics }
    }
}
