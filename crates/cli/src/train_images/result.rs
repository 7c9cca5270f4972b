//! What a training on images gave, for people and for programs.

use crate::output;
use crate::phases::Phase;
use crate::progress::human_bytes;
use crate::train::print_totals;
use confide_client::ledger::LedgerSummary;
use confide_client::workflow::images::ImageReport;
use serde::Serialize;

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ImageResult {
    #[serde(flatten)]
    pub(super) report: ImageReport,
    /// Seconds, bytes of all frames and bootstraps of the worker, by phase.
    pub(super) phases: Vec<Phase>,
    pub(super) seconds_total: f64,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
    /// Of the worker, by phase of the training job.
    pub(super) worker_seconds: Vec<(String, f64)>,
    /// Most memory of the worker in any job.
    pub(super) worker_peak_rss_bytes: u64,
    pub(super) worker: String,
    /// What left this machine, by form.
    pub(super) ledger: LedgerSummary,
    pub(super) key_fingerprint: String,
}

/// The result for people.
pub(super) fn print(result: &ImageResult) {
    let report = &result.report;
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
    };
    output::line(format_args!("{}", report.plan.text));
    for plan in &report.feature_plans {
        output::line(format_args!("\n{plan}"));
    }
    output::line(format_args!(
        "\n{} images trained a head on features of {}, {} test it.",
        report.train_images, report.model, report.test_images
    ));
    output::line(format_args!(
        "Accuracy of decrypted predictions: {}",
        percent(report.accuracy_encrypted)
    ));
    if let Some(clear) = &report.clear {
        output::line(format_args!(
            "In the clear: the same program {}, trained to convergence {}; {} of labels agree, logits differ by {:.1e} at most",
            percent(clear.accuracy_program),
            percent(clear.accuracy),
            percent(Some(clear.label_agreement)),
            clear.max_logit_difference
        ));
    }
    output::line(format_args!(
        "\n{:<16} {:>10} {:>12} {:>12} {:>11}",
        "phase", "seconds", "up", "down", "bootstraps"
    ));
    for phase in &result.phases {
        output::line(format_args!(
            "{:<16} {:>10.1} {:>12} {:>12} {:>11}",
            phase.name,
            phase.seconds,
            human_bytes(phase.bytes_up),
            human_bytes(phase.bytes_down),
            phase.bootstraps
        ));
    }
    print_totals(
        result.seconds_total,
        [result.bytes_up, result.bytes_down],
        result.worker_peak_rss_bytes,
    );
}
