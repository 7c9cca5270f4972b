//! The wasm tests of the ring, the scheme, the data party and what reads texts and pictures, in headless Chromium.
//!
//! Each package has its browser tests in `tests/wasm.rs`, one integration test written with
//! wasm-bindgen-test. They run once for each variant of the page.

use anyhow::{Context, Result, bail};

use crate::process;
use crate::setup::{self, Browser, WASM_TARGET};
use crate::web::{self, VARIANTS};
use crate::workspace::Workspace;

/// Packages with browser tests.
const PACKAGES: [&str; 5] = [
    "confide-ring",
    "confide-ckks",
    "confide-client",
    "confide-text",
    "confide-model",
];

/// The packages whose own code differs from variant to variant, and the tests of what builds on it.
const KERNELS: [&str; 2] = ["confide-ring", "confide-ckks"];

/// Seconds that one test binary may take in the browser.
const TIMEOUT: &str = "300";

/// Runs them and returns how many passed.
///
/// # Errors
/// When something does not build or a test fails.
pub fn run(workspace: &Workspace, browser: &Browser) -> Result<u64> {
    setup::wasm_target()?;
    process::run(process::cargo(&workspace.root).args([
        "build",
        "--profile",
        "xtask",
        "--package",
        "xtask",
        "--features",
        "browser-tests",
        "--bin",
        "wasm-test-runner",
    ]))?;
    let runner = workspace
        .target
        .join("xtask")
        .join("wasm-test-runner")
        .with_extension(std::env::consts::EXE_EXTENSION);

    let mut passed = 0;
    for (i, variant) in VARIANTS.iter().enumerate() {
        // The first variant is what browsers of today load.
        let packages = if i == 0 { &PACKAGES[..] } else { &KERNELS };
        let mut cargo = web::wasm_cargo(workspace, variant);
        cargo.args(["test", "--test", "wasm", "--target", WASM_TARGET]);
        // One command, so that all share what they depend on.
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        cargo
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner)
            .env("CHROMEDRIVER", &browser.driver)
            .env(
                "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
                workspace.root.join("xtask/webdriver.json"),
            )
            .env("WASM_BINDGEN_TEST_ONLY_WEB", "1")
            .env("WASM_BINDGEN_TEST_TIMEOUT", TIMEOUT);
        let text = process::run_and_read(&mut cargo)
            .with_context(|| format!("browser tests, {} wasm", variant.name))?;
        let reports = text.matches("test result:").count();
        if reports != packages.len() {
            bail!(
                "{reports} of {} packages reported their tests",
                packages.len()
            );
        }
        passed += count(&text, "passed").context("the browser reported no tests")?;
    }
    Ok(passed)
}

/// The sum of `N <word>` over the result lines of a test run; none without such a line.
pub fn count(text: &str, word: &str) -> Option<u64> {
    text.lines()
        .filter(|line| line.trim_start().starts_with("test result:"))
        .map(|line| {
            line.split([';', '.'])
                .filter_map(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok())
                .sum()
        })
        .reduce(|a: u64, b: u64| a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed() {
        let text = "test result: ok. 3 passed; 0 failed; 0 ignored\nx\n\
                    test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 filtered out";
        assert_eq!(count(text, "passed"), Some(7));
        assert_eq!(count(text, "failed"), Some(1));
        assert_eq!(count("nothing ran", "passed"), None);
    }
}
