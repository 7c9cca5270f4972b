//! The log: on standard error, for people or for machines. No payload, tokens or values.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Starts the log as the settings say.
///
/// # Errors
/// The filter cannot be read.
pub fn start(config: &Config) -> io::Result<()> {
    let filter = EnvFilter::try_new(&config.log).map_err(io::Error::other)?;
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.log_format {
        LogFormat::Text => log
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
