//! Helpers of the end-to-end tests: the real worker as a process of its own, and data parties
//! that talk to it over real sockets.
#![forbid(unsafe_code)]

pub mod party;
pub mod pictures;
pub mod proxy;
pub mod table;
pub mod terminal;
pub mod tls;
pub mod worker;
