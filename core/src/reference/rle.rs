//! COCO's run lengths, pixel by pixel and digit by digit.

use crate::BitMask;

/// Twin of [`Rle::encode`](crate::Rle::encode).
pub fn encode(mask: &BitMask) -> Vec<u32> {
    let (width, height) = mask.size();
    let mut counts = vec![0];
    let mut inside = false;
    for x in 0..width {
        for y in 0..height {
            if mask.get(x, y) != inside {
                inside = !inside;
                counts.push(0);
            }
            *counts.last_mut().expect("it begins with one") += 1;
        }
    }
    counts
}

/// Twin of [`Rle::decode`](crate::Rle::decode), for lengths that add up.
pub fn decode(counts: &[u32], width: usize, height: usize) -> BitMask {
    let runs = counts.iter().enumerate();
    let pixels: Vec<bool> = runs.flat_map(|(i, &count)| vec![i % 2 == 1; count as usize]).collect();
    BitMask::from_fn(width, height, |x, y| pixels[x * height + y])
}

/// Twin of [`Rle::text`](crate::Rle::text): each number in the fewest digits of base 32 whose two's complement it is.
pub fn text(counts: &[u32]) -> String {
    let mut text = String::new();
    for (i, &count) in counts.iter().enumerate() {
        let number = i64::from(count) - if i > 2 { i64::from(counts[i - 2]) } else { 0 };
        let digits = (1..).find(|&n| (-(1 << (5 * n - 1))..1 << (5 * n - 1)).contains(&number)).expect("it is finite");
        let mut value = number.rem_euclid(1 << (5 * digits));
        for digit in 1..=digits {
            let more = if digit < digits { 32 } else { 0 };
            text.push(char::from(48 + (value % 32) as u8 + more));
            value /= 32;
        }
    }
    text
}

/// Twin of [`Rle::bounds`](crate::Rle::bounds).
pub fn bounds(mask: &BitMask) -> [usize; 4] {
    let (width, height) = mask.size();
    let column = |&x: &usize| (0..height).any(|y| mask.get(x, y));
    let row = |&y: &usize| (0..width).any(|x| mask.get(x, y));
    match ((0..width).find(column), (0..width).rfind(column), (0..height).find(row), (0..height).rfind(row)) {
        (Some(left), Some(right), Some(top), Some(bottom)) => [left, top, right - left + 1, bottom - top + 1],
        _ => [0; 4],
    }
}
