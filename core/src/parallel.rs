//! Work shared out to the threads there are, with the same result for any number of them: each piece writes its own
//! rows. With the feature `parallel` it is rayon's pool; without it, as in WASM, one thread does all.

use crate::Plane;
#[cfg(feature = "parallel")]
pub use awake::look_for_work;

/// Does work that consists of many small pieces for the pool, one after another, in a thread of the pool; until it is
/// done, others do not fall asleep between two pieces, since to wake one takes as long as a piece does.
pub fn inside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "parallel")]
    return rayon::scope(|_| {
        let _awake = awake::Awake::new();
        work()
    });
    #[cfg(not(feature = "parallel"))]
    work()
}

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

#[cfg(feature = "parallel")]
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

    /// More threads are of little use to pieces that are so small that threads fall asleep between them.
    const MOST: usize = 8;
    /// So often a thread looks for work in vain before others may have its processor: longer than a small piece takes.
    const BRIEFLY: usize = 1000;
    /// So often before it gives up: for half a millisecond or so.
    const PATIENCE: usize = 2000;

    /// While it lives, threads of the pool do not sleep between two pieces of work.
    pub(super) struct Awake(Arc<AtomicBool>);

    impl Awake {
        /// To be called in a thread of the pool.
        pub(super) fn new() -> Self {
            let (done, caller) = (Arc::new(AtomicBool::new(false)), rayon::current_thread_index());
            for _ in 1..rayon::current_num_threads().min(MOST) {
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

    /// Does the pool's work as it comes, until `done`. It gives up in the end, since whoever it is to help may wait for
    /// what this thread was doing before.
    pub fn look_for_work(done: &AtomicBool) {
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
