//! The worker with plans on rings of no security: for tests of whole trainings that must end in seconds. Built with the tests
//! only.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    confide_worker::program::run()
}
