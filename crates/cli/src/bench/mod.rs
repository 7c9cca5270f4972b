//! `confide bench`.

mod engine;
pub mod timing;

use crate::failure::Failure;

/// Measure this machine
#[derive(clap::Subcommand, Debug)]
pub enum BenchCommand {
    /// Time the operations of the encryption engine
    Engine(engine::EngineArgs),
}

/// Runs the command.
pub fn run(command: BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Engine(args) => engine::run(&args),
    }
}
