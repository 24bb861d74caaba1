use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::Job;
use crate::{Error, Result, picture::write_whole};

/// The folders of the server. Names in them are made here from job ids; nothing a client says becomes a path.
///
/// ```text
/// results/uploads/<job>/video               as it came
/// results/outputs/<job>/job.json            the job's state
/// results/outputs/<job>/probabilities/      what the network said
/// results/outputs/<job>/masks/ raw/ overlay.mp4 metrics.json, and other formats that were asked for
/// logs/steadymask.log
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Creates what is missing under `root`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn open(root: &Path) -> Result<Self> {
        let store = Self { root: root.to_path_buf() };
        for folder in [store.uploads(), store.outputs(), root.join("logs")] {
            std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        let trial = root.join("logs/.writable");
        std::fs::write(&trial, "").and_then(|()| std::fs::remove_file(&trial)).map_err(Error::io("write to", root))?;
        Ok(store)
    }

    fn uploads(&self) -> PathBuf {
        self.root.join("results/uploads")
    }

    fn outputs(&self) -> PathBuf {
        self.root.join("results/outputs")
    }

    /// Where the log goes.
    pub fn log_file(&self) -> PathBuf {
        self.root.join("logs/steadymask.log")
    }

    /// The uploaded video of a job.
    pub fn video(&self, job: Uuid) -> PathBuf {
        self.uploads().join(job.to_string()).join("video")
    }

    /// The folder of a job's results.
    pub fn output(&self, job: Uuid) -> PathBuf {
        self.outputs().join(job.to_string())
    }

    /// The folder of a job's probabilities.
    pub fn probabilities(&self, job: Uuid) -> PathBuf {
        self.output(job).join("probabilities")
    }

    /// Creates the folders of a new job.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(&self, job: Uuid) -> Result<()> {
        for folder in [self.uploads().join(job.to_string()), self.output(job)] {
            std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        Ok(())
    }

    /// Writes a job's state.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, job: &Job) -> Result<()> {
        let path = self.output(job.job_id).join("job.json");
        let json = serde_json::to_vec_pretty(job).map_err(|e| Error::io("write", &path)(e.into()))?;
        write_whole(&path, &json)
    }

    /// Every job whose state can be read; the others are logged and left alone.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn load(&self) -> Result<Vec<Job>> {
        let outputs = self.outputs();
        let mut jobs = Vec::new();
        for entry in std::fs::read_dir(&outputs).map_err(Error::io("read", &outputs))? {
            let path = entry.map_err(Error::io("read", &outputs))?.path().join("job.json");
            let json = std::fs::read(&path);
            match json.map_err(anyhow::Error::from).and_then(|json| Ok(serde_json::from_slice(&json)?)) {
                Ok(job) => jobs.push(job),
                Err(error) => tracing::warn!(path = %path.display(), %error, "no job can be read here"),
            }
        }
        Ok(jobs)
    }

    /// Removes everything of a job.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&self, job: Uuid) -> Result<()> {
        for folder in [self.uploads().join(job.to_string()), self.output(job)] {
            match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("remove", &folder)(e)),
                _ => {}
            }
        }
        Ok(())
    }
}
