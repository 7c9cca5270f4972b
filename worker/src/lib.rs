//! The compute party: a service that stores encrypted objects and computes on them.
//!
//! ```text
//! program  settings, log, signals
//! server   the port: page (web), socket (session), orderly stop
//! session  one connection: uploads, downloads, jobs that it follows
//! store    objects and job records on disk, accounts and limits
//! queue    jobs one after another, clients in turn
//! jobs     what a job computes
//! models   the networks that it evaluates
//! ```
//! It can read nothing of what it computes on: no build of it can name a secret key.
#![forbid(unsafe_code)]

mod app;
mod bytes;
pub mod config;
mod fault;
pub mod jobs;
pub mod logging;
mod memory;
pub mod models;
mod origin;
pub mod program;
mod queue;
pub mod server;
mod session;
#[cfg(not(fuzzing))]
mod store;
/// Public only for the fuzz targets, which let it read hostile files.
#[cfg(fuzzing)]
pub mod store;
mod web;

/// Must not compile: `cargo xtask check-worker-secrets` sets this cfg and wants the error, so that
/// the worker's own build proves that it cannot name a secret key.
#[cfg(confide_probe_secret_key)]
use confide_ckks::SecretKey;
