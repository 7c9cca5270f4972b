//! Matrix products with rotations of many inputs: the linear part of a convolution.
//!
//! Rotation by rotation, each one is divided by P, goes to memory, comes back to be masked, and again to be weighted.
//! Here all rotations of a limb are made, masked and weighted before the next limb is begun, and stay P-fold: what is
//! divided is the sums, of which there are fewer ("double hoisting", Bossuat et al., EUROCRYPT 2021, section 4.3).

use std::borrow::Borrow;
use std::ops::Range;

use crate::backend::{DigitLimb, LimbSwitch};
use crate::buffer::Buffer;
use crate::matrix::TASK;
use crate::periodic::PeriodicLimb;
use crate::product::STRIP;
use crate::switch::{Digit, Task, completed, tasks};
use crate::{Constant, Form, PrimeSet, Ring, RnsPoly, par};

/// Limbs to which digits are extended at once: more read the digits' coefficients less often and need more memory.
const LIMBS: usize = 4;

/// Words of all sources that are weighted at once: half of a second-level cache.
const NEAR: usize = 1 << 17;
/// Least words of a source that are weighted at once.
const CHUNK: usize = 256;

/// What is done with an input before it is weighted.
pub struct Shift<'a, K> {
    /// The two halves of the key for each digit, over the primes wanted or more; none for the rotation by nothing.
    pub key: Option<&'a [[K; 2]]>,
    /// Galois element of the automorphism, 1 without a key.
    pub galois: u64,
    /// A factor of the rotated input, over the primes wanted or more; may have come from [`Ring::blocks`].
    pub factor: Option<&'a RnsPoly>,
}

/// Sums of products of sources with weights.
pub struct ShiftedSums<'a> {
    /// Numbers of the sources that are summed.
    pub sources: &'a [usize],
    /// What they are multiplied by.
    pub weights: Weights<'a>,
}

/// For each sum in turn the weight of each source.
#[derive(Clone, Copy)]
pub enum Weights<'a> {
    /// Integers.
    Integers(&'a [i64]),
    /// Polynomials in X^(N/period), `period` a power of two from 8 to N, that are equal at X and 1/X: coefficient
    /// `period - j` is minus coefficient j.
    Polynomials {
        /// Coefficients of each.
        period: usize,
        /// The first half of them: integers below [`Ring::INTEGER_BOUND`] in magnitude.
        coefficients: &'a [f64],
    },
}

impl Weights<'_> {
    /// Number of weights.
    fn len(&self) -> usize {
        match self {
            Self::Integers(weights) => weights.len(),
            Self::Polynomials {
                period,
                coefficients,
            } => 2 * coefficients.len() / period,
        }
    }

    /// Whether they are whole weights for a ring of this degree.
    fn fit(&self, degree: usize) -> bool {
        match self {
            Self::Integers(_) => true,
            Self::Polynomials {
                period,
                coefficients,
            } => {
                let power = period.is_power_of_two() && (8..=degree).contains(period);
                power && coefficients.len().is_multiple_of(*period / 2)
            }
        }
    }
}

/// Everything that does not depend on the limb.
struct Job<'a, K> {
    inputs: &'a [[&'a RnsPoly; 2]],
    /// Of the inputs that are rotated.
    digits: Vec<Option<Vec<Digit>>>,
    shifts: &'a [Shift<'a, K>],
    /// Input and shift of each source, and its place among those that are made, by shift.
    sources: &'a [(usize, usize)],
    rooms: Vec<Option<usize>>,
    sums: &'a [ShiftedSums<'a>],
    set: PrimeSet,
    /// Digits of an input.
    count: usize,
    add: bool,
}

impl Ring {
    /// For each of `sums` in turn, for each of its rows of weights, the pair of sums of its sources times their weights,
    /// in NTT form over `set`, added to `out` if that is given. Source s is input `sources[s].0` after shift
    /// `sources[s].1`: the image under an automorphism, after a switch with the key, times the factor. Over special
    /// primes all is P-fold, as [`Ring::mod_down`] takes it; without them nothing can be rotated.
    ///
    /// Scratch memory: see [`Ring::shifted_sums_memory`].
    ///
    /// # Panics
    /// When operands lack limbs of `set` or are not in NTT form, a source or a sum names nothing that there is, numbers of
    /// weights do not fit, or there is a key but no special prime in `set`.
    pub fn shifted_sums<K: Borrow<RnsPoly> + Sync>(
        &self,
        (inputs, digits): (&[[&RnsPoly; 2]], &[Range<usize>]),
        shifts: &[Shift<'_, K>],
        sources: &[(usize, usize)],
        sums: &[ShiftedSums<'_>],
        set: PrimeSet,
        out: Option<Vec<[RnsPoly; 2]>>,
    ) -> Vec<[RnsPoly; 2]> {
        self.check_shifted(inputs, shifts, sources, sums, set);
        let mut rotated = vec![false; inputs.len()];
        for &(input, shift) in sources {
            rotated[input] |= shifts[shift].key.is_some();
        }
        let mut rooms = vec![None; sources.len()];
        for (room, s) in made(shifts, sources).into_iter().enumerate() {
            rooms[s] = Some(room);
        }
        let job = Job {
            inputs,
            digits: inputs
                .iter()
                .zip(&rotated)
                .map(|(input, &rotated)| rotated.then(|| self.digits(input[1], digits)))
                .collect(),
            shifts,
            sources,
            rooms,
            sums,
            set,
            count: digits.len(),
            add: out.is_some(),
        };
        let mut out = out.unwrap_or_else(|| {
            let rows = sums.iter().map(|s| s.weights.len() / s.sources.len()).sum();
            (0..rows)
                .map(|_| [0, 1].map(|_| self.scratch(set, Form::Ntt)))
                .collect()
        });
        let limbs: Vec<usize> = (0..set.len()).map(|i| self.table_index(set, i)).collect();
        let mut tasks = tasks(&limbs);
        for [x, y] in &mut out {
            assert!(x.set == set && y.set == set && x.form == Form::Ntt && y.form == Form::Ntt);
            for ((_, outs), (x, y)) in tasks.iter_mut().zip(x.limbs_mut().zip(y.limbs_mut())) {
                outs.push([x, y]);
            }
        }
        let mut groups = Vec::new();
        while !tasks.is_empty() {
            groups.push(tasks.split_off(tasks.len().saturating_sub(LIMBS)));
        }
        groups.reverse();
        par::for_each(groups, |group| self.shifted_group(&job, group));
        out
    }

    /// About how many bytes [`Ring::shifted_sums`] needs beside operands and results: for each of `inputs` that are
    /// rotated its coefficients by digits, over `limbs` main primes, and for each thread the digits of some limbs and one
    /// limb of `sources` rotations.
    pub fn shifted_sums_memory(
        degree: usize,
        limbs: usize,
        digits: usize,
        inputs: usize,
        sources: usize,
        threads: usize,
    ) -> usize {
        let rows = inputs * (limbs + digits + threads * LIMBS * digits);
        (rows + threads * 2 * sources) * degree * size_of::<u64>()
    }

    fn shifted_group<K: Borrow<RnsPoly> + Sync>(&self, job: &Job<'_, K>, group: Vec<Task<'_>>) {
        let n = self.degree();
        let numbers: Vec<usize> = group.iter().map(|(i, _)| *i).collect();
        let rotated = job.digits.iter().flatten().count();
        let mut halves = Buffer::scratch(rotated * job.count * numbers.len() * n);
        let mut room = halves.chunks_exact_mut((job.count * numbers.len() * n).max(1));
        let mut limbs: Vec<Vec<Vec<DigitLimb>>> = Vec::with_capacity(job.inputs.len());
        for (input, digits) in job.inputs.iter().zip(&job.digits) {
            limbs.push(match digits {
                Some(digits) => {
                    let half = room.next().unwrap_or(&mut []);
                    self.extended_digits(input[1], digits, &numbers, half)
                }
                None => Vec::new(),
            });
        }
        let made = made(job.shifts, job.sources);
        let mut rows = Buffer::scratch(2 * made.len() * n);
        for (at, (i, outs)) in group.into_iter().enumerate() {
            let (mut begun, mut left) = (0, &mut rows[..]);
            while begun < made.len() {
                let same = |pair: &[usize]| {
                    let [(a, x), (b, y)] = [job.sources[pair[0]], job.sources[pair[1]]];
                    a < b && x == y
                };
                let more = made[begun..]
                    .windows(2)
                    .take_while(|pair| same(pair))
                    .count();
                let (own, rest) = left.split_at_mut(2 * n * (more + 1));
                let own_limbs = limbs.iter_mut().map(|limbs| limbs.get_mut(at));
                self.shifted_limb(job, &made[begun..=begun + more], i, own_limbs, own);
                (begun, left) = (begun + more + 1, rest);
            }
            self.weighted_limb(job, i, &rows, outs);
        }
    }

    /// Limb `i` of both halves of some sources with one shift, in the order of their inputs. `limbs` are those of all
    /// inputs, where they are rotated.
    fn shifted_limb<'l, 'd: 'l, K: Borrow<RnsPoly> + Sync>(
        &self,
        job: &Job<'_, K>,
        sources: &[usize],
        i: usize,
        limbs: impl Iterator<Item = Option<&'l mut Vec<DigitLimb<'d>>>>,
        rows: &mut [u64],
    ) {
        let (n, table) = (self.degree(), &self.tables[i]);
        let shift = &job.shifts[job.sources[sources[0]].1];
        let inputs: Vec<usize> = sources.iter().map(|&s| job.sources[s].0).collect();
        if let Some(key) = shift.key {
            let keys = self.key_limbs(&key[..job.count], i);
            let (factor, order) = (self.special_product(i), self.order(shift.galois));
            let own = limbs
                .enumerate()
                .filter(|(input, _)| inputs.contains(input))
                .filter_map(|(_, limb)| limb);
            let mut jobs: Vec<LimbSwitch> = own
                .zip(&inputs)
                .zip(rows.chunks_exact_mut(2 * n))
                .map(|((digits, &input), out)| LimbSwitch {
                    table,
                    digits,
                    keys: &keys,
                    division: None,
                    addends: [
                        (i < self.q_len).then(|| self.limb_of(job.inputs[input][0], i)),
                        None,
                    ],
                    factor,
                    order: Some(order.source()),
                    out: out.split_at_mut(n).into(),
                })
                .collect();
            self.backend.switch_limbs(&mut jobs);
            for job in jobs {
                completed(job.digits);
            }
        } else if i < self.q_len {
            for (&input, out) in inputs.iter().zip(rows.chunks_exact_mut(2 * n)) {
                for (out, half) in out.chunks_exact_mut(n).zip(job.inputs[input]) {
                    out.copy_from_slice(self.limb_of(half, i));
                }
            }
        } else {
            // Nothing P-fold is left modulo special primes.
            return;
        }
        let Some(factor) = shift.factor else { return };
        let strip = STRIP.min(n);
        let mut expanded = Buffer::scratch(strip);
        let place = i.checked_sub(self.q_len).map_or(i, |j| factor.set.q + j);
        for start in (0..n).step_by(strip) {
            let factor = self.expanded(factor, place, start, &mut expanded);
            for row in rows.chunks_exact_mut(n) {
                let words = &mut row[start..start + strip];
                self.backend.mul_assign(table.modulus(), words, factor);
            }
        }
    }

    /// Limb `i` of all sums.
    fn weighted_limb<K>(
        &self,
        job: &Job<'_, K>,
        i: usize,
        rows: &[u64],
        outs: Vec<[&mut [u64]; 2]>,
    ) {
        let (n, q) = (self.degree(), self.tables[i].modulus());
        let special = if job.set.p > 0 { self.special(i) } else { 1 };
        let source = |s: usize, half: usize| match job.rooms[s] {
            Some(room) => &rows[(2 * room + half) * n..][..n],
            None => self.limb_of(job.inputs[job.sources[s].0][half], i),
        };
        let mut outs = outs.into_iter();
        let mut products = Vec::with_capacity(job.sums.len());
        let mut periodic = Vec::new();
        for sums in job.sums {
            let count = sums.sources.len();
            // What is not rotated is not P-fold yet; modulo special primes it is nothing.
            let keyed = |t: usize| job.shifts[job.sources[sums.sources[t]].1].key.is_some();
            let factor = |t: usize| if keyed(t) { 1 } else { special };
            let used: Vec<usize> = (0..count).filter(|&t| i < self.q_len || keyed(t)).collect();
            let own: Vec<_> = outs.by_ref().take(sums.weights.len() / count).collect();
            let numbers: Vec<usize> = used.iter().map(|&t| sums.sources[t]).collect();
            match sums.weights {
                Weights::Integers(weights) => {
                    let mut constants: Vec<Constant> = Vec::with_capacity(weights.len());
                    for row in weights.chunks_exact(count) {
                        constants.extend(used.iter().map(|&t| {
                            let weight = q.mul(q.from_i64(row[t]), factor(t));
                            self.backend.prepare(q, weight)
                        }));
                    }
                    products.push((numbers, constants, own));
                }
                Weights::Polynomials {
                    period,
                    coefficients,
                } => {
                    let used = used.iter().map(|&t| (t, factor(t), sums.sources[t]));
                    periodic.push(PeriodicLimb {
                        coefficients,
                        period,
                        count,
                        used: used.collect(),
                        outs: own,
                    });
                }
            }
        }
        self.periodic_limb(i, periodic, source, job.add);
        // Sources stay in the cache for all sums.
        let chunk = (NEAR / job.sources.len().max(1))
            .next_power_of_two()
            .clamp(CHUNK, TASK)
            .min(n);
        for half in 0..2 {
            for start in (0..n).step_by(chunk) {
                for (used, weights, own) in &mut products {
                    let inputs: Vec<&[u64]> = used
                        .iter()
                        .map(|&s| &source(s, half)[start..start + chunk])
                        .collect();
                    let mut rows: Vec<&mut [u64]> = own
                        .iter_mut()
                        .map(|out| &mut out[half][start..start + chunk])
                        .collect();
                    self.multiply_rows(q, &mut rows, &inputs, weights, job.add);
                }
            }
        }
    }

    /// P modulo the prime at `i` in the ring's tables.
    fn special(&self, i: usize) -> u64 {
        let q = self.tables[i].modulus();
        (0..self.p_len()).fold(1, |acc, j| q.mul(acc, q.reduce(self.p(j).value())))
    }

    fn special_product(&self, i: usize) -> Constant {
        self.backend
            .prepare(self.tables[i].modulus(), self.special(i))
    }

    #[track_caller]
    fn check_shifted<K: Borrow<RnsPoly> + Sync>(
        &self,
        inputs: &[[&RnsPoly; 2]],
        shifts: &[Shift<'_, K>],
        sources: &[(usize, usize)],
        sums: &[ShiftedSums<'_>],
        set: PrimeSet,
    ) {
        for poly in inputs.iter().flatten() {
            let needed = PrimeSet { p: 0, ..set };
            assert!(poly.set == needed && poly.form == Form::Ntt, "{poly:?}");
        }
        for shift in shifts {
            let keys = shift.key.into_iter().flatten().flatten();
            for poly in keys.map(Borrow::borrow).chain(shift.factor) {
                let enough = poly.set.q >= set.q && poly.set.p >= set.p;
                assert!(enough && poly.form == Form::Ntt, "{poly:?} for {set:?}");
            }
            let extended = set.p > 0 && set.p == self.p_len();
            assert!(shift.key.is_none() || extended, "keys over {set:?}");
            assert!(shift.key.is_some() || shift.galois == 1);
        }
        let there = |&(input, shift): &(usize, usize)| input < inputs.len() && shift < shifts.len();
        assert!(sources.iter().all(there), "sources {sources:?}");
        for sums in sums {
            let fits = !sums.sources.is_empty()
                && sums.weights.fit(self.degree())
                && sums.weights.len().is_multiple_of(sums.sources.len())
                && sums.sources.iter().all(|&s| s < sources.len());
            assert!(
                fits,
                "sums of {:?} of {} sources",
                sums.sources,
                sources.len()
            );
        }
    }
}

/// The sources that are not inputs as they are, by shift: a key is read for all its inputs one after another.
fn made<K>(shifts: &[Shift<'_, K>], sources: &[(usize, usize)]) -> Vec<usize> {
    let mut made: Vec<usize> = (0..sources.len())
        .filter(|&s| {
            let shift = &shifts[sources[s].1];
            shift.key.is_some() || shift.factor.is_some()
        })
        .collect();
    made.sort_by_key(|&s| (sources[s].1, sources[s].0));
    made
}
