//! What a training gave: figures of the encrypted head beside those of the head in the clear.

use super::from_train;
use super::held_out::HeldOut;
use super::run::TrainingRun;
use super::validation::CurvePoint;
use crate::ClientError;
use crate::metrics::{Assessment, Metrics, most_probable, probabilities};
use confide_train::TrainingPlan;
use confide_train::minibatch::LossKind;
use serde::{Deserialize, Serialize};

/// Heads trained in the clear, weights as [`PlainRun`](confide_train::PlainRun) has them.
#[derive(Clone, Debug, PartialEq)]
pub struct ClearHeads {
    /// The very program that ran on ciphertexts, on plain numbers.
    pub program: Vec<Vec<f64>>,
    /// The exact sigmoid or softmax, trained to convergence; with hidden units, which have no single best head, the exact sigmoid
    /// in the program's own steps.
    pub converged: Vec<Vec<f64>>,
}

/// What came back from the worker, decrypted.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Weights as [`PlainRun`](confide_train::PlainRun) has them.
    pub weights: Vec<Vec<f64>>,
    /// Logits `[row][output]` of the test records.
    pub logits: Vec<Vec<f64>>,
    /// Points of the curve, in the order of steps.
    pub curve: Vec<CurvePoint>,
}

/// Prediction of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Row in the file, counted from 1 below the header.
    pub row: usize,
    /// The most probable class.
    pub predicted: String,
    /// One probability a class, in the order of the classes.
    pub probabilities: Vec<f64>,
    /// The true class, where it is known.
    pub truth: Option<String>,
}

/// Records of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRows {
    /// Name of the class.
    pub class: String,
    /// Records that trained.
    pub train: usize,
    /// Records that tested.
    pub test: usize,
}

/// The plan in a few numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Bits of the ciphertext modulus.
    pub log_q: u32,
    /// Bits of the special modulus.
    pub log_p: u32,
    /// Most bits of both that are 128-bit secure at this degree.
    pub log_qp_cap: Option<f64>,
    /// Multiplicative levels.
    pub levels: usize,
    /// Iterations of the optimiser.
    pub iterations: usize,
    /// Bootstraps between them.
    pub bootstraps: usize,
    /// Degree of the sigmoid polynomial; none for a softmax.
    pub degree: Option<usize>,
    /// L2 penalty.
    pub l2: f64,
    /// Evaluation keys.
    pub keys: usize,
    /// Bytes to upload.
    pub upload_bytes: u64,
    /// Predicted seconds of the worker.
    pub worker_seconds: f64,
    /// Predicted memory of the worker.
    pub memory_bytes: u64,
    /// The plan for people.
    pub text: String,
}

impl PlanSummary {
    /// The numbers of a plan.
    pub fn new(plan: &TrainingPlan) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_train)?;
        let literal = params.literal();
        Ok(Self {
            log_n: params.log_n(),
            log_q: params.log_q_at(params.max_level()).round() as u32,
            log_p: literal.log_p.iter().sum(),
            log_qp_cap: confide_ckks::security::hard_cap(params.log_n()),
            levels: plan.data_level(),
            iterations: plan.steps(),
            bootstraps: plan.bootstraps(),
            degree: plan.degree(),
            l2: plan.l2(),
            keys: plan.switching_keys().len(),
            upload_bytes: plan.upload().total(),
            worker_seconds: plan.costs().worker_seconds(),
            memory_bytes: plan.costs().memory_bytes,
            text: plan.to_string(),
        })
    }
}

/// The report of a training. `*_clear` is the same head (features, penalty) with the exact sigmoid or softmax,
/// trained to convergence (with hidden units, by the program's own steps); `*_clear_program` is the program of the encrypted run on plain numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Accuracy of the encrypted head on the test records.
    pub accuracy_encrypted: Option<f64>,
    /// Accuracy of the head in the clear.
    pub accuracy_clear: Option<f64>,
    /// Accuracy of the program in the clear.
    pub accuracy_clear_program: Option<f64>,
    /// The same as `accuracy_clear`.
    pub accuracy_converged: Option<f64>,
    /// Area under the ROC curve of the encrypted head.
    pub auc_encrypted: Option<f64>,
    /// Area under the ROC curve of the head in the clear.
    pub auc_clear: Option<f64>,
    /// All figures of the encrypted head, with intervals.
    pub encrypted: Metrics,
    /// All figures of the head in the clear.
    pub clear: Metrics,
    /// All figures of the program in the clear.
    pub clear_program: Metrics,
    /// Of the encrypted head, the positive class of two or each of more: precision, calibration, and what a threshold of
    /// one half does. Classes for whose intervals the test records do not suffice are left out.
    pub assessments: Vec<Assessment>,
    /// Training and test records of each class.
    pub class_rows: Vec<ClassRows>,
    /// Names of the classes, in the order of all vectors.
    pub classes: Vec<String>,
    /// The positive class of two, and why it is that one.
    pub positive: Option<(String, String)>,
    /// Loss and accuracy while it trained, on records that were set aside; empty without validation.
    pub curve: Vec<CurvePoint>,
    /// Records that trained.
    pub train_rows: usize,
    /// Records that tested.
    pub test_rows: usize,
    /// Features of the table.
    pub features: usize,
    /// Components that were encrypted.
    pub components: usize,
    /// Largest difference of a weight between the encrypted run and the same program in the clear.
    pub max_weight_difference: f64,
    /// Largest weight of the program in the clear, for comparison.
    pub max_weight: f64,
    /// Largest difference of a logit of a test record between encrypted prediction and the program in the clear.
    pub max_logit_difference: f64,
    /// Largest logit in training, which the range must cover.
    pub max_abs_z: f64,
    /// Range of the sigmoid polynomial.
    pub range: f64,
    /// Factor by which features were scaled to stay in range.
    pub feature_scale: f64,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The plan.
    pub plan: PlanSummary,
}

impl TrainingRun {
    /// Measures what came back.
    ///
    /// # Errors
    /// `CC-5021` when there are not as many logits as test records.
    pub fn report(
        &self,
        outcome: &Outcome,
        clear: &ClearHeads,
    ) -> Result<TrainingReport, ClientError> {
        let held_out = self.held_out(outcome, clear)?;
        let program_logits = self.clear_logits(&clear.program);
        let encrypted = held_out.measure(&held_out.encrypted);
        let clear_program = held_out.measure(&self.probabilities(&program_logits));
        let converged = held_out.measure(&held_out.clear);
        let names = held_out.classes.clone();
        let accuracy = |metrics: &Metrics| metrics.accuracy.map(|accuracy| accuracy.value);
        let (max_abs_z, range) = self.range();
        let reason = (
            self.setup.positive().0.to_owned(),
            self.setup.positive().1.to_owned(),
        );
        Ok(TrainingReport {
            accuracy_encrypted: accuracy(&encrypted),
            accuracy_clear: accuracy(&converged),
            accuracy_clear_program: accuracy(&clear_program),
            accuracy_converged: accuracy(&converged),
            auc_encrypted: encrypted.auc.map(|auc| auc.value),
            auc_clear: converged.auc.map(|auc| auc.value),
            encrypted,
            clear: converged,
            clear_program,
            assessments: held_out.assessments(),
            class_rows: self.class_rows(),
            positive: (names.len() == 2).then_some(reason),
            classes: names,
            curve: outcome.curve.clone(),
            train_rows: self.guarded.rows.len(),
            test_rows: self.test_rows.len(),
            features: self.setup.dataset.records.features.len(),
            components: self.setup.preprocessing.components(),
            max_weight_difference: largest_difference(&outcome.weights, &clear.program),
            max_weight: clear
                .program
                .iter()
                .flatten()
                .fold(0.0, |most, weight| most.max(weight.abs())),
            max_logit_difference: largest_difference(&outcome.logits, &program_logits),
            max_abs_z,
            range,
            feature_scale: self.setup.preprocessing.scale(),
            notes: self.notes().to_vec(),
            plan: PlanSummary::new(&self.plan)?,
        })
    }

    /// What the test records were given, beside the truth.
    ///
    /// # Errors
    /// `CC-5021` when there are not as many logits as test records.
    pub fn held_out(&self, outcome: &Outcome, clear: &ClearHeads) -> Result<HeldOut, ClientError> {
        let outputs = self.plan.outputs();
        if outcome.logits.len() != self.test_rows.len()
            || outcome.logits.iter().any(|row| row.len() != outputs)
        {
            return Err(ClientError::new(
                "CC-5021",
                format!(
                    "{} predictions came back for {} records.",
                    outcome.logits.len(),
                    self.test_rows.len()
                ),
                "Train again; report this if it goes on.",
            ));
        }
        let dataset = &self.setup.dataset;
        let of_test = |values: &[usize]| -> Vec<usize> {
            let test = self.setup.split.test.iter();
            test.filter_map(|&row| values.get(row).copied()).collect()
        };
        Ok(HeldOut {
            classes: self.setup.class_names(),
            positive: self.setup.positive,
            rows: of_test(&dataset.records.row_numbers),
            truth: self.test_classes(),
            groups: of_test(&dataset.groups),
            encrypted: self.probabilities(&outcome.logits),
            clear: self.probabilities(&self.clear_logits(&clear.converged)),
        })
    }

    /// One probability a class from logits.
    fn probabilities(&self, logits: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let one = |row: &Vec<f64>| probabilities(row, self.setup.positive, self.plan.loss());
        logits.iter().map(one).collect()
    }

    /// Largest difference of a probability of a test record between the encrypted run and the same program in the clear.
    pub fn probability_difference(&self, outcome: &Outcome, clear: &ClearHeads) -> f64 {
        let program = self.probabilities(&self.clear_logits(&clear.program));
        largest_difference(&self.probabilities(&outcome.logits), &program)
    }

    fn class_rows(&self) -> Vec<ClassRows> {
        let classes = &self.setup.dataset.classes_of_rows;
        let count =
            |rows: &[usize], class| rows.iter().filter(|&&row| classes[row] == class).count();
        let one = |(class, name): (usize, String)| ClassRows {
            class: name,
            train: count(&self.setup.split.train, class),
            test: count(&self.setup.split.test, class),
        };
        self.setup
            .class_names()
            .into_iter()
            .enumerate()
            .map(one)
            .collect()
    }

    /// Logits `[row][output]` of the test records under a head in the clear.
    pub fn clear_logits(&self, weights: &[Vec<f64>]) -> Vec<Vec<f64>> {
        self.plan.logits(weights, &self.test_rows)
    }
}

/// Classes and probabilities from logits.
pub(super) fn predictions(
    logits: &[Vec<f64>],
    rows: &[usize],
    names: &[String],
    (positive, loss): (usize, LossKind),
) -> Vec<Prediction> {
    let predict = |(logits, &row): (&Vec<f64>, &usize)| {
        let probabilities = probabilities(logits, positive, loss);
        let predicted = names
            .get(most_probable(&probabilities, positive))
            .cloned()
            .unwrap_or_default();
        Prediction {
            row,
            predicted,
            probabilities,
            truth: None,
        }
    };
    logits.iter().zip(rows).map(predict).collect()
}

/// Largest difference of numbers at the same place.
pub(super) fn largest_difference(left: &[Vec<f64>], right: &[Vec<f64>]) -> f64 {
    left.iter()
        .flatten()
        .zip(right.iter().flatten())
        .fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
}
