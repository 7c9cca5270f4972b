//! The evaluator on ciphertexts.

use std::borrow::Cow;
use std::sync::OnceLock;

use confide_ckks::bootstrap::Bootstrapper;
use confide_ckks::evaluator::{Evaluator as Scheme, SCALE_TOLERANCE};
use confide_ckks::{Ciphertext, Encoder, EvaluationKeys, Parameters};

use crate::error::{TensorError, need_finite, need_level, need_period};
use crate::evaluator::{Evaluator, RefreshLevels};
use crate::slots::SlotRing;

/// Runs programs on ciphertexts with the keys of one data party.
///
/// Every ciphertext at level `l` carries the scale `params.scale_at(l)`, so that sums and products of equal levels need
/// no care. A ciphertext comes down to a lower level by a product with the integer that makes the next rescale arrive
/// at exactly that level's scale (Kim, Papadimitriou and Polyakov, "Approximate homomorphic encryption with reduced
/// approximation error", CT-RSA 2022).
pub struct CkksEvaluator<'a> {
    scheme: Scheme,
    params: &'a Parameters,
    keys: &'a EvaluationKeys,
    ring: SlotRing,
    /// Made when the first vector of factors is encoded: most programs have none.
    encoder: OnceLock<Encoder>,
    bootstrappers: Vec<&'a Bootstrapper>,
    parallel: bool,
}

impl<'a> CkksEvaluator<'a> {
    /// For `params` and `keys`.
    pub fn new(params: &'a Parameters, keys: &'a EvaluationKeys) -> Self {
        Self {
            scheme: Scheme::new(params),
            params,
            keys,
            ring: SlotRing::new(params.log_n()),
            encoder: OnceLock::new(),
            bootstrappers: Vec::new(),
            parallel: cfg!(feature = "parallel"),
        }
    }

    /// Refreshes with `bootstrapper` vectors of its number of slots; its keys must be among those of the evaluator. Can be
    /// called for several numbers of slots of one parameter set.
    #[must_use]
    pub fn with_refresh(mut self, bootstrapper: &'a Bootstrapper) -> Self {
        self.bootstrappers.push(bootstrapper);
        self
    }

    /// Refuses a ciphertext from outside that does not carry the canonical scale of its level.
    ///
    /// # Errors
    /// [`TensorError::NotCanonical`], or [`TensorError::LevelTooHigh`].
    pub fn check_canonical(&self, ct: &Ciphertext) -> Result<(), TensorError> {
        const OP: &str = "check_canonical";
        if ct.level() > self.params.max_level() {
            return Err(TensorError::LevelTooHigh {
                op: OP,
                needed: ct.level(),
                available: self.params.max_level(),
            });
        }
        let (needed, available) = (self.params.scale_at(ct.level()), ct.scale());
        if (available / needed - 1.0).abs() <= SCALE_TOLERANCE {
            return Ok(());
        }
        Err(TensorError::NotCanonical {
            op: OP,
            level: ct.level(),
            needed,
            available,
        })
    }

    fn aligned<'c>(
        &self,
        ct: &'c Ciphertext,
        level: usize,
    ) -> Result<Cow<'c, Ciphertext>, TensorError> {
        if ct.level() == level {
            return Ok(Cow::Borrowed(ct));
        }
        Ok(Cow::Owned(self.mul_const_to(ct, 1.0, level)?))
    }
}

impl Evaluator for CkksEvaluator<'_> {
    type Ct = Ciphertext;

    fn slots(&self) -> usize {
        self.ring.slots()
    }

    fn max_level(&self) -> usize {
        self.params.max_level()
    }

    fn level(&self, a: &Ciphertext) -> usize {
        a.level()
    }

    fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, TensorError> {
        let level = a.level().min(b.level());
        Ok(self
            .scheme
            .add(&*self.aligned(a, level)?, &*self.aligned(b, level)?)?)
    }

    fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, TensorError> {
        let level = a.level().min(b.level());
        Ok(self
            .scheme
            .sub(&*self.aligned(a, level)?, &*self.aligned(b, level)?)?)
    }

    fn add_const(&self, a: &Ciphertext, c: f64) -> Result<Ciphertext, TensorError> {
        need_finite("add_const", c)?;
        Ok(self.scheme.add_scalar(a, c)?)
    }

    fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, TensorError> {
        self.dot(&[(a, b)])
    }

    fn dot(&self, pairs: &[(&Ciphertext, &Ciphertext)]) -> Result<Ciphertext, TensorError> {
        let level = pairs.iter().map(|(a, b)| a.level().min(b.level())).min();
        let level = level.ok_or(TensorError::TooFewOperands {
            op: "dot",
            needed: 1,
            available: 0,
        })?;
        need_level("dot", 1, level)?;
        if let [(a, b)] = pairs
            && std::ptr::eq(*a, *b)
        {
            return Ok(self.scheme.dot(pairs, self.keys)?);
        }
        let mut aligned = Vec::with_capacity(pairs.len());
        for &(a, b) in pairs {
            aligned.push((self.aligned(a, level)?, self.aligned(b, level)?));
        }
        let borrowed: Vec<_> = aligned.iter().map(|(a, b)| (&**a, &**b)).collect();
        Ok(self.scheme.dot(&borrowed, self.keys)?)
    }

    fn mul_const_to(
        &self,
        a: &Ciphertext,
        c: f64,
        level: usize,
    ) -> Result<Ciphertext, TensorError> {
        need_finite("mul_const_to", c)?;
        need_level("mul_const_to", level + 1, a.level())?;
        let wanted = self.params.scale_at(level);
        let factor = self.params.q(level + 1) as f64 * wanted / a.scale();
        let lowered = self.scheme.drop_level(a, level + 1)?;
        let product = self.scheme.mul_scalar(&lowered, c, factor)?;
        // The scale is now that of the level up to a few roundings of 2^-53, far inside the tolerance of sums.
        Ok(self.scheme.rescale_owned(product)?)
    }

    fn rotate(&self, a: &Ciphertext, k: i64) -> Result<Ciphertext, TensorError> {
        if self.ring.rotation(k) == 1 {
            return Ok(a.clone());
        }
        Ok(self.scheme.rotate(a, k, self.keys)?)
    }

    fn conjugate(&self, a: &Ciphertext) -> Result<Ciphertext, TensorError> {
        Ok(self.scheme.conjugate(a, self.keys)?)
    }

    fn mul_monomial(&self, a: &Ciphertext, k: i64) -> Result<Ciphertext, TensorError> {
        Ok(self.scheme.mul_monomial(a, self.ring.exponent(k))?)
    }

    fn mul_periodic_to(
        &self,
        a: &Ciphertext,
        values: &[f64],
        level: usize,
    ) -> Result<Ciphertext, TensorError> {
        const OP: &str = "mul_periodic_to";
        need_level(OP, level + 1, a.level())?;
        need_period(OP, values.len(), self.slots())?;
        for &value in values {
            need_finite(OP, value)?;
        }
        let encoder = self.encoder.get_or_init(|| Encoder::new(self.params));
        let all: Vec<f64> = values.iter().copied().cycle().take(self.slots()).collect();
        let wanted = self.params.scale_at(level);
        let factor = self.params.q(level + 1) as f64 * wanted / a.scale();
        let plain = encoder.encode_real(&all, level + 1, factor)?;
        let lowered = self.scheme.drop_level(a, level + 1)?;
        let product = self.scheme.mul_plain(&lowered, &plain)?;
        Ok(self.scheme.rescale_owned(product)?)
    }

    fn refresh_levels(&self) -> Option<RefreshLevels> {
        let levels = self.bootstrappers.iter().map(|boot| RefreshLevels {
            input: boot.input_level(),
            output: boot.output_level(),
        });
        levels.reduce(|a, b| RefreshLevels {
            input: a.input.max(b.input),
            output: a.output.min(b.output),
        })
    }

    fn refresh(&self, a: &Ciphertext, log_period: u32) -> Result<Ciphertext, TensorError> {
        let fits = |boot: &&&Bootstrapper| boot.slots().ilog2() == log_period;
        let bootstrapper = self.bootstrappers.iter().find(fits);
        let bootstrapper = bootstrapper.ok_or(TensorError::NoRefresh { log_period })?;
        need_level("refresh", bootstrapper.input_level(), a.level())?;
        // At the scale of the level that is read, so that the result has the canonical one too.
        let input = self.aligned(a, bootstrapper.input_level())?;
        let refreshed = bootstrapper.bootstrap(&input, self.keys)?;
        // All periods alike: with fewer slots the result may be lower.
        let level = self.refresh_levels().map_or(0, |levels| levels.output);
        Ok(self.aligned(&refreshed, level)?.into_owned())
    }

    fn parallel(&self) -> bool {
        self.parallel
    }
}
