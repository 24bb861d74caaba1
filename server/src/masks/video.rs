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

/// A file and what ffprobe says of it.
pub type MaskVideo = (PathBuf, Video);

/// A video, or one for each class, of as many frames as the clip.
pub struct Videos(Vec<MaskVideo>);

impl Videos {
    /// The video of the only class.
    pub fn of(video: &MaskVideo, source: &Source) -> Result<(Self, Vec<Class>)> {
        check_frames(video, source)?;
        Ok((Self(vec![video.clone()]), Class::only()))
    }

    /// A video for each class, named as the class.
    pub fn by_class(videos: &[MaskVideo], source: &Source) -> Result<(Self, Vec<Class>)> {
        videos.iter().try_for_each(|video| check_frames(video, source))?;
        let size = videos[0].1.size();
        if let Some((_, video)) = videos.iter().find(|(_, video)| video.size() != size) {
            let ((width, height), (expected_width, expected_height)) = (video.size(), size);
            let frame = video.name.clone();
            return Err(Error::FrameSize { frame, width, height, expected_width, expected_height });
        }
        let class = |(place, (file, _)): (usize, &MaskVideo)| Class::new(stem_of(file), place as u32 + 1, place);
        Ok((Self(videos.to_vec()), videos.iter().enumerate().map(class).collect()))
    }

    pub fn read(&self, chosen: &[usize]) -> Result<Planes<'_>> {
        let open = |&class: &usize| LumaDecoder::open(&self.0[class].0, &self.0[class].1);
        let mut decoders = chosen.iter().map(open).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(std::iter::from_fn(move || {
            decoders.iter_mut().map(Iterator::next).collect::<Option<Result<Vec<Plane<u8>>>>>()
        })))
    }
}

/// Looks at a file that can be nothing but a video.
pub fn probe(file: &Path) -> Result<MaskVideo> {
    let video = Video::probe(file, &name_of(file)).map_err(|e| match e {
        Error::NotVideo { name, detail } => {
            let detail =
                format!("it does not begin as JSON, NPY or NPZ, and is not a video that can be read: {detail}");
            Error::Masks { name, detail }
        }
        e => e,
    })?;
    Ok((file.to_path_buf(), video))
}

fn check_frames((_, video): &MaskVideo, source: &Source) -> Result<()> {
    let (frames, expected) = (video.times.len(), source.frames());
    if frames == expected {
        return Ok(());
    }
    let detail = format!("it has {frames} frames; expected {expected}, as the clip has");
    Err(Error::Masks { name: video.name.clone(), detail })
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
