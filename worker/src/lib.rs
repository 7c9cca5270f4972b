//! Placeholder.

/// Must not compile: `cargo xtask check-worker-secrets` sets this cfg and wants the error, so that
/// the worker's own build proves that it cannot name a secret key.
#[cfg(confide_probe_secret_key)]
use confide_ckks::SecretKey;
