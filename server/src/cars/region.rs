//! Where the car is, by the segmentation network.

use steadymask_core::{Plane, Rgb, Settings, resize};
use steadymask_models::{Segmenter, block_on};

use super::Car;
use crate::Result;

/// A pixel is the car's when the network is surer of it than that, in 255ths.
const SURE: u8 = 127;
/// A pixel is shown to the classifiers when it may be the car's: the network's masks lack thin and dirty parts.
const MAYBE: u8 = 63;
/// The least share of a picture that counts as a car. Smaller ones are far away, or none.
const LEAST_SHARE: f64 = 0.01;
/// What is left around the car's box on each side, as a share of it.
const MARGIN: f64 = 0.05;
/// What stands where the car is not: the mean colour of ImageNet, which says nothing to a network trained on it.
const BLANK: Rgb = [124, 116, 104];

/// Where the car is in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// The probability of a car, 0 to 255, at a smaller size.
    probability: Plane<u8>,
    /// Width and height of the picture.
    size: (usize, usize),
    share: f64,
}

impl Region {
    /// Looks for cars, which the network knows as the class `car`.
    pub(super) fn find(segmenter: &Segmenter, car: &[usize], picture: &Plane<Rgb>) -> Result<Self> {
        let size = picture.size();
        let work_size = Settings::default().work_size(size.0, size.1);
        let planes = block_on(segmenter.segment_at(&[picture], car, segmenter.input_size(size, None), work_size))?;
        let probability = planes.into_iter().flatten().next().expect("a frame and a class give a plane");
        let sure = probability.data().iter().filter(|&&value| value > SURE).count();
        let share = sure as f64 / probability.data().len() as f64;
        Ok(Self { probability, size, share })
    }

    /// What is said of it.
    pub fn car(&self) -> Car {
        let share = (self.share * 1e4).round() / 1e4;
        Car { found: self.found(), share, bounds: self.bounds(SURE).filter(|_| self.found()) }
    }

    /// Whether there is a car.
    pub fn found(&self) -> bool {
        self.share >= LEAST_SHARE
    }

    /// How much of the picture it takes, 0 to 1.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Left, top, width and height, in pixels of the picture, of the box around all that is over `level`.
    fn bounds(&self, level: u8) -> Option<[usize; 4]> {
        let (width, height) = self.probability.size();
        let column = |&x: &usize| (0..height).any(|y| self.probability.get(x, y) > level);
        let row = |&y: &usize| self.probability.row(y).iter().any(|&value| value > level);
        let (left, right) = ((0..width).find(column)?, (0..width).rfind(column)? + 1);
        let (top, bottom) = ((0..height).find(row)?, (0..height).rfind(row)? + 1);
        let (x, y) = (|x: usize| x * self.size.0 / width, |y: usize| y * self.size.1 / height);
        Some([x(left), y(top), (x(right) - x(left)).max(1), (y(bottom) - y(top)).max(1)])
    }

    /// The car alone: the picture within its box and a little more, all that is certainly not car blanked; `None` where
    /// there is no car.
    pub(super) fn cut(&self, picture: &Plane<Rgb>) -> Option<Plane<Rgb>> {
        let [left, top, width, height] = self.bounds(SURE).filter(|_| self.found())?;
        let widen = |start: usize, length: usize, end: usize| {
            let margin = (length as f64 * MARGIN).ceil() as usize;
            (start.saturating_sub(margin), (start + length + margin).min(end))
        };
        let (left, right) = widen(left, width, picture.width());
        let (top, bottom) = widen(top, height, picture.height());
        let probability = resize::resize(&self.probability, self.size.0, self.size.1);
        Some(Plane::from_fn(right - left, bottom - top, |x, y| match probability.get(left + x, top + y) {
            0..=MAYBE => BLANK,
            _ => picture.get(left + x, top + y),
        }))
    }
}
