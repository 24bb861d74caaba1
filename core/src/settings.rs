use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, filter::Consensus};

/// How the masks are stabilised over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The masks as they came.
    None,
    /// Mean of a centred window.
    MovingAverage,
    /// Median of a centred window.
    Median,
    /// Exponential smoothing.
    Exponential,
    /// MediaPipe's smoothing weighted by uncertainty.
    Uncertainty,
    /// Strong evidence to enter the mask, weaker evidence to stay; small parts must persist along motion.
    Hysteresis,
    /// Evidence of the past and the future carried along optical flow and fused.
    #[default]
    Consensus,
    /// No filter of its own, but a request: one of the others, found by trying them on a sample of the clip. A driver
    /// puts the settings of a [`Proposal`](crate::auto::Proposal) in its place; a [`Stabilizer`](crate::Stabilizer)
    /// refuses it.
    Auto,
}

impl Method {
    /// All filters, in the order in which they are listed to people: every method but [`Self::Auto`].
    pub const ALL: [Self; 7] = [
        Self::Consensus,
        Self::MovingAverage,
        Self::Median,
        Self::Exponential,
        Self::Uncertainty,
        Self::Hysteresis,
        Self::None,
    ];

    /// The name used in JSON, on the command line and in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MovingAverage => "moving_average",
            Self::Median => "median",
            Self::Exponential => "exponential",
            Self::Uncertainty => "uncertainty",
            Self::Hysteresis => "hysteresis",
            Self::Consensus => "consensus",
            Self::Auto => "auto",
        }
    }
}

impl std::str::FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().chain([Self::Auto]).find(|m| m.name() == name).ok_or_else(|| {
            setting("method", name, &format!("{}, {}", Self::ALL.map(Self::name).join(", "), Self::Auto.name()))
        })
    }
}

/// How far into the future the consensus may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LookAhead {
    /// This many frames: 0 is causal (no delay). Memory is bounded for any length of clip.
    Frames(u32),
    /// `"all"`: the whole clip is kept in memory until its end.
    All(All),
}

impl fmt::Display for LookAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(frames) => frames.fmt(f),
            Self::All(_) => f.write_str("all"),
        }
    }
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// `"all"`
    All,
}

/// ONE description of a run. Command-line flags, JSON bodies and URL parameters are all read into it.
///
/// Fields that a method does not use are checked all the same and otherwise ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Names of the classes to keep; empty keeps every class but the background.
    pub classes: Vec<String>,
    /// The filter.
    pub method: Method,
    /// Frames in the window of `moving_average` and `median`: 3, 5, 7 or 9.
    pub window_size: u32,
    /// Weight of the present frame in `exponential`: 0.1 to 0.9.
    pub alpha: f32,
    /// How much of the previous output an uncertain pixel takes in `uncertainty`: 0 to 1.
    pub ratio: f32,
    /// Probability over which a pixel enters the mask in `hysteresis`: 0.05 to 0.95.
    pub high: f32,
    /// Probability over which a pixel stays in the mask in `hysteresis`: 0.05 to `high`.
    pub low: f32,
    /// Future frames used by `consensus`: 0 to 64, or `"all"`.
    pub look_ahead: LookAhead,
    /// Share of the evidence that `consensus` carries from one frame to the next: 0.5 to 1.
    pub decay: f32,
    /// Colour difference, in levels of 255, at which `consensus` mistrusts the flow: 1 to 255.
    pub color_sigma: f32,
    /// Probability above which a pixel is in the mask: 0.05 to 0.95. `None` takes the method's own, which is
    /// 0.5 for all there are.
    pub threshold: Option<f32>,
    /// Short side in pixels at which flow and fusion run: 64 to 1080. Frames are never enlarged for it.
    pub work_side: u32,
    /// Short side in pixels of what a network is shown, whatever the frames' size: 64 to 1080. `None` takes the network's
    /// own. Less is faster; small things need more.
    pub input_side: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            method: Method::default(),
            window_size: 5,
            alpha: 0.3,
            ratio: 0.9,
            high: 0.5,
            low: 0.1,
            look_ahead: LookAhead::Frames(36),
            decay: 0.97,
            color_sigma: 25.0,
            threshold: None,
            work_side: 240,
            input_side: None,
        }
    }
}

impl Settings {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first field outside its range.
    pub fn validate(&self) -> Result<()> {
        if ![3, 5, 7, 9].contains(&self.window_size) {
            return Err(setting("window_size", self.window_size, "3, 5, 7 or 9"));
        }
        within("alpha", self.alpha, 0.1, 0.9)?;
        within("ratio", self.ratio, 0.0, 1.0)?;
        within("high", self.high, 0.05, 0.95)?;
        within("low", self.low, 0.05, self.high)?;
        within("decay", self.decay, 0.5, 1.0)?;
        within("color_sigma", self.color_sigma, 1.0, 255.0)?;
        within("threshold", self.threshold(), 0.05, 0.95)?;
        if let LookAhead::Frames(n @ 65..) = self.look_ahead {
            return Err(setting("look_ahead", n, "0 to 64, or \"all\""));
        }
        side("work_side", self.work_side)?;
        self.input_side.map_or(Ok(()), |pixels| side("input_side", pixels))
    }

    /// The threshold in force: the one given, or the method's own.
    pub fn threshold(&self) -> f32 {
        self.threshold.unwrap_or(0.5)
    }

    /// The level over which a probability of 0–255 is in the mask: `p > level` exactly where
    /// `p / 255 > threshold()`.
    pub fn threshold_level(&self) -> u8 {
        level_of(self.threshold())
    }

    /// Frames before and after a frame that bear on its stabilised probabilities, at most: what a piece of a clip must
    /// carry for the same bytes as in the whole (see [`Stabilizer::starting_at`](crate::Stabilizer::starting_at)).
    /// `None` where there is no bound: methods that remember everything, and a look-ahead of `"all"`.
    pub fn overlap(&self) -> Option<[usize; 2]> {
        match (self.method, self.look_ahead) {
            (Method::None, _) => Some([0; 2]),
            (Method::MovingAverage | Method::Median, _) => Some([self.window_size as usize / 2; 2]),
            (Method::Consensus, LookAhead::Frames(frames)) => Some([Consensus::OVERLAP, frames as usize]),
            (Method::Consensus | Method::Exponential | Method::Uncertainty | Method::Hysteresis | Method::Auto, _) => {
                None
            }
        }
    }

    /// The size at which flow and fusion run for frames of `width`×`height`: short side `work_side`, long
    /// side in proportion and even; the frame's own size when it is smaller.
    pub fn work_size(&self, width: usize, height: usize) -> (usize, usize) {
        let (short, long) = (width.min(height), width.max(height));
        let side = self.work_side as usize;
        if short <= side {
            return (width, height);
        }
        // Rounded to the nearest even number of pixels.
        let long = (long * side + short) / (2 * short) * 2;
        if width < height { (side, long) } else { (long, side) }
    }
}

/// The level over which a probability of 0–255 is over `share` of 0–1.
pub(crate) fn level_of(share: f32) -> u8 {
    // The product is exact in f64.
    (f64::from(share) * 255.0) as u8
}

fn setting(field: &'static str, value: impl ToString, allowed: &str) -> Error {
    Error::Setting { field, value: value.to_string(), allowed: allowed.into() }
}

fn side(field: &'static str, pixels: u32) -> Result<()> {
    if (64..=1080).contains(&pixels) { Ok(()) } else { Err(setting(field, pixels, "64 to 1080")) }
}

fn within(field: &'static str, value: f32, low: f32, high: f32) -> Result<()> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(setting(field, value, &format!("{low} to {high}"))) }
}
