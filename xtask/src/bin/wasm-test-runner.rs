//! Runs one wasm test binary in a browser; cargo calls it as the `runner` of wasm32 tests.
//!
//! This is the runner of wasm-bindgen-cli, linked as a library at the version of the crate:
//! it builds in a fraction of the time of `cargo install wasm-bindgen-cli` and cannot drift.

#![forbid(unsafe_code)]

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
