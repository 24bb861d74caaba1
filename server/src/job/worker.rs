use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use steadymask_core::{Method, Settings};
use uuid::Uuid;

use super::{Job, Stage, Store};
use crate::{
    Error, Result,
    evidence::{Evidence, Kept},
    library::{Library, Record, Segmenters},
    masks::{self, Export},
    propose::propose,
    run::{self, CancelToken, Controls, Progress},
    source::Source,
};

/// How often a running job's progress is written to disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// What can be asked of a job.
#[derive(Debug, Clone)]
pub enum Task {
    /// Run the server's own network, or the one of that name, for the classes of these settings.
    Segment(Settings, Option<String>),
    /// Make the masks steady, and write them in these formats too.
    Stabilize(Settings, Vec<Export>),
}

impl Task {
    fn stage(&self) -> Stage {
        match self {
            Self::Segment(..) => Stage::Segment,
            Self::Stabilize(..) => Stage::Stabilize,
        }
    }
}

/// Why a task was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such job.
    Unknown,
    /// The job waits or runs.
    Busy,
    /// Stabilising was asked for before segmenting.
    NotSegmented,
    /// The server is about to end.
    Stopping,
    /// The state could not be written.
    Failed(Error),
}

/// All jobs of a server, and the thread that does them one after another. Clones share both.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    store: Store,
    library: Option<Library>,
    state: Mutex<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    entries: HashMap<Uuid, Entry>,
    /// `None` once the server stops.
    queue: Option<Sender<(Uuid, Task)>>,
}

struct Entry {
    job: Job,
    source: Option<Arc<Source>>,
    /// Of the stage that waits or runs.
    cancel: CancelToken,
    /// Whether the thread is at it.
    running: bool,
}

impl Entry {
    fn new(job: Job, source: Option<Arc<Source>>) -> Self {
        Self { job, source, cancel: CancelToken::default(), running: false }
    }
}

/// What a finished task changes in its job.
type Outcome = Box<dyn FnOnce(&mut Job)>;

impl Jobs {
    /// Finds the jobs of the store, marks those that were cut off by the server's end, and starts the thread.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(store: Store, segmenters: Segmenters) -> Result<Self> {
        let mut entries = HashMap::new();
        for mut job in store.load()? {
            if job.is_busy() {
                job.interrupted();
                store.save(&job)?;
            }
            entries.insert(job.job_id, Entry::new(job, None));
        }
        let (queue, tasks) = channel();
        let state = Mutex::new(State { entries, queue: Some(queue) });
        let library = segmenters.library().cloned();
        let jobs = Self(Arc::new(Shared { store, library, state, thread: Mutex::default() }));
        let worker = jobs.clone();
        let thread = std::thread::Builder::new()
            .name("worker".into())
            .spawn(move || worker.work(&tasks, segmenters))
            .map_err(Error::io("start", "worker thread".as_ref()))?;
        *locked(&jobs.0.thread) = Some(thread);
        Ok(jobs)
    }

    /// The folders.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The networks for segmentation that are kept beside the server's own.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn kept_models(&self) -> Result<Vec<Record>> {
        let mut kept = self.0.library.as_ref().map_or(Ok(Vec::new()), Library::list)?;
        kept.retain(|record| record.task == steadymask_models::Task::Segmentation);
        Ok(kept)
    }

    /// Takes a job whose video lies in the store.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&self, job: Job, source: Source) -> Result<()> {
        self.0.store.save(&job)?;
        self.state().entries.insert(job.job_id, Entry::new(job, Some(Arc::new(source))));
        Ok(())
    }

    /// The state of a job.
    pub fn get(&self, id: Uuid) -> Option<Job> {
        self.state().entries.get(&id).map(|entry| entry.job.clone())
    }

    /// The video of a job; `None` when there is no such job.
    ///
    /// # Errors
    /// As [`Source::open_video`].
    pub fn source(&self, id: Uuid) -> Option<Result<Arc<Source>>> {
        let filename = match self.state().entries.get(&id)? {
            Entry { source: Some(source), .. } => return Some(Ok(source.clone())),
            entry => entry.job.filename.clone(),
        };
        let opened = Source::open_video(&self.0.store.video(id), &filename).map(Arc::new);
        if let (Ok(source), Some(entry)) = (&opened, self.state().entries.get_mut(&id)) {
            entry.source = Some(source.clone());
        }
        Some(opened)
    }

    /// Puts a task in the queue; returns the job's new state.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn ask(&self, id: Uuid, task: Task) -> Result<Job, Refusal> {
        let mut state = self.state();
        let queue = state.queue.clone().ok_or(Refusal::Stopping)?;
        let entry = state.entries.get_mut(&id).ok_or(Refusal::Unknown)?;
        if entry.job.is_busy() {
            return Err(Refusal::Busy);
        }
        if matches!(task, Task::Stabilize(..)) && entry.job.classes.is_none() {
            return Err(Refusal::NotSegmented);
        }
        let mut job = entry.job.clone();
        job.queue(task.stage());
        self.0.store.save(&job).map_err(Refusal::Failed)?;
        (entry.job, entry.cancel) = (job.clone(), CancelToken::default());
        queue.send((id, task)).map_err(|_| Refusal::Stopping)?;
        Ok(job)
    }

    /// Stops the job's work and removes everything of it; `false` when there is no such job. Files of a running job
    /// go as soon as its thread lets go of them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&self, id: Uuid) -> Result<bool> {
        let Some(entry) = self.state().entries.remove(&id) else { return Ok(false) };
        entry.cancel.cancel();
        if !entry.running {
            self.0.store.remove(id)?;
        }
        Ok(true)
    }

    /// Cancels what runs, drops what waits, and returns when the thread has ended.
    pub fn stop(&self) {
        {
            let mut state = self.state();
            state.queue = None;
            for entry in state.entries.values() {
                entry.cancel.cancel();
            }
        }
        let thread = locked(&self.0.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the worker thread had panicked");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.0.state)
    }

    /// Changes a job, unless it was removed meanwhile, and writes its state down.
    fn update(&self, id: Uuid, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.state().entries.get_mut(&id) {
            change(entry);
            if let Err(error) = self.0.store.save(&entry.job) {
                tracing::error!(job = %id, %error, "state not saved");
            }
        }
    }

    /// The thread: one task after another.
    fn work(&self, tasks: &Receiver<(Uuid, Task)>, mut segmenters: Segmenters) {
        for (id, task) in tasks {
            let Some(cancel) = self.state().entries.get(&id).map(|entry| entry.cancel.clone()) else { continue };
            self.update(id, |entry| {
                entry.running = true;
                entry.job.begin();
            });
            let (stage, start) = (task.stage(), Instant::now());
            tracing::info!(job = %id, ?stage, "begun");
            // A panic is a defect of ours, but it must not take the other jobs with it.
            let work = std::panic::AssertUnwindSafe(|| self.run(id, task, &mut segmenters, &cancel));
            let outcome = std::panic::catch_unwind(work);
            let stopping = self.state().queue.is_none();
            let seconds = start.elapsed().as_secs_f64();
            self.update(id, |entry| {
                entry.running = false;
                match outcome {
                    Ok(Ok(finish)) => {
                        tracing::info!(job = %id, ?stage, seconds, "done");
                        finish(&mut entry.job);
                    }
                    Ok(Err(Error::Cancelled)) if stopping => entry.job.interrupted(),
                    Ok(Err(error)) => {
                        tracing::warn!(job = %id, ?stage, seconds, %error, "failed");
                        entry.job.failed(&error);
                    }
                    Err(_) => entry.job.panicked(),
                }
            });
            if self.get(id).is_none() {
                match self.0.store.remove(id) {
                    Ok(()) => tracing::info!(job = %id, "removed"),
                    Err(error) => tracing::error!(job = %id, %error, "not removed"),
                }
            }
        }
    }

    fn run(&self, id: Uuid, task: Task, segmenters: &mut Segmenters, cancel: &CancelToken) -> Result<Outcome> {
        let source = self.source(id).ok_or(Error::Cancelled)??;
        let saved = Mutex::new(Instant::now());
        let progress = |progress: Progress| {
            if let Some(entry) = self.state().entries.get_mut(&id) {
                entry.job.advance(progress);
            }
            let mut saved = locked(&saved);
            if saved.elapsed() >= SAVE_INTERVAL {
                *saved = Instant::now();
                self.update(id, |_| ());
            }
        };
        let controls = Controls { progress: &progress, cancel };
        let store = &self.0.store;
        match task {
            Task::Segment(settings, model) => {
                let segmenter = segmenters.get(model.as_deref())?;
                // A damaged source is told of when it is made steady, from the same frames.
                let (frames, _) = run::segment(&source, segmenter, &settings, &store.probabilities(id), &controls)?;
                Ok(Box::new(move |job| job.segmented(settings.classes, frames)))
            }
            Task::Stabilize(settings, exports) => {
                let kept = Evidence::Kept(Kept::open(&store.probabilities(id))?);
                if settings.method == Method::Auto {
                    self.update(id, |entry| entry.job.message = "trying methods on a sample".into());
                }
                let auto = propose(&source, &kept, &settings, &controls)?;
                self.update(id, |entry| entry.job.begin());
                let output = store.output(id);
                masks::clear(&output)?;
                let report = run::stabilize(&source, &kept, &settings, auto, &output, &exports, &controls)?;
                let exports = masks::bundle(&exports, &output)?;
                Ok(Box::new(move |job| job.completed(report.settings, exports)))
            }
        }
    }
}

/// What is changed under these locks is whole after every statement, so that a panic elsewhere does no harm to it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
