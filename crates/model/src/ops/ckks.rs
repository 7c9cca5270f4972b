//! Layers on ciphertexts.

use confide_ckks::evaluator::Evaluator as Scheme;
use confide_ckks::{Ciphertext, Encoder, EvaluationKeys, Parameters, Plaintext};
use confide_tensor::{CkksEvaluator, Evaluator, TensorError};

use super::LayerEvaluator;

/// Runs layers on ciphertexts with the keys of one data party.
///
/// A sum of products has the scale with which its rescale arrives at the canonical scale of the level below. A term
/// that was masked has the mask's scale already, and its weights get what is left; other terms get weights of full
/// precision.
pub struct CkksLayers<'a> {
    programs: CkksEvaluator<'a>,
    scheme: Scheme,
    encoder: &'a Encoder,
    params: &'a Parameters,
    keys: &'a EvaluationKeys,
    mask_bits: u32,
    working_bytes: usize,
    stop: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> CkksLayers<'a> {
    /// For keys under the parameters of `encoder`. Masks have half of the bits of a rescale; see
    /// [`CkksLayers::with_mask_bits`].
    pub fn new(params: &'a Parameters, encoder: &'a Encoder, keys: &'a EvaluationKeys) -> Self {
        Self {
            programs: CkksEvaluator::new(params, keys),
            scheme: Scheme::new(params),
            encoder,
            params,
            keys,
            mask_bits: params.literal().log_scale / 2,
            working_bytes: 2 << 30,
            stop: None,
        }
    }

    /// Masks at scale `2^bits`. More bits are more exact zeros and ones, fewer are more exact weights at borders.
    pub fn with_mask_bits(self, mask_bits: u32) -> Self {
        Self { mask_bits, ..self }
    }

    /// Ends with [`TensorError::Cancelled`] soon after `stop` says so, within a layer too.
    pub fn with_stop(self, stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }

    fn go_on(&self) -> Result<(), TensorError> {
        match self.stop {
            Some(stop) if stop() => Err(TensorError::Cancelled),
            _ => Ok(()),
        }
    }

    /// Lets a layer hold about `bytes` of rotated ciphertexts at once (2 GiB unless set).
    pub fn with_working_bytes(self, working_bytes: usize) -> Self {
        Self {
            working_bytes,
            ..self
        }
    }
}

impl Evaluator for CkksLayers<'_> {
    type Ct = Ciphertext;

    fn slots(&self) -> usize {
        self.programs.slots()
    }

    fn max_level(&self) -> usize {
        self.programs.max_level()
    }

    fn level(&self, a: &Ciphertext) -> usize {
        a.level()
    }

    fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, TensorError> {
        self.programs.add(a, b)
    }

    fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, TensorError> {
        self.programs.sub(a, b)
    }

    fn add_const(&self, a: &Ciphertext, c: f64) -> Result<Ciphertext, TensorError> {
        self.programs.add_const(a, c)
    }

    fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, TensorError> {
        self.programs.mul(a, b)
    }

    fn dot(&self, pairs: &[(&Ciphertext, &Ciphertext)]) -> Result<Ciphertext, TensorError> {
        self.programs.dot(pairs)
    }

    fn mul_const_to(
        &self,
        a: &Ciphertext,
        c: f64,
        level: usize,
    ) -> Result<Ciphertext, TensorError> {
        self.programs.mul_const_to(a, c, level)
    }

    fn rotate(&self, a: &Ciphertext, k: i64) -> Result<Ciphertext, TensorError> {
        self.programs.rotate(a, k)
    }

    fn conjugate(&self, a: &Ciphertext) -> Result<Ciphertext, TensorError> {
        self.programs.conjugate(a)
    }

    fn mul_monomial(&self, a: &Ciphertext, k: i64) -> Result<Ciphertext, TensorError> {
        self.programs.mul_monomial(a, k)
    }

    fn mul_periodic_to(
        &self,
        a: &Ciphertext,
        values: &[f64],
        level: usize,
    ) -> Result<Ciphertext, TensorError> {
        self.programs.mul_periodic_to(a, values, level)
    }

    fn parallel(&self) -> bool {
        self.programs.parallel()
    }
}

impl LayerEvaluator for CkksLayers<'_> {
    type Mask = Plaintext;
    type Sum = Ciphertext;

    fn mask(&self, cells: &[bool], level: usize) -> Result<Plaintext, TensorError> {
        let bit = |&passes: &bool| f64::from(u8::from(passes));
        let values: Vec<f64> = cells.iter().map(bit).cycle().take(self.slots()).collect();
        let scale = f64::from(self.mask_bits).exp2();
        Ok(self.encoder.encode_real(&values, level, scale)?)
    }

    fn rotations(&self, a: &Ciphertext, ks: &[i64]) -> Result<Vec<Ciphertext>, TensorError> {
        self.go_on()?;
        Ok(self.scheme.rotate_hoisted(a, ks, self.keys)?)
    }

    fn masked(&self, mut a: Ciphertext, mask: &Plaintext) -> Result<Ciphertext, TensorError> {
        self.scheme.mul_plain_assign(&mut a, mask)?;
        Ok(a)
    }

    fn combine(
        &self,
        sums: Option<Vec<Ciphertext>>,
        terms: &[&Ciphertext],
        rows: &[Vec<f64>],
    ) -> Result<Vec<Ciphertext>, TensorError> {
        const OP: &str = "combine";
        self.go_on()?;
        let level = terms.iter().map(|term| term.level()).min();
        let level = level.ok_or(TensorError::TooFewOperands {
            op: OP,
            needed: 1,
            available: 0,
        })?;
        if level == 0 {
            return Err(TensorError::LevelTooLow {
                op: OP,
                needed: 1,
                available: 0,
            });
        }
        let scale = self.params.q(level) as f64 * self.params.scale_at(level - 1);
        match sums {
            None => Ok(self.scheme.weighted_sums(terms, rows, scale)?),
            Some(mut sums) => {
                self.scheme.weighted_sums_add(&mut sums, terms, rows)?;
                Ok(sums)
            }
        }
    }

    fn finish(&self, sum: Ciphertext, constant: f64) -> Result<Ciphertext, TensorError> {
        let mut out = self.scheme.rescale_owned(sum)?;
        self.scheme.add_scalar_assign(&mut out, constant)?;
        Ok(out)
    }

    fn square(&self, a: Ciphertext, constant: f64) -> Result<Ciphertext, TensorError> {
        self.go_on()?;
        let mut out = self.scheme.dot(&[(&a, &a)], self.keys)?;
        self.scheme.add_scalar_assign(&mut out, constant)?;
        Ok(out)
    }

    fn working_set(&self, level: usize) -> usize {
        let bytes = 2 * (level + 1) * self.params.degree() * size_of::<u64>();
        (self.working_bytes / bytes).max(1)
    }
}
