//! `confide bench model`.

mod kernels;
mod served;

pub use served::model_folder;

use crate::failure::Failure;
use std::path::PathBuf;

/// Options of `bench model`.
#[derive(clap::Args, Debug)]
pub struct ModelBenchArgs {
    /// Folder of a model, or its name in the folder `models`; with --in-process also resnet20, resnet32, resnet34,
    /// resnet44 or resnet56 with made-up weights
    model: String,
    /// Images
    #[arg(long, default_value_t = 512)]
    batch: usize,
    /// Leave out so many images first
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    skip: usize,
    /// Folder of images: a folder for each class, below `test` if there is one, or CIFAR-10's binary batches
    #[arg(long, value_name = "DIR", required_unless_present = "in_process")]
    data: Option<PathBuf>,
    /// Threads of the worker
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Gigabytes of memory that the worker may use
    #[arg(long, value_name = "GB", default_value_t = 16.0)]
    memory: f64,
    /// Images whose scores are known, to check the worker with
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    canaries: usize,
    /// Folder for the worker's store; a new one in the system's folder for temporary files when absent
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Program of the worker; the one beside this program when absent
    #[arg(long, value_name = "FILE", env = "CONFIDE_WORKER_BIN")]
    worker_bin: Option<PathBuf>,
    /// Both parties in this process, patterns for images: for timing layers
    #[arg(long)]
    in_process: bool,
    /// In process: images in a ciphertext, the slots over a power of 4
    #[arg(long, value_name = "NUMBER", default_value_t = 128)]
    in_ciphertext: usize,
    /// In process: channels take the places between pixels that no images take
    #[arg(long)]
    fold: bool,
    /// In process: images at this level, 15 to 27, and bootstraps on the way
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(15..=27))]
    entry: Option<u8>,
    /// In process: log2 of the ring degree
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(13..=17))]
    log_n: u32,
    /// In process: evaluate up to this layer only, at the levels of the whole network
    #[arg(long)]
    until: Option<String>,
    /// In process: gigabytes of rotated ciphertexts that a layer may hold at once
    #[arg(long, default_value_t = 2.0)]
    working_gb: f64,
    /// In process: only count, without any encryption
    #[arg(long)]
    plan: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the measurement.
pub fn run(args: &ModelBenchArgs) -> Result<(), Failure> {
    if args.in_process {
        return kernels::run(args);
    }
    crate::in_runtime(served::run(args))
}
