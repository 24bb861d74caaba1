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

/// Calls `work(y, row)` for every row of the plane, in any order.
pub(crate) fn rows<T: Send>(plane: &mut Plane<T>, work: impl Fn(usize, &mut [T]) + Sync) {
    let width = plane.width();
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        // Few large pieces: a row alone is too little work to hand over.
        let rows = plane.height().div_ceil(4 * rayon::current_num_threads()).max(1);
        plane.data_mut().par_chunks_mut(width * rows).enumerate().for_each(|(i, band)| {
            band.chunks_exact_mut(width).enumerate().for_each(|(dy, row)| work(i * rows + dy, row));
        });
    }
    #[cfg(not(feature = "parallel"))]
    plane.data_mut().chunks_exact_mut(width).enumerate().for_each(|(y, row)| work(y, row));
}
