//! `confide embed`.

use crate::failure::Failure;
use crate::output;
use crate::progress::{Progress, human_seconds};
use crate::records::{read_table, show_problems};
use crate::text::{TextOptions, push_row};
use crate::train::write;
use confide_client::ClientError;
use std::path::PathBuf;

/// Options of `confide embed`.
#[derive(clap::Args, Clone, Debug)]
pub struct EmbedArgs {
    /// CSV file with a header, or a folder of text files
    #[arg(value_name = "RECORDS")]
    pub records: PathBuf,
    #[command(flatten)]
    pub text: TextOptions,
    /// CSV file to write: the other columns, and the numbers in place of the texts
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Runs the command: nothing leaves this machine.
pub fn run(args: &EmbedArgs) -> Result<(), Failure> {
    if args.text.text.is_none() {
        let message = "No column of texts is named.";
        return Err(ClientError::new("CC-6073", message, "Name it with --text COLUMN.").into());
    }
    let mut table = read_table(&args.records)?;
    show_problems(&table, true);
    let mut progress = Progress::new();
    args.text.embed(&mut table, &mut progress)?;
    let seconds = progress.finish();
    let mut csv = String::new();
    push_row(
        &mut csv,
        table.columns.iter().map(|column| column.name.as_str()),
    );
    for row in 0..table.rows() {
        let cells: Vec<String> = table
            .columns
            .iter()
            .map(|column| column.shown(row))
            .collect();
        push_row(&mut csv, cells.iter().map(String::as_str));
    }
    write(&args.out, &csv)?;
    let taken: f64 = seconds.iter().map(|(_, seconds)| seconds).sum();
    output::line(format_args!(
        "{} records with {} numbers of text written to {} in {}.",
        table.rows(),
        table.text_features().len(),
        args.out.display(),
        human_seconds(taken)
    ));
    Ok(())
}
