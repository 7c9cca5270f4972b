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
    feature: &'static str,
    /// A toolchain of rustup's, and flags for its compiler, where this one will not do.
    toolchain: Option<(&'static str, &'static str)>,
    least_log_n: u32,
    most_threads: u32,
    needs_ours: bool,
    program: Option<PathBuf>,
}

impl Crate {
    /// tfhe-ntt: transforms only, its own beside ours in one process.
    pub fn tfhe_ntt() -> Self {
        Self {
            name: "tfhe-ntt",
            feature: "tfhe-ntt",
            toolchain: None,
            least_log_n: 13,
            most_threads: 1,
            needs_ours: false,
            program: None,
        }
    }

    /// poulpy-ckks, whose backend compiles only for a processor that has all it wants.
    pub fn poulpy() -> Self {
        Self {
            name: "poulpy",
            feature: "poulpy",
            toolchain: Some(("nightly", "-C target-cpu=native")),
            least_log_n: 15,
            most_threads: u32::MAX,
            needs_ours: true,
            program: None,
        }
    }

    /// Its bootstrapping presets, a program of their own.
    pub fn poulpy_bootstrap() -> Self {
        Self {
            name: "poulpy-bootstrap",
            ..Self::poulpy()
        }
    }

    /// The program, once it is built, told how many threads to take.
    ///
    /// # Errors
    /// When it is not built.
    pub fn command(&self, setting: &Setting) -> Result<Command> {
        let program = self.program.as_ref().context("it is not built")?;
        let mut command = Command::new(program);
        command.args(["--log-n", &setting.log_n.to_string()]);
        if self.most_threads > 1 {
            let threads = setting.threads.to_string();
            command
                .args(["--threads", &threads])
                .env("RAYON_NUM_THREADS", &threads);
        }
        Ok(command)
    }

    /// Cargo for this program, and the folder of what it builds.
    ///
    /// # Errors
    /// When the toolchain is not installed.
    fn cargo(&self, workspace: &Workspace) -> Result<(Command, PathBuf)> {
        let root = workspace.root.join("tools/peers/rust");
        let peers = workspace.target.join("peers");
        let Some((toolchain, flags)) = self.toolchain else {
            return Ok((process::cargo(&root), peers.join("rust")));
        };
        // The variables of a running cargo name the compiler of this toolchain.
        let rustup = |program: &str| {
            let mut command = process::in_workspace("rustup", &root);
            command
                .args(["run", toolchain, program])
                .env_remove("CARGO")
                .env_remove("RUSTC")
                .env_remove("RUSTDOC")
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .env("RUSTFLAGS", flags);
            command
        };
        let found = process::capture(rustup("rustc").arg("--version"));
        if !found.is_ok_and(|found| found.success) {
            bail!(
                "it needs the {toolchain} compiler; install it with \
                 `rustup toolchain install {toolchain} --profile minimal`"
            );
        }
        // One folder for each toolchain, or each would build the other's crates again.
        Ok((rustup("cargo"), peers.join(format!("rust-{toolchain}"))))
    }
}

impl Peer for Crate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn runs_at(&self, setting: &Setting) -> bool {
        setting.log_n >= self.least_log_n && setting.threads <= self.most_threads
    }

    fn install(&mut self, workspace: &Workspace) -> Result<()> {
        let (mut cargo, target) = self.cargo(workspace)?;
        eprintln!("  building {}", self.name);
        let built = process::capture(
            cargo
                .args(["build", "--release", "--locked"])
                .args(["--features", self.feature, "--bin", self.name])
                .arg("--target-dir")
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
        lines::of(&mut self.command(setting)?)
    }

    fn needs_ours(&self) -> bool {
        self.needs_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runs_only_where_it_has_something_to_measure() {
        let at = |log_n, threads| Setting {
            log_n,
            threads,
            seconds: 0.5,
        };
        assert!(Crate::tfhe_ntt().runs_at(&at(13, 1)));
        assert!(!Crate::tfhe_ntt().runs_at(&at(16, 2)));
        assert!(!Crate::poulpy().runs_at(&at(14, 1)));
        assert!(Crate::poulpy().runs_at(&at(15, 1)) && Crate::poulpy().runs_at(&at(16, 2)));
    }
}
