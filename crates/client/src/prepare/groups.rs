//! The split of records of which several belong together, such as those of one patient.

use super::split::{Split, aside_seed, capped, set_aside, shuffle, split};
use crate::ClientError;
use crate::intake::Dataset;
use std::collections::BTreeMap;

/// Splits a dataset as [`split`] does. Where it has groups, each group goes as a whole to the training or the test part,
/// stratified by the class that most of its records have: no record of a test patient has trained the head.
///
/// # Errors
/// `CC-3001` when the fraction is not within 0 and 0.9.
pub fn split_dataset(dataset: &Dataset, fraction: f64, seed: u64) -> Result<Split, ClientError> {
    let (rows, classes) = (&dataset.classes_of_rows, dataset.classes.len());
    if dataset.groups.is_empty() {
        return split(rows, classes, fraction, seed);
    }
    // Groups are numbered in order of appearance: all of them, from 0.
    let class_of_group = classes_of_groups(dataset, 0..rows.len());
    let groups = class_of_group.len();
    let class_of_group: Vec<usize> = class_of_group.into_values().collect();
    let parts = split(&class_of_group, classes, fraction, seed)?;
    let rows_of = |part: &[usize]| -> Vec<usize> {
        let rows = dataset.groups.iter().enumerate();
        rows.filter(|(_, group)| part.binary_search(group).is_ok())
            .map(|(row, _)| row)
            .collect()
    };
    let mut notes = parts.notes.clone();
    notes.push(format!(
        "The records belong to {groups} groups; each is in training or test as a whole."
    ));
    Ok(Split {
        train: rows_of(&parts.train),
        test: rows_of(&parts.test),
        notes,
    })
}

/// The class that most of the records of each group among `rows` have.
fn classes_of_groups(
    dataset: &Dataset,
    rows: impl IntoIterator<Item = usize>,
) -> BTreeMap<usize, usize> {
    let mut counts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in rows {
        let counts = counts.entry(dataset.groups[row]);
        counts.or_insert_with(|| vec![0; dataset.classes.len()])[dataset.classes_of_rows[row]] += 1;
    }
    let class = |counts: Vec<usize>| {
        let most = counts.iter().copied().max().unwrap_or(0);
        counts.iter().position(|&count| count == most).unwrap_or(0)
    };
    counts
        .into_iter()
        .map(|(group, counts)| (group, class(counts)))
        .collect()
}

/// Sets training records aside as [`set_aside`] does; where the dataset has groups, whole groups, as many as `most` records allow.
///
/// # Errors
/// `CC-3001` when the fraction is not within 0 and 0.9.
pub fn set_aside_of(
    dataset: &Dataset,
    train: &mut Vec<usize>,
    fraction: f64,
    most: usize,
    seed: u64,
) -> Result<Vec<usize>, ClientError> {
    let (rows, classes) = (&dataset.classes_of_rows, dataset.classes.len());
    if dataset.groups.is_empty() {
        return set_aside(train, rows, classes, fraction, most, seed);
    }
    let (groups, class_of_group): (Vec<usize>, Vec<usize>) =
        classes_of_groups(dataset, train.iter().copied())
            .into_iter()
            .unzip();
    let fraction = capped(fraction, most, train.len());
    let mut drawn = split(&class_of_group, classes, fraction, aside_seed(seed))?.test;
    shuffle(&mut drawn, seed);
    let mut aside = Vec::new();
    for group in drawn.into_iter().map(|place| groups[place]) {
        let own = train.iter().filter(|&&row| dataset.groups[row] == group);
        let own: Vec<usize> = own.copied().collect();
        if aside.len() + own.len() <= most {
            aside.extend(own);
        }
    }
    aside.sort_unstable();
    train.retain(|row| aside.binary_search(row).is_err());
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Selection, read_csv};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_group_is_in_both_parts(
            rows in proptest::collection::vec((0_usize..12, any::<bool>()), 8..80), fraction in 0.1_f64..0.6, seed: u64,
        ) {
            let mut table = "x,patient,ill\n1,p90,yes\n2,p91,no\n".to_owned();
            for (row, (group, ill)) in rows.iter().enumerate() {
                table += &format!("{},p{group},{}\n", row + 3, if *ill { "yes" } else { "no" });
            }
            let table = read_csv(table.as_bytes()).unwrap();
            let selection = Selection { group: Some("patient".into()), ..Selection::all("ill") };
            let dataset = table.select(&selection).unwrap();
            let split = split_dataset(&dataset, fraction, seed).unwrap();
            let groups = |part: &[usize]| -> Vec<usize> { part.iter().map(|&row| dataset.groups[row]).collect() };
            let (train, test) = (groups(&split.train), groups(&split.test));
            prop_assert!(train.iter().all(|group| !test.contains(group)));
            prop_assert_eq!(split.train.len() + split.test.len(), rows.len() + 2);
            prop_assert!(!split.train.is_empty());

            let (mut left, most) = (split.train.clone(), 7);
            let aside = set_aside_of(&dataset, &mut left, fraction, most, seed).unwrap();
            prop_assert!(aside.len() <= most);
            let (kept, drawn) = (groups(&left), groups(&aside));
            prop_assert!(kept.iter().all(|group| !drawn.contains(group)));
            let mut both = [left, aside].concat();
            both.sort_unstable();
            prop_assert_eq!(both, split.train);
        }
    }

    #[test]
    fn the_group_is_no_feature_even_where_it_is_a_number() {
        let table = read_csv(b"x,patient,ill\n1,7,yes\n2,7,no\n3,8,yes\n4,,no\n").unwrap();
        let selection = Selection {
            group: Some("patient".into()),
            ..Selection::all("ill")
        };
        let dataset = table.select(&selection).unwrap();
        assert_eq!(dataset.records.features, ["x"]);
        // A record without a group is one of its own.
        assert_eq!(dataset.groups, [0, 0, 1, 2]);
    }
}
