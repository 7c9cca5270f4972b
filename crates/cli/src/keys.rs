//! `confide keys`.

use crate::failure::Failure;
use crate::keyfile::{self, PassphraseSource};
use crate::output;
use confide_client::vault::Vault;
use std::path::PathBuf;

/// Make, copy and inspect key files
#[derive(clap::Subcommand, Debug)]
pub enum KeysCommand {
    /// Make a new key and write it, sealed with a passphrase, to a new file
    New {
        /// File to write
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Name of the key, for people
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        passphrase: PassphraseSource,
    },
    /// Write a copy of a key file, sealed with a passphrase of its own
    Backup {
        /// Key file to copy
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseSource,
        /// File whose first line is the passphrase of the copy (asked for, or that of the key file, if absent)
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Check a backup and write it as a key file
    Restore {
        /// Backup to read
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// File to write
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseSource,
    },
    /// Show name and fingerprint of a key file
    Show {
        /// Key file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseSource,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::New {
            key,
            name,
            passphrase,
        } => {
            let vault = Vault::generate(&name)?;
            keyfile::save(
                &key,
                &vault,
                &passphrase.get("New passphrase (8 characters or more): ", true)?,
            )?;
            output::line(format_args!(
                "Key {} written to {}.",
                vault.fingerprint(),
                key.display()
            ));
            output::line(format_args!(
                "Keep a copy and the passphrase: without both, nothing encrypted with it can be read again."
            ));
        }
        KeysCommand::Backup {
            key,
            out,
            passphrase,
            new_passphrase_file,
        } => {
            let vault = keyfile::open(&key, &passphrase)?;
            let source = PassphraseSource {
                passphrase_file: new_passphrase_file.or(passphrase.passphrase_file),
            };
            keyfile::save(&out, &vault, &source.get("Passphrase of the copy: ", true)?)?;
            output::line(format_args!(
                "Key {} copied to {}.",
                vault.fingerprint(),
                out.display()
            ));
        }
        KeysCommand::Restore {
            from,
            key,
            passphrase,
        } => {
            let typed = passphrase.get(&format!("Passphrase of {}: ", from.display()), false)?;
            let text =
                std::fs::read(&from).map_err(|error| Failure::file("read", &from, &error))?;
            let vault = Vault::restore(&String::from_utf8_lossy(&text), &typed)?;
            keyfile::save(&key, &vault, &typed)?;
            output::line(format_args!(
                "Key {} restored to {}.",
                vault.fingerprint(),
                key.display()
            ));
        }
        KeysCommand::Show {
            key,
            passphrase,
            json,
        } => {
            let vault = keyfile::open(&key, &passphrase)?;
            if json {
                output::line(format_args!(
                    "{}",
                    serde_json::json!({ "name": vault.name(), "fingerprint": vault.fingerprint() })
                ));
            } else {
                output::line(format_args!(
                    "name         {}\nfingerprint  {}",
                    vault.name(),
                    vault.fingerprint()
                ));
            }
        }
    }
    Ok(())
}
