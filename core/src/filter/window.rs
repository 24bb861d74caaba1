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
    /// A frame that left the window: its memory is that of the next one to come. Fresh pages cost more than what is
    /// done with them.
    spare: Option<Vec<Plane<u8>>>,
}

impl Window {
    /// A window of `size` frames, odd.
    pub fn new(size: usize) -> Self {
        Self { radius: size / 2, frames: VecDeque::with_capacity(size), centre: 0, spare: None }
    }

    /// Takes a frame; `reduce` makes one plane's pixels out of those of the window's frames.
    pub fn push(&mut self, planes: &[Plane<u8>], reduce: impl Fn(&[&[u8]], &mut [u8])) -> Option<Vec<Plane<u8>>> {
        let mut frame = self.spare.take().unwrap_or_default();
        planes.clone_into(&mut frame);
        self.frames.push_back(frame);
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
            self.spare = self.frames.pop_front();
        } else {
            self.centre += 1;
        }
        reduced
    }
}

/// Calls a kernel with so many inputs as there are, each number of one to nine with a kernel of its own; more than
/// nine are left to `$more`.
macro_rules! by_number {
    ($inputs:expr, |$few:ident| $kernel:expr, $more:expr) => {
        match *$inputs {
            [a] => {
                let $few = [a];
                $kernel
            }
            [a, b] => {
                let $few = [a, b];
                $kernel
            }
            [a, b, c] => {
                let $few = [a, b, c];
                $kernel
            }
            [a, b, c, d] => {
                let $few = [a, b, c, d];
                $kernel
            }
            [a, b, c, d, e] => {
                let $few = [a, b, c, d, e];
                $kernel
            }
            [a, b, c, d, e, f] => {
                let $few = [a, b, c, d, e, f];
                $kernel
            }
            [a, b, c, d, e, f, g] => {
                let $few = [a, b, c, d, e, f, g];
                $kernel
            }
            [a, b, c, d, e, f, g, h] => {
                let $few = [a, b, c, d, e, f, g, h];
                $kernel
            }
            [a, b, c, d, e, f, g, h, i] => {
                let $few = [a, b, c, d, e, f, g, h, i];
                $kernel
            }
            _ => $more,
        }
    };
}

pub(super) use by_number;
