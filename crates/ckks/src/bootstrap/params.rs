//! Parameters of bootstrapping: which primes it adds, and what it does at which level.

use super::failure::log2_failure;
use crate::error::CkksError;
use crate::params::{Parameters, ParametersLiteral, Reserved};

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// SlotsToCoeffs, then ModRaise, CoeffsToSlots and EvalMod. EvalMod works on the slots of the message themselves, and
    /// SlotsToCoeffs on few limbs. The input needs the levels that SlotsToCoeffs consumes.
    SlotsToCoeffs,
    /// ModRaise, CoeffsToSlots, EvalMod, then SlotsToCoeffs: the input is at level 0. SlotsToCoeffs amplifies the noise of
    /// EvalMod by `sqrt(N)`.
    ModRaise,
}

/// What a bootstrapping set is made from; unchecked.
///
/// Levels from the bottom: `q_0`, SlotsToCoeffs if it comes first, those of `program`, SlotsToCoeffs if it comes last,
/// EvalMod, CoeffsToSlots.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapLiteral {
    /// Ring, special primes, `q_0` and the levels that are left to programs. The first special prime encrypts the sparse
    /// secret together with `q_0`.
    pub program: ParametersLiteral,
    /// The order of the parts.
    pub order: Order,
    /// Bit lengths of the primes of CoeffsToSlots, one a matrix, in order of application.
    pub coeffs_to_slots: Vec<u32>,
    /// Bit lengths of the primes of EvalMod: those given up after each multiplication, in order.
    pub eval_mod: Vec<Vec<u32>>,
    /// Bit lengths of the primes of SlotsToCoeffs: those given up after each matrix, if any, in order of application.
    pub slots_to_coeffs: Vec<Vec<u32>>,
    /// log2 of the scale at which EvalMod starts.
    pub log_scale: f64,
    /// Weight of the sparse secret.
    pub weight: u32,
    /// `K`: EvalMod is right for `|I| < K`.
    pub interval: u32,
    /// Degree of the polynomial that approximates the scaled cosine, at least `2 K - 2`.
    pub degree: usize,
    /// Number of times that the angle is doubled.
    pub doublings: usize,
    /// Degree of the arcsine that follows: 0 for none, 3, 5 or 7.
    pub arcsine: usize,
    /// log2 of the least `q_0` over the scale at level 0, below which messages of size 1 are: without arcsine the sine
    /// replaces the identity up to a relative `(2 pi / 2^log_ratio)^2 / 6` for the worst message. The scale at level 0 is
    /// the canonical one, or follows from those of EvalMod's result and of the output where SlotsToCoeffs comes first.
    pub log_ratio: f64,
    /// Baby steps of each matrix: rotation keys against giant steps.
    pub baby: usize,
}

/// A checked bootstrapping set. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapParameters {
    literal: BootstrapLiteral,
    params: Parameters,
}

/// Most often that a bootstrap may fail, as log2.
pub const MAX_LOG2_FAILURE: f64 = -128.0;

impl BootstrapParameters {
    /// Checks a literal and chooses the primes.
    ///
    /// # Errors
    /// Those of [`Parameters::with_reserved`]; [`CkksError::InsecureSparse`]; [`CkksError::InvalidParameters`] for parts
    /// that do not fit together or fail more often than [`MAX_LOG2_FAILURE`].
    pub fn new(literal: BootstrapLiteral) -> Result<Self, CkksError> {
        let params = Parameters::with_reserved(literal.program.clone(), reserved(&literal))?;
        Self::checked(literal, params)
    }

    /// As [`BootstrapParameters::new`] without any security check. For tests only.
    ///
    /// # Errors
    /// As [`BootstrapParameters::new`], security aside.
    #[cfg(any(test, feature = "insecure-test-parameters"))]
    pub fn new_insecure_for_tests(literal: BootstrapLiteral) -> Result<Self, CkksError> {
        let primes = reserved(&literal);
        let params = Parameters::with_reserved_insecure_for_tests(literal.program.clone(), primes)?;
        Self::checked(literal, params)
    }

    fn checked(literal: BootstrapLiteral, params: Parameters) -> Result<Self, CkksError> {
        let made = Self { literal, params };
        check_shape(&made)?;
        made.params.check_sparse_secret(made.literal.weight)?;
        let failure = made.log2_failure();
        if failure > MAX_LOG2_FAILURE {
            let needed = format!("a failure probability of at most 2^{MAX_LOG2_FAILURE}");
            return Err(invalid("interval", needed, format!("2^{failure:.1}")));
        }
        Ok(made)
    }

    /// What it was made from.
    pub fn literal(&self) -> &BootstrapLiteral {
        &self.literal
    }

    /// The parameters of keys and ciphertexts. Programs work between [`BootstrapParameters::input_level`] and
    /// [`BootstrapParameters::output_level`].
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// Lowest level of a ciphertext that is to be refreshed: 0 if ModRaise comes first.
    pub fn input_level(&self) -> usize {
        self.params.program_bottom()
    }

    /// Level of a refreshed ciphertext with all slots in use: all levels of the program. Fewer slots may cost one, see
    /// [`Bootstrapper::output_level`](super::Bootstrapper::output_level).
    pub fn output_level(&self) -> usize {
        self.params.program_level()
    }

    /// Bits of modulus between [`BootstrapParameters::input_level`] and [`BootstrapParameters::output_level`]: what a
    /// program can spend from one bootstrap to the next.
    pub fn residual_bits(&self) -> f64 {
        self.params.log_q_at(self.output_level()) - self.params.log_q_at(self.input_level())
    }

    /// log2 of the probability that a bootstrap gives a wrong result, see [`log2_failure`].
    pub fn log2_failure(&self) -> f64 {
        log2_failure(
            self.literal.weight,
            self.literal.interval,
            self.params.degree(),
        )
    }

    /// Levels before EvalMod and after each of its multiplications.
    pub(crate) fn ladder(&self) -> Vec<usize> {
        let mut level = self.params.max_level() - self.literal.coeffs_to_slots.len();
        let mut ladder = vec![level];
        for primes in &self.literal.eval_mod {
            level -= primes.len();
            ladder.push(level);
        }
        ladder
    }

    /// Level of the first matrix of SlotsToCoeffs.
    pub(crate) fn slots_to_coeffs_level(&self) -> usize {
        match self.literal.order {
            Order::SlotsToCoeffs => self.input_level(),
            Order::ModRaise => {
                let primes = self.literal.slots_to_coeffs.iter().flatten();
                self.output_level() + primes.count()
            }
        }
    }

    /// Scale at level 0 of an input that had the canonical one: what leads to the canonical scale of the output.
    pub(crate) fn bottom_scale(&self) -> f64 {
        match self.literal.order {
            Order::SlotsToCoeffs => {
                let sine = super::eval_mod::output_scale(self) * std::f64::consts::TAU;
                self.params.scale_at(self.output_level()) * self.params.q(0) as f64 / sine
            }
            Order::ModRaise => self.params.scale_at(0),
        }
    }
}

/// Bit lengths of the primes around the program's, lowest first.
fn reserved(literal: &BootstrapLiteral) -> Reserved {
    let reversed = |primes: &[Vec<u32>]| -> Vec<u32> {
        let all: Vec<u32> = primes.iter().flatten().copied().collect();
        all.into_iter().rev().collect()
    };
    let slots_to_coeffs = reversed(&literal.slots_to_coeffs);
    let (lower, mut upper) = match literal.order {
        Order::SlotsToCoeffs => (slots_to_coeffs, Vec::new()),
        Order::ModRaise => (Vec::new(), slots_to_coeffs),
    };
    upper.extend(reversed(&literal.eval_mod));
    upper.extend(literal.coeffs_to_slots.iter().rev());
    Reserved { lower, upper }
}

fn check_shape(set: &BootstrapParameters) -> Result<(), CkksError> {
    let (literal, params) = (&set.literal, &set.params);
    if !matches!(literal.arcsine, 0 | 3 | 5 | 7) {
        return Err(invalid(
            "arcsine",
            "0, 3, 5 or 7".into(),
            literal.arcsine.to_string(),
        ));
    }
    let interval = literal.interval as usize;
    if !(1..=256).contains(&interval)
        || literal.degree < (2 * interval - 2).max(1)
        || literal.degree > 1023
    {
        let needed = "1 to 256, and a degree from twice that less 2 to 1023";
        let available = format!("{interval} and degree {}", literal.degree);
        return Err(invalid("interval", needed.into(), available));
    }
    let depth = super::eval_mod::depth(literal);
    if literal.eval_mod.len() != depth || literal.eval_mod.iter().any(Vec::is_empty) {
        let available = format!("{:?}", literal.eval_mod);
        return Err(invalid(
            "eval_mod",
            format!("primes for {depth} multiplications"),
            available,
        ));
    }
    if !literal.baby.is_power_of_two() {
        return Err(invalid(
            "baby",
            "a power of two".into(),
            literal.baby.to_string(),
        ));
    }
    let scales = literal.log_ratio.is_finite() && (20.0..=90.0).contains(&literal.log_scale);
    let ratio = params.log_q_at(0) - set.bottom_scale().log2();
    if !scales || ratio < literal.log_ratio - 0.01 || literal.log_ratio < 2.0 {
        let needed = format!("from 2 to {ratio:.2}, and a scale of 2^20 to 2^90");
        let available = format!("{} and 2^{}", literal.log_ratio, literal.log_scale);
        return Err(invalid("log_ratio", needed, available));
    }
    for (field, count) in [
        ("coeffs_to_slots", literal.coeffs_to_slots.len()),
        ("slots_to_coeffs", literal.slots_to_coeffs.len()),
    ] {
        if !(1..=params.log_slots() as usize).contains(&count) {
            let needed = format!("1 to {} matrices", params.log_slots());
            return Err(invalid(field, needed, count.to_string()));
        }
    }
    Ok(())
}

pub(super) fn invalid(field: &'static str, needed: String, available: String) -> CkksError {
    CkksError::InvalidParameters {
        field,
        needed,
        available,
    }
}
