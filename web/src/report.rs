//! Plans and results as the page shows them.

use confide_client::metrics::{Metrics, measure, probabilities, roc_curve};
use confide_client::workflow::{
    ClearHeads, CurvePoint, Outcome, PlanSummary, TrainingReport, TrainingRun,
};
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
    /// Predicted seconds of the worker.
    worker_seconds: f64,
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
    let mut items: Vec<Sum> = Vec::new();
    for item in run.items()? {
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
    Ok(PlanView {
        bytes_up: items.iter().map(|sum| sum.bytes).sum(),
        items,
        worker_seconds: summary.worker_seconds,
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

#[derive(Serialize)]
struct MeasureView {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

#[derive(Serialize)]
struct Figures {
    accuracy: Option<MeasureView>,
    auc: Option<MeasureView>,
    sensitivity: Option<MeasureView>,
    specificity: Option<MeasureView>,
    brier: Option<MeasureView>,
    confusion: Vec<Vec<usize>>,
    roc: Option<Vec<(f64, f64)>>,
}

/// Probabilities of the positive class of two; empty with more.
#[derive(Serialize)]
struct Scores {
    truth: Vec<usize>,
    encrypted: Vec<f64>,
    program: Vec<f64>,
}

/// A finished training for the page. `clear` is the usual method on readable records: the exact sigmoid, trained to
/// the end. `program` in the scores is the program of the encrypted run on plain numbers.
#[derive(Serialize)]
pub(crate) struct ReportView {
    tests: usize,
    trained: usize,
    classes: Vec<String>,
    positive: Option<String>,
    encrypted: Figures,
    clear: Figures,
    scores: Scores,
    /// Loss and accuracy while it trained, on records that were set aside.
    curve: Vec<CurvePoint>,
    notes: Vec<String>,
}

impl ReportView {
    pub(crate) fn new(
        run: &TrainingRun,
        report: &TrainingReport,
        outcome: &Outcome,
        clear: &ClearHeads,
    ) -> Self {
        let truth = run.test_classes();
        let positive = report
            .positive
            .as_ref()
            .and_then(|(name, _)| report.classes.iter().position(|class| class == name));
        let at = positive.unwrap_or(0);
        let rows = |logits: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let one = |row: &Vec<f64>| probabilities(row, at, run.plan().loss());
            logits.iter().map(one).collect()
        };
        let encrypted = rows(&outcome.logits);
        let program = rows(&run.clear_logits(&clear.program));
        let converged = rows(&run.clear_logits(&clear.converged));
        let figures = |rows: &[Vec<f64>]| {
            let is: Vec<bool> = truth.iter().map(|&class| Some(class) == positive).collect();
            let roc = positive.map(|class| {
                roc_curve(
                    &is,
                    &rows.iter().map(|row| row[class]).collect::<Vec<f64>>(),
                )
            });
            Figures::new(measure(&truth, rows, &report.classes, at), roc)
        };
        let of_positive = |rows: &[Vec<f64>]| {
            positive.map_or_else(Vec::new, |class| {
                rows.iter().map(|row| row[class]).collect()
            })
        };
        Self {
            tests: report.test_rows,
            trained: report.train_rows,
            classes: report.classes.clone(),
            positive: report.positive.as_ref().map(|(name, _)| name.clone()),
            encrypted: figures(&encrypted),
            clear: figures(&converged),
            scores: Scores {
                encrypted: of_positive(&encrypted),
                program: of_positive(&program),
                truth: truth.clone(),
            },
            curve: report.curve.clone(),
            notes: report.notes.clone(),
        }
    }
}

impl Figures {
    fn new(metrics: Metrics, roc: Option<Vec<(f64, f64)>>) -> Self {
        let proportion = |p: Option<confide_client::metrics::Proportion>| {
            p.map(|p| MeasureView {
                value: p.value,
                low: Some(p.low),
                high: Some(p.high),
            })
        };
        Self {
            accuracy: proportion(metrics.accuracy),
            auc: metrics.auc.map(|a| MeasureView {
                value: a.value,
                low: Some(a.low),
                high: Some(a.high),
            }),
            sensitivity: proportion(metrics.sensitivity),
            specificity: proportion(metrics.specificity),
            brier: metrics.brier.map(|value| MeasureView {
                value,
                low: None,
                high: None,
            }),
            confusion: metrics.confusion,
            roc,
        }
    }
}
