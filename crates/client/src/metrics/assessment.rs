//! One class against the rest in the figures that a model card asks for.

use super::auc::Interval;
use super::bootstrap::{BOOTSTRAP_SEED, Bootstrap};
use super::calibration::Calibration;
use super::decision::Decision;
use super::scored::Scored;
use serde::{Deserialize, Serialize};

/// Discrimination, calibration and the decision at a threshold, for one class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// Name of the class.
    pub class: String,
    /// Records measured.
    pub records: usize,
    /// Records of the class.
    pub events: usize,
    /// Area under the ROC curve with the interval of the bootstrap.
    pub auc: Interval,
    /// Average precision with the interval of the bootstrap.
    pub average_precision: Interval,
    /// Brier score with the interval of the bootstrap.
    pub brier: Interval,
    /// Agreement of the probabilities with what came true.
    pub calibration: Calibration,
    /// What the threshold does.
    pub decision: Decision,
    /// Resamples that the intervals rest on.
    pub bootstrap_replicates: usize,
    /// Seed of the resampling.
    pub bootstrap_seed: u64,
    /// Whether groups of records (patients) were resampled instead of records.
    pub bootstrap_by_group: bool,
}

impl Assessment {
    /// Assesses a class at a threshold; `None` where the records do not suffice for a bootstrap.
    pub fn new(class: &str, scored: &Scored, threshold: f64) -> Option<Self> {
        Self::with(class, scored, &scored.bootstrap(BOOTSTRAP_SEED)?, threshold)
    }

    /// The same from a bootstrap that was done.
    pub fn with(
        class: &str,
        scored: &Scored,
        bootstrap: &Bootstrap,
        threshold: f64,
    ) -> Option<Self> {
        Some(Self {
            class: class.to_owned(),
            records: scored.records(),
            events: scored.events(),
            auc: bootstrap.auc,
            average_precision: bootstrap.average_precision,
            brier: bootstrap.brier,
            calibration: scored.calibration()?,
            decision: scored.decision(threshold),
            bootstrap_replicates: bootstrap.replicates,
            bootstrap_seed: bootstrap.seed,
            bootstrap_by_group: bootstrap.grouped,
        })
    }
}
