//! The plan of a minibatch run with bootstraps: what both parties have to agree on, derived from a compact choice.

mod costs;
mod crossing;
mod display;
mod head;
mod kept;
mod preset;
mod tradeoff;
mod validation;

use std::collections::BTreeMap;

use confide_ckks::bootstrap::BootstrapParameters;
use confide_ckks::{Ciphertext, KeyKind, Parameters, SeededCiphertext, SeededSwitchingKey};
use confide_tensor::{
    CostModel, Evaluator, KeySwitchShape, PlanEvaluator, PlanReport, RefreshLevels, TensorError,
};
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, shape};
use crate::minibatch::{
    Batch, LossKind, MinibatchSchedule, Recipe, TileLayout, Trainer, TrainingState,
};
use crate::plan::{Costs, TableShape, UploadBytes};
use crate::planner::PlanRequest;

pub use crossing::Crossing;
pub use head::{head, predict_block};
pub use kept::{KeptFeatures, NetworkFeatures};
use preset::BootstrapNeeds;
pub use preset::Preset;
pub use tradeoff::{BABY_STEPS, KeyTradeoff};
pub use validation::{MAX_POINTS, Validation, scores as validation_scores};

/// Version of the plan's meaning: parties with different versions do not work together.
pub const VERSION: u32 = 4;
/// Largest runs for which a plan is derived: steps times tiles of all row blocks. The program is run on counters for
/// it, and the sizes of a plan may come from outside.
const MAX_TILE_STEPS: usize = 1 << 22;
/// Largest number of records to predict.
const MAX_PREDICT_ROWS: usize = 1 << 24;

/// The free decisions; everything else follows from them and from the table's sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootstrappedChoice {
    /// Ring, levels and bootstrapping.
    pub preset: Preset,
    /// Baby steps of its matrices, one of [`BABY_STEPS`].
    pub baby: usize,
    /// Most records in a minibatch.
    pub batch: usize,
    /// Slots of a row.
    pub columns: usize,
    /// Hidden units; 0 for a linear head.
    pub hidden: usize,
    /// What the optimiser does.
    pub recipe: Recipe,
    /// Records whose scores are sent back while the training goes on; none without validation.
    pub validation: usize,
    /// The network whose features the compute party made itself; none where the data party encrypts features.
    pub network: Option<NetworkFeatures>,
}

impl BootstrappedChoice {
    /// The layout of a table.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for sizes that do not fit.
    pub fn layout(&self, table: &TableShape) -> Result<TileLayout, TrainError> {
        let sizes = [table.rows, table.features, table.classes];
        let log_n = self.preset.log_n();
        let layout = TileLayout::with_hidden(log_n, sizes, self.batch, self.columns, self.hidden)?;
        if let Some(network) = &self.network {
            kept::check(&layout, network, self.validation)?;
        }
        Ok(layout)
    }
}

/// A key of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedKey {
    /// What it switches.
    pub kind: KeyKind,
    /// Highest level at which it is used.
    pub level: usize,
    /// Whether predictions need it too.
    pub prediction: bool,
}

/// A plan of training with bootstraps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootstrappedPlan {
    /// [`VERSION`] of the program that derived it.
    pub version: u32,
    /// Sizes of the table.
    pub shape: TableShape,
    /// The free decisions.
    pub choice: BootstrappedChoice,
    /// Where everything lies in the slots.
    pub layout: TileLayout,
    /// What the optimiser does in each step.
    pub schedule: MinibatchSchedule,
    /// Level at which features and labels are encrypted.
    pub data_level: usize,
    /// All keys, by kind.
    pub keys: Vec<PlannedKey>,
    /// Bootstraps of the run.
    pub bootstraps: usize,
    /// log2 of the periods of what they refresh, ascending.
    pub log_periods: Vec<u32>,
    /// Level of the trained head, and at which records to predict or to validate are encrypted.
    pub prediction_level: usize,
    /// Exact bytes to upload.
    pub upload: UploadBytes,
    /// Exact bytes of a block of predictions or of validation scores.
    pub download: u64,
    /// Which scores are sent back on the way.
    pub validation: Validation,
    /// Predicted time, memory and operations.
    pub costs: Costs,
    /// Bytes and time with other numbers of baby steps, that of this plan included: what was weighed. A guide that is
    /// not compared; empty for a derived plan.
    pub tradeoffs: Vec<KeyTradeoff>,
}

/// What a run on counters found.
struct Measured {
    training: PlanReport,
    prediction: PlanReport,
    bootstraps: usize,
    /// log2 of the periods of what they refresh.
    periods: Vec<u32>,
}

impl BootstrappedPlan {
    /// The one plan that follows from a choice, by running the program on counters.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for sizes that do not fit, [`TrainError::Ckks`] for parameters that are insecure or
    /// unusable, [`TrainError::Tensor`] if the program does not fit the levels.
    pub fn derive(
        table: &TableShape,
        choice: &BootstrappedChoice,
        threads: usize,
    ) -> Result<Self, TrainError> {
        Self::derive_on(table, choice, threads, &CostModel::default())
    }

    /// As [`BootstrappedPlan::derive`], with the times of another machine than the measured one.
    ///
    /// # Errors
    /// As [`BootstrappedPlan::derive`].
    pub fn derive_on(
        table: &TableShape,
        choice: &BootstrappedChoice,
        threads: usize,
        model: &CostModel,
    ) -> Result<Self, TrainError> {
        let layout = choice.layout(table)?;
        if table.predict_rows > MAX_PREDICT_ROWS {
            let needed = format!("at most {MAX_PREDICT_ROWS}");
            return Err(shape("records to predict", needed, table.predict_rows));
        }
        let schedule = MinibatchSchedule::new(&layout, &choice.recipe)?;
        let work = schedule
            .steps
            .len()
            .saturating_mul(layout.tiles() * layout.blocks() + layout.leaves());
        if work > MAX_TILE_STEPS {
            let needed = format!("at most {MAX_TILE_STEPS}");
            return Err(shape("steps times tiles", needed, work));
        }
        let validation = Validation::new(&layout, &schedule, choice.validation)?;
        let set = choice.preset.parameters(tradeoff::checked(choice.baby)?)?;
        if let Some(network) = &choice.network {
            // There is a way from the one parameter set to the other.
            KeptFeatures::new(choice.preset, choice.baby, network)?;
        }
        let kept = choice.network.is_some();
        let measured = measure(&layout, &schedule, &validation, (&set, kept))?;
        let program = (layout, schedule, validation);
        Self::assemble(table, choice, program, &set, &measured, (threads, model))
    }

    fn assemble(
        table: &TableShape,
        choice: &BootstrappedChoice,
        (layout, schedule, validation): (TileLayout, MinibatchSchedule, Validation),
        set: &BootstrapParameters,
        measured: &Measured,
        (threads, model): (usize, &CostModel),
    ) -> Result<Self, TrainError> {
        let params = set.params();
        let levels = RefreshLevels::of(set, layout.log_period());
        let (data_level, prediction_level) = (levels.output, layout.prediction_level(levels.input));
        let needs = BootstrapNeeds::of(set, &measured.periods)?;
        let keys = keys(measured, &needs);
        let mut key_bytes = 0;
        for key in &keys {
            key_bytes += SeededSwitchingKey::encoded_len_of(params, key.kind, key.level)? as u64;
        }
        let data_len = SeededCiphertext::encoded_len(params, data_level) as u64;
        let record_len = SeededCiphertext::encoded_len(params, prediction_level) as u64;
        let blocks = (layout.batches() * layout.blocks()) as u64;
        let record_blocks = table.predict_rows.div_ceil(layout.block_rows()).max(1);
        // What the compute party made itself is not sent.
        let sent = u64::from(choice.network.is_none());
        let upload = UploadBytes {
            keys: key_bytes,
            features: sent * data_len * blocks * layout.tiles() as u64,
            labels: data_len * blocks,
            prediction: sent * record_len * (record_blocks * layout.tiles()) as u64,
            validation: record_len * validation.vectors(&layout) as u64,
        };
        let found = (measured, &needs);
        let costs = costs::predict(choice, &layout, (set, &keys), found, threads, model)?;
        Ok(Self {
            version: VERSION,
            shape: *table,
            choice: choice.clone(),
            layout,
            schedule,
            data_level,
            prediction_level,
            keys,
            bootstraps: measured.bootstraps,
            log_periods: measured.periods.clone(),
            upload,
            download: Ciphertext::encoded_len(params, 0, 2) as u64,
            validation,
            costs,
            tradeoffs: Vec::new(),
        })
    }

    /// The checked parameters of scheme and bootstrapping; security is checked here again.
    ///
    /// # Errors
    /// [`TrainError::Ckks`].
    pub fn bootstrapping(&self) -> Result<BootstrapParameters, TrainError> {
        self.choice.preset.parameters(self.choice.baby)
    }

    /// The checked scheme parameters.
    ///
    /// # Errors
    /// [`TrainError::Ckks`].
    pub fn parameters(&self) -> Result<Parameters, TrainError> {
        Ok(self.bootstrapping()?.params().clone())
    }

    /// All switching keys with their levels: the order of the upload.
    pub fn switching_keys(&self) -> Vec<(KeyKind, usize)> {
        self.keys.iter().map(|key| (key.kind, key.level)).collect()
    }

    /// `model` with the time of this plan's bootstraps.
    ///
    /// # Errors
    /// [`TrainError::Ckks`].
    pub fn cost_model(&self, model: &CostModel) -> Result<CostModel, TrainError> {
        let set = self.bootstrapping()?;
        let shape = costs::key_switch_shape(&set);
        preset::with_refreshes(model, &set, &self.step_periods(), &shape)
    }

    /// What the compute party's own features become; none where the data party encrypts features.
    ///
    /// # Errors
    /// [`TrainError::Features`] and those of [`Crossing::new`].
    pub fn kept_features(&self) -> Result<Option<KeptFeatures>, TrainError> {
        let choice = &self.choice;
        let kept = |network| KeptFeatures::new(choice.preset, choice.baby, network);
        choice.network.as_ref().map(kept).transpose()
    }

    /// log2 of the periods that steps refresh: those of features come before.
    fn step_periods(&self) -> Vec<u32> {
        kept::step_periods(
            &self.log_periods,
            &self.layout,
            self.choice.network.is_some(),
        )
    }

    /// What key switching costs under this plan.
    ///
    /// # Errors
    /// [`TrainError::Ckks`].
    pub fn key_switch_shape(&self) -> Result<KeySwitchShape, TrainError> {
        Ok(costs::key_switch_shape(&self.bootstrapping()?))
    }

    /// Derives the plan again from its choice and the data party's own request, and refuses any deviation. Predicted
    /// times are guides and not compared.
    ///
    /// # Errors
    /// [`TrainError::Deviation`] with the first field that differs, [`TrainError::NoPlan`] if the plan breaks a limit
    /// of the request, and the errors of [`BootstrappedPlan::derive`].
    pub fn check(&self, request: &PlanRequest, wish: &BootstrapWish) -> Result<(), TrainError> {
        use crate::plan::compare;
        compare("version", &VERSION, &self.version)?;
        compare("shape", &request.shape(), &self.shape)?;
        compare("epochs", &wish.epochs, &self.choice.recipe.epochs)?;
        compare(
            "batch",
            &wish.batch.min(self.shape.rows),
            &self.choice.batch,
        )?;
        compare("validation", &wish.validation, &self.choice.validation)?;
        compare("hidden units", &wish.hidden, &self.choice.hidden)?;
        compare("network", &wish.network, &self.choice.network)?;
        compare("recipe", &wish.recipe(), &self.choice.recipe)?;
        let told = self.tradeoffs.len().min(BABY_STEPS.len());
        compare("number of tradeoffs", &told, &self.tradeoffs.len())?;
        self.check_derivation()?;
        request.limits_of(&self.upload, &self.costs)
    }

    /// Derives the plan again from its choice, and refuses any deviation.
    ///
    /// # Errors
    /// As [`BootstrappedPlan::check`], limits aside.
    pub fn check_derivation(&self) -> Result<(), TrainError> {
        use crate::plan::compare;
        let own = Self::derive(&self.shape, &self.choice, self.costs.threads)?;
        compare("layout", &own.layout, &self.layout)?;
        compare("data level", &own.data_level, &self.data_level)?;
        compare(
            "prediction level",
            &own.prediction_level,
            &self.prediction_level,
        )?;
        compare("keys", &own.keys, &self.keys)?;
        compare("bootstraps", &own.bootstraps, &self.bootstraps)?;
        compare("periods", &own.log_periods, &self.log_periods)?;
        compare("upload", &own.upload, &self.upload)?;
        compare("download", &own.download, &self.download)?;
        compare("validation", &own.validation, &self.validation)?;
        let memory = |plan: &Self| plan.costs.memory_bytes;
        compare("predicted memory", &memory(&own), &memory(self))?;
        own.schedule.compare(&self.schedule)
    }
}

/// What a data party asks for beyond the sizes of its table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapWish {
    /// How often every record is used.
    pub epochs: usize,
    /// Most records in a minibatch.
    pub batch: usize,
    /// Records whose encrypted scores are sent back while the training goes on; 0 for none.
    pub validation: usize,
    /// Which loss is minimised; a softmax needs three classes or more.
    pub loss: LossKind,
    /// Penalty on the squared weights, 0 to 1; that of [`Recipe::with_hidden`] or [`Recipe::for_features`] when absent.
    pub l2: Option<f64>,
    /// Hidden units, squared; 0 for a linear head.
    pub hidden: usize,
    /// The network whose features the compute party made itself; none where the data party encrypts features. All records then
    /// make one minibatch.
    pub network: Option<NetworkFeatures>,
}

impl BootstrapWish {
    /// Records in a minibatch unless the user says otherwise.
    pub const BATCH: usize = 1024;

    /// A linear head, one-vs-rest, in minibatches of [`BootstrapWish::BATCH`].
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            batch: Self::BATCH,
            loss: LossKind::OneVsRest,
            validation: 0,
            l2: None,
            hidden: 0,
            network: None,
        }
    }

    /// As [`BootstrapWish::new`], on features of a network, all records a minibatch.
    pub fn on_features(epochs: usize, network: NetworkFeatures) -> Self {
        Self {
            batch: usize::MAX,
            network: Some(network),
            ..Self::new(epochs)
        }
    }

    /// What the optimiser does.
    pub fn recipe(&self) -> Recipe {
        let recipe = match self.network {
            None => Recipe::with_hidden(self.epochs, self.hidden),
            Some(_) => Recipe::for_features(self.epochs),
        };
        let l2 = self.l2.unwrap_or(recipe.l2);
        Recipe {
            loss: self.loss,
            l2,
            // Each step takes rate x l2 of the weights away: more than half would swing.
            rate: recipe.rate.min(0.5 / l2),
            ..recipe
        }
    }
}

/// Runs training, validation and prediction on counters.
fn measure(
    layout: &TileLayout,
    schedule: &MinibatchSchedule,
    validation: &Validation,
    (set, kept): (&BootstrapParameters, bool),
) -> Result<Measured, TrainError> {
    let levels = RefreshLevels::of(set, layout.log_period());
    let ev = PlanEvaluator::new(layout.log_n, levels.output).with_refresh(levels);
    let fresh = |count: usize, level: usize| -> Result<Vec<_>, TensorError> {
        (0..count).map(|_| ev.fresh(level)).collect()
    };
    let tiles = (0..layout.blocks()).map(|_| {
        if !kept {
            return fresh(layout.tiles(), levels.output);
        }
        ev.phase(kept::PHASE);
        let all = ev.slots().ilog2();
        let crossed = fresh(layout.tiles(), levels.input)?;
        crossed.iter().map(|tile| ev.refresh(tile, all)).collect()
    });
    let batch = std::sync::Arc::new(Batch {
        tiles: tiles.collect::<Result<_, _>>()?,
        labels: fresh(layout.blocks(), levels.output)?,
    });
    let records = validation.blocks(layout);
    let records: Vec<_> = (0..records)
        .map(|_| fresh(layout.tiles(), layout.prediction_level(levels.input)))
        .collect::<Result<_, _>>()?;
    let trainer = Trainer::new(&ev, layout, schedule);
    let end = trainer.run(
        TrainingState::start(),
        &mut |_| Ok(batch.clone()),
        &mut |action, state| {
            if validation.is_due(action, state.step) {
                validation::scores(&ev, &trainer, state, &records)?;
            }
            Ok(())
        },
    )?;
    drop((batch, records));
    let level = ev.level(&head(&ev, &trainer, &end)?);
    drop(end);
    let training = ev.report();

    let ev = PlanEvaluator::new(layout.log_n, level);
    let tiles = (0..layout.tiles())
        .map(|_| ev.fresh(level))
        .collect::<Result<_, _>>()?;
    drop(predict_block(
        &ev,
        layout,
        schedule,
        ev.fresh(level)?,
        tiles,
    )?);
    let bootstraps = training.count(confide_tensor::Op::Refresh) as usize;
    let periods: Vec<u32> = training.refreshed.iter().copied().collect();
    Ok(Measured {
        bootstraps,
        periods,
        training,
        prediction: ev.report(),
    })
}

/// Every key once, at the highest level at which it is used.
fn keys(measured: &Measured, needs: &BootstrapNeeds) -> Vec<PlannedKey> {
    let program = |report: &PlanReport| {
        let relin = report.relin.map(|level| (KeyKind::Relin, level));
        let galois = report.galois.iter();
        let galois = galois.map(|(&element, &level)| (KeyKind::Galois(element), level));
        relin.into_iter().chain(galois).collect::<Vec<_>>()
    };
    let prediction = program(&measured.prediction);
    let mut needed = program(&measured.training);
    needed.extend(&prediction);
    needed.extend(&needs.keys);
    let mut levels = BTreeMap::new();
    for (kind, level) in needed {
        let highest = levels.entry(kind).or_insert(level);
        *highest = level.max(*highest);
    }
    let planned = levels.into_iter().map(|(kind, level)| PlannedKey {
        kind,
        level,
        prediction: prediction.iter().any(|(other, _)| *other == kind),
    });
    planned.collect()
}
