//! Running other programs, with errors that name the command and what to do.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A `cargo` command of the toolchain that runs this task.
pub fn cargo(root: &Path) -> Command {
    in_workspace(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root)
}

/// A command in the root of the workspace, without a terminal to ask.
///
/// The variables that describe the xtask package itself are removed: they would make build
/// scripts of other packages run again.
pub fn in_workspace(program: impl AsRef<OsStr>, root: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let own = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if own
            .iter()
            .any(|p| name.to_str().is_some_and(|n| n.starts_with(p)))
        {
            command.env_remove(name);
        }
    }
    command.current_dir(root).stdin(Stdio::null());
    command
}

/// The command line as a person would type it.
pub fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        line.push(' ');
        if argument.contains([' ', '"', '|', '(']) {
            line.push_str(&format!("'{argument}'"));
        } else {
            line.push_str(&argument);
        }
    }
    line
}

/// Runs to the end, output going to the terminal.
///
/// # Errors
/// When the program cannot be started or ends with a failure.
pub fn run(command: &mut Command) -> Result<()> {
    let line = describe(command);
    eprintln!("  $ {line}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs to the end, shows standard output line by line and also returns it.
///
/// # Errors
/// When the program cannot be started or ends with a failure.
pub fn run_and_read(command: &mut Command) -> Result<String> {
    let line = describe(command);
    eprintln!("  $ {line}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for row in BufReader::new(stdout).lines() {
            let row = row.with_context(|| format!("reading the output of `{line}`"))?;
            println!("{row}");
            text.push_str(&row);
            text.push('\n');
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(text)
}

/// The outcome of a program whose output nobody needs to see while it runs.
pub struct Captured {
    /// Whether it ended with status 0.
    pub success: bool,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs to the end without showing anything.
///
/// # Errors
/// When the program cannot be started; a failing status is part of the answer.
pub fn capture(command: &mut Command) -> Result<Captured> {
    let line = describe(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    Ok(Captured {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The first file of that name in the folders of PATH.
pub fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let name = Path::new(name.as_ref());
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
