//! A network on a GPU, and what is done when the GPU fails: a batch that its memory does not hold is halved, and where
//! the GPU was not asked for by name, the CPU takes over.

mod open;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use crate::{
    DeviceReport,
    cpu::Engine,
    net::{Batch, Graph, OnBurn},
};

pub(crate) use open::{Gpu, open};

/// How a device failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In words.
    reason: String,
    /// Whether its memory was too small.
    memory: bool,
}

impl Fault {
    /// What burn and the drivers below it say, without the lists of calls in between. A want of memory is at the bottom of
    /// much else that is told, and is told alone.
    fn new(said: &str) -> Self {
        const LONGEST: usize = 300;
        const SIGNS: [&str; 5] =
            ["out of memory", "out of device memory", "out of host memory", "can't allocate", "not enough memory"];
        let is_call = |line: &str| {
            let number = line.split(':').next().unwrap_or_default();
            line.starts_with("Backtrace") || line.starts_with("at ") || number.parse::<u32>().is_ok()
        };
        let wants_memory = |line: &&str| {
            let plain = line.to_lowercase().replace(['-', '_'], " ");
            SIGNS.iter().any(|sign| plain.contains(sign))
        };
        let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !is_call(line)).collect();
        let want = lines.iter().copied().find(wants_memory);
        let telling = want.map_or(lines, |want| vec![want]);
        let words: Vec<_> = telling.into_iter().flat_map(str::split_whitespace).collect();
        Self { reason: words.join(" ").chars().take(LONGEST).collect(), memory: want.is_some() }
    }
}

/// What `work` gives, or in words what it panicked with.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Fault::new(text.unwrap_or("it stopped without a word")).reason
    })
}

/// A network on a device that may fail.
pub(crate) trait Fallible: fmt::Debug + Send + Sync {
    /// The outputs for a batch, or how the device failed. It may panic.
    fn run(&self, input: Batch) -> Pin<Box<dyn Future<Output = Result<Vec<Batch>, Fault>> + '_>>;
}

impl Fallible for OnBurn {
    fn run(&self, input: Batch) -> Pin<Box<dyn Future<Output = Result<Vec<Batch>, Fault>> + '_>> {
        Box::pin(async { self.run(input).await.map_err(|said| Fault::new(&said)) })
    }
}

/// A network on a GPU.
#[derive(Debug)]
pub(crate) struct OnGpu {
    network: Box<dyn Fallible>,
    /// The network on the CPU, which takes over when the GPU fails.
    spare: Option<Engine>,
    learned: Mutex<Learned>,
}

/// What was learned of the GPU while it ran.
#[derive(Debug)]
struct Learned {
    /// Frames that its memory holds at once, as far as is known.
    most: usize,
    /// Why it is not asked any more.
    given_up: Option<String>,
}

impl OnGpu {
    /// Brings the network to a GPU.
    ///
    /// # Errors
    /// In words, when the GPU fails.
    pub(crate) fn new(graph: &Graph, gpu: Gpu) -> Result<Self, String> {
        caught(|| OnBurn::new(graph, gpu.device)).map(|network| Self::of(Box::new(network)))
    }

    pub(crate) fn of(network: Box<dyn Fallible>) -> Self {
        Self { network, spare: None, learned: Mutex::new(Learned { most: usize::MAX, given_up: None }) }
    }

    /// The same with the network on the CPU to take over when the GPU fails.
    pub(crate) fn with_spare(self, spare: Engine) -> Self {
        Self { spare: Some(spare), ..self }
    }

    /// The network's first output for frames that `prepare` makes its input, in their order.
    ///
    /// # Errors
    /// In words, when the GPU fails and there is nothing to take over.
    pub(crate) async fn run<T>(&self, frames: &[T], prepare: impl Fn(&[T]) -> Batch) -> Result<Batch, String> {
        let mut done = Batch { values: Vec::new(), shape: [0; 4] };
        let mut rest = frames;
        while !rest.is_empty() {
            let most = self.learned().most;
            let (piece, later) = rest.split_at(rest.len().min(most));
            match self.attempt(prepare(piece)).await {
                Ok(logits) => {
                    done.values.extend(logits.values);
                    done.shape = [done.shape[0] + piece.len(), logits.shape[1], logits.shape[2], logits.shape[3]];
                    rest = later;
                }
                Err(fault) => self.learn(fault, piece.len())?,
            }
        }
        Ok(done)
    }

    /// The network's first output.
    async fn attempt(&self, input: Batch) -> Result<Batch, Fault> {
        let given_up = self.learned().given_up.is_some();
        let mut outputs = match &self.spare {
            Some(engine) if given_up => engine.run(&input),
            _ => {
                let mut future = pin!(async { self.network.run(input).await });
                let poll = |context: &mut std::task::Context<'_>| match caught(|| future.as_mut().poll(context)) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(outputs)) => Poll::Ready(outputs),
                    Err(said) => Poll::Ready(Err(Fault::new(&said))),
                };
                std::future::poll_fn(poll).await?
            }
        };
        Ok(outputs.swap_remove(0))
    }

    /// Draws the consequence of a fault that `count` frames met.
    ///
    /// # Errors
    /// The fault, in words, when there is none to draw.
    fn learn(&self, fault: Fault, count: usize) -> Result<(), String> {
        let mut learned = self.learned();
        if fault.memory && count > 1 {
            learned.most = learned.most.min(count / 2);
        } else if self.spare.is_some() {
            learned.given_up = Some(fault.reason);
        } else {
            return Err(fault.reason);
        }
        Ok(())
    }

    /// What was learned of the GPU that its user should know, in words.
    pub(crate) fn trouble(&self) -> Option<String> {
        let learned = self.learned();
        match (&learned.given_up, learned.most) {
            (Some(reason), _) => Some(format!("it failed, and the CPU took over: {reason}")),
            (None, usize::MAX) => None,
            (None, 1) => Some("its memory holds one frame at once, so the network sees one at a time".into()),
            (None, most) => Some(format!("its memory holds {most} frames at once, so batches are as small")),
        }
    }

    /// `chosen`, the report of when the GPU was opened, with what was learned since.
    pub(crate) fn report(&self, chosen: &DeviceReport) -> DeviceReport {
        match self.trouble() {
            None => chosen.clone(),
            Some(trouble) => {
                let reason = format!("{}; {trouble}", chosen.reason);
                let given_up = self.learned().given_up.is_some();
                if given_up { DeviceReport::cpu(reason) } else { DeviceReport { name: chosen.name.clone(), reason } }
            }
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;

    /// A device whose result for a frame is the frame, and which fails as it is told.
    #[derive(Debug)]
    struct Faulty {
        /// Frames that it holds at once.
        room: usize,
        /// What it says when there are more; none panics with it.
        says: Result<&'static str, &'static str>,
        /// Batches that it still computes at all.
        life: Mutex<usize>,
        seen: std::sync::Arc<Mutex<Vec<usize>>>,
    }

    impl Fallible for Faulty {
        fn run(&self, input: Batch) -> Pin<Box<dyn Future<Output = Result<Vec<Batch>, Fault>> + '_>> {
            Box::pin(async move {
                let count = input.shape[0];
                self.seen.lock().expect("whole").push(count);
                let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
                if *life == 0 {
                    return Err(Fault::new("the device was lost"));
                }
                if count > self.room {
                    match self.says {
                        Ok(said) => return Err(Fault::new(said)),
                        Err(said) => panic!("{said}"),
                    }
                }
                *life -= 1;
                Ok(vec![input])
            })
        }
    }

    const CUDA: &str =
        "An out-of-memory error happened during launch\nCaused by:\n  CUDA_ERROR_OUT_OF_MEMORY\nBacktrace\n   0: f";

    /// That device, and the sizes of the batches that it saw.
    fn faulty(
        room: usize,
        life: usize,
        says: Result<&'static str, &'static str>,
    ) -> (OnGpu, std::sync::Arc<Mutex<Vec<usize>>>) {
        let seen = std::sync::Arc::default();
        let device = Faulty { room, says, life: Mutex::new(life), seen: std::sync::Arc::clone(&seen) };
        (OnGpu::of(Box::new(device)), seen)
    }

    fn run(gpu: &OnGpu, frames: std::ops::Range<usize>) -> Result<Batch, String> {
        let frames: Vec<_> = frames.collect();
        let prepare = |frames: &[usize]| Batch {
            values: frames.iter().flat_map(|&frame| [frame as f32, -(frame as f32)]).collect(),
            shape: [frames.len(), 2, 1, 1],
        };
        block_on(gpu.run(&frames, prepare))
    }

    /// What a device that never fails gives.
    fn whole(frames: std::ops::Range<usize>) -> Batch {
        Batch {
            shape: [frames.len(), 2, 1, 1],
            values: frames.flat_map(|frame| [frame as f32, -(frame as f32)]).collect(),
        }
    }

    #[test]
    fn without_memory_the_batch_is_halved_once_and_for_all() {
        for says in [Ok(CUDA), Ok("out of device memory allocating 5 bytes"), Err(CUDA), Err("can't allocate buffer")] {
            let (gpu, seen) = faulty(3, usize::MAX, says);
            assert_eq!(gpu.trouble(), None);
            assert_eq!(run(&gpu, 0..13), Ok(whole(0..13)));
            assert_eq!(*seen.lock().expect("whole"), [13, 6, 3, 3, 3, 3, 1], "{says:?}");
            assert_eq!(run(&gpu, 13..18), Ok(whole(13..18)));
            assert_eq!(seen.lock().expect("whole")[7..], [3, 2], "it is remembered");
            let trouble = gpu.trouble().expect("it is told");
            assert!(trouble.contains("3 frames at once"), "{trouble}");
            let chosen = DeviceReport { name: "cuda".into(), reason: "there is one".into() };
            let expected = format!("there is one; {trouble}");
            assert_eq!(gpu.report(&chosen), DeviceReport { reason: expected, ..chosen });
        }
    }

    #[test]
    fn a_gpu_that_does_not_hold_one_frame_fails() {
        let (gpu, seen) = faulty(0, usize::MAX, Ok(CUDA));
        let reason = run(&gpu, 0..4).expect_err("no room");
        assert!(reason.contains("out-of-memory error") && !reason.contains("Backtrace"), "{reason}");
        assert_eq!(*seen.lock().expect("whole"), [4, 2, 1]);
    }

    #[test]
    fn other_faults_are_told_at_once() {
        let (gpu, seen) = faulty(2, usize::MAX, Err("RecvError"));
        assert_eq!(run(&gpu, 0..4), Err("RecvError".into()));
        assert_eq!(*seen.lock().expect("whole"), [4]);
        assert_eq!(run(&gpu, 0..0), Ok(Batch { values: Vec::new(), shape: [0; 4] }));
    }

    #[test]
    fn panics_are_told_in_their_words() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| panic!("no {}", "driver")), Err::<(), _>("no driver".into()));
        assert_eq!(caught(|| std::panic::panic_any(7)), Err::<(), _>("it stopped without a word".into()));
    }

    #[test]
    fn words_on_memory_are_told_from_others() {
        for said in ["VK_ERROR_OUT_OF_DEVICE_MEMORY", "Out of memory", "Not enough memory left", CUDA] {
            assert!(Fault::new(said).memory, "{said}");
        }
        for said in
            ["the device was lost", "an illegal memory access was encountered", "Too much shared memory requested."]
        {
            assert!(!Fault::new(said).memory, "{said}");
        }
    }
}
