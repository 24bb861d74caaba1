//! One sequence: everything that is needed to score it, and the scores.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, ensure};
use rayon::prelude::*;
use steadymask_core::{
    BitMask, Motion, Plane, RAW_LEVEL, Rgb, Settings, filter, full_mask,
    metric::{Evidence, Witness},
    resize, union_of,
    upsample::full_labels,
};
use steadymask_models::{Segmenter, block_on};
use steadymask_server::{
    evaluate::{ClipScores, Follower, Seen, SubjectScores, Track},
    picture,
};

use crate::{DEFAULT, Masks, Row};

/// Where raw probabilities come from.
pub struct Net<'a> {
    /// What it is called.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    segmenter: Option<&'a Segmenter>,
}

/// The networks whose masks are scored.
pub fn nets(segmenter: &Segmenter) -> [Net<'_>; 3] {
    let brought = |name, about| Net { name, about, segmenter: None };
    [
        brought("net-a", "DeepLabV3 on a half-width MobileNetV2, 257×257: soft, one probability for all classes"),
        brought("net-b", "DeepLabV3 on MobileNetV2, 513×513: larger, and its masks come hard, black or white"),
        Net {
            name: "embedded",
            about: "the network inside the program, run on the frames for this table: soft, one probability a class",
            segmenter: Some(segmenter),
        },
    ]
}

/// A sequence on disk.
pub struct Sequence {
    /// Its name.
    pub name: String,
    folder: PathBuf,
    stems: Vec<String>,
    classes: Vec<String>,
}

/// Masks that pictures are made of, a mask a frame.
pub struct Kept {
    /// Name of the sequence.
    pub sequence: String,
    /// Name of the network.
    pub net: &'static str,
    /// The network's own.
    pub raw: Vec<BitMask>,
    /// Made steady with the default settings.
    pub steady: Vec<BitMask>,
}

impl Sequence {
    /// The sequences of `data`, by name, with the classes of its `classes.json`.
    pub fn all(data: &Path) -> anyhow::Result<Vec<Self>> {
        let path = data.join("classes.json");
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let classes: BTreeMap<String, Vec<String>> = serde_json::from_slice(&text).context("classes.json")?;
        let open = |(name, classes): (String, Vec<String>)| {
            let folder = data.join(&name);
            let files = picture::files_in(&folder.join("truth"), &["png"])?;
            let stem = |file: &PathBuf| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let stems: Vec<_> = files.iter().map(stem).collect();
            ensure!(!stems.is_empty(), "{} holds no truth", folder.display());
            Ok(Self { name, folder, stems, classes })
        };
        classes.into_iter().map(open).collect()
    }

    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.stems.len()
    }

    /// Frame `index` at its full size.
    pub fn frame(&self, index: usize) -> anyhow::Result<Plane<Rgb>> {
        Ok(picture::read_rgb(&self.folder.join("frames").join(format!("{}.jpg", self.stems[index])))?)
    }

    /// The ground truth of frame `index`.
    pub fn truth(&self, index: usize) -> anyhow::Result<BitMask> {
        let file = self.folder.join("truth").join(format!("{}.png", self.stems[index]));
        Ok(BitMask::from_threshold(&picture::read_mask(&file)?, RAW_LEVEL))
    }

    /// Scores of all rows, an entry a network, and the masks for pictures.
    pub fn score(&self, nets: &[Net<'_>], rows: &[Row]) -> anyhow::Result<(Vec<ClipScores>, Vec<Kept>)> {
        let frames = (0..self.frames()).map(|index| self.frame(index)).collect::<anyhow::Result<Vec<_>>>()?;
        let truth = (0..self.frames()).map(|index| self.truth(index)).collect::<anyhow::Result<Vec<_>>>()?;
        let (width, height) = truth[0].size();
        let (work_width, work_height) = Settings::default().work_size(frames[0].width(), frames[0].height());
        let small: Vec<_> = frames.iter().map(|frame| resize::area_rgb(frame, work_width, work_height)).collect();
        let mut follower = Follower::default();
        let seen: Vec<_> = small.iter().map(|frame| follower.push(frame.clone())).collect();

        let mut scores = Vec::new();
        let mut kept = Vec::new();
        for net in nets {
            let raw = self.raw(net, &frames, (work_width, work_height))?;
            let mut witness = Witness::default();
            let evidence = seen.iter().zip(&raw).map(|(seen, planes)| seen.evidence(&mut witness, &union_of(planes)));
            let evidence = evidence.collect::<Result<Vec<_>, _>>()?;
            let shown =
                Shown { frames: &frames, small: &small, truth: &truth, seen: &seen, raw: &raw, evidence: &evidence };
            let scored = rows.par_iter().map(|row| shown.score(&row.masks)).collect::<anyhow::Result<Vec<_>>>()?;
            let (subjects, mut masks): (Vec<_>, Vec<_>) = scored.into_iter().unzip();
            let mut take = |name: &str| {
                let found = rows.iter().position(|row| row.name == name);
                found.map(|row| std::mem::take(&mut masks[row])).unwrap_or_default()
            };
            let (raw, steady) = (take(steadymask_server::evaluate::RAW), take(DEFAULT));
            kept.push(Kept { sequence: self.name.clone(), net: net.name, raw, steady });
            scores.push(ClipScores { name: self.name.clone(), width, height, stems: self.stems.clone(), subjects });
        }
        Ok((scores, kept))
    }

    /// A network's probabilities at work size, a plane a class.
    fn raw(&self, net: &Net<'_>, frames: &[Plane<Rgb>], size: (usize, usize)) -> anyhow::Result<Vec<Vec<Plane<u8>>>> {
        const BATCH: usize = 4;
        let Some(segmenter) = net.segmenter else {
            let read = |stem: &String| {
                let plane = picture::read_mask(&self.folder.join(net.name).join(format!("{stem}.png")))?;
                Ok(vec![resize::resize(&plane, size.0, size.1)])
            };
            return self.stems.iter().map(read).collect();
        };
        let ids = segmenter.class_ids(&self.classes)?;
        let mut planes = Vec::new();
        for batch in frames.chunks(BATCH) {
            let input_size = segmenter.input_size(batch[0].size(), None);
            let batch = batch.iter().collect::<Vec<_>>();
            planes.extend(block_on(segmenter.segment_at(&batch, &ids, input_size, size))?);
        }
        Ok(planes)
    }
}

/// What all rows share.
struct Shown<'a> {
    frames: &'a [Plane<Rgb>],
    /// The frames at work size.
    small: &'a [Plane<Rgb>],
    truth: &'a [BitMask],
    seen: &'a [Seen],
    raw: &'a [Vec<Plane<u8>>],
    evidence: &'a [Option<Evidence>],
}

impl Shown<'_> {
    fn score(&self, masks: &Masks) -> anyhow::Result<(SubjectScores, Vec<BitMask>)> {
        let masks = self.masks(masks);
        let mut track = Track::default();
        for (index, mask) in masks.iter().enumerate() {
            let step = self.seen[index].step(self.evidence[index].as_ref());
            track.push(mask.clone(), self.truth[index].clone(), step)?;
        }
        Ok((track.into(), masks))
    }

    /// The masks at the frames' size.
    fn masks(&self, masks: &Masks) -> Vec<BitMask> {
        let over = |plane: &Plane<u8>| BitMask::from_threshold(plane, 0);
        let size = self.frames[0].size();
        let enlarged = |planes: &[Plane<u8>], level: u8| over(&full_mask(&union_of(planes), size, level));
        match masks {
            Masks::Raw => self.raw.iter().map(|planes| enlarged(planes, RAW_LEVEL)).collect(),
            Masks::Frozen => vec![enlarged(&self.raw[0], RAW_LEVEL); self.raw.len()],
            Masks::Empty => vec![BitMask::empty(size.0, size.1); self.raw.len()],
            Masks::Truth => self.truth.to_vec(),
            Masks::Enlarged(settings) => {
                self.fused(settings).iter().map(|planes| enlarged(planes, settings.threshold_level())).collect()
            }
            Masks::Product(settings) => {
                let fused = self.fused(settings);
                let level = settings.threshold_level();
                fused
                    .iter()
                    .zip(self.frames)
                    .map(|(planes, frame)| over(&full_labels(planes, None, frame, level)))
                    .collect()
            }
        }
    }

    /// The filter's probabilities at work size.
    fn fused(&self, settings: &Settings) -> Vec<Vec<Plane<u8>>> {
        let mut filter = filter::from_settings(settings, 0).expect("a row of the table is a filter");
        let mut fused = Vec::new();
        for (index, (planes, seen)) in self.raw.iter().zip(self.seen).enumerate() {
            filter.show(&self.small[index]);
            if index > 0 && seen.motion.is_none() {
                fused.extend(filter.finish());
            }
            let motion: Option<&Arc<Motion>> = seen.motion.as_ref();
            fused.extend(filter.push(planes, motion));
        }
        fused.extend(filter.finish());
        fused
    }
}
