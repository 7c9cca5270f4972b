//! The plan: everything that both parties have to agree on, derived from a compact choice.

mod cost;
mod display;

use confide_ckks::{
    Ciphertext, KeyKind, Parameters, ParametersLiteral, SeededCiphertext, SeededSwitchingKey,
};
use confide_tensor::{CostModel, KeySwitchShape, Op, PlanEvaluator, PlanReport, TensorError};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::layout::Layout;
use crate::planner::PlanRequest;
use crate::predict::predict;
use crate::program::{TrainingInputs, train};
use crate::schedule::Schedule;

pub(crate) use cost::FIXED_MEMORY;
pub use cost::{Costs, PhaseCost};
pub(crate) use cost::{key_levels, key_limbs};
pub(crate) use display::megabytes;

/// Version of the plan's meaning: parties with different versions do not work together.
pub const VERSION: u32 = 1;

/// Largest tables for which a plan is derived: pairs of features in all blocks of rows, and records to predict. The
/// program is run on counters for it, and the sizes of a plan may come from outside.
const MAX_PAIRS: usize = 1 << 18;
const MAX_PREDICT_ROWS: usize = 1 << 24;

/// The free decisions of a plan; everything else follows from them and from the table's sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Bits of the scale and of the rescaling primes.
    pub scale_bits: u32,
    /// Bits of the first prime.
    pub base_bits: u32,
    /// Bits of the special primes.
    pub special_bits: Vec<u32>,
    /// Primes in a key-switching digit.
    pub alpha: usize,
    /// Degree of the sigmoid polynomial: 3, 7 or 15.
    pub degree: usize,
    /// The polynomial holds for logits up to this.
    pub range: f64,
    /// Full-batch iterations.
    pub iterations: usize,
    /// A key for every so many rotation steps.
    pub key_stride: u32,
    /// log2 of the feature pairs in a ciphertext.
    pub pack_steps: u32,
}

/// Sizes of the table, the part of a plan that the data decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShape {
    /// Training records.
    pub rows: usize,
    /// Features, the constant 1 of the bias included.
    pub features: usize,
    /// Classes.
    pub classes: usize,
    /// Records that will probably be predicted.
    pub predict_rows: usize,
}

/// A Galois key of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpec {
    /// Galois element.
    pub element: u64,
    /// Highest level at which it is used.
    pub level: usize,
}

/// Exact bytes of what the data party sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadBytes {
    /// Relinearisation and Galois keys.
    pub keys: u64,
    /// Features of the training records.
    pub features: u64,
    /// Labels of the training records.
    pub labels: u64,
    /// Features of the records to predict.
    pub prediction: u64,
    /// Features of the validation records.
    pub validation: u64,
}

impl UploadBytes {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.keys + self.features + self.labels + self.prediction + self.validation
    }
}

/// A training plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`] of the program that derived it.
    pub version: u32,
    /// Sizes of the table.
    pub shape: TableShape,
    /// The free decisions.
    pub choice: Choice,
    /// Scheme parameters.
    pub params: ParametersLiteral,
    /// Where everything lies in the slots.
    pub layout: Layout,
    /// What the optimiser does.
    pub schedule: Schedule,
    /// Level at which features and labels are encrypted.
    pub data_level: usize,
    /// Level of the trained head, and at which records to predict are encrypted.
    pub prediction_level: usize,
    /// Level of the relinearisation key.
    pub relin_level: usize,
    /// The Galois keys, by element.
    pub keys: Vec<KeySpec>,
    /// Exact bytes to upload.
    pub upload: UploadBytes,
    /// Exact bytes of a batch of predictions.
    pub download: u64,
    /// Predicted time, memory and operations.
    pub costs: Costs,
}

impl Plan {
    /// The one plan that follows from a choice, by running the program on counters.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for sizes that do not fit, [`TrainError::Ckks`] for parameters that are insecure or
    /// unusable, [`TrainError::Tensor`] if the program does not fit the levels.
    pub fn derive(shape: &TableShape, choice: &Choice, threads: usize) -> Result<Self, TrainError> {
        Self::derive_on(shape, choice, threads, &CostModel::default())
    }

    /// As [`Plan::derive`], with the times of another machine than the measured one.
    ///
    /// # Errors
    /// As [`Plan::derive`].
    pub fn derive_on(
        shape: &TableShape,
        choice: &Choice,
        threads: usize,
        model: &CostModel,
    ) -> Result<Self, TrainError> {
        let (layout, schedule) = layout_and_schedule(shape, choice)?;
        let pairs = layout.blocks.saturating_mul(layout.pairs);
        for (what, have, most) in [
            ("pairs of features in all blocks", pairs, MAX_PAIRS),
            ("records to predict", shape.predict_rows, MAX_PREDICT_ROWS),
        ] {
            if have > most {
                return Err(crate::error::shape(what, format!("at most {most}"), have));
            }
        }
        let levels = depth(choice.degree, choice.iterations)?;
        let literal = literal(choice, levels);
        let params = Parameters::new(literal)?;
        let report = measure(&layout, &schedule, shape.predict_rows, levels)?;
        let costs = Costs::new(choice, &layout, levels, &report, threads, model);
        Self::assemble(
            *shape,
            choice.clone(),
            layout,
            schedule,
            &params,
            &report,
            costs,
        )
    }

    fn assemble(
        shape: TableShape,
        choice: Choice,
        layout: Layout,
        schedule: Schedule,
        params: &Parameters,
        report: &PlanReport,
        costs: Costs,
    ) -> Result<Self, TrainError> {
        let data_level = params.max_level();
        let prediction_level = 1;
        let keys: Vec<_> = report
            .galois
            .iter()
            .map(|(&element, &level)| KeySpec { element, level })
            .collect();
        let relin_level = report.relin.unwrap_or(0);
        let key_len = |level| SeededSwitchingKey::encoded_len(params, level) as u64;
        let data_len = SeededCiphertext::encoded_len(params, data_level) as u64;
        let packs = layout
            .prediction(shape.predict_rows.min(layout.max_prediction_rows()))?
            .packs;
        let batches = shape
            .predict_rows
            .div_ceil(layout.max_prediction_rows())
            .max(1);
        let upload = UploadBytes {
            keys: key_len(relin_level) + keys.iter().map(|key| key_len(key.level)).sum::<u64>(),
            features: data_len * (layout.blocks * layout.packs()) as u64,
            labels: data_len * layout.blocks as u64,
            prediction: (packs * batches) as u64
                * SeededCiphertext::encoded_len(params, prediction_level) as u64,
            validation: 0,
        };
        let download = Ciphertext::encoded_len(params, prediction_level - 1, 2) as u64;
        Ok(Self {
            version: VERSION,
            shape,
            params: params.literal().clone(),
            choice,
            layout,
            schedule,
            data_level,
            prediction_level,
            relin_level,
            keys,
            upload,
            download,
            costs,
        })
    }

    /// The checked scheme parameters; security is checked here again.
    ///
    /// # Errors
    /// [`TrainError::Ckks`].
    pub fn parameters(&self) -> Result<Parameters, TrainError> {
        Ok(Parameters::new(self.params.clone())?)
    }

    /// All switching keys with their levels, relinearisation first: the order of the upload.
    pub fn switching_keys(&self) -> Vec<(KeyKind, usize)> {
        let galois = self
            .keys
            .iter()
            .map(|key| (KeyKind::Galois(key.element), key.level));
        std::iter::once((KeyKind::Relin, self.relin_level))
            .chain(galois)
            .collect()
    }

    /// What key switching costs under this plan.
    pub fn key_switch_shape(&self) -> KeySwitchShape {
        cost::key_switch_shape(&self.choice)
    }

    /// Derives the plan again from its choice and the data party's own request, and refuses any deviation.
    ///
    /// Predicted times are guides and not compared. Schedule constants may differ in the last digits, because
    /// different machines round powers differently.
    ///
    /// # Errors
    /// [`TrainError::Deviation`] with the first field that differs, [`TrainError::NoPlan`] if the plan breaks a limit
    /// of the request, and the errors of [`Plan::derive`].
    pub fn check(&self, request: &PlanRequest) -> Result<(), TrainError> {
        if self.version != VERSION {
            return Err(deviation("version", VERSION, self.version));
        }
        let shape = request.shape();
        if self.shape != shape {
            return Err(deviation(
                "shape",
                format!("{shape:?}"),
                format!("{:?}", self.shape),
            ));
        }
        if self.choice.iterations > request.max_iterations {
            return Err(deviation(
                "iterations",
                format!("at most {}", request.max_iterations),
                self.choice.iterations,
            ));
        }
        let own = Self::derive(&shape, &self.choice, self.costs.threads)?;
        compare("params", &own.params, &self.params)?;
        compare("layout", &own.layout, &self.layout)?;
        compare("levels", &own.levels(), &self.levels())?;
        compare("keys", &own.keys, &self.keys)?;
        compare("upload", &own.upload, &self.upload)?;
        compare("download", &own.download, &self.download)?;
        compare(
            "predicted memory",
            &own.costs.memory_bytes,
            &self.costs.memory_bytes,
        )?;
        own.same_schedule(&self.schedule)?;
        request.limits(self)
    }

    fn levels(&self) -> [usize; 3] {
        [self.data_level, self.prediction_level, self.relin_level]
    }

    fn same_schedule(&self, other: &Schedule) -> Result<(), TrainError> {
        let numbers = |s: &Schedule| {
            let scalars = [
                s.sigmoid.range,
                s.l2,
                s.data_scale,
                s.label_scale,
                s.prediction_scale,
                s.logit_scale,
            ];
            let lists = [
                &s.sigmoid.coefficients,
                &s.learning_rates,
                &s.momentum,
                &s.lambda,
                &s.z_scale,
            ];
            let mut all = scalars.to_vec();
            lists
                .into_iter()
                .chain(&s.history)
                .for_each(|list| all.extend_from_slice(list));
            all
        };
        compare("iterations", &self.schedule.iterations, &other.iterations)?;
        let (own, found) = (numbers(&self.schedule), numbers(other));
        compare_numbers("schedule", &own, &found)
    }

    /// How often the program runs `op`.
    pub fn count(&self, op: Op) -> u64 {
        self.costs.count(op)
    }
}

fn deviation(field: &'static str, needed: impl ToString, available: impl ToString) -> TrainError {
    TrainError::Deviation {
        field,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}

pub(crate) fn compare<T: PartialEq + std::fmt::Debug>(
    field: &'static str,
    own: &T,
    found: &T,
) -> Result<(), TrainError> {
    if own == found {
        Ok(())
    } else {
        Err(deviation(field, format!("{own:?}"), format!("{found:?}")))
    }
}

/// Constants may differ in the last digits, because different machines round powers differently.
pub(crate) fn compare_numbers(
    field: &'static str,
    own: &[f64],
    found: &[f64],
) -> Result<(), TrainError> {
    compare(field, &own.len(), &found.len())?;
    for (own, found) in own.iter().zip(found) {
        let apart = (own - found).abs();
        if apart.is_nan() || apart > 1e-6 * own.abs() {
            return Err(deviation(field, own, found));
        }
    }
    Ok(())
}

/// Layout and schedule of a choice.
pub(crate) fn layout_and_schedule(
    shape: &TableShape,
    choice: &Choice,
) -> Result<(Layout, Schedule), TrainError> {
    let sizes = [shape.rows, shape.features, shape.classes];
    let layout = Layout::new(choice.log_n, sizes, choice.pack_steps, choice.key_stride)?;
    let schedule = Schedule::new(&layout, choice.degree, choice.range, choice.iterations)?;
    Ok((layout, schedule))
}

/// Scheme parameters of a choice for a program of that many levels.
pub(crate) fn literal(choice: &Choice, levels: usize) -> ParametersLiteral {
    let mut log_q = vec![choice.base_bits];
    log_q.resize(levels + 1, choice.scale_bits);
    ParametersLiteral {
        log_n: choice.log_n,
        log_q,
        log_p: choice.special_bits.clone(),
        log_scale: choice.scale_bits,
        dnum_alpha: choice.alpha,
    }
}

/// Levels that training and prediction consume together, found by running them on the smallest table.
pub(crate) fn depth(degree: usize, iterations: usize) -> Result<usize, TrainError> {
    const PLENTY: usize = 128;
    let layout = Layout::new(4, [2, 2, 2], 0, 1)?;
    let schedule = Schedule::new(&layout, degree, 8.0, iterations)?;
    let report = measure(&layout, &schedule, 1, PLENTY)?;
    Ok(PLENTY - report.lowest_level.unwrap_or(0))
}

/// Runs training and prediction on counters, with data at the highest level and records one level above the result.
pub(crate) fn measure(
    layout: &Layout,
    schedule: &Schedule,
    predict_rows: usize,
    max_level: usize,
) -> Result<PlanReport, TrainError> {
    let ev = PlanEvaluator::new(layout.log_n, max_level);
    let fresh = |count: usize, level| {
        (0..count)
            .map(|_| ev.fresh(level))
            .collect::<Result<Vec<_>, TensorError>>()
    };
    let inputs = TrainingInputs {
        features: fresh(layout.blocks * layout.packs(), max_level)?,
        labels: fresh(layout.blocks, max_level)?,
    };
    let head = train(&ev, layout, schedule, inputs)?;
    let batch = layout.prediction(predict_rows.clamp(1, layout.max_prediction_rows()))?;
    let level = confide_tensor::Evaluator::level(&ev, &head);
    let logits = predict(&ev, layout, &batch, &head, fresh(batch.packs, level)?)?;
    drop((head, logits));
    Ok(ev.report())
}
