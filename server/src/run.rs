//! From an input to its results. Both doors, the command line and the server, call what is here and add nothing.
//!
//! ```text
//! source ─▶ evidence ─▶ stabilizer ─▶ writer ─▶ masks, raw masks, overlay, exports, metrics
//! thread    caller's    thread        thread, which reads the source a second time
//!           thread
//! ```
//!
//! The stages are joined by bounded channels, so that they overlap and memory does not grow with the clip. Frames
//! travel at work size only. The overlay needs them at full size, many frames later: it decodes the clip a second
//! time, which costs little beside a network and keeps memory bounded whatever the look-ahead. (A look-ahead of
//! `all` holds the clip in the stabilizer, at work size.)

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use steadymask_core::{
    Finished, Method, Plane, RAW_LEVEL, Report, Rgb, Settings, Stabilizer, Timings,
    auto::Proposal,
    full_mask,
    metric::FrameMetrics,
    overlay, resize, union_of,
    upsample::{Own, full_labels, full_probabilities},
};
use steadymask_models::{DeviceReport, Segmenter, block_on};

use crate::{
    Error, Result,
    evidence::{Evidence, Keeper},
    masks::{Export, Exporter, FrameMasks, Masks, Planes},
    picture,
    propose::{Proposed, write_plot},
    source::Source,
    video::Encoder,
};

/// Frames the network sees at once.
const BATCH: usize = 4;
/// Frames that may wait between two stages.
const QUEUE: usize = 2 * BATCH;

/// Stops a run from another thread.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the run to stop; it does within a batch of frames.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// [`Error::Cancelled`] when it was asked to.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Frames whose results are on disk; of a sample, those on which methods were tried.
    pub frames_done: usize,
    /// Frames of the clip, as far as is known, or of the sample.
    pub frames_total: usize,
    /// Since the run began.
    pub elapsed: Duration,
}

impl Progress {
    /// Share that is done, 0 to 1.
    pub fn share(&self) -> f64 {
        (self.frames_done as f64 / self.frames_total.max(1) as f64).min(1.0)
    }

    /// Frames a second so far; 0 before the first.
    pub fn speed(&self) -> f64 {
        self.frames_done as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }

    /// Time left at that speed in seconds; `None` before the first frame.
    pub fn eta_seconds(&self) -> Option<f64> {
        let left = self.frames_total.saturating_sub(self.frames_done) as f64;
        (self.frames_done > 0).then(|| left / self.speed())
    }
}

/// What a run needs to know besides its source and evidence.
pub struct Controls<'a> {
    /// Called after every frame, from a thread of the run.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Asked before every frame.
    pub cancel: &'a CancelToken,
}

/// How frames are made ready for what follows.
pub(crate) struct Sizes<'a> {
    /// Where flow and fusion run.
    pub work: (usize, usize),
    /// The network, and what it is shown.
    network: Option<(&'a Segmenter, (usize, usize))>,
}

impl<'a> Sizes<'a> {
    /// For frames of that source.
    pub fn new(evidence: &Evidence<'a>, settings: &Settings, source: &Source) -> Self {
        let (width, height) = source.size();
        let network = match evidence {
            Evidence::Network(segmenter) => {
                Some((*segmenter, segmenter.input_size((width, height), settings.input_side)))
            }
            Evidence::Masks(_) | Evidence::Kept(_) => None,
        };
        Self { work: settings.work_size(width, height), network }
    }

    /// A frame of the source, made ready.
    pub fn of(&self, index: usize, frame: &Plane<Rgb>) -> Ready {
        let shown = self.network.map(|(segmenter, size)| segmenter.shown(frame, size));
        Ready { index, frame: resize::area_rgb(frame, self.work.0, self.work.1), shown }
    }
}

/// A frame that was made ready.
pub(crate) struct Ready {
    /// Its number in the clip, from 0.
    index: usize,
    /// At work size.
    frame: Plane<Rgb>,
    /// As the network sees it.
    shown: Option<Plane<Rgb>>,
}

/// A frame at work size with its probabilities.
pub(crate) struct Evident {
    /// Its number in the clip, from 0.
    pub index: usize,
    /// The frame.
    pub frame: Plane<Rgb>,
    /// Probabilities, one plane a class.
    pub planes: Vec<Plane<u8>>,
}

/// Runs the network over a clip and keeps its probabilities in `folder`, for [`stabilize`] to read as often as
/// wanted. Returns the number of frames, and what is wrong with the source although they could be read.
///
/// # Errors
/// Whatever is wrong with the settings, the source, the network or the folder; [`Error::Cancelled`].
pub fn segment(
    source: &Source,
    segmenter: &Segmenter,
    settings: &Settings,
    folder: &Path,
    controls: &Controls<'_>,
) -> Result<(usize, Option<String>)> {
    let start = Instant::now();
    settings.validate()?;
    let mut keeper = Keeper::create(folder)?;
    let keep = |evident: Receiver<Result<Evident>>| -> Result<usize> {
        let mut frames_done = 0;
        for item in evident {
            keeper.write(&item?.planes)?;
            frames_done += 1;
            let frames_total = source.frames().max(frames_done);
            (controls.progress)(Progress { frames_done, frames_total, elapsed: start.elapsed() });
        }
        keeper.finish(&settings.classes, &segmenter.info().name, &segmenter.device())?;
        Ok(frames_done)
    };
    let evidence = Evidence::Network(segmenter);
    let sizes = Sizes::new(&evidence, settings, source);
    let decode = |frames: &_| decode(source, &sizes, controls.cancel, frames);
    let (frames, front) = through_evidence(&evidence, settings, &sizes, decode, keep)?;
    Ok((frames, front.warning))
}

/// Makes the masks of a clip steady. Writes `masks/`, `raw/`, `overlay.mp4`, `metrics.json` and the formats of
/// `exports` into `folder`, which may exist: files of these names are replaced, others left alone. `auto` is what
/// [`propose`](crate::propose::propose) gave for these settings: its proposal is what runs, and `auto.svg` shows what
/// was tried.
///
/// # Errors
/// Whatever is wrong with the settings, the source, the evidence or the folder; [`Error::Cancelled`].
pub fn stabilize(
    source: &Source,
    evidence: &Evidence<'_>,
    settings: &Settings,
    auto: Option<Proposed>,
    folder: &Path,
    exports: &[Export],
    controls: &Controls<'_>,
) -> Result<Report<DeviceReport>> {
    let start = Instant::now();
    settings.validate()?;
    let (width, height) = source.size();
    let (auto, propose) = auto.map(|proposed| (proposed.proposal, proposed.seconds)).unzip();
    let settings = &auto.as_ref().map_or(settings, Proposal::settings).clone();
    let propose = propose.unwrap_or(0.0);
    let sizes = Sizes::new(evidence, settings, source);
    let (work_width, work_height) = sizes.work;
    let classes = evidence.classes(settings)?;
    let planes = classes.len();
    let mut writer = Writer::create(source, evidence.masks(), settings, folder)?;
    if !exports.is_empty() {
        writer.exporter = Some(Exporter::create(exports, folder, &classes, source)?);
    }

    let sink = |evident: Receiver<Result<Evident>>| {
        let mut stabilizer = Stabilizer::new(settings, work_width, work_height, planes)?;
        let mut clock = Clock::default();
        let (sender, finished) = sync_channel(QUEUE);
        std::thread::scope(|scope| {
            let written = scope.spawn(move || {
                for item in finished {
                    controls.cancel.check()?;
                    let frames_done = writer.write(item?)?;
                    let frames_total = source.frames().max(frames_done);
                    (controls.progress)(Progress { frames_done, frames_total, elapsed: start.elapsed() });
                }
                writer.finish()
            });
            let whole = steady(&mut stabilizer, evident, &sender, &mut clock);
            let summary = whole.and_then(|()| {
                let (rest, summary) = clock.time(|| stabilizer.finish());
                rest.into_iter().try_for_each(|frame| sender.send(Ok(frame)).ok())?;
                Some(summary)
            });
            drop(sender);
            let written = joined(written)?;
            // There is no summary only when the writer met an error, which the line above returns.
            Ok((summary.ok_or(Error::Cancelled)?, written, clock.seconds))
        })
    };
    let decode = |frames: &_| decode(source, &sizes, controls.cancel, frames);
    let ((summary, written, stabilize), front) = through_evidence(evidence, settings, &sizes, decode, sink)?;
    write_plot(folder, auto.as_ref())?;
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        input: source.name(),
        settings: settings.clone(),
        auto,
        threshold: settings.threshold(),
        model: evidence.model(),
        device: evidence.device(),
        width,
        height,
        work_width,
        work_height,
        fps: source.rate().as_f64(),
        summary,
        frames: written.metrics,
        timings: Timings {
            propose,
            decode: front.decode,
            segment: front.segment,
            stabilize,
            write: written.seconds,
            total: propose + start.elapsed().as_secs_f64(),
        },
        warnings: front.warning.into_iter().chain(written.warning).collect(),
    };
    let path = folder.join("metrics.json");
    let json = serde_json::to_vec_pretty(&report).map_err(|e| Error::io("write", &path)(e.into()))?;
    picture::write_whole(&path, &json)?;
    Ok(report)
}

/// What the first two stages have to tell when they are done.
pub(crate) struct Front {
    decode: f64,
    segment: f64,
    warning: Option<String>,
}

/// Lets `decode` read frames and make them ready in one thread, finds the evidence in this one, and lets `sink` take both in a
/// third. An error travels down the channels in place of a frame; nothing follows it.
pub(crate) fn through_evidence<T: Send>(
    evidence: &Evidence<'_>,
    settings: &Settings,
    sizes: &Sizes<'_>,
    decode: impl FnOnce(&SyncSender<Result<Ready>>) -> (f64, Option<String>) + Send,
    sink: impl FnOnce(Receiver<Result<Evident>>) -> Result<T> + Send,
) -> Result<(T, Front)> {
    std::thread::scope(|scope| {
        let (frame_sender, frames) = sync_channel(QUEUE);
        let (evident_sender, evident) = sync_channel(QUEUE);
        let decoding = scope.spawn(move || decode(&frame_sender));
        let sinking = scope.spawn(move || sink(evident));
        let mut clock = Clock::default();
        if let Err(e) = find_evidence(evidence, settings, sizes, frames, &evident_sender, &mut clock) {
            // When nobody listens any more, the sink has an error of its own.
            let _ = evident_sender.send(Err(e));
        }
        drop(evident_sender);
        let result = joined(sinking)?;
        let (decode, warning) = decoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let warning =
            warning.into_iter().chain(evidence.trouble()).reduce(|first, second| format!("{first}; {second}"));
        Ok((result, Front { decode, segment: clock.seconds, warning }))
    })
}

/// First stage: frames made ready. Ends early when nobody listens any more.
fn decode(
    source: &Source,
    sizes: &Sizes<'_>,
    cancel: &CancelToken,
    frames: &SyncSender<Result<Ready>>,
) -> (f64, Option<String>) {
    let mut clock = Clock::default();
    let mut numbers = 0..;
    let mut reader = match source.read() {
        Ok(reader) => reader,
        Err(e) => {
            let _ = frames.send(Err(e));
            return (0.0, None);
        }
    };
    loop {
        let frame = clock.time(|| {
            let frame = cancel.check().and_then(|()| reader.next().transpose());
            let mut number = || numbers.next().unwrap_or_default();
            frame.map(|frame| frame.map(|frame| sizes.of(number(), &frame))).transpose()
        });
        if frame.is_none_or(|frame| frames.send(frame).is_err()) {
            return (clock.seconds, reader.warning().map(Into::into));
        }
    }
}

/// Second stage: probabilities for each frame. The error it returns, or passes on, ends the clip.
fn find_evidence(
    evidence: &Evidence<'_>,
    settings: &Settings,
    sizes: &Sizes<'_>,
    frames: Receiver<Result<Ready>>,
    evident: &SyncSender<Result<Evident>>,
    clock: &mut Clock,
) -> Result<()> {
    // A closed channel means that the sink has stopped with an error of its own.
    let pass = |Ready { index, frame, .. }: Ready, planes| evident.send(Ok(Evident { index, frame, planes })).is_ok();
    let (width, height) = sizes.work;
    match evidence {
        Evidence::Network(segmenter) => {
            let ids = segmenter.class_ids(&settings.classes)?;
            loop {
                let batch = frames.iter().take(BATCH).collect::<Result<Vec<_>>>()?;
                if batch.is_empty() {
                    return Ok(());
                }
                let shown: Vec<_> = batch.iter().filter_map(|frame| frame.shown.as_ref()).collect();
                let planes =
                    clock.time(|| block_on(segmenter.segment_at(&shown, &ids, shown[0].size(), sizes.work)))?;
                if !batch.into_iter().zip(planes).all(|(frame, planes)| pass(frame, planes)) {
                    return Ok(());
                }
            }
        }
        Evidence::Masks(masks) => {
            let mut brought = masks.read(&masks.choose(&settings.classes)?)?;
            let mut next = 0;
            for frame in frames {
                let frame = frame?;
                let skip = frame.index - std::mem::replace(&mut next, frame.index + 1);
                let planes = clock.time(|| brought.nth(skip).transpose())?.unwrap_or_default();
                let planes = planes.iter().map(|plane| resize::resize(plane, width, height)).collect();
                if !pass(frame, planes) {
                    break;
                }
            }
            Ok(())
        }
        Evidence::Kept(kept) => {
            let chosen = kept.choose(&settings.classes)?;
            for frame in frames {
                let frame = frame?;
                let planes = clock.time(|| kept.read(frame.index))?;
                let planes = chosen.iter().map(|&class| resize::resize(&planes[class], width, height)).collect();
                if !pass(frame, planes) {
                    break;
                }
            }
            Ok(())
        }
    }
}

/// Third stage: steady probabilities. `None` when the clip ended in an error, here or elsewhere.
fn steady(
    stabilizer: &mut Stabilizer,
    evident: Receiver<Result<Evident>>,
    finished: &SyncSender<Result<Finished>>,
    clock: &mut Clock,
) -> Option<()> {
    for item in evident {
        match item.and_then(|Evident { frame, planes, .. }| Ok(clock.time(|| stabilizer.push(frame, planes))?)) {
            Ok(frames) => frames.into_iter().try_for_each(|frame| finished.send(Ok(frame)).ok())?,
            Err(e) => {
                // When nobody listens any more, the writer has an error of its own.
                let _ = finished.send(Err(e));
                return None;
            }
        }
    }
    Some(())
}

/// Last stage: files.
struct Writer<'a> {
    source: &'a Source,
    frames: crate::source::Frames<'a>,
    brought: Option<Planes<'a>>,
    /// Whether brought masks go out as they came, at full size: with no filter there is nothing to do at work size.
    as_brought: bool,
    exporter: Option<Exporter<'a>>,
    level: u8,
    folder: &'a Path,
    overlay: Encoder,
    metrics: Vec<FrameMetrics>,
    /// Largest probability met, to tell masks of 0 and 1 from masks of 0 and 255.
    highest: u8,
    clock: Clock,
}

/// What the last stage has to tell when it is done.
struct Written {
    metrics: Vec<FrameMetrics>,
    warning: Option<String>,
    seconds: f64,
}

impl<'a> Writer<'a> {
    fn create(source: &'a Source, brought: Option<&'a Masks>, settings: &Settings, folder: &'a Path) -> Result<Self> {
        for name in ["masks", "raw"] {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        }
        Ok(Self {
            source,
            frames: source.read()?,
            brought: brought.map(|masks| masks.read(&masks.choose(&settings.classes)?)).transpose()?,
            as_brought: settings.method == Method::None,
            exporter: None,
            level: settings.threshold_level(),
            folder,
            overlay: Encoder::create(&folder.join("overlay.mp4"), source.size(), source.rate())?,
            metrics: Vec::new(),
            highest: 0,
            clock: Clock::default(),
        })
    }

    /// Writes a frame's files; returns how many frames are written.
    fn write(&mut self, finished: Finished) -> Result<usize> {
        let start = Instant::now();
        let mut frame = self.frames.next().ok_or_else(|| Error::Damaged {
            name: self.source.name(),
            detail: format!("frame {} could be read once but not again", finished.index),
        })??;
        let size = frame.size();
        let mut brought = self.brought.as_mut().and_then(Iterator::next).transpose()?;
        let raw = union_of(brought.as_ref().unwrap_or(&finished.raw));
        self.highest = self.highest.max(raw.data().iter().copied().max().unwrap_or(0));
        let steady = if self.as_brought { brought.take() } else { None }.unwrap_or(finished.stabilized);
        // Masks that came larger than they were worked on keep their own fine edges.
        let (work_width, work_height) = steady[0].size();
        let finer = |plane: &Plane<u8>| plane.width() > work_width && plane.height() > work_height;
        let finer = brought
            .filter(|planes| planes.iter().all(finer))
            .map(|planes| planes.iter().map(|plane| resize::resize(plane, size.0, size.1)).collect::<Vec<_>>());
        let own = finer.as_ref().map(|full| Own { full, small: &finished.raw });
        let labels = full_labels(&steady, own, &frame, self.level);
        let mask = labels.map(|&label| if label > 0 { 255 } else { 0 });
        let name = format!("{}.png", self.source.stem(finished.index));
        picture::write_gray(&self.folder.join("masks").join(&name), &mask)?;
        picture::write_gray(&self.folder.join("raw").join(&name), &full_mask(&raw, size, RAW_LEVEL))?;
        if let Some(exporter) = &mut self.exporter {
            let probabilities = full_probabilities(&steady, own, size);
            let index = finished.index;
            exporter.write(&FrameMasks { index, labels: &labels, probabilities: &probabilities })?;
        }
        overlay::draw_mask(&mut frame, &mask, overlay::MASK_COLOR);
        self.overlay.write(&frame)?;
        self.metrics.push(finished.metrics);
        self.clock.seconds += start.elapsed().as_secs_f64();
        Ok(self.metrics.len())
    }

    fn finish(mut self) -> Result<Written> {
        self.clock.time(|| {
            self.exporter.map_or(Ok(()), Exporter::finish)?;
            self.overlay.finish()
        })?;
        let dim = self.brought.is_some() && (1..=RAW_LEVEL).contains(&self.highest);
        let warning = dim.then(|| {
            format!(
                "no mask has a value over {}: gray values stand for probabilities from 0 to 255, so that masks of 0 \
                 and 1 are all but empty",
                self.highest
            )
        });
        Ok(Written { metrics: self.metrics, warning, seconds: self.clock.seconds })
    }
}

/// Time spent inside [`Self::time`], in seconds.
#[derive(Default)]
struct Clock {
    seconds: f64,
}

impl Clock {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.seconds += start.elapsed().as_secs_f64();
        result
    }
}

/// A stage's result; its panic goes on in this thread.
fn joined<T>(stage: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    stage.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
