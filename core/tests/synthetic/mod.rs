//! A small clip made of whole numbers only, so that it is the same everywhere.
#![allow(dead_code, reason = "each test file uses a part of it")]

use steadymask_core::{Plane, Rgb};

pub const WIDTH: usize = 96;
pub const HEIGHT: usize = 64;
pub const FRAMES: usize = 12;
/// A new scene begins here.
pub const CUT: usize = 8;

/// Frames and their probabilities in two classes: a textured disk that moves over a textured ground which moves
/// the other way, and a still square; sensor noise, ragged probabilities, and now and then the disk is not seen.
pub fn clip() -> Vec<(Plane<Rgb>, Vec<Plane<u8>>)> {
    let mut random = Random(0x2545_f491);
    (0..FRAMES).map(|t| frame(t, &mut random)).collect()
}

/// Whether pixel `(x, y)` of frame `t` lies in the disk.
pub fn disk_at(t: usize, x: usize, y: usize) -> bool {
    let (t, x, y) = (t as i32, x as i32, y as i32);
    (x - 30 - 2 * t).pow(2) + (y - 30 - t).pow(2) < 15 * 15
}

fn frame(t: usize, random: &mut Random) -> (Plane<Rgb>, Vec<Plane<u8>>) {
    let scene = u32::from(t >= CUT);
    let in_square = |x: usize, y: usize| (60..90).contains(&x) && (5..25).contains(&y);
    let color = Plane::from_fn(WIDTH, HEIGHT, |x, y| {
        let (disk, square) = (disk_at(t, x, y), in_square(x, y));
        let (t, x, y) = (t as i32, x as i32, y as i32);
        let seed = 7 * scene;
        let base = if disk {
            [texture(x - 2 * t, y - t, 4, seed + 1), texture(x - 2 * t, y - t, 8, seed + 2), 200]
        } else if square {
            [40, texture(x, y, 4, seed + 3), texture(x, y, 8, seed + 4)]
        } else {
            [texture(x + t, y, 8, seed + 5), texture(x + t, y, 4, seed + 6), 90]
        };
        base.map(|v| (v + random.below(9) as i32 - 4).clamp(0, 255) as u8)
    });
    let missed = t % 4 == 2;
    let mut probability = |inside: bool| if inside { 150 + random.below(106) } else { random.below(90) } as u8;
    let disk = Plane::from_fn(WIDTH, HEIGHT, |x, y| probability(disk_at(t, x, y) && !missed));
    let square = Plane::from_fn(WIDTH, HEIGHT, |x, y| probability(in_square(x, y)));
    (color, vec![disk, square])
}

/// Whether pixel `(x, y)` of frame `t` of [`spinning`] lies in the object: a hub that moves, with a thin bar that turns
/// about it too fast for flow.
fn in_spinning(t: usize, x: usize, y: usize) -> bool {
    const DIRECTIONS: [[i32; 2]; 8] = [[16, 0], [15, 6], [11, 11], [6, 15], [0, 16], [-6, 15], [-11, 11], [-15, 6]];
    let [dx, dy] = DIRECTIONS[t % 8];
    let (u, v) = (x as i32 - 24 - t as i32, y as i32 - 32);
    let (along, across) = (u * dx + v * dy, u * dy - v * dx);
    u * u + v * v < 8 * 8 || (along.abs() < 20 * 16 && across.abs() < 16)
}

/// Frames of one shot, and where the object is in them, 0 or 255.
pub fn spinning(frames: usize) -> Vec<(Plane<Rgb>, Plane<u8>)> {
    let frame = |t: usize| {
        let color = Plane::from_fn(WIDTH, HEIGHT, |x, y| {
            let object = in_spinning(t, x, y);
            let (t, x, y) = (t as i32, x as i32, y as i32);
            let base = if object {
                [texture(x - t, y, 4, 1), 60, 190]
            } else {
                [texture(x, y, 8, 5), texture(x, y, 4, 6), 90]
            };
            base.map(|v| v as u8)
        });
        (color, Plane::from_fn(WIDTH, HEIGHT, |x, y| if in_spinning(t, x, y) { 255 } else { 0 }))
    };
    (0..frames).map(frame).collect()
}

/// Bilinear value noise, 0 to 255, with a lattice of `step` pixels.
fn texture(x: i32, y: i32, step: i32, seed: u32) -> i32 {
    let (column, row) = (x.div_euclid(step), y.div_euclid(step));
    let (fx, fy) = (x.rem_euclid(step), y.rem_euclid(step));
    let lattice = |column: i32, row: i32| {
        let mut random =
            Random(seed.wrapping_mul(0x9e37_79b9) ^ (column as u32) << 16 ^ (row as u32 & 0xffff) ^ 0x51ed);
        random.below(256);
        random.below(256) as i32
    };
    let mix = |row: i32| lattice(column, row) * (step - fx) + lattice(column + 1, row) * fx;
    (mix(row) * (step - fy) + mix(row + 1) * fy) / (step * step)
}

/// Marsaglia's xorshift32.
pub struct Random(pub u32);

impl Random {
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) % bound
    }
}
