//! The terminal client as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::worker::program;

/// Time that a command has.
const PATIENCE: Duration = Duration::from_secs(400);

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// Whether it succeeded.
    pub success: bool,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

/// Runs `confide` to its end.
///
/// # Panics
/// When it cannot be started, or does not end in time.
pub async fn confide(arguments: &[&str]) -> Done {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.expect("it ends in time").expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done {
        success: output.status.success(),
        output: text(output.stdout),
        errors: text(output.stderr),
    }
}

/// The program: `CONFIDE_CLI_BIN`, or built here, once.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| program("CONFIDE_CLI_BIN", &["--package", "confide-cli"], "confide"))
}
