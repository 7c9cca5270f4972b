//! Jobs of both kinds behind one face: training within the levels of fresh ciphertexts, and with bootstraps.

mod packer;

use std::fmt;

use confide_ckks::{KeyKind, Parameters};
use confide_tensor::{CostModel, Op};
use serde::{Deserialize, Serialize};

use crate::bootstrapped::{BootstrappedPlan, KeptFeatures};
use crate::error::{TrainError, shape};
use crate::minibatch::{Loss, LossKind, minibatch_reference, plain_logits};
use crate::plan::{Costs, Plan, TableShape, UploadBytes};
use crate::planner::{self, PlanRequest};
use crate::reference::{Activation, train_reference};

pub use packer::TablePacker;

/// A plan of either kind. The order of the variants is the format of its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TrainingPlan {
    /// Few steps on all records, within the levels of fresh ciphertexts.
    Levelled(Plan),
    /// Any number of steps on minibatches, with bootstraps between.
    Bootstrapped(BootstrappedPlan),
}

/// A run of the plan's program on plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainRun {
    /// Weights `[output][feature]`; with hidden units, `[unit][feature]` and then `[output][unit]`.
    pub weights: Vec<Vec<f64>>,
    /// Largest number that must stay within [`TrainingPlan::range`]: logits, and what else goes through the polynomial
    /// or the bootstraps, in proportion to its own bound.
    pub largest: f64,
}

impl TrainingPlan {
    /// Finds the plan of a request.
    ///
    /// # Errors
    /// Those of [`planner::plan_on`] and [`BootstrappedPlan::of_request`].
    pub fn of_request(request: &PlanRequest, model: &CostModel) -> Result<Self, TrainError> {
        match &request.bootstrapping {
            None => planner::plan_on(request, model).map(Self::Levelled),
            Some(wish) => {
                BootstrappedPlan::of_request(request, wish, model).map(Self::Bootstrapped)
            }
        }
    }

    /// Derives the plan again from its choice and the data party's own request, and refuses any deviation.
    ///
    /// # Errors
    /// Those of [`Plan::check`] and [`BootstrappedPlan::check`]; [`TrainError::Deviation`] for a plan of the other kind.
    pub fn check(&self, request: &PlanRequest) -> Result<(), TrainError> {
        match (self, &request.bootstrapping) {
            (Self::Levelled(plan), None) => plan.check(request),
            (Self::Bootstrapped(plan), Some(wish)) => plan.check(request, wish),
            (Self::Levelled(_), Some(_)) | (Self::Bootstrapped(_), None) => {
                Err(TrainError::Deviation {
                    field: "kind",
                    needed: kind(request.bootstrapping.is_some()).into(),
                    available: kind(matches!(self, Self::Bootstrapped(_))).into(),
                })
            }
        }
    }

    /// The plan derived again from its own sizes and choice: what a stored plan must equal, times aside.
    ///
    /// # Errors
    /// Those of the derivation, and [`TrainError::Deviation`].
    pub fn check_derivation(&self) -> Result<(), TrainError> {
        match self {
            Self::Levelled(plan) => {
                let own = Plan::derive(&plan.shape, &plan.choice, plan.costs.threads)?;
                crate::plan::compare("params", &own.params, &plan.params)?;
                crate::plan::compare("layout", &own.layout, &plan.layout)?;
                crate::plan::compare("keys", &own.keys, &plan.keys)
            }
            Self::Bootstrapped(plan) => plan.check_derivation(),
        }
    }

    /// Sizes of the table.
    pub fn shape(&self) -> &TableShape {
        match self {
            Self::Levelled(plan) => &plan.shape,
            Self::Bootstrapped(plan) => &plan.shape,
        }
    }

    /// The checked scheme parameters; security is checked here again.
    ///
    /// # Errors
    /// [`TrainError::Ckks`].
    pub fn parameters(&self) -> Result<Parameters, TrainError> {
        match self {
            Self::Levelled(plan) => plan.parameters(),
            Self::Bootstrapped(plan) => plan.parameters(),
        }
    }

    /// All switching keys with their levels: the order of the upload.
    pub fn switching_keys(&self) -> Vec<(KeyKind, usize)> {
        match self {
            Self::Levelled(plan) => plan.switching_keys(),
            Self::Bootstrapped(plan) => plan.switching_keys(),
        }
    }

    /// The keys that predictions need, in the same order.
    pub fn prediction_keys(&self) -> Vec<(KeyKind, usize)> {
        match self {
            Self::Levelled(plan) => plan.switching_keys(),
            Self::Bootstrapped(plan) => {
                let keys = plan.keys.iter().filter(|key| key.prediction);
                keys.map(|key| (key.kind, key.level)).collect()
            }
        }
    }

    /// Level at which features and labels are encrypted.
    pub fn data_level(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.data_level,
            Self::Bootstrapped(plan) => plan.data_level,
        }
    }

    /// Level of the trained head, and at which records to predict are encrypted.
    pub fn prediction_level(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.prediction_level,
            Self::Bootstrapped(plan) => plan.prediction_level,
        }
    }

    /// Level of predicted scores.
    pub fn score_level(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.prediction_level.saturating_sub(1),
            Self::Bootstrapped(_) => 0,
        }
    }

    /// Hidden units; 0 for a linear head.
    pub fn hidden(&self) -> usize {
        match self {
            Self::Levelled(_) => 0,
            Self::Bootstrapped(plan) => plan.layout.hidden,
        }
    }

    /// Logits `[row][output]` of plain records with plain weights, as [`PlainRun`] has them.
    pub fn logits(&self, weights: &[Vec<f64>], rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
        match self {
            Self::Bootstrapped(plan) => plain_logits(&plan.layout, weights, rows),
            Self::Levelled(_) => {
                let logit = |row: &Vec<f64>, head: &Vec<f64>| {
                    row.iter().zip(head).map(|(x, w)| x * w).sum()
                };
                let logits = |row| weights.iter().map(|head| logit(row, head)).collect();
                rows.iter().map(logits).collect()
            }
        }
    }

    /// Exact bytes to upload.
    pub fn upload(&self) -> &UploadBytes {
        match self {
            Self::Levelled(plan) => &plan.upload,
            Self::Bootstrapped(plan) => &plan.upload,
        }
    }

    /// Predicted time, memory and operations.
    pub fn costs(&self) -> &Costs {
        match self {
            Self::Levelled(plan) => &plan.costs,
            Self::Bootstrapped(plan) => &plan.costs,
        }
    }

    /// Feature ciphertexts of the training records.
    pub fn feature_vectors(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.layout.blocks * plan.layout.packs(),
            Self::Bootstrapped(plan) => self.label_vectors() * plan.layout.tiles(),
        }
    }

    /// Label ciphertexts.
    pub fn label_vectors(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.layout.blocks,
            Self::Bootstrapped(plan) => plan.layout.batches() * plan.layout.blocks(),
        }
    }

    /// Most records that one prediction job takes.
    pub fn max_prediction_rows(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.layout.max_prediction_rows(),
            Self::Bootstrapped(plan) => plan.layout.block_rows(),
        }
    }

    /// Ciphertexts of a prediction job of so many records.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for none, or more than [`TrainingPlan::max_prediction_rows`].
    pub fn prediction_vectors(&self, rows: usize) -> Result<usize, TrainError> {
        match self {
            Self::Levelled(plan) => Ok(plan.layout.prediction(rows)?.packs),
            Self::Bootstrapped(plan) if (1..=plan.layout.block_rows()).contains(&rows) => {
                Ok(plan.layout.tiles())
            }
            Self::Bootstrapped(plan) => {
                let needed = format!("1 to {}", plan.layout.block_rows());
                Err(shape("records to predict", needed, rows))
            }
        }
    }

    /// What the compute party's own features become; none where the data party encrypts features.
    ///
    /// # Errors
    /// Those of [`BootstrappedPlan::kept_features`].
    pub fn kept_features(&self) -> Result<Option<KeptFeatures>, TrainError> {
        match self {
            Self::Levelled(_) => Ok(None),
            Self::Bootstrapped(plan) => plan.kept_features(),
        }
    }

    /// Records whose scores are sent back while the training goes on; 0 without validation.
    pub fn validation_rows(&self) -> usize {
        match self {
            Self::Levelled(_) => 0,
            Self::Bootstrapped(plan) => plan.validation.rows,
        }
    }

    /// Steps after which they are, ascending.
    pub fn validation_points(&self) -> &[usize] {
        match self {
            Self::Levelled(_) => &[],
            Self::Bootstrapped(plan) => &plan.validation.points,
        }
    }

    /// Ciphertexts of the validation records.
    pub fn validation_vectors(&self) -> usize {
        match self {
            Self::Levelled(_) => 0,
            Self::Bootstrapped(plan) => plan.validation.vectors(&plan.layout),
        }
    }

    /// Ciphertexts of their scores, of all points.
    pub fn validation_outputs(&self) -> usize {
        match self {
            Self::Levelled(_) => 0,
            Self::Bootstrapped(plan) => plan.validation.outputs(&plan.layout),
        }
    }

    /// Exact bytes of a ciphertext of scores.
    pub fn score_bytes(&self) -> u64 {
        match self {
            Self::Levelled(plan) => plan.download,
            Self::Bootstrapped(plan) => plan.download,
        }
    }

    /// Steps of the optimiser in which every record is used once.
    pub fn epoch_steps(&self) -> usize {
        match self {
            Self::Levelled(_) => 1,
            Self::Bootstrapped(plan) => plan.layout.batches(),
        }
    }

    /// Trained columns: one for two classes, one a class otherwise.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.layout.outputs(),
            Self::Bootstrapped(plan) => plan.layout.outputs(),
        }
    }

    /// Steps of the optimiser.
    pub fn steps(&self) -> usize {
        match self {
            Self::Levelled(plan) => plan.schedule.iterations,
            Self::Bootstrapped(plan) => plan.schedule.steps.len(),
        }
    }

    /// Bootstraps of the run.
    pub fn bootstraps(&self) -> usize {
        match self {
            Self::Levelled(_) => 0,
            Self::Bootstrapped(plan) => plan.bootstraps,
        }
    }

    /// L2 penalty.
    pub fn l2(&self) -> f64 {
        match self {
            Self::Levelled(plan) => plan.schedule.l2,
            Self::Bootstrapped(plan) => plan.schedule.l2,
        }
    }

    /// Which loss is minimised: what makes probabilities of logits.
    pub fn loss(&self) -> LossKind {
        match self {
            Self::Levelled(_) => LossKind::OneVsRest,
            Self::Bootstrapped(plan) => plan.schedule.loss.kind(),
        }
    }

    /// Degree of the sigmoid's polynomial; none for a softmax.
    pub fn degree(&self) -> Option<usize> {
        match self {
            Self::Levelled(plan) => Some(plan.schedule.sigmoid.degree()),
            Self::Bootstrapped(plan) => match &plan.schedule.loss {
                Loss::OneVsRest(sigmoid) => Some(sigmoid.degree()),
                Loss::Softmax(_) => None,
            },
        }
    }

    /// What numbers of the program must not exceed: the range of the activation.
    pub fn range(&self) -> f64 {
        match self {
            Self::Levelled(plan) => plan.schedule.sigmoid.range,
            Self::Bootstrapped(plan) => plan.schedule.loss.range(),
        }
    }

    /// How often the program runs `op`.
    pub fn count(&self, op: Op) -> u64 {
        self.costs().count(op)
    }

    /// Runs the program on plain numbers: `rows x features` with the bias column, and classes.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for sizes other than the plan's or labels that are no class.
    pub fn reference(&self, rows: &[Vec<f64>], labels: &[usize]) -> Result<PlainRun, TrainError> {
        self.reference_with(rows, labels, Activation::Polynomial)
    }

    /// As [`TrainingPlan::reference`], with either sigmoid.
    ///
    /// # Errors
    /// As [`TrainingPlan::reference`].
    pub fn reference_with(
        &self,
        rows: &[Vec<f64>],
        labels: &[usize],
        activation: Activation,
    ) -> Result<PlainRun, TrainError> {
        Ok(match self {
            Self::Levelled(plan) => {
                let run = train_reference(&plan.layout, &plan.schedule, rows, labels, activation)?;
                PlainRun {
                    largest: run.max_abs_z,
                    weights: run.weights,
                }
            }
            Self::Bootstrapped(plan) => {
                let (layout, schedule) = (&plan.layout, &plan.schedule);
                let silent = &mut |_: usize, _: &[Vec<f64>]| ();
                let run = minibatch_reference(layout, schedule, rows, labels, activation, silent)?;
                PlainRun {
                    largest: run.share_of_range(schedule) * schedule.loss.range(),
                    weights: run.weights,
                }
            }
        })
    }
}

fn kind(bootstrapped: bool) -> &'static str {
    if bootstrapped {
        "training with bootstraps"
    } else {
        "training without bootstraps"
    }
}

impl fmt::Display for TrainingPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Levelled(plan) => plan.fmt(f),
            Self::Bootstrapped(plan) => plan.fmt(f),
        }
    }
}
