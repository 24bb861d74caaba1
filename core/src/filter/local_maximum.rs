use crate::{Plane, simd::vectorised};

/// For each pixel the largest value within `radius` columns and rows of it; beyond the edge there is nothing.
pub fn local_maximum(plane: &Plane<u8>, radius: usize) -> Plane<u8> {
    let (width, height) = plane.size();
    let (stride, window) = (width + 2 * radius, 2 * radius + 1);
    let mut padded = vec![0; stride * (height + 2 * radius)];
    for (y, row) in padded[radius * stride..].chunks_exact_mut(stride).take(height).enumerate() {
        row[radius..radius + width].copy_from_slice(plane.row(y));
    }
    // A window that begins at a column of the picture ends inside its padded row.
    running_maximum(&mut padded, 1, window);
    running_maximum(&mut padded, stride, window);
    let mut out = plane.clone();
    for (y, row) in padded.chunks_exact(stride).take(height).enumerate() {
        out.row_mut(y).copy_from_slice(&row[..width]);
    }
    out
}

/// Replaces each value by the largest of the `count` values at it and every `step` after it, by doubling.
fn running_maximum(values: &mut Vec<u8>, step: usize, count: usize) {
    let mut covered = 1;
    let mut next = values.clone();
    while covered < count {
        let more = covered.min(count - covered);
        maximum(&mut next, values, &values[more * step..]);
        std::mem::swap(values, &mut next);
        covered += more;
    }
}

vectorised! {
    /// The larger of `a` and `b` at each place; where `b` has ended, `a`.
    fn maximum(out: &mut [u8], a: &[u8], b: &[u8]) {
        let (both, rest) = out.split_at_mut(b.len());
        for ((out, &a), &b) in both.iter_mut().zip(a).zip(b) {
            *out = a.max(b);
        }
        rest.copy_from_slice(&a[b.len()..]);
    }
}
