//! The networks that are kept on this machine: for each a safetensors file, and beside it a record of where it is from.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use steadymask_models::{Classifier, DeviceChoice, Segmenter, Task, Weights, block_on};

use crate::{Error, Result, picture};

/// Names another folder than the platform's.
const VARIABLE: &str = "STEADYMASK_MODELS";

/// A folder of networks.
#[derive(Debug, Clone)]
pub struct Library {
    folder: PathBuf,
}

/// What is known of a kept network; `NAME.json`, written last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// The name of its architecture.
    pub architecture: String,
    /// What it is for.
    #[serde(default)]
    pub task: Task,
    /// The classes it tells apart, by number; of a segmentation 0 is the background.
    pub classes: Vec<String>,
    /// How many numbers it has learned.
    pub parameters: usize,
    /// Length of its file in bytes.
    pub size: u64,
    /// The file's SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// The address or file it was made from.
    pub source: String,
    /// The SHA-256 of that.
    pub source_sha256: String,
}

impl Library {
    /// The person's library: the folder that `STEADYMASK_MODELS` names, or `steadymask/models` where the platform keeps
    /// what programs can get again (`~/.cache` on Linux and macOS, `%LOCALAPPDATA%` on Windows). It need not exist yet.
    ///
    /// # Errors
    /// [`Error::NoHome`].
    pub fn open() -> Result<Self> {
        if let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
            return Ok(Self { folder: folder.into() });
        }
        let base = etcetera::choose_base_strategy().map_err(|_| Error::NoHome { variable: VARIABLE })?;
        Ok(Self { folder: base.cache_dir().join("steadymask").join("models") })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a download for the network of that name is collected.
    pub fn download(&self, name: &str) -> PathBuf {
        self.folder.join("downloads").join(name)
    }

    /// Every network that is kept, by name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(&self) -> Result<Vec<Record>> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        picture::files_in(&self.folder, &["json"])?.iter().map(|path| read_record(path)).collect()
    }

    /// What is kept under that name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn get(&self, name: &str) -> Result<Option<Record>> {
        let path = self.file(name, "json");
        if path.is_file() { read_record(&path).map(Some) } else { Ok(None) }
    }

    /// Keeps a network. What was kept under its name is replaced.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Model`] when the weights are too many.
    pub fn add(
        &self,
        name: &str,
        weights: &Weights,
        classes: &[String],
        source: &str,
        source_sha256: &str,
    ) -> Result<Record> {
        std::fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let bytes = weights.to_safetensors()?;
        let contents = weights.contents();
        let record = Record {
            name: name.into(),
            architecture: contents.architecture.into(),
            task: contents.task,
            classes: classes.to_vec(),
            parameters: contents.parameters,
            size: bytes.len() as u64,
            sha256: sha256_of(&bytes),
            source: source.into(),
            source_sha256: source_sha256.into(),
        };
        picture::write_whole(&self.file(name, "safetensors"), &bytes)?;
        let path = self.file(name, "json");
        let json = serde_json::to_vec_pretty(&record).map_err(|e| Error::io("write", &path)(e.into()))?;
        picture::write_whole(&path, &json)?;
        Ok(record)
    }

    /// Checks that the file of a kept network is what was written, and that it loads.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Altered`], [`Error::Io`], [`Error::Model`].
    pub fn verify(&self, name: &str) -> Result<Record> {
        let record = self.known(name)?;
        let path = self.file(name, "safetensors");
        let actual = sha256(&path)?;
        if actual != record.sha256 {
            return Err(Error::Altered { path, actual, expected: record.sha256 });
        }
        Weights::open(&path)?;
        Ok(record)
    }

    /// Forgets a kept network, and what of it was being downloaded.
    ///
    /// # Errors
    /// [`Error::NotKept`] when there was neither; [`Error::Io`].
    pub fn remove(&self, name: &str) -> Result<()> {
        let mut any = false;
        // The record first: without it the rest does not count.
        for path in [self.file(name, "json"), self.file(name, "safetensors"), self.download(name)] {
            match std::fs::remove_file(&path) {
                Ok(()) => any = true,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("remove", &path)(e)),
            }
        }
        if any { Ok(()) } else { Err(self.not_kept(name)) }
    }

    /// Loads a kept network.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Io`], [`Error::Model`].
    pub fn load(&self, name: &str, device: DeviceChoice) -> Result<Segmenter> {
        let record = self.known(name)?;
        let path = self.file(name, "safetensors");
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let segmenter = block_on(Segmenter::from_safetensors(bytes, device))?;
        Ok(segmenter.with_names(&record.name, record.classes)?)
    }

    /// Loads a kept classifier.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn classifier(&self, name: &str) -> Result<Classifier> {
        let record = self.known(name)?;
        let path = self.file(name, "safetensors");
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        Ok(Classifier::from_safetensors(&bytes)?.with_names(&record.name, record.classes)?)
    }

    /// The weights of a kept network, to make another from them.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn weights(&self, name: &str) -> Result<Weights> {
        self.known(name)?;
        Ok(Weights::open(&self.file(name, "safetensors"))?)
    }

    fn known(&self, name: &str) -> Result<Record> {
        self.get(name)?.ok_or_else(|| self.not_kept(name))
    }

    fn not_kept(&self, name: &str) -> Error {
        Error::NotKept { name: name.into(), folder: self.folder.clone() }
    }

    /// A name of letters, digits, `-`, `_` and `.` only, so that it names a file of this folder.
    fn file(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ending}"))
    }
}

/// The networks of a server: one that is always there, and those of the library, of which the last one stays loaded.
pub struct Segmenters {
    own: Segmenter,
    library: Option<Library>,
    device: DeviceChoice,
    /// With the SHA-256 of its file.
    last: Option<(String, Segmenter)>,
}

impl Segmenters {
    /// `own`, and those of the person's library, which are to run on `device`.
    pub fn new(own: Segmenter, device: DeviceChoice) -> Self {
        // Without a home folder there are no others.
        Self { own, library: Library::open().ok(), device, last: None }
    }

    /// The library, where there can be one.
    pub fn library(&self) -> Option<&Library> {
        self.library.as_ref()
    }

    /// The kept network of that name; without a name the one that is always there.
    ///
    /// # Errors
    /// [`Error::NoHome`], and as [`Library::load`].
    pub fn get(&mut self, name: Option<&str>) -> Result<&Segmenter> {
        let Some(name) = name else { return Ok(&self.own) };
        let library = self.library.as_ref().ok_or(Error::NoHome { variable: VARIABLE })?;
        let sha256 = library.known(name)?.sha256;
        let last = match self.last.take() {
            Some(last) if last.0 == sha256 && last.1.info().name == name => last,
            // What is there goes first: two large networks may not fit side by side.
            other => {
                drop(other);
                (sha256, library.load(name, self.device)?)
            }
        };
        Ok(&self.last.insert(last).1)
    }
}

fn read_record(path: &Path) -> Result<Record> {
    let json = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&json).map_err(|e| Error::io("read", path)(e.into()))
}

/// The SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
/// [`Error::Io`].
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 18];
    loop {
        match file.read(&mut chunk).map_err(Error::io("read", path))? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&chunk[..count]),
        }
    }
}

/// The SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
