//! Automorphisms that are used once.

use crate::{Form, PrimeSet, Ring, RnsPoly};

use super::need_ntt;

impl Ring {
    /// As [`Ring::automorphism`] in NTT form, on the limbs of `set` only, and without keeping what depends on
    /// `galois`: for elements that are used once, of which there may be many. N words of 32 bits for each would be
    /// kept.
    ///
    /// # Panics
    /// When `galois` is even, or `a` is not in NTT form or lacks primes of `set`.
    pub fn automorphism_once(&self, a: &RnsPoly, galois: u64, set: PrimeSet) -> RnsPoly {
        assert!(galois % 2 == 1, "Galois element {galois} is even");
        need_ntt("automorphism", a);
        // The value of a(X^g) at psi^e is that of a at psi^(e g); values are in bit-reversed order.
        let (mask, shift) = (2 * self.degree() as u64 - 1, 32 - self.log_n);
        let reversed = |i: u32| i.reverse_bits() >> shift;
        let source: Vec<u32> = (0..self.degree() as u32)
            .map(|i| {
                let e = (2 * u64::from(reversed(i)) + 1) * (galois & mask);
                reversed(((e & mask) >> 1) as u32)
            })
            .collect();
        let mut out = self.scratch(set, Form::Ntt);
        self.for_each_indexed_limb(&mut out, |i, _, limb| {
            self.backend.gather(limb, a.limb_of(set, i), &source);
        });
        out
    }
}
