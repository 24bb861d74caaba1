//! Licences, duplicates, advisories: by cargo-deny, configured in `deny.toml`.

use anyhow::Result;

use crate::run::{command, output, step};
use crate::tools::crate_binary;

const CARGO_DENY: &str = "0.20.2";

/// Checks the whole dependency graph.
pub fn everything() -> Result<()> {
    crate_binary("cargo-deny", "cargo-deny", CARGO_DENY, &["--locked"])?;
    step(
        "licences, duplicates and sources",
        command("cargo-deny", &["--all-features", "check", "licenses", "bans", "sources"]),
    )?;
    // The advisory database is a git repository: without a way to it, say so rather than fail.
    if output(command("cargo-deny", &["fetch", "db"])).is_none() {
        eprintln!("– advisories: skipped, the advisory database cannot be reached from here");
        return Ok(());
    }
    step("advisories", command("cargo-deny", &["--all-features", "check", "advisories"]))
}
