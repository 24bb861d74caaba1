use std::collections::VecDeque;

use super::NEARBY;
use crate::{Plane, Rgb};

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
    /// Their sum.
    total: Vec<[u64; 2]>,
}

/// The number of a colour.
pub(super) fn bins(frame: &Plane<Rgb>) -> Plane<u16> {
    frame.map(|rgb| rgb.iter().fold(0, |bin, &value| bin * LEVELS as u16 + u16::from(value / (256 / LEVELS) as u8)))
}

impl Appearance {
    pub fn new() -> Self {
        Self { frames: VecDeque::new(), total: vec![[0; 2]; BINS] }
    }

    /// Takes a frame into the window: its colours, joint probabilities, and the largest of these nearby.
    pub fn push(&mut self, colors: &Plane<u16>, joint: &Plane<u8>, nearby: &Plane<u8>) {
        let mut counts = vec![[0; 2]; BINS];
        for ((&color, &joint), &nearby) in colors.data().iter().zip(joint.data()).zip(nearby.data()) {
            if nearby > NEARBY {
                let joint = u32::from(joint);
                let [class, ground] = &mut counts[usize::from(color)];
                *class += (joint * joint) >> 8;
                *ground += ((255 - joint) * (255 - joint)) >> 8;
            }
        }
        for (total, &[class, ground]) in self.total.iter_mut().zip(&counts) {
            *total = [total[0] + u64::from(class), total[1] + u64::from(ground)];
        }
        self.frames.push_back(counts);
    }

    /// Drops the oldest frame of the window.
    pub fn pop(&mut self) {
        for (total, [class, ground]) in self.total.iter_mut().zip(self.frames.pop_front().into_iter().flatten()) {
            *total = [total[0] - u64::from(class), total[1] - u64::from(ground)];
        }
    }

    /// For each colour √(g / c), where c and g are its shares among the colours of the class and of the ground.
    pub fn odds(&self) -> Vec<f32> {
        let mut shares: Vec<[f32; 2]> = self.total.iter().map(|total| total.map(|count| count as f32)).collect();
        for step in [1, LEVELS, LEVELS * LEVELS] {
            blur(&mut shares, step);
        }
        let sums: [u64; 2] = self.total.iter().fold([0; 2], |sum, total| [sum[0] + total[0], sum[1] + total[1]]);
        let sums = sums.map(|sum| sum as f32 + 1.0);
        let share = |count: f32, sum: f32| count / sum + UNSEEN;
        shares.iter().map(|&[class, ground]| (share(ground, sums[1]) / share(class, sums[0])).sqrt()).collect()
    }
}

/// Means with weights ¼, ½, ¼ of neighbours along one side of the cube of colours, its ends repeated.
fn blur(values: &mut [[f32; 2]], step: usize) {
    let source = values.to_vec();
    for (i, value) in values.iter_mut().enumerate() {
        let place = i / step % LEVELS;
        let before = source[if place > 0 { i - step } else { i }];
        let after = source[if place + 1 < LEVELS { i + step } else { i }];
        *value = [0, 1].map(|k| 0.25 * (before[k] + after[k]) + 0.5 * source[i][k]);
    }
}
