use std::{io::Read, path::Path};

use serde::Deserialize;
use steadymask_core::{ColorMatrix, ColorRange, Rotation};

use super::child::{Tool, gist, input};
use crate::{Error, Result};

/// A frame rate as a fraction, in frames a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Numerator, over 0.
    pub num: u32,
    /// Denominator, over 0.
    pub den: u32,
}

impl Rate {
    /// Taken where a source has no rate of its own.
    pub const DEFAULT: Self = Self { num: 25, den: 1 };

    /// `"30000/1001"`, `None` when either part is 0 or no number.
    fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once('/')?;
        let rate = Self { num: num.parse().ok()?, den: den.parse().ok()? };
        (rate.num > 0 && rate.den > 0).then_some(rate)
    }

    /// Frames a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

/// What a file says of its first video track.
#[derive(Debug, Clone)]
pub struct Video {
    /// What messages call it.
    pub name: String,
    /// Width as coded, before rotation, in pixels.
    pub coded_width: usize,
    /// Height as coded, before rotation, in pixels.
    pub coded_height: usize,
    /// How the decoded picture must be turned.
    pub rotation: Rotation,
    /// Its colour matrix, guessed from the coded height where it names none.
    pub matrix: ColorMatrix,
    /// Its levels.
    pub range: ColorRange,
    /// Mean frame rate.
    pub rate: Rate,
    /// In seconds; from the frames and their rate where the file does not say.
    pub duration: f64,
    /// When each frame is shown, in seconds, ascending: one entry a packet, which is one a frame in all but rare files.
    pub times: Vec<f64>,
    /// Whether the container has an index, so that a seek always finds the key frame before a time.
    pub indexed: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    packets: Vec<Packet>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    codec_type: String,
    #[serde(default)]
    width: usize,
    #[serde(default)]
    height: usize,
    #[serde(default)]
    pix_fmt: String,
    #[serde(default)]
    color_space: String,
    #[serde(default)]
    color_range: String,
    #[serde(default)]
    avg_frame_rate: String,
    #[serde(default)]
    r_frame_rate: String,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    /// Degrees counterclockwise.
    rotation: Option<f64>,
}

#[derive(Deserialize)]
struct Packet {
    pts_time: Option<String>,
    #[serde(default)]
    flags: String,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(default)]
    format_name: String,
    duration: Option<String>,
}

impl Video {
    /// Asks ffprobe about `path`, which messages call `name`. Reads every packet's time but decodes nothing.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened, [`Error::ToolMissing`], [`Error::NotVideo`],
    /// [`Error::NoPictures`], [`Error::Damaged`], [`Error::NoFrames`], [`Error::Rotation`], and
    /// [`steadymask_core::Error::Size`].
    pub fn probe(path: &Path, name: &str) -> Result<Self> {
        let name = name.to_owned();
        let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
        // A pipe would be used up by the first look at it.
        if !metadata.is_file() || metadata.len() == 0 {
            let what = if metadata.is_file() { "the file is empty" } else { "it is not a regular file" };
            return Err(Error::NotVideo { name, detail: what.into() });
        }
        std::fs::File::open(path).map_err(Error::io("read", path))?;
        let answer = ask(
            path,
            &name,
            Some("V:0"),
            "format=format_name,duration:stream=codec_type,width,height,pix_fmt,color_space,color_range,avg_frame_rate,\
             r_frame_rate:stream_side_data=rotation:packet=pts_time,flags",
        )?;
        let Some(stream) = answer.streams.first() else {
            let tracks = ask(path, &name, None, "stream=codec_type")?.streams;
            let mut kinds: Vec<_> = tracks.into_iter().map(|s| s.codec_type).collect();
            kinds.sort();
            kinds.dedup();
            // A container whose tracks never began.
            return Err(match kinds.is_empty() {
                true => Error::NoFrames { name },
                false => Error::NoPictures { name, tracks: kinds.join(" and ") },
            });
        };
        // Packets flagged `D` lie outside the edit list and are not shown.
        let shown = answer.packets.iter().filter(|p| !p.flags.contains('D'));
        let mut times: Vec<f64> =
            shown.map(|p| p.pts_time.as_deref().and_then(|t| t.parse().ok()).unwrap_or(f64::INFINITY)).collect();
        times.sort_by(f64::total_cmp);
        if times.is_empty() {
            return Err(Error::NoFrames { name });
        }
        // ffprobe knows no size when it could not decode a single frame.
        if stream.width == 0 || stream.height == 0 {
            return Err(Error::Damaged { name, detail: "its picture size cannot be found".into() });
        }
        let max = steadymask_core::Plane::<u8>::MAX_SIDE;
        if stream.width.max(stream.height) > max {
            return Err(steadymask_core::Error::Size { width: stream.width, height: stream.height }.into());
        }
        let rate = [&stream.avg_frame_rate, &stream.r_frame_rate].into_iter().find_map(|r| Rate::parse(r));
        let rate = rate.unwrap_or(Rate::DEFAULT);
        let duration = answer.format.duration.as_deref().and_then(|d| d.parse().ok()).filter(|&d: &f64| d > 0.0);
        let degrees = -stream.side_data_list.iter().find_map(|s| s.rotation).unwrap_or(0.0).round() as i32;
        // The old full-range formats say so in their name only.
        let full = stream.color_range == "pc" || stream.pix_fmt.starts_with("yuvj");
        Ok(Self {
            coded_width: stream.width,
            coded_height: stream.height,
            rotation: Rotation::from_degrees(degrees).ok_or_else(|| Error::Rotation { name: name.clone(), degrees })?,
            matrix: ColorMatrix::from_name(&stream.color_space, stream.height),
            range: if full { ColorRange::Full } else { ColorRange::Limited },
            rate,
            duration: duration.unwrap_or(times.len() as f64 / rate.as_f64()),
            indexed: ["mov,mp4", "matroska"].iter().any(|known| answer.format.format_name.starts_with(known)),
            times,
            name,
        })
    }

    /// Width and height as shown, in pixels.
    pub fn size(&self) -> (usize, usize) {
        match self.rotation {
            Rotation::None | Rotation::Half => (self.coded_width, self.coded_height),
            Rotation::Clockwise90 | Rotation::Clockwise270 => (self.coded_height, self.coded_width),
        }
    }
}

/// The first frame whose coded size is not `size`: `(index, width, height)`. Decodes the file up to there.
pub fn find_other_size(path: &Path, size: (usize, usize)) -> Option<(usize, usize, usize)> {
    let mut arguments: Vec<_> =
        ["-v", "quiet", "-select_streams", "V:0", "-show_entries", "frame=width,height", "-of", "csv=p=0"]
            .map(Into::into)
            .into();
    arguments.extend(input(path));
    let mut tool = Tool::spawn("ffprobe", &arguments).ok()?;
    let lines = std::io::BufRead::lines(std::io::BufReader::new(tool.stdout()));
    // Side data of a frame makes lines without numbers.
    let sizes = lines.map_while(|line| line.ok()).filter_map(|line| {
        let mut parts = line.split(',');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    });
    sizes.enumerate().find(|&(_, s)| s != size).map(|(index, (width, height))| (index, width, height))
}

fn ask(path: &Path, name: &str, stream: Option<&str>, entries: &str) -> Result<Answer> {
    let mut arguments: Vec<_> = ["-v", "error", "-of", "json", "-show_entries", entries].map(Into::into).into();
    if let Some(stream) = stream {
        arguments.extend(["-select_streams".into(), stream.into()]);
    }
    arguments.extend(input(path));
    let mut tool = Tool::spawn("ffprobe", &arguments)?;
    let mut json = Vec::new();
    tool.stdout().read_to_end(&mut json).map_err(Error::io("read", path))?;
    let (status, said) = tool.wait();
    let (name, detail) = (name.to_owned(), gist(&said, path));
    if !status.is_some_and(|s| s.success()) {
        // A container that begins as one and then ends.
        let cut = said.contains("End of file") || said.contains("moov atom not found") && begins_as_mp4(path);
        return Err(if cut { Error::Damaged { name, detail } } else { Error::NotVideo { name, detail } });
    }
    serde_json::from_slice(&json).map_err(|e| Error::NotVideo { name, detail: e.to_string() })
}

fn begins_as_mp4(path: &Path) -> bool {
    let mut start = [0; 8];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start.ends_with(b"ftyp")
}
