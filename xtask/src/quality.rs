//! QUALITY.md: how good and how steady every method's masks are on real video.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::run::{cargo, root, step};

/// Measures everything and writes QUALITY.md and docs/quality.
pub fn everything() -> Result<()> {
    let data = match std::env::var_os("STEADYMASK_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => root().join("../shared/data"),
    };
    let clips = data.join("davis-dev");
    if !clips.join("classes.json").is_file() {
        bail!(
            "{} is missing: it needs ten sequences of DAVIS 2016 as davis-dev/CLIP/{{frames,truth,net-a,net-b}} with \
             davis-dev/classes.json; STEADYMASK_DATA names the folder in which davis-dev lies",
            clips.join("classes.json").display()
        );
    }
    reliability(&data)?;
    let mut measure = cargo(&["run", "--release", "--package", "steadymask-server", "--example", "quality", "--"]);
    measure.arg(clips).arg(root());
    step("measuring every method on ten clips (about ten minutes)", measure)
}

/// Measures the network inside the program on pictures that were kept out of its training, where they are at hand.
fn reliability(data: &std::path::Path) -> Result<()> {
    let packs = ["voc-pack.zip", "extra-pack.zip"].map(|name| data.join(name));
    if let Some(missing) = packs.iter().find(|pack| !pack.is_file()) {
        eprintln!("leaving the network's own scores as they are: {} is missing", missing.display());
        return Ok(());
    }
    let mut measure = cargo(&["run", "--release", "--package", "steadymask-models", "--features", "train"]);
    measure.args(["--bin", "train", "--", "--evaluate-only", "--unlabelled", "photo-", "--data"]).arg(&packs[0]);
    measure.arg("--data").arg(&packs[1]).arg("--out").arg(root().join("docs/quality/network"));
    step("measuring the network on single pictures (about five minutes, after building it for training)", measure)
}
