//! Area under the ROC curve with the interval of DeLong, DeLong and Clarke-Pearson (Biometrics 1988), computed
//! through midranks (Sun and Xu, IEEE SPL 2014).

use super::Z95;
use serde::{Deserialize, Serialize};

/// A value and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// For each case, how often its score beats the scores of the other group (ties count half), with the mean.
struct Placements {
    positive: Vec<f64>,
    negative: Vec<f64>,
    auc: f64,
}

/// Area under the ROC curve of `scores` for the cases marked positive; `None` without cases of both kinds or
/// when a score is not finite or the lengths differ.
pub fn auc(positive: &[bool], scores: &[f64]) -> Option<Interval> {
    let placed = placements(positive, scores)?;
    let variance = variance(&placed.positive, placed.auc) / placed.positive.len() as f64
        + variance(&placed.negative, placed.auc) / placed.negative.len() as f64;
    Some(interval(placed.auc, variance))
}

/// Mean over classes of the area of each class against the rest. `scores[i]` holds one score a class, `classes`
/// the class of each case. Classes without a case on either side are left out; `None` when none is left.
///
/// The interval takes the correlation between the classes' areas into account: each case's placements in all
/// classes are added up before the variance is taken.
pub fn macro_auc(classes: &[usize], scores: &[Vec<f64>], count: usize) -> Option<Interval> {
    if classes.len() != scores.len() || scores.iter().any(|row| row.len() != count) {
        return None;
    }
    let mut influence = vec![0.0; classes.len()];
    let (mut total, mut used) = (0.0, 0usize);
    for class in 0..count {
        let positive: Vec<bool> = classes.iter().map(|&c| c == class).collect();
        let column: Vec<f64> = scores.iter().map(|row| row[class]).collect();
        let Some(placed) = placements(&positive, &column) else {
            continue;
        };
        used += 1;
        total += placed.auc;
        let (mut next_positive, mut next_negative) =
            (placed.positive.iter(), placed.negative.iter());
        for (sum, &positive) in influence.iter_mut().zip(&positive) {
            let (next, group) = match positive {
                true => (next_positive.next(), unbiased(placed.positive.len())),
                false => (next_negative.next(), unbiased(placed.negative.len())),
            };
            *sum += next.map_or(0.0, |value| (value - placed.auc) / group);
        }
    }
    if used == 0 {
        return None;
    }
    let classes = used as f64;
    let variance = influence.iter().map(|sum| (sum / classes).powi(2)).sum();
    Some(interval(total / classes, variance))
}

/// sqrt(n (n - 1)): the square of a placement divided by it adds up to the unbiased variance over n.
fn unbiased(n: usize) -> f64 {
    let n = n as f64;
    (n * (n - 1.0)).sqrt().max(1.0)
}

fn interval(value: f64, variance: f64) -> Interval {
    let half = Z95 * variance.max(0.0).sqrt();
    Interval {
        value,
        low: (value - half).max(0.0),
        high: (value + half).min(1.0),
    }
}

/// Unbiased variance around a known mean; zero for a single case.
fn variance(values: &[f64], mean: f64) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (values.len() - 1) as f64
}

fn placements(positive: &[bool], scores: &[f64]) -> Option<Placements> {
    if positive.len() != scores.len() || scores.iter().any(|score| !score.is_finite()) {
        return None;
    }
    let select = |wanted: bool| -> Vec<f64> {
        positive
            .iter()
            .zip(scores)
            .filter(|(is, _)| **is == wanted)
            .map(|(_, &score)| score)
            .collect()
    };
    let (positives, negatives) = (select(true), select(false));
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    let place = |values: &[f64], others: &[f64]| -> Vec<f64> {
        let mut sorted = others.to_vec();
        sorted.sort_by(f64::total_cmp);
        values
            .iter()
            .map(|value| {
                let below = sorted.partition_point(|other| other < value);
                let not_above = sorted.partition_point(|other| other <= value);
                (below + not_above) as f64 / (2 * sorted.len()) as f64
            })
            .collect()
    };
    let positive = place(&positives, &negatives);
    let negative: Vec<f64> = place(&negatives, &positives)
        .iter()
        .map(|below| 1.0 - below)
        .collect();
    let auc = positive.iter().sum::<f64>() / positive.len() as f64;
    Some(Placements {
        positive,
        negative,
        auc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;
    use proptest::prelude::*;

    const POSITIVE: [bool; 12] = [
        false, false, true, true, false, true, true, false, true, false, false, true,
    ];
    const SCORES: [f64; 12] = [
        0.1, 0.4, 0.35, 0.8, 0.2, 0.9, 0.4, 0.4, 0.7, 0.05, 0.6, 0.55,
    ];

    #[test]
    fn agrees_with_delong_by_hand() {
        // numpy: structural components over all pairs, unbiased variances.
        let area = auc(&POSITIVE, &SCORES).unwrap();
        assert!((area.value - 0.8333333333333334).abs() < 1e-12);
        assert!((area.low - 0.598531187070588).abs() < 1e-12, "{area:?}");
        assert_eq!(area.high, 1.0);
    }

    #[test]
    fn agrees_with_scikit_learn_over_classes() {
        let classes = [0, 1, 2, 0, 1, 2, 2, 1];
        let scores: Vec<Vec<f64>> = [
            [0.7, 0.2, 0.1],
            [0.3, 0.5, 0.2],
            [0.1, 0.3, 0.6],
            [0.4, 0.4, 0.2],
            [0.5, 0.3, 0.2],
            [0.2, 0.2, 0.6],
            [0.3, 0.4, 0.3],
            [0.1, 0.8, 0.1],
        ]
        .iter()
        .map(|row| row.to_vec())
        .collect();
        let area = macro_auc(&classes, &scores, 3).unwrap();
        assert!((area.value - 0.9166666666666666).abs() < 1e-12);
        assert!(area.low < area.value && area.low > 0.6);
    }

    #[test]
    fn two_classes_give_the_same_interval_either_way() {
        let classes: Vec<usize> = POSITIVE.iter().map(|&is| usize::from(is)).collect();
        let scores: Vec<Vec<f64>> = SCORES.iter().map(|&s| vec![1.0 - s, s]).collect();
        let (one, both) = (
            auc(&POSITIVE, &SCORES).unwrap(),
            macro_auc(&classes, &scores, 2).unwrap(),
        );
        assert!((one.value - both.value).abs() < 1e-12 && (one.low - both.low).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_compare_gives_nothing() {
        assert!(auc(&[true, true], &[0.1, 0.2]).is_none());
        assert!(auc(&[true, false], &[0.1, f64::NAN]).is_none());
        assert!(auc(&[true], &[0.1, 0.2]).is_none());
    }

    proptest! {
        #[test]
        fn curve_and_area_agree(cases in proptest::collection::vec((any::<bool>(), 0u8..20), 2..60)) {
            let positive: Vec<bool> = cases.iter().map(|c| c.0).collect();
            let scores: Vec<f64> = cases.iter().map(|c| f64::from(c.1) / 20.0).collect();
            if let Some(area) = auc(&positive, &scores) {
                let curve = Scored::new(positive, scores, &[]).unwrap().roc();
                let trapezes: f64 = curve.windows(2).map(|w| (w[1].0 - w[0].0) * (w[1].1 + w[0].1) / 2.0).sum();
                prop_assert!((trapezes - area.value).abs() < 1e-9);
                prop_assert_eq!(curve.last(), Some(&(1.0, 1.0)));
                prop_assert!(area.low <= area.value && area.value <= area.high);
            }
        }
    }
}
