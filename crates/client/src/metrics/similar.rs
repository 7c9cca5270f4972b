//! What a probability has been worth: the held-out records to which the model gave the most similar ones.

use super::proportion::Proportion;
use super::scored::Scored;
use serde::{Deserialize, Serialize};

/// A tenth of the records speaks for a new one, within these limits.
const FEWEST: usize = 20;
const MOST: usize = 100;

/// The records of the nearest scores, and how many of them are of the class. Their interval is Wilson's: it holds for the
/// share among patients like these, not for one patient, and knows nothing of patients unlike the held-out ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimilarRecords {
    /// Lowest probability among them.
    pub lowest: f64,
    /// Highest probability among them.
    pub highest: f64,
    /// Those of the class.
    pub observed: Proportion,
}

impl Scored {
    /// The records with the scores nearest to this one: a tenth of all, at least 20 and at most 100, and all of equal
    /// distance to the last of them. `None` with fewer than 40 records: half of all would not be similar ones.
    pub fn similar(&self, score: f64) -> Option<SimilarRecords> {
        if self.records() < 2 * FEWEST || !score.is_finite() {
            return None;
        }
        let wanted = (self.records() / 10).clamp(FEWEST, MOST);
        let distance = |record: usize| (self.scores[record] - score).abs();
        let mut nearest: Vec<usize> = (0..self.records()).collect();
        nearest.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        let farthest = distance(nearest[wanted - 1]);
        nearest.retain(|&record| distance(record) <= farthest);
        let among = nearest.iter().map(|&record| self.scores[record]);
        Some(SimilarRecords {
            lowest: among.clone().fold(1.0, f64::min),
            highest: among.fold(0.0, f64::max),
            observed: self.share(&nearest)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_twenty_by_hand() {
        // Scores 0.00 to 0.99; every second record above one half is positive, none below.
        let positive: Vec<bool> = (0..100).map(|i| i >= 50 && i % 2 == 0).collect();
        let scores: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let scored = Scored::new(positive, scores, &[]).unwrap();
        let high = scored.similar(1.0).unwrap();
        assert_eq!((high.observed.count, high.observed.total), (10, 20));
        assert_eq!((high.lowest, high.highest), (0.8, 0.99));
        assert_eq!(scored.similar(0.0).unwrap().observed.count, 0);
        // 0.40 to 0.60 lie within a tenth of one half; both ends are equally far, so both belong.
        assert_eq!(scored.similar(0.5).unwrap().observed.total, 21);
        assert!(scored.similar(f64::NAN).is_none());
    }

    #[test]
    fn few_records_say_nothing() {
        let scored = Scored::new(vec![true; 39], vec![0.5; 39], &[]).unwrap();
        assert!(scored.similar(0.5).is_none());
    }
}
