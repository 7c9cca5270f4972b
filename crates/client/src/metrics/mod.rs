//! How well a head does, computed by the data party from decrypted scores.

mod auc;
mod proportion;
mod report;

pub use auc::{Interval, auc, macro_auc, roc_curve};
pub use proportion::Proportion;
pub(crate) use report::most_probable;
pub use report::{ClassMetrics, Metrics, log_loss, measure, probabilities, sigmoid};

/// The quantile of the normal distribution that gives 95 % intervals.
const Z95: f64 = 1.959_963_984_540_054;
