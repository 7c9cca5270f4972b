//! Sums of products of ciphertexts, part by part, and of their multiples by integers.

use crate::product::STRIP;
use crate::{Constant, Form, PrimeSet, Ring, RnsPoly, par};

impl Ring {
    /// The tensor product of two pairs, summed over `pairs` of them and multiplied by `factor`, a small number: a0 b0,
    /// a0 b1 + a1 b0, a1 b1 over the first `q` main primes, with one reduction for each output residue. Operands are in
    /// NTT form and may have more main primes.
    ///
    /// # Panics
    /// When they lack primes or are not in NTT form, or there is no pair or a factor of 0.
    pub fn tensor(&self, pairs: &[[[&RnsPoly; 2]; 2]], factor: usize, q: usize) -> [RnsPoly; 3] {
        assert!(
            !pairs.is_empty() && factor > 0,
            "a tensor product of nothing"
        );
        for a in pairs.iter().flatten().flatten() {
            assert!(
                a.form == Form::Ntt && a.set.p == 0 && a.set.q >= q && a.degree == self.degree(),
                "tensor product of {a:?} over {q} primes"
            );
        }
        let (n, set) = (self.degree(), PrimeSet { q, p: 0 });
        let strip = STRIP.min(n);
        let mut out = [0, 1, 2].map(|_| self.scratch(set, Form::Ntt));
        let [c0, c1, c2] = &mut out;
        let limbs = c0.limbs_mut().zip(c1.limbs_mut()).zip(c2.limbs_mut());
        let tasks: Vec<_> = limbs.enumerate().collect();
        par::for_each(tasks, |(i, ((c0, c1), c2))| {
            let modulus = self.q(i);
            for at in (0..n).step_by(strip) {
                let sum = |out: &mut [u64], terms: &[[usize; 2]]| {
                    let mut xs: Vec<&[u64]> = Vec::with_capacity(8);
                    let mut ys: Vec<&[u64]> = Vec::with_capacity(8);
                    for [a, b] in pairs {
                        for [x, y] in terms {
                            for _ in 0..factor {
                                xs.push(&a[*x].limb(i)[at..at + strip]);
                                ys.push(&b[*y].limb(i)[at..at + strip]);
                            }
                        }
                    }
                    self.backend
                        .dot(modulus, &mut out[at..at + strip], &xs, &ys);
                };
                sum(c0, &[[0, 0]]);
                sum(c1, &[[0, 1], [1, 0]]);
                sum(c2, &[[1, 1]]);
            }
        });
        out
    }

    /// The sum of multiples of polynomials over the first `q` main primes, each by one canonical residue a limb, with one
    /// reduction for each output residue. Inputs share their form and may have more main primes.
    ///
    /// # Panics
    /// When there is none, or they lack primes, residues, or differ in form.
    pub fn combination(&self, terms: &[(&RnsPoly, Vec<u64>)], q: usize) -> RnsPoly {
        assert!(!terms.is_empty(), "a combination of nothing");
        let form = terms[0].0.form;
        for (a, residues) in terms {
            assert!(
                a.form == form && a.set.p == 0 && a.set.q >= q && residues.len() >= q,
                "a combination of {a:?} over {q} primes"
            );
        }
        let n = self.degree();
        let strip = (4 * STRIP).min(n);
        let mut out = self.scratch(PrimeSet { q, p: 0 }, form);
        par::for_each_chunk(&mut out.words, n, |i, limb| {
            let modulus = self.q(i);
            let weights: Vec<Constant> = terms
                .iter()
                .map(|(_, residues)| self.backend.prepare(modulus, modulus.reduce(residues[i])))
                .collect();
            for (at, chunk) in limb.chunks_exact_mut(strip).enumerate() {
                let inputs: Vec<&[u64]> = terms
                    .iter()
                    .map(|(a, _)| &a.limb(i)[at * strip..(at + 1) * strip])
                    .collect();
                self.backend
                    .matrix_product(modulus, &mut [chunk], &inputs, &weights);
            }
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ntt_primes, sampling};

    #[test]
    fn sums_are_those_of_single_steps() {
        for log_n in [4, 12] {
            let primes = ntt_primes(log_n, 46, 3, &[]).expect("primes");
            let ring = Ring::new(log_n, &primes, &[]).expect("a ring");
            let make = |domain: u64, q: usize| {
                sampling::uniform(&ring, &[9; 32], domain, PrimeSet { q, p: 0 })
            };
            let polys: Vec<RnsPoly> = (0..8).map(|k| make(k, 2 + k as usize % 2)).collect();
            let low: Vec<RnsPoly> = polys.iter().map(|a| ring.drop_limbs(a, 2)).collect();
            let pair = |k: usize| [&polys[k], &polys[k + 1]];
            let found = ring.tensor(&[[pair(0), pair(2)], [pair(4), pair(6)]], 2, 2);
            let mut wanted = [0, 1, 2].map(|_| ring.zero(PrimeSet { q: 2, p: 0 }, Form::Ntt));
            for _ in 0..2 {
                for k in [0, 4] {
                    for (part, x, y) in [(0, 0, 2), (1, 0, 3), (1, 1, 2), (2, 1, 3)] {
                        ring.mul_add_assign(&mut wanted[part], &low[k + x], &low[k + y]);
                    }
                }
            }
            assert_eq!(found, wanted);
            let weights = |k: u64| {
                (0..2)
                    .map(|i| ring.q(i).value() - 1 - k)
                    .collect::<Vec<_>>()
            };
            let terms: Vec<_> = polys
                .iter()
                .zip(0..)
                .map(|(a, k)| (a, weights(k)))
                .collect();
            let mut sum = ring.zero(PrimeSet { q: 2, p: 0 }, Form::Ntt);
            for (a, residues) in &terms {
                ring.mul_scalar_add_assign(&mut sum, a, residues);
            }
            assert_eq!(ring.combination(&terms, 2), sum);
        }
    }
}
