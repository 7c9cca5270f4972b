//! How a command fails: words and an exit code for the terminal, an object for `--json`.

use confide_client::ClientError;
use confide_protocol::WireError;
use std::path::Path;

/// Why a command ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something with a code and a remedy.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something that the worker said.
    #[error(transparent)]
    Worker(#[from] WireError),
    /// The user ended it.
    #[error("Cancelled.")]
    Cancelled,
}

impl Failure {
    /// A file that cannot be read or written.
    pub fn file(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "Check the path.",
            std::io::ErrorKind::PermissionDenied => {
                "Check the permissions of the file and its folder."
            }
            std::io::ErrorKind::AlreadyExists => {
                "Choose another name, or move the present file away."
            }
            _ => "Check the path and the disk.",
        };
        ClientError::new(
            "CC-6001",
            format!("Cannot {action} {}: {error}.", path.display()),
            remedy,
        )
        .into()
    }

    /// Exit status of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Cancelled => 130,
            _ => 1,
        }
    }

    /// The failure as the object that `--json` prints.
    pub fn to_json(&self) -> serde_json::Value {
        let (code, message, remedy) = match self {
            Self::Client(error) => (
                error.code.as_str(),
                error.message.as_str(),
                error.remedy.as_str(),
            ),
            Self::Worker(error) => (
                error.code.as_str(),
                error.message.as_str(),
                error.remedy.as_str(),
            ),
            Self::Cancelled => ("CC-6002", "Cancelled.", ""),
        };
        serde_json::json!({ "error": { "code": code, "message": message, "remedy": remedy } })
    }
}
