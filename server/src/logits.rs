//! A network's own numbers on disk, for anyone to check.

use std::{path::Path, sync::mpsc::sync_channel, time::Instant};

use npyz::WriterBuilder;
use steadymask_models::{FrameLogits, Segmenter, block_on};

use crate::{
    Error, Result, picture,
    run::{Controls, Progress},
    source::{Source, numbered},
};

/// Frames that may wait for the network.
const QUEUE: usize = 2;

/// Writes `NNNNN.npy` for each frame into `folder`, which is created where it is not there: 32-bit floats,
/// `[classes, height, width]` at the network's resolution.
///
/// Frames come to the network at their full size, one by one, so that memory depends on neither their number nor the
/// network's batch. Returns their number, and what is wrong with the source although its frames could be read.
///
/// # Errors
/// Whatever is wrong with the source, the network or the folder; [`Error::Cancelled`].
pub fn write(
    source: &Source,
    segmenter: &Segmenter,
    folder: &Path,
    controls: &Controls<'_>,
) -> Result<(usize, Option<String>)> {
    let start = Instant::now();
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    std::thread::scope(|scope| {
        let (sender, frames) = sync_channel(QUEUE);
        let reading = scope.spawn(move || match source.read() {
            Ok(mut reader) => {
                // Ends early when nobody listens any more.
                reader.by_ref().try_for_each(|frame| sender.send(frame).ok());
                reader.warning().map(String::from)
            }
            Err(e) => {
                drop(sender.send(Err(e)));
                None
            }
        });
        let mut frames_done = 0;
        for frame in frames {
            controls.cancel.check()?;
            let logits = block_on(segmenter.logits(&[&frame?]))?;
            for logits in &logits {
                let path = folder.join(format!("{}.npy", numbered(frames_done)));
                picture::write_whole(&path, &npy(logits).map_err(Error::io("write", &path))?)?;
            }
            frames_done += 1;
            let frames_total = source.frames().max(frames_done);
            (controls.progress)(Progress { frames_done, frames_total, elapsed: start.elapsed() });
        }
        Ok((frames_done, reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
    })
}

/// The bytes of a NumPy file.
fn npy(logits: &FrameLogits) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4 * logits.values.len() + 128);
    let shape = logits.shape.map(|side| side as u64);
    let mut writer = npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(logits.values.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}
