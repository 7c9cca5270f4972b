//! Setting up what a task needs and the machine lacks.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{self, capture, on_path, run};
use crate::workspace::Workspace;

/// The target that browsers run.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// A browser and the program that drives it.
pub struct Browser {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// chromedriver of the same major version.
    pub driver: PathBuf,
}

/// Adds the wasm target to the toolchain in use.
///
/// # Errors
/// When it is missing and rustup cannot add it; the message says what to do.
pub fn wasm_target() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let found =
        capture(Command::new(rustc).args(["--print", "target-libdir", "--target", WASM_TARGET]))
            .context("the Rust toolchain is missing: install it from https://rustup.rs")?;
    let installed =
        std::fs::read_dir(found.stdout.trim()).is_ok_and(|mut files| files.next().is_some());
    if found.success && installed {
        return Ok(());
    }
    eprintln!("  The target {WASM_TARGET} is missing; adding it.");
    run(Command::new("rustup").args(["target", "add", WASM_TARGET])).with_context(|| {
        format!(
            "the browser build needs the Rust target {WASM_TARGET}. With rustup and a network: \
             `rustup target add {WASM_TARGET}`. With a distribution's Rust: install its package \
             of the wasm32 standard library (Debian: libstd-rust-dev-wasm32)."
        )
    })
}

/// The version of cargo-nextest that is installed where there is none.
const NEXTEST: &str = "0.9.143";

/// Finds cargo-nextest, or builds it below the target folder.
///
/// # Errors
/// When cargo cannot build it; the message says what to do.
pub fn nextest(workspace: &Workspace) -> Result<PathBuf> {
    let tools = workspace.target.join("tools");
    let own = tools.join("bin/cargo-nextest");
    if let Some(found) = on_path("cargo-nextest").or_else(|| own.is_file().then_some(own.clone())) {
        return Ok(found);
    }
    eprintln!("  cargo-nextest is missing; building it once, this takes some minutes.");
    // Without optimisation: its own work is small, its compilation is not.
    run(process::cargo(&workspace.root)
        .args(["install", "cargo-nextest", "--version", NEXTEST])
        .args(["--locked", "--debug", "--root"])
        .arg(&tools))
    .context(
        "the tests run under cargo-nextest. Install it as https://nexte.st/docs/installation/ \
         says, or by `cargo install cargo-nextest --locked`, then run again.",
    )?;
    Ok(own)
}

/// Finds Chromium and its driver, or installs them where apt and root allow it.
///
/// `CHROME` and `CHROMEDRIVER` name other programs than those on PATH.
///
/// # Errors
/// When they are missing and cannot be installed; the message says what to install.
pub fn browser() -> Result<Browser> {
    if let Some(browser) = find_browser() {
        return Ok(browser);
    }
    let help = "the browser tests need Chromium and its driver of the same version. Debian: \
                `sudo apt-get install chromium chromium-driver`. Ubuntu: `sudo snap install \
                chromium`, which has both. Elsewhere: install Chrome and chromedriver \
                (https://googlechromelabs.github.io/chrome-for-testing/) and put both on PATH, or \
                name them in the variables CHROME and CHROMEDRIVER.";
    if on_path("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        bail!("{help}");
    }
    eprintln!("  Chromium or chromedriver is missing; installing both with apt-get.");
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null()))
    };
    apt(&["update", "-qq"])
        .and_then(|()| {
            apt(&[
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "chromium",
                "chromium-driver",
            ])
        })
        .context(help)?;
    find_browser().context(help)
}

fn find_browser() -> Option<Browser> {
    let named = |variable: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_file())
    };
    let chromium = named("CHROME").or_else(|| {
        ["chromium", "chromium-browser", "google-chrome", "chrome"]
            .iter()
            .find_map(on_path)
    })?;
    let driver = named("CHROMEDRIVER").or_else(|| {
        ["chromedriver", "chromium.chromedriver"]
            .iter()
            .find_map(on_path)
    })?;
    Some(Browser { chromium, driver })
}
