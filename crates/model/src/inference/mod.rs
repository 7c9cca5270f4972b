//! What worker and data party agree on before images are sent: a request, and the plan that answers it.
//!
//! A plan follows from the card, the request and a compact [`Choice`]; the data party derives it again and refuses any
//! deviation. Weights are not needed for it: levels, keys and bytes depend on the shape of a network alone, so a plan is
//! derived with weights made up from the architecture, and whoever holds the real ones checks that the plan covers them
//! ([`InferencePlan::covers`]).

mod costs;
mod display;
mod gathering;
mod planner;

use confide_ckks::bootstrap::BootstrapParameters;
use confide_ckks::{
    Ciphertext, KeyKind, Parameters, ParametersLiteral, SeededCiphertext, SeededSwitchingKey,
};
use confide_tensor::CostModel;
use serde::{Deserialize, Serialize};

pub use costs::{InferenceCosts, PhaseSeconds, operations, stage};
pub use gathering::{FeatureEnd, Gathering, feature_shape};
pub use planner::plan;

use crate::card::{Card, Model};
use crate::error::{ModelError, layout};
use crate::features;
use crate::network::Network;
use crate::plan::{Plan, chain, literal_with};
use crate::program::Program;
use crate::refresh::{self, BootstrapNeeds, Refreshes};
use crate::samples;
use crate::weights::Weights;

/// Version of the plan's meaning: parties with different versions do not work together.
pub const VERSION: u32 = 5;

/// Most images of a request, ciphertexts of a job's images, and weights of a network that is planned for. Sizes may come
/// from outside, and the program is run on counters for them.
const MAX_IMAGES: usize = 1 << 20;
const MAX_INPUTS: usize = 4096;
const MAX_PARAMETERS: usize = 1 << 24;
/// Most vectors that the layers of a program make.
const MAX_VECTORS: usize = 1 << 22;
/// Most levels left at the output, and bytes of rotated ciphertexts at once.
const MAX_SPARE: usize = 64;
const MAX_WORKING: u64 = 1 << 36;

/// What the data party asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceRequest {
    /// [`Card::id`] of the model.
    pub card: [u8; 32],
    /// Images in all.
    pub images: usize,
    /// The layer at which the network ends, its output to be kept encrypted; the whole network when absent.
    pub until: Option<String>,
    /// Levels to be left at the output.
    pub spare_levels: usize,
    /// How features are to be gathered, if the network ends with those of its card.
    pub gathering: Option<Gathering>,
    /// Images in a ciphertext, if that is to be fixed.
    pub batch: Option<usize>,
    /// Level of the images, if they are to come in where those of an earlier plan with bootstraps do.
    pub entry: Option<usize>,
    /// Largest memory of the worker in bytes.
    pub max_memory_bytes: u64,
    /// Most bytes of keys, images and results of one job in the worker's store.
    pub max_store_bytes: u64,
    /// Threads of the worker.
    pub threads: usize,
}

impl InferenceRequest {
    /// A request for a whole network with limits of 12 GiB of memory and 4 GiB in the store, on two threads.
    pub fn new(card: &Card, images: usize) -> Self {
        Self {
            card: card.id,
            images,
            until: None,
            spare_levels: 0,
            gathering: None,
            batch: None,
            entry: None,
            max_memory_bytes: 12 << 30,
            max_store_bytes: 4 << 30,
            threads: 2,
        }
    }

    /// A request for the features of a card, gathered, with the limits of [`InferenceRequest::new`].
    ///
    /// # Errors
    /// [`ModelError::Card`] if the card has no features.
    pub fn features(card: &Card, images: usize, gathering: Gathering) -> Result<Self, ModelError> {
        Ok(Self {
            until: Some(gathering::of_card(card)?.layer.clone()),
            gathering: Some(gathering),
            ..Self::new(card, images)
        })
    }

    /// The part of the request that a plan follows from.
    pub fn task(&self) -> Task {
        Task {
            card: self.card,
            images: self.images,
            until: self.until.clone(),
            spare_levels: self.spare_levels,
            gathering: self.gathering,
        }
    }

    fn limits(&self, plan: &InferencePlan) -> Result<(), ModelError> {
        for (what, needed, allowed) in [
            ("memory", plan.costs.memory_bytes, self.max_memory_bytes),
            ("store", plan.bytes.stored(), self.max_store_bytes),
        ] {
            if needed > allowed {
                return Err(ModelError::NoPlan {
                    what,
                    needed: costs::gigabytes(needed),
                    available: costs::gigabytes(allowed),
                });
            }
        }
        if self.entry.is_some() {
            compare("level of the images", &self.entry, &plan.choice.entry)?;
        }
        match self.batch {
            Some(batch) if batch != plan.choice.batch => Err(deviation(
                "images in a ciphertext",
                batch,
                plan.choice.batch,
            )),
            _ => Ok(()),
        }
    }
}

/// What is to be computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// [`Card::id`] of the model.
    pub card: [u8; 32],
    /// Images in all.
    pub images: usize,
    /// The layer at which the network ends.
    pub until: Option<String>,
    /// Levels left at the output.
    pub spare_levels: usize,
    /// How features are gathered.
    pub gathering: Option<Gathering>,
}

impl Task {
    /// The part of the network that is computed.
    ///
    /// # Errors
    /// [`ModelError::Layer`] if there is no such layer.
    pub fn network(&self, whole: &Network) -> Result<Network, ModelError> {
        match &self.until {
            None => Ok(whole.clone()),
            Some(name) => Ok(whole.until(name, &Weights::default())?.0),
        }
    }

    /// Levels of the network and of the gathering that may follow.
    fn levels(&self, network: &Network) -> usize {
        network.levels() + self.end_levels()
    }

    /// Levels of the gathering, if one follows.
    fn end_levels(&self) -> usize {
        usize::from(self.gathering.is_some())
    }

    /// The chain of a choice, and what its bootstraps need if it has some.
    fn chain(
        &self,
        network: &Network,
        choice: &Choice,
    ) -> Result<(ParametersLiteral, Option<BootstrapNeeds>), ModelError> {
        let levels = self.levels(network) + self.spare_levels;
        if let Some(gathering) = &self.gathering {
            compare("ring", &gathering.log_n, &choice.log_n)?;
            compare(
                "bootstraps of the network",
                &gathering.bootstrapped,
                &choice.entry.is_some(),
            )?;
        }
        let (chain, needs) = match (choice.entry, &self.gathering) {
            (Some(entry), _) => {
                let set = bootstrapping(choice.log_n, entry)?;
                let needs = BootstrapNeeds::of_ring(choice.log_n)?;
                (chain(set.params(), entry), Some(needs))
            }
            (None, None) => {
                return Ok((literal_with(choice.log_n, levels, choice.special)?, None));
            }
            (None, Some(gathering)) => {
                let params = gathering.parameters(levels)?;
                (chain(&params, params.program_level()), None)
            }
        };
        compare(
            "special primes",
            &chain.log_p.len(),
            &(choice.special as usize),
        )?;
        Ok((chain, needs))
    }

    /// Where the network is refreshed under a choice.
    fn refreshes(
        &self,
        card: &Card,
        network: &Network,
        choice: &Choice,
    ) -> Result<Refreshes, ModelError> {
        let Some(entry) = choice.entry else {
            return Ok(Refreshes::none());
        };
        let levels = BootstrapNeeds::of_ring(choice.log_n)?.levels;
        let ends = (entry, self.spare_levels + self.end_levels());
        Refreshes::place(network, &card.ranges.bound, levels, ends)
    }
}

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

/// Bounds the work of deriving a plan.
fn bounded(network: &Network, task: &Task, choice: &Choice) -> Result<(), ModelError> {
    if let Some(gathering) = &task.gathering {
        gathering.check()?;
        compare("ring", &gathering.log_n, &choice.log_n)?;
        at_most("images of a job", choice.images, gathering.rows())?;
    }
    if choice.entry.is_some() {
        refresh::ring(choice.log_n)?;
    } else if task.gathering.is_none() && !planner::RINGS.contains(&choice.log_n) {
        let needed = format!("{:?}", planner::RINGS);
        return Err(layout("log2 of the ring degree", needed, choice.log_n));
    }
    at_most("images", task.images, MAX_IMAGES)?;
    at_most("images of a job", choice.images, task.images)?;
    at_most("levels left", task.spare_levels, MAX_SPARE)?;
    at_most("working bytes", choice.working_bytes, MAX_WORKING)?;
    if choice.images == 0 || choice.batch == 0 {
        return Err(layout(
            "images of a job and of a ciphertext",
            "at least 1",
            0,
        ));
    }
    let weights = network.tensor_shapes().into_values();
    let parameters = weights.fold(0_usize, |sum, shape| {
        sum.saturating_add(shape.iter().product())
    });
    at_most("weights", parameters, MAX_PARAMETERS)?;
    // Maps only get smaller, so that no layer has more ciphertexts a channel than the input.
    let cells = (1_usize << (choice.log_n - 1)) / choice.batch;
    let pixels = network.input[1] * network.input[2];
    let runs = choice.images.div_ceil(choice.batch);
    let channels: usize = network.shapes()?.values().map(|shape| shape[0]).sum();
    let vectors = channels
        .saturating_mul(pixels.div_ceil(cells.max(1)))
        .saturating_mul(runs);
    at_most("ciphertexts of all layers", vectors, MAX_VECTORS)
}

fn at_most<Size: PartialOrd + std::fmt::Display>(
    what: &'static str,
    have: Size,
    limit: Size,
) -> Result<(), ModelError> {
    if have > limit {
        return Err(layout(what, format!("at most {limit}"), have));
    }
    Ok(())
}

fn deviation(field: &'static str, needed: impl ToString, available: impl ToString) -> ModelError {
    ModelError::Deviation {
        field,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}

fn compare<T: PartialEq + std::fmt::Debug>(
    field: &'static str,
    own: &T,
    found: &T,
) -> Result<(), ModelError> {
    if own == found {
        return Ok(());
    }
    Err(deviation(field, format!("{own:?}"), format!("{found:?}")))
}
