//! Features that the compute party made itself, under other parameters, become what training reads.
//!
//! A network ends with few levels of its own parameter set. Tiles of its features are switched to the modulus of the bootstrapping
//! set, without any key, and refreshed there like every other ciphertext. What bootstrapping reads decides how many levels the
//! network must leave: modulus over scale does not change in the switch (`docs/maths/modulus-switch.md`).

use confide_ckks::bootstrap::BootstrapParameters;
use confide_ckks::evaluator::Evaluator as Scheme;
use confide_ckks::modulus_switch::ModulusSwitch;
use confide_ckks::{Ciphertext, Parameters};
use confide_tensor::TensorError;

use crate::error::{TrainError, shape};

/// Least scale of a message of size 1 at the switch, its factor included, as log2: at N = 2^16 the roundings of the network's last
/// rotations then leave features 10 bits.
const LEAST_LOG_SCALE: f64 = 26.5;

/// From the parameters of a network to those of bootstrapping.
pub struct Crossing {
    switch: ModulusSwitch,
    scheme: Scheme,
    level: usize,
    factor: f64,
}

impl Crossing {
    /// From `from` at the lowest level that suffices. Both sets have one secret
    /// (`KeyGenerator::under_secret_of` with the set of bootstrapping as `other`).
    ///
    /// # Errors
    /// [`TrainError::Shape`] if `from` has not enough levels; those of [`ModulusSwitch::new`].
    pub fn new(from: &Parameters, to: &BootstrapParameters) -> Result<Self, TrainError> {
        let (params, input) = (to.params(), to.input_level());
        let log_factor = |level: usize| {
            let room = |set: &Parameters, level| set.log_q_at(level) - set.scale_at(level).log2();
            room(from, level) - room(params, input)
        };
        let log_scale = |level: usize| log_factor(level) + from.scale_at(level).log2();
        let level = (0..=from.max_level()).find(|&level| log_scale(level) >= LEAST_LOG_SCALE);
        let level = level.ok_or_else(|| {
            let most = log_scale(from.max_level());
            let needed = format!("at least 2^{LEAST_LOG_SCALE}");
            shape(
                "scale of encrypted features",
                needed,
                format!("2^{most:.1}"),
            )
        })?;
        let switch = ModulusSwitch::new((from, level), (params, input))?;
        let factor = params.scale_at(input) / (from.scale_at(level) * switch.ratio());
        Ok(Self {
            switch,
            scheme: Scheme::new(params),
            level,
            factor,
        })
    }

    /// Level of `from` at which tiles are handed over: so many levels a network leaves at its end.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Tiles are encrypted times this, beside all factors of training.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// A tile at [`Crossing::level`] with the canonical scale there, as a ciphertext that can be refreshed: at the input level of
    /// bootstrapping, with its canonical scale.
    ///
    /// # Errors
    /// Those of [`ModulusSwitch::switch`].
    pub fn cross(&self, tile: &Ciphertext) -> Result<Ciphertext, TensorError> {
        let switched = self.switch.switch(tile)?;
        Ok(self.scheme.mul_by_scale(switched, self.factor.recip())?)
    }
}

impl std::fmt::Debug for Crossing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crossing")
            .field("switch", &self.switch)
            .field("factor", &self.factor)
            .finish_non_exhaustive()
    }
}
