//! Work shared out to the threads there are, with the same result for any number of them: each piece writes its own
//! rows. With the feature `parallel` it is rayon's pool; without it, as in WASM, one thread does all.

use crate::Plane;

/// Does both, side by side where there are threads.
pub(crate) fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    #[cfg(feature = "parallel")]
    return rayon::join(a, b);
    #[cfg(not(feature = "parallel"))]
    (a(), b())
}

/// What `work` makes of each item, in order.
pub(crate) fn map<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> U + Sync + Send) -> Vec<U> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        items.par_iter().map(work).collect()
    }
    #[cfg(not(feature = "parallel"))]
    items.iter().map(work).collect()
}

/// Calls `work(y, row)` for every row of the plane, in any order.
pub(crate) fn rows<T: Send>(plane: &mut Plane<T>, work: impl Fn(usize, &mut [T]) + Sync) {
    let width = plane.width();
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        let rows = rows_in_a_piece(plane.height());
        plane.data_mut().par_chunks_mut(width * rows).enumerate().for_each(|(i, band)| {
            band.chunks_exact_mut(width).enumerate().for_each(|(dy, row)| work(i * rows + dy, row));
        });
    }
    #[cfg(not(feature = "parallel"))]
    plane.data_mut().chunks_exact_mut(width).enumerate().for_each(|(y, row)| work(y, row));
}

/// As [`rows`], for two planes of one size.
pub(crate) fn rows_of_two<T: Send, U: Send>(
    first: &mut Plane<T>,
    second: &mut Plane<U>,
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let width = first.width();
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        let rows = rows_in_a_piece(first.height());
        let pieces = first.data_mut().par_chunks_mut(width * rows).zip(second.data_mut().par_chunks_mut(width * rows));
        pieces.enumerate().for_each(|(i, (first, second))| {
            let pairs = first.chunks_exact_mut(width).zip(second.chunks_exact_mut(width));
            pairs.enumerate().for_each(|(dy, (first, second))| work(i * rows + dy, first, second));
        });
    }
    #[cfg(not(feature = "parallel"))]
    {
        let pairs = first.data_mut().chunks_exact_mut(width).zip(second.data_mut().chunks_exact_mut(width));
        pairs.enumerate().for_each(|(y, (first, second))| work(y, first, second));
    }
}

/// Few large pieces: a row alone is too little work to hand over.
#[cfg(feature = "parallel")]
fn rows_in_a_piece(height: usize) -> usize {
    height.div_ceil(4 * rayon::current_num_threads()).max(1)
}
