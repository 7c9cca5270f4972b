//! The inner product of a key switch, and of repeated blocks.

use std::borrow::Borrow;

use crate::buffer::Buffer;
use crate::{Form, PrimeSet, Ring, RnsPoly, par};

/// Words of a limb that are worked on at a time: so many of all rotations fit the first-level cache, with those of the
/// factors of a group.
pub(crate) const STRIP: usize = 256;

/// A rotation for [`Ring::rotated_products`].
pub struct Baby<'a, K> {
    /// The two halves of the key for each digit, over the primes wanted or more; none for the rotation by nothing.
    pub key: Option<&'a [[K; 2]]>,
    /// Galois element of the automorphism, 1 without a key.
    pub galois: u64,
}

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

    /// Sums of products of rotations: for each of `groups` the pair of sums over its (b, f) of `f` times rotation b of
    /// P `input`, in NTT form over `set`. Rotation b is the image under the automorphism of `babies[b]` of the inner
    /// product of `digits` with its key, plus P times the first half of `input`; without a key P times both halves.
    /// Factors may have come from [`Ring::blocks`].
    ///
    /// A limb of all rotations and sums is finished before the next is begun: rotations never go to memory as a whole.
    ///
    /// # Panics
    /// When an operand lacks limbs of `set` or is not in NTT form, or a group is empty or names no rotation.
    pub fn rotated_products<K: Borrow<RnsPoly> + Sync>(
        &self,
        input: [&RnsPoly; 2],
        digits: &[RnsPoly],
        babies: &[Baby<'_, K>],
        groups: &[Vec<(usize, &RnsPoly)>],
        set: PrimeSet,
    ) -> Vec<[RnsPoly; 2]> {
        self.check_products(input, digits, babies, groups, set);
        let n = self.degree();
        let orders: Vec<_> = babies.iter().map(|baby| self.order(baby.galois)).collect();
        let mut out: Vec<[RnsPoly; 2]> = groups
            .iter()
            .map(|_| [0, 1].map(|_| self.scratch(set, Form::Ntt)))
            .collect();
        let mut tasks: Vec<(usize, Vec<[&mut [u64]; 2]>)> =
            (0..set.len()).map(|limb| (limb, Vec::new())).collect();
        for [x, y] in &mut out {
            for ((_, outs), pair) in tasks.iter_mut().zip(x.limbs_mut().zip(y.limbs_mut())) {
                outs.push(pair.into());
            }
        }
        par::for_each(tasks, |(limb, outs)| {
            let q = self.modulus_at(set, limb);
            let special = (0..set.p).fold(1, |acc, j| q.mul(acc, q.reduce(self.p(j).value())));
            let special = self.backend.prepare(q, special);
            // P times something is nothing modulo the special primes.
            let add_input = |row: &mut [u64], half: usize| {
                if limb < set.q {
                    self.backend
                        .mul_scalar_add(q, row, input[half].limb(limb), special);
                }
            };
            let mut rows = Buffer::scratch(babies.len() * 2 * n);
            let mut sum = Buffer::scratch(n);
            let xs: Vec<&[u64]> = digits.iter().map(|digit| digit.limb(limb)).collect();
            for ((baby, order), rows) in
                babies.iter().zip(&orders).zip(rows.chunks_exact_mut(2 * n))
            {
                for (half, row) in rows.chunks_exact_mut(n).enumerate() {
                    let Some(key) = baby.key else {
                        row.fill(0);
                        add_input(row, half);
                        continue;
                    };
                    let ys: Vec<&[u64]> = key[..digits.len()]
                        .iter()
                        .map(|pair| {
                            let key: &RnsPoly = pair[half].borrow();
                            match limb.checked_sub(set.q) {
                                None => key.limb_q(limb),
                                Some(special) => key.limb_p(special),
                            }
                        })
                        .collect();
                    self.backend.dot(q, &mut sum, &xs, &ys);
                    if half == 0 {
                        add_input(&mut sum, 0);
                    }
                    self.backend.gather(row, &sum, order.source());
                }
            }
            self.products_of_limb(limb, &rows, groups, outs);
        });
        out
    }

    /// One limb of all sums, from that limb of all rotations, strip by strip.
    fn products_of_limb(
        &self,
        limb: usize,
        rows: &[u64],
        groups: &[Vec<(usize, &RnsPoly)>],
        mut outs: Vec<[&mut [u64]; 2]>,
    ) {
        let n = self.degree();
        let strip = STRIP.min(n);
        let most = groups.iter().map(Vec::len).max().unwrap_or(0);
        let mut expanded = Buffer::scratch(strip * most);
        for start in (0..n).step_by(strip) {
            for (group, out) in groups.iter().zip(&mut outs) {
                let q = self.modulus_at(group[0].1.set, limb);
                let xs: Vec<&[u64]> = group
                    .iter()
                    .zip(expanded.chunks_exact_mut(strip))
                    .map(|((_, factor), room)| self.expanded(factor, limb, start, room))
                    .collect();
                for (half, out) in out.iter_mut().enumerate() {
                    let row = |baby: usize| &rows[(2 * baby + half) * n + start..][..strip];
                    let ys: Vec<&[u64]> = group.iter().map(|(baby, _)| row(*baby)).collect();
                    self.backend
                        .dot(q, &mut out[start..start + strip], &xs, &ys);
                }
            }
        }
    }

    #[track_caller]
    fn check_products<K: Borrow<RnsPoly>>(
        &self,
        input: [&RnsPoly; 2],
        digits: &[RnsPoly],
        babies: &[Baby<'_, K>],
        groups: &[Vec<(usize, &RnsPoly)>],
        set: PrimeSet,
    ) {
        for poly in input {
            let needed = PrimeSet { p: 0, ..set };
            assert!(poly.set == needed && poly.form == Form::Ntt, "{poly:?}");
        }
        for digit in digits {
            assert!(digit.set == set && digit.form == Form::Ntt, "{digit:?}");
        }
        for key in babies.iter().filter_map(|baby| baby.key) {
            assert!(
                key.len() >= digits.len() && !digits.is_empty(),
                "{} key digits",
                key.len()
            );
            for half in key[..digits.len()].iter().flatten() {
                let half: &RnsPoly = half.borrow();
                let enough = half.set.q >= set.q && half.set.p >= set.p;
                assert!(enough && half.form == Form::Ntt, "{half:?}");
            }
        }
        for group in groups {
            assert!(!group.is_empty(), "a group without factors");
            for (baby, factor) in group {
                assert!(*baby < babies.len(), "rotation {baby} of {}", babies.len());
                assert!(factor.set == set && factor.form == Form::Ntt, "{factor:?}");
            }
        }
    }

    /// The words of a limb from `start` on, as many as `room` holds: borrowed, or repeated there.
    pub(crate) fn expanded<'a>(
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
            let input = |domain: u64, set| sampling::uniform(&ring, &seed, domain, set);
            let pair = |domain: u64, set| [input(2 * domain, set), input(2 * domain + 1, set)];
            let plain = pair(100, PrimeSet { q: 2, p: 0 });
            let digits = vec![input(50, set), input(51, set)];
            let galois = [1, 5, 25, 125].map(|element| element % (2 * n as u64));
            let keys: Vec<[[RnsPoly; 2]; 2]> = (0..4)
                .map(|i| [pair(2 * i, set), pair(2 * i + 1, set)])
                .collect();
            let babies: Vec<Baby<'_, RnsPoly>> = keys
                .iter()
                .zip(galois)
                .map(|(key, galois)| Baby {
                    key: (galois != 1).then_some(&key[..]),
                    galois,
                })
                .collect();
            // Step by step.
            let rotations: Vec<[RnsPoly; 2]> = babies
                .iter()
                .map(|baby| match baby.key {
                    None => [0, 1].map(|half| {
                        let mut lifted = ring.zero(set, Form::Ntt);
                        ring.add_times_p_assign(&mut lifted, &plain[half]);
                        lifted
                    }),
                    Some(key) => {
                        let mut sum = ring.inner_product(&digits, key);
                        ring.add_times_p_assign(&mut sum[0], &plain[0]);
                        sum.map(|half| ring.automorphism(&half, baby.galois))
                    }
                })
                .collect();
            let groups: Vec<Vec<(usize, &RnsPoly)>> = vec![
                blocks.iter().enumerate().collect(),
                vec![(3, &blocks[1]), (0, &blocks[2])],
            ];
            let found =
                ring.rotated_products([&plain[0], &plain[1]], &digits, &babies, &groups, set);
            let expected =
                [&[0, 1, 2, 3][..], &[1, 2]]
                    .into_iter()
                    .zip(&groups)
                    .map(|(used, group)| {
                        let factors: Vec<&RnsPoly> = used.iter().map(|&i| &factors[i]).collect();
                        let inputs: Vec<[&RnsPoly; 2]> = group
                            .iter()
                            .map(|(baby, _)| [&rotations[*baby][0], &rotations[*baby][1]])
                            .collect();
                        ring.inner_product(&factors, &inputs)
                    });
            assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }
}
