//! Area under the ROC curve with the interval of DeLong, DeLong and Clarke-Pearson (Biometrics 1988), computed
//! through midranks (Sun and Xu, IEEE SPL 2014).

use super::{Z95, clusters};
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

/// Area under the ROC curve, and what each case adds to its error: the difference of its placement among the cases of the other
/// kind (ties count half) to the mean, as a share. Squares add up to the variance of the area.
struct Area {
    value: f64,
    influences: Vec<f64>,
}

/// Area under the ROC curve of `scores` for the cases marked positive; `None` without cases of both kinds or
/// when a score is not finite or the lengths differ. `groups[i]` names what case `i` belongs to, as records of one patient do
/// (after Obuchowski, Biometrics 1997); empty when all are independent.
pub fn auc(positive: &[bool], scores: &[f64], groups: &[usize]) -> Option<Interval> {
    let area = area(positive, scores)?;
    Some(interval(area.value, &area.influences, groups))
}

/// Mean over classes of the area of each class against the rest. `scores[i]` holds one score a class, `classes`
/// the class of each case, `groups` as in [`auc`]. Classes without a case on either side are left out; `None` when none is left.
///
/// The interval takes the correlation between the classes' areas into account: what a case adds to the errors of all
/// classes is added up before the variance is taken.
pub fn macro_auc(
    classes: &[usize],
    scores: &[Vec<f64>],
    count: usize,
    groups: &[usize],
) -> Option<Interval> {
    if classes.len() != scores.len() || scores.iter().any(|row| row.len() != count) {
        return None;
    }
    let against_rest = |class: usize| {
        let positive: Vec<bool> = classes.iter().map(|&c| c == class).collect();
        let column: Vec<f64> = scores.iter().map(|row| row[class]).collect();
        area(&positive, &column)
    };
    let areas: Vec<Area> = (0..count).filter_map(against_rest).collect();
    let mean = |of: &dyn Fn(&Area) -> f64| areas.iter().map(of).sum::<f64>() / areas.len() as f64;
    let influences: Vec<f64> = (0..classes.len())
        .map(|case| mean(&|area| area.influences[case]))
        .collect();
    (!areas.is_empty()).then(|| interval(mean(&|area| area.value), &influences, groups))
}

fn interval(value: f64, influences: &[f64], groups: &[usize]) -> Interval {
    let variance = match groups.len() == influences.len() {
        true => clusters::variance(groups.iter().copied().zip(influences.iter().copied())),
        false => Some(influences.iter().map(|x| x * x).sum()),
    };
    // Cases of one group alone say nothing of others.
    let half = variance.map_or(1.0, |variance| Z95 * f64::sqrt(variance));
    Interval {
        value,
        low: (value - half).max(0.0),
        high: (value + half).min(1.0),
    }
}

fn area(positive: &[bool], scores: &[f64]) -> Option<Area> {
    if positive.len() != scores.len() || scores.iter().any(|score| !score.is_finite()) {
        return None;
    }
    let sorted = |wanted: bool| -> Vec<f64> {
        let cases = positive.iter().zip(scores);
        let of_kind = cases.filter(|(is, _)| **is == wanted);
        let mut sorted: Vec<f64> = of_kind.map(|(_, &score)| score).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (positives, negatives) = (sorted(true), sorted(false));
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    // The share of the other kind that a case is on the right side of.
    let placement = |(&is, &score): (&bool, &f64)| {
        let others = if is { &negatives } else { &positives };
        let below = others.partition_point(|&other| other < score);
        let not_above = others.partition_point(|&other| other <= score);
        let below = (below + not_above) as f64 / (2 * others.len()) as f64;
        if is { below } else { 1.0 - below }
    };
    let placements: Vec<f64> = positive.iter().zip(scores).map(placement).collect();
    let cases = || positive.iter().zip(&placements);
    let sum: f64 = cases().filter(|(is, _)| **is).map(|(_, place)| place).sum();
    let value = sum / positives.len() as f64;
    // sqrt(n (n - 1)): squares of differences divided by it add up to the unbiased variance over n.
    let unbiased = |n: usize| (n as f64 * (n as f64 - 1.0)).sqrt().max(1.0);
    let [of_positive, of_negative] = [&positives, &negatives].map(|kind| unbiased(kind.len()));
    let influence =
        |(&is, place): (&bool, &f64)| (place - value) / if is { of_positive } else { of_negative };
    Some(Area {
        value,
        influences: cases().map(influence).collect(),
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
        let area = auc(&POSITIVE, &SCORES, &[]).unwrap();
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
        let area = macro_auc(&classes, &scores, 3, &[]).unwrap();
        assert!((area.value - 0.9166666666666666).abs() < 1e-12);
        assert!(area.low < area.value && area.low > 0.6);
    }

    #[test]
    fn two_classes_give_the_same_interval_either_way() {
        let classes: Vec<usize> = POSITIVE.iter().map(|&is| usize::from(is)).collect();
        let scores: Vec<Vec<f64>> = SCORES.iter().map(|&s| vec![1.0 - s, s]).collect();
        let (one, both) = (
            auc(&POSITIVE, &SCORES, &[]).unwrap(),
            macro_auc(&classes, &scores, 2, &[]).unwrap(),
        );
        assert!((one.value - both.value).abs() < 1e-12 && (one.low - both.low).abs() < 1e-12);
    }

    #[test]
    fn cases_that_belong_together_count_as_one() {
        let (positive, scores) = (POSITIVE.repeat(4), SCORES.repeat(4));
        let groups: Vec<usize> = (0..48).map(|case| case % 12).collect();
        let width = |area: Interval| area.value - area.low;
        let single = auc(&POSITIVE, &SCORES, &[]).unwrap();
        let each = auc(&positive, &scores, &[]).unwrap();
        let together = auc(&positive, &scores, &groups).unwrap();
        assert!((together.value - single.value).abs() < 1e-12);
        assert!((width(together) / width(single) - 1.0).abs() < 0.1);
        assert!(width(each) < 0.6 * width(together));
        let one = auc(&positive, &scores, &[5; 48]).unwrap();
        assert_eq!((one.low, one.high), (0.0, 1.0));
    }

    #[test]
    fn nothing_to_compare_gives_nothing() {
        assert!(auc(&[true, true], &[0.1, 0.2], &[]).is_none());
        assert!(auc(&[true, false], &[0.1, f64::NAN], &[]).is_none());
        assert!(auc(&[true], &[0.1, 0.2], &[]).is_none());
    }

    proptest! {
        #[test]
        fn curve_and_area_agree(cases in proptest::collection::vec((any::<bool>(), 0u8..20), 2..60)) {
            let positive: Vec<bool> = cases.iter().map(|c| c.0).collect();
            let scores: Vec<f64> = cases.iter().map(|c| f64::from(c.1) / 20.0).collect();
            if let Some(area) = auc(&positive, &scores, &[]) {
                let curve = Scored::new(positive, scores, &[]).unwrap().roc();
                let trapezes: f64 = curve.windows(2).map(|w| (w[1].0 - w[0].0) * (w[1].1 + w[0].1) / 2.0).sum();
                prop_assert!((trapezes - area.value).abs() < 1e-9);
                prop_assert_eq!(curve.last(), Some(&(1.0, 1.0)));
                prop_assert!(area.low <= area.value && area.value <= area.high);
            }
        }
    }
}
