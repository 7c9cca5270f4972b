//! The compute party's program.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    confide_worker::program::run()
}
