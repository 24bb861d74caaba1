use std::sync::Arc;

use super::{TemporalFilter, window::Window};
use crate::{Motion, Plane};

/// Mean of a centred window, rounded half up.
#[derive(Debug, Clone)]
pub struct MovingAverage(Window);

impl MovingAverage {
    /// A window of `size` frames, odd.
    pub fn new(size: usize) -> Self {
        Self(Window::new(size))
    }
}

impl TemporalFilter for MovingAverage {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        self.0.push(planes, mean)
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        self.0.finish(mean)
    }
}

fn mean(rows: &[&[u8]], out: &mut [u8]) {
    let count = rows.len() as u32;
    for (x, out) in out.iter_mut().enumerate() {
        let sum: u32 = rows.iter().map(|row| u32::from(row[x])).sum();
        *out = ((sum + count / 2) / count) as u8;
    }
}
