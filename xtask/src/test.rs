//! Every check there is, cheapest first.

use anyhow::Result;

use crate::run::{cargo, command, root, step, target_folder};
use crate::tools::WASM;
use crate::{build, tools};

/// Runs everything, stopping at the first failure.
pub fn everything() -> Result<()> {
    tools::for_building()?;
    tools::for_testing()?;
    step("formatting", cargo(&["fmt", "--all", "--check"]))?;
    let strict = ["--release", "--all-targets", "--", "-D", "warnings"];
    step("lints", cargo(&[&["clippy"], &strict[..]].concat()))?;
    let of_the_page = ["clippy", "--package", "steadymask-web", "--target", WASM];
    step("lints of the page", cargo(&[&of_the_page, &strict[..]].concat()))?;
    step("unit, property, parity, command-line and HTTP tests", cargo(&["test", "--release"]))?;
    step("tests of the page's pure parts", cargo(&["test", "--release", "--package", "steadymask-web", "--lib"]))?;
    let training = ["test", "--release", "--package", "steadymask-models", "--features", "train", "--lib", "train"];
    step("tests of training", cargo(&training))?;
    let wasm = ["test", "--release", "--package", "steadymask-core", "--target", WASM, "--test", "determinism"];
    step("the same bytes in WASM", cargo(&wasm))?;
    build::site()?;
    build::javascript_package("fetching the browser tests' JavaScript package", "e2e")?;
    let mut browser = command("node", &["--test", "e2e/page.test.mjs"]);
    browser.env("STEADYMASK_BIN", target_folder().join("release/steadymask")).env("DIST", root().join("dist"));
    step("the page in a real browser", browser)
}
