//! What worker and data party agree on before images are sent: a request, and the plan that answers it.
//!
//! A plan follows from the card, the request and a compact [`Choice`]; the data party derives it again and refuses any
//! deviation. Weights are not needed for it: levels, keys and bytes depend on the shape of a network alone, so a plan is
//! derived with weights made up from the architecture, and whoever holds the real ones checks that the plan covers them
//! ([`InferencePlan::covers`]).

mod bounds;
mod costs;
mod display;
mod gathering;
mod planner;
mod request;

use confide_ckks::bootstrap::BootstrapParameters;
use confide_ckks::{
    Ciphertext, KeyKind, Parameters, ParametersLiteral, SeededCiphertext, SeededSwitchingKey,
};
use confide_tensor::CostModel;
use serde::{Deserialize, Serialize};

pub use costs::{InferenceCosts, PhaseSeconds, operations, stage};
pub use gathering::{FeatureEnd, Gathering, feature_shape};
pub use planner::plan;
pub use request::{InferenceRequest, Task};

use crate::card::{Card, Model};
use bounds::{MAX_INPUTS, at_most, bounded, compare, deviation};

use crate::error::{ModelError, layout};
use crate::features;
use crate::network::Network;
use crate::plan::{Plan, chain};
use crate::program::Program;
use crate::refresh::{self, BootstrapNeeds};
use crate::samples;
use crate::weights::Weights;

/// Version of the plan's meaning: parties with different versions do not work together.
pub const VERSION: u32 = 5;

/// The free decisions of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Special primes.
    pub special: u32,
    /// Images in a ciphertext at the input.
    pub batch: usize,
    /// Images of a job; the last one may have fewer.
    pub images: usize,
    /// Whether channels take the places between pixels that no images take.
    pub fold: bool,
    /// Level of the images if ciphertexts are bootstrapped on the way, as networks of any depth can be.
    pub entry: Option<usize>,
    /// Rotated ciphertexts that a layer may hold at once, in bytes.
    pub working_bytes: u64,
}

/// A key of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpec {
    /// Which one.
    pub kind: KeyKind,
    /// Highest level at which it is used.
    pub level: usize,
}

/// Exact bytes of the objects of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobBytes {
    /// Keys, sent once for all jobs.
    pub keys: u64,
    /// Images of one job.
    pub images: u64,
    /// Results of one job.
    pub results: u64,
}

impl JobBytes {
    /// Bytes in the worker's store while a job runs.
    pub fn stored(&self) -> u64 {
        self.keys + self.images + self.results
    }
}

/// A plan for images under one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferencePlan {
    /// [`VERSION`] of the program that derived it.
    pub version: u32,
    /// What is computed.
    pub task: Task,
    /// The free decisions.
    pub choice: Choice,
    /// Scheme parameters.
    pub params: ParametersLiteral,
    /// The keys, relinearisation last.
    pub keys: Vec<KeySpec>,
    /// Ciphertexts of a job's images: by run, channel and phase.
    pub inputs: usize,
    /// Ciphertexts of a job's results: by channel.
    pub outputs: usize,
    /// Their level.
    pub output_level: usize,
    /// Exact bytes.
    pub bytes: JobBytes,
    /// Predicted time, memory and operations.
    pub costs: InferenceCosts,
}

impl InferencePlan {
    /// The one plan that follows from card, task and choice, by running the program on counters, with the times of
    /// `model`'s machine.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for sizes that do not fit, [`ModelError::Layer`] for a network that cannot be evaluated.
    pub fn derive(
        card: &Card,
        task: &Task,
        choice: Choice,
        threads: usize,
        model: &CostModel,
    ) -> Result<Self, ModelError> {
        bounded(&card.architecture, task, &choice)?;
        let network = task.network(&card.architecture)?;
        let weights = samples::weights(&network, 1)?;
        let program = program(card, task, &choice, (&network, &weights))?;
        let (channels, phases) = program.input_shape();
        let inputs = program.runs() * channels * phases;
        at_most("ciphertexts of a job's images", inputs, MAX_INPUTS)?;
        let counted = count(
            card,
            task,
            &program,
            task.chain(&network, &choice)?,
            &choice,
        )?;
        let params = parameters(task, &choice, &counted.literal)?;
        let keys: Vec<KeySpec> = counted
            .keys()
            .into_iter()
            .map(|(kind, level)| KeySpec { kind, level })
            .collect();
        let mut bytes = JobBytes {
            keys: 0,
            images: inputs as u64
                * SeededCiphertext::encoded_len(&params, counted.literal.log_q.len() - 1) as u64,
            results: counted.outputs as u64
                * Ciphertext::encoded_len(&params, counted.output_level, 2) as u64,
        };
        for key in &keys {
            bytes.keys += SeededSwitchingKey::encoded_len_of(&params, key.kind, key.level)? as u64;
        }
        let jobs = task.images.div_ceil(choice.images);
        let costs = InferenceCosts::new(&counted, inputs, jobs, threads, model);
        Ok(Self {
            version: VERSION,
            task: task.clone(),
            choice,
            keys,
            inputs,
            outputs: counted.outputs,
            output_level: counted.output_level,
            bytes,
            costs,
            params: counted.literal,
        })
    }

    /// Derives the plan again from its choice, the card and the data party's own request, and refuses any deviation.
    /// Predicted times are guides and not compared.
    ///
    /// # Errors
    /// [`ModelError::Deviation`] with the first field that differs, [`ModelError::NoPlan`] if the plan breaks a limit of
    /// the request, and those of [`InferencePlan::derive`].
    pub fn check(&self, card: &Card, request: &InferenceRequest) -> Result<(), ModelError> {
        compare("version", &VERSION, &self.version)?;
        compare("task", &request.task(), &self.task)?;
        compare("model", &card.id, &self.task.card)?;
        let threads = self.costs.threads.clamp(1, 1 << 10);
        let own = Self::derive(
            card,
            &self.task,
            self.choice,
            threads,
            &CostModel::default(),
        )?;
        compare("parameters", &own.params, &self.params)?;
        compare("keys", &own.keys, &self.keys)?;
        let shape = |plan: &Self| [plan.inputs, plan.outputs, plan.output_level];
        compare("ciphertexts", &shape(&own), &shape(self))?;
        compare("bytes", &own.bytes, &self.bytes)?;
        let memory = |plan: &Self| (plan.costs.threads, plan.costs.memory_bytes);
        compare("predicted memory", &memory(&own), &memory(self))?;
        request.limits(self)
    }

    /// The checked scheme parameters; security is checked here again.
    ///
    /// # Errors
    /// [`ModelError::Evaluation`].
    pub fn parameters(&self) -> Result<Parameters, ModelError> {
        parameters(&self.task, &self.choice, &self.params)
    }

    /// The set of its bootstraps, if it has some.
    ///
    /// # Errors
    /// As [`InferencePlan::parameters`].
    pub fn bootstraps(&self) -> Result<Option<BootstrapParameters>, ModelError> {
        let set = |entry| bootstrapping(self.choice.log_n, entry);
        self.choice.entry.map(set).transpose()
    }

    /// Level at which images are encrypted.
    pub fn image_level(&self) -> usize {
        self.params.log_q.len().saturating_sub(1)
    }

    /// All switching keys with their levels.
    pub fn switching_keys(&self) -> Vec<(KeyKind, usize)> {
        self.keys.iter().map(|key| (key.kind, key.level)).collect()
    }

    /// Jobs in all.
    pub fn jobs(&self) -> usize {
        self.task.images.div_ceil(self.choice.images)
    }

    /// A program of this plan without the model's weights: it says where pixels and results lie.
    ///
    /// # Errors
    /// As [`InferencePlan::derive`].
    pub fn geometry(&self, card: &Card) -> Result<Program, ModelError> {
        bounded(&card.architecture, &self.task, &self.choice)?;
        let network = self.task.network(&card.architecture)?;
        let weights = samples::weights(&network, 1)?;
        program(card, &self.task, &self.choice, (&network, &weights))
    }

    /// The program of this plan.
    ///
    /// # Errors
    /// As [`InferencePlan::derive`].
    pub fn program(&self, model: &Model) -> Result<Program, ModelError> {
        let whole = &model.card.architecture;
        bounded(whole, &self.task, &self.choice)?;
        let cut;
        let part = match &self.task.until {
            None => (whole, &model.weights),
            Some(layer) => {
                cut = whole.until(layer, &model.weights)?;
                (&cut.0, &cut.1)
            }
        };
        program(&model.card, &self.task, &self.choice, part)
    }

    /// What follows the program of a plan that gathers features; nothing for others.
    ///
    /// # Errors
    /// As [`FeatureEnd::new`].
    pub fn end(&self, card: &Card, program: &Program) -> Result<Option<FeatureEnd>, ModelError> {
        let gathering = self.task.gathering.as_ref();
        let end = |gathering| FeatureEnd::new(card, gathering, program);
        gathering.map(end).transpose()
    }

    /// Counts the program with the model's weights, and refuses weights for which the plan has not all keys and levels:
    /// such a model can be evaluated, but not under a plan that keeps its weights out of sight.
    ///
    /// # Errors
    /// [`ModelError::Deviation`], and those of [`Plan::new`].
    pub fn covers(&self, card: &Card, program: &Program) -> Result<Plan, ModelError> {
        let network = self.task.network(&card.architecture)?;
        let (chain, needs) = self.task.chain(&network, &self.choice)?;
        compare("parameters", &chain, &self.params)?;
        let real = count(card, &self.task, program, (chain, needs), &self.choice)?;
        for (kind, level) in real.keys() {
            let planned = self.keys.iter().find(|key| key.kind == kind);
            if planned.is_none_or(|key| key.level < level) {
                let planned = planned.map_or("none".to_owned(), |key| key.level.to_string());
                return Err(deviation(
                    "level of a key",
                    format!("{kind} {level}"),
                    planned,
                ));
            }
        }
        compare(
            "results",
            &(real.outputs, real.output_level),
            &(self.outputs, self.output_level),
        )?;
        Ok(real)
    }
}

/// The program of a choice for a network with some weights of its shape.
fn program(
    card: &Card,
    task: &Task,
    choice: &Choice,
    (network, weights): (&Network, &Weights),
) -> Result<Program, ModelError> {
    let slots = 1_usize << (choice.log_n - 1);
    let packing = (slots, choice.batch, choice.images);
    let refreshes = task.refreshes(card, network, choice)?;
    Program::with_refreshes(network, weights, packing, choice.fold, &refreshes)
}

/// Counts a program, and what follows it.
fn count(
    card: &Card,
    task: &Task,
    program: &Program,
    chain: (ParametersLiteral, Option<BootstrapNeeds>),
    choice: &Choice,
) -> Result<Plan, ModelError> {
    let working = choice.working_bytes;
    let Some(gathering) = &task.gathering else {
        return Plan::with_end(program, chain, working, |_, output| Ok(output));
    };
    let end = FeatureEnd::new(card, gathering, program)?;
    Plan::with_end(program, chain, working, |ev, pooled| end.pack(ev, pooled))
}

/// The set of bootstraps for images at a level, which may be one where only bootstraps work later.
fn bootstrapping(log_n: u32, entry: usize) -> Result<BootstrapParameters, ModelError> {
    let set = refresh::parameters(log_n)?;
    let levels = set.output_level()..=set.params().max_level();
    if levels.contains(&entry) {
        return Ok(set);
    }
    Err(layout("level of the images", format!("{levels:?}"), entry))
}

/// The checked parameters of a chain.
fn parameters(
    task: &Task,
    choice: &Choice,
    literal: &ParametersLiteral,
) -> Result<Parameters, ModelError> {
    let params = match (choice.entry, &task.gathering) {
        (Some(entry), _) => bootstrapping(choice.log_n, entry)?.params().clone(),
        (None, None) => return Ok(Parameters::new(literal.clone())?),
        (None, Some(gathering)) => {
            // All primes but the lowest one and those by which nothing is rescaled.
            let primes = literal.log_q.len();
            gathering.parameters(primes.saturating_sub(features::HANDOVER_LEVEL + 1))?
        }
    };
    let entry = choice.entry.unwrap_or(params.program_level());
    compare("primes", &chain(&params, entry), literal)?;
    Ok(params)
}
