//! `confide plan`.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::jobs::{Interrupt, connect, plan};
use crate::output;
use crate::plan_model::{self, PlanModelArgs};
use crate::progress::Progress;
use crate::records::TrainingRecords;
use crate::train::to_json;
use clap::Parser;
use confide_client::ClientError;
use confide_client::vault::Vault;
use confide_client::workflow::PlanSummary;

/// Options of `confide plan`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    subcommand_value_name = "MODEL",
    subcommand_help_heading = "For a network on encrypted images",
    after_help = "confide plan MODEL [--batch NUMBER] [--memory GB] plans for images; see confide plan MODEL --help."
)]
pub struct PlanArgs {
    #[command(subcommand)]
    pub model: Option<OfModel>,
    #[command(flatten)]
    pub worker: WorkerAddress,
    #[command(flatten)]
    pub records: Option<TrainingRecords>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A model in place of records.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum OfModel {
    /// The model, and options of its own.
    #[command(external_subcommand)]
    Model(Vec<String>),
}

/// Runs the command: only the numbers of rows, features and classes leave this machine.
pub async fn run(args: &PlanArgs) -> Result<(), Failure> {
    let records = match (&args.model, &args.records) {
        (Some(OfModel::Model(words)), _) => {
            return plan_model::run(&PlanModelArgs::parse_from(words)).await;
        }
        (None, Some(records)) => records,
        (None, None) => {
            let remedy = "Give --csv and --label, or the name of a model.";
            return Err(
                ClientError::new("CC-6065", "There is nothing to plan for.", remedy).into(),
            );
        }
    };
    let mut progress = Progress::new();
    let mut setup = records.prepare(&mut progress, None)?;
    progress.finish();
    let mut interrupt = Interrupt::listen();
    let vault = Vault::generate("")?;
    let (mut link, facts, worker) = connect(&args.worker, &vault, &mut interrupt).await?;
    let run = plan(&mut link, &facts, &mut setup, &mut interrupt).await?;
    let summary = PlanSummary::new(run.plan())?;
    let (max_abs_z, range) = run.range();
    if args.json {
        let items: Vec<_> = run
            .items()?
            .into_iter()
            .map(|item| (item.name, item.bytes))
            .collect();
        let whole = serde_json::json!({
            "worker": worker, "plan": summary, "notes": run.notes(), "max_abs_z": max_abs_z, "range": range, "objects": items,
        });
        output::line(format_args!("{}", to_json(&whole)?));
        return Ok(());
    }
    output::line(format_args!("{}", summary.text));
    output::line(format_args!(
        "  range       the largest logit of the clear program is {max_abs_z:.2}, allowed are {range}"
    ));
    for note in run.notes() {
        output::line(format_args!("Note: {note}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        plan: PlanArgs,
    }

    #[test]
    fn records_are_found_among_the_arguments() {
        let parse = |words: &[&str]| Command::try_parse_from(words).unwrap().plan.records;
        let words = ["plan", "--csv", "a.csv", "--label", "b", "--text", "c"];
        let records = parse(&words).unwrap();
        assert_eq!(records.text.as_deref(), Some("c"));
        assert!(parse(&["plan"]).is_none());
    }
}
