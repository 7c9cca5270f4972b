//! `confide embed`.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::jobs::Interrupt;
use crate::output;
use crate::pictures::Pictures;
use crate::progress::{Progress, human_seconds};
use crate::records::{read_table, show_problems};
use crate::text::TextOptions;
use crate::train::write;
use confide_client::ClientError;
use confide_client::intake::write_csv;
use std::path::PathBuf;

/// Options of `confide embed`.
#[derive(clap::Args, Clone, Debug)]
pub struct EmbedArgs {
    /// CSV file with a header, or a folder of text files; with --base-model a folder of PNG and JPEG files
    #[arg(value_name = "RECORDS")]
    pub records: PathBuf,
    /// Folder of a base model for pictures, or name of one that the worker has
    #[arg(long, value_name = "NAME|DIR", conflicts_with = "text")]
    pub base_model: Option<String>,
    /// List of the pictures with their labels; folders are classes when absent
    #[arg(long, value_name = "FILE", requires = "base_model")]
    pub labels: Option<PathBuf>,
    #[command(flatten)]
    pub worker: WorkerAddress,
    #[command(flatten)]
    pub text: TextOptions,
    /// CSV file to write: the other columns, and the numbers in place of the texts
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Runs the command: no record leaves this machine.
pub async fn run(args: &EmbedArgs) -> Result<(), Failure> {
    let mut progress = Progress::new();
    let table = match &args.base_model {
        Some(base_model) => {
            let pictures = Pictures {
                folder: &args.records,
                labels: args.labels.as_deref(),
                base_model,
                worker: &args.worker,
            };
            let mut interrupt = Interrupt::listen();
            let table = pictures.table(&mut progress, &mut interrupt).await?;
            show_problems(&table, true);
            table
        }
        None => {
            if args.text.text.is_none() {
                let message = "Neither a column of texts nor a base model is named.";
                let remedy = "Name one with --text COLUMN or --base-model NAME|DIR.";
                return Err(ClientError::new("CC-6073", message, remedy).into());
            }
            let mut table = read_table(&args.records)?;
            show_problems(&table, true);
            args.text.embed(&mut table, &mut progress)?;
            table
        }
    };
    let seconds = progress.finish();
    let header = table.columns.iter().map(|column| column.name.clone());
    let cells = |row| {
        table
            .columns
            .iter()
            .map(|column| column.shown(row))
            .collect()
    };
    let lines = std::iter::once(header.collect()).chain((0..table.rows()).map(cells));
    let csv = write_csv::<Vec<String>>(lines)?;
    write(&args.out, &csv)?;
    let taken: f64 = seconds.iter().map(|(_, seconds)| seconds).sum();
    output::line(format_args!(
        "{} records with {} numbers of each written to {} in {}.",
        table.rows(),
        table.read_features().len(),
        args.out.display(),
        human_seconds(taken)
    ));
    Ok(())
}
