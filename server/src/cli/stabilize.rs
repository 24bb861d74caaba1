use std::{io::Write, path::PathBuf};

use anyhow::Context;
use steadymask_core::{
    All, LookAhead, Method, Report, Settings,
    auto::{MARGIN, Proposal, Reason},
    metric::SummaryMetrics,
};
use steadymask_models::DeviceReport;

use super::{
    model::ModelArgs,
    progress::{self, Meter},
};
use crate::{
    evidence::Evidence,
    masks::{Export, Masks},
    propose::propose,
    run::{self, Controls},
    source::Source,
    video,
};

/// Make the masks of a video, or of a folder of frames, steady.
#[derive(clap::Args)]
pub struct Args {
    /// A video, or a folder of PNG or JPEG frames, which are taken in the order of their names.
    input: PathBuf,
    /// Where `masks/`, `raw/`, `overlay.mp4` and `metrics.json` go; created where it is not there.
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,
    /// Classes to keep, for instance person,dog [default: all but the background].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    classes: Vec<String>,
    /// consensus, moving_average, median, exponential, uncertainty, hysteresis, none, or auto: tries them on a sample
    /// of the clip, tells the trade-off, and takes the best. Of the parameters below only those that all methods share
    /// count then.
    #[arg(long, default_value_t = Method::default().name().to_owned(), value_name = "NAME")]
    method: String,
    /// Frames in the window of moving_average and median: 3, 5, 7 or 9.
    #[arg(long, default_value_t = Settings::default().window_size, value_name = "FRAMES")]
    window_size: u32,
    /// Weight of the present frame in exponential: 0.1 to 0.9.
    #[arg(long, default_value_t = Settings::default().alpha)]
    alpha: f32,
    /// How much of the previous output an uncertain pixel takes in uncertainty: 0 to 1.
    #[arg(long, default_value_t = Settings::default().ratio)]
    ratio: f32,
    /// Probability over which a pixel enters the mask in hysteresis: 0.05 to 0.95.
    #[arg(long, default_value_t = Settings::default().high)]
    high: f32,
    /// Probability over which a pixel stays in the mask in hysteresis: 0.05 to that of --high.
    #[arg(long, default_value_t = Settings::default().low)]
    low: f32,
    /// Future frames that consensus uses: 0 to 64, or all (the whole clip then stays in memory).
    #[arg(long, default_value_t = Settings::default().look_ahead, value_parser = look_ahead, value_name = "FRAMES")]
    look_ahead: LookAhead,
    /// Share of the evidence that consensus carries from frame to frame: 0.5 to 1.
    #[arg(long, default_value_t = Settings::default().decay)]
    decay: f32,
    /// Colour difference, in levels of 255, at which consensus mistrusts the flow: 1 to 255.
    #[arg(long, default_value_t = Settings::default().color_sigma)]
    color_sigma: f32,
    /// Probability above which a pixel is in the mask: 0.05 to 0.95 [default: 0.5].
    #[arg(long)]
    threshold: Option<f32>,
    /// Short side in pixels at which flow and fusion run: 64 to 1080.
    #[arg(long, default_value_t = Settings::default().work_side, value_name = "PIXELS")]
    work_side: u32,
    /// Short side in pixels of what the network is shown: 64 to 1080, less is faster [default: the network's own].
    #[arg(long, value_name = "PIXELS", conflicts_with = "masks")]
    input_side: Option<u32>,
    /// Masks or probabilities in place of the network, of any size: a folder of PNG, named as the frames or, for a
    /// video, 00000.png, 00001.png … (gray, palette, or one colour a class); a folder of such folders, one a class;
    /// COCO or YouTube-VIS JSON with run lengths; NPY or NPZ; a mask video. See docs/formats.md.
    #[arg(long, value_name = "PATH", conflicts_with = "model")]
    masks: Option<PathBuf>,
    /// Formats to write beside `masks/`: png, palette, color, probability, coco, coco-results, youtube-vis, npz, video.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    export: Vec<Export>,
    #[command(flatten)]
    model: ModelArgs,
}

fn look_ahead(text: &str) -> Result<LookAhead, String> {
    match text {
        "all" => Ok(LookAhead::All(All::All)),
        _ => text.parse().map(LookAhead::Frames).map_err(|_| "expected 0 to 64, or all".into()),
    }
}

impl Args {
    fn settings(&self) -> steadymask_core::Result<Settings> {
        let settings = Settings {
            classes: self.classes.clone(),
            method: self.method.parse()?,
            window_size: self.window_size,
            alpha: self.alpha,
            ratio: self.ratio,
            high: self.high,
            low: self.low,
            look_ahead: self.look_ahead,
            decay: self.decay,
            color_sigma: self.color_sigma,
            threshold: self.threshold,
            work_side: self.work_side,
            input_side: self.input_side,
        };
        settings.validate()?;
        Ok(settings)
    }
}

/// Runs the command.
///
/// # Errors
/// As [`propose`] and [`run::stabilize`].
pub fn run(args: Args) -> anyhow::Result<()> {
    let settings = args.settings()?;
    video::require_tools()?;
    let source = Source::open(&args.input)?;
    let segmenter;
    let evidence = match &args.masks {
        Some(path) => Evidence::Masks(Masks::open(path, &source)?),
        None => {
            segmenter = args.model.open()?;
            Evidence::Network(&segmenter)
        }
    };
    let cancel = progress::cancel_on_interrupt()?;
    let meter = Meter::new(source.frames());
    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
    let auto = propose(&source, &evidence, &settings, &controls)?;
    if let Some(proposed) = &auto {
        meter.finish();
        std::io::stdout().write_all(trade_off(&proposed.proposal).as_bytes()).context("cannot print the trade-off")?;
    }
    let meter = Meter::new(source.frames());
    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
    let report = run::stabilize(&source, &evidence, &settings, auto, &args.out, &args.export, &controls)?;
    meter.finish();
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    std::io::stdout().write_all(summary(&report, &args.out).as_bytes()).context("cannot print the summary")
}

/// All that was tried, best first, and why the proposed one.
fn trade_off(proposal: &Proposal) -> String {
    let stretches = proposal.stretches.iter().map(|s| format!("{} to {}", s.first, s.first + s.frames - 1));
    let stretches = stretches.collect::<Vec<_>>().join(", ");
    let mut text = format!("methods tried on frames {stretches}\n");
    text += &format!(
        "  {:<38} {:>8} {:>12} {:>12} {:>10} {:>9}\n",
        "", "quality", "instability,", "instability,", "agreement", "ms/frame"
    );
    text +=
        &format!("  {:<38} {:>8} {:>12} {:>12} {:>10}\n", "", "estimate", "motion-comp.", "neighbours", "with input");
    let mut order: Vec<usize> = (0..proposal.candidates.len()).collect();
    order.sort_by(|&a, &b| proposal.candidates[b].score.total_cmp(&proposal.candidates[a].score));
    let percent = |share: Option<f32>| share.map_or("–".into(), |s| format!("{:.1} %", 100.0 * s));
    for index in order {
        let candidate = &proposal.candidates[index];
        text += &format!(
            "{} {:<38} {:>8.3} {:>12} {:>12} {:>10.3} {:>9.1}\n",
            if index == proposal.chosen { "▸" } else { " " },
            candidate.label(),
            candidate.score,
            percent(candidate.motion_compensated_instability),
            percent(candidate.instability),
            candidate.agreement,
            1000.0 * candidate.seconds_per_frame,
        );
    }
    let label = proposal.candidates[proposal.chosen].label();
    text + &match proposal.reason {
        Reason::HighestScore => format!("proposed: {label}: its estimate of quality is the highest\n"),
        Reason::DefaultWithinMargin => {
            format!("proposed: {label}: the default, and no estimate is higher by more than {MARGIN}\n")
        }
        Reason::NothingSeen => format!("proposed: {label}: the default, since the sample has no mask at all\n"),
    }
}

fn summary(report: &Report<DeviceReport>, out: &std::path::Path) -> String {
    let Report { summary, timings, .. } = report;
    let percent = |share: Option<f32>| share.map_or("–".into(), |s| format!("{:.1} %", 100.0 * s));
    let row = |name: &str, before: Option<f32>, after: Option<f32>| {
        format!("  {name:<34} {:>8} {:>8}\n", percent(before), percent(after))
    };
    let (before, after) = (&summary.before, &summary.after);
    let mut text = format!(
        "{} frames of {}×{} in {:.1} s ({:.1} frames/s), {}\n",
        summary.frames,
        report.width,
        report.height,
        timings.total,
        summary.frames as f64 / timings.total,
        report.settings.method.name(),
    );
    text += &format!("  {:<34} {:>8} {:>8}\n", "", "before", "after");
    let quality = |masks: &SummaryMetrics| masks.estimate.map(|estimate| estimate.score);
    text += &row("estimated quality", quality(before), quality(after));
    let compensated = (before.motion_compensated_instability, after.motion_compensated_instability);
    text += &row("instability, motion-compensated", compensated.0, compensated.1);
    text += &row("instability, neighbouring frames", before.instability, after.instability);
    text += &row("share of the frame", Some(before.area), Some(after.area));
    text + &format!("masks, raw masks, overlay and metrics are in {}\n", out.display())
}
