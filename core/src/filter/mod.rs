//! Temporal filters: per-class probabilities of one shot in, steadier ones out, a fixed number of frames later.
//!
//! A filter sees one shot only: the [`Stabilizer`](crate::Stabilizer) finishes it at every scene cut.

mod components;
mod consensus;
mod exponential;
mod hysteresis;
mod local_maximum;
mod majority;
mod median;
mod moving_average;
mod none;
mod uncertainty;
mod window;

use std::sync::Arc;

pub use components::{Connectivity, Run, components};
pub use consensus::{
    CERTAIN, CERTAIN_NOT, Consensus, DISAGREEMENT_GAIN, HELD_FOR, LEAST_PEAK_SHARE, LEAST_PROBABILITY, LEAST_WEIGHT,
    Noise, PAST_BLOCK, PEAK_SHARE, SECOND_DECAY, STEADY_NOISE, STEADY_SOFTNESS, STEADY_SWELLING, STEADY_WINDOW,
    UNSTEADY_NOISE, UNSTEADY_SOFTNESS, UNSTEADY_SWELLING, WINDOW, keep, steadiness,
};
pub use exponential::Exponential;
pub use hysteresis::{Hysteresis, SMALL_SHARE, VOTES};
pub use local_maximum::local_maximum;
pub use majority::{majority, vote};
pub use median::Median;
pub use moving_average::MovingAverage;
pub use none::Unfiltered;
pub use uncertainty::Uncertainty;

use crate::{
    Error, Method, Motion, Plane, Result, Rgb, Settings,
    simd::{larger, smaller, whole},
};

/// One shot's filter. Planes come one a class, the same classes in the same order and of one size in each frame.
pub trait TemporalFilter: Send {
    /// Shows the picture of the frame that is pushed next, to filters that go by colours. Others take no notice, and
    /// those that do manage without.
    fn show(&mut self, _frame: &Plane<Rgb>) {}

    /// Takes the next frame, with its motion since the frame before (`None` for the first), and gives the
    /// oldest frame that needs no more of the future. Frames come out in the order in which they went in.
    fn push(&mut self, planes: &[Plane<u8>], motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>>;

    /// Ends the shot: the frames still held back, in order. The filter is then as new.
    fn finish(&mut self) -> Vec<Vec<Plane<u8>>>;
}

/// The filter that `settings` ask for; the first frame pushed has the number `first` in its clip.
///
/// # Errors
/// [`Error::Setting`] for [`Method::Auto`], which is not one.
pub fn from_settings(settings: &Settings, first: usize) -> Result<Box<dyn TemporalFilter>> {
    Ok(match settings.method {
        Method::None => Box::new(Unfiltered),
        Method::Consensus => Box::new(Consensus::new(settings.decay, settings.look_ahead, first)),
        Method::MovingAverage => Box::new(MovingAverage::new(settings.window_size as usize)),
        Method::Median => Box::new(Median::new(settings.window_size as usize)),
        Method::Exponential => Box::new(Exponential::new(settings.alpha)),
        Method::Uncertainty => Box::new(Uncertainty::new(settings.ratio)),
        Method::Hysteresis => Box::new(Hysteresis::new(settings.high, settings.low)),
        Method::Auto => {
            return Err(Error::Setting {
                field: "method",
                value: Method::Auto.name().into(),
                allowed: Method::ALL.map(Method::name).join(", "),
            });
        }
    })
}

/// A probability as the nearest level; under 0 as at 0, over 255 as at 255.
#[inline(always)]
fn level(probability: f32) -> u8 {
    whole(smaller(larger(probability, 0.0), 255.0) + 0.5) as u8
}
