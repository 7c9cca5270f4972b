//! Libraries that are Rust crates, in a workspace of their own that no other command builds.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::lines::{self, Line};
use super::{Peer, Setting};
use crate::process;
use crate::workspace::Workspace;

/// A program of `tools/peers/rust` and the feature that brings its library.
pub struct Crate {
    name: &'static str,
    program: Option<PathBuf>,
}

impl Crate {
    /// tfhe-ntt: transforms only, its own beside ours in one process.
    pub fn tfhe_ntt() -> Self {
        Self {
            name: "tfhe-ntt",
            program: None,
        }
    }
}

impl Peer for Crate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn runs_at(&self, setting: &Setting) -> bool {
        setting.threads == 1
    }

    fn install(&mut self, workspace: &Workspace) -> Result<()> {
        let target = workspace.target.join("peers/rust");
        eprintln!("  building {}", self.name);
        let built = process::capture(
            process::cargo(&workspace.root.join("tools/peers/rust"))
                .args(["build", "--release", "--locked"])
                .args(["--features", self.name, "--bin", self.name, "--target-dir"])
                .arg(&target),
        )?;
        if !built.success {
            let error = built.stderr.lines().find(|row| row.starts_with("error"));
            bail!("it does not build: {}", error.unwrap_or("no reason"));
        }
        self.program = Some(
            target
                .join("release")
                .join(self.name)
                .with_extension(std::env::consts::EXE_EXTENSION),
        );
        Ok(())
    }

    fn measure(&self, _: &Workspace, setting: &Setting) -> Result<Vec<Line>> {
        let program = self.program.as_ref().context("it is not built")?;
        lines::of(Command::new(program).args(["--log-n", &setting.log_n.to_string()]))
    }

    fn needs_ours(&self) -> bool {
        false
    }
}
