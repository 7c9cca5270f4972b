//! `confide bench`.

mod accuracy;
mod bootstrap;
mod cost;
mod engine;
mod model;
mod noise;
mod setup1;
mod timing;
mod train;

pub use model::model_folder;

use crate::failure::Failure;
use confide_client::ClientError;

/// Measure this machine
#[derive(clap::Subcommand, Debug)]
pub enum BenchCommand {
    /// Time the operations of the encryption engine
    Engine(engine::EngineArgs),
    /// Time the operations of programs and fit the cost model to them
    Cost(cost::CostArgs),
    /// Compare the noise of each operation with its prediction
    Noise(noise::NoiseArgs),
    /// Time a bootstrap and measure its precision
    Bootstrap(bootstrap::BootstrapArgs),
    /// Compare heads trained by encrypted minibatches with the converged head, over splits of a table
    Accuracy(accuracy::AccuracyArgs),
    /// Time a network on encrypted images, by a worker that is started for it
    Model(model::ModelBenchArgs),
    /// Train a head on encrypted features of a network, from its pooling to predictions
    Setup1(setup1::Setup1Args),
    /// Time a whole training on made-up records in this process, without a worker
    Train(train::TrainBenchArgs),
}

/// Runs the command.
pub fn run(command: BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Engine(args) => engine::run(&args),
        BenchCommand::Cost(args) => cost::run(&args),
        BenchCommand::Noise(args) => noise::run(&args),
        BenchCommand::Bootstrap(args) => bootstrap::run(&args),
        BenchCommand::Accuracy(args) => accuracy::run(&args),
        BenchCommand::Model(args) => model::run(&args),
        BenchCommand::Setup1(args) => setup1::run(&args),
        BenchCommand::Train(args) => train::run(&args),
    }
}

/// Threads of their own for a measurement.
fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    let built = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.clamp(1, 256))
        .build();
    built.map_err(|error| {
        let message = format!("Cannot start the threads: {error}.");
        ClientError::new("CC-6030", message, "Choose fewer threads.").into()
    })
}
