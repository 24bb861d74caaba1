//! Work shared out to the threads of rayon's pool, with the same result for any number of them: each piece has its own
//! place to write to. In the browser one thread does all.
//!
//! A small network is a hundred layers of 50 microseconds each. What is shared out is as many pieces as there are
//! threads, or a multiple, so that none waits for another; and the threads are kept awake from layer to layer.

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

/// Does it among the pool's threads, so that [`pieces`] need not be handed over each time.
pub(super) fn inside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::scope(|_| {
        let _awake = awake::Awake::new();
        work()
    });
    #[cfg(target_arch = "wasm32")]
    work()
}

#[cfg(not(target_arch = "wasm32"))]
mod awake {
    use std::{
        hint,
        sync::{
            Arc,
            atomic::{
                AtomicBool,
                Ordering::{Acquire, Release},
            },
        },
        thread,
    };

    use rayon::Yield;

    /// More threads are of little use to a network that is so small that they fall asleep.
    const MOST: usize = 8;
    /// So often a thread looks for work in vain before others may have its processor: longer than a small layer takes.
    const BRIEFLY: usize = 1000;
    /// So often before it gives up: for half a millisecond or so.
    const PATIENCE: usize = 2000;

    /// While it lives, threads of the pool do not sleep between two layers: to wake one takes as long as a layer does.
    pub(super) struct Awake(Arc<AtomicBool>);

    impl Awake {
        /// To be called in a thread of the pool.
        pub(super) fn new() -> Self {
            let (done, caller) = (Arc::new(AtomicBool::new(false)), rayon::current_thread_index());
            for _ in 1..super::count().min(MOST) {
                let done = Arc::clone(&done);
                rayon::spawn(move || {
                    // The caller, while it waits for a piece, has better to do.
                    if rayon::current_thread_index() != caller {
                        look_for_work(&done);
                    }
                });
            }
            Self(done)
        }
    }

    impl Drop for Awake {
        fn drop(&mut self) {
            self.0.store(true, Release);
        }
    }

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

    /// Does the pool's work as it comes. It gives up in the end, since the network that it is to help may wait for what
    /// this thread was doing before.
    fn look_for_work(done: &AtomicBool) {
        let mut in_vain = 0;
        while in_vain < PATIENCE && !done.load(Acquire) {
            if rayon::yield_now() == Some(Yield::Executed) {
                in_vain = 0;
            } else {
                in_vain += 1;
                if in_vain < BRIEFLY { hint::spin_loop() } else { thread::yield_now() }
            }
        }
    }
}
