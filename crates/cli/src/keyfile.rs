//! Key files and passphrases.

use crate::failure::Failure;
use confide_client::ClientError;
use confide_client::vault::Vault;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where the passphrase of a key file comes from.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct PassphraseSource {
    /// File whose first line is the passphrase of the key file
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl PassphraseSource {
    /// The passphrase: from the file, from CONFIDE_PASSPHRASE, or typed without echo (twice for a new one).
    pub fn get(&self, prompt: &str, new: bool) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.passphrase_file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::file("read", path, &error))?;
            let text = Zeroizing::new(text);
            return Ok(Zeroizing::new(
                text.lines().next().unwrap_or_default().to_owned(),
            ));
        }
        if let Ok(passphrase) = std::env::var("CONFIDE_PASSPHRASE") {
            return Ok(Zeroizing::new(passphrase));
        }
        if !std::io::stdin().is_terminal() {
            return Err(ClientError::new(
                "CC-6020",
                "The key file needs a passphrase, and there is no terminal to type it.",
                "Set CONFIDE_PASSPHRASE or give --passphrase-file.",
            )
            .into());
        }
        let typed = ask(prompt)?;
        if new && *typed != *ask("Again, to be sure: ")? {
            return Err(
                ClientError::new("CC-6021", "The two passphrases differ.", "Start again.").into(),
            );
        }
        Ok(typed)
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| {
            ClientError::new(
                "CC-6022",
                format!("Cannot read the passphrase: {error}."),
                "Use a terminal.",
            )
            .into()
        })
}

/// Opens a key file.
pub fn open(path: &Path, source: &PassphraseSource) -> Result<Vault, Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let text = String::from_utf8_lossy(&text);
    let passphrase = source.get(&format!("Passphrase of {}: ", path.display()), false)?;
    Ok(Vault::restore(&text, &passphrase)?)
}

/// Writes a key to a new file that only its owner can read. An existing file is never replaced.
pub fn save(path: &Path, vault: &Vault, passphrase: &str) -> Result<(), Failure> {
    let text = vault.backup(passphrase)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error| Failure::file("write", path, &error);
    let mut file = options.open(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// The key of a file, or a new one for this run only.
pub fn open_or_ephemeral(path: Option<&Path>, source: &PassphraseSource) -> Result<Vault, Failure> {
    match path {
        Some(path) => open(path, source),
        None => Ok(Vault::generate("")?),
    }
}
