//! Which keys bootstrapping needs, and at which level.

use std::collections::BTreeMap;

use super::Bootstrapper;
use crate::error::CkksError;
use crate::keys::{KeyKind, SeededSwitchingKey};

impl Bootstrapper {
    /// Every key that [`Bootstrapper::bootstrap`] needs, once, with the highest level at which it is used: rotations of
    /// the matrices and of the trace of fewer slots, conjugation, relinearisation, and the two of the sparse secret.
    pub fn keys(&self) -> Vec<(KeyKind, usize)> {
        let ring = self.set.params().ring();
        let mut levels = BTreeMap::<KeyKind, usize>::new();
        let mut need = |kind: KeyKind, level: usize| {
            let highest = levels.entry(kind).or_insert(level);
            *highest = level.max(*highest);
        };
        let weight = self.set.literal().weight;
        let top = self.set.params().max_level();
        need(KeyKind::ToSparse(weight), 0);
        need(KeyKind::FromSparse(weight), top);
        for rotation in self.trace_rotations() {
            need(KeyKind::Galois(ring.galois_for_rotation(rotation)), top);
        }
        for transform in self.transforms() {
            for rotation in transform.rotations() {
                let element = ring.galois_for_rotation(rotation);
                need(KeyKind::Galois(element), transform.level());
            }
        }
        let level = self.eval_mod.input_level();
        need(KeyKind::Galois(ring.galois_for_conjugation()), level);
        if self.is_sparse() && self.joins.is_none() {
            let element = ring.galois_for_rotation(self.slots() as i64);
            need(KeyKind::Galois(element), self.set.slots_to_coeffs_level());
        }
        need(KeyKind::Relin, level);
        levels.into_iter().collect()
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
