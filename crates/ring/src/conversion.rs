//! RNS base conversion: extension of a digit to more primes, and division by primes with rounding.
//!
//! The extension follows Halevi, Polyakov and Shoup ("An Improved RNS Variant of the BFV Homomorphic
//! Encryption Scheme", 2019, section 2.2). For x modulo D = d_0 ... d_{k-1}, y_i = x_i (D / d_i)^-1 mod d_i and
//! v = round(sum y_i / d_i) in floating point, sum y_i (D / d_i) - v D is the representative of x in
//! [-D/2, D/2], up to a relative 2^-45 of D where a value next to the border may come out on the other
//! side. v is computed in one fixed order without fused operations, so that every backend gets the same.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use crate::backend::Target;
use crate::buffer::Buffer;
use crate::{Constant, Form, Modulus, PrimeSet, Ring, RnsPoly, par};

/// Constants of the extension from some primes of the ring to all of them.
pub(crate) struct Extension {
    /// (D / d_i)^-1 mod d_i, prepared modulo d_i.
    scales: Vec<Constant>,
    /// The same divided by N, for inputs that come from an inverse transform.
    pub(crate) transform_scales: Vec<Constant>,
    /// 1 / d_i.
    inverses: Vec<f64>,
    /// For each prime of the ring: D / d_i modulo it, then -D modulo it, prepared.
    pub(crate) weights: Vec<Vec<Constant>>,
}

/// Constants of a division by D.
pub(crate) struct Reduction {
    pub(crate) extension: Extension,
    /// D^-1 modulo each main prime that is not part of D, prepared.
    pub(crate) inverses: Vec<Constant>,
}

impl Extension {
    /// Constants for the primes at `sources` in the ring's tables.
    fn new(ring: &Ring, sources: &[usize]) -> Self {
        let product = |q: &Modulus, skip: Option<usize>| {
            sources
                .iter()
                .filter(|&&s| Some(s) != skip)
                .fold(1, |acc, &s| {
                    q.mul(acc, q.reduce(ring.tables[s].modulus().value()))
                })
        };
        let scale = |s: usize, factor: u64| {
            let q = ring.tables[s].modulus();
            ring.backend
                .prepare(q, q.inv(q.mul(product(q, Some(s)), factor)))
        };
        Self {
            scales: sources.iter().map(|&s| scale(s, 1)).collect(),
            transform_scales: sources
                .iter()
                .map(|&s| scale(s, ring.degree() as u64))
                .collect(),
            inverses: sources
                .iter()
                .map(|&s| 1.0 / ring.tables[s].modulus().value() as f64)
                .collect(),
            weights: ring
                .tables
                .iter()
                .map(|t| {
                    let q = t.modulus();
                    let overflow = q.neg(product(q, None));
                    sources
                        .iter()
                        .map(|&s| product(q, Some(s)))
                        .chain([overflow])
                        .map(|w| ring.backend.prepare(q, w))
                        .collect()
                })
                .collect(),
        }
    }

    /// Number of source primes.
    pub(crate) fn len(&self) -> usize {
        self.inverses.len()
    }
}

impl Reduction {
    fn new(ring: &Ring, sources: &[usize]) -> Self {
        let inverses = (0..ring.q_len)
            .filter(|i| !sources.contains(i))
            .map(|i| {
                let q = ring.tables[i].modulus();
                let d = sources.iter().fold(1, |acc, &s| {
                    q.mul(acc, q.reduce(ring.tables[s].modulus().value()))
                });
                ring.backend.prepare(q, q.inv(d))
            })
            .collect();
        Self {
            extension: Extension::new(ring, sources),
            inverses,
        }
    }
}

impl Ring {
    /// Extends the residues of `a` (coefficient form) modulo the main primes `digit` to all primes of
    /// `target`, in NTT form. With D the product of the digit's primes, the result is the polynomial with
    /// coefficients in [-D/2, D/2] congruent to `a` modulo D (a coefficient within 2^-45 D of the border may
    /// be on its other side). Limbs of the digit's own primes are copies, transformed.
    ///
    /// # Panics
    /// When `a` is not in coefficient form, lacks limbs of the digit, or the digit is empty.
    pub fn mod_up(&self, a: &RnsPoly, digit: Range<usize>, target: PrimeSet) -> RnsPoly {
        self.mod_up_from(a, None, digit, target)
    }

    /// As [`Ring::mod_up`]; `transformed` is `a` in NTT form, from which the digit's own limbs are copied
    /// instead of being transformed again.
    ///
    /// # Panics
    /// As [`Ring::mod_up`], and when `transformed` is not in NTT form or lacks limbs of the digit.
    pub fn mod_up_from(
        &self,
        a: &RnsPoly,
        transformed: Option<&RnsPoly>,
        digit: Range<usize>,
        target: PrimeSet,
    ) -> RnsPoly {
        assert!(
            a.form == Form::Coefficient,
            "mod_up: {a:?} is not in coefficient form"
        );
        assert!(
            !digit.is_empty() && digit.end <= a.set.q,
            "mod_up: digit {digit:?} of {a:?}"
        );
        if let Some(t) = transformed {
            assert!(
                t.form == Form::Ntt && digit.end <= t.set.q,
                "mod_up: digit {digit:?} of {t:?}"
            );
        }
        let extension = self.extension(&digit);
        let mut rows = Buffer::scratch((extension.len() + 1) * self.degree());
        par::for_each_chunk(
            &mut rows[..extension.len() * self.degree()],
            self.degree(),
            |i, row| {
                row.copy_from_slice(a.limb(digit.start + i));
                self.backend
                    .mul_scalar(self.q(digit.start + i), row, extension.scales[i]);
            },
        );
        self.add_overflow_row(&extension, &mut rows);
        let mut out = self.scratch(target, Form::Ntt);
        self.for_each_group(&mut out, |group| {
            let (own, others): (Vec<_>, Vec<_>) = group
                .into_iter()
                .partition(|(i, _)| *i < target.q && digit.contains(i));
            for (i, limb) in own {
                match transformed {
                    Some(source) => limb.copy_from_slice(source.limb(i)),
                    None => {
                        limb.copy_from_slice(a.limb(i));
                        self.backend.ntt(&self.tables[i], limb);
                    }
                }
            }
            self.extend_limbs(&extension, &rows, target, others, |_, _| ());
        });
        out
    }

    /// round(a / P) modulo the main primes of `a`, P being the product of its special primes: from
    /// `PrimeSet { q, p }` to `PrimeSet { q, p: 0 }`, NTT form in and out. Each coefficient is within
    /// 1/2 + 2^-45 of the quotient.
    ///
    /// # Panics
    /// When `a` is not in NTT form. Without special primes `a` comes back as it is.
    pub fn mod_down(&self, a: RnsPoly) -> RnsPoly {
        if a.set.p == 0 {
            return a;
        }
        let (reduction, sources) = self.by_special(a.set.p);
        self.divide(a, reduction, &sources)
    }

    /// What divides by the first `p` special primes, and where these are in the ring's tables.
    pub(crate) fn by_special(&self, p: usize) -> (&Reduction, Vec<usize>) {
        let sources: Vec<usize> = (self.q_len..self.q_len + p).collect();
        let reduction = self.mod_downs[p].get_or_init(|| Reduction::new(self, &sources));
        (reduction, sources)
    }

    /// What divides by main prime `last`.
    pub(crate) fn by_main(&self, last: usize) -> &Reduction {
        self.rescales[last].get_or_init(|| Reduction::new(self, &[last]))
    }

    /// What divides by main prime `last` and all special primes, and where these are in the ring's tables.
    pub(crate) fn by_main_and_special(&self, last: usize) -> (&Reduction, Vec<usize>) {
        let sources: Vec<usize> = [last]
            .into_iter()
            .chain(self.q_len..self.tables.len())
            .collect();
        let reduction = self.mod_down_rescales[last].get_or_init(|| Reduction::new(self, &sources));
        (reduction, sources)
    }

    /// round(a / (P q_l)) modulo the other main primes, q_l being the last main prime of `a` and P the
    /// product of all special primes: [`Ring::mod_down`] and [`Ring::rescale`] in one pass, with one
    /// rounding. From `PrimeSet { q: l + 1, p }` to `PrimeSet { q: l, p: 0 }`, NTT form in and out.
    ///
    /// # Panics
    /// When `a` is not in NTT form, lacks a special prime, or has fewer than two main primes.
    pub fn mod_down_rescale(&self, a: RnsPoly) -> RnsPoly {
        assert!(
            a.set.p == self.p_len() && a.set.q >= 2,
            "mod_down_rescale: {a:?}"
        );
        let (reduction, sources) = self.by_main_and_special(a.set.q - 1);
        self.divide(a, reduction, &sources)
    }

    /// acc += P * a, P being the product of the special primes of `acc`, which `a` lacks: what
    /// [`Ring::mod_down`] turns into `+ a`. Both have the same main primes and form.
    ///
    /// # Panics
    /// When they have not.
    pub fn add_times_p_assign(&self, acc: &mut RnsPoly, a: &RnsPoly) {
        let set = acc.set;
        assert!(
            a.set == PrimeSet { p: 0, ..set } && a.form == acc.form,
            "add_times_p: {acc:?} and {a:?}"
        );
        self.for_each_indexed_limb(acc, |i, t, limb| {
            if i < set.q {
                let q = t.modulus();
                let p = (0..set.p).fold(1, |acc, j| q.mul(acc, q.reduce(self.p(j).value())));
                self.backend
                    .mul_scalar_add(q, limb, a.limb(i), self.backend.prepare(q, p));
            }
        });
    }

    /// round(a / q_l) modulo the other main primes, q_l being the last main prime of `a`: from
    /// `PrimeSet { q: l + 1, p: 0 }` to `PrimeSet { q: l, p: 0 }`, NTT form in and out. Each coefficient is
    /// within 1/2 + 2^-45 of the quotient.
    ///
    /// # Panics
    /// When `a` is not in NTT form, has special primes, or has fewer than two main primes.
    pub fn rescale(&self, a: RnsPoly) -> RnsPoly {
        assert!(a.set.p == 0 && a.set.q >= 2, "rescale: {a:?}");
        let last = a.set.q - 1;
        self.divide(a, self.by_main(last), &[last])
    }

    /// Division by the primes at `sources`, which are the last limbs of `a`.
    fn divide(&self, a: RnsPoly, reduction: &Reduction, sources: &[usize]) -> RnsPoly {
        assert!(
            a.form == Form::Ntt,
            "division of {a:?}, which is not in NTT form"
        );
        self.check_set(a.set);
        let (n, kept) = (self.degree(), a.set.len() - sources.len());
        let extension = &reduction.extension;
        let mut rows = Buffer::scratch((sources.len() + 1) * n);
        rows[..sources.len() * n].copy_from_slice(&a.words[kept * n..]);
        par::for_each_chunk(&mut rows[..sources.len() * n], n, |i, row| {
            self.backend
                .intt(&self.tables[sources[i]], row, extension.transform_scales[i]);
        });
        self.add_overflow_row(extension, &mut rows);
        let set = PrimeSet { q: kept, p: 0 };
        let mut out = self.scratch(set, Form::Ntt);
        self.for_each_group(&mut out, |group| {
            self.extend_limbs(extension, &rows, set, group, |i, limb| {
                let q = self.tables[i].modulus();
                self.backend
                    .sub_from_mul_scalar(q, limb, a.limb(i), reduction.inverses[i]);
            });
        });
        out
    }

    /// Runs `f` on groups of limbs with their numbers: as many at once as share the cached rows of a base
    /// conversion well, and no fewer groups than threads.
    fn for_each_group(&self, a: &mut RnsPoly, f: impl Fn(Vec<(usize, &mut [u64])>) + Send + Sync) {
        let limbs: Vec<_> = a.limbs_mut().enumerate().collect();
        par::for_each(groups(limbs), f);
    }

    /// Base conversion of `rows` to some limbs of a polynomial over `set`, in NTT form, and `then` for each.
    fn extend_limbs(
        &self,
        extension: &Extension,
        rows: &[u64],
        set: PrimeSet,
        limbs: Vec<(usize, &mut [u64])>,
        then: impl Fn(usize, &mut [u64]),
    ) {
        let mut targets: Vec<Target> = Vec::with_capacity(limbs.len());
        let mut numbers = Vec::with_capacity(limbs.len());
        for (i, out) in limbs {
            let table = self.table_index(set, i);
            numbers.push(i);
            targets.push(Target {
                table: &self.tables[table],
                weights: &extension.weights[table],
                out,
            });
        }
        self.backend.extend(rows, &mut targets);
        for (i, target) in numbers.into_iter().zip(targets) {
            self.backend.complete(target.table, target.out);
            then(i, target.out);
        }
    }

    /// Fills the last row with v = round(sum y_i / d_i) of the rows before.
    pub(crate) fn add_overflow_row(&self, extension: &Extension, rows: &mut [u64]) {
        let n = self.degree();
        let (sources, last) = rows.split_at_mut(extension.len() * n);
        let part = (n / par::threads().next_power_of_two()).max(LEAST_COLUMNS.min(n));
        par::for_each_chunk(last, part, |index, out| {
            let first = index * part;
            self.backend
                .overflow(out, first, sources, &extension.inverses);
        });
    }

    pub(crate) fn extension(&self, digit: &Range<usize>) -> Arc<Extension> {
        let key = (digit.start, digit.end);
        // A poisoned lock only means that another thread panicked between complete insertions.
        if let Some(e) = self
            .extensions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return e.clone();
        }
        let made = Arc::new(Extension::new(self, &digit.clone().collect::<Vec<_>>()));
        self.extensions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_insert(made)
            .clone()
    }
}

/// Least columns of a row that are worth a thread's while.
const LEAST_COLUMNS: usize = 4096;

/// Largest number of limbs that are worked on together.
const GROUP: usize = 8;

/// Cuts limbs into groups of at most [`GROUP`], as many for each thread, whose sizes differ by one at most: threads wait for the
/// last group.
pub(crate) fn groups<T>(limbs: Vec<T>) -> Vec<Vec<T>> {
    let (threads, len) = (par::threads(), limbs.len());
    let count = (threads * len.div_ceil(threads * GROUP)).min(len);
    let mut limbs = limbs.into_iter();
    let size = |group: usize| (group + 1) * len / count - group * len / count;
    (0..count)
        .map(|group| limbs.by_ref().take(size(group)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_limbs_evenly() {
        for len in 0..70 {
            let groups = groups((0..len).collect());
            assert!(groups.iter().flatten().copied().eq(0..len));
            let sizes = || groups.iter().map(Vec::len);
            let (least, most) = (sizes().min(), sizes().max());
            assert!(
                most <= Some(GROUP) && least >= most.map(|most| most - 1),
                "{len}"
            );
        }
    }
}
