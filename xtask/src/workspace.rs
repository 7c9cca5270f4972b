//! Where things lie.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;

/// The paths of the checkout and of what is built from it.
pub struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Cargo's target folder, which `CARGO_TARGET_DIR` may move.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo cannot read the workspace.
    pub fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .context("the xtask package has no parent folder")?
            .to_path_buf();
        let found = process::capture(process::cargo(&root).args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        if !found.success {
            bail!("cargo cannot read the workspace:\n{}", found.stderr);
        }
        let metadata: serde_json::Value =
            serde_json::from_str(&found.stdout).context("cargo metadata")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target folder")?;
        Ok(Self {
            root,
            target: PathBuf::from(target),
        })
    }

    /// The page as served.
    pub fn web_dist(&self) -> PathBuf {
        self.target.join("web-dist")
    }

    /// A program built with `--release`.
    pub fn release_binary(&self, name: &str) -> PathBuf {
        self.binary("release", name)
    }

    /// A program built beside the tests.
    pub fn test_binary(&self, name: &str) -> PathBuf {
        self.binary("debug", name)
    }

    fn binary(&self, folder: &str, name: &str) -> PathBuf {
        self.target
            .join(folder)
            .join(name)
            .with_extension(env::consts::EXE_EXTENSION)
    }

    /// The path relative to the checkout, for messages.
    pub fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
