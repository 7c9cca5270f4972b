//! `confide plan MODEL`: what a network on encrypted images needs.

use crate::address::WorkerAddress;
use crate::bench::model_folder;
use crate::classify::bytes_of;
use crate::failure::Failure;
use crate::jobs::{Interrupt, connect};
use crate::models;
use crate::output;
use crate::progress::Progress;
use crate::train::to_json;
use clap::Parser;
use confide_client::ClientError;
use confide_client::vault::Vault;
use confide_model::{Card, InferencePlan, InferenceRequest, Model, inference};
use confide_tensor::CostModel;

/// Show what a network on encrypted images would send and take
#[derive(Parser, Clone, Debug)]
#[command(name = "confide plan", max_term_width = 100, no_binary_name = true)]
pub struct PlanModelArgs {
    /// Folder of a model, its name in the folder `models`, or the name of a model of the worker
    pub model: String,
    /// Images
    #[arg(long, value_name = "NUMBER", default_value_t = 512)]
    pub batch: usize,
    /// Most gigabytes of memory that the worker may use
    #[arg(long, value_name = "GB")]
    pub memory: Option<f64>,
    /// Threads of the worker, for a model that lies here
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    #[command(flatten)]
    pub worker: WorkerAddress,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the command: at most the number of images leaves this machine.
pub async fn run(args: &PlanModelArgs) -> Result<(), Failure> {
    let (card, plan) = match model_folder(&args.model) {
        Ok(folder) => {
            let card = Model::read(&folder).map_err(|error| no_plan(&error))?.card;
            let mut request = InferenceRequest::new(&card, args.batch);
            request.threads = args.threads;
            request.max_memory_bytes = bytes_of(args.memory.unwrap_or(16.0));
            // The plan's own affair where there is no worker yet.
            request.max_store_bytes = u64::MAX;
            let plan = inference::plan(&card, &request, &CostModel::default());
            (card, plan.map_err(|error| no_plan(&error))?)
        }
        Err(_) => ask(args).await?,
    };
    if args.json {
        let whole = serde_json::json!({ "model": card.name, "plan": plan });
        output::line(format_args!("{}", to_json(&whole)?));
        return Ok(());
    }
    let [channels, height, width] = card.input.shape;
    output::line(format_args!("{}: {}", card.name, card.about));
    output::line(format_args!(
        "  takes       {width} x {height} pixels, {channels} channel{}; gives {} classes; licence {}",
        if channels == 1 { "" } else { "s" },
        card.classes.len(),
        card.licence
    ));
    if let Some(accuracy) = &card.accuracy {
        output::line(format_args!(
            "  accuracy    {:.2} % of {} test images in the clear",
            100.0 * accuracy.test,
            accuracy.test_images
        ));
    }
    output::line(format_args!("{plan}"));
    Ok(())
}

async fn ask(args: &PlanModelArgs) -> Result<(Card, InferencePlan), Failure> {
    let (mut interrupt, progress) = (Interrupt::listen(), Progress::new());
    let vault = Vault::generate("")?;
    let (mut link, facts, _) = connect(&args.worker, &vault, &mut interrupt).await?;
    let entry = models::find(&mut link, &mut interrupt, &args.model).await?;
    let text = models::fetch(&mut link, &progress, &mut interrupt, entry.card, false).await?;
    let card = Card::parse(&text).map_err(|error| no_plan(&error))?;
    let mut request = InferenceRequest::new(&card, args.batch);
    request.threads = facts.threads;
    request.max_store_bytes = facts.max_client_bytes;
    request.max_memory_bytes = args
        .memory
        .map_or(u64::MAX, bytes_of)
        .min(facts.memory_bytes);
    let bytes = confide_protocol::to_bytes(&request).map_err(|error| no_plan(&error))?;
    let bytes = models::plan(&mut link, &mut interrupt, bytes).await?;
    let plan: InferencePlan =
        confide_protocol::from_bytes(&bytes).map_err(|error| no_plan(&error))?;
    plan.check(&card, &request)
        .map_err(|error| no_plan(&error))?;
    Ok((card, plan))
}

fn no_plan(error: &dyn std::error::Error) -> Failure {
    let message = format!("There is no plan for this model: {error}.");
    ClientError::new("CC-6064", message, "Allow more memory, or fewer images.").into()
}
