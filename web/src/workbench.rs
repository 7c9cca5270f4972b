//! Records while the user looks at them: the table, the choices, and what stands in the way.

use crate::base_model::read_or_refused;
use crate::bridge::{from_js, internal, throw, to_js};
use crate::columns::TableView;
use crate::locked::Locked;
use crate::text::put_vectors;
use confide_client::ClientError;
use confide_client::intake::{
    ColumnKind, Dataset, MAX_CLASSES, MissingPolicy, PictureSource, Problem, ProblemKind,
    Selection, Severity, Table, TextSource, match_pictures, positive_class, read_csv,
    read_picture_table,
};
use confide_client::prepare::{Split, split_dataset};
use confide_client::workflow::{TrainingOptions, VALIDATION_FRACTION};
use confide_text::MINILM_DIGEST;
use confide_train::minibatch::LossKind;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// Problems shown in detail.
const SHOWN: usize = 30;

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
    fn suggest(table: &Table, pictures: Option<usize>) -> Self {
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

    fn policy(&self) -> MissingPolicy {
        match self.missing.as_str() {
            "drop" => MissingPolicy::Drop,
            "fill" => MissingPolicy::FillMedian,
            _ => MissingPolicy::Report,
        }
    }
}

#[derive(Serialize)]
struct ClassView {
    name: String,
    count: usize,
}

#[derive(Serialize)]
struct ProblemView {
    severity: &'static str,
    message: String,
    remedy: String,
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
struct DatasetView {
    ready: bool,
    classes: Vec<ClassView>,
    positive: Option<String>,
    problems: Vec<ProblemView>,
    problems_total: usize,
    /// Cells without a usable value in the chosen columns, and rows with a wrong number of cells.
    missing: usize,
    train_rows: usize,
    test_rows: usize,
    /// Training records set aside to draw the progress.
    aside: usize,
    features: usize,
    dropped: usize,
    filled: usize,
}

/// The records that are trained on, once all choices fit.
pub(crate) struct Chosen {
    pub(crate) dataset: Dataset,
    pub(crate) split: Split,
    pub(crate) positive: usize,
    /// How many of the training records are set aside.
    aside: usize,
}

/// A file of records and the choices made for it.
#[wasm_bindgen]
pub struct Workbench {
    pub(crate) table: Table,
    pub(crate) choices: Choices,
    pub(crate) chosen: Option<Chosen>,
    /// Position of the column of written records or pictures that was read, and the table with numbers in its place.
    pub(crate) read: Option<(usize, Table)>,
    /// Pictures that a network of the worker is to read encrypted.
    pub(crate) locked: Option<Locked>,
}

#[wasm_bindgen]
impl Workbench {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// When the file is no table.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Workbench, JsValue> {
        let table = read_csv(bytes).map_err(throw)?;
        Ok(Self {
            choices: Choices::suggest(&table, None),
            table,
            chosen: None,
            read: None,
            locked: None,
        })
    }

    /// Reads a list of pictures with their labels.
    ///
    /// # Errors
    /// When the file is no such list.
    #[wasm_bindgen(js_name = ofPictures)]
    pub fn of_pictures(list: &[u8]) -> Result<Workbench, JsValue> {
        Self::listed(list).map_err(throw)
    }

    /// For each picture of the list the place of its file among `paths`, or why there is none.
    ///
    /// # Errors
    /// When the file is no list of pictures.
    #[wasm_bindgen(js_name = matchPictures)]
    pub fn match_pictures(&self, paths: Vec<String>) -> Result<JsValue, JsValue> {
        let names = self.texts(self.choices.pictures.unwrap_or(usize::MAX))?;
        let found = match_pictures(&names, &paths).into_iter();
        let views = found.map(|one| match one {
            Ok(file) => FileView {
                file: Some(file),
                error: None,
            },
            Err(error) => FileView {
                file: None,
                error: Some(error),
            },
        });
        to_js(&views.collect::<Vec<_>>())
    }

    /// Takes the features of the list's pictures, one after the other, and which were refused. `source` is the base model's name
    /// and the digest of its card.
    ///
    /// # Errors
    /// When no picture can be used.
    #[wasm_bindgen(js_name = setPictures)]
    pub fn set_pictures(
        &mut self,
        source: JsValue,
        vectors: &[f32],
        refused: JsValue,
    ) -> Result<(), JsValue> {
        let SourceView { name, card } = from_js(source)?;
        let Some((index, column)) = self.picture_column() else {
            return Err(internal("a table without pictures was given features", ""));
        };
        let source = PictureSource { column, name, card };
        let count = self.table.texts(&source.column).map_err(throw)?.len();
        let features = read_or_refused(count, vectors, refused)?;
        let mut table = self.table.clone();
        table.with_pictures(source, &features).map_err(throw)?;
        self.read = Some((index, table));
        Ok(())
    }

    /// What the page shows of the table.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn table(&self, name: &str) -> Result<JsValue, JsValue> {
        let read = self
            .read
            .as_ref()
            .and_then(|(_, table)| table.pictures.as_ref());
        to_js(&TableView::new(name, &self.table, read, self.locked()))
    }

    /// The choices in force; at first a proposal.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn choices(&self) -> Result<JsValue, JsValue> {
        to_js(&self.choices)
    }

    /// The distinct texts of a column, for the language model.
    ///
    /// # Errors
    /// When it is no column of texts.
    pub fn texts(&self, column: usize) -> Result<Vec<String>, JsValue> {
        let name = self.name(column).unwrap_or_default();
        Ok(self.table.texts(name).map_err(throw)?.to_vec())
    }

    /// Takes the vectors of a column's distinct texts, one after the other; the choice of the column comes with
    /// [`Workbench::choose`].
    ///
    /// # Errors
    /// When it is no column of texts, or the vectors are not as many as the texts.
    #[wasm_bindgen(js_name = setVectors)]
    pub fn set_vectors(&mut self, column: usize, vectors: &[f32]) -> Result<(), JsValue> {
        self.read_text(column, vectors).map_err(throw)
    }

    /// Takes choices and says what they lead to: counts, classes, problems with row and column.
    ///
    /// # Errors
    /// When the choices are not of the right shape.
    pub fn choose(&mut self, choices: JsValue) -> Result<JsValue, JsValue> {
        self.choices = from_js(choices)?;
        to_js(&self.apply())
    }
}

/// Where the file of a picture is.
#[derive(Serialize)]
struct FileView {
    file: Option<usize>,
    error: Option<ClientError>,
}

/// A base model.
#[derive(Deserialize)]
pub(crate) struct SourceView {
    pub(crate) name: String,
    pub(crate) card: String,
}

impl Workbench {
    fn listed(list: &[u8]) -> Result<Self, ClientError> {
        let (table, column) = read_picture_table(list)?;
        let place = table.columns.iter().position(|one| one.name == column);
        Ok(Self {
            choices: Choices::suggest(&table, place),
            table,
            chosen: None,
            read: None,
            locked: None,
        })
    }

    /// Place and name of the column of pictures.
    pub(crate) fn picture_column(&self) -> Option<(usize, String)> {
        let index = self.choices.pictures?;
        Some((index, self.name(index)?.to_owned()))
    }

    pub(crate) fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    pub(crate) fn table_ref(&self) -> &Table {
        &self.table
    }

    pub(crate) fn choices_ref(&self) -> &Choices {
        &self.choices
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.table
            .columns
            .get(index)
            .map(|column| column.name.as_str())
    }

    fn apply(&mut self) -> DatasetView {
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

    /// Makes the table with numbers in the place of the texts: once, however often choices change.
    fn read_text(&mut self, column: usize, vectors: &[f32]) -> Result<(), ClientError> {
        let source = TextSource {
            column: self.name(column).unwrap_or_default().to_owned(),
            model: MINILM_DIGEST.to_owned(),
        };
        let mut table = self.table.clone();
        put_vectors(&mut table, source, vectors)?;
        self.read = Some((column, table));
        Ok(())
    }

    /// The table that is learnt from: with numbers in the place of the texts, where a column of texts is chosen.
    fn chosen_table(&self) -> Result<&Table, ClientError> {
        match (self.choices.text.or(self.choices.pictures), &self.read) {
            (None, _) => Ok(&self.table),
            (Some(column), Some((read, table))) if *read == column => Ok(table),
            (Some(_), _) => Err(ClientError::new(
                "CC-1017",
                "The written records or pictures are not read yet.",
                "Choose their column, or the pictures, again.",
            )),
        }
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

#[cfg(test)]
#[path = "workbench_tests.rs"]
mod tests;
