//! Video in and out through the browser's codecs: the Rust side of `js/media.mjs`.

use js_sys::{JsString, Uint8Array};
use serde::Deserialize;
use serde::de::{IntoDeserializer, value::Error as Unknown};
use steadymask_core::{ColorMatrix, ColorRange, I420, Plane, Rgb, Rotation, rgb_from_i420, rotate};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::{Blob, ImageBitmap};

use crate::engine::protocol::{Clip, Failure, FailureCode};

/// Decoders count in microseconds: a frame is asked for a little later, so that rounding does not give the one before.
const ROUNDING_SECONDS: f64 = 1e-5;

/// An opened video.
pub struct Video {
    script: script::Video,
    rotation: Rotation,
    /// When each frame is shown, in seconds, as the container tells; in rising order, at least one.
    times: Vec<f64>,
}

impl Video {
    /// Looks into a file.
    ///
    /// # Errors
    /// A [`Failure`] that says what is wrong with it.
    pub async fn open(blob: &Blob) -> Result<Self, Failure> {
        let script = script::Video::open(blob).await.map_err(failure_of)?;
        let degrees = script.rotation();
        let rotation = Rotation::from_degrees(degrees).ok_or_else(|| {
            Failure::new(FailureCode::Damaged, format!("The video is turned by {degrees}° (expected a multiple of 90)"))
        })?;
        Ok(Self { rotation, times: script.times(), script })
    }

    /// What is known of it before it is decoded.
    pub fn clip(&self) -> Clip {
        let (width, height) = (self.script.width(), self.script.height());
        let upright = matches!(self.rotation, Rotation::None | Rotation::Half);
        let (width, height) = if upright { (width, height) } else { (height, width) };
        let (frames, duration_seconds) = (self.times.len(), self.script.duration());
        let fps = if duration_seconds > 0.0 { frames as f64 / duration_seconds } else { 0.0 };
        Clip { width, height, fps, duration_seconds, frames, codec: self.script.codec() }
    }

    /// When frame `index` is shown, in seconds; the last frame's time from there on.
    pub fn time_of(&self, index: usize) -> f64 {
        self.times[index.min(self.times.len() - 1)]
    }

    /// The frame that is shown at `seconds`, upright.
    ///
    /// # Errors
    /// [`FailureCode::Damaged`] where it cannot be decoded.
    pub async fn bitmap(&self, seconds: f64) -> Result<ImageBitmap, Failure> {
        let bitmap = self.script.bitmap(seconds + ROUNDING_SECONDS).await.map_err(failure_of)?;
        bitmap.ok_or_else(|| Failure::new(FailureCode::Damaged, format!("There is no frame at {seconds} s")))
    }

    /// All frames, from the first on.
    pub fn frames(&self) -> Frames {
        Frames { script: self.script.frames(None), rotation: self.rotation }
    }

    /// The frames from frame `index` on.
    pub fn frames_from(&self, index: usize) -> Frames {
        // The first may lie before what an edit list shows, where only decoding from the start finds it.
        let start = (index > 0).then(|| self.time_of(index) + ROUNDING_SECONDS);
        Frames { script: self.script.frames(start), rotation: self.rotation }
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        self.script.close();
    }
}

/// The frames of a video, one after another.
pub struct Frames {
    script: script::Frames,
    rotation: Rotation,
}

impl Frames {
    /// The next frame as the decoder gave it; `None` at the end.
    ///
    /// # Errors
    /// [`FailureCode::Damaged`] where it cannot be decoded.
    pub async fn next(&mut self) -> Result<Option<Decoded>, Failure> {
        let frame = self.script.next().await.map_err(failure_of)?;
        Ok(frame.map(|frame| Decoded {
            format: frame.format(),
            bytes: frame.bytes().to_vec(),
            width: frame.width(),
            height: frame.height(),
            matrix: ColorMatrix::from_name(&frame.matrix(), frame.height()),
            range: if frame.full_range() { ColorRange::Full } else { ColorRange::Limited },
            rotation: self.rotation,
            timestamp_seconds: frame.timestamp(),
            duration_seconds: frame.duration(),
        }))
    }

    /// The next frame, number `index`, where a frame of this number was decoded before.
    ///
    /// # Errors
    /// [`FailureCode::Damaged`] where it cannot be decoded.
    pub async fn again(&mut self, index: usize) -> Result<Decoded, Failure> {
        self.next().await?.ok_or_else(|| {
            Failure::new(FailureCode::Damaged, format!("Frame {index} could be decoded once but not again"))
        })
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.script.close();
    }
}

/// A frame in the decoder's own format.
pub struct Decoded {
    format: String,
    bytes: Vec<u8>,
    width: usize,
    height: usize,
    matrix: ColorMatrix,
    range: ColorRange,
    rotation: Rotation,
    /// When it is shown, in seconds.
    pub timestamp_seconds: f64,
    /// For how long, in seconds.
    pub duration_seconds: f64,
}

impl Decoded {
    /// The picture, upright.
    ///
    /// # Errors
    /// [`steadymask_core::Error::Size`] for a frame too large.
    pub fn into_rgb(self) -> steadymask_core::Result<Plane<Rgb>> {
        let Self { width, height, matrix, range, .. } = self;
        let rgb = if self.format == "RGBA" {
            let (pixels, _) = self.bytes.as_chunks::<4>();
            Plane::from_vec(width, height, pixels.iter().map(|&[r, g, b, _]| [r, g, b]).collect())?
        } else {
            let mut bytes = self.bytes;
            if self.format == "NV12" {
                planar_chroma(&mut bytes[width * height..]);
            }
            rgb_from_i420(I420 { width, height, bytes: &bytes, matrix, range })?
        };
        Ok(rotate(rgb, self.rotation))
    }
}

/// Alternating Cb and Cr to all Cb, then all Cr.
fn planar_chroma(chroma: &mut [u8]) {
    let (pairs, _) = chroma.as_chunks::<2>();
    let planar: Vec<u8> = pairs.iter().map(|p| p[0]).chain(pairs.iter().map(|p| p[1])).collect();
    chroma.copy_from_slice(&planar);
}

/// Makes a video file.
pub struct Encoder(script::Encoder);

impl Encoder {
    /// For pictures of `width`×`height`.
    ///
    /// # Errors
    /// [`FailureCode::Encode`] where the browser has no encoder for them.
    pub async fn open(width: usize, height: usize) -> Result<Self, Failure> {
        Ok(Self(script::Encoder::open(width, height).await.map_err(failure_of)?))
    }

    /// Takes the next picture, shown from `timestamp_seconds` for `duration_seconds`.
    ///
    /// # Errors
    /// [`FailureCode::Encode`].
    pub async fn add(
        &self,
        picture: &Plane<Rgb>,
        timestamp_seconds: f64,
        duration_seconds: f64,
    ) -> Result<(), Failure> {
        let rgba: Vec<u8> = picture.data().iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
        let bytes = Uint8Array::from(rgba.as_slice());
        self.0.add(&bytes, timestamp_seconds, duration_seconds).await.map_err(failure_of)
    }

    /// The ending of the file's name: `mp4` or `webm`.
    pub fn extension(&self) -> String {
        self.0.extension()
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`FailureCode::Encode`].
    pub async fn finish(self) -> Result<Blob, Failure> {
        self.0.finish().await.map_err(failure_of)
    }

    /// Gives up.
    pub async fn cancel(self) {
        // There is nothing to tell of a file that nobody wants any more.
        _ = self.0.cancel().await;
    }
}

/// Lets messages that wait for this worker be handled.
pub async fn pause() {
    script::pause().await;
}

/// What was thrown, by its `code` where it has one.
pub fn failure_of(thrown: JsValue) -> Failure {
    let property = |name: &str| js_sys::Reflect::get(&thrown, &name.into()).ok().and_then(|v| v.as_string());
    let code = property("code")
        .and_then(|code| FailureCode::deserialize(IntoDeserializer::<Unknown>::into_deserializer(code.as_str())).ok());
    let message = property("message").unwrap_or_else(|| JsString::from(thrown.clone()).into());
    Failure { code: code.unwrap_or(FailureCode::Internal), message }
}

mod script {
    use super::*;

    #[wasm_bindgen(module = "/js/media.mjs")]
    extern "C" {
        pub async fn pause();

        pub type Video;
        #[wasm_bindgen(static_method_of = Video, catch)]
        pub async fn open(blob: &Blob) -> Result<Video, JsValue>;
        #[wasm_bindgen(method, getter)]
        pub fn codec(this: &Video) -> String;
        #[wasm_bindgen(method, getter)]
        pub fn width(this: &Video) -> usize;
        #[wasm_bindgen(method, getter)]
        pub fn height(this: &Video) -> usize;
        #[wasm_bindgen(method, getter)]
        pub fn rotation(this: &Video) -> i32;
        #[wasm_bindgen(method, getter)]
        pub fn times(this: &Video) -> Vec<f64>;
        #[wasm_bindgen(method, getter)]
        pub fn duration(this: &Video) -> f64;
        #[wasm_bindgen(method, catch)]
        pub async fn bitmap(this: &Video, seconds: f64) -> Result<Option<ImageBitmap>, JsValue>;
        #[wasm_bindgen(method)]
        pub fn frames(this: &Video, start: Option<f64>) -> Frames;
        #[wasm_bindgen(method)]
        pub fn close(this: &Video);

        pub type Frames;
        #[wasm_bindgen(method, catch)]
        pub async fn next(this: &Frames) -> Result<Option<Pixels>, JsValue>;
        #[wasm_bindgen(method)]
        pub fn close(this: &Frames);

        pub type Pixels;
        #[wasm_bindgen(method, getter)]
        pub fn format(this: &Pixels) -> String;
        #[wasm_bindgen(method, getter)]
        pub fn bytes(this: &Pixels) -> Uint8Array;
        #[wasm_bindgen(method, getter)]
        pub fn width(this: &Pixels) -> usize;
        #[wasm_bindgen(method, getter)]
        pub fn height(this: &Pixels) -> usize;
        #[wasm_bindgen(method, getter)]
        pub fn timestamp(this: &Pixels) -> f64;
        #[wasm_bindgen(method, getter)]
        pub fn duration(this: &Pixels) -> f64;
        #[wasm_bindgen(method, getter)]
        pub fn matrix(this: &Pixels) -> String;
        #[wasm_bindgen(method, getter, js_name = fullRange)]
        pub fn full_range(this: &Pixels) -> bool;

        pub type Encoder;
        #[wasm_bindgen(static_method_of = Encoder, catch)]
        pub async fn open(width: usize, height: usize) -> Result<Encoder, JsValue>;
        #[wasm_bindgen(method, getter)]
        pub fn extension(this: &Encoder) -> String;
        #[wasm_bindgen(method, catch)]
        pub async fn add(this: &Encoder, rgba: &Uint8Array, timestamp: f64, duration: f64) -> Result<(), JsValue>;
        #[wasm_bindgen(method, catch)]
        pub async fn finish(this: &Encoder) -> Result<Blob, JsValue>;
        #[wasm_bindgen(method, catch)]
        pub async fn cancel(this: &Encoder) -> Result<(), JsValue>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nv12_becomes_i420() {
        let mut chroma = [1, 101, 2, 102, 3, 103];
        planar_chroma(&mut chroma);
        assert_eq!(chroma, [1, 2, 3, 101, 102, 103]);
    }
}
