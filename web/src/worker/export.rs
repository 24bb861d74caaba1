use std::io::{Cursor, Write};

use js_sys::{Array, Uint8Array};
use steadymask_core::{Report, metric::Summary, overlay};
use web_sys::{Blob, BlobPropertyBag};
use zip::{CompressionMethod, ZipWriter, result::ZipResult, write::SimpleFileOptions};

use super::{Ending, Inbox, Network, Open, Run, gray, internal, post, run::Kept};
use crate::{
    engine::protocol::{Event, ExportKind, Failure, FailureCode},
    media::{Encoder, failure_of},
};

impl Open {
    /// Makes a file of the finished run.
    pub(super) async fn export(
        &self,
        kind: ExportKind,
        network: &Network,
        inbox: &mut Inbox,
    ) -> Result<Ending, Failure> {
        let finished = self.run.as_ref().and_then(|run| Some((run, run.summary.as_ref()?)));
        let (run, summary) = finished
            .ok_or_else(|| Failure::new(FailureCode::Order, "Stabilize the video before saving its results"))?;
        let (suffix, blob) = match kind {
            ExportKind::Masks => ("-masks.zip".into(), masks_zip(&run.frames, |kept| &kept.stabilized)?),
            ExportKind::RawMasks => ("-raw-masks.zip".into(), masks_zip(&run.frames, |kept| &kept.raw)?),
            ExportKind::Metrics => ("-metrics.json".into(), self.metrics(run, summary, network)?),
            ExportKind::Overlay => match self.overlay(run, inbox).await? {
                Some((extension, blob)) => (format!("-overlay.{extension}"), blob),
                None => return Ok(Ending::Cancelled),
            },
        };
        let file_name = format!("{}{suffix}", self.stem);
        Ok(Ending::Complete(Box::new(Event::Exported { kind, file_name, blob })))
    }

    fn metrics(&self, run: &Run, summary: &Summary, network: &Network) -> Result<Blob, Failure> {
        let (width, height) = run.size;
        let (work_width, work_height) = run.settings.work_size(width, height);
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            input: self.name.clone(),
            settings: run.settings.clone(),
            auto: run.auto.clone(),
            threshold: run.settings.threshold(),
            model: Some(network.segmenter.info().name.clone()),
            device: Some(network.device.clone()),
            width,
            height,
            work_width,
            work_height,
            fps: self.video.clip().fps,
            summary: summary.clone(),
            frames: run.metrics.clone(),
            timings: run.timings,
            warnings: run.warnings.clone(),
        };
        let json = serde_json::to_vec_pretty(&report).map_err(internal)?;
        blob_of(&json, "application/json")
    }

    /// Decodes the video again and draws the masks on it; ending of the file's name and content, `None` when
    /// cancelled.
    async fn overlay(&self, run: &Run, inbox: &mut Inbox) -> Result<Option<(String, Blob)>, Failure> {
        let encoder = Encoder::open(run.size.0, run.size.1).await?;
        let mut frames = self.video.frames();
        for (index, kept) in run.frames.iter().enumerate() {
            let decoded = frames.again(index).await?;
            let (timestamp, duration) = (decoded.timestamp_seconds, decoded.duration_seconds);
            let mut frame = decoded.into_rgb()?;
            overlay::draw_mask(&mut frame, &gray::read(&kept.stabilized).map_err(internal)?, overlay::MASK_COLOR);
            encoder.add(&frame, timestamp, duration).await?;
            let progress = (index + 1) as f64 / run.frames.len() as f64;
            post(&Event::Exporting { kind: ExportKind::Overlay, progress });
            if self.interrupted(inbox, Some(run)).await {
                encoder.cancel().await;
                return Ok(None);
            }
        }
        let extension = encoder.extension();
        Ok(Some((extension, encoder.finish().await?)))
    }
}

/// `00000.png`, `00001.png`, … without compression: PNG is compressed already.
fn masks_zip(frames: &[Kept], png: impl Fn(&Kept) -> &Vec<u8>) -> Result<Blob, Failure> {
    let write = || -> ZipResult<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (index, kept) in frames.iter().enumerate() {
            zip.start_file(format!("{index:05}.png"), options)?;
            zip.write_all(png(kept))?;
        }
        Ok(zip.finish()?.into_inner())
    };
    blob_of(&write().map_err(internal)?, "application/zip")
}

fn blob_of(bytes: &[u8], media_type: &str) -> Result<Blob, Failure> {
    let options = BlobPropertyBag::new();
    options.set_type(media_type);
    let parts = Array::of1(&Uint8Array::from(bytes));
    Blob::new_with_u8_array_sequence_and_options(&parts, &options).map_err(failure_of)
}
