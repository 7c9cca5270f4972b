//! Which keys bootstrapping needs, and at which level: known without encoding a matrix.

use std::collections::{BTreeMap, BTreeSet};

use super::dft::{self, Factor, Factors};
use super::{BootstrapParameters, Bootstrapper, OP, Order};
use crate::error::CkksError;
use crate::keys::{KeyKind, SeededSwitchingKey};

impl BootstrapParameters {
    /// Every key that [`Bootstrapper::bootstrap`] needs for `2^log_slots` slots, once, with the highest level at which it
    /// is used: rotations of the matrices and of the trace of fewer slots, conjugation, relinearisation, and the two of
    /// the sparse secret.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] for more slots than there are, or too few for the number of matrices.
    pub fn keys(&self, log_slots: u32) -> Result<Vec<(KeyKind, usize)>, CkksError> {
        let (params, literal) = (self.params(), self.literal());
        let ring = params.ring();
        let mut levels = BTreeMap::<KeyKind, usize>::new();
        let mut need = |kind: KeyKind, level: usize| {
            let highest = levels.entry(kind).or_insert(level);
            *highest = level.max(*highest);
        };
        let top = params.max_level();
        need(KeyKind::ToSparse(literal.weight), 0);
        need(KeyKind::FromSparse(literal.weight), top);
        let sparse = log_slots < params.log_slots();
        let mut rotate = |rotation: usize, level: usize| {
            let element = ring.galois_for_rotation(rotation as i64);
            need(KeyKind::Galois(element), level);
        };
        for log in log_slots..params.log_slots() {
            rotate(1 << log, top);
        }
        for (factor, level) in self.placed(log_slots)? {
            for rotation in rotations(&factor, literal.baby) {
                rotate(rotation, level);
            }
        }
        if sparse {
            let level = match literal.order {
                Order::SlotsToCoeffs => self.output_level(),
                Order::ModRaise => self.slots_to_coeffs_level(),
            };
            rotate(1 << log_slots, level);
        }
        let level = top - literal.coeffs_to_slots.len();
        need(KeyKind::Galois(ring.galois_for_conjugation()), level);
        need(KeyKind::Relin, level);
        Ok(levels.into_iter().collect())
    }

    /// Bytes that the encoded matrices of a [`Bootstrapper`] of `2^log_slots` slots take in memory, at most.
    ///
    /// # Errors
    /// As [`BootstrapParameters::keys`].
    pub fn matrix_bytes(&self, log_slots: u32) -> Result<u64, CkksError> {
        let params = self.params();
        let special = self.literal().program.log_p.len();
        let bytes = |level: usize, period: usize| {
            let coefficients = (2 * period).min(params.degree());
            (8 * coefficients * (level + 1 + special)) as u64
        };
        let mut all = 0;
        for (factor, level) in self.placed(log_slots)? {
            let diagonals = factor.diagonals.values();
            all += diagonals.map(|d| bytes(level, d.len())).sum::<u64>();
        }
        let joins = log_slots < params.log_slots() && self.literal().order == Order::SlotsToCoeffs;
        // Three matrices of two diagonals each.
        Ok(all + u64::from(joins) * 6 * bytes(self.output_level(), 2 << log_slots))
    }

    /// The factors of both transforms.
    pub(super) fn factors(&self, log_slots: u32) -> Result<Factors, CkksError> {
        let (params, literal) = (self.params(), self.literal());
        let (down, up) = (literal.coeffs_to_slots.len(), literal.slots_to_coeffs.len());
        let first = literal.order == Order::SlotsToCoeffs;
        (log_slots <= params.log_slots())
            .then(|| dft::factors(1 << log_slots, params.slots(), (down, up), first))
            .flatten()
            .ok_or_else(|| CkksError::InvalidArgument {
                op: OP,
                what: "log2 of the number of slots",
                needed: format!("{} to {}", down.max(up), params.log_slots()),
                available: log_slots.to_string(),
            })
    }

    /// All factors with the levels at which they are applied.
    pub(super) fn placed(&self, log_slots: u32) -> Result<Vec<(Factor, usize)>, CkksError> {
        let Factors {
            coeffs_to_slots,
            slots_to_coeffs,
        } = self.factors(log_slots)?;
        let mut level = self.params().max_level() + 1;
        let mut placed = Vec::new();
        for factor in coeffs_to_slots {
            level -= 1;
            placed.push((factor, level));
        }
        let mut level = self.slots_to_coeffs_level();
        for (factor, primes) in slots_to_coeffs
            .into_iter()
            .zip(&self.literal().slots_to_coeffs)
        {
            placed.push((factor, level));
            level -= primes.len();
        }
        Ok(placed)
    }
}

/// Rotations of a matrix with that many baby steps and giant steps by Horner's rule.
fn rotations(factor: &Factor, baby: usize) -> BTreeSet<usize> {
    let giant = baby * factor.stride;
    let steps = factor.diagonals.keys().flat_map(|index| {
        let steps = [index % giant, giant];
        steps.into_iter().take(1 + usize::from(*index >= giant))
    });
    steps.filter(|step| *step != 0).collect()
}

impl Bootstrapper {
    /// [`BootstrapParameters::keys`] of its set and slots.
    pub fn keys(&self) -> Vec<(KeyKind, usize)> {
        // Its matrices were made from the same arguments.
        self.set.keys(self.log_slots).unwrap_or_default()
    }

    /// Bytes of all these keys on the wire, seeded.
    ///
    /// # Errors
    /// None for a checked set.
    pub fn key_bytes(&self) -> Result<usize, CkksError> {
        let params = self.set.params();
        let sizes = self.keys().into_iter();
        sizes
            .map(|(kind, level)| SeededSwitchingKey::encoded_len_of(params, kind, level))
            .sum()
    }
}
