//! What the user chose for a table.

use confide_client::intake::{ColumnKind, Dataset, MAX_CLASSES, MissingPolicy, ProblemKind, Table};
use confide_client::workflow::{TrainingOptions, VALIDATION_FRACTION};
use confide_train::minibatch::LossKind;
use serde::{Deserialize, Serialize};

/// What the user chose. Columns are named by position, so that two of one name can be told apart.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Choices {
    pub(crate) label: Option<usize>,
    /// Name of the class that sensitivity speaks of; by its meaning or rarity when absent.
    pub(crate) positive: Option<String>,
    pub(crate) features: Vec<usize>,
    /// The column of written records, once the language model has read it.
    #[serde(default)]
    pub(crate) text: Option<usize>,
    /// The column of pictures, in a list of them.
    #[serde(default)]
    pub(crate) pictures: Option<usize>,
    /// The column that says which records belong together.
    #[serde(default)]
    pub(crate) group: Option<usize>,
    /// `report`, `drop` or `fill`.
    pub(crate) missing: String,
    pub(crate) test_fraction: f64,
    pub(crate) seed: u32,
    /// How often every record is used, with bootstraps; few steps without them when absent.
    #[serde(default)]
    pub(crate) epochs: Option<u32>,
    /// Whether loss and accuracy are drawn while a long training runs.
    #[serde(default)]
    pub(crate) curve: bool,
    /// The softmax instead of one-vs-rest, where there are epochs and three classes or more.
    #[serde(default)]
    pub(crate) softmax: bool,
    /// Hidden units, where there are epochs and no softmax; a linear head when absent.
    #[serde(default)]
    pub(crate) hidden: Option<u32>,
    /// Whether a head on encrypted pictures is trained on readable ones as well, to compare.
    #[serde(default)]
    pub(crate) compare: bool,
}

impl Choices {
    /// A first proposal: the column that looks most like an outcome, and all columns of numbers.
    pub(super) fn suggest(table: &Table, pictures: Option<usize>) -> Self {
        let stats = table.stats();
        let label = stats
            .iter()
            .enumerate()
            .filter(|(index, _)| Some(*index) != pictures)
            .filter(|(_, column)| (2..=MAX_CLASSES).contains(&column.distinct))
            // A text of few values is an outcome before a number is, two values before many, later before earlier.
            .max_by_key(|(index, column)| {
                (
                    column.kind == ColumnKind::Text,
                    column.distinct == 2,
                    *index,
                )
            })
            .map(|(index, _)| index);
        let identifiers: Vec<&str> = table
            .problems
            .iter()
            .filter(|problem| problem.kind == ProblemKind::Identifier)
            .filter_map(|problem| problem.column.as_deref())
            .collect();
        let features = (0..stats.len())
            // A head on pictures learns from nothing else of their list.
            .filter(|_| pictures.is_none())
            .filter(|&index| Some(index) != label && stats[index].kind == ColumnKind::Numeric)
            .filter(|&index| !identifiers.contains(&stats[index].name.as_str()))
            .collect();
        Self {
            label,
            positive: None,
            features,
            text: None,
            pictures,
            group: None,
            missing: "report".to_owned(),
            test_fraction: 0.2,
            seed: 1,
            epochs: None,
            curve: false,
            softmax: false,
            hidden: None,
            compare: false,
        }
    }

    /// What is decided for the training of a table.
    pub(crate) fn options(&self, dataset: &Dataset) -> TrainingOptions {
        let softmax = self.softmax && self.epochs.is_some() && dataset.classes.len() > 2;
        TrainingOptions {
            test_fraction: self.test_fraction,
            seed: u64::from(self.seed),
            epochs: self.epochs.map(|epochs| epochs as usize),
            validation: self.curve.then_some(VALIDATION_FRACTION),
            loss: match softmax {
                true => LossKind::Softmax,
                false => LossKind::OneVsRest,
            },
            hidden: self
                .hidden
                .filter(|_| self.epochs.is_some() && !softmax)
                .map(|hidden| hidden as usize),
            ..TrainingOptions::default()
        }
    }

    pub(super) fn policy(&self) -> MissingPolicy {
        match self.missing.as_str() {
            "drop" => MissingPolicy::Drop,
            "fill" => MissingPolicy::FillMedian,
            _ => MissingPolicy::Report,
        }
    }
}
