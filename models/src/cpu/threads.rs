//! Work shared out to the threads of rayon's pool, with the same result for any number of them: each piece has its own
//! place to write to. In the browser one thread does all.
//!
//! A small network is a hundred layers of 50 microseconds each. What is shared out is as many pieces as there are
//! threads, or a multiple, so that none waits for another; and the threads are kept awake from layer to layer
//! (`steadymask_core::parallel`).

/// How many threads there are.
pub(super) fn count() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    1
}

/// The length of pieces that are as large as each other, no larger than `most`, and a multiple of the threads.
pub(super) fn share(total: usize, most: usize) -> usize {
    let pieces = total.div_ceil(most.max(1)).next_multiple_of(count());
    total.div_ceil(pieces).max(1)
}

/// Calls `work(piece)` for each, in any order.
pub(super) fn each<T: Send>(pieces: Vec<T>, work: impl Fn(T) + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    if pieces.len() > 1 && count() > 1 {
        return awake::each(pieces, &work);
    }
    pieces.into_iter().for_each(work);
}

/// Calls `work(index, piece)` for every `len` of `data`, in any order.
pub(crate) fn pieces(data: &mut [f32], len: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    each(data.chunks_mut(len).enumerate().collect(), |(index, piece)| work(index, piece));
}

#[cfg(not(target_arch = "wasm32"))]
mod awake {
    use std::sync::atomic::{AtomicBool, Ordering::Release};

    use steadymask_core::parallel::look_for_work;

    /// Calls `work(piece)` for each, in any order. Who waits for another's pieces does not sleep either.
    pub(super) fn each<T: Send>(mut pieces: Vec<T>, work: &(impl Fn(T) + Sync)) {
        if pieces.len() < 2 {
            return pieces.into_iter().for_each(work);
        }
        let others = pieces.split_off(pieces.len().div_ceil(2));
        let done = AtomicBool::new(false);
        rayon::join(
            || {
                each(pieces, work);
                look_for_work(&done);
            },
            || {
                each(others, work);
                done.store(true, Release);
            },
        );
    }
}
