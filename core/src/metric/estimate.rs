//! What a mask is worth where there is no ground truth: an estimate, and the only score that may rank.

use serde::{Deserialize, Serialize};

use super::boundary::boundary;
use crate::{
    BitMask, Motion, Plane, Result, Rgb, filter::local_maximum, flow::warp, parallel, plane::check_frame_size,
    simd::vectorised,
};

/// Share of the evidence that lasts from one frame to the next.
const DECAY: f32 = 0.9;

/// Weight of a frame's evidence where nothing is seen nearby.
const LEAST_WEIGHT: f32 = 0.15;

/// How many times steeper than the frame's mean a picture edge is.
const STEEP: f32 = 2.0;

/// How good a mask is, as far as can be told without ground truth. An *estimate*.
///
/// It is made to tell two masks of one frame apart, and says little about the masks of different clips. What it gets
/// wrong: an object that the network sees in no frame is taken for background.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// `evidence · √alignment`, 0 to 1.
    pub score: f32,
    /// How well the mask agrees with what was seen in the *other* frames, those before it, carried here along the
    /// flow: soft intersection over union, 0 to 1. The frame's own probabilities have no part in it, so that a mask
    /// gains nothing by repeating them.
    pub evidence: f32,
    /// Share of the mask's contour that lies on edges of the picture, 0 to 1; 0 of no contour.
    pub alignment: f32,
}

/// Collects what a shot's frames say of each other, a frame at a time.
///
/// Each pixel has the evidence S of being in the mask and the weight W of that evidence. From frame to frame both are
/// carried along the flow and fade by [its trust](crate::flow::trust) times 0.9; then the frame's own probability joins
/// them. Its weight rises from 0.15 to 1 with the largest probability within an eighth of the frame's shorter side, for
/// networks lose whole objects more often than they invent them: a frame in which nothing is seen tells little.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    /// `[S, W]`, S in 0–255 times W.
    past: Option<Plane<[f32; 2]>>,
}

/// What the frames before say about one frame, and the edges of its picture. Any number of masks can be held against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// How much is known, and how much of it is for the mask: W / (W + 1) and its share S / W, in 255ths.
    known: Plane<[u8; 2]>,
    /// Sum of what is for the mask.
    support: u64,
    edges: BitMask,
}

impl Witness {
    /// Takes the next frame's raw probability (the union of the classes), the [edges](picture_edges) of its picture
    /// and the motion since the frame before; `None` begins a new shot, whose first frame has no evidence.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when the sizes differ.
    pub fn push(&mut self, raw: &Plane<u8>, edges: &BitMask, motion: Option<&Motion>) -> Result<Option<Evidence>> {
        let (expected_width, expected_height) = raw.size();
        let of_motion = motion.map(|motion| motion.backward.size());
        let of_past = self.past.as_ref().filter(|_| motion.is_some()).map(Plane::size);
        for size in [Some(edges.size()), of_motion, of_past].into_iter().flatten() {
            check_frame_size(0, size, raw.size())?;
        }
        let carried = self.past.take().zip(motion).map(|(past, motion)| {
            let mut carried = warp(&past, &motion.backward);
            let mut known = Plane::filled(expected_width, expected_height, [0; 2]);
            fade(carried.data_mut(), motion.backward_trust.data(), known.data_mut());
            let support = known.data().iter().map(|known| u64::from(known[1])).sum();
            (carried, Evidence { known, support, edges: edges.clone() })
        });
        let (carried, evidence) = carried.unzip();
        let mut past = carried.unwrap_or_else(|| Plane::filled(expected_width, expected_height, [0.0; 2]));
        let nearby = local_maximum(raw, expected_width.min(expected_height) / 8);
        join(past.data_mut(), raw.data(), nearby.data());
        self.past = Some(past);
        Ok(evidence)
    }
}

impl Evidence {
    /// What `mask` is worth on this frame.
    ///
    /// # Errors
    /// [`Error::FrameSize`](crate::Error::FrameSize) when it is of another size.
    pub fn estimate(&self, mask: &BitMask) -> Result<Estimate> {
        let contour = boundary(mask);
        let aligned = self.edges.intersection(&contour)?;
        let (mut inside, mut supported) = (0, 0);
        for (x, y) in mask.pixels() {
            let [known, support] = self.known.get(x, y);
            inside += u64::from(known);
            supported += u64::from(support);
        }
        let either = inside - supported + self.support;
        let evidence = if either == 0 { 1.0 } else { (supported as f64 / either as f64) as f32 };
        let alignment = aligned as f32 / contour.area().max(1) as f32;
        Ok(Estimate { score: evidence * alignment.sqrt(), evidence, alignment })
    }
}

/// The pixels next to which the picture is over twice as steep as it is on average: where contours of objects may run.
///
/// Steepness is the length of the gradient of red, green and blue, by central differences; next to is within a pixel,
/// corners included.
pub fn picture_edges(frame: &Plane<Rgb>) -> BitMask {
    let (width, height) = frame.size();
    let mut steepness = Plane::filled(width, height, 0.0);
    parallel::rows(&mut steepness, |y, row| {
        let here = frame.row(y);
        // The edge is repeated outside.
        let padded = [&here[..1], here, &here[width - 1..]].concat();
        let (left, right) = (&padded[..width], &padded[2..]);
        let (above, below) = (frame.row(y.saturating_sub(1)), frame.row((y + 1).min(height - 1)));
        let mut squares = vec![[0; 3]; width];
        squared_steps(squares.as_flattened_mut(), [left, right, above, below].map(<[Rgb]>::as_flattened));
        for (steepness, [red, green, blue]) in row.iter_mut().zip(squares) {
            *steepness = ((red + green + blue) as f32).sqrt();
        }
    });
    let mean = steepness.data().iter().map(|&value| f64::from(value)).sum::<f64>() / (width * height) as f64;
    let limit = STEEP * mean as f32;
    let steep = steepness.map(|&value| u8::from(value > limit));
    BitMask::from_threshold(&local_maximum(&steep, 1), 0)
}

vectorised! {
    /// (right − left)² + (below − above)², byte by byte.
    fn squared_steps(out: &mut [i32], neighbours: [&[u8]; 4]) {
        let [left, right, above, below] = neighbours.map(|row| &row[..out.len()]);
        for (i, out) in out.iter_mut().enumerate() {
            let (across, down) = (i32::from(right[i]) - i32::from(left[i]), i32::from(below[i]) - i32::from(above[i]));
            *out = across * across + down * down;
        }
    }
}

vectorised! {
    /// The frame's own probability joins the evidence, with the weight that what is seen nearby gives it.
    fn join(past: &mut [[f32; 2]], raw: &[u8], nearby: &[u8]) {
        for ((past, &p), &nearby) in past.iter_mut().zip(raw).zip(nearby) {
            let weight = LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) / 255.0 * f32::from(nearby);
            *past = [past[0] + weight * f32::from(p), past[1] + weight];
        }
    }

    /// Evidence fades, and is put into 255ths: [`Evidence::known`].
    fn fade(evidence: &mut [[f32; 2]], trust: &[f32], known: &mut [[u8; 2]]) {
        for ((evidence, &trust), known) in evidence.iter_mut().zip(trust).zip(known) {
            let [s, w] = evidence.map(|value| value * (DECAY * trust));
            *evidence = [s, w];
            // W is far over 0 wherever S is.
            *known = [255.0 * w / (w + 1.0), s / (w + 1.0)].map(|value| (value + 0.5) as u8);
        }
    }
}
