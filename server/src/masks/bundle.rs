//! Exports as one file each, for those who fetch them over HTTP.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::Export;
use crate::{Error, Result};

/// An export that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundled {
    /// Its format.
    pub format: Export,
    /// The name of its file: the export's own, or a zip of its folder.
    pub file: String,
}

impl Bundled {
    /// The name of its format.
    pub fn name(&self) -> &'static str {
        Export::ALL.into_iter().find(|(_, export)| *export == self.format).map_or("", |(name, _)| name)
    }
}

/// Makes a file of each export that was written into `folder`; a folder goes into a zip, and away.
///
/// # Errors
/// [`Error::Io`].
pub fn bundle(exports: &[Export], folder: &Path) -> Result<Vec<Bundled>> {
    let one = |&format: &Export| {
        let names = format.outputs().iter().find(|name| folder.join(name).exists());
        let name = names.copied().unwrap_or(format.outputs()[0]);
        let path = folder.join(name);
        if !path.is_dir() {
            return Ok(Bundled { format, file: name.into() });
        }
        let file = format!("{name}.zip");
        zip_folder(&path, &folder.join(&file)).map_err(Error::io("write", &folder.join(&file)))?;
        std::fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        Ok(Bundled { format, file })
    };
    exports.iter().map(one).collect()
}

/// Removes every export from `folder`, bundled or not.
///
/// # Errors
/// [`Error::Io`].
pub fn clear(folder: &Path) -> Result<()> {
    for name in Export::ALL.iter().flat_map(|(_, export)| export.outputs()) {
        let (path, zip) = (folder.join(name), folder.join(format!("{name}.zip")));
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        for (path, result) in [(&path, removed), (&zip, std::fs::remove_file(&zip))] {
            match result {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io("remove", path)(e)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Packs the files of a folder and of the folders in it, by name. They are compressed already.
fn zip_folder(folder: &Path, file: &Path) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(File::create(file)?));
    add_folder(&mut zip, folder, "")?;
    zip.finish()?.flush()
}

fn add_folder(zip: &mut ZipWriter<BufWriter<File>>, folder: &Path, prefix: &str) -> io::Result<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = format!("{prefix}{}", crate::error::name_of(&path));
        if path.is_dir() {
            add_folder(zip, &path, &format!("{name}/"))?;
        } else {
            zip.start_file(name, options)?;
            io::copy(&mut File::open(&path)?, zip)?;
        }
    }
    Ok(())
}
