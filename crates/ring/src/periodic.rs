//! Weights that are polynomials in X^(N/period): in NTT form each of their `period` values stands in N/period words in
//! a row, so that sums weighted by them are a small matrix product for each such block. They are equal at X and 1/X, as the
//! polynomials of real slots are, so that value i is value period - 1 - i: exponents of bit-reversed indices that are one
//! another's complement add up to 0.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use crate::arithmetic::lift::integers;
use crate::backend::{ROWS, portable};
use crate::buffer::Buffer;
use crate::{Modulus, NttTable, Ring, RingError, par};

/// Blocks whose weights are put in order together: a cache line of each weight.
const LINE: usize = 8;

/// Words between the weights of blocks, so that those of one place do not share a set of the cache.
const PADDING: usize = 24;

/// Words of weights that are in NTT form at once: 64 MiB. More sums at once read the sources less often.
const TOGETHER: usize = 1 << 23;

/// The weights of sums of products at one limb: for each sum and each of `count` sources the `period` values.
struct PeriodicWeights {
    values: Buffer,
    count: usize,
    period: usize,
}

/// Sums at one limb whose weights are polynomials.
pub(crate) struct PeriodicLimb<'a, 'o> {
    /// The first halves of the weights' coefficients, in the order sum, source, coefficient.
    pub coefficients: &'a [f64],
    /// Twice the number of coefficients that are given of a weight.
    pub period: usize,
    /// Sources of each sum.
    pub count: usize,
    /// Of these the ones that are not zero at this limb: place among them, a factor of the weights, number of the source.
    pub used: Vec<(usize, u64, usize)>,
    /// Both halves of each sum.
    pub outs: Vec<[&'o mut [u64]; 2]>,
}

impl Ring {
    /// Tables for polynomials in X^(N/period). Their root of unity is the power N/period of the ring's own, because both
    /// are powers of the same base: values agree with those of the polynomial in X.
    pub(crate) fn period_tables(&self, period: usize) -> Arc<Vec<NttTable>> {
        // Tables are only added.
        let known = self
            .periods
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&period)
            .cloned();
        if let Some(tables) = known {
            return tables;
        }
        let log = period.ilog2();
        let make = |i: usize| NttTable::new(*self.tables[i].modulus(), log, self.backend);
        let tables: Result<Vec<_>, RingError> =
            par::map(self.tables.len(), make).into_iter().collect();
        // A prime that is 1 modulo 2N is 1 modulo twice any divisor of N.
        let tables = Arc::new(tables.expect("roots of unity of a lower order"));
        let mut all = self.periods.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(period).or_insert(tables).clone()
    }

    /// A limb of sums. `source` yields a half of a source; products are added to what the outputs are if `add`.
    pub(crate) fn periodic_limb<'r>(
        &self,
        i: usize,
        mut sums: Vec<PeriodicLimb<'_, '_>>,
        source: impl Fn(usize, usize) -> &'r [u64],
        add: bool,
    ) {
        let mut left = &mut sums[..];
        while let Some(first) = left.first() {
            let period = first.period;
            let mut numbers = BTreeSet::new();
            let (mut rows, mut taken) = (0, 0);
            for one in left.iter() {
                let mut all = numbers.clone();
                all.extend(one.used.iter().map(|&(_, _, number)| number));
                let words = (rows + one.outs.len()) * all.len() * period;
                if one.period != period || (taken > 0 && words > TOGETHER) {
                    break;
                }
                (numbers, rows, taken) = (all, rows + one.outs.len(), taken + 1);
            }
            let (own, rest) = left.split_at_mut(taken);
            let numbers: Vec<usize> = numbers.into_iter().collect();
            let weights = self.periodic_weights(i, period, own, &numbers);
            let halves = [0, 1]
                .map(|half| -> Vec<&[u64]> { numbers.iter().map(|&s| source(s, half)).collect() });
            let outs = own.iter_mut().flat_map(|one| &mut one.outs);
            let mut outs: Vec<_> = outs.map(|[a, b]| [&mut a[..], &mut b[..]]).collect();
            let q = self.tables[i].modulus();
            self.multiply_blocks(q, &mut outs, [&halves[0], &halves[1]], &weights, add);
            left = rest;
        }
    }

    /// Values at limb `i` of the ring's tables of the weights of `sums` for all sources `numbers`, which ascend; zero for
    /// those that a sum does not use.
    fn periodic_weights(
        &self,
        i: usize,
        period: usize,
        sums: &[PeriodicLimb<'_, '_>],
        numbers: &[usize],
    ) -> PeriodicWeights {
        let tables = self.period_tables(period);
        let (table, q) = (&tables[i], self.tables[i].modulus());
        let (half, prime, count) = (period / 2, q.value(), numbers.len());
        let rows: usize = sums.iter().map(|one| one.outs.len()).sum();
        let mut values = Buffer::scratch(rows * count * period);
        let mut rows = values.chunks_exact_mut((count * period).max(1));
        for one in sums {
            let own = one.coefficients.chunks_exact(one.count * half);
            for (sum, values) in own.zip(&mut rows) {
                if one.used.len() < count {
                    values.fill(0);
                }
                for &(place, factor, number) in &one.used {
                    let at = numbers.partition_point(|&other| other < number);
                    let row = &mut values[at * period..][..period];
                    let (lower, upper) = row.split_at_mut(half);
                    integers(q, &sum[place * half..][..half], lower);
                    upper[0] = 0;
                    for (mirrored, &c) in upper[1..].iter_mut().rev().zip(&lower[1..]) {
                        *mirrored = if c == 0 { 0 } else { prime - c };
                    }
                    if factor != 1 {
                        self.backend
                            .mul_scalar(q, row, self.backend.prepare(q, factor));
                    }
                    self.backend.ntt(table, row);
                }
            }
        }
        PeriodicWeights {
            values,
            count,
            period,
        }
    }

    /// A limb of the sums: `outs` are both halves of each, `inputs` a half of each source; added to what `outs` are if `add`.
    fn multiply_blocks(
        &self,
        q: &Modulus,
        outs: &mut [[&mut [u64]; 2]],
        inputs: [&[&[u64]]; 2],
        weights: &PeriodicWeights,
        add: bool,
    ) {
        let (n, count, period) = (self.degree(), weights.count, weights.period);
        let block = n / period;
        // Vectors are not shorter than a line.
        let vectors = block >= LINE;
        let table = outs.len() * count;
        let mut ordered = Buffer::scratch(LINE * (table + PADDING));
        let mut products = Buffer::scratch(if add { outs.len() * block } else { 0 });
        for first in (0..period / 2).step_by(LINE) {
            weights.order(outs.len(), first, &mut ordered);
            let lines = LINE.min(period / 2 - first);
            for (at, weights) in ordered
                .chunks_exact_mut(table + PADDING)
                .take(lines)
                .enumerate()
            {
                let weights = &mut weights[..table];
                if vectors {
                    self.backend.encode(q, weights);
                }
                for index in [first + at, period - 1 - first - at] {
                    let words = index * block..(index + 1) * block;
                    self.multiply_block(q, outs, inputs, (weights, words), &mut products);
                }
            }
        }
    }

    /// Some words of the sums, with weights as from [`crate::backend::interleaved`]; added to what they are through the
    /// room of `products`, if there is any.
    fn multiply_block(
        &self,
        q: &Modulus,
        outs: &mut [[&mut [u64]; 2]],
        inputs: [&[&[u64]]; 2],
        (weights, words): (&[u64], Range<usize>),
        products: &mut [u64],
    ) {
        let vectors = words.len() >= LINE;
        for (half, inputs) in inputs.iter().enumerate() {
            let inputs: Vec<&[u64]> = inputs.iter().map(|row| &row[words.clone()]).collect();
            let multiply = |rows: &mut [&mut [u64]]| match vectors {
                true => self.backend.weighted_rows(q, rows, &inputs, weights),
                false => portable::weighted_rows(q, rows, &inputs, weights),
            };
            let own = outs.iter_mut().map(|out| &mut out[half][words.clone()]);
            if products.is_empty() {
                multiply(&mut own.collect::<Vec<_>>());
            } else {
                let mut rows: Vec<_> = products.chunks_exact_mut(words.len()).collect();
                multiply(&mut rows);
                for (x, &y) in own.flatten().zip(rows.iter().flat_map(|row| row.iter())) {
                    *x = q.add(*x, y);
                }
            }
        }
    }
}

impl PeriodicWeights {
    /// The weights of [`LINE`] blocks from `first` on, block after block, each interleaved, with some words between them.
    fn order(&self, sums: usize, first: usize, ordered: &mut [u64]) {
        let (count, period) = (self.count, self.period);
        let table = sums * count + PADDING;
        let lines = LINE.min(period / 2 - first);
        let mut at = 0;
        for group in (0..sums).step_by(ROWS) {
            let rows = ROWS.min(sums - group);
            for source in 0..count {
                let mut square = [[0; ROWS]; LINE];
                for row in 0..rows {
                    let line = &self.values[((group + row) * count + source) * period + first..];
                    for (words, &value) in square.iter_mut().zip(&line[..lines]) {
                        words[row] = value;
                    }
                }
                for (words, out) in square.iter().zip(ordered.chunks_exact_mut(table)) {
                    out[at..at + rows].copy_from_slice(&words[..rows]);
                }
                at += rows;
            }
        }
    }
}
