//! The data party without input and output: everything that the terminal and the browser share.
//!
//! Records come in as bytes of a CSV file ([`intake`]), are split, standardised and whitened ([`prepare`]), and
//! leave encrypted through a session state machine that the caller connects to a socket. Nothing here reads a
//! clock, a file or a socket, and nothing panics on what comes from outside.
#![forbid(unsafe_code)]

pub mod archive;
mod error;
pub mod intake;
pub mod ledger;
pub mod metrics;
pub mod prepare;
pub mod session;
pub mod vault;
pub mod workflow;

pub use error::ClientError;
