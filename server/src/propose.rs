//! A method for a clip, found by trying many on a sample of it.

use std::{
    ops::Range,
    path::Path,
    sync::mpsc::{Receiver, SyncSender},
    time::Instant,
};

use steadymask_core::{
    Method, Settings,
    auto::{self, Candidate, Proposal, Trial},
};

use crate::{
    Error, Result,
    evaluate::plot::{self, Corner, Groups},
    evidence::Evidence,
    picture,
    run::{CancelToken, Controls, Evident, Progress, Ready, Sizes, through_evidence},
    source::Source,
};

/// What was proposed, and how long it took.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The proposal.
    pub proposal: Proposal,
    /// From start to end, in seconds.
    pub seconds: f64,
}

/// Tries methods on the frames that [`auto::stretches`] names, where the settings ask for [`Method::Auto`]; `None` where
/// they do not. A stretch that cannot be decoded is left out: the run that follows meets the same trouble, and tells it.
///
/// # Errors
/// Whatever is wrong with the settings or the evidence; [`Error::Cancelled`](crate::Error::Cancelled).
pub fn propose(
    source: &Source,
    evidence: &Evidence<'_>,
    settings: &Settings,
    controls: &Controls<'_>,
) -> Result<Option<Proposed>> {
    if settings.method != Method::Auto {
        return Ok(None);
    }
    settings.validate()?;
    let start = Instant::now();
    let clock = || start.elapsed().as_secs_f64();
    let sizes = Sizes::new(evidence, settings, source);
    let planes = evidence.classes(settings)?.len();
    let stretches = auto::stretches(source.frames());
    let frames_total = stretches.iter().map(Range::len).sum();
    let sink = |evident: Receiver<Result<Evident>>| {
        let mut trial = Trial::new(settings, sizes.work.0, sizes.work.1, planes)?;
        for (item, frames_done) in evident.into_iter().zip(1..) {
            let Evident { index, frame, planes } = item?;
            trial.push(index, frame, &planes, &clock)?;
            (controls.progress)(Progress { frames_done, frames_total, elapsed: start.elapsed() });
        }
        Ok(trial.finish(&clock))
    };
    let decode = |frames: &_| decode(source, &stretches, &sizes, controls.cancel, frames);
    let (proposal, _) = through_evidence(evidence, settings, &sizes, decode, sink)?;
    Ok(Some(Proposed { proposal, seconds: clock() }))
}

/// Writes `auto.svg` into `folder`; without a proposal takes away what an earlier run left there.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io).
pub(crate) fn write_plot(folder: &Path, proposal: Option<&Proposal>) -> Result<()> {
    let path = folder.join("auto.svg");
    let Some(proposal) = proposal else {
        return match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => Ok(()),
        };
    };
    let labels: Vec<_> = proposal.candidates.iter().map(Candidate::label).collect();
    let points = proposal.candidates.iter().zip(&labels).enumerate().map(|(index, (candidate, label))| plot::Point {
        label,
        group: usize::from(index == proposal.chosen),
        x: 1.0 - f64::from(candidate.motion_compensated_instability.unwrap_or(f32::NAN)),
        y: candidate.score,
    });
    let axes = ["steadiness along motion (does not rank)", "estimated quality (ranks)"];
    // Good candidates lie to the right and above, where the names of the groups would be in the way.
    let groups = Groups { names: &["tried", "proposed"], corner: Corner::UpperLeft };
    let svg = plot::scatter("Methods tried on a sample", axes, &groups, &points.collect::<Vec<_>>());
    picture::write_whole(&path, svg.as_bytes())
}

/// The frames of the stretches, made ready. Ends early when nobody listens any more.
fn decode(
    source: &Source,
    stretches: &[Range<usize>],
    sizes: &Sizes<'_>,
    cancel: &CancelToken,
    frames: &SyncSender<Result<Ready>>,
) -> (f64, Option<String>) {
    for stretch in stretches {
        let Ok(reader) = source.read_from(stretch.start) else { continue };
        for (index, frame) in stretch.clone().zip(reader) {
            let Ok(frame) = frame else { break };
            let frame = cancel.check().map(|()| sizes.of(index, &frame));
            let ended = frame.is_err();
            if frames.send(frame).is_err() || ended {
                return (0.0, None);
            }
        }
    }
    (0.0, None)
}
