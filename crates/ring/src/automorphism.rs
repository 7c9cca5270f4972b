//! Galois automorphisms X -> X^g.

use std::sync::{Arc, PoisonError};

use crate::{Form, Ring, RnsPoly};

/// Where each output word of an automorphism comes from.
pub(crate) struct Permutation {
    /// Source index; in coefficient form the top bit asks for a change of sign.
    source: Vec<u32>,
}

impl Permutation {
    /// Source of each word; in NTT form aligned groups of a power of two words come from such groups.
    pub(crate) fn source(&self) -> &[u32] {
        &self.source
    }
}

const NEGATE: u32 = 1 << 31;

impl Ring {
    /// The image of `a` under X -> X^`galois`, in the form of `a`.
    ///
    /// # Panics
    /// When `galois` is even.
    pub fn automorphism(&self, a: &RnsPoly, galois: u64) -> RnsPoly {
        let permutation = self.permutation(galois, a.form);
        let mut out = self.scratch(a.set, a.form);
        self.for_each_indexed_limb(&mut out, |i, t, limb| {
            let source = a.limb(i);
            match a.form {
                Form::Ntt => self.backend.gather(limb, source, &permutation.source),
                Form::Coefficient => {
                    for (x, &s) in limb.iter_mut().zip(&permutation.source) {
                        let v = source[(s & !NEGATE) as usize];
                        *x = if s & NEGATE == 0 {
                            v
                        } else {
                            t.modulus().neg(v)
                        };
                    }
                }
            }
        });
        out
    }

    /// The Galois element 5^k mod 2N of a rotation by k: slot i of the image holds what slot i + k held.
    /// k counts modulo N/2.
    pub fn galois_for_rotation(&self, k: i64) -> u64 {
        let order = 2 * self.degree() as u64;
        let mut exponent = k.rem_euclid(self.degree() as i64 / 2) as u64;
        let (mut result, mut base) = (1u64, 5u64);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result * base % order;
            }
            base = base * base % order;
            exponent >>= 1;
        }
        result
    }

    /// The Galois element 2N - 1 of complex conjugation.
    pub fn galois_for_conjugation(&self) -> u64 {
        2 * self.degree() as u64 - 1
    }

    /// The permutation of an automorphism in NTT form.
    pub(crate) fn order(&self, galois: u64) -> Arc<Permutation> {
        self.permutation(galois, Form::Ntt)
    }

    fn permutation(&self, galois: u64, form: Form) -> Arc<Permutation> {
        assert!(galois % 2 == 1, "Galois element {galois} is even");
        let key = (galois % (2 * self.degree() as u64), form);
        // A poisoned lock only means that another thread panicked between complete insertions.
        if let Some(p) = self
            .permutations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return p.clone();
        }
        let made = Arc::new(self.make_permutation(key.0, form));
        self.permutations
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_insert(made)
            .clone()
    }

    fn make_permutation(&self, galois: u64, form: Form) -> Permutation {
        let n = self.degree() as u64;
        let mask = 2 * n - 1;
        let mut source = vec![0u32; self.degree()];
        match form {
            // The value of a(X^g) at psi^e is that of a at psi^(e g).
            Form::Ntt => {
                let shift = 32 - self.log_n;
                for (i, s) in source.iter_mut().enumerate() {
                    let e = 2 * u64::from((i as u32).reverse_bits() >> shift) + 1;
                    *s = ((((e * galois) & mask) >> 1) as u32).reverse_bits() >> shift;
                }
            }
            Form::Coefficient => {
                let mut to = 0;
                for i in 0..n {
                    source[(to & (n - 1)) as usize] = i as u32 | if to >= n { NEGATE } else { 0 };
                    to = (to + galois) & mask;
                }
            }
        }
        Permutation { source }
    }
}
