//! Why a row of new patients cannot be scored.

use super::KEPT_PROBLEMS;
use super::column::Values;
use super::table::{ProblemKind, Table};
use serde::{Deserialize, Serialize};

/// Columns named in one reason.
const NAMED: usize = 3;

/// A row that cannot be scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Row in the file, counted from 1 below the header.
    pub row: usize,
    /// One plain sentence.
    pub reason: String,
}

impl Table {
    /// The rows that lack something that a model needs, ascending. Of rows with a wrong number of cells only the first
    /// [`KEPT_PROBLEMS`] are known by their number.
    pub fn refusals(&self, features: &[String]) -> Vec<Refusal> {
        let columns: Vec<_> = features
            .iter()
            .filter_map(|name| self.column(name))
            .collect();
        let of_row = |row: usize| {
            let lacking = columns.iter().filter(|column| match &column.values {
                Values::Numeric(numbers) => numbers.get(row).is_none_or(|number| number.is_nan()),
                Values::Text { .. } => true,
            });
            let names: Vec<&str> = lacking.map(|column| column.name.as_str()).collect();
            let number = self.row_numbers[row];
            (!names.is_empty()).then(|| Refusal {
                row: number,
                reason: self.picture_of(number).unwrap_or_else(|| reason(&names)),
            })
        };
        let mut refusals: Vec<Refusal> = (0..self.rows()).filter_map(of_row).collect();
        let ragged = self
            .problems
            .iter()
            .filter(|problem| problem.kind == ProblemKind::Ragged);
        refusals.extend(ragged.take(KEPT_PROBLEMS).filter_map(|problem| {
            Some(Refusal {
                row: problem.row?,
                reason: problem.message.clone(),
            })
        }));
        refusals.sort_by_key(|refusal| refusal.row);
        refusals
    }

    /// Why the picture of a row cannot be used, while it is known.
    fn picture_of(&self, row: usize) -> Option<String> {
        let mut problems = self.problems.iter();
        let found = problems.find(|one| one.kind == ProblemKind::Picture && one.row == Some(row));
        found.map(|one| one.message.clone())
    }
}

fn reason(names: &[&str]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("\"{name}\""))
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("No usable number in {}{more}.", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::intake::read_csv;

    #[test]
    fn every_row_that_lacks_something_is_named_with_what() {
        let table =
            read_csv(b"a,b,c,d,note\n1,2,3,4,x\n1,,3,4,x\n1,2\n,,,,x\n1,2,3,many,x\n1,2,3,4,\n")
                .unwrap();
        let features: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let refusals = table.refusals(&features);
        let rows: Vec<usize> = refusals.iter().map(|refusal| refusal.row).collect();
        assert_eq!(rows, [2, 3, 4, 5]);
        assert_eq!(refusals[0].reason, "No usable number in \"b\".");
        assert!(refusals[1].reason.contains("2 cells"));
        assert_eq!(
            refusals[2].reason,
            "No usable number in \"a\", \"b\", \"c\" and 1 more."
        );
        assert!(table.refusals(&features[..1]).len() == 2);
    }
}
