//! The inner product of a key switch.

use std::borrow::Borrow;

use crate::{Form, Ring, RnsPoly, par};

impl Ring {
    /// acc\[k\] = sum over d of digits\[d\] * keys\[d\]\[k\], in NTT form over the set of the digits, with one
    /// reduction for each output residue. Keys may have more primes than the digits (keys of a higher
    /// level); the limbs that match are used. Both slices take owned or borrowed polynomials.
    ///
    /// # Panics
    /// When the slices differ in length or are empty, an operand is not in NTT form, digits differ in set,
    /// or a key lacks a prime of theirs.
    pub fn inner_product<D, K>(&self, digits: &[D], keys: &[[K; 2]]) -> [RnsPoly; 2]
    where
        D: Borrow<RnsPoly> + Sync,
        K: Borrow<RnsPoly> + Sync,
    {
        assert!(
            !digits.is_empty() && digits.len() == keys.len(),
            "{} digits, {} keys",
            digits.len(),
            keys.len()
        );
        let set = digits[0].borrow().set;
        for d in digits {
            let d: &RnsPoly = d.borrow();
            assert!(
                d.set == set && d.form == Form::Ntt,
                "inner product: digit {d:?}, expected {set:?}"
            );
        }
        for k in keys.iter().flatten() {
            let k: &RnsPoly = k.borrow();
            assert!(
                k.set.q >= set.q && k.set.p >= set.p && k.form == Form::Ntt,
                "inner product: key {k:?}, expected {set:?}"
            );
        }
        let [mut first, mut second] = [self.scratch(set, Form::Ntt), self.scratch(set, Form::Ntt)];
        par::for_each_chunk_pair(
            &mut first.words,
            &mut second.words,
            self.degree(),
            |i, a, b| {
                let q = self.modulus_at(set, i);
                let xs: Vec<&[u64]> = digits.iter().map(|d| d.borrow().limb(i)).collect();
                let side = |k: usize| -> Vec<&[u64]> {
                    keys.iter()
                        .map(|pair| {
                            let key: &RnsPoly = pair[k].borrow();
                            if i < set.q {
                                key.limb_q(i)
                            } else {
                                key.limb_p(i - set.q)
                            }
                        })
                        .collect()
                };
                self.backend.dot(q, a, &xs, &side(0));
                self.backend.dot(q, b, &xs, &side(1));
            },
        );
        [first, second]
    }
}
