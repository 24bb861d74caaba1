use steadymask_core::{
    Method, RAW_LEVEL, Settings, Stabilizer, Timings,
    auto::Proposal,
    full_mask,
    metric::{FrameMetrics, Summary},
    resize, union_of,
    upsample::full_labels,
};
use steadymask_models::Segmenter;

use super::{Ending, Inbox, Open, gray, now, post};
use crate::{
    engine::protocol::{Event, Failure, FailureCode, Finished, Frame, Progress},
    media::Frames,
};

/// What was made of a video: masks as PNG files, which are far smaller than pictures, and numbers.
pub struct Run {
    pub settings: Settings,
    /// What was tried to find them.
    pub auto: Option<Proposal>,
    /// Size of frames and masks, upright, in pixels.
    pub size: (usize, usize),
    pub frames: Vec<Kept>,
    pub metrics: Vec<FrameMetrics>,
    /// There once the run is over.
    pub summary: Option<Summary>,
    pub timings: Timings,
    pub warnings: Vec<String>,
}

/// A finished frame.
pub struct Kept {
    pub timestamp_seconds: f64,
    pub raw: Vec<u8>,
    pub stabilized: Vec<u8>,
}

impl Open {
    /// Segments and stabilises the video from its first frame to its last.
    pub(super) async fn start(
        &mut self,
        settings: &Settings,
        segmenter: &Segmenter,
        inbox: &mut Inbox,
    ) -> Result<Ending, Failure> {
        self.run = None;
        let ids =
            segmenter.class_ids(&settings.classes).map_err(|e| Failure::new(FailureCode::Settings, e.to_string()))?;
        let start = now();
        let auto = match settings.method {
            Method::Auto => match self.propose(settings, &ids, segmenter, inbox).await? {
                None => return Ok(Ending::Cancelled),
                proposal => proposal,
            },
            _ => None,
        };
        let settings = &auto.as_ref().map_or(settings, Proposal::settings).clone();
        let propose = (now() - start) / 1000.0;
        let mut lap = Lap(now());
        let mut frames = self.video.frames();
        // Masks need the frames at full size, as many frames later as the method looks ahead: they are decoded a second
        // time, which keeps memory bounded.
        let mut frames_again = self.video.frames();
        let total = self.video.clip().frames;
        let mut times = Vec::new();
        let mut machine: Option<(Stabilizer, Run)> = None;
        let mut first_done = now();

        while let Some(decoded) = frames.next().await? {
            times.push(decoded.timestamp_seconds);
            let frame = decoded.into_rgb()?;
            let (stabilizer, run) = match &mut machine {
                Some(machine) => machine,
                None => machine.insert(Run::begin(settings, frame.size(), ids.len().max(1))?),
            };
            if frame.size() != run.size {
                let ((width, height), (expected_width, expected_height)) = (frame.size(), run.size);
                let index = times.len() - 1;
                return Err(steadymask_core::Error::FrameSize {
                    index,
                    width,
                    height,
                    expected_width,
                    expected_height,
                }
                .into());
            }
            let (width, height) = settings.work_size(frame.width(), frame.height());
            let input_size = segmenter.input_size(frame.size(), settings.input_side);
            let shown = segmenter.shown(&frame, input_size);
            let frame = resize::area_rgb(&frame, width, height);
            run.timings.decode += lap.seconds();

            let mut planes = segmenter
                .segment_at(&[&shown], &ids, input_size, frame.size())
                .await
                .map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
            run.timings.segment += lap.seconds();

            let finished = stabilizer.push(frame, planes.swap_remove(0))?;
            run.timings.stabilize += lap.seconds();

            run.keep(finished, &times, &mut frames_again).await?;
            run.timings.write += lap.seconds();

            let done = times.len();
            let since_first = (now() - first_done) / 1000.0;
            let frames_per_second = (done > 1).then(|| (done - 1) as f64 / since_first);
            if done == 1 {
                first_done = now();
            }
            let total = total.max(done);
            let eta_seconds = frames_per_second.map(|speed| (total - done) as f64 / speed);
            post(&Event::Progress(Progress { trying: false, done, total, frames_per_second, eta_seconds }));
            if self.interrupted(inbox, Some(run)).await {
                return Ok(Ending::Cancelled);
            }
            lap = Lap(now());
        }

        let (stabilizer, mut run) =
            machine.ok_or_else(|| Failure::new(FailureCode::NoFrames, "No frame of this video could be decoded"))?;
        let (rest, summary) = stabilizer.finish();
        run.timings.stabilize += lap.seconds();
        for finished in rest {
            run.keep([finished], &times, &mut frames_again).await?;
            if self.interrupted(inbox, Some(&run)).await {
                return Ok(Ending::Cancelled);
            }
        }
        run.timings.write += lap.seconds();
        run.timings.propose = if auto.is_some() { propose } else { 0.0 };
        run.timings.total = (now() - start) / 1000.0;
        run.auto = auto;
        run.summary = Some(summary.clone());
        if times.len() < total {
            let decoded = times.len();
            run.warnings
                .push(format!("The video is damaged or cut short: {decoded} of {total} frames could be decoded"));
        }
        let finished = Finished { summary, timings: run.timings, warnings: run.warnings.clone() };
        self.run = Some(run);
        Ok(Ending::Complete(Box::new(Event::Finished(Box::new(finished)))))
    }
}

impl Run {
    fn begin(settings: &Settings, size: (usize, usize), classes: usize) -> Result<(Stabilizer, Self), Failure> {
        let (width, height) = settings.work_size(size.0, size.1);
        let stabilizer = Stabilizer::new(settings, width, height, classes)?;
        let run = Self {
            settings: settings.clone(),
            auto: None,
            size,
            frames: Vec::new(),
            metrics: Vec::new(),
            summary: None,
            timings: Timings::default(),
            warnings: Vec::new(),
        };
        Ok((stabilizer, run))
    }

    /// Makes masks of what is finished, along the edges of its frames, and tells the page. `times`: of all frames so
    /// far.
    async fn keep(
        &mut self,
        finished: impl IntoIterator<Item = steadymask_core::Finished>,
        times: &[f64],
        frames: &mut Frames,
    ) -> Result<(), Failure> {
        for steadymask_core::Finished { index, raw, stabilized, metrics } in finished {
            let frame = frames.again(index).await?.into_rgb()?;
            let labels = full_labels(&stabilized, None, &frame, self.settings.threshold_level());
            let stabilized = gray::write(&labels.map(|&label| if label > 0 { 255 } else { 0 }))?;
            let raw = gray::write(&full_mask(&union_of(&raw), self.size, RAW_LEVEL))?;
            let timestamp_seconds = times[index];
            self.frames.push(Kept { timestamp_seconds, raw, stabilized });
            self.metrics.push(metrics);
            post(&Event::Frame(Frame { index, timestamp_seconds, metrics }));
        }
        Ok(())
    }
}

/// A stop-watch: the time since it was last read.
struct Lap(f64);

impl Lap {
    fn seconds(&mut self) -> f64 {
        let start = std::mem::replace(&mut self.0, now());
        (self.0 - start) / 1000.0
    }
}
