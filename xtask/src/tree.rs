//! ARCHITECTURE.md names every module, and none that is gone.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;

use crate::run::root;

/// In a code block of ARCHITECTURE.md: a line that begins with a folder (`core/src/`) opens a group, the
/// indented lines under it begin with a file's path inside that folder.
fn written(text: &str) -> BTreeSet<String> {
    let mut folder = None;
    let mut files = BTreeSet::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
            folder = None;
        } else if inside && let Some(first) = line.split_whitespace().next() {
            if !line.starts_with(' ') {
                folder = first.ends_with("src/").then_some(first);
            } else if let Some(folder) = folder {
                assert!(line.split_whitespace().nth(1).is_some(), "{folder}{first} has no words beside it");
                files.insert(format!("{folder}{first}"));
            }
        }
    }
    files
}

fn real(folder: &Path, files: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            real(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let path = path.strip_prefix(root()).expect("inside the repository");
            files.insert(path.to_string_lossy().replace('\\', "/"));
        }
    }
}

#[test]
fn architecture_names_every_module() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut files = BTreeSet::new();
    for room in ["bench", "core", "models", "server", "web", "xtask"] {
        real(&root().join(room).join("src"), &mut files);
    }
    let written = written(&text);
    let missing: Vec<_> = files.difference(&written).collect();
    let gone: Vec<_> = written.difference(&files).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in ARCHITECTURE.md: {missing:?}; there but not in the tree: {gone:?}"
    );
}
