//! What the choices lead to: the records that are trained on, or what stands in the way.

use super::{Chosen, Workbench};
use confide_client::ClientError;
use confide_client::intake::{
    MissingPolicy, Problem, ProblemKind, Selection, Severity, Table, positive_class,
};
use confide_client::prepare::split_dataset;
use serde::Serialize;

/// Problems shown in detail.
const SHOWN: usize = 30;

#[derive(Serialize)]
pub(super) struct ClassView {
    pub(super) name: String,
    pub(super) count: usize,
}

#[derive(Serialize)]
pub(super) struct ProblemView {
    pub(super) severity: &'static str,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl ProblemView {
    fn error(error: ClientError) -> Self {
        Self {
            severity: "error",
            message: error.message,
            remedy: error.remedy,
        }
    }

    fn note(message: &str) -> Self {
        Self {
            severity: "warning",
            message: message.to_owned(),
            remedy: String::new(),
        }
    }
}

/// What the choices lead to.
#[derive(Serialize)]
pub(super) struct DatasetView {
    pub(super) ready: bool,
    pub(super) classes: Vec<ClassView>,
    pub(super) positive: Option<String>,
    pub(super) problems: Vec<ProblemView>,
    pub(super) problems_total: usize,
    /// Cells without a usable value in the chosen columns, and rows with a wrong number of cells.
    pub(super) missing: usize,
    pub(super) train_rows: usize,
    pub(super) test_rows: usize,
    /// Training records set aside to draw the progress.
    pub(super) aside: usize,
    pub(super) features: usize,
    pub(super) dropped: usize,
    pub(super) filled: usize,
}

impl Workbench {
    pub(super) fn apply(&mut self) -> DatasetView {
        self.chosen = None;
        let used: Vec<usize> = self
            .choices
            .features
            .iter()
            .copied()
            .chain(self.choices.label)
            .chain(self.choices.text)
            .chain(self.choices.pictures)
            .collect();
        let gaps = self.gaps(&used);
        let mut view = DatasetView {
            ready: false,
            classes: Vec::new(),
            positive: None,
            problems: self.table_problems(&used),
            problems_total: 0,
            missing: gaps,
            train_rows: 0,
            test_rows: 0,
            aside: 0,
            features: self.choices.features.len(),
            dropped: 0,
            filled: 0,
        };
        let listed = view
            .problems
            .iter()
            .filter(|problem| problem.severity == "error")
            .count();
        match self.select() {
            Ok(chosen) => {
                view.features = chosen.dataset.records.features.len();
                self.describe(&chosen, &mut view);
                self.chosen = Some(chosen);
                view.ready = true;
            }
            // Gaps are listed cell by cell already.
            Err(error) if error.code == "CC-1012" && listed > 0 => {}
            Err(error) => view.problems.insert(0, ProblemView::error(error)),
        }
        let unlisted = if self.choices.policy() == MissingPolicy::Report {
            gaps.saturating_sub(listed)
        } else {
            0
        };
        view.problems_total = view.problems.len() + unlisted;
        view.problems.truncate(SHOWN);
        view
    }

    /// Cells of the used columns without a usable value, and ragged rows.
    fn gaps(&self, used: &[usize]) -> usize {
        let cells: usize = used
            .iter()
            .filter_map(|&index| self.table.columns.get(index))
            .map(|c| c.stats().missing)
            .sum();
        cells + self.table.ragged_rows + self.refused()
    }

    /// Pictures that were refused.
    fn refused(&self) -> usize {
        let counts = self.problem_table().problem_counts.iter();
        let pictures = counts.filter(|(kind, _)| *kind == ProblemKind::Picture);
        pictures.map(|(_, count)| count).sum()
    }

    /// The table that knows all problems.
    fn problem_table(&self) -> &Table {
        self.chosen_table().unwrap_or(&self.table)
    }

    /// Problems of the used columns that the choices leave open.
    fn table_problems(&self, used: &[usize]) -> Vec<ProblemView> {
        let names: Vec<&str> = used.iter().filter_map(|&index| self.name(index)).collect();
        let concerns = |problem: &&Problem| {
            problem
                .column
                .as_deref()
                .is_none_or(|name| names.contains(&name))
        };
        let settled = |problem: &&Problem| {
            let gap = matches!(
                problem.kind,
                ProblemKind::Missing
                    | ProblemKind::NotANumber
                    | ProblemKind::Ragged
                    | ProblemKind::Picture
            );
            // Names of pictures are no measurement.
            let name = problem.kind == ProblemKind::Identifier && self.choices.pictures.is_some();
            // The selection itself says so when two columns of one name are in the way.
            name || problem.kind == ProblemKind::DuplicateName
                || gap && self.choices.policy() != MissingPolicy::Report
        };
        self.problem_table()
            .problems
            .iter()
            .filter(|problem| concerns(problem) && !settled(problem))
            .map(|problem| ProblemView {
                severity: if problem.severity == Severity::Error {
                    "error"
                } else {
                    "warning"
                },
                message: problem.message.clone(),
                remedy: problem.remedy.clone(),
            })
            .collect()
    }

    fn select(&self) -> Result<Chosen, ClientError> {
        let label = self
            .choices
            .label
            .and_then(|index| self.name(index))
            .ok_or_else(|| {
                ClientError::new(
                    "CC-1010",
                    "No outcome is chosen.",
                    "Choose the column that says which group a patient belongs to.",
                )
            })?;
        let mut features: Vec<String> = self
            .choices
            .features
            .iter()
            .filter_map(|&i| self.name(i))
            .map(str::to_owned)
            .collect();
        let table = self.chosen_table()?;
        features.retain(|name| table.column(name).is_some());
        features.extend(table.read_features());
        if features.is_empty() {
            return Err(ClientError::new(
                "CC-1010",
                "No measurement is chosen.",
                "Choose at least one column of numbers, or one of written records, or pictures.",
            ));
        }
        let dataset = table.select(&Selection {
            label: label.to_owned(),
            features: Some(features),
            exclude: Vec::new(),
            group: self
                .choices
                .group
                .and_then(|i| self.name(i))
                .map(str::to_owned),
            missing: self.choices.policy(),
        })?;
        let seed = u64::from(self.choices.seed);
        let split = split_dataset(&dataset, self.choices.test_fraction, seed)?;
        let named = |name: &String| dataset.classes.iter().position(|class| class.name == *name);
        let positive = self.choices.positive.as_ref().and_then(named);
        let positive = positive.unwrap_or_else(|| positive_class(&dataset.classes).0);
        let mut train = split.train.clone();
        // Nothing is drawn of a training on encrypted pictures.
        let aside = match self.locked {
            Some(_) => Vec::new(),
            None => self
                .choices
                .options(&dataset)
                .set_aside(&mut train, &dataset)?,
        };
        Ok(Chosen {
            dataset,
            split,
            positive,
            aside: aside.len(),
        })
    }

    fn describe(&self, chosen: &Chosen, view: &mut DatasetView) {
        let Chosen {
            dataset,
            split,
            positive,
            aside,
        } = chosen;
        view.classes = dataset
            .classes
            .iter()
            .map(|c| ClassView {
                name: c.name.clone(),
                count: c.rows,
            })
            .collect();
        view.positive = dataset
            .classes
            .get(*positive)
            .map(|class| class.name.clone());
        view.problems
            .extend(split.notes.iter().map(|note| ProblemView::note(note)));
        view.train_rows = split.train.len();
        view.test_rows = split.test.len();
        view.aside = *aside;
        view.features = dataset.records.features.len();
        view.dropped = self.table.rows() + self.table.ragged_rows - dataset.records.rows();
        view.filled = dataset
            .records
            .values
            .iter()
            .filter(|value| value.is_nan())
            .count();
    }
}
