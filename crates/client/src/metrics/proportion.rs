//! Proportions with Wilson's interval.

use super::{Z95, clusters};
use serde::{Deserialize, Serialize};

/// A proportion and its 95 % interval after Wilson (JASA 1927), which stays sensible at 0, at 1 and for few cases. Where cases belong
/// together, the interval is that of as many independent ones as they amount to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proportion {
    /// Cases that count.
    pub count: usize,
    /// All cases.
    pub total: usize,
    /// Their quotient.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Proportion {
    /// `count` of `total`; `None` when there are no cases or more counted than there are.
    pub fn new(count: usize, total: usize) -> Option<Self> {
        Self::with(count, total, total as f64)
    }

    /// That of cases `(group, whether it counts)`, of which those of one group belong together.
    pub(super) fn of_groups(cases: &[(usize, bool)]) -> Option<Self> {
        let count = cases.iter().filter(|case| case.1).count();
        let effective = clusters::effective_cases(cases.iter().copied());
        Self::with(count, cases.len(), effective)
    }

    /// With the interval of `n` independent cases.
    fn with(count: usize, total: usize, n: f64) -> Option<Self> {
        if total == 0 || count > total {
            return None;
        }
        let value = count as f64 / total as f64;
        let shrink = 1.0 + Z95 * Z95 / n;
        let centre = (value + Z95 * Z95 / (2.0 * n)) / shrink;
        let half = Z95 / shrink * (value * (1.0 - value) / n + Z95 * Z95 / (4.0 * n * n)).sqrt();
        let low = if count == 0 {
            0.0
        } else {
            (centre - half).max(0.0)
        };
        let high = if count == total {
            1.0
        } else {
            (centre + half).min(1.0)
        };
        Some(Self {
            count,
            total,
            value,
            low,
            high,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_intervals() {
        let close = |count, total, low: f64, high: f64| {
            let p = Proportion::new(count, total).unwrap();
            assert!(
                (p.low - low).abs() < 1e-12 && (p.high - high).abs() < 1e-12,
                "{p:?}"
            );
        };
        close(110, 114, 0.9132415849113642, 0.9862720587655025);
        close(10, 10, 0.7224672001371107, 1.0);
        close(0, 7, 0.0, 0.3543304350666875);
        // As many cases in groups of two that are alike amount to half of them and a little less.
        let pairs: Vec<(usize, bool)> = (0..228).map(|i| (i / 2, i < 220)).collect();
        let grouped = Proportion::of_groups(&pairs).unwrap();
        let single = Proportion::new(110, 114).unwrap();
        assert_eq!(grouped.value, single.value);
        assert!((grouped.low - single.low).abs() < 1e-3 && grouped.low < single.low);
        assert!(Proportion::of_groups(&[]).is_none());
        assert!(Proportion::new(0, 0).is_none() && Proportion::new(2, 1).is_none());
    }
}
