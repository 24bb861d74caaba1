//! Mask videos: the luma of a frame is its probability.

use std::path::{Path, PathBuf};

use steadymask_core::Plane;

use super::{Class, FrameMasks, Planes, Sink, file_names};
use crate::{
    Error, Result,
    error::name_of,
    source::{Source, stem_of},
    video::{Encoder, LumaDecoder, Video},
};

/// A video, or one for each class, of as many frames as the clip.
pub struct Videos(Vec<(PathBuf, Video)>);

impl Videos {
    /// The video of the only class.
    pub fn open(file: &Path, source: &Source) -> Result<(Self, Vec<Class>)> {
        Ok((Self(vec![probe(file, source)?]), Class::only()))
    }

    /// A video for each class, named as the class.
    pub fn open_by_class(files: &[PathBuf], source: &Source) -> Result<(Self, Vec<Class>)> {
        let videos = files.iter().map(|file| probe(file, source)).collect::<Result<Vec<_>>>()?;
        let size = videos[0].1.size();
        if let Some((_, video)) = videos.iter().find(|(_, video)| video.size() != size) {
            let ((width, height), (expected_width, expected_height)) = (video.size(), size);
            let frame = video.name.clone();
            return Err(Error::FrameSize { frame, width, height, expected_width, expected_height });
        }
        let class = |(place, file): (usize, &PathBuf)| Class::new(stem_of(file), place as u32 + 1, place);
        Ok((Self(videos), files.iter().enumerate().map(class).collect()))
    }

    pub fn read(&self, chosen: &[usize]) -> Result<Planes<'_>> {
        let open = |&class: &usize| LumaDecoder::open(&self.0[class].0, &self.0[class].1);
        let mut decoders = chosen.iter().map(open).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(std::iter::from_fn(move || {
            decoders.iter_mut().map(Iterator::next).collect::<Option<Result<Vec<Plane<u8>>>>>()
        })))
    }
}

fn probe(file: &Path, source: &Source) -> Result<(PathBuf, Video)> {
    let name = name_of(file);
    let video = Video::probe(file, &name).map_err(|e| match e {
        Error::NotVideo { name, detail } => {
            let detail =
                format!("it does not begin as JSON, NPY or NPZ, and is not a video that can be read: {detail}");
            Error::Masks { name, detail }
        }
        e => e,
    })?;
    let (frames, expected) = (video.times.len(), source.frames());
    if frames != expected {
        let detail = format!("it has {frames} frames; expected {expected}, as the clip has");
        return Err(Error::Masks { name, detail });
    }
    Ok((file.to_path_buf(), video))
}

/// A video, or one for each class.
pub struct VideoSink(Vec<Encoder>);

impl VideoSink {
    pub fn create(folder: &Path, classes: &[Class], source: &Source) -> Result<Self> {
        let files = if classes.len() == 1 {
            vec![folder.join("mask.mkv")]
        } else {
            let folder = folder.join("video");
            std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
            file_names(classes).iter().map(|name| folder.join(format!("{name}.mkv"))).collect()
        };
        let encoder = |file: &PathBuf| Encoder::create_gray(file, source.size(), source.rate());
        files.iter().map(encoder).collect::<Result<_>>().map(Self)
    }
}

impl Sink for VideoSink {
    fn write(&mut self, frame: &FrameMasks<'_>) -> Result<()> {
        self.0.iter_mut().zip(frame.probabilities).try_for_each(|(encoder, plane)| encoder.write_gray(plane))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.into_iter().try_for_each(Encoder::finish)
    }
}
