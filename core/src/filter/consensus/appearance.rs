use std::collections::VecDeque;

use super::NEARBY;
use crate::{Plane, Rgb, simd::vectorised};

/// Levels of each of red, green and blue that colours are told apart by.
const LEVELS: usize = 32;
const BINS: usize = LEVELS * LEVELS * LEVELS;
/// Share of a colour never seen, so that none is impossible.
const UNSEEN: f32 = 1e-4;

/// The colours of one class and of the ground next to it, counted over a window of frames.
///
/// A pixel of joint probability p counts p² for the class and (1 − p)² for the ground, where something is seen nearby.
/// Counts are whole numbers: their sums are the same in any order.
#[derive(Debug, Clone)]
pub(super) struct Appearance {
    /// The frames of the window, oldest first.
    frames: VecDeque<Vec<[u32; 2]>>,
    /// Their sum, in f64, which holds whole numbers to 2⁵³ and is quickly turned into f32.
    total: Vec<[f64; 2]>,
}

vectorised! {
    /// The numbers of colours.
    fn number(bins: &mut [u16], colors: &[Rgb]) {
        for (bin, rgb) in bins.iter_mut().zip(colors) {
            let level = |value: u8| u16::from(value / (256 / LEVELS) as u8);
            *bin = (level(rgb[0]) * LEVELS as u16 + level(rgb[1])) * LEVELS as u16 + level(rgb[2]);
        }
    }

    fn add(total: &mut [[f64; 2]], counts: &[[u32; 2]]) {
        for (total, count) in total.iter_mut().zip(counts) {
            *total = [total[0] + f64::from(count[0]), total[1] + f64::from(count[1])];
        }
    }

    fn subtract(total: &mut [[f64; 2]], counts: &[[u32; 2]]) {
        for (total, count) in total.iter_mut().zip(counts) {
            *total = [total[0] - f64::from(count[0]), total[1] - f64::from(count[1])];
        }
    }

    fn narrow(counts: &mut [[f32; 2]], total: &[[f64; 2]]) {
        for (count, total) in counts.iter_mut().zip(total) {
            *count = [total[0] as f32, total[1] as f32];
        }
    }

    /// √(g / c) of each colour from its blurred counts and the sums over all colours.
    fn divide(odds: &mut [f32], counts: &[[f32; 2]], sums: [f32; 2]) {
        for (odds, &[class, ground]) in odds.iter_mut().zip(counts) {
            *odds = ((ground / sums[1] + UNSEEN) / (class / sums[0] + UNSEEN)).sqrt();
        }
    }

    /// Means with weights ¼, ½, ¼ of neighbours along one side of the cube of colours, its ends repeated.
    fn blur(out: &mut [[f32; 2]], counts: &[[f32; 2]], step: usize) {
        let side = step * LEVELS;
        for (out, counts) in out.chunks_exact_mut(side).zip(counts.chunks_exact(side)) {
            let (head, tail) = (step, side - step);
            mix(&mut out[..head], [&counts[..head], &counts[..head], &counts[step..]]);
            mix(&mut out[head..tail], [counts, &counts[step..], &counts[2 * step..]]);
            mix(&mut out[tail..], [&counts[tail - step..], &counts[tail..], &counts[tail..]]);
        }
    }
}

#[inline(always)]
fn mix(out: &mut [[f32; 2]], [before, here, after]: [&[[f32; 2]]; 3]) {
    let length = out.len();
    let (before, here, after) = (&before[..length], &here[..length], &after[..length]);
    for i in 0..length {
        out[i] = [0, 1].map(|k| 0.25 * (before[i][k] + after[i][k]) + 0.5 * here[i][k]);
    }
}

/// The numbers of a frame's colours.
pub(super) fn bins(frame: &Plane<Rgb>) -> Plane<u16> {
    let mut bins = Plane::filled(frame.width(), frame.height(), 0);
    number(bins.data_mut(), frame.data());
    bins
}

/// The odds of a colour, by its number.
#[inline(always)]
pub(super) fn of(odds: &[f32; BINS], color: u16) -> f32 {
    odds[usize::from(color) % BINS]
}

impl Appearance {
    pub fn new() -> Self {
        Self { frames: VecDeque::new(), total: vec![[0.0; 2]; BINS] }
    }

    /// Takes a frame into the window: its colours, joint probabilities, and the largest of these nearby.
    pub fn push(&mut self, colors: &Plane<u16>, joint: &Plane<u8>, nearby: &Plane<u8>) {
        let mut counts = vec![[0; 2]; BINS];
        let bins: &mut [[u32; 2]; BINS] = counts.first_chunk_mut().expect("one for each colour");
        for ((&color, &joint), &nearby) in colors.data().iter().zip(joint.data()).zip(nearby.data()) {
            if nearby > NEARBY {
                let joint = u32::from(joint);
                let [class, ground] = &mut bins[usize::from(color) % BINS];
                *class += (joint * joint) >> 8;
                *ground += ((255 - joint) * (255 - joint)) >> 8;
            }
        }
        add(&mut self.total, &counts);
        self.frames.push_back(counts);
    }

    /// Drops the oldest frame of the window.
    pub fn pop(&mut self) {
        if let Some(counts) = self.frames.pop_front() {
            subtract(&mut self.total, &counts);
        }
    }

    /// The sums over the window.
    pub fn counts(&self) -> Counts {
        let sums: [f64; 2] = self.total.iter().fold([0.0; 2], |sum, total| [sum[0] + total[0], sum[1] + total[1]]);
        let mut counts = vec![[0.0; 2]; BINS];
        narrow(&mut counts, &self.total);
        Counts { counts, sums: sums.map(|sum| sum as f32 + 1.0) }
    }
}

/// The colours in a window of frames at one time.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    counts: Vec<[f32; 2]>,
    /// Their sums over all colours, and 1.
    sums: [f32; 2],
}

impl Counts {
    /// For each colour √(g / c), where c and g are its shares among the colours of the class and of the ground.
    pub fn odds(&self) -> Vec<f32> {
        let [mut here, mut there] = [0; 2].map(|_| vec![[0.0; 2]; BINS]);
        blur(&mut here, &self.counts, 1);
        blur(&mut there, &here, LEVELS);
        blur(&mut here, &there, LEVELS * LEVELS);
        let mut odds = vec![0.0; BINS];
        divide(&mut odds, &here, self.sums);
        odds
    }
}
