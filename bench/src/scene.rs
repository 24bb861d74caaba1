//! Pictures made from a fixed seed.

/// Value noise in four octaves, 0 to 1: fine and coarse texture, defined between pixels too.
#[derive(Clone, Copy)]
pub struct Texture(pub u32);

impl Texture {
    pub fn at(self, x: f64, y: f64) -> f64 {
        const OCTAVES: [(f64, f64); 4] = [(61.0, 0.35), (23.0, 0.3), (9.0, 0.2), (4.0, 0.15)];
        OCTAVES.iter().zip(0..).map(|(&(scale, share), octave)| share * self.noise(x / scale, y / scale, octave)).sum()
    }

    /// Random values at whole places, smooth between.
    fn noise(self, x: f64, y: f64, octave: u32) -> f64 {
        let (left, top) = (x.floor(), y.floor());
        let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
        let (fx, fy) = (smooth(x - left), smooth(y - top));
        let value = |dx: i64, dy: i64| {
            let (x, y) = ((left as i64 + dx) as u32, (top as i64 + dy) as u32);
            let hash = mixed(x ^ mixed(y ^ mixed(self.0 ^ octave << 16)));
            f64::from(hash >> 8) / f64::from(1 << 24)
        };
        let row = |dy: i64| value(0, dy) + fx * (value(1, dy) - value(0, dy));
        let (above, below) = (row(0), row(1));
        above + fy * (below - above)
    }
}

/// Thirty-two bits well stirred (the finaliser of MurmurHash3).
fn mixed(mut bits: u32) -> u32 {
    bits = (bits ^ bits >> 16).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ bits >> 13).wrapping_mul(0xc2b2_ae35);
    bits ^ bits >> 16
}

fn byte(value: f64) -> u8 {
    (255.0 * value + 0.5) as u8
}

/// A picture of probabilities: blobs with ragged edges, some of them certain.
pub fn probabilities(width: usize, height: usize) -> Vec<u8> {
    let texture = Texture(1);
    pixels(width, height).map(|(x, y)| byte(4.0 * (texture.at(x, y) - 0.5) + 0.5)).collect()
}

fn pixels(width: usize, height: usize) -> impl Iterator<Item = (f64, f64)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (x as f64, y as f64)))
}

/// A clip as RGB bytes, then its probabilities: a textured disc over a ground that moves the other way, both also
/// growing; the disc's probability is ragged and noisy, and now and then it is missed.
pub fn clip((width, height): (usize, usize), frames: usize) -> Vec<u8> {
    let side = width.min(height) as f64;
    let (mut rgb, mut probabilities) = (Vec::new(), Vec::new());
    for t in 0..frames {
        let time = t as f64;
        let (cx, cy) = (0.4 * width as f64 + 2.3 * time, 0.5 * height as f64 - 0.8 * time);
        let missed = t % 7 == 3;
        for (x, y) in pixels(width, height) {
            let (dx, dy) = ((x - cx) / (1.0 + 0.004 * time), (y - cy) / (1.0 + 0.004 * time));
            let inside = 0.3 * side - (dx * dx + dy * dy).sqrt();
            let at = if inside > 0.0 { (dx, dy) } else { (x + 1.2 * time + 997.0, y - 0.5 * time + 997.0) };
            rgb.extend([2, 3, 4].map(|channel| byte(1.8 * (Texture(channel).at(at.0, at.1) - 0.5) + 0.5)));
            let noise = Texture(5 + t as u32).at(x, y) - 0.5;
            let seen = if missed { 0.1 } else { 0.5 + inside / 12.0 };
            probabilities.push(byte(seen.clamp(0.05, 0.95) + 0.5 * noise));
        }
    }
    rgb.extend(probabilities);
    rgb
}

/// Two frames of luma, one after the other, between which every point moves as `motion` says: the point `(x, y)` of
/// the first lies at `(x, y) + motion(x, y)` in the second.
pub fn pair((width, height): (usize, usize), seed: u32, motion: impl Fn(f64, f64) -> [f64; 2]) -> Vec<u8> {
    let texture = Texture(seed);
    // Both frames are means of 2×2 samples a pixel.
    let draw = |at: &dyn Fn(f64, f64) -> [f64; 2]| {
        let pixel = |(x, y): (f64, f64)| {
            let samples = [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)];
            let sum: f64 = samples
                .iter()
                .map(|(dx, dy)| {
                    let [x, y] = at(x + dx, y + dy);
                    texture.at(x, y)
                })
                .sum();
            byte(1.8 * (sum / 4.0 - 0.5) + 0.5)
        };
        pixels(width, height).map(pixel).collect::<Vec<u8>>()
    };
    let first = draw(&|x, y| {
        let [u, v] = motion(x, y);
        [x + u, y + v]
    });
    [first, draw(&|x, y| [x, y])].concat()
}
