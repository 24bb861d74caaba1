//! Pictures as a video camera might have seen them: two views of one scene, each spoiled in its own way.

use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use steadymask_core::{Plane, Rgb};

use super::{
    data::Picture,
    loss::{IGNORED, SPACING, Truth, points},
    picture,
};
use crate::input::{self, Scaling};

/// Least and greatest scale of a picture, in short sides of [`SHORT`].
pub(super) const SCALES: (f32, f32) = (0.6, 1.5);
/// The short side that has scale 1: what the network is shown by default.
pub(super) const SHORT: f32 = 321.0;
/// Most pixels by which the second view is moved, to either side.
const SHIFT: i32 = 12;
/// Beyond the picture there is gray.
const BEYOND: f32 = 127.5;

/// Random numbers that depend on nothing but these three: a run that goes on needs no other memory of them.
pub(super) fn random(seed: u64, step: u64, slot: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(step << 16 | slot);
    random
}

/// What a step sees of one picture.
pub(super) struct Views {
    /// The first view's crop as it was taken: for the teacher.
    pub(super) clean: Plane<Rgb>,
    /// Both views, spoiled.
    pub(super) seen: [Plane<Rgb>; 2],
    pub(super) truth: Truth,
}

/// Two views of `side`×`side` pixels of a picture at a random scale and place, mirrored or not.
pub(super) fn of(picture: &Picture, side: usize, random: &mut ChaCha8Rng) -> Views {
    let short = picture.image.width().min(picture.image.height()) as f32;
    let scale = SHORT / short * (SCALES.0.ln() + (SCALES.1 / SCALES.0).ln() * random.random::<f32>()).exp();
    let mirrored = random.random();
    let shift = (random.random_range(-SHIFT..=SHIFT), random.random_range(-SHIFT..=SHIFT));
    // Where a picture is larger than the crop, the crop lies inside; where it is smaller, the picture does.
    let origin = |length: usize, random: &mut ChaCha8Rng| {
        let room = (length as f32 * scale - side as f32) / scale;
        room * random.random::<f32>()
    };
    let left = origin(picture.image.width(), random);
    let top = origin(picture.image.height(), random);
    let place = Place { scale, mirrored, left, top, side };
    // Far smaller pictures are averaged down first, or they would sparkle.
    let (width, height) = picture.image.size();
    let smaller = |length: usize| ((length as f32 * scale).round() as usize).max(1);
    let reduced = (scale < 0.9)
        .then(|| input::scaled(&picture.image, (smaller(width), smaller(height)), Scaling::Area).into_owned());
    let source = reduced.as_ref().unwrap_or(&picture.image);
    let crops = [(0, 0), shift].map(|shift| place.crop(source, picture.image.size(), shift));
    let count = points(side);
    let labels = (0..count * count)
        .map(|i| match &picture.labels {
            Some(labels) => place.label(labels, (i % count * SPACING, i / count * SPACING)),
            None => IGNORED,
        })
        .collect();
    let [first, second] = crops;
    let clean = bytes(&first, side);
    Views { clean, seen: [first, second].map(|crop| spoiled(crop, side, random)), truth: Truth { labels, shift } }
}

/// The same picture twice, whole, spoiled in two ways and the second one moved, for measuring how far a network's answers
/// differ: the two, and by how many pixels the second one's content lies further left and up.
pub(super) fn pair(image: &Plane<Rgb>, random: &mut ChaCha8Rng) -> ([Plane<Rgb>; 2], (usize, usize)) {
    let most = |length: usize| (SHIFT as usize).min(length / 4);
    let shift = (random.random_range(0..=most(image.width())), random.random_range(0..=most(image.height())));
    let (width, height) = (image.width() - shift.0, image.height() - shift.1);
    let cut = |(left, top): (usize, usize)| Plane::from_fn(width, height, |x, y| image.get(left + x, top + y));
    let seen = [(0, 0), shift].map(|from| {
        let values = cut(from).data().iter().flatten().map(|&v| f32::from(v)).collect();
        spoiled_of(values, (width, height), random)
    });
    (seen, shift)
}

/// How a crop lies on its picture.
struct Place {
    scale: f32,
    mirrored: bool,
    /// Its left upper corner, in the picture's pixels.
    left: f32,
    top: f32,
    side: usize,
}

impl Place {
    /// Where a pixel of the crop lies on a picture of that width, in pixels of the picture whose centres are at halves.
    fn on_picture(&self, (x, y): (f32, f32), width: usize) -> (f32, f32) {
        let x = self.left + (x + 0.5) / self.scale;
        (if self.mirrored { width as f32 - x } else { x }, self.top + (y + 0.5) / self.scale)
    }

    /// Red, green, blue of each pixel, 0 to 255, interpolated bilinearly on `source`, which is the picture of `size` or a
    /// smaller copy of it.
    fn crop(&self, source: &Plane<Rgb>, size: (usize, usize), shift: (i32, i32)) -> Vec<f32> {
        let (width, height) = source.size();
        let (per_x, per_y) = (width as f32 / size.0 as f32, height as f32 / size.1 as f32);
        let mut values = Vec::with_capacity(3 * self.side * self.side);
        for y in 0..self.side {
            for x in 0..self.side {
                let (x, y) = ((x as i32 + shift.0) as f32, (y as i32 + shift.1) as f32);
                let (x, y) = self.on_picture((x, y), size.0);
                if !(0.0..size.0 as f32).contains(&x) || !(0.0..size.1 as f32).contains(&y) {
                    values.extend([BEYOND; 3]);
                    continue;
                }
                let x = (x * per_x - 0.5).clamp(0.0, (width - 1) as f32);
                let y = (y * per_y - 0.5).clamp(0.0, (height - 1) as f32);
                let (left, top) = (x as usize, y as usize);
                let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
                let (fx, fy) = (x - left as f32, y - top as f32);
                let [a, b] = [source.get(left, top), source.get(right, top)];
                let [c, d] = [source.get(left, bottom), source.get(right, bottom)];
                values.extend((0..3).map(|i| {
                    let [a, b, c, d] = [a[i], b[i], c[i], d[i]].map(f32::from);
                    let (above, below) = (a + (b - a) * fx, c + (d - c) * fx);
                    above + (below - above) * fy
                }));
            }
        }
        values
    }

    fn label(&self, labels: &Plane<u8>, (x, y): (usize, usize)) -> u8 {
        let (x, y) = self.on_picture((x as f32, y as f32), labels.width());
        let inside = (0.0..labels.width() as f32).contains(&x) && (0.0..labels.height() as f32).contains(&y);
        if inside { labels.get(x as usize, y as usize) } else { IGNORED }
    }
}

fn bytes(values: &[f32], side: usize) -> Plane<Rgb> {
    to_plane(values, (side, side))
}

fn to_plane(values: &[f32], (width, height): (usize, usize)) -> Plane<Rgb> {
    let byte = |v: f32| (v + 0.5) as u8;
    Plane::from_fn(width, height, |x, y| {
        let pixel = &values[3 * (y * width + x)..];
        [byte(pixel[0]), byte(pixel[1]), byte(pixel[2])]
    })
}

fn spoiled(values: Vec<f32>, side: usize, random: &mut ChaCha8Rng) -> Plane<Rgb> {
    spoiled_of(values, (side, side), random)
}

/// The picture under another light, blurred by motion, with noise, compressed.
fn spoiled_of(mut values: Vec<f32>, size: (usize, usize), random: &mut ChaCha8Rng) -> Plane<Rgb> {
    relight(&mut values, random);
    if random.random_bool(0.4) {
        values = motion_blur(&values, size, random);
    }
    if random.random_bool(0.5) {
        let strength = random.random_range(1.0..8.0f32);
        for value in &mut values {
            // Four uniform numbers add up to nearly a normal one, whose variance is 4/12.
            let sum: f32 = (0..4).map(|_| random.random::<f32>()).sum();
            *value += strength * 3f32.sqrt() * (sum - 2.0);
        }
    }
    values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
    let plane = to_plane(&values, size);
    if random.random_bool(0.7) { compressed(&plane, random.random_range(25..=80)) } else { plane }
}

/// Exposure, contrast and tint.
fn relight(values: &mut [f32], random: &mut ChaCha8Rng) {
    let exposure = random.random_range(-0.5..0.5f32).exp2();
    let gamma = random.random_range(-0.3..0.3f32).exp2();
    let tint: [f32; 3] = std::array::from_fn(|_| random.random_range(0.92..1.08));
    let table: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|level| {
            let light = (level as f32 / 255.0).powf(gamma) * exposure * tint[channel];
            (light * 255.0).min(255.0)
        })
    });
    for pixel in values.as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(&table) {
            let level = (*value as usize).min(254);
            *value = table[level] + (table[level + 1] - table[level]) * (*value - level as f32);
        }
    }
}

/// The mean along a line of 2 to 9 pixels in any direction.
fn motion_blur(values: &[f32], (width, height): (usize, usize), random: &mut ChaCha8Rng) -> Vec<f32> {
    let length = random.random_range(2.0..9.0f32);
    let (sine, cosine) = random.random_range(0.0..std::f32::consts::PI).sin_cos();
    let taps = length.ceil() as i32 + 1;
    let offsets: Vec<(i32, i32)> = (0..taps)
        .map(|i| {
            let along = length * (i as f32 / (taps - 1) as f32 - 0.5);
            ((along * cosine).round() as i32, (along * sine).round() as i32)
        })
        .collect();
    let mut out = Vec::with_capacity(values.len());
    let within = |value: i32, length: usize| value.clamp(0, length as i32 - 1) as usize;
    for y in 0..height as i32 {
        for x in 0..width as i32 {
            let mut sums = [0.0; 3];
            for (dx, dy) in &offsets {
                let from = 3 * (within(y + dy, height) * width + within(x + dx, width));
                sums.iter_mut().zip(&values[from..from + 3]).for_each(|(sum, v)| *sum += v);
            }
            out.extend(sums.map(|sum| sum / taps as f32));
        }
    }
    out
}

/// What JPEG of that quality leaves of a picture.
fn compressed(plane: &Plane<Rgb>, quality: u8) -> Plane<Rgb> {
    let (width, height) = plane.size();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .write_image(plane.data().as_flattened(), width as u32, height as u32, ExtendedColorType::Rgb8)
        .expect("memory takes any number of bytes, and crops are small");
    picture::decode(&file).expect("it was just encoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Picture {
        let image = Plane::from_fn(400, 300, |x, y| [(x / 2) as u8, (y / 2) as u8, ((x / 20 + y / 20) % 2 * 90) as u8]);
        let labels = Plane::from_fn(400, 300, |x, y| (x / 20 % 3 + y / 20 % 2) as u8);
        Picture { image, labels: Some(labels) }
    }

    #[test]
    fn the_same_numbers_give_the_same_views() {
        let views = |step| of(&scene(), 129, &mut random(11, step, 3));
        let [a, b, other] = [views(5), views(5), views(6)];
        assert_eq!(a.seen, b.seen);
        assert_eq!((a.truth.labels.clone(), a.truth.shift), (b.truth.labels.clone(), b.truth.shift));
        assert_ne!(a.seen, other.seen);
        assert_ne!(a.seen[0], a.seen[1]);
    }

    #[test]
    fn the_second_view_is_moved_by_what_is_told() {
        let scene = scene();
        for step in 0..20 {
            let mut numbers = random(1, step, 0);
            let scale = 1.0;
            let shift = (numbers.random_range(-SHIFT..=SHIFT), numbers.random_range(-SHIFT..=SHIFT));
            let place = Place { scale, mirrored: step % 2 == 0, left: 60.0, top: 50.0, side: 97 };
            let [first, second] = [(0, 0), shift].map(|s| to_plane(&place.crop(&scene.image, (400, 300), s), (97, 97)));
            for y in 12..85 {
                for x in 12..85 {
                    let there = ((x as i32 - shift.0) as usize, (y as i32 - shift.1) as usize);
                    assert_eq!(first.get(x, y), second.get(there.0, there.1));
                }
            }
        }
    }

    #[test]
    fn labels_lie_under_their_pixels() {
        // A picture whose colour is its label.
        let labels = Plane::from_fn(300, 260, |x, y| (x / 30 + 10 * (y / 26)) as u8);
        let image = labels.map(|&label| [label; 3]);
        for mirrored in [false, true] {
            let place = Place { scale: 1.0, mirrored, left: 40.0, top: 30.0, side: 129 };
            let crop = to_plane(&place.crop(&image, (300, 260), (0, 0)), (129, 129));
            for (x, y) in [(0, 0), (64, 32), (128, 128), (16, 100)] {
                assert_eq!(place.label(&labels, (x, y)), crop.get(x, y)[0], "{mirrored} {x} {y}");
            }
        }
    }
}
