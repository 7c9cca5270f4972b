//! How well a head does, computed by the data party from decrypted scores.

mod assessment;
mod auc;
mod bootstrap;
mod calibration;
mod clusters;
mod decision;
mod proportion;
mod report;
mod scored;
mod similar;
mod subgroups;

pub use assessment::Assessment;
pub use auc::{Interval, auc, macro_auc};
pub use bootstrap::{BOOTSTRAP_SEED, Band, Bootstrap};
pub use calibration::{Calibration, CalibrationBin};
pub use decision::Decision;
pub use proportion::Proportion;
pub(crate) use report::most_probable;
pub use report::{ClassMetrics, Metrics, log_loss, measure, probabilities, sigmoid};
pub use scored::Scored;
pub use similar::SimilarRecords;
pub use subgroups::{MAX_SUBGROUPS, Part, Parting, Subgroup};

/// The quantile of the normal distribution that gives 95 % intervals.
const Z95: f64 = 1.959_963_984_540_054;
