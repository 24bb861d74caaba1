//! Building the server and the page, and running both.

use anyhow::Result;

use crate::run::{cargo, command, step, target_folder};
use crate::tools;

/// The ports that are announced everywhere.
const API_PORT: &str = "8000";
const SITE_PORT: &str = "8080";

/// Installs what is missing, then builds the `steadymask` binary and the static site in `dist/`.
pub fn everything() -> Result<()> {
    tools::for_building()?;
    server()?;
    site()
}

/// Builds the `steadymask` binary.
fn server() -> Result<()> {
    step("building the server", cargo(&["build", "--release", "--package", "steadymask-server"]))
}

/// Builds the static site into `dist/`.
pub fn site() -> Result<()> {
    javascript_package("fetching the page's JavaScript package", "web")?;
    // Trunk runs offline, so that it downloads no tools of its own; then cargo must have all crates already.
    step("fetching crates", cargo(&["fetch", "--locked"]))?;
    let mut trunk = command("trunk", &["build", "--release", "--offline"]);
    // Trunk takes NO_COLOR=1 for a malformed flag.
    trunk.env_remove("NO_COLOR");
    step("building the page (WASM; the first time takes minutes)", trunk)
}

/// Installs what the `package-lock.json` of `folder` names.
pub fn javascript_package(what: &str, folder: &str) -> Result<()> {
    step(what, command("npm", &["ci", "--no-audit", "--no-fund", "--prefix", folder]))
}

/// Runs the API and the page until they are stopped.
pub fn start() -> Result<()> {
    let server = target_folder().join("release/steadymask");
    eprintln!(
        "\nThe page: http://localhost:{SITE_PORT}\nThe API:  http://localhost:{API_PORT}\nStop both with Ctrl-C\n"
    );
    step("running", command(server, &["serve", "--port", API_PORT, "--site", "dist", "--site-port", SITE_PORT]))
}
