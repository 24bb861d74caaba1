//! Which parts of a picture a verdict hangs on, for eyes.

use steadymask_core::{Plane, Rgb};
use steadymask_models::HeatMap;

/// Where the picture speaks for the verdict.
pub const FOR: Rgb = [230, 60, 40];
/// Where it speaks against it.
pub const AGAINST: Rgb = [50, 90, 230];
/// Log-odds that are drawn in full at least: a map of next to nothing stays pale.
const FULL: f32 = 1.0;
/// How much of a pixel the strongest tint takes.
const STRENGTH: f32 = 0.7;

/// The picture in gray, its parts tinted by what blurring them does to the verdict.
///
/// # Panics
/// When the map is of another picture.
pub fn draw(picture: &Plane<Rgb>, map: &HeatMap) -> Plane<Rgb> {
    assert_eq!(picture.size(), map.fall.size(), "picture and map must be of one size");
    let luma = picture.luma();
    let full = map.greatest.max(FULL);
    Plane::from_fn(picture.width(), picture.height(), |x, y| {
        let fall = map.fall.get(x, y);
        let tint = if fall > 0.0 { FOR } else { AGAINST };
        let part = STRENGTH * fall.abs() / full;
        let gray = f32::from(luma.get(x, y));
        tint.map(|tint| (gray + (f32::from(tint) - gray) * part).round() as u8)
    })
}
