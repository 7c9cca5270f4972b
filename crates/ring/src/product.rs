//! The inner product of a key switch, and of repeated blocks.

use std::borrow::Borrow;

use crate::buffer::Buffer;
use crate::{Form, Ring, RnsPoly, par};

/// Words of a limb that are worked on at a time when blocks are expanded: so many factors of that length fit the
/// second-level cache together.
const STRIP: usize = 4096;

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

    /// A polynomial in X^(N/len), in NTT form, by its `len` different values: such a polynomial has each of them in
    /// N/len words in a row. `None` if it is not one.
    ///
    /// # Panics
    /// When `len` is not a power of two up to N, or `a` is not in NTT form.
    pub fn blocks(&self, a: &RnsPoly, len: usize) -> Option<RnsPoly> {
        assert!(
            len.is_power_of_two() && len <= self.degree() && a.form == Form::Ntt,
            "{len} blocks of {a:?}"
        );
        let block = self.degree() / len;
        let mut out = RnsPoly::scratch(len, a.set, Form::Ntt);
        for (limb, source) in out.words.chunks_exact_mut(len).zip(a.limbs()) {
            for (word, repeated) in limb.iter_mut().zip(source.chunks_exact(block)) {
                *word = repeated[0];
                if repeated.iter().any(|other| other != word) {
                    return None;
                }
            }
        }
        Some(out)
    }

    /// As [`Ring::inner_product`] for factors that may have come from [`Ring::blocks`]: these are expanded in the cache
    /// only.
    ///
    /// # Panics
    /// As [`Ring::inner_product`].
    pub fn inner_product_of_blocks(
        &self,
        factors: &[&RnsPoly],
        inputs: &[[&RnsPoly; 2]],
    ) -> [RnsPoly; 2] {
        assert!(
            !factors.is_empty() && factors.len() == inputs.len(),
            "{} factors, {} inputs",
            factors.len(),
            inputs.len()
        );
        let set = factors[0].set;
        for poly in factors.iter().chain(inputs.iter().flatten()) {
            assert!(
                poly.set == set && poly.form == Form::Ntt,
                "inner product: {poly:?}, expected {set:?}"
            );
        }
        let [mut first, mut second] = [self.scratch(set, Form::Ntt), self.scratch(set, Form::Ntt)];
        let strip = STRIP.min(self.degree());
        par::for_each_chunk_pair(
            &mut first.words,
            &mut second.words,
            self.degree(),
            |limb, first, second| {
                let q = self.modulus_at(set, limb);
                let mut expanded = Buffer::scratch(strip * factors.len());
                let outs = first
                    .chunks_exact_mut(strip)
                    .zip(second.chunks_exact_mut(strip));
                for (index, (first, second)) in outs.enumerate() {
                    let range = index * strip..(index + 1) * strip;
                    let mut xs: Vec<&[u64]> = Vec::with_capacity(factors.len());
                    for (factor, room) in factors.iter().zip(expanded.chunks_exact_mut(strip)) {
                        xs.push(self.expanded(factor, limb, range.start, room));
                    }
                    for (out, side) in [(first, 0), (second, 1)] {
                        let ys: Vec<&[u64]> = inputs
                            .iter()
                            .map(|pair| &pair[side].limb(limb)[range.clone()])
                            .collect();
                        self.backend.dot(q, out, &xs, &ys);
                    }
                }
            },
        );
        [first, second]
    }

    /// The words of a limb from `start` on, as many as `room` holds: borrowed, or repeated there.
    fn expanded<'a>(
        &self,
        factor: &'a RnsPoly,
        limb: usize,
        start: usize,
        room: &'a mut [u64],
    ) -> &'a [u64] {
        let words = factor.limb(limb);
        let block = self.degree() / factor.degree;
        if block == 1 {
            return &words[start..start + room.len()];
        }
        if block >= room.len() {
            room.fill(words[start / block]);
        } else {
            for (chunk, &word) in room.chunks_exact_mut(block).zip(&words[start / block..]) {
                chunk.fill(word);
            }
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PrimeSet, ntt_primes, sampling};

    #[test]
    fn polynomials_in_a_power_of_x_are_stored_by_their_blocks() {
        for log_n in [4, 8, 14] {
            let primes = ntt_primes(log_n, 40, 3, &[]).expect("primes");
            let ring = Ring::new(log_n, &primes[..2], &primes[2..]).expect("a ring");
            let (n, set) = (ring.degree(), PrimeSet { q: 2, p: 1 });
            let mut factors = Vec::new();
            let mut blocks = Vec::new();
            for len in [n, n / 8, 4.min(n), 1] {
                let mut coefficients = vec![0; n];
                for (index, c) in coefficients.iter_mut().step_by(n / len).enumerate() {
                    *c = 3 * index as i64 - 7;
                }
                let mut poly = ring.from_i64(&coefficients, set);
                ring.ntt(&mut poly);
                if len < n {
                    assert!(
                        ring.blocks(&poly, len / 2 + len % 2).is_none() || len == 1,
                        "{n} {len}"
                    );
                }
                blocks.push(ring.blocks(&poly, len).expect("repeats"));
                assert_eq!(blocks.last().map(RnsPoly::degree), Some(len));
                factors.push(poly);
            }
            let seed = [3; 32];
            let input = |domain| sampling::uniform(&ring, &seed, domain, set);
            let inputs: Vec<[RnsPoly; 2]> =
                (0..4).map(|i| [input(2 * i), input(2 * i + 1)]).collect();
            let expected = ring.inner_product(&factors, &inputs);
            let blocks: Vec<&RnsPoly> = blocks.iter().collect();
            let inputs: Vec<[&RnsPoly; 2]> = inputs.iter().map(|[a, b]| [a, b]).collect();
            assert_eq!(ring.inner_product_of_blocks(&blocks, &inputs), expected);
        }
    }
}
