//! Libraries that Python wheels bring, each in an environment of its own under `target/peers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::lines::{self, Line};
use super::{Peer, Setting};
use crate::process::{self, on_path};
use crate::workspace::Workspace;

/// A wheel and the script that times it.
pub struct Wheel {
    name: &'static str,
    wheel: &'static str,
    script: &'static str,
    /// Python versions that the wheel was built for, best first.
    pythons: &'static [&'static str],
    threads: bool,
    least_log_n: u32,
    installed: Option<PathBuf>,
}

const RECENT: &[&str] = &[
    "python3.11",
    "python3.12",
    "python3.10",
    "python3.9",
    "python3",
];

impl Wheel {
    /// Microsoft SEAL in TenSEAL's wheel.
    pub fn seal() -> Self {
        Self {
            name: "seal",
            wheel: "tenseal",
            script: "seal_engine.py",
            pythons: RECENT,
            threads: false,
            least_log_n: 13,
            installed: None,
        }
    }

    /// OpenFHE, whose wheel is tied to one Python version.
    pub fn openfhe() -> Self {
        Self {
            name: "openfhe",
            wheel: "openfhe",
            script: "openfhe_engine.py",
            pythons: &["python3.10", "python3"],
            threads: true,
            least_log_n: 13,
            installed: None,
        }
    }

    /// desilofhe, which has engines of that many levels for two degrees only.
    pub fn desilo() -> Self {
        Self {
            name: "desilofhe",
            wheel: "desilofhe",
            script: "desilo_engine.py",
            pythons: &["python3.11", "python3.12", "python3.10", "python3"],
            threads: true,
            least_log_n: 15,
            installed: None,
        }
    }
}

impl Peer for Wheel {
    fn name(&self) -> &'static str {
        self.name
    }

    fn runs_at(&self, setting: &Setting) -> bool {
        setting.log_n >= self.least_log_n && (self.threads || setting.threads == 1)
    }

    fn install(&mut self, workspace: &Workspace) -> Result<()> {
        let environment = Environment {
            wheel: self.wheel,
            module: self.wheel,
            pythons: self.pythons,
        };
        self.installed = Some(environment.install(workspace)?);
        Ok(())
    }

    fn measure(&self, workspace: &Workspace, setting: &Setting) -> Result<Vec<Line>> {
        let python = self.installed.as_ref().context("it is not installed")?;
        lines::of(
            Command::new(python)
                .arg(workspace.root.join("tools/peers").join(self.script))
                .args(["--log-n", &setting.log_n.to_string()])
                .args(["--threads", &setting.threads.to_string()])
                .env("OMP_NUM_THREADS", setting.threads.to_string())
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        )
    }
}

/// A Python environment with one wheel in it.
pub struct Environment {
    /// Name on PyPI, with a version where one is wanted; also that of the folder.
    pub wheel: &'static str,
    /// What has to be importable.
    pub module: &'static str,
    /// Python versions that the wheel was built for, best first.
    pub pythons: &'static [&'static str],
}

impl Environment {
    /// Makes it below the target folder, or finds it there; the path of its interpreter.
    ///
    /// # Errors
    /// When no interpreter can have the wheel: the last reason.
    pub fn install(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = workspace.target.join("peers").join(self.wheel);
        let python = folder.join("bin/python");
        let works = |python: &Path| {
            process::capture(Command::new(python).args(["-c", &format!("import {}", self.module)]))
                .is_ok_and(|found| found.success)
        };
        if works(&python) {
            return Ok(python);
        }
        let mut reason = "no Python interpreter was found".to_owned();
        for name in self.pythons {
            let Some(base) = interpreter(name) else {
                continue;
            };
            let _ = std::fs::remove_dir_all(&folder);
            let made = process::capture(Command::new(&base).args(["-m", "venv"]).arg(&folder))?;
            if !made.success {
                reason = format!("{name} cannot make an environment: {}", made.stderr.trim());
                continue;
            }
            eprintln!("  installing {} for {name}", self.wheel);
            let pip = process::capture(
                Command::new(&python)
                    .args([
                        "-m",
                        "pip",
                        "install",
                        "--quiet",
                        "--no-cache-dir",
                        "--disable-pip-version-check",
                    ])
                    .arg(self.wheel)
                    .stdin(Stdio::null()),
            )?;
            if pip.success && works(&python) {
                return Ok(python);
            }
            reason = format!("its wheel does not work with {name}: {}", pip.stderr.trim());
        }
        bail!(reason)
    }
}

/// The interpreter of that version, also where a version manager keeps several.
fn interpreter(name: &str) -> Option<PathBuf> {
    let answers = |path: &Path| {
        process::capture(Command::new(path).arg("--version")).is_ok_and(|found| found.success)
    };
    let found = on_path(name).filter(|path| answers(path));
    found.or_else(|| {
        let version = name.strip_prefix("python")?;
        let home = PathBuf::from(std::env::var_os("HOME")?);
        std::fs::read_dir(home.join(".pyenv/versions"))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .is_some_and(|v| v.to_string_lossy().starts_with(&format!("{version}.")))
            })
            .map(|path| path.join("bin/python"))
            .filter(|path| answers(path))
    })
}
