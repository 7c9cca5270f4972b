//! The stratified split into training and test rows.

use crate::ClientError;

/// Indices of records, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Records that train the head.
    pub train: Vec<usize>,
    /// Records that measure it.
    pub test: Vec<usize>,
    /// What the user should know of the split, in plain sentences.
    pub notes: Vec<String>,
}

/// Splits records by class: each class gives `test_fraction` of its records to the test, rounded, but keeps at
/// least one for training and gives at least one to the test where it has two. The same seed gives the same
/// split on every machine.
///
/// `classes_of_rows[i]` is the class of record `i`, below `classes`.
///
/// # Errors
/// `CC-3001` when the fraction is not within 0 and 0.9.
pub fn split(
    classes_of_rows: &[usize],
    classes: usize,
    test_fraction: f64,
    seed: u64,
) -> Result<Split, ClientError> {
    if !(0.0..=0.9).contains(&test_fraction) {
        return Err(ClientError::new(
            "CC-3001",
            format!("The test fraction {test_fraction} is not possible."),
            "Choose a number from 0 (no test) to 0.9.",
        ));
    }
    let mut random = SplitMix(seed);
    let (mut train, mut test, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for class in 0..classes {
        let mut members: Vec<usize> = (0..classes_of_rows.len())
            .filter(|&row| classes_of_rows[row] == class)
            .collect();
        random.shuffle(&mut members);
        let wanted = (members.len() as f64 * test_fraction).round() as usize;
        let given = if test_fraction == 0.0 || members.len() < 2 {
            0
        } else {
            wanted.clamp(1, members.len() - 1)
        };
        if members.len() == 1 && test_fraction > 0.0 {
            notes.push(format!(
                "Class number {} has a single record: it trains, and none is left to test.",
                class + 1
            ));
        }
        test.extend_from_slice(&members[..given]);
        train.extend_from_slice(&members[given..]);
    }
    train.sort_unstable();
    test.sort_unstable();
    if !test.is_empty() && test.len() < 30 {
        notes.push(format!(
            "Only {} records test the head: the figures carry little weight.",
            test.len()
        ));
    }
    if test.is_empty() {
        notes.push("No records are left to test the head.".to_owned());
    }
    Ok(Split { train, test, notes })
}

/// Sets a part of the training records aside to draw a curve with, at most `most`, from each class in proportion; every
/// class keeps at least one to train. `train` loses them. The same seed gives the same records.
///
/// # Errors
/// `CC-3001` when the fraction is not within 0 and 0.9.
pub fn set_aside(
    train: &mut Vec<usize>,
    classes_of_rows: &[usize],
    classes: usize,
    fraction: f64,
    most: usize,
    seed: u64,
) -> Result<Vec<usize>, ClientError> {
    let own: Vec<usize> = train.iter().map(|&row| classes_of_rows[row]).collect();
    let fraction = capped(fraction, most, own.len());
    let parts = split(&own, classes, fraction, aside_seed(seed))?;
    let mut aside: Vec<usize> = parts.test.iter().map(|&place| train[place]).collect();
    // Each class is rounded on its own, so a few may be too many.
    shuffle(&mut aside, seed);
    aside.truncate(most);
    aside.sort_unstable();
    train.retain(|row| aside.binary_search(row).is_err());
    Ok(aside)
}

/// A fraction that takes `most` of `count` at most.
pub(super) fn capped(fraction: f64, most: usize, count: usize) -> f64 {
    let cap = most as f64 / count.max(1) as f64;
    if fraction > cap { cap } else { fraction }
}

/// Apart from the seed of the split: the two draws are to have nothing to do with each other.
pub(super) fn aside_seed(seed: u64) -> u64 {
    seed ^ 0x5eed_0f0f_7a11_da7e
}

/// Puts rows in an order that looks random, the same for the same seed on every machine.
pub fn shuffle(rows: &mut [usize], seed: u64) {
    SplitMix(seed).shuffle(rows);
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, and the same everywhere. Decides splits and draws resamples,
/// nothing secret.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    fn shuffle(&mut self, rows: &mut [usize]) {
        for last in (1..rows.len()).rev() {
            rows.swap(last, self.below(last + 1));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound` with a bias below 2^-32 for the sizes of tables.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sample_splits_as_by_hand() {
        let rows: Vec<usize> = (0..569).map(|i| usize::from(i < 212)).collect();
        let split = split(&rows, 2, 0.2, 1).unwrap();
        assert_eq!(split.test.iter().filter(|&&row| rows[row] == 1).count(), 42);
        assert_eq!(split.test.len(), 42 + 71);
        assert_eq!(split, super::split(&rows, 2, 0.2, 1).unwrap());
        assert_ne!(split.test, super::split(&rows, 2, 0.2, 2).unwrap().test);
    }

    #[test]
    fn what_is_set_aside_does_not_train_and_no_test_record_is_touched() {
        let rows: Vec<usize> = (0..569).map(|i| usize::from(i < 212)).collect();
        let split = split(&rows, 2, 0.2, 1).unwrap();
        let mut train = split.train.clone();
        let aside = set_aside(&mut train, &rows, 2, 0.1, 512, 1).unwrap();
        assert_eq!(aside.len(), 46);
        assert_eq!(aside.iter().filter(|&&row| rows[row] == 1).count(), 17);
        let mut both = [train.as_slice(), &aside].concat();
        both.sort_unstable();
        assert_eq!(both, split.train);
        let mut train = split.train.clone();
        assert_eq!(
            set_aside(&mut train, &rows, 2, 0.5, 30, 1).unwrap().len(),
            30
        );
        assert_eq!(train.len(), split.train.len() - 30);
    }

    #[test]
    fn impossible_fractions_are_refused() {
        for fraction in [-0.1, 0.95, f64::NAN] {
            assert_eq!(split(&[0, 1], 2, fraction, 1).unwrap_err().code, "CC-3001");
        }
    }

    proptest! {
        #[test]
        fn every_record_once_and_every_class_in_both(
            rows in proptest::collection::vec(0usize..5, 1..120), fraction in 0.05f64..0.9, seed: u64,
        ) {
            let split = split(&rows, 5, fraction, seed).unwrap();
            let mut all: Vec<usize> = split.train.iter().chain(&split.test).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>());
            for class in 0..5 {
                let count = |part: &[usize]| part.iter().filter(|&&row| rows[row] == class).count();
                let members = rows.iter().filter(|&&row| row == class).count();
                prop_assert_eq!(count(&split.train) > 0, members > 0);
                prop_assert_eq!(count(&split.test) > 0, members > 1);
            }
        }
    }
}
