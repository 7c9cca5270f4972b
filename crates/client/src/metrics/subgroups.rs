//! The same figures for parts of the records: by the values of a column, or by bands of its numbers.

use super::auc::{Interval, auc};
use super::decision::Decision;
use super::scored::Scored;
use crate::ClientError;
use crate::intake::{Column, Values};
use serde::{Deserialize, Serialize};

/// Most parts of a table.
pub const MAX_SUBGROUPS: usize = 12;
/// Numbers of at most this many different values are taken as they are.
const FEW_VALUES: usize = 6;
/// Records below which the figures of a part say little.
const SMALL: usize = 50;
/// Records of either kind below which they say little.
const SMALL_KIND: usize = 10;

/// Which records a part holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Part {
    /// Those with this value.
    Value {
        /// The value as the file has it.
        value: String,
    },
    /// Those with a number from `low` on and below `high`.
    Band {
        /// Least number; none for the lowest band.
        low: Option<f64>,
        /// The number below which they are; none for the highest band.
        high: Option<f64>,
    },
    /// Those without a usable value.
    Missing,
}

/// Figures of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subgroup {
    /// Its records.
    pub part: Part,
    /// Number of records.
    pub records: usize,
    /// Records of the class.
    pub events: usize,
    /// Mean probability of the class, to be compared with the share of events.
    pub mean: f64,
    /// What the threshold does to them.
    pub decision: Decision,
    /// Area under the ROC curve; none without records of both kinds.
    pub auc: Option<Interval>,
    /// Whether they are too few to say much: under 50 records, or under 10 of either kind.
    pub small: bool,
}

/// How records are parted.
#[derive(Clone, Debug, PartialEq)]
pub struct Parting {
    /// The parts.
    parts: Vec<Part>,
    /// The part of each record.
    of: Vec<usize>,
}

impl Parting {
    /// Parts the rows of a column: by its values, or by bands of its numbers that begin at `cuts`. Without cuts numbers of
    /// more than six different values are parted into thirds of about equal size.
    ///
    /// # Errors
    /// `CC-5040` when there would be more than 12 parts or a cut is not a number.
    pub fn new(column: &Column, rows: &[usize], cuts: Option<&[f64]>) -> Result<Self, ClientError> {
        let mut parting = match (&column.values, cuts) {
            (Values::Numeric(numbers), Some(cuts)) => bands(&pick(numbers, rows), cuts)?,
            (Values::Numeric(numbers), None) => {
                let numbers = pick(numbers, rows);
                match few_values(&numbers) {
                    Some(values) => by_number(&numbers, &values),
                    None => bands(&numbers, &thirds(&numbers))?,
                }
            }
            (Values::Text { .. }, _) => by_text(column, rows)?,
        };
        // Parts without a record are left out.
        let used: Vec<usize> = (0..parting.parts.len())
            .filter(|part| parting.of.contains(part))
            .collect();
        parting.parts = used
            .iter()
            .map(|&part| parting.parts[part].clone())
            .collect();
        for part in &mut parting.of {
            *part = used.partition_point(|other| other < part);
        }
        Ok(parting)
    }

    /// Where the bands begin, if the parts are bands.
    pub fn cuts(&self) -> Vec<f64> {
        let low = |part: &Part| match part {
            Part::Band { low, .. } => *low,
            _ => None,
        };
        self.parts.iter().filter_map(low).collect()
    }
}

impl Scored {
    /// The figures of each part, in the order of the parts. `parting` is of the same records.
    pub fn subgroups(&self, parting: &Parting, threshold: f64) -> Vec<Subgroup> {
        let of_part = |part: usize| -> Vec<usize> {
            let records = 0..self.records();
            records
                .filter(|&record| parting.of.get(record) == Some(&part))
                .collect()
        };
        let figures = |(index, part): (usize, &Part)| {
            let records = of_part(index);
            let positive: Vec<bool> = records
                .iter()
                .map(|&record| self.positive[record])
                .collect();
            let scores: Vec<f64> = records.iter().map(|&record| self.scores[record]).collect();
            let groups: Vec<usize> = match self.is_grouped() {
                true => records.iter().map(|&record| self.groups[record]).collect(),
                false => Vec::new(),
            };
            let events = positive.iter().filter(|is| **is).count();
            Subgroup {
                part: part.clone(),
                records: records.len(),
                events,
                mean: scores.iter().sum::<f64>() / records.len().max(1) as f64,
                decision: self.decision_among(records.iter().copied(), threshold),
                auc: auc(&positive, &scores, &groups),
                small: records.len() < SMALL || events.min(records.len() - events) < SMALL_KIND,
            }
        };
        parting.parts.iter().enumerate().map(figures).collect()
    }
}

fn pick(numbers: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter()
        .map(|&row| numbers.get(row).copied().unwrap_or(f64::NAN))
        .collect()
}

/// The different numbers, ascending, if they are few.
fn few_values(numbers: &[f64]) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = numbers
        .iter()
        .copied()
        .filter(|number| !number.is_nan())
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    (values.len() <= FEW_VALUES).then_some(values)
}

fn by_number(numbers: &[f64], values: &[f64]) -> Parting {
    // Adding zero turns -0 into 0.
    let named = values.iter().map(|value| Part::Value {
        value: (value + 0.0).to_string(),
    });
    let place = |number: &f64| {
        values
            .iter()
            .position(|value| value == number)
            .unwrap_or(values.len())
    };
    Parting {
        of: numbers.iter().map(place).collect(),
        parts: named.chain([Part::Missing]).collect(),
    }
}

fn by_text(column: &Column, rows: &[usize]) -> Result<Parting, ClientError> {
    let shown: Vec<String> = rows.iter().map(|&row| column.shown(row)).collect();
    let mut values: Vec<&String> = shown.iter().filter(|value| !value.is_empty()).collect();
    values.sort_unstable();
    values.dedup();
    check(&column.name, values.len())?;
    let place = |value: &String| values.binary_search(&value).unwrap_or(values.len());
    Ok(Parting {
        of: shown.iter().map(place).collect(),
        parts: values
            .iter()
            .map(|value| Part::Value {
                value: (*value).clone(),
            })
            .chain([Part::Missing])
            .collect(),
    })
}

fn bands(numbers: &[f64], cuts: &[f64]) -> Result<Parting, ClientError> {
    let mut cuts = cuts.to_vec();
    if cuts.iter().any(|cut| !cut.is_finite()) {
        return Err(ClientError::new(
            "CC-5040",
            "A band begins at something that is no number.",
            "Write numbers only.",
        ));
    }
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    check("bands", cuts.len() + 1)?;
    let band = |index: usize| Part::Band {
        low: index.checked_sub(1).map(|below| cuts[below]),
        high: cuts.get(index).copied(),
    };
    let place = |number: &f64| match number.is_nan() {
        true => cuts.len() + 1,
        false => cuts.partition_point(|cut| cut <= number),
    };
    Ok(Parting {
        of: numbers.iter().map(place).collect(),
        parts: (0..=cuts.len()).map(band).chain([Part::Missing]).collect(),
    })
}

/// Numbers that part others into thirds, rounded to a hundredth of the decade of their spread.
fn thirds(numbers: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = numbers
        .iter()
        .copied()
        .filter(|number| !number.is_nan())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let exponent = (last - first).log10().floor() as i32 - 2;
    let rounded = |number: f64| match usize::try_from(-exponent) {
        Ok(decimals) => format!("{number:.decimals$}").parse().unwrap_or(number),
        Err(_) => (number / 10f64.powi(exponent)).round() * 10f64.powi(exponent),
    };
    [1, 2]
        .iter()
        .map(|part| rounded(sorted[sorted.len() * part / 3]))
        .collect()
}

fn check(what: &str, parts: usize) -> Result<(), ClientError> {
    if parts <= MAX_SUBGROUPS {
        return Ok(());
    }
    Err(ClientError::new(
        "CC-5040",
        format!("\"{what}\" would make {parts} parts; {MAX_SUBGROUPS} are possible."),
        "Choose a column of fewer values, or fewer bands.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::scored::tests::twelve;
    use super::*;
    use crate::intake::read_csv;

    fn column(cells: &[&str]) -> Column {
        let table = format!(
            "spare,column\n{}\n",
            cells
                .iter()
                .map(|cell| format!("1,{cell}\n"))
                .collect::<String>()
        );
        read_csv(table.as_bytes()).unwrap().columns[1].clone()
    }

    #[test]
    fn parts_by_text_with_figures_by_hand() {
        let column = column(&["b", "a", "b", "a", "b", "a", "b", "a", "", "a", "b", "a"]);
        let rows: Vec<usize> = (0..12).collect();
        let parts = twelve().subgroups(&Parting::new(&column, &rows, None).unwrap(), 0.5);
        let named = |value: &str| Part::Value {
            value: value.into(),
        };
        let order: Vec<&Part> = parts.iter().map(|part| &part.part).collect();
        assert_eq!(order, [&named("a"), &named("b"), &Part::Missing]);
        // "a": records 1, 3, 5, 7, 9, 11 with scores 0.4, 0.8, 0.9, 0.4, 0.05, 0.55; 3, 5 and 11 are positive.
        assert_eq!((parts[0].records, parts[0].events), (6, 3));
        assert_eq!(parts[0].auc.unwrap().value, 1.0);
        assert_eq!(parts[0].decision.true_positives, 3);
        assert!((parts[0].mean - 3.1 / 6.0).abs() < 1e-12 && parts[0].small);
        assert_eq!((parts[2].records, parts[2].auc), (1, None));
    }

    #[test]
    fn bands_begin_at_the_cuts() {
        let cells: Vec<String> = (0..12).map(|i| (i * 10).to_string()).collect();
        let column = column(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        let rows: Vec<usize> = (0..12).collect();
        let parting = Parting::new(&column, &rows, Some(&[60.0, 30.0])).unwrap();
        let parts = twelve().subgroups(&parting, 0.5);
        assert_eq!(
            parts[1].part,
            Part::Band {
                low: Some(30.0),
                high: Some(60.0)
            }
        );
        assert_eq!(
            parts.iter().map(|part| part.records).collect::<Vec<_>>(),
            [3, 3, 6]
        );
        assert_eq!(parting.cuts(), [30.0, 60.0]);
        let thirds = Parting::new(&column, &rows, None).unwrap();
        assert_eq!(thirds.cuts(), [40.0, 80.0]);
        // Years differ in their last digits.
        let years: Vec<f64> = (0..30).map(|i| f64::from(1990 + i)).collect();
        assert_eq!(super::thirds(&years), [2000.0, 2010.0]);
        assert_eq!(
            super::thirds(&[0.123456, 0.234567, 0.345678]),
            [0.235, 0.346]
        );
        assert_eq!(
            super::thirds(&[0.0, 123_456.0, 234_567.0, 999_999.0]),
            [123_000.0, 235_000.0]
        );
        // A band that nobody is in is left out.
        let empty = Parting::new(&column, &rows, Some(&[500.0, 1000.0])).unwrap();
        assert_eq!(twelve().subgroups(&empty, 0.5).len(), 1);
        for cuts in [vec![f64::NAN], (0..12).map(f64::from).collect()] {
            assert_eq!(
                Parting::new(&column, &rows, Some(&cuts)).unwrap_err().code,
                "CC-5040"
            );
        }
    }

    #[test]
    fn few_numbers_are_values_and_many_texts_are_refused() {
        let column = column(&["1", "0", "1", "1", "x"].repeat(2));
        let parting = Parting::new(&column, &(0..10).collect::<Vec<_>>(), None).unwrap();
        assert_eq!(parting.parts.len(), 3);
        assert!(parting.cuts().is_empty());
        let texts: Vec<String> = (0..13).map(|i| format!("t{i}")).collect();
        let column = self::column(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let error = Parting::new(&column, &(0..13).collect::<Vec<_>>(), None).unwrap_err();
        assert_eq!(error.code, "CC-5040");
    }
}
