//! Work shared out to the threads of rayon's pool, with the same result for any number of them: each piece has its own
//! place to write to. In the browser one thread does all.

#[cfg(not(target_arch = "wasm32"))]
use rayon::prelude::*;

/// How many threads there are.
pub(super) fn count() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    1
}

/// Calls `work(index, piece)` for every `len` of `data`, in any order.
pub(crate) fn pieces(data: &mut [f32], len: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    if data.len() > len && count() > 1 {
        return data.par_chunks_mut(len).enumerate().for_each(|(index, piece)| work(index, piece));
    }
    data.chunks_mut(len).enumerate().for_each(|(index, piece)| work(index, piece));
}

/// Does it among the pool's threads, so that [`pieces`] need not be handed over each time.
pub(super) fn inside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::scope(|_| work());
    #[cfg(target_arch = "wasm32")]
    work()
}
