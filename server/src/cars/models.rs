//! Which networks answer the questions.

use std::path::Path;

use steadymask_models::{Classifier, Framing, Manifest, Weights};

use super::Question;
use crate::{Error, Result, error::name_of, library::Library};

/// Endings of files of weights.
const ENDINGS: [&str; 3] = ["pth", "pt", "safetensors"];

/// Whether this names a file of weights, not a kept network.
pub fn is_file(name: &str) -> bool {
    let ending = Path::new(name).extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known)
}

/// The weights of a classifier: of a `.pth` or `.safetensors` file, of which nothing is executed, or of the network that
/// is kept under that name.
///
/// # Errors
/// [`Error::NotKept`], [`Error::Io`], [`Error::Model`].
pub fn weights(name: &str, library: &Library) -> Result<Weights> {
    if is_file(name) {
        let said = |error| Error::Weights { name: name_of(Path::new(name)), error };
        return Weights::open(Path::new(name)).map_err(said);
    }
    if !Manifest::is_name(name) {
        return Err(Error::NotKept { name: name.into(), folder: library.folder().into() });
    }
    library.weights(name)
}

/// The classifier that a person names, or that lies where the question's is looked for: kept as
/// `cleanliness_model` or `condition_model`, or a file of that name in the current folder. `None` for `none`.
///
/// # Errors
/// [`Error::NoClassifier`] when none is named and none lies there; as [`weights`].
pub fn find(
    question: Question,
    name: Option<&str>,
    framing: Option<Framing>,
    library: &Library,
) -> Result<Option<Classifier>> {
    let usual = format!("{}_model", question.name());
    let name = match name {
        Some("none") => return Ok(None),
        Some(name) => name.to_owned(),
        None if library.get(&usual)?.is_some() => usual,
        None => {
            let files = ENDINGS.map(|ending| format!("{usual}.{ending}"));
            let file = files.into_iter().find(|file| Path::new(file).is_file());
            file.ok_or(Error::NoClassifier { question: question.name(), usual })?
        }
    };
    let classifier = if is_file(&name) {
        let classifier = weights(&name, library)?.classifier()?;
        let classes = classifier.info().classes.clone();
        classifier.with_names(&name_of(Path::new(&name)), classes)?
    } else {
        library.classifier(&name)?
    };
    Ok(Some(match framing {
        Some(framing) => classifier.with_framing(framing),
        None => classifier,
    }))
}
