//! Plans and results as the page shows them.

use confide_client::metrics::Metrics;
use confide_client::workflow::classify::ClassifyRun;
use confide_client::workflow::images::{ImageReport, ImageRun};
use confide_client::workflow::{
    ClassRows, ClearHeads, CurvePoint, Item, Outcome, PlanSummary, TrainingReport, TrainingRun,
};
use confide_train::minibatch::LossKind;
use serde::Serialize;

use crate::items::kind;
use confide_client::ClientError;

/// Objects of one kind in the plan.
#[derive(Serialize)]
struct Sum {
    name: &'static str,
    form: &'static str,
    count: usize,
    bytes: f64,
}

/// A plan for the page.
#[derive(Serialize)]
pub(crate) struct PlanView {
    items: Vec<Sum>,
    bytes_up: f64,
    /// Predicted seconds of the worker, without its network.
    worker_seconds: f64,
    /// Predicted seconds of the network that reads pictures for a head; 0 without one.
    network_seconds: f64,
    /// Predicted seconds of one native thread here; a browser takes about twice as long.
    client_seconds: f64,
    security_bits: u32,
    memory_bytes: f64,
    /// Points of the curve that will be drawn; 0 without one.
    points: usize,
    /// How often every record is used.
    epochs: usize,
    notes: Vec<String>,
    /// The plan for experts.
    text: String,
}

/// Sums up what will be sent.
pub(crate) fn plan_view(run: &TrainingRun) -> Result<PlanView, ClientError> {
    let summary = PlanSummary::new(run.plan())?;
    let items = sums(&run.items()?);
    Ok(PlanView {
        bytes_up: items.iter().map(|sum| sum.bytes).sum(),
        items,
        worker_seconds: summary.worker_seconds,
        network_seconds: 0.0,
        client_seconds: run.plan().costs().client_seconds,
        // Plans below the hard limits of the 2024 guidelines are refused before they get here.
        security_bits: 128,
        memory_bytes: summary.memory_bytes as f64,
        points: run.plan().validation_points().len(),
        epochs: run.plan().steps() / run.plan().epoch_steps().max(1),
        notes: run.notes().to_vec(),
        text: summary.text,
    })
}

/// Sums up what will be sent to classify images.
pub(crate) fn images_view(run: &ClassifyRun) -> Result<PlanView, ClientError> {
    let (plan, mut all) = (run.plan(), run.key_items()?);
    for job in 0..run.jobs() {
        all.extend(run.image_items(job)?);
    }
    let items = sums(&all);
    Ok(PlanView {
        bytes_up: items.iter().map(|sum| sum.bytes).sum(),
        items,
        worker_seconds: plan.costs.worker_seconds(),
        network_seconds: 0.0,
        client_seconds: plan.costs.client_seconds,
        // The parameters were refused otherwise.
        security_bits: 128,
        memory_bytes: plan.costs.memory_bytes as f64,
        points: 0,
        epochs: 0,
        notes: Vec::new(),
        text: plan.to_string(),
    })
}

/// Sums up what will be sent to train a head on encrypted images.
pub(crate) fn image_plan_view(run: &ImageRun) -> Result<PlanView, ClientError> {
    let summary = PlanSummary::new(run.training())?;
    let (plan, mut all) = (run.training(), run.feature_keys()?);
    for job in 0..run.jobs().iter().sum() {
        all.extend(run.image_items(job)?);
    }
    all.extend(run.training_items()?);
    let items = sums(&all);
    let costs = || run.features().map(|plan| &plan.costs);
    let memory = costs().map(|costs| costs.memory_bytes);
    let texts = run.features().map(|plan| format!("\n\n{plan}"));
    Ok(PlanView {
        bytes_up: items.iter().map(|sum| sum.bytes).sum(),
        items,
        worker_seconds: summary.worker_seconds,
        network_seconds: costs().map(|costs| costs.worker_seconds()).sum(),
        client_seconds: plan.costs().client_seconds
            + costs().map(|costs| costs.client_seconds).sum::<f64>(),
        // The parameters of every plan were refused otherwise.
        security_bits: 128,
        memory_bytes: memory.fold(summary.memory_bytes, u64::max) as f64,
        points: 0,
        epochs: plan.steps() / plan.epoch_steps().max(1),
        notes: run.notes().to_vec(),
        text: summary.text + &texts.collect::<String>(),
    })
}

/// Objects added up by kind.
fn sums(all: &[Item]) -> Vec<Sum> {
    let mut items: Vec<Sum> = Vec::new();
    for item in all {
        let name = kind(&item.job);
        let form = if item.job.has_slots() {
            "locked"
        } else {
            "key"
        };
        match items.iter_mut().find(|sum| sum.name == name) {
            Some(sum) => {
                sum.count += 1;
                sum.bytes += item.bytes as f64;
            }
            None => items.push(Sum {
                name,
                form,
                count: 1,
                bytes: item.bytes as f64,
            }),
        }
    }
    items
}

/// A finished training for the page. `clear` is the usual method on readable records: the exact sigmoid, trained to
/// the end.
#[derive(Serialize)]
pub(crate) struct ReportView {
    tests: usize,
    trained: usize,
    classes: Vec<String>,
    class_rows: Vec<ClassRows>,
    positive: Option<String>,
    encrypted: Metrics,
    clear: Metrics,
    /// Largest difference of a probability to the same program on plain numbers.
    difference: f64,
    /// Loss and accuracy while it trained, on records that were set aside.
    curve: Vec<CurvePoint>,
    notes: Vec<String>,
    model: ModelView,
}

/// What was trained, and under which protection, for the model card.
#[derive(Serialize)]
struct ModelView {
    features: usize,
    components: usize,
    outputs: usize,
    hidden: usize,
    softmax: bool,
    /// Times that every record was used.
    passes: usize,
    feature_scale: f64,
    plan: PlanSummary,
    release: &'static str,
}

impl ReportView {
    pub(crate) fn new(
        run: &TrainingRun,
        report: &TrainingReport,
        outcome: &Outcome,
        clear: &ClearHeads,
    ) -> Self {
        let plan = run.plan();
        Self {
            tests: report.test_rows,
            trained: report.train_rows,
            classes: report.classes.clone(),
            class_rows: report.class_rows.clone(),
            positive: report.positive.as_ref().map(|(name, _)| name.clone()),
            encrypted: report.encrypted.clone(),
            clear: report.clear.clone(),
            difference: run.probability_difference(outcome, clear),
            curve: report.curve.clone(),
            notes: report.notes.clone(),
            model: ModelView {
                features: report.features,
                components: report.components,
                outputs: plan.outputs(),
                hidden: plan.hidden(),
                softmax: plan.loss() == LossKind::Softmax,
                passes: plan.steps() / plan.epoch_steps().max(1),
                feature_scale: report.feature_scale,
                plan: report.plan.clone(),
                release: env!("CARGO_PKG_VERSION"),
            },
        }
    }
}

/// A finished training on encrypted pictures for the page: as [`ReportView`], without what nobody computed here.
#[derive(Serialize)]
pub(crate) struct ImageReportView<'a> {
    tests: usize,
    trained: usize,
    classes: &'a [String],
    class_rows: &'a [ClassRows],
    positive: Option<&'a String>,
    encrypted: &'a Metrics,
    /// The usual method on readable pictures, where the user wanted it beside.
    clear: Option<&'a Metrics>,
    difference: Option<f64>,
    curve: [CurvePoint; 0],
    notes: &'a [String],
    model: ModelView,
}

impl<'a> ImageReportView<'a> {
    pub(crate) fn new(run: &'a ImageRun, report: &'a ImageReport) -> Self {
        let (plan, clear) = (run.training(), report.clear.as_ref());
        let features = run.card().features.as_ref();
        let features = features.map_or(0, |features| features.rows.len());
        Self {
            tests: report.test_images,
            trained: report.train_images,
            classes: &report.classes,
            class_rows: &report.class_rows,
            positive: report.positive.as_ref(),
            encrypted: &report.encrypted,
            clear: clear.map(|clear| &clear.converged),
            difference: clear.map(|clear| clear.max_probability_difference),
            curve: [],
            notes: &report.notes,
            model: ModelView {
                features,
                components: features,
                outputs: plan.outputs(),
                hidden: 0,
                softmax: plan.loss() == LossKind::Softmax,
                passes: plan.steps() / plan.epoch_steps().max(1),
                feature_scale: 1.0,
                plan: report.plan.clone(),
                release: env!("CARGO_PKG_VERSION"),
            },
        }
    }
}
