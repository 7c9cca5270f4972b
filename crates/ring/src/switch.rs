//! A hybrid key switch as one operation on limbs: digits, inner product, division and automorphism.
//!
//! Step by step ([`Ring::mod_up_from`], [`Ring::inner_product`], [`Ring::mod_down`]) each intermediate polynomial goes
//! to memory and comes back, and at N = 2^16 that takes longer than the arithmetic. Here a limb is
//! finished before the next is begun: only the coefficients of the digits and of the remainders modulo P, which
//! all limbs need, are kept. The results are those of the steps, to the bit.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;

use crate::backend::{DigitLimb, Division, LimbSwitch, Target};
use crate::buffer::Buffer;
use crate::conversion::{Extension, Reduction, groups};
use crate::{Constant, Form, PrimeSet, Ring, RnsPoly, par};

/// One use of the digits of a polynomial.
pub struct Switch<'a, K> {
    /// For each digit the two halves of the key, in NTT form over the main primes of the polynomial (or
    /// more) and all special primes.
    pub key: &'a [[K; 2]],
    /// Polynomials to add to the two results, in NTT form over the main primes.
    pub addends: [Option<&'a RnsPoly>; 2],
    /// Galois element of the automorphism that is applied in the end; 1 for none.
    pub galois: u64,
}

/// A digit: its primes, and its coefficients with the overflow count, as base conversion takes them.
pub(crate) struct Digit {
    range: Range<usize>,
    extension: Arc<Extension>,
    rows: Buffer,
}

/// A division: what it divides by, and where its primes are in the ring's tables.
struct Divisor<'a> {
    reduction: &'a Reduction,
    sources: Vec<usize>,
    /// For each kept limb the factor of the addends.
    factors: Vec<Constant>,
}

/// What becomes of the sums of products with a key.
enum End<'a> {
    /// They are the results, P-fold addends included, without their automorphism.
    Sums,
    /// They are the results, addends as they are included, after their automorphism.
    Extended,
    /// They are divided, with these remainders of the uses.
    Quotients(&'a Divisor<'a>, &'a [[Buffer; 2]]),
}

/// One limb of all uses: its number among the main primes or the sources, and its outputs.
pub(crate) type Task<'a> = (usize, Vec<[&'a mut [u64]; 2]>);

impl Ring {
    /// For each use the pair of r_k = round(sum over d of digit_d * key\[d\]\[k\] / P) + addend_k modulo the main
    /// primes of `a`, after its automorphism: digit_d is `a` modulo the primes of `digits[d]`, as
    /// [`Ring::mod_up`] makes it, and P the product of all special primes. With `rescale` the pair is divided by
    /// the last main prime q_l as well, with one rounding for both: round((sum + P addend_k) / (P q_l)), over
    /// one prime less.
    ///
    /// Scratch memory: a copy of `a`, the special limbs of all uses, and for each thread eight limbs a digit.
    ///
    /// # Panics
    /// When `a` is not in NTT form over main primes (two or more to rescale), the ring has no special primes, the
    /// digits do not cover `a` in order, or an operand lacks limbs or is not in NTT form.
    pub fn switch<K: Borrow<RnsPoly> + Sync>(
        &self,
        a: &RnsPoly,
        digits: &[Range<usize>],
        uses: &[Switch<'_, K>],
        rescale: bool,
    ) -> Vec<[RnsPoly; 2]> {
        self.check_switch(a, digits, uses, rescale);
        let (n, q) = (self.degree(), a.set.q);
        let kept = q - usize::from(rescale);
        let divisor = self.divisor(q - 1, kept, rescale);
        let digits = self.digits(a, digits);

        // The sums modulo the primes that are divided by, back to coefficients.
        let len = divisor.sources.len();
        let mut remainders: Vec<[Buffer; 2]> = uses
            .iter()
            .map(|_| [0, 1].map(|_| Buffer::scratch((len + 1) * n)))
            .collect();
        let mut tasks = tasks(&divisor.sources);
        for pair in &mut remainders {
            let [x, y] = pair;
            let limbs = x.chunks_exact_mut(n).zip(y.chunks_exact_mut(n));
            for ((_, outs), (x, y)) in tasks.iter_mut().zip(limbs) {
                outs.push([x, y]);
            }
        }
        par::for_each(groups(tasks), |group| {
            self.switch_group(a, &digits, uses, group, &End::Sums);
        });
        let mut halves: Vec<&mut Buffer> = remainders.iter_mut().flatten().collect();
        par::for_each_mut(&mut halves, |rows| {
            self.to_rows(&divisor.reduction.extension, &divisor.sources, rows);
        });

        let set = PrimeSet { q: kept, p: 0 };
        let mut out: Vec<[RnsPoly; 2]> = uses
            .iter()
            .map(|_| [0, 1].map(|_| self.scratch(set, Form::Ntt)))
            .collect();
        let limbs: Vec<usize> = (0..kept).collect();
        let mut tasks = self::tasks(&limbs);
        for [x, y] in &mut out {
            for ((_, outs), (x, y)) in tasks.iter_mut().zip(x.limbs_mut().zip(y.limbs_mut())) {
                outs.push([x, y]);
            }
        }
        par::for_each(groups(tasks), |group| {
            let end = End::Quotients(&divisor, &remainders);
            self.switch_group(a, &digits, uses, group, &end);
        });
        out
    }

    /// The pair of sum over d of digit_d * key\[d\]\[k\] + addend_k after an automorphism, not divided: over the main
    /// primes of `a` and all special primes, as are the addends, which come as they are. Else as [`Ring::switch`] for a
    /// single use.
    ///
    /// # Panics
    /// As [`Ring::switch`], and when an addend has another set.
    pub fn switch_extended<K: Borrow<RnsPoly> + Sync>(
        &self,
        a: &RnsPoly,
        digits: &[Range<usize>],
        one: &Switch<'_, K>,
    ) -> [RnsPoly; 2] {
        let set = PrimeSet {
            p: self.p_len(),
            ..a.set
        };
        for addend in one.addends.into_iter().flatten() {
            assert!(addend.set == set && addend.form == Form::Ntt, "{addend:?}");
        }
        let plain = Switch {
            addends: [None; 2],
            ..*one
        };
        self.check_switch(a, digits, &[plain], false);
        let digits = self.digits(a, digits);
        let mut out = [0, 1].map(|_| self.scratch(set, Form::Ntt));
        let limbs: Vec<usize> = (0..set.len()).map(|i| self.table_index(set, i)).collect();
        let mut tasks = tasks(&limbs);
        let [x, y] = &mut out;
        for ((_, outs), (x, y)) in tasks.iter_mut().zip(x.limbs_mut().zip(y.limbs_mut())) {
            outs.push([x, y]);
        }
        par::for_each(groups(tasks), |group| {
            self.switch_group(a, &digits, std::slice::from_ref(one), group, &End::Extended);
        });
        out
    }

    /// What divides by P, or by P and main prime `last`.
    fn divisor(&self, last: usize, kept: usize, rescale: bool) -> Divisor<'_> {
        if rescale {
            let (reduction, sources) = self.by_main_and_special(last);
            return Divisor {
                reduction,
                sources,
                factors: self.by_main(last).inverses[..kept].to_vec(),
            };
        }
        let (reduction, sources) = self.by_special(self.p_len());
        let one = |i| self.backend.prepare(self.q(i), 1);
        Divisor {
            reduction,
            sources,
            factors: (0..kept).map(one).collect(),
        }
    }

    /// The rows of all digits of `a`.
    pub(crate) fn digits(&self, a: &RnsPoly, digits: &[Range<usize>]) -> Vec<Digit> {
        let n = self.degree();
        let mut out: Vec<Digit> = digits
            .iter()
            .map(|range| Digit {
                range: range.clone(),
                extension: self.extension(range),
                rows: Buffer::scratch((range.len() + 1) * n),
            })
            .collect();
        par::for_each_mut(&mut out, |digit| {
            let len = digit.range.len();
            digit.rows[..len * n]
                .copy_from_slice(&a.words[digit.range.start * n..digit.range.end * n]);
            let sources: Vec<usize> = digit.range.clone().collect();
            self.to_rows(&digit.extension, &sources, &mut digit.rows);
        });
        out
    }

    /// From values modulo the primes `sources`, one row each, to what base conversion takes; fills the last row.
    fn to_rows(&self, extension: &Extension, sources: &[usize], rows: &mut [u64]) {
        let n = self.degree();
        par::for_each_chunk(&mut rows[..sources.len() * n], n, |i, row| {
            let table = &self.tables[sources[i]];
            self.backend.intt(table, row, extension.transform_scales[i]);
        });
        self.add_overflow_row(extension, rows);
    }

    /// The limbs of a group, for all uses.
    fn switch_group<K: Borrow<RnsPoly> + Sync>(
        &self,
        a: &RnsPoly,
        digits: &[Digit],
        uses: &[Switch<'_, K>],
        group: Vec<Task<'_>>,
        end: &End<'_>,
    ) {
        let divisor = match end {
            End::Quotients(divisor, _) => Some(*divisor),
            _ => None,
        };
        let n = self.degree();
        let numbers: Vec<usize> = group.iter().map(|(i, _)| *i).collect();
        let mut half = Buffer::scratch(digits.len() * group.len() * n);
        let mut limbs = self.extended_digits(a, digits, &numbers, &mut half);
        let mut outs: Vec<_> = group
            .into_iter()
            .map(|(_, outs)| outs.into_iter())
            .collect();
        let mut scratch = Buffer::scratch(divisor.map_or(0, |_| 2 * numbers.len() * n));
        for (k, one) in uses.iter().enumerate() {
            let ordered = one.galois != 1 && !matches!(end, End::Sums);
            let order = ordered.then(|| self.order(one.galois));
            if let End::Quotients(divisor, remainders) = end {
                let halves = scratch.chunks_exact_mut(numbers.len() * n);
                for (rows, scratch) in remainders[k].iter().zip(halves) {
                    let extension = &divisor.reduction.extension;
                    let mut targets: Vec<_> = numbers
                        .iter()
                        .zip(scratch.chunks_exact_mut(n))
                        .map(|(&i, out)| self.target(extension, i, out))
                        .collect();
                    self.backend.extend(rows, &mut targets);
                }
            }
            let middle = scratch.len() / 2;
            let (first, second) = scratch.split_at_mut(middle);
            let mut halves = first.chunks_exact_mut(n).zip(second.chunks_exact_mut(n));
            for ((&i, limb), outs) in numbers.iter().zip(&mut limbs).zip(&mut outs) {
                let Some(out) = outs.next() else { continue };
                let keys = self.key_limbs(&one.key[..digits.len()], i);
                let division = divisor
                    .zip(halves.next())
                    .map(|(divisor, (x, y))| Division {
                        remainders: [x, y],
                        inverse: divisor.reduction.inverses[i],
                    });
                let (addends, factor) = self.addends(one, i, end);
                self.backend.switch_limb(&mut LimbSwitch {
                    table: &self.tables[i],
                    digits: limb,
                    keys: &keys,
                    division,
                    addends,
                    factor,
                    order: order.as_ref().map(|o| o.source()),
                    out,
                });
                completed(limb);
            }
        }
    }

    /// The limbs with `numbers` of all digits of `a`: half transforms in `half`, and limbs of `a` itself.
    pub(crate) fn extended_digits<'a>(
        &'a self,
        a: &'a RnsPoly,
        digits: &'a [Digit],
        numbers: &[usize],
        half: &'a mut [u64],
    ) -> Vec<Vec<DigitLimb<'a>>> {
        let n = self.degree();
        let mut limbs: Vec<Vec<DigitLimb>> = numbers.iter().map(|_| Vec::new()).collect();
        for (digit, scratch) in digits.iter().zip(half.chunks_exact_mut(numbers.len() * n)) {
            let mut targets = Vec::with_capacity(numbers.len());
            let mut homes = Vec::with_capacity(numbers.len());
            for ((&i, limb), out) in numbers
                .iter()
                .zip(&mut limbs)
                .zip(scratch.chunks_exact_mut(n))
            {
                if digit.range.contains(&i) {
                    limb.push(DigitLimb::Values(a.limb(i)));
                } else {
                    targets.push(self.target(&digit.extension, i, out));
                    homes.push(limb);
                }
            }
            self.backend.extend(&digit.rows, &mut targets);
            for (limb, target) in homes.into_iter().zip(targets) {
                limb.push(DigitLimb::Half(target.out));
            }
        }
        limbs
    }

    /// Limb `i` of both halves of a key for each digit.
    pub(crate) fn key_limbs<'k, K: Borrow<RnsPoly>>(
        &self,
        key: &'k [[K; 2]],
        i: usize,
    ) -> Vec<[&'k [u64]; 2]> {
        key.iter()
            .map(|pair| [&pair[0], &pair[1]].map(|half| self.limb_of(half.borrow(), i)))
            .collect()
    }

    /// What is added to limb `i`, and times what. Addends of quotients count P-fold before the division, so that they are
    /// nothing modulo the special primes.
    fn addends<'a, K>(
        &self,
        one: &Switch<'a, K>,
        i: usize,
        end: &End<'_>,
    ) -> ([Option<&'a [u64]>; 2], Constant) {
        let table = self.tables[i].modulus();
        let factor = match end {
            End::Extended => self.backend.prepare(table, 1),
            _ if i >= self.q_len => return ([None; 2], self.backend.prepare(table, 0)),
            End::Quotients(divisor, _) => divisor.factors[i],
            End::Sums => {
                let p = (0..self.p_len())
                    .fold(1, |acc, j| table.mul(acc, table.reduce(self.p(j).value())));
                self.backend.prepare(table, p)
            }
        };
        let addends = one.addends.map(|addend| addend.map(|a| self.limb_of(a, i)));
        (addends, factor)
    }

    fn target<'a>(&'a self, extension: &'a Extension, i: usize, out: &'a mut [u64]) -> Target<'a> {
        Target {
            table: &self.tables[i],
            weights: &extension.weights[i],
            out,
        }
    }

    /// The limb of the prime at `i` in the ring's tables.
    pub(crate) fn limb_of<'a>(&self, poly: &'a RnsPoly, i: usize) -> &'a [u64] {
        if i < self.q_len {
            poly.limb_q(i)
        } else {
            poly.limb_p(i - self.q_len)
        }
    }

    #[track_caller]
    fn check_switch<K: Borrow<RnsPoly>>(
        &self,
        a: &RnsPoly,
        digits: &[Range<usize>],
        uses: &[Switch<'_, K>],
        rescale: bool,
    ) {
        self.check_set(a.set);
        assert!(
            a.form == Form::Ntt && a.set.p == 0 && a.set.q > usize::from(rescale),
            "switch of {a:?}"
        );
        assert!(self.p_len() > 0, "switch without special primes");
        let mut end = 0;
        for digit in digits {
            assert!(digit.start == end && digit.end > end, "digits {digits:?}");
            end = digit.end;
        }
        assert_eq!(end, a.set.q, "digits {digits:?} of {a:?}");
        for one in uses {
            assert!(
                one.key.len() >= digits.len(),
                "{} key digits",
                one.key.len()
            );
            for key in one.key[..digits.len()].iter().flatten() {
                let key: &RnsPoly = key.borrow();
                assert!(
                    key.form == Form::Ntt && key.set.q >= end && key.set.p == self.p_len(),
                    "switch of {a:?} with {key:?}"
                );
            }
            for addend in one.addends.into_iter().flatten() {
                assert!(
                    addend.set == a.set && addend.form == Form::Ntt,
                    "{addend:?}"
                );
            }
        }
    }
}

/// What a switch with these digits has completed.
pub(crate) fn completed(limb: &mut [DigitLimb<'_>]) {
    for digit in limb {
        if let DigitLimb::Half(words) = digit {
            let done: &mut [u64] = std::mem::take(words);
            *digit = DigitLimb::Values(done);
        }
    }
}

/// A task for each limb, without outputs yet.
pub(crate) fn tasks<'a>(limbs: &[usize]) -> Vec<Task<'a>> {
    limbs.iter().map(|&i| (i, Vec::new())).collect()
}
