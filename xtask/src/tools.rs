//! What the project needs of the machine: found, or installed.

use anyhow::{Result, bail};

use crate::run::{cargo, command, find, output, root, step};

/// What the page is built for.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Trunk's version. 0.22 needs a newer compiler than `rust-toolchain.toml` pins.
const TRUNK: &str = "0.21.14";

/// What building and running needs: the WASM target, ffmpeg, npm, trunk, wasm-bindgen.
pub fn for_building() -> Result<()> {
    wasm_target()?;
    system(&[("ffmpeg", "ffmpeg"), ("ffprobe", "ffmpeg"), ("node", "nodejs"), ("npm", "npm")])?;
    crate_binary("trunk", "trunk", TRUNK, &["--locked"])?;
    wasm_bindgen()
}

fn wasm_bindgen() -> Result<()> {
    // Without --locked: the lock file of the tool may name a crate that a registry mirror does not have yet.
    crate_binary("wasm-bindgen", "wasm-bindgen-cli", &locked_version("wasm-bindgen")?, &[])
}

/// What testing needs beyond that: a browser.
pub fn for_testing() -> Result<()> {
    if std::env::var_os("CHROMIUM").is_some() { Ok(()) } else { system(&[("chromium", "chromium")]) }
}

/// What measuring speed needs: the WASM target and wasm-bindgen, Node, Python.
pub fn for_measuring() -> Result<()> {
    wasm_target()?;
    system(&[("node", "nodejs"), ("python3", "python3-venv")])?;
    wasm_bindgen()
}

/// Installs a binary of crates.io unless the version asked for is there.
///
/// Unoptimised dependencies would make it slow, full optimisation triples the time it takes to build.
pub fn crate_binary(program: &str, package: &str, version: &str, flags: &[&str]) -> Result<()> {
    let present = output(command(program, &["--version"]));
    if present.as_deref().is_some_and(|text| text.split_whitespace().any(|word| word == version)) {
        eprintln!("✓ {program} {version} is there");
        return Ok(());
    }
    let mut install = cargo(&["install", package, "--version", version, "--force"]);
    install
        .args(flags)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env_remove("CARGO_TARGET_DIR");
    step(&format!("installing {package} {version} (a few minutes, once)"), install)?;
    if find(program).is_none() {
        bail!("{program} was installed, but cargo's bin folder is not on the PATH: add ~/.cargo/bin to it");
    }
    Ok(())
}

fn wasm_target() -> Result<()> {
    let libraries = output(command("rustc", &["--print", "target-libdir", "--target", WASM]));
    if libraries.is_some_and(|folder| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some())) {
        eprintln!("✓ the {WASM} target is there");
        return Ok(());
    }
    if find("rustup").is_none() {
        bail!("the {WASM} target is missing and there is no rustup to add it: install it from https://rustup.rs");
    }
    step("adding the WASM target", command("rustup", &["target", "add", WASM]))
}

/// Installs Debian packages for the programs that are missing: `(program, package)`.
fn system(wanted: &[(&str, &str)]) -> Result<()> {
    let mut packages = Vec::new();
    for &(program, package) in wanted {
        if find(program).is_some() {
            eprintln!("✓ {program} is there");
        } else if !packages.contains(&package) {
            packages.push(package);
        }
    }
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if find("apt-get").is_none() {
        bail!(
            "missing: {names}. Install them with the package manager of this system, for instance `brew install {names}`, then call this again"
        );
    }
    // Root needs no sudo; anybody else may be asked for a password, so standard input stays open.
    let is_root = output(command("id", &["-u"])).as_deref() == Some("0");
    if !is_root && find("sudo").is_none() {
        bail!("missing: {names}. As root: apt-get update && apt-get install {names}");
    }
    let apt = |args: &[&str]| {
        let mut apt = if is_root { command("apt-get", args) } else { command("sudo", &[&["apt-get"], args].concat()) };
        apt.env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::inherit());
        apt
    };
    step("reading the list of Debian packages", apt(&["update", "-qq"]))?;
    let install = [&["install", "-y", "-qq", "--no-install-recommends"], packages.as_slice()].concat();
    step(&format!("installing {names}"), apt(&install))
}

/// The version of a crate in `Cargo.lock`: the tool must be of the same.
fn locked_version(name: &str) -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock"))?;
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    match lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"')) {
        Some(version) => Ok(version.into()),
        None => bail!("Cargo.lock does not name {name}"),
    }
}
