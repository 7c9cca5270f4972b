//! Layers on ciphertexts.

use std::sync::Arc;

use confide_ckks::bootstrap::Bootstrapper;
use confide_ckks::evaluator::{self, Evaluator as Scheme, LazySum, Mask, WeightedSums};
use confide_ckks::{Ciphertext, Encoder, EvaluationKeys, Parameters};
use confide_tensor::{CkksEvaluator, Evaluator, RefreshLevels, TensorError};

use crate::steps::lowered;

use super::{LayerEvaluator, PeriodicSums, Reads, Shift, Sums, fitting, scratch};

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
    working_bytes: u64,
    bootstrapper: Option<&'a Bootstrapper>,
    stop: Option<&'a (dyn Fn() -> bool + Sync)>,
    parts: Option<&'a (dyn Fn(f64) + Sync)>,
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
            bootstrapper: None,
            stop: None,
            parts: None,
        }
    }

    /// Masks at scale `2^bits`. More bits are more exact zeros and ones, fewer are more exact weights at borders.
    pub fn with_mask_bits(self, mask_bits: u32) -> Self {
        Self { mask_bits, ..self }
    }

    /// Refreshes with `bootstrapper`, which is for all slots; its keys must be among those of the evaluator.
    pub fn with_refresh(self, bootstrapper: &'a Bootstrapper) -> Self {
        Self {
            programs: self.programs.with_refresh(bootstrapper),
            bootstrapper: Some(bootstrapper),
            ..self
        }
    }

    /// Ends with [`TensorError::Cancelled`] soon after `stop` says so, within a layer too.
    pub fn with_stop(self, stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }

    /// Tells `parts` which share of a long step is done: after each bootstrap.
    pub fn with_parts(self, parts: &'a (dyn Fn(f64) + Sync)) -> Self {
        Self {
            parts: Some(parts),
            ..self
        }
    }

    fn go_on(&self) -> Result<(), TensorError> {
        match self.stop {
            Some(stop) if stop() => Err(TensorError::Cancelled),
            _ => Ok(()),
        }
    }

    /// What a layer reads as the scheme wants it, and the scale of sums whose rescale arrives at that of the level below.
    fn reads<'r>(
        &self,
        reads: &'r Reads<'_, Ciphertext, Mask>,
    ) -> Result<(Vec<evaluator::Shift<'r>>, f64), TensorError> {
        let op = "shifted_sums";
        let level = reads.inputs.first().map(|ct| ct.level());
        let level = level.ok_or(TensorError::TooFewOperands {
            op,
            needed: 1,
            available: 0,
        })?;
        let below = level.checked_sub(1).ok_or(TensorError::LevelTooLow {
            op,
            needed: 1,
            available: 0,
        })?;
        let shift = |shift: &'r Shift<Mask>| evaluator::Shift {
            rotation: shift.rotation,
            mask: shift.mask.as_ref(),
        };
        let scale = self.params.q(level) as f64 * self.params.scale_at(below);
        Ok((reads.shifts.iter().map(shift).collect(), scale))
    }

    /// Lets a layer use about `bytes` beside what it reads and makes (2 GiB unless set).
    pub fn with_working_bytes(self, working_bytes: u64) -> Self {
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

    fn refresh_levels(&self) -> Option<RefreshLevels> {
        self.programs.refresh_levels()
    }

    fn refresh(&self, a: &Ciphertext, log_period: u32) -> Result<Ciphertext, TensorError> {
        self.go_on()?;
        self.programs.refresh(a, log_period)
    }

    fn parallel(&self) -> bool {
        self.programs.parallel()
    }
}

impl LayerEvaluator for CkksLayers<'_> {
    type Mask = Mask;
    type Sum = LazySum;

    fn mask(&self, cells: &[bool], level: usize) -> Result<Mask, TensorError> {
        let bits: Vec<f64> = cells.iter().map(|&c| f64::from(u8::from(c))).collect();
        let scale = f64::from(self.mask_bits).exp2();
        Ok(Mask::new(self.encoder, &bits, level, scale)?)
    }

    fn shifted_sums(
        &self,
        before: Option<Vec<LazySum>>,
        reads: &Reads<'_, Ciphertext, Mask>,
        sums: &[Sums],
    ) -> Result<Vec<LazySum>, TensorError> {
        self.go_on()?;
        let (shifts, scale) = self.reads(reads)?;
        let sums: Vec<_> = sums
            .iter()
            .map(|one| WeightedSums {
                sources: &one.sources,
                rows: &one.rows,
            })
            .collect();
        let reads = (&reads.inputs[..], &shifts[..], &reads.sources[..]);
        Ok(self
            .scheme
            .shifted_sums(before, reads, &sums, scale, self.keys)?)
    }

    fn periodic_sums(
        &self,
        reads: &Reads<'_, Ciphertext, Mask>,
        sums: &[PeriodicSums<'_>],
    ) -> Result<Vec<LazySum>, TensorError> {
        self.go_on()?;
        let (shifts, scale) = self.reads(reads)?;
        let weights: Vec<_> = sums
            .iter()
            .map(|one| {
                move |row: usize, place: usize, out: &mut [f64]| {
                    (one.weights)(row, one.sources[place], out);
                }
            })
            .collect();
        let sums: Vec<_> = sums
            .iter()
            .zip(&weights)
            .map(|(one, weights)| evaluator::PeriodicSums {
                sources: &one.sources,
                rows: one.rows,
                period: one.period,
                weights,
            })
            .collect();
        let reads = (&reads.inputs[..], &shifts[..], &reads.sources[..]);
        Ok(self.scheme.periodic_sums(reads, &sums, scale, self.keys)?)
    }

    fn add_periodic(&self, a: &Ciphertext, values: &[f64]) -> Result<Ciphertext, TensorError> {
        let slots = self.params.slots();
        let all: Vec<f64> = values.iter().copied().cycle().take(slots).collect();
        let plain = self.encoder.encode_real(&all, a.level(), a.scale())?;
        Ok(self.scheme.add_plain(a, &plain)?)
    }

    fn rotated_sum(&self, terms: &[(&Ciphertext, i64)]) -> Result<Ciphertext, TensorError> {
        self.go_on()?;
        Ok(self.scheme.rotate_sum(terms, self.keys)?)
    }

    fn finish(&self, sum: LazySum, constant: f64) -> Result<Ciphertext, TensorError> {
        let mut out = self.scheme.finish_sum(sum)?;
        self.scheme.add_scalar_assign(&mut out, constant)?;
        Ok(out)
    }

    fn square(&self, a: Ciphertext, constant: f64) -> Result<Ciphertext, TensorError> {
        self.go_on()?;
        let mut out = self.scheme.dot(&[(&a, &a)], self.keys)?;
        self.scheme.add_scalar_assign(&mut out, constant)?;
        Ok(out)
    }

    /// Two with one bootstrap, as real and imaginary part. Each is freed when its turn has come.
    fn refresh_real(&self, vectors: Vec<Arc<Ciphertext>>) -> Result<Vec<Ciphertext>, TensorError> {
        let log_period = self.slots().ilog2();
        let bootstrapper = self
            .bootstrapper
            .ok_or(TensorError::NoRefresh { log_period })?;
        let level = bootstrapper.input_level();
        let all = vectors.len();
        let mut out = Vec::with_capacity(all);
        let mut vectors = vectors.into_iter();
        // At the scale of the level that is read, so that results have the canonical one too.
        let mut next = || {
            vectors
                .next()
                .map(|ct| lowered(self, ct, level))
                .transpose()
        };
        while let Some(first) = next()? {
            self.go_on()?;
            match next()? {
                Some(second) => {
                    out.extend(bootstrapper.bootstrap_real_pair([&first, &second], self.keys)?);
                }
                None => out.push(bootstrapper.bootstrap_real(&first, self.keys)?),
            }
            if let Some(parts) = self.parts {
                parts(out.len() as f64 / all as f64);
            }
        }
        Ok(out)
    }

    fn group(&self, level: usize, inputs: usize, sources: usize) -> usize {
        let level = (level, self.params.digits(level));
        let one = scratch(self.params.degree(), level, (inputs, sources));
        fitting(self.working_bytes, one)
    }
}
