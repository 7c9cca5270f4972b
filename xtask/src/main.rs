//! The project's own tasks: `cargo demo`, `cargo verify` and `cargo xtask <task>`.

#![forbid(unsafe_code)]

mod browser_tests;
mod demo;
mod npm;
mod page;
mod peers;
mod process;
mod running;
mod secrets;
mod serve;
mod setup;
mod steps;
mod text_model;
mod verify;
mod web;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up, demo and verification of Confide.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the page: wasm in two variants, bindings, styles and modules
    BuildWeb(web::Options),
    /// Build all, train on the sample from the terminal, then serve the page
    Demo(demo::Options),
    /// Set up what is missing and run every test
    Verify(verify::Options),
    /// Run the wasm tests of ring, scheme, data party, language model and networks in headless Chromium
    BrowserTests,
    /// Fetch the language model for written records and pack it for page and terminal
    TextModel(text_model::Options),
    /// Fetch axe-core, with which the browser tests check accessibility
    Axe,
    /// Measure other libraries beside this engine
    Peers(peers::Options),
    /// Check that the worker's build cannot name a secret key
    CheckWorkerSecrets,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::find()?;
    match task {
        Task::BuildWeb(options) => web::build(&workspace, &options).map(|_| ()),
        Task::Demo(options) => demo::run(&workspace, &options),
        Task::Verify(options) => verify::run(&workspace, &options),
        Task::BrowserTests => {
            let browser = setup::browser()?;
            browser_tests::run(&workspace, &browser).map(|_| ())
        }
        Task::TextModel(options) => text_model::make(&workspace, &options).map(|_| ()),
        Task::Axe => {
            eprintln!("  axe-core: {}", npm::axe(&workspace)?.display());
            Ok(())
        }
        Task::Peers(options) => peers::run(&workspace, &options),
        Task::CheckWorkerSecrets => secrets::check(&workspace),
    }
}
