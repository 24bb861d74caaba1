//! The work that is timed: one kernel over a short clip, the same natively and in WASM.
//!
//! Nothing here knows of clocks or files: `main.rs` times these natively, `wasm.mjs` in Node's V8, and `rivals.py`
//! does the same work with NumPy and OpenCV on the same bytes. In WASM there are also the networks, for `chromium.mjs`.

use std::hint::black_box;

use anyhow::{Context, Result, bail, ensure};
use steadymask_core::filter::{self, Exponential, Median, MovingAverage, TemporalFilter};
use steadymask_core::flow::{DenseInverseSearch, FlowFrame, Preset};
use steadymask_core::metric::Overlap;
use steadymask_core::{All, BitMask, LookAhead, MotionEstimator, Plane, Settings, flow};

/// Pixels by which the picture that [`Content::Window`] moves over exceeds a frame, in width and in height.
pub const MARGIN: usize = 64;
/// Frames in the window of moving average and median.
const WINDOW: usize = 5;
/// Over this a value is in the mask.
const LEVEL: u8 = 127;

/// What the bytes of a job are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One picture of probabilities, [`MARGIN`] larger than a frame: the frames are cut out of it along a path.
    Window,
    /// The frames' luma, one after the other.
    Luma,
    /// The frames as RGB, one after the other, then their probabilities.
    Clip,
}

/// A kernel that can be timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    /// Its name in results and on the wire.
    pub name: &'static str,
    /// What it is fed with.
    pub content: Content,
    /// Bytes a pixel of a frame that must be read and written at the least.
    pub bytes: f64,
}

const fn kernel(name: &'static str, content: Content, bytes: f64) -> Kernel {
    Kernel { name, content, bytes }
}

/// Bytes of a pixel of a packed mask.
const BIT: f64 = 1.0 / 8.0;

/// All kernels.
pub const KERNELS: [Kernel; 16] = [
    kernel("mask_moving_average", Content::Window, 2.0 * BIT),
    kernel("mask_median", Content::Window, 2.0 * BIT),
    kernel("mask_iou", Content::Window, BIT),
    kernel("mask_dice", Content::Window, BIT),
    kernel("mask_pack", Content::Window, 1.0 + BIT),
    kernel("mask_unpack", Content::Window, 1.0 + BIT),
    kernel("mask_moving_average_bytes", Content::Window, 2.0),
    kernel("u8_moving_average", Content::Window, 2.0),
    kernel("u8_median", Content::Window, 2.0),
    kernel("u8_exponential", Content::Window, 2.0),
    kernel("u8_iou", Content::Window, 1.0),
    kernel("u8_dice", Content::Window, 1.0),
    // Luma twice, and two fields of two f32.
    kernel("flow", Content::Luma, 18.0),
    kernel("warp", Content::Luma, 13.0),
    kernel("consensus", Content::Clip, 5.0),
    kernel("consensus_fixed_lag", Content::Clip, 5.0),
];

/// A kernel with its frames in memory, ready to run again and again.
pub struct Job {
    run: Box<dyn FnMut(&mut Check) + Send>,
}

/// Sums up results, so that two implementations can be compared; does nothing while time is taken.
#[derive(Default)]
struct Check(Option<f64>);

impl Check {
    fn plane(&mut self, plane: &Plane<u8>) {
        if let Some(sum) = &mut self.0 {
            *sum += plane.data().iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        black_box(plane);
    }

    fn mask(&mut self, mask: &BitMask) {
        if let Some(sum) = &mut self.0 {
            *sum += mask.area() as f64;
        }
        black_box(mask);
    }

    fn number(&mut self, number: f32) {
        if let Some(sum) = &mut self.0 {
            *sum += f64::from(number);
        }
        black_box(number);
    }

    fn flow(&mut self, flow: &flow::Flow) {
        if let Some(sum) = &mut self.0 {
            *sum += flow.data().iter().map(|&[u, v]| f64::from(u) + f64::from(v)).sum::<f64>();
        }
        black_box(flow);
    }
}

impl Job {
    /// Lays out the frames for the kernel of this name.
    ///
    /// # Errors
    /// For an unknown name and for bytes that are not of the length that the kernel's [`Content`] asks for.
    pub fn new(name: &str, (width, height): (usize, usize), frames: usize, bytes: &[u8]) -> Result<Self> {
        let kernel = KERNELS.into_iter().find(|kernel| kernel.name == name);
        let kernel = kernel.with_context(|| format!("no kernel is called {name:?}"))?;
        let expected = length(kernel.content, (width, height), frames);
        ensure!(bytes.len() == expected, "{name}: {} bytes, expected {expected}", bytes.len());
        let pixels = width * height;
        let gray = |bytes: &[u8]| -> Vec<Plane<u8>> {
            let frames = bytes.chunks_exact(pixels);
            frames.map(|frame| Plane::from_vec(width, height, frame.to_vec()).expect("a whole frame")).collect()
        };
        let planes = || windows(bytes, (width, height), frames);
        let masks = || planes().iter().map(|plane| BitMask::from_threshold(plane, LEVEL)).collect::<Vec<_>>();
        let run: Box<dyn FnMut(&mut Check) + Send> = match name {
            "mask_moving_average" | "mask_median" => {
                let masks = masks();
                Box::new(move |check| {
                    for t in 0..masks.len() {
                        let window = t.saturating_sub(WINDOW / 2)..(t + WINDOW / 2 + 1).min(masks.len());
                        check.mask(&filter::vote(&masks[window]).expect("masks of one size"));
                    }
                })
            }
            "mask_iou" | "mask_dice" => {
                let (masks, measure) = (masks(), measure(name));
                Box::new(move |check| {
                    let overlaps = Overlap::of_neighbours(&masks).expect("masks of one size");
                    overlaps.iter().for_each(|overlap| check.number(measure(overlap)));
                })
            }
            "mask_pack" => {
                let planes = planes();
                Box::new(move |check| {
                    planes.iter().for_each(|plane| check.mask(&BitMask::from_threshold(plane, LEVEL)));
                })
            }
            "mask_unpack" => {
                let masks = masks();
                Box::new(move |check| masks.iter().for_each(|mask| check.plane(&mask.to_plane())))
            }
            "mask_moving_average_bytes" => {
                let planes: Vec<_> = masks().iter().map(BitMask::to_plane).collect();
                Box::new(move |check| {
                    let masks: Vec<_> = planes.iter().map(|plane| BitMask::from_threshold(plane, LEVEL)).collect();
                    for mask in filter::majority(&masks, WINDOW).expect("masks of one size") {
                        check.plane(&mask.to_plane());
                    }
                })
            }
            "u8_moving_average" => filtered(planes(), MovingAverage::new(WINDOW)),
            "u8_median" => filtered(planes(), Median::new(WINDOW)),
            "u8_exponential" => filtered(planes(), Exponential::new(0.3)),
            "u8_iou" | "u8_dice" => {
                let (planes, measure) = (planes(), measure(name));
                Box::new(move |check| {
                    let overlaps = Overlap::of_neighbouring_planes(&planes, LEVEL).expect("planes of one size");
                    overlaps.iter().for_each(|overlap| check.number(measure(overlap)));
                })
            }
            "flow" => {
                let luma = gray(bytes);
                let mut search = DenseInverseSearch::new();
                Box::new(move |check| {
                    let mut previous: Option<FlowFrame> = None;
                    for luma in &luma {
                        let frame = FlowFrame::new(luma, Preset::Medium);
                        if let Some(previous) = &previous {
                            check.flow(&search.calc(previous, &frame));
                            check.flow(&search.calc(&frame, previous));
                        }
                        previous = Some(frame);
                    }
                })
            }
            "warp" => {
                let luma = gray(bytes);
                let flow = Plane::from_fn(width, height, |x, y| [3.3 - 0.01 * y as f32, 0.02 * x as f32 - 4.1]);
                Box::new(move |check| {
                    for luma in &luma {
                        let warped = flow::warp(luma, &flow);
                        check.number(warped.get(width / 2, height / 2));
                    }
                })
            }
            "consensus" | "consensus_fixed_lag" => {
                let (rgb, probabilities) = bytes.split_at(3 * pixels * frames);
                let rgb: Vec<_> = rgb
                    .chunks_exact(3 * pixels)
                    .map(|frame| Plane::from_rgb_bytes(width, height, frame).expect("a whole frame"))
                    .collect();
                let probabilities = gray(probabilities);
                let look_ahead =
                    if name == "consensus" { LookAhead::All(All::All) } else { Settings::default().look_ahead };
                let settings = Settings { look_ahead, ..Settings::default() };
                Box::new(move |check| {
                    let mut estimator = MotionEstimator::new(settings.color_sigma);
                    let mut filter = filter::from_settings(&settings, 0).expect("default settings");
                    let mut take = |planes: Vec<Plane<u8>>| check.plane(&planes[0]);
                    for (rgb, probability) in rgb.iter().zip(&probabilities) {
                        filter.show(rgb);
                        let motion = estimator.push(rgb.clone()).map(Into::into);
                        filter.push(std::slice::from_ref(probability), motion.as_ref()).into_iter().for_each(&mut take);
                    }
                    filter.finish().into_iter().for_each(&mut take);
                })
            }
            _ => bail!("{name} is listed, but does nothing"),
        };
        Ok(Self { run })
    }

    /// Does the work once.
    pub fn run(&mut self) {
        (self.run)(&mut Check(None));
    }

    /// Does the work once and sums the results up.
    pub fn check(&mut self) -> f64 {
        let mut check = Check(Some(0.0));
        (self.run)(&mut check);
        check.0.unwrap_or_default()
    }
}

/// Bytes of `frames` frames of this size.
pub fn length(content: Content, (width, height): (usize, usize), frames: usize) -> usize {
    match content {
        Content::Window => (width + MARGIN) * (height + MARGIN),
        Content::Luma => width * height * frames,
        Content::Clip => 4 * width * height * frames,
    }
}

/// The frames that a window sees on its way over the picture.
fn windows(picture: &[u8], (width, height): (usize, usize), frames: usize) -> Vec<Plane<u8>> {
    // To and fro over the margin.
    let bounce = |step: usize| (step % (2 * MARGIN)).abs_diff(MARGIN);
    let window = |t: usize| {
        let (left, top) = (bounce(3 * t), bounce(2 * t));
        let rows = picture.chunks_exact(width + MARGIN).skip(top).take(height);
        let pixels = rows.flat_map(|row| &row[left..left + width]).copied().collect();
        Plane::from_vec(width, height, pixels).expect("a whole frame")
    };
    (0..frames).map(window).collect()
}

/// The measure that the kernel of this name is about.
fn measure(name: &str) -> fn(&Overlap) -> f32 {
    if name.ends_with("iou") { Overlap::iou } else { Overlap::dice }
}

fn filtered(planes: Vec<Plane<u8>>, mut filter: impl TemporalFilter + 'static) -> Box<dyn FnMut(&mut Check) + Send> {
    Box::new(move |check| {
        for plane in &planes {
            filter.push(std::slice::from_ref(plane), None).iter().for_each(|planes| check.plane(&planes[0]));
        }
        filter.finish().iter().for_each(|planes| check.plane(&planes[0]));
    })
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use wasm_bindgen::prelude::*;

    /// [`Job`](super::Job) for JavaScript.
    #[wasm_bindgen]
    pub struct Job(super::Job);

    #[wasm_bindgen]
    impl Job {
        /// As [`Job::new`](super::Job::new).
        #[wasm_bindgen(constructor)]
        pub fn new(name: &str, width: usize, height: usize, frames: usize, bytes: &[u8]) -> Result<Self, JsError> {
            let job = super::Job::new(name, (width, height), frames, bytes);
            job.map(Self).map_err(|error| JsError::new(&format!("{error:#}")))
        }

        /// Does the work once.
        pub fn run(&mut self) {
            self.0.run();
        }

        /// Does the work once and sums the results up.
        pub fn check(&mut self) -> f64 {
            self.0.check()
        }
    }
}

#[cfg(all(target_arch = "wasm32", feature = "networks"))]
mod network {
    use steadymask_core::{Plane, Rgb};
    use steadymask_models::Segmenter;
    use wasm_bindgen::prelude::*;

    /// A network and a frame that it is shown.
    #[wasm_bindgen]
    pub struct Network {
        segmenter: Segmenter,
        frame: Plane<Rgb>,
    }

    #[wasm_bindgen]
    impl Network {
        /// Of the bytes of a safetensors file, on the device of that name; the frame is RGB bytes.
        pub async fn load(
            weights: Vec<u8>,
            device: &str,
            width: usize,
            height: usize,
            frame: &[u8],
        ) -> Result<Self, JsError> {
            let frame = Plane::from_rgb_bytes(width, height, frame)?;
            Ok(Self { segmenter: Segmenter::from_safetensors(weights, device.parse()?).await?, frame })
        }

        /// From the frame to its logits: a number for each class and place.
        pub async fn infer(&self) -> Result<Vec<f32>, JsError> {
            let mut logits = self.segmenter.logits_at(&[&self.frame], self.frame.size()).await?;
            Ok(logits.swap_remove(0).values)
        }
    }
}
