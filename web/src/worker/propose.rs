use std::ops::Range;

use steadymask_core::{
    Settings,
    auto::{self, Proposal, Trial},
    resize,
};
use steadymask_models::Segmenter;

use super::{Inbox, Open, internal, now, post};
use crate::engine::protocol::{Event, Failure, Progress};

impl Open {
    /// Tries methods on a sample of the video and tells the page; `None` when cancelled. A stretch that cannot be
    /// decoded is left out: the run that follows meets the same trouble, and tells it.
    pub(super) async fn propose(
        &self,
        settings: &Settings,
        ids: &[usize],
        segmenter: &Segmenter,
        inbox: &mut Inbox,
    ) -> Result<Option<Proposal>, Failure> {
        let start = now();
        let clock = || now() / 1000.0;
        let stretches = auto::stretches(self.video.clip().frames);
        let total = stretches.iter().map(Range::len).sum();
        let mut trial: Option<Trial> = None;
        let mut done = 0usize;
        for stretch in stretches {
            let mut frames = self.video.frames_from(stretch.start);
            for index in stretch {
                let Ok(Some(decoded)) = frames.next().await else { break };
                let frame = decoded.into_rgb()?;
                let (width, height) = settings.work_size(frame.width(), frame.height());
                let input_size = segmenter.input_size(frame.size(), settings.input_side);
                let shown = segmenter.shown(&frame, input_size);
                let frame = resize::area_rgb(&frame, width, height);
                let planes = segmenter.segment_at(&[&shown], ids, input_size, frame.size()).await;
                let planes = planes.map_err(internal)?.swap_remove(0);
                let trial = match &mut trial {
                    Some(trial) => trial,
                    None => trial.insert(Trial::new(settings, width, height, planes.len())?),
                };
                trial.push(index, frame, &planes, &clock)?;
                done += 1;
                let speed = done as f64 / ((now() - start) / 1000.0).max(1e-6);
                let eta_seconds = Some((total - done) as f64 / speed);
                let progress = Progress { trying: true, done, total, frames_per_second: Some(speed), eta_seconds };
                post(&Event::Progress(progress));
                if self.interrupted(inbox, None).await {
                    return Ok(None);
                }
            }
        }
        let trial = trial.map_or_else(|| Trial::new(settings, 1, 1, 1), Ok)?;
        let proposal = trial.finish(&clock);
        post(&Event::Proposed(Box::new(proposal.clone())));
        Ok(Some(proposal))
    }
}
