//! Options that choose file, columns and rows.

use crate::failure::Failure;
use crate::progress::Progress;
use crate::text::{self, MODEL_VARIABLE, TextModelFile, TextOptions, USUAL_MODEL};
use confide_client::ClientError;
use confide_client::intake::{MissingPolicy, Severity, Table, TextFiles, read_csv};
use confide_client::workflow::TrainingOptions;
use confide_train::minibatch::{L2, LossKind};
use std::path::{Path, PathBuf};

/// What is done with rows that have gaps.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Refuse, and say where they are
    Report,
    /// Leave out rows with gaps
    Drop,
    /// Fill gaps with the column's median; rows without a label are left out
    FillMedian,
}

impl From<Missing> for MissingPolicy {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Report => Self::Report,
            Missing::Drop => Self::Drop,
            Missing::FillMedian => Self::FillMedian,
        }
    }
}

/// What training minimises.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A logistic loss for each class
    OneVsRest,
    /// One loss for all classes, which compete
    Softmax,
}

impl From<Loss> for LossKind {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::OneVsRest => Self::OneVsRest,
            Loss::Softmax => Self::Softmax,
        }
    }
}

/// Reads a penalty on the squared weights.
fn penalty(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| L2.contains(number));
    number.ok_or_else(|| format!("a number from {} to {} is needed", L2.start(), L2.end()))
}

/// Records to train with.
#[derive(clap::Args, Clone, Debug)]
pub struct TrainingRecords {
    /// CSV file with a header; or a folder with a folder of text files for each class (columns file, label and text)
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Column with the classes, numbers or text; "label" for pictures when absent
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Feature columns, separated by commas; all columns of numbers when absent
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub features: Option<Vec<String>>,
    /// Columns to leave out, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Column that says which records belong together, such as a patient's: they are never split between training and test
    #[arg(long, value_name = "COLUMN")]
    pub group: Option<String>,
    /// Column of written records: a language model turns each into 384 numbers on this machine, beside the other features
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<String>,
    /// File of the language model, which `cargo xtask text-model` makes
    // Not flattened: clap takes an optional group that holds another group for absent.
    #[arg(long, value_name = "FILE", default_value = USUAL_MODEL, env = MODEL_VARIABLE)]
    pub text_model: PathBuf,
    /// What to do with rows that have gaps
    #[arg(long, value_enum, default_value = "report")]
    pub missing: Missing,
    /// The class that sensitivity and specificity speak of; the rarer one of two when absent
    #[arg(long, value_name = "CLASS")]
    pub positive: Option<String>,
    /// Part of the records that tests the head, 0 to 0.9
    #[arg(long, default_value_t = 0.2)]
    pub test_fraction: f64,
    /// Seed of the split into training and test records
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Most principal components to train on
    #[arg(long, value_name = "NUMBER")]
    pub components: Option<usize>,
    /// Largest upload in megabytes; when absent, 140 and then more
    #[arg(long, value_name = "MB")]
    pub max_upload: Option<u64>,
    /// Megabits a second of the line to the worker, weighed against its computing; 100 when absent
    #[arg(long, value_name = "MBIT", value_parser = clap::value_parser!(u32).range(1..))]
    pub upload_mbit: Option<u32>,
    /// Use every record so often, in minibatches with bootstraps between (1.2 GB of keys); few steps on all records
    /// when absent
    #[arg(long, value_name = "NUMBER")]
    pub epochs: Option<usize>,
    /// Most records in a minibatch; 1024 when absent
    #[arg(long, value_name = "NUMBER", requires = "epochs")]
    pub batch: Option<usize>,
    /// Set a part of the training records aside (0.1 when no number is given) and print their loss and accuracy after each
    /// epoch; nothing is chosen by them, and the test records have no part in it
    #[arg(
        long,
        value_name = "FRACTION",
        requires = "epochs",
        num_args = 0..=1,
        default_missing_value = "0.1"
    )]
    pub validate: Option<f64>,
    /// What is minimised; the softmax needs --epochs and three classes or more, and takes about four times as long
    #[arg(long, value_enum, default_value = "one-vs-rest")]
    pub loss: Loss,
    /// Penalty on the squared weights, 0 to 1, against overfitting; 0.002 for a linear head and 0.01 with hidden units
    /// when absent
    #[arg(long, value_name = "NUMBER", requires = "epochs", value_parser = penalty)]
    pub l2: Option<f64>,
    /// Hidden units between features and classes, 2 to 32: for classes that no straight boundary parts
    #[arg(long, value_name = "NUMBER", requires = "epochs")]
    pub hidden: Option<usize>,
}

impl TrainingRecords {
    /// Most bytes to upload.
    pub fn max_upload_bytes(&self) -> Option<u64> {
        self.max_upload.map(|mb| mb.saturating_mul(1_000_000))
    }

    /// Bytes a second of the line to the worker.
    pub fn upload_rate(&self) -> Option<u64> {
        self.upload_mbit.map(|mbit| u64::from(mbit) * 125_000)
    }

    /// Reads the file, or takes `pictures` with their features, shows its problems, splits and prepares the records.
    pub fn prepare(
        &self,
        progress: &mut Progress,
        pictures: Option<Table>,
    ) -> Result<confide_client::workflow::TrainingSetup, Failure> {
        let (table, label) = match (pictures, &self.csv, &self.label) {
            (Some(table), _, label) => (Ok(table), label.as_deref().unwrap_or("label")),
            (None, Some(csv), Some(label)) => (read_table(csv), label.as_str()),
            _ => {
                let remedy = "Give --csv FILE and --label COLUMN.";
                let message = "There is no table to train on.";
                return Err(ClientError::new("CC-6065", message, remedy).into());
            }
        };
        let mut table = table?;
        show_problems(&table, self.missing != Missing::Report);
        let text = TextOptions {
            text: self.text.clone(),
            model: TextModelFile {
                text_model: self.text_model.clone(),
            },
        };
        text.embed(&mut table, progress)?;
        // A head on pictures learns from nothing else of their list.
        let mut features = match table.pictures {
            Some(_) => Some(Vec::new()),
            None => self.features.clone(),
        };
        if let Some(features) = &mut features {
            features.extend(table.read_features());
        }
        let selection = confide_client::intake::Selection {
            label: label.to_owned(),
            features,
            exclude: self.exclude.clone(),
            group: self.group.clone(),
            missing: self.missing.into(),
        };
        let options = TrainingOptions {
            test_fraction: self.test_fraction,
            seed: self.seed,
            positive: self.positive.clone(),
            components: self.components,
            max_upload_bytes: self.max_upload_bytes(),
            upload_rate: self.upload_rate(),
            epochs: self.epochs,
            batch: self.batch,
            validation: self.validate,
            loss: self.loss.into(),
            l2: self.l2,
            hidden: self.hidden,
        };
        Ok(confide_client::workflow::TrainingSetup::new(
            table.select(&selection)?,
            options,
        )?)
    }
}

/// Reads a CSV file, or a folder of text files.
pub fn read_table(path: &Path) -> Result<Table, Failure> {
    if path.is_dir() {
        return text::read_folder(path, TextFiles::TEXT);
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    Ok(read_csv(&bytes)?)
}

/// Problems on standard error, the first few of each kind.
pub fn show_problems(table: &Table, decided: bool) {
    const SHOWN: usize = 5;
    for (kind, count) in &table.problem_counts {
        let of_kind = table
            .problems
            .iter()
            .filter(|problem| problem.kind == *kind);
        for problem in of_kind
            .take(SHOWN)
            .filter(|p| !decided || p.severity == Severity::Error)
        {
            eprintln!(
                "{} {}",
                problem.message,
                if decided { "" } else { &problem.remedy }
            );
        }
        if *count > SHOWN {
            eprintln!("... and {} more of this kind.", count - SHOWN);
        }
    }
}
