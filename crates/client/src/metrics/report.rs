//! All figures of a head on labelled records.

use super::auc::{Interval, auc, macro_auc};
use super::proportion::Proportion;
use confide_train::minibatch::LossKind;
use serde::{Deserialize, Serialize};

/// Figures of one class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Name of the class.
    pub class: String,
    /// Found among the records of the class; none when there are no such records.
    pub sensitivity: Option<Proportion>,
    /// Rightly not found among the records of other classes.
    pub specificity: Option<Proportion>,
    /// Area under the ROC curve of the class against the rest.
    pub auc: Option<Interval>,
}

/// Figures of a head. With two classes, `sensitivity`, `specificity` and `auc` are those of the positive class;
/// with more, `auc` is the mean over the classes and the other two are left to `by_class`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Records measured.
    pub records: usize,
    /// Records whose most probable class is the right one.
    pub accuracy: Option<Proportion>,
    /// Area under the ROC curve.
    pub auc: Option<Interval>,
    /// Found among the positive.
    pub sensitivity: Option<Proportion>,
    /// Rightly not found among the others.
    pub specificity: Option<Proportion>,
    /// Mean square of the error of the probabilities (summed over classes when there are more than two).
    pub brier: Option<f64>,
    /// `confusion[true class][predicted class]`.
    pub confusion: Vec<Vec<usize>>,
    /// Name of the positive class, for two classes.
    pub positive: Option<String>,
    /// Figures of each class.
    pub by_class: Vec<ClassMetrics>,
}

/// The logistic function, without overflow.
pub fn sigmoid(logit: f64) -> f64 {
    if logit >= 0.0 {
        1.0 / (1.0 + (-logit).exp())
    } else {
        let power = logit.exp();
        power / (1.0 + power)
    }
}

/// One probability a class from the logits of a record: a single logit is that of class `positive` of two; several are a
/// softmax's, or one-vs-rest and divided by their sum.
pub fn probabilities(logits: &[f64], positive: usize, loss: LossKind) -> Vec<f64> {
    if let [logit] = logits {
        let probability = sigmoid(*logit);
        return match positive {
            0 => vec![probability, 1.0 - probability],
            _ => vec![1.0 - probability, probability],
        };
    }
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |&logit: &f64| match loss {
        LossKind::OneVsRest => sigmoid(logit),
        LossKind::Softmax => (logit - most).exp(),
    };
    let each: Vec<f64> = logits.iter().map(weight).collect();
    let sum: f64 = each.iter().sum();
    if sum > 0.0 {
        each.iter().map(|p| p / sum).collect()
    } else {
        vec![1.0 / logits.len() as f64; logits.len()]
    }
}

/// Mean of `-ln p` over records, `p` the probability of the true class; none without records. Probabilities below 1e-12
/// count as that.
pub fn log_loss(classes: &[usize], probabilities: &[Vec<f64>]) -> Option<f64> {
    let of_true = |(&class, row): (&usize, &Vec<f64>)| row.get(class).copied().unwrap_or(0.0);
    let losses = classes.iter().zip(probabilities).map(of_true);
    let sum: f64 = losses.map(|p| -p.max(1e-12).ln()).sum();
    (!classes.is_empty()).then(|| sum / classes.len() as f64)
}

/// Measures probabilities (`probabilities[i][class]`) against the true classes.
///
/// `positive` is the index of the positive class, of use with two classes. Figures that the records cannot give
/// are `None`; `groups[i]` names what record `i` belongs to, such as its patient, and is empty where each stands for itself; rows whose length is not that of `names` make all of them `None`.
pub fn measure(
    classes: &[usize],
    probabilities: &[Vec<f64>],
    names: &[String],
    positive: usize,
    groups: &[usize],
) -> Metrics {
    let count = names.len();
    let sound = classes.len() == probabilities.len()
        && probabilities
            .iter()
            .all(|row| row.len() == count && row.iter().all(|p| p.is_finite()))
        && classes.iter().all(|&class| class < count);
    let (classes, probabilities) = if sound {
        (classes, probabilities)
    } else {
        (&[][..], &[][..])
    };
    let taken: Vec<usize> = probabilities
        .iter()
        .map(|row| most_probable(row, positive))
        .collect();
    let mut confusion = vec![vec![0; count]; count];
    let mut squares = 0.0;
    for ((&class, row), &taken) in classes.iter().zip(probabilities).zip(&taken) {
        confusion[class][taken] += 1;
        squares += match count {
            2 => (row[1] - if class == 1 { 1.0 } else { 0.0 }).powi(2),
            _ => row
                .iter()
                .enumerate()
                .map(|(c, p)| (p - if c == class { 1.0 } else { 0.0 }).powi(2))
                .sum(),
        };
    }
    let records = classes.len();
    let groups = if groups.len() == records { groups } else { &[] };
    // How many of some records are rightly taken for a class or not.
    let share = |of: &dyn Fn(usize) -> bool, right: &dyn Fn(usize) -> bool| {
        let cases = (0..records).filter(|&record| of(record));
        let case = |record| (groups.get(record).copied().unwrap_or(record), right(record));
        Proportion::of_groups(&cases.map(case).collect::<Vec<_>>())
    };
    let by_class: Vec<ClassMetrics> = (0..count)
        .map(|class| {
            let is: Vec<bool> = classes.iter().map(|&c| c == class).collect();
            let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
            ClassMetrics {
                class: names[class].clone(),
                sensitivity: share(&|i| is[i], &|i| taken[i] == class),
                specificity: share(&|i| !is[i], &|i| taken[i] != class),
                auc: auc(&is, &scores, groups),
            }
        })
        .collect();
    let of_positive = if count == 2 {
        by_class.get(positive)
    } else {
        None
    };
    Metrics {
        records,
        accuracy: share(&|_| true, &|i| taken[i] == classes[i]),
        auc: match of_positive {
            Some(class) => class.auc,
            None => macro_auc(classes, probabilities, count, groups),
        },
        sensitivity: of_positive.and_then(|class| class.sensitivity),
        specificity: of_positive.and_then(|class| class.specificity),
        brier: (records > 0).then(|| squares / records as f64),
        confusion,
        positive: of_positive.map(|class| class.class.clone()),
        by_class,
    }
}

/// Index of the greatest probability; a tie between two classes goes to the positive one.
pub(crate) fn most_probable(row: &[f64], positive: usize) -> usize {
    let mut best = if row.len() == 2 { positive.min(1) } else { 0 };
    for (class, p) in row.iter().enumerate() {
        if *p > row[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn two_classes_against_scikit_learn() {
        let classes = [0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1];
        let p = [
            0.1, 0.4, 0.35, 0.8, 0.2, 0.9, 0.4, 0.4, 0.7, 0.05, 0.6, 0.55,
        ];
        let rows: Vec<Vec<f64>> = p.iter().map(|&p| vec![1.0 - p, p]).collect();
        let metrics = measure(&classes, &rows, &names(&["B", "M"]), 1, &[]);
        assert_eq!(metrics.confusion, [[5, 1], [2, 4]]);
        assert_eq!(metrics.accuracy.unwrap().count, 9);
        assert_eq!(
            (
                metrics.sensitivity.unwrap().count,
                metrics.specificity.unwrap().count
            ),
            (4, 5)
        );
        assert!((metrics.brier.unwrap() - 0.1547916666666667).abs() < 1e-12);
        assert!((metrics.auc.unwrap().value - 0.8333333333333334).abs() < 1e-12);
        let other = measure(&classes, &rows, &names(&["B", "M"]), 0, &[]);
        assert_eq!(
            (
                other.sensitivity.unwrap().count,
                other.specificity.unwrap().count
            ),
            (5, 4)
        );
        assert!((other.auc.unwrap().value - metrics.auc.unwrap().value).abs() < 1e-12);
    }

    #[test]
    fn several_classes_against_scikit_learn() {
        let classes = [0, 1, 2, 0, 1, 2, 2, 1];
        let rows: Vec<Vec<f64>> = [
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
        let metrics = measure(&classes, &rows, &names(&["a", "b", "c"]), 1, &[]);
        assert_eq!(metrics.accuracy.unwrap().value, 0.75);
        assert!((metrics.brier.unwrap() - 0.395).abs() < 1e-12);
        assert!((metrics.auc.unwrap().value - 0.9166666666666666).abs() < 1e-12);
        assert!(
            metrics.sensitivity.is_none() && metrics.by_class[2].sensitivity.unwrap().count == 2
        );
    }

    #[test]
    fn no_records_and_broken_rows_give_no_figures() {
        for metrics in [
            measure(&[], &[], &names(&["a", "b"]), 1, &[]),
            measure(&[0], &[vec![0.5]], &names(&["a", "b"]), 1, &[]),
        ] {
            assert!(metrics.accuracy.is_none() && metrics.auc.is_none() && metrics.brier.is_none());
        }
    }

    #[test]
    fn the_loss_of_certain_undecided_and_wrong_records() {
        let rows = [vec![1.0, 0.0], vec![0.5, 0.5], vec![0.25, 0.75]];
        let loss = log_loss(&[0, 1, 0], &rows).unwrap();
        assert!((loss - (2f64.ln() + 4f64.ln()) / 3.0).abs() < 1e-12);
        assert!((log_loss(&[1], &rows[..1]).unwrap() - 1e12f64.ln()).abs() < 1e-9);
        assert_eq!(log_loss(&[], &[]), None);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let one = |logits: &[f64], at| probabilities(logits, at, LossKind::OneVsRest);
        assert_eq!(one(&[0.0], 1), [0.5, 0.5]);
        assert_eq!(one(&[800.0], 0), [1.0, 0.0]);
        let three = one(&[-900.0, 2.0, -1.0], 1);
        assert!((three.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(one(&[-900.0; 3], 1), [1.0 / 3.0; 3]);
        let softmax = probabilities(&[900.0, 900.0 + 2f64.ln(), 0.0], 0, LossKind::Softmax);
        assert!((softmax[0] - 1.0 / 3.0).abs() < 1e-9 && (softmax[1] - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(softmax[2], 0.0);
    }
}
