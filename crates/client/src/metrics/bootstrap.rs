//! Bands around the ROC and the precision-recall curve, from resampled records.

use super::auc::Interval;
use super::scored::{Scored, Step};
use crate::prepare::SplitMix;
use serde::{Deserialize, Serialize};

/// Seed of the resampling; the same records always give the same bands.
pub const BOOTSTRAP_SEED: u64 = 1;
/// Resamples drawn, fewer for large tables.
const REPLICATES: usize = 1000;
const FEWEST_REPLICATES: usize = 200;
/// Records that all resamples together may have before fewer are drawn.
const MOST_DRAWS: usize = 20_000_000;
/// Places along the horizontal axis at which a band is given, ends included.
const GRID: usize = 101;

/// A curve, and the pointwise 95 % band of its resamples at equal steps along the horizontal axis from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Points `(x, y)` of the curve itself.
    pub points: Vec<(f64, f64)>,
    /// Lower ends.
    pub low: Vec<f64>,
    /// Upper ends.
    pub high: Vec<f64>,
}

/// Curves and figures with percentile intervals of the bootstrap (Efron, Annals of Statistics 1979). Groups are resampled as
/// a whole where records belong together (Davison and Hinkley, Bootstrap Methods and their Application, section 3.8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Seed of the resampling.
    pub seed: u64,
    /// Resamples with records of both kinds, on which the intervals rest.
    pub replicates: usize,
    /// Records or groups of them, whichever was drawn.
    pub units: usize,
    /// Whether groups were drawn.
    pub grouped: bool,
    /// Sensitivity over one minus specificity.
    pub roc: Band,
    /// Precision over recall.
    pub precision_recall: Band,
    /// Area under the ROC curve.
    pub auc: Interval,
    /// Mean of the precision over the steps of recall.
    pub average_precision: Interval,
    /// Mean squared error of the probabilities.
    pub brier: Interval,
}

/// One resample: both curves at the places of the grid, and the figures.
struct Drawn {
    roc: Vec<f64>,
    precision: Vec<f64>,
    auc: f64,
    average_precision: f64,
    brier: f64,
}

impl Scored {
    /// Curves with bands. `None` without records of both kinds, or when fewer than half of the resamples have both.
    pub fn bootstrap(&self, seed: u64) -> Option<Bootstrap> {
        let steps = self.steps(|_| 1.0);
        let whole = drawn(&steps, self.brier())?;
        let wanted = (MOST_DRAWS / self.records()).clamp(FEWEST_REPLICATES, REPLICATES);
        let mut random = SplitMix(seed);
        let mut times = vec![0.0; self.units];
        let mut all: Vec<Drawn> = Vec::with_capacity(wanted);
        for _ in 0..wanted {
            times.fill(0.0);
            for _ in 0..self.units {
                times[random.below(self.units)] += 1.0;
            }
            let weight = |record: usize| times[self.groups[record]];
            all.extend(drawn(&self.steps(weight), self.weighted_brier(weight)));
        }
        if 2 * all.len() < wanted {
            return None;
        }
        let band = |points, curve: fn(&Drawn) -> &Vec<f64>| {
            let at = |place: usize| ends(all.iter().map(|one| curve(one)[place]).collect());
            let (low, high) = (0..GRID).map(at).unzip();
            Band { points, low, high }
        };
        let figure = |value, of: fn(&Drawn) -> f64| {
            let (low, high) = ends(all.iter().map(of).collect());
            Interval { value, low, high }
        };
        Some(Bootstrap {
            seed,
            replicates: all.len(),
            units: self.units,
            grouped: self.is_grouped(),
            roc: band(self.roc(), |one| &one.roc),
            precision_recall: band(self.precision_recall(), |one| &one.precision),
            auc: figure(whole.auc, |one| one.auc),
            average_precision: figure(whole.average_precision, |one| one.average_precision),
            brier: figure(whole.brier, |one| one.brier),
        })
    }

    /// Area under the ROC curve, and average precision; none without records of both kinds.
    pub fn area(&self) -> Option<(f64, f64)> {
        let whole = drawn(&self.steps(|_| 1.0), self.brier())?;
        Some((whole.auc, whole.average_precision))
    }

    /// Points (1 - specificity, sensitivity) from (0, 0) to (1, 1); empty without records of both kinds.
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let steps = self.steps(|_| 1.0);
        let Some((positives, negatives)) = totals(&steps) else {
            return Vec::new();
        };
        let point = |step: &Step| {
            (
                step.false_positives / negatives,
                step.true_positives / positives,
            )
        };
        std::iter::once((0.0, 0.0))
            .chain(steps.iter().map(point))
            .collect()
    }

    /// Points (recall, precision), one for each score, from the highest; empty without records of both kinds.
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        let steps = self.steps(|_| 1.0);
        let Some((positives, _)) = totals(&steps) else {
            return Vec::new();
        };
        steps
            .iter()
            .map(|step| (step.true_positives / positives, precision(step)))
            .collect()
    }
}

fn precision(step: &Step) -> f64 {
    step.true_positives / (step.true_positives + step.false_positives)
}

/// Weights of positives and negatives; `None` without both.
fn totals(steps: &[Step]) -> Option<(f64, f64)> {
    let last = steps.last()?;
    (last.true_positives > 0.0 && last.false_positives > 0.0)
        .then_some((last.true_positives, last.false_positives))
}

/// Both curves on the grid, and the figures. Records of weight 0 leave empty steps, which change nothing.
fn drawn(steps: &[Step], brier: f64) -> Option<Drawn> {
    let (positives, negatives) = totals(steps)?;
    let (mut auc, mut average_precision) = (0.0, 0.0);
    let (mut x0, mut y0) = (0.0, 0.0);
    let mut roc = Vec::with_capacity(GRID);
    let mut precisions = Vec::with_capacity(GRID);
    let place = |index: usize| index as f64 / (GRID - 1) as f64;
    for step in steps {
        let (x, y) = (
            step.false_positives / negatives,
            step.true_positives / positives,
        );
        auc += (x - x0) * (y + y0) / 2.0;
        if y > y0 {
            average_precision += (y - y0) * precision(step);
        }
        // A place belongs to the segment that begins at or before it and ends beyond: at a vertical rise to its upper end.
        while roc.len() < GRID && place(roc.len()) < x {
            roc.push(y0 + (y - y0) * (place(roc.len()) - x0) / (x - x0));
        }
        // The precision at which a recall is first reached. Recall 1 is a quotient of equal sums.
        while precisions.len() < GRID && y > 0.0 && place(precisions.len()) <= y {
            precisions.push(precision(step));
        }
        (x0, y0) = (x, y);
    }
    roc.resize(GRID, 1.0);
    precisions.resize(GRID, precision(steps.last()?));
    Some(Drawn {
        roc,
        precision: precisions,
        auc,
        average_precision,
        brier,
    })
}

/// The 2.5th and the 97.5th percentile, between neighbours by line.
fn ends(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        let next = values[(below + 1).min(values.len() - 1)];
        values[below] + part * (next - values[below])
    };
    (at(0.025), at(0.975))
}

#[cfg(test)]
mod tests {
    use super::super::scored::tests::twelve;
    use super::*;
    use crate::metrics::auc;
    use proptest::prelude::*;

    #[test]
    fn figures_of_scikit_learn() {
        // scikit-learn 1.9: average_precision_score, roc_auc_score, brier_score_loss.
        let bootstrap = twelve().bootstrap(BOOTSTRAP_SEED).unwrap();
        assert!((bootstrap.average_precision.value - 0.848611111111111).abs() < 1e-12);
        assert!((bootstrap.auc.value - 0.8333333333333334).abs() < 1e-12);
        assert!((bootstrap.brier.value - 0.1547916666666667).abs() < 1e-12);
        // precision_recall_curve, without its last point and from the highest score on.
        let known = [
            (1.0 / 6.0, 1.0),
            (2.0 / 6.0, 1.0),
            (0.5, 1.0),
            (0.5, 0.75),
            (4.0 / 6.0, 0.8),
            (5.0 / 6.0, 0.625),
            (1.0, 2.0 / 3.0),
            (1.0, 0.6),
            (1.0, 6.0 / 11.0),
            (1.0, 0.5),
        ];
        for (own, known) in bootstrap.precision_recall.points.iter().zip(known) {
            assert!(
                (own.0 - known.0).abs() < 1e-12 && (own.1 - known.1).abs() < 1e-12,
                "{own:?} {known:?}"
            );
        }
        assert_eq!(bootstrap.precision_recall.points.len(), known.len());
        assert_eq!(bootstrap.roc.points.first(), Some(&(0.0, 0.0)));
        assert_eq!(bootstrap.roc.points.last(), Some(&(1.0, 1.0)));
    }

    #[test]
    fn the_interval_of_the_area_is_near_that_of_delong() {
        // 400 records with scores of two overlapping groups.
        let positive: Vec<bool> = (0..400).map(|i| i % 4 == 0).collect();
        let score = |i: usize| {
            ((i * 7919) % 1009) as f64 / 1009.0 * 0.7 + if i.is_multiple_of(4) { 0.3 } else { 0.0 }
        };
        let scores: Vec<f64> = (0..400).map(score).collect();
        let bootstrap = Scored::new(positive.clone(), scores.clone(), &[])
            .unwrap()
            .bootstrap(7)
            .unwrap();
        let delong = auc(&positive, &scores, &[]).unwrap();
        assert_eq!(bootstrap.replicates, 1000);
        assert!(
            (bootstrap.auc.low - delong.low).abs() < 0.01,
            "{:?} {delong:?}",
            bootstrap.auc
        );
        assert!(
            (bootstrap.auc.high - delong.high).abs() < 0.01,
            "{:?} {delong:?}",
            bootstrap.auc
        );
    }

    #[test]
    fn records_that_belong_together_widen_the_bands() {
        let single = twelve();
        let four = |values: &[bool]| values.repeat(4);
        let groups: Vec<usize> = (0..48).map(|record| record % 12).collect();
        let (positive, scores) = (four(&single.positive), single.scores.repeat(4));
        let each = Scored::new(positive.clone(), scores.clone(), &[])
            .unwrap()
            .bootstrap(3)
            .unwrap();
        let together = Scored::new(positive, scores, &groups)
            .unwrap()
            .bootstrap(3)
            .unwrap();
        let width = |interval: Interval| interval.high - interval.low;
        assert!(together.grouped && together.units == 12 && !each.grouped);
        assert!(width(together.auc) > 1.5 * width(each.auc));
        // Four copies of each record in groups are the twelve records.
        assert_eq!(single.bootstrap(3).unwrap().auc, together.auc);
    }

    #[test]
    fn one_kind_of_records_has_no_curve() {
        let scored = Scored::new(vec![true; 5], vec![0.5; 5], &[]).unwrap();
        assert!(scored.bootstrap(1).is_none() && scored.roc().is_empty());
        assert!(scored.precision_recall().is_empty());
        // A single positive record of three is missing in (2/3)^3 of the resamples.
        let rare = Scored::new(vec![true, false, false], vec![0.9, 0.5, 0.4], &[]).unwrap();
        assert!(
            rare.bootstrap(1)
                .is_some_and(|bootstrap| bootstrap.replicates < 800)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bands_are_ordered_and_curves_end_where_they_must(
            cases in proptest::collection::vec((any::<bool>(), 0u8..=20), 4..40), seed: u64,
        ) {
            let positive: Vec<bool> = cases.iter().map(|case| case.0).collect();
            let scores: Vec<f64> = cases.iter().map(|case| f64::from(case.1) / 20.0).collect();
            if let Some(bootstrap) = Scored::new(positive, scores, &[]).unwrap().bootstrap(seed) {
                for band in [&bootstrap.roc, &bootstrap.precision_recall] {
                    prop_assert_eq!(band.low.len(), GRID);
                    prop_assert!(band.low.iter().zip(&band.high).all(|(low, high)| low <= high));
                }
                prop_assert_eq!(bootstrap.roc.low[GRID - 1], 1.0);
                prop_assert_eq!(bootstrap.clone(), {
                    let json = serde_json::to_string(&bootstrap).unwrap();
                    serde_json::from_str::<Bootstrap>(&json).unwrap()
                });
            }
        }
    }
}
