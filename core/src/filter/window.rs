use std::collections::VecDeque;

use crate::Plane;

/// The frames of a centred window, cut (not padded) at both ends of the shot.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Frames on each side of the centre.
    radius: usize,
    frames: VecDeque<Vec<Plane<u8>>>,
    /// Index in `frames` of the next centre.
    centre: usize,
}

impl Window {
    /// A window of `size` frames, odd.
    pub fn new(size: usize) -> Self {
        Self { radius: size / 2, frames: VecDeque::with_capacity(size), centre: 0 }
    }

    /// Takes a frame; `reduce` makes one plane's pixels out of those of the window's frames.
    pub fn push(&mut self, planes: &[Plane<u8>], reduce: impl Fn(&[&[u8]], &mut [u8])) -> Option<Vec<Plane<u8>>> {
        self.frames.push_back(planes.to_vec());
        (self.frames.len() > self.centre + self.radius).then(|| self.advance(reduce))
    }

    /// The frames still held back; the window is then empty.
    pub fn finish(&mut self, reduce: impl Fn(&[&[u8]], &mut [u8])) -> Vec<Vec<Plane<u8>>> {
        let mut rest = Vec::new();
        while self.centre < self.frames.len() {
            rest.push(self.advance(&reduce));
        }
        self.frames.clear();
        self.centre = 0;
        rest
    }

    fn advance(&mut self, reduce: impl Fn(&[&[u8]], &mut [u8])) -> Vec<Plane<u8>> {
        let reduced = self.frames[self.centre].iter().enumerate().map(|(class, centre)| {
            let frames: Vec<&[u8]> = self.frames.iter().map(|frame| frame[class].data()).collect();
            let mut plane = Plane::filled(centre.width(), centre.height(), 0);
            reduce(&frames, plane.data_mut());
            plane
        });
        let reduced = reduced.collect();
        if self.centre == self.radius {
            self.frames.pop_front();
        } else {
            self.centre += 1;
        }
        reduced
    }
}
