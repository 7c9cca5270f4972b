//! What is asked for, and the limits that a plan must keep to.

use confide_ckks::ParametersLiteral;
use serde::{Deserialize, Serialize};

use super::bounds::{compare, deviation};
use super::{Choice, Gathering, InferencePlan, bootstrapping, costs, gathering};
use crate::card::Card;
use crate::error::ModelError;
use crate::network::Network;
use crate::plan::{chain, literal_with};
use crate::refresh::{BootstrapNeeds, Refreshes};
use crate::weights::Weights;

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

    pub(super) fn limits(&self, plan: &InferencePlan) -> Result<(), ModelError> {
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
    pub(super) fn levels(&self, network: &Network) -> usize {
        network.levels() + self.end_levels()
    }

    /// Levels of the gathering, if one follows.
    pub(super) fn end_levels(&self) -> usize {
        usize::from(self.gathering.is_some())
    }

    /// The chain of a choice, and what its bootstraps need if it has some.
    pub(super) fn chain(
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
    pub(super) fn refreshes(
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
