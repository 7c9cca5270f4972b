//! `confide forget`.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::jobs::{Interrupt, answer, connect};
use crate::keyfile::{self, PassphraseSource};
use crate::output;
use crate::progress::human_bytes;
use confide_client::session::Event;
use std::path::PathBuf;

/// Options of `confide forget`.
#[derive(clap::Args, Clone, Debug)]
pub struct ForgetArgs {
    #[command(flatten)]
    pub worker: WorkerAddress,
    /// Key file of the training: what the worker stores under this key is deleted
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseSource,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the command. A second time finds nothing, which is no error.
pub async fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let vault = keyfile::open(&args.key, &args.passphrase)?;
    let mut interrupt = Interrupt::listen();
    let (mut link, _, worker) = connect(&args.worker, &vault, &mut interrupt).await?;
    let request = link.ask(|session| session.delete_all()).await?;
    let take = |event| match event {
        Event::Deleted {
            request,
            objects,
            bytes,
        } => Ok((request, (objects, bytes))),
        other => Err(Box::new(other)),
    };
    let (objects, bytes) = answer(&mut link, &mut interrupt, request, take).await?;
    if args.json {
        let whole = serde_json::json!({ "worker": worker, "objects": objects, "bytes": bytes });
        output::line(format_args!("{whole}"));
    } else {
        output::line(format_args!(
            "{worker} deleted {objects} objects, {}. The key file and what was decrypted stay.",
            human_bytes(bytes)
        ));
    }
    Ok(())
}
