//! Predictions as files.

use super::held_out::Judged;
use super::report::Prediction;
use crate::ClientError;
use crate::intake::{Refusal, write_csv};

/// What stands for rows in a file: their numbers, or the names of the files that hold the records.
struct Rows<'a>(&'a [String]);

impl Rows<'_> {
    fn header(&self) -> String {
        let name = if self.0.is_empty() { "row" } else { "file" };
        name.to_owned()
    }

    /// `row` is counted from 1.
    fn cell(&self, row: usize) -> String {
        let name = row.checked_sub(1).and_then(|index| self.0.get(index));
        name.map_or_else(|| row.to_string(), Clone::clone)
    }
}

/// Predictions as CSV: row, predicted class, one probability a class, and the true class where it is known. `names` stand for
/// the rows' numbers where there are any.
///
/// # Errors
/// Those of [`write_csv`], which do not happen.
pub fn results_csv(
    predictions: &[Prediction],
    classes: &[String],
    names: &[String],
) -> Result<String, ClientError> {
    let rows = Rows(names);
    let with_truth = predictions
        .iter()
        .any(|prediction| prediction.truth.is_some());
    let mut header = vec![rows.header(), "predicted".to_owned()];
    header.extend(classes.iter().map(|class| format!("probability {class}")));
    if with_truth {
        header.push("actual".to_owned());
    }
    let line = |prediction: &Prediction| {
        let mut record = vec![rows.cell(prediction.row), prediction.predicted.clone()];
        record.extend(prediction.probabilities.iter().map(|p| format!("{p:.6}")));
        if with_truth {
            record.push(prediction.truth.clone().unwrap_or_default());
        }
        record
    };
    write_csv(std::iter::once(header).chain(predictions.iter().map(line)))
}

/// New records as CSV, those refused among them: row, label at the threshold, and for each class that is judged its
/// probability with what came true in the held-out records of similar probability; at the end why a row was refused. `names` as for
/// [`results_csv`].
///
/// # Errors
/// Those of [`write_csv`], which do not happen.
pub fn patients_csv(
    judged: &[Judged],
    refused: &[Refusal],
    classes: &[String],
    looked_at: &[usize],
    names: &[String],
) -> Result<String, ClientError> {
    let rows = Rows(names);
    let mut header = vec![rows.header(), "label".to_owned()];
    for name in looked_at.iter().filter_map(|&class| classes.get(class)) {
        header.push(format!("probability {name}"));
        for what in ["records", "observed", "low", "high"] {
            header.push(format!("similar {what} {name}"));
        }
    }
    header.push("refused".to_owned());
    let width = header.len();
    let mut lines: Vec<(usize, Vec<String>)> = judged
        .iter()
        .map(|one| {
            let mut line = vec![rows.cell(one.row), one.label.clone()];
            for &class in looked_at {
                let probability = one.probabilities.get(class);
                line.push(probability.map_or_else(String::new, |p| format!("{p:.6}")));
                match one.similar.get(class).copied().flatten() {
                    Some(similar) => {
                        let observed = similar.observed;
                        line.push(observed.total.to_string());
                        let shares = [observed.value, observed.low, observed.high];
                        line.extend(shares.map(|share| format!("{share:.4}")));
                    }
                    None => line.extend([const { String::new() }; 4]),
                }
            }
            line.push(String::new());
            (one.row, line)
        })
        .collect();
    lines.extend(refused.iter().map(|refusal| {
        let mut line = vec![String::new(); width];
        line[0] = rows.cell(refusal.row);
        line[width - 1].clone_from(&refusal.reason);
        (refusal.row, line)
    }));
    lines.sort_by_key(|(row, _)| *row);
    write_csv(std::iter::once(header).chain(lines.into_iter().map(|(_, line)| line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Proportion, SimilarRecords};

    #[test]
    fn scored_and_refused_rows_stand_in_the_order_of_the_file() {
        let similar = SimilarRecords {
            lowest: 0.2,
            highest: 0.4,
            observed: Proportion::new(5, 20).unwrap(),
        };
        let judged = |row, similar| Judged {
            row,
            label: "ill, maybe".into(),
            probabilities: vec![0.75, 0.25],
            similar: vec![None, similar],
        };
        let refused = Refusal {
            row: 2,
            reason: "Column \"age\" has no value.".into(),
        };
        let classes = ["well".to_owned(), "ill".to_owned()];
        let csv = patients_csv(
            &[judged(1, Some(similar)), judged(3, None)],
            std::slice::from_ref(&refused),
            &classes,
            &[1],
            &[],
        )
        .unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "row,label,probability ill,similar records ill,similar observed ill,similar low ill,similar high ill,refused"
        );
        assert!(lines[1].starts_with("1,\"ill, maybe\",0.250000,20,0.2500,0.11"));
        assert_eq!(lines[2], "2,,,,,,,\"Column \"\"age\"\" has no value.\"");
        assert_eq!(lines[3], "3,\"ill, maybe\",0.250000,,,,,");
        let names = ["a.png".to_owned(), "b.png".to_owned()];
        let csv = patients_csv(&[judged(1, None)], &[refused], &classes, &[1], &names).unwrap();
        let starts: Vec<&str> = csv
            .lines()
            .filter_map(|line| line.split(',').next())
            .collect();
        assert_eq!(starts, ["file", "a.png", "b.png"]);
    }
}
