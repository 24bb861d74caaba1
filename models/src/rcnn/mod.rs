//! What Mask R-CNN does besides convolutions, on the processor, as torchvision does it when it infers, with its thresholds:
//! proposals from anchors, what is seen of each, classes and boxes, masks, and a plane of probabilities for each class.

mod boxes;
mod masks;
mod pooling;
#[cfg(test)]
mod tests;

use steadymask_core::{Plane, Rgb};

use crate::{
    Error, Result,
    cpu::{Engine, Map, Width, threads},
    input::{Normalization, taps},
    net::{
        Batch, Network,
        mask_rcnn::{ANCHORS, BOX_SIDE, CHANNELS, Heads, MASK_SIDE},
    },
    output::exp,
};
use boxes::{Area, Candidate};
use masks::Predictor;

/// Sides of what the body sees are multiples of this.
const DIVISOR: usize = 32;
/// Levels of the pyramid that proposals are seen on.
const LEVELS: usize = 4;

/// Proposals of a level before and of all levels after suppression, and how much two may overlap.
const PROPOSALS: usize = 1000;
const PROPOSAL_OVERLAP: f64 = 0.7;
/// Shortest side of a proposal.
const PROPOSAL_SIDE: f32 = 1e-3;

/// Least score of an object, how much two of one class may overlap, how many there are at most, the shortest side.
const SCORE: f32 = 0.05;
const OVERLAP: f64 = 0.5;
const OBJECTS: usize = 100;
const SIDE: f32 = 1e-2;
/// What the corrections of objects are divided by: of the centre, and of width and height.
const WEIGHTS: [f32; 2] = [10.0, 5.0];

/// A network that finds objects, ready to run.
#[derive(Debug)]
pub(crate) struct MaskRcnn {
    normalization: Normalization,
    /// Body, pyramid, and what is said of anchors.
    pyramid: Engine,
    /// Classes and boxes of proposals.
    boxes: Engine,
    /// Masks but for their last layer.
    masks: Engine,
    predictor: Predictor,
}

/// An object, where the network sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Object {
    pub(crate) class: usize,
    /// 0.05 to 1.
    pub(crate) score: f32,
    /// In pixels of the network's input.
    pub(crate) area: Area,
}

/// What the body and the pyramid make of a picture.
struct Seen {
    levels: Vec<Map>,
    /// What is said of the anchors of each level and one more.
    said: Vec<Map>,
    /// Width and height of the picture, without what fills it up to whole strides.
    size: (usize, usize),
    /// The same with it.
    filled: (usize, usize),
}

impl MaskRcnn {
    /// Lays out the weights for vectors of this width.
    pub(crate) fn new(network: &Network, heads: &Heads, width: Width) -> Self {
        Self {
            normalization: network.architecture.preparation.normalization,
            pyramid: Engine::new(network.graph(), width),
            boxes: Engine::new(&heads.boxes, width),
            masks: Engine::new(&heads.masks, width),
            predictor: Predictor::new(&heads.mask_logits),
        }
    }

    /// Probabilities of classes as `round(255·p)`, a plane of `size` for each of `class_ids`, of a frame that the network is
    /// shown at `input_size`. That of a class is the highest of score times mask among the objects of that class; that of
    /// the background, 0, is 1 less the highest of any. Empty `class_ids` give one plane: the highest of any.
    ///
    /// # Errors
    /// [`Error::Garbage`] when a number is not finite.
    pub(crate) fn segment(
        &self,
        frame: &Plane<Rgb>,
        class_ids: &[usize],
        input_size: (usize, usize),
        size: (usize, usize),
    ) -> Result<Vec<Plane<u8>>> {
        let seen = self.see(frame, input_size)?;
        let mut objects = self.objects(&seen, &self.proposals(&seen))?;
        let all = class_ids.is_empty() || class_ids.contains(&0);
        objects.retain(|object| all || class_ids.contains(&object.class));
        let masks = self.masks(&seen, &objects)?;
        self.let_go(seen);

        let mut highest = Plane::filled(size.0, size.1, 0u8);
        let mut planes = vec![highest.clone(); class_ids.len()];
        for (object, mask) in objects.iter().zip(&masks) {
            let area = object.area.scaled(input_size, size);
            let raise = |plane: &mut Plane<u8>| masks::raise(plane, mask, area, object.score);
            class_ids
                .iter()
                .zip(&mut planes)
                .filter(|(id, _)| **id == object.class)
                .for_each(|(_, plane)| raise(plane));
            if all {
                raise(&mut highest);
            }
        }
        if class_ids.is_empty() {
            return Ok(vec![highest]);
        }
        for (_, plane) in class_ids.iter().zip(&mut planes).filter(|(id, _)| **id == 0) {
            *plane = highest.map(|value| 255 - value);
        }
        Ok(planes)
    }

    /// Runs the body and the pyramid.
    fn see(&self, frame: &Plane<Rgb>, size: (usize, usize)) -> Result<Seen> {
        let input = self.pyramid.input(&filled(frame, size, self.normalization));
        let filled = (input.width, input.height);
        let mut levels = self.pyramid.run_on(input);
        let said = levels.split_off(LEVELS);
        said.iter().try_for_each(finite)?;
        Ok(Seen { levels, said, size, filled })
    }

    /// Gives the memory back.
    fn let_go(&self, seen: Seen) {
        seen.levels.into_iter().chain(seen.said).for_each(|map| self.pyramid.put_back(map));
    }

    /// Where objects may be, the most likely first.
    fn proposals(&self, seen: &Seen) -> Vec<Area> {
        let mut proposals = Vec::new();
        for (level, map) in seen.said.iter().enumerate() {
            let strides = (seen.filled.0 / map.width, seen.filled.1 / map.height);
            let anchors = boxes::anchors(level);
            let logits = (0..map.places()).flat_map(|place| map.at(place)[..ANCHORS].iter().copied());
            let candidates = boxes::greatest(logits, PROPOSALS).into_iter().filter_map(|(index, score)| {
                let (place, anchor) = (index / ANCHORS, index % ANCHORS);
                let (x, y) = (place % map.width * strides.0, place / map.width * strides.1);
                let corrections = map.at(place)[ANCHORS..].as_chunks().0[anchor];
                let area = anchors[anchor].moved(x as f32, y as f32).corrected(corrections, [1.0, 1.0]);
                let area = area.within(seen.size);
                area.is_at_least(PROPOSAL_SIDE).then_some(Candidate { class: level, score, area })
            });
            proposals.extend(boxes::suppressed(candidates.collect(), PROPOSAL_OVERLAP));
        }
        boxes::sort(&mut proposals);
        proposals.truncate(PROPOSALS);
        proposals.into_iter().map(|proposal| proposal.area).collect()
    }

    /// The objects among the proposals, the surest first.
    fn objects(&self, seen: &Seen, proposals: &[Area]) -> Result<Vec<Object>> {
        if proposals.is_empty() {
            return Ok(Vec::new());
        }
        let [logits, corrections] = self.judge(seen, proposals)?;
        let mut candidates = Vec::new();
        for (place, proposal) in proposals.iter().enumerate() {
            let logits = logits.at(place);
            let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = logits.iter().map(|logit| exp(logit - greatest)).sum();
            let corrections = corrections.at(place).as_chunks().0;
            for (class, (logit, &corrections)) in logits.iter().zip(corrections).enumerate().skip(1) {
                let score = exp(logit - greatest) / sum;
                if score > SCORE {
                    let area = proposal.corrected(corrections, WEIGHTS).within(seen.size);
                    candidates.extend(area.is_at_least(SIDE).then_some(Candidate { class, score, area }));
                }
            }
        }
        [logits, corrections].into_iter().for_each(|map| self.boxes.put_back(map));
        let mut objects = boxes::suppressed(candidates, OVERLAP);
        boxes::sort(&mut objects);
        objects.truncate(OBJECTS);
        Ok(objects.into_iter().map(|Candidate { class, score, area }| Object { class, score, area }).collect())
    }

    /// Logits of the classes, and corrections for each of them, of each proposal.
    fn judge(&self, seen: &Seen, proposals: &[Area]) -> Result<[Map; 2]> {
        let places = BOX_SIDE * BOX_SIDE;
        let mut input = self.boxes.map(proposals.len(), [1, 1], places * CHANNELS);
        let row = input.stride;
        threads::pieces(&mut input.data[..proposals.len() * row], row, |index, row| {
            pooling::pool(&seen.levels, proposals[index], BOX_SIDE, row, CHANNELS);
        });
        let mut outputs = self.boxes.run_on(input);
        outputs.iter().try_for_each(finite)?;
        let corrections = outputs.swap_remove(1);
        Ok([outputs.swap_remove(0), corrections])
    }

    /// The mask of each object: probabilities on its area.
    fn masks(&self, seen: &Seen, objects: &[Object]) -> Result<Vec<Plane<f32>>> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let mut input = self.masks.map(objects.len(), [MASK_SIDE; 2], CHANNELS);
        let stride = input.stride;
        let len = MASK_SIDE * MASK_SIDE * stride;
        threads::pieces(&mut input.data[..objects.len() * len], len, |index, to| {
            pooling::pool(&seen.levels, objects[index].area, MASK_SIDE, to, stride);
        });
        let features = self.masks.run_on(input).swap_remove(0);
        finite(&features)?;
        let masks =
            objects.iter().enumerate().map(|(index, object)| self.predictor.mask(&features, index, object.class));
        let masks = masks.collect();
        self.masks.put_back(features);
        Ok(masks)
    }
}

/// The frame as a picture of `size`, interpolated bilinearly without antialiasing after its colours are normalized, and
/// filled up with zeros to whole strides.
fn filled(frame: &Plane<Rgb>, (width, height): (usize, usize), normalization: Normalization) -> Batch {
    let [full_width, full_height] = [width, height].map(|side| side.next_multiple_of(DIVISOR));
    let (columns, rows) = (taps(frame.width(), width), taps(frame.height(), height));
    let mut values = vec![0.0; 3 * full_width * full_height];
    for (c, (table, plane)) in
        normalization.table().iter().zip(values.chunks_exact_mut(full_width * full_height)).enumerate()
    {
        for (&(above, below, down), to) in rows.iter().zip(plane.chunks_exact_mut(full_width)) {
            let [above, below] = [above, below].map(|y| frame.row(y));
            let value = |pixel: Rgb| table[usize::from(pixel[c])];
            for (&(left, right, along), to) in columns.iter().zip(to) {
                let mix = |row: &[Rgb]| value(row[left]) * (1.0 - along) + value(row[right]) * along;
                *to = mix(above) * (1.0 - down) + mix(below) * down;
            }
        }
    }
    Batch { values, shape: [1, 3, full_height, full_width] }
}

/// Checks that a map holds numbers only.
fn finite(map: &Map) -> Result<()> {
    let values = || (0..map.places()).flat_map(|place| map.at(place));
    match values().filter(|value| !value.is_finite()).count() {
        0 => Ok(()),
        count => Err(Error::Garbage { device: "cpu".into(), count, total: values().count() }),
    }
}
