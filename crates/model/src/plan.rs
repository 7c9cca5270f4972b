//! What an evaluation needs before it is begun: parameters, keys, counts, time and memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use confide_ckks::bootstrap::BootstrapParameters;
use confide_ckks::{KeyKind, Parameters, ParametersLiteral, security};
use confide_tensor::{CostModel, Evaluator, KeySwitchShape, Op};

use crate::error::{ModelError, layout};
use crate::ops::{CountCt, CountEvaluator, Counts};
use crate::program::{Program, Tensor};
use crate::refresh::BootstrapNeeds;

/// Bits of a rescale and of the scale. Below 2^46, where key switches are fastest; enough for outputs to 1e-3.
const LEVEL_BITS: u32 = 36;
/// Bits of the first prime and of the special ones.
const WIDE_BITS: u32 = 46;
/// Most special primes that are worth a try.
const MAX_SPECIAL: u32 = 10;

/// A plan of a program at one parameter set.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The parameters.
    pub literal: ParametersLiteral,
    /// Operations, keys and live limbs.
    pub counts: Counts,
    /// Shape of key switches.
    pub shape: KeySwitchShape,
    /// Vectors of the output.
    pub outputs: usize,
    /// Their lowest level.
    pub output_level: usize,
    /// What bootstraps need, where there may be some.
    pub bootstraps: Option<BootstrapNeeds>,
}

/// The literal at N = 2^`log_n` with `levels` levels and as many special primes as make a key switch at the top
/// cheapest, within the cap of presets.
///
/// # Errors
/// [`ModelError::Layout`] if no such set is secure.
pub fn literal(
    log_n: u32,
    levels: usize,
    cost: &CostModel,
) -> Result<ParametersLiteral, ModelError> {
    let mut best: Option<(f64, ParametersLiteral)> = None;
    for special in 1..=MAX_SPECIAL {
        let Ok(literal) = literal_with(log_n, levels, special) else {
            break;
        };
        let micros = cost.micros(Op::KeySwitch, levels, &shape(&literal));
        if best.as_ref().is_none_or(|(least, _)| micros < *least) {
            best = Some((micros, literal));
        }
    }
    match best {
        Some((_, literal)) => Ok(literal),
        None => literal_with(log_n, levels, 1),
    }
}

/// The literal at N = 2^`log_n` with `levels` levels and `special` special primes.
///
/// # Errors
/// [`ModelError::Layout`] if that is beyond the cap of presets.
pub(crate) fn literal_with(
    log_n: u32,
    levels: usize,
    special: u32,
) -> Result<ParametersLiteral, ModelError> {
    let cap = security::preset_cap(log_n).unwrap_or(0.0);
    let bits =
        levels as f64 * f64::from(LEVEL_BITS) + f64::from(WIDE_BITS) * (1.0 + f64::from(special));
    if bits > cap || special == 0 {
        return Err(layout(
            "levels",
            format!("at most what {cap} bits hold"),
            levels,
        ));
    }
    // The first digit holds the wide first prime too.
    let alpha = ((WIDE_BITS * (special - 1)) / LEVEL_BITS + 1) as usize;
    let mut log_q = vec![WIDE_BITS];
    log_q.resize(levels + 1, LEVEL_BITS);
    Ok(ParametersLiteral {
        log_n,
        log_q,
        log_p: vec![WIDE_BITS; special as usize],
        log_scale: LEVEL_BITS,
        dnum_alpha: alpha.min(levels + 1),
    })
}

fn shape(literal: &ParametersLiteral) -> KeySwitchShape {
    KeySwitchShape {
        log_n: literal.log_n,
        alpha: literal.dnum_alpha,
        special: literal.log_p.len(),
    }
}

/// The primes of a program whose inputs are at level `entry`, in order, those that no rescale of it divides by included.
pub(crate) fn chain(params: &Parameters, entry: usize) -> ParametersLiteral {
    let mut literal = params.literal().clone();
    let reserved = params.reserved();
    literal.log_q.splice(1..1, reserved.lower.iter().copied());
    literal.log_q.extend(&reserved.upper);
    literal.log_q.truncate(entry + 1);
    literal
}

impl Plan {
    /// Counts `program` with inputs at level `levels` of the given parameters, `working_bytes` as for
    /// [`crate::CkksLayers::with_working_bytes`].
    ///
    /// # Errors
    /// [`ModelError::Evaluation`] if the levels do not suffice.
    pub fn new(
        program: &Program,
        literal: ParametersLiteral,
        working_bytes: u64,
    ) -> Result<Self, ModelError> {
        Self::with_end(program, (literal, None), working_bytes, |_, output| {
            Ok(output)
        })
    }

    /// As [`Plan::new`] for a program with bootstraps of a set and inputs at level `entry`.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_bootstraps(
        program: &Program,
        (set, entry): (&BootstrapParameters, usize),
        working_bytes: u64,
    ) -> Result<Self, ModelError> {
        let chain = (chain(set.params(), entry), Some(BootstrapNeeds::of(set)?));
        Self::with_end(program, chain, working_bytes, |_, output| Ok(output))
    }

    /// As [`Plan::new`], with bootstraps if there are needs of some, and with what follows the program's output.
    ///
    /// # Errors
    /// As [`Plan::new`], and those of `end`.
    pub(crate) fn with_end(
        program: &Program,
        (literal, bootstraps): (ParametersLiteral, Option<BootstrapNeeds>),
        working_bytes: u64,
        end: impl FnOnce(&CountEvaluator, Tensor<CountCt>) -> Result<Tensor<CountCt>, ModelError>,
    ) -> Result<Self, ModelError> {
        let shape = shape(&literal);
        let mut ev = CountEvaluator::new(shape, literal.log_q.len() - 1, working_bytes);
        if let Some(needs) = &bootstraps {
            ev = ev.with_refresh(needs.levels, needs.limbs);
        }
        let (channels, phases) = program.input_shape();
        let mut input = |_| -> Result<Tensor<_>, ModelError> {
            let vector = || Arc::new(ev.fresh());
            Ok((0..channels)
                .map(|_| (0..phases).map(|_| vector()).collect())
                .collect())
        };
        let output = program.run(&ev, &mut input, &mut |_, _, _| Ok(()))?;
        let output = end(&ev, output)?;
        let levels = output.iter().flatten().map(|vector| ev.level(vector));
        Ok(Self {
            shape,
            literal,
            counts: ev.counts(),
            outputs: output.iter().map(Vec::len).sum(),
            output_level: levels.min().unwrap_or(0),
            bootstraps,
        })
    }

    /// The keys with the highest level at which each one is used.
    pub fn keys(&self) -> Vec<(KeyKind, usize)> {
        let galois = self
            .counts
            .galois
            .iter()
            .map(|(&g, &level)| (KeyKind::Galois(g), level));
        let own = galois.chain(self.counts.relin.map(|level| (KeyKind::Relin, level)));
        let Some(needs) = &self.bootstraps else {
            return own.collect();
        };
        let mut levels: BTreeMap<KeyKind, usize> = BTreeMap::new();
        for (kind, level) in own.chain(needs.keys.iter().copied()) {
            let highest = levels.entry(kind).or_insert(level);
            *highest = level.max(*highest);
        }
        levels.into_iter().collect()
    }

    /// Bytes of the keys in memory, and about as they travel: one half seeded, the other packed at the bits of a level.
    pub fn key_bytes(&self) -> (u64, u64) {
        let primes = &self.literal.log_q;
        let bits = f64::from(primes.iter().sum::<u32>()) / primes.len() as f64;
        let limbs = |(kind, level): (KeyKind, usize)| {
            let all = level + 1 + self.shape.special;
            match kind {
                KeyKind::ToSparse(_) => 2,
                KeyKind::FromSparse(_) => all,
                KeyKind::Relin | KeyKind::Galois(_) => (level + 1).div_ceil(self.shape.alpha) * all,
            }
        };
        let limbs: usize = self.keys().into_iter().map(limbs).sum();
        let words = (limbs as u64) << self.shape.log_n;
        (16 * words, (words as f64 * bits / 8.0) as u64)
    }

    /// The steps of the program in order, with microseconds of single-thread work.
    pub fn steps(&self, cost: &CostModel) -> Vec<(String, f64)> {
        let cost = self.cost(cost);
        self.counts.steps(&cost, &self.shape).collect()
    }

    /// Microseconds by step, to be turned into seconds on so many threads by [`CostModel::seconds`]; steps of one name count together.
    pub fn micros(&self, cost: &CostModel, threads: usize) -> BTreeMap<String, f64> {
        let cost = self.cost(cost).with_refresh_on(threads);
        self.counts.micros(&cost, &self.shape)
    }

    /// With the time of its bootstraps.
    fn cost(&self, cost: &CostModel) -> CostModel {
        match &self.bootstraps {
            Some(needs) => cost.clone().with_refresh(&needs.work, &self.shape),
            None => cost.clone(),
        }
    }

    /// Most bytes of ciphertexts at once.
    pub fn peak_bytes(&self) -> u64 {
        (self.counts.peak_limbs * 8) as u64 * (1 << self.shape.log_n)
    }

    /// Predicted seconds on `threads` threads.
    pub fn seconds(&self, cost: &CostModel, threads: usize) -> f64 {
        let micros = self.micros(cost, threads).into_values().sum();
        cost.seconds(micros, threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Placement, resnet, weights};

    #[test]
    fn resnet_20_fits_one_secure_ring() {
        let network = resnet([3, 32, 32], &[16, 32, 64], 3, 10, Placement::Branch);
        assert_eq!(network.levels(), 39);
        let cost = CostModel::default();
        let literal = literal(16, 39, &cost).expect("secure");
        let params = Parameters::new(literal.clone()).expect("secure");
        assert!(params.log_qp() <= 1694.0);
        let weights = weights(&network, 1).expect("valid");
        let program =
            Program::new(&network, &weights, params.slots(), 128, 512, false).expect("fits");
        let plan = Plan::new(&program, literal, 2 << 30).expect("enough levels");
        assert_eq!(plan.counts.lowest_level, Some(0));
        // Eight directions at each of two spacings, three merges, and what pooling adds.
        assert!(plan.keys().len() < 32, "{}", plan.keys().len());
        let (memory, upload) = plan.key_bytes();
        assert!(upload < 1_500_000_000 && memory > upload, "{upload}");
        assert!(plan.peak_bytes() < 16_000_000_000, "{}", plan.peak_bytes());
        assert!(plan.seconds(&cost, 2) > 1.0);
    }

    #[test]
    fn a_network_that_is_too_deep_is_refused() {
        assert!(literal(16, 46, &CostModel::default()).is_err());
        assert!(literal(9, 3, &CostModel::default()).is_err());
    }
}
