//! Settings from flags, environment and a TOML file, in this order of precedence.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, ValueEnum};
use confide_protocol::{CHUNK_BYTES, Limits, MAX_CONTROL_BYTES, MAX_NAME_BYTES, WINDOW_CHUNKS};
use serde::Deserialize;
use thiserror::Error;

use crate::bytes::ByteSize;

/// The compute party of Confide: trains and predicts on ciphertexts that it cannot read.
///
/// Serves the page and the socket for data parties on one port. Every setting can be given as a
/// flag, as an environment variable, or in the TOML file named by --config under the flag's name
/// with underscores, such as `max_client_bytes = "4GiB"`. Flags win over the environment, and the
/// environment over the file.
#[derive(Debug, Parser)]
#[command(name = "confide-worker", version, max_term_width = 100)]
pub struct CommandLine {
    /// TOML file with settings.
    #[arg(long, env = "CONFIDE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Settings given as flags or in the environment.
    #[command(flatten)]
    pub settings: Settings,
}

/// Every setting, absent where nobody gave it.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port of the page and the socket; port 0 takes a free one [default: 127.0.0.1:8443].
    #[arg(long, env = "CONFIDE_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Directory of everything stored; made if missing [default: confide-data].
    #[arg(long, env = "CONFIDE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Directory of the built page [default: target/web-dist, or web beside the binary, if there].
    #[arg(long, env = "CONFIDE_WEB", value_name = "DIR")]
    pub web: Option<PathBuf>,
    /// Directory with a folder for each network that can be evaluated [default: models, if there].
    #[arg(long, env = "CONFIDE_MODELS", value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Whether clients may not fetch the weights of networks [default: false].
    #[arg(long, env = "CONFIDE_PRIVATE_WEIGHTS", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub private_weights: Option<bool>,
    /// Name that clients see [default: confide-worker].
    #[arg(long, env = "CONFIDE_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// Threads that compute [default: all cores].
    #[arg(long, env = "CONFIDE_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Further origins of pages that may connect, such as https://clinic.example; may be repeated
    /// [default: only the page that this worker serves].
    #[arg(
        long = "allow-origin",
        env = "CONFIDE_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub allow_origin: Option<Vec<String>>,
    /// Most bytes of one object [default: 256MiB].
    #[arg(long, env = "CONFIDE_MAX_OBJECT_BYTES", value_name = "SIZE")]
    pub max_object_bytes: Option<ByteSize>,
    /// Most bytes that one client may store [default: 4GiB].
    #[arg(long, env = "CONFIDE_MAX_CLIENT_BYTES", value_name = "SIZE")]
    pub max_client_bytes: Option<ByteSize>,
    /// Most bytes that all clients together may store [default: 64GiB].
    #[arg(long, env = "CONFIDE_MAX_STORE_BYTES", value_name = "SIZE")]
    pub max_store_bytes: Option<ByteSize>,
    /// Most memory that a job may need, keys and ciphertexts together [default: 12GiB].
    #[arg(long, env = "CONFIDE_MAX_MEMORY", value_name = "SIZE")]
    pub max_memory: Option<ByteSize>,
    /// Most jobs that one client may have running or waiting [default: 2].
    #[arg(long, env = "CONFIDE_MAX_JOBS", value_name = "N")]
    pub max_jobs: Option<u32>,
    /// Most connections at once [default: 64].
    #[arg(long, env = "CONFIDE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Seconds without a sign of life after which a connection is closed [default: 120].
    #[arg(long, env = "CONFIDE_IDLE_TIMEOUT", value_name = "SECONDS")]
    pub idle_timeout: Option<u32>,
    /// Days after which a client's data that nobody used are deleted; 0 keeps them [default: 30].
    #[arg(long, env = "CONFIDE_RETENTION_DAYS", value_name = "DAYS")]
    pub retention_days: Option<u32>,
    /// Form of the log on standard error [default: text].
    #[arg(long, env = "CONFIDE_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What to log: a level, or a filter of tracing-subscriber [default: info].
    #[arg(long, env = "CONFIDE_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Checked settings, complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port.
    pub listen: SocketAddr,
    /// Directory of the store.
    pub data: PathBuf,
    /// Directory of the page, if there is one.
    pub web: Option<PathBuf>,
    /// Directory of the networks, if there is one.
    pub models: Option<PathBuf>,
    /// Whether their weights stay here.
    pub private_weights: bool,
    /// Name that clients see.
    pub name: String,
    /// Threads that compute.
    pub threads: usize,
    /// Further origins that may connect.
    pub allow_origin: Vec<String>,
    /// What one client may use.
    pub limits: Limits,
    /// Bytes that all clients together may store.
    pub max_store_bytes: u64,
    /// Connections at once.
    pub max_connections: usize,
    /// Days until unused data are deleted, if ever.
    pub retention_days: Option<u32>,
    /// Form of the log.
    pub log_format: LogFormat,
    /// What to log.
    pub log: String,
}

/// A setting that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings in {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML of settings.
    #[error("{path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its range.
    #[error("{setting} is {have}, it must be {need}")]
    Range {
        /// The setting.
        setting: &'static str,
        /// Its value.
        have: String,
        /// What is allowed.
        need: &'static str,
    },
}

impl CommandLine {
    /// Reads the file, if one is named, and completes and checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`], in words for whoever starts the worker.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let file = match self.config {
            None => Settings::default(),
            Some(path) => {
                let text = match std::fs::read_to_string(&path) {
                    Ok(text) => text,
                    Err(source) => return Err(ConfigError::Read { path, source }),
                };
                toml::from_str(&text).map_err(|source| ConfigError::Toml {
                    path,
                    source: Box::new(source),
                })?
            }
        };
        self.settings.or(file).check()
    }
}

impl Settings {
    /// These settings, with `other` where they are absent.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            data: self.data.or(other.data),
            web: self.web.or(other.web),
            models: self.models.or(other.models),
            private_weights: self.private_weights.or(other.private_weights),
            name: self.name.or(other.name),
            threads: self.threads.or(other.threads),
            allow_origin: self.allow_origin.or(other.allow_origin),
            max_object_bytes: self.max_object_bytes.or(other.max_object_bytes),
            max_client_bytes: self.max_client_bytes.or(other.max_client_bytes),
            max_store_bytes: self.max_store_bytes.or(other.max_store_bytes),
            max_memory: self.max_memory.or(other.max_memory),
            max_jobs: self.max_jobs.or(other.max_jobs),
            max_connections: self.max_connections.or(other.max_connections),
            idle_timeout: self.idle_timeout.or(other.idle_timeout),
            retention_days: self.retention_days.or(other.retention_days),
            log_format: self.log_format.or(other.log_format),
            log: self.log.or(other.log),
        }
    }

    /// Fills in the defaults and checks ranges.
    ///
    /// # Errors
    /// [`ConfigError::Range`].
    pub fn check(self) -> Result<Config, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bytes = |size: Option<ByteSize>, default: ByteSize| size.unwrap_or(default).0;
        let limits = Limits {
            chunk_bytes: CHUNK_BYTES as u32,
            window_chunks: WINDOW_CHUNKS,
            max_object_bytes: bytes(self.max_object_bytes, ByteSize::mib(256)),
            max_client_bytes: bytes(self.max_client_bytes, ByteSize::gib(4)),
            max_jobs: self.max_jobs.unwrap_or(2),
            max_memory_bytes: bytes(self.max_memory, ByteSize::gib(12)),
            max_control_bytes: MAX_CONTROL_BYTES as u32,
            idle_timeout_s: self.idle_timeout.unwrap_or(120),
        };
        let name = self.name.unwrap_or_else(|| "confide-worker".to_owned());
        let threads = self.threads.unwrap_or(cores);
        let max_connections = self.max_connections.unwrap_or(64);
        let positive = "at least 1";
        for (setting, have, good, need) in [
            (
                "threads",
                threads as u64,
                (1..=1024).contains(&threads),
                "1 to 1024",
            ),
            (
                "max_jobs",
                limits.max_jobs.into(),
                limits.max_jobs >= 1,
                positive,
            ),
            (
                "max_connections",
                max_connections as u64,
                max_connections >= 1,
                positive,
            ),
            (
                "max_object_bytes",
                limits.max_object_bytes,
                limits.max_object_bytes >= 1,
                positive,
            ),
            (
                "max_object_bytes",
                limits.max_object_bytes,
                limits.max_object_bytes <= ByteSize::gib(64).0,
                "at most 64GiB",
            ),
            (
                "idle_timeout",
                limits.idle_timeout_s.into(),
                limits.idle_timeout_s >= 2,
                "at least 2 seconds",
            ),
        ] {
            if !good {
                return Err(ConfigError::Range {
                    setting,
                    have: have.to_string(),
                    need,
                });
            }
        }
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(ConfigError::Range {
                setting: "name",
                have: format!("{} bytes long", name.len()),
                need: "1 to 128 bytes long",
            });
        }
        Ok(Config {
            listen: self
                .listen
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8443))),
            data: self.data.unwrap_or_else(|| PathBuf::from("confide-data")),
            web: self.web.or_else(find_page),
            models: self
                .models
                .or_else(|| Some(PathBuf::from("models")).filter(|dir| dir.is_dir())),
            private_weights: self.private_weights.unwrap_or(false),
            name,
            threads,
            allow_origin: self.allow_origin.unwrap_or_default(),
            limits,
            max_store_bytes: bytes(self.max_store_bytes, ByteSize::gib(64)),
            max_connections,
            retention_days: match self.retention_days.unwrap_or(30) {
                0 => None,
                days => Some(days),
            },
            log_format: self.log_format.unwrap_or(LogFormat::Text),
            log: self.log.unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// The page where a build or an installation puts it.
fn find_page() -> Option<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|binary| Some(binary.parent()?.join("web")));
    [Some(PathBuf::from("target/web-dist")), beside]
        .into_iter()
        .flatten()
        .find(|dir| dir.join("index.html").is_file())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{CommandLine, LogFormat, Settings};

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file: Settings = toml::from_str(
            "listen = '0.0.0.0:9000'\nmax_client_bytes = '2GiB'\nmax_jobs = 5\nlog_format = 'json'",
        )
        .unwrap();
        let flags = CommandLine::try_parse_from(["confide-worker", "--max-jobs", "7"]).unwrap();
        let config = flags.settings.or(file).check().unwrap();
        assert_eq!(config.limits.max_jobs, 7);
        assert_eq!(config.limits.max_client_bytes, 2 << 30);
        assert_eq!(config.limits.max_object_bytes, 256 << 20);
        assert_eq!(config.listen.port(), 9000);
        assert_eq!(config.log_format, LogFormat::Json);
    }

    #[test]
    fn mistakes_are_refused_with_their_name() {
        assert!(toml::from_str::<Settings>("listn = '0.0.0.0:9000'").is_err());
        let none = Settings {
            threads: Some(0),
            ..Settings::default()
        };
        let error = none.check().unwrap_err().to_string();
        assert!(error.contains("threads is 0"), "{error}");
    }

    #[test]
    fn help_names_every_setting() {
        CommandLine::command().debug_assert();
        let help = CommandLine::command().render_long_help().to_string();
        for flag in [
            "--config",
            "--listen",
            "--data",
            "--web",
            "--models",
            "--private-weights",
            "--name",
            "--threads",
            "--allow-origin",
            "--max-object-bytes",
            "--max-client-bytes",
            "--max-store-bytes",
            "--max-memory",
            "--max-jobs",
            "--max-connections",
            "--idle-timeout",
            "--retention-days",
            "--log-format",
            "--log",
        ] {
            assert!(help.contains(flag), "{flag}");
        }
    }
}
