//! `confide`: the data party in a terminal.
#![forbid(unsafe_code)]

mod address;
mod bench;
mod classify;
mod curve;
mod embed;
mod failure;
mod forget;
mod images;
mod jobs;
mod keyfile;
mod keys;
mod link;
mod models;
mod output;
mod phases;
mod pictures;
mod plan;
mod plan_model;
mod predict;
mod predict_images;
mod progress;
mod records;
mod text;
mod train;
mod train_images;
mod upload;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// Train on records that the worker never sees: this program encrypts them, sends them to a confide-worker, and
/// decrypts what comes back.
#[derive(Parser, Debug)]
#[command(name = "confide", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make, copy and inspect key files
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Train a head on the encrypted records of a CSV file, on features of pictures, or on encrypted images, and test it
    Train(Box<train::TrainArgs>),
    /// Predict the records of a CSV file, or pictures, with a trained head
    Predict(predict::PredictArgs),
    /// Classify images with a network of the worker, which sees neither images nor results
    Classify(classify::ClassifyArgs),
    /// Turn texts into numbers with the language model, or pictures with a base model, on this machine alone
    Embed(embed::EmbedArgs),
    /// Show what a training, or a network on images, would send and take, without sending any records
    Plan(plan::PlanArgs),
    /// Delete everything that a worker stores under a key: locked records, keys, trained heads, checkpoints
    Forget(forget::ForgetArgs),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (json, result) = match arguments.command {
        Command::Keys(command) => (false, keys::run(command)),
        Command::Train(args) => (args.json, in_runtime(train::run(&args))),
        Command::Predict(args) => (args.json, in_runtime(predict::run(&args))),
        Command::Classify(args) => (args.json, in_runtime(classify::run(&args))),
        Command::Embed(args) => (false, in_runtime(embed::run(&args))),
        Command::Plan(args) => (args.json, in_runtime(plan::run(&args))),
        Command::Forget(args) => (args.json, in_runtime(forget::run(&args))),
        Command::Bench(command) => (false, bench::run(command)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("confide: {failure}");
            if json {
                output::line(format_args!("{}", failure.to_json()));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn in_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            confide_client::ClientError::new(
                "CC-6003",
                format!("Cannot start: {error}."),
                "Free some memory.",
            )
        })?;
    let result = runtime.block_on(command);
    // Threads that still make objects after a cancellation are not waited for.
    runtime.shutdown_background();
    result
}
