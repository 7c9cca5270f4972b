//! Features that the compute party made and kept: what they are when training and predictions read them.

use confide_ckks::{Ciphertext, Parameters};
use confide_tensor::{Evaluator, TensorError};
use serde::{Deserialize, Serialize};

use super::{Crossing, Preset};
use crate::error::{TrainError, shape};
use crate::minibatch::TileLayout;

/// The phase in which features are refreshed, before the first step.
pub(super) const PHASE: &str = "refresh features";

/// Most levels of a network, the gathering included.
const MAX_LEVELS: usize = 64;

/// Most levels of a network, the gathering included, for which all of them at once are quicker than bootstraps: one more leaves the
/// parameters of [`confide_model::features::parameters`] four special primes, and keys of ten digits.
const MOST_AT_ONCE: usize = 35;

/// What a training has to know of a network that makes its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFeatures {
    /// Levels, the gathering included.
    pub levels: usize,
    /// Slots that the last maps of an image take in each of their ciphertexts: a row of features takes no fewer, so that the images of
    /// one evaluation fill one ciphertext of rows.
    pub cells: usize,
    /// Whether the network works under the parameters of training and is bootstrapped on the way.
    pub bootstrapped: bool,
}

impl NetworkFeatures {
    /// Of a network that is bootstrapped if it is deeper than [`MOST_AT_ONCE`].
    pub fn new(levels: usize, cells: usize) -> Self {
        Self {
            levels,
            cells,
            bootstrapped: levels > MOST_AT_ONCE,
        }
    }
}

/// The way of kept features into a training: from the parameters of their network to those of bootstrapping, where they differ.
#[derive(Debug)]
pub struct KeptFeatures {
    params: Parameters,
    level: usize,
    crossing: Option<Crossing>,
}

impl KeptFeatures {
    /// From a network to a preset with so many baby steps.
    ///
    /// # Errors
    /// [`TrainError::Features`] for more levels than are secure, and those of [`Crossing::new`].
    pub fn new(preset: Preset, baby: usize, network: &NetworkFeatures) -> Result<Self, TrainError> {
        let set = preset.parameters(baby)?;
        if network.bootstrapped {
            return Ok(Self {
                params: set.params().clone(),
                level: set.input_level(),
                crossing: None,
            });
        }
        let params = preset.features(network.levels)?;
        let crossing = Crossing::new(&params, &set)?;
        Ok(Self {
            params,
            level: crossing.level(),
            crossing: Some(crossing),
        })
    }

    /// Parameters of the features.
    pub fn parameters(&self) -> &Parameters {
        &self.params
    }

    /// Their level.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Features are stored times this, beside the schedule's factor.
    pub fn factor(&self) -> f64 {
        self.crossing.as_ref().map_or(1.0, Crossing::factor)
    }

    /// At the level that bootstrapping reads, under its parameters.
    fn crossed(&self, tile: &Ciphertext) -> Result<Ciphertext, TensorError> {
        match &self.crossing {
            Some(crossing) => crossing.cross(tile),
            None => Ok(tile.clone()),
        }
    }

    /// What steps read: crossed over and refreshed. The evaluator refreshes all slots.
    ///
    /// # Errors
    /// Those of [`Crossing::cross`] and of the refresh.
    pub fn refreshed<E>(&self, ev: &E, tile: &Ciphertext) -> Result<Ciphertext, TensorError>
    where
        E: Evaluator<Ct = Ciphertext>,
    {
        ev.phase(PHASE);
        ev.refresh(&self.crossed(tile)?, ev.slots().ilog2())
    }

    /// What predictions read: crossed over, at the level of a trained head, which is `level`.
    ///
    /// # Errors
    /// Those of [`Crossing::cross`] and of the evaluator.
    pub fn records<E>(
        &self,
        ev: &E,
        level: usize,
        tile: &Ciphertext,
    ) -> Result<Ciphertext, TensorError>
    where
        E: Evaluator<Ct = Ciphertext>,
    {
        ev.at_level(&self.crossed(tile)?, level)
    }
}

/// Refuses layouts whose tiles a network cannot fill.
pub(super) fn check(
    layout: &TileLayout,
    network: &NetworkFeatures,
    validation: usize,
) -> Result<(), TrainError> {
    if !(1..=MAX_LEVELS).contains(&network.levels) {
        let needed = format!("1 to {MAX_LEVELS}");
        return Err(shape("levels of features", needed, network.levels));
    }
    if layout.columns < network.cells {
        let needed = format!("at least {}", network.cells);
        return Err(shape("slots of a row of features", needed, layout.columns));
    }
    for (what, needed, have) in [
        ("hidden units on features of a network", 0, layout.hidden),
        (
            "validation records among features of a network",
            0,
            validation,
        ),
        ("minibatches of features of a network", 1, layout.batches()),
        ("ciphertexts of a row of features", 1, layout.tiles()),
    ] {
        if have != needed {
            return Err(shape(what, needed, have));
        }
    }
    Ok(())
}

/// log2 of the periods that steps refresh.
pub(super) fn step_periods(all: &[u32], layout: &TileLayout, kept: bool) -> Vec<u32> {
    let features = layout.slots().ilog2();
    let of_steps = |period: &&u32| !kept || **period != features || layout.log_period() == features;
    all.iter().filter(of_steps).copied().collect()
}
