//! Weighted sums of rotated and masked ciphertexts: the linear part of layers with borders.
//!
//! Rotations stay over `Q P` until they are summed, so that each sum is divided by `P` once, together with the rescale:
//! see [`Ring::shifted_sums`](confide_ring::Ring::shifted_sums).

use confide_ring::{PrimeSet, Ring, RnsPoly, ShiftedSums, Weights};

use super::scalar::to_integer;
use super::{Evaluator, has_level, same_scale, two_parts};
use crate::ciphertext::Ciphertext;
use crate::encoding::Encoder;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;

/// Largest weight times its scale.
const MAX_BITS: f64 = 62.0;

/// A factor of slots that may have been rotated; see [`Shift`].
pub struct Mask {
    poly: RnsPoly,
    level: usize,
    scale: f64,
}

impl Mask {
    /// The values of `period`, repeated over all slots, at `scale`, for ciphertexts of `level`. A short period takes
    /// little memory, and only twice its length of coefficients are rounded.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] unless the length of the period divides the number of slots; those of
    /// [`Encoder::encode`].
    pub fn new(
        encoder: &Encoder,
        period: &[f64],
        level: usize,
        scale: f64,
    ) -> Result<Self, CkksError> {
        let params = encoder.params();
        let slots = params.slots();
        if period.is_empty() || !slots.is_multiple_of(period.len()) {
            let (needed, available) = (format!("a divisor of {slots}"), period.len().to_string());
            return Err(CkksError::InvalidArgument {
                op: "Mask::new",
                what: "length of a period",
                needed,
                available,
            });
        }
        let values: Vec<_> = period
            .iter()
            .map(|&x| x.into())
            .cycle()
            .take(slots)
            .collect();
        let poly = encoder.encode_extended(&values, level, scale)?;
        let blocks = params.ring().blocks(&poly, 2 * period.len());
        Ok(Self {
            poly: blocks.unwrap_or(poly),
            level,
            scale,
        })
    }
}

/// What is done with a ciphertext before it is weighted: a rotation, then a factor.
pub struct Shift<'a> {
    /// Slot `i + rotation` goes to slot `i`.
    pub rotation: i64,
    /// A factor.
    pub mask: Option<&'a Mask>,
}

/// Inputs, shifts, and for each source the numbers of its input and its shift.
pub type Reads<'a> = (&'a [&'a Ciphertext], &'a [Shift<'a>], &'a [(usize, usize)]);

/// Sums over the same sources.
pub struct WeightedSums<'a> {
    /// Numbers of the sources.
    pub sources: &'a [usize],
    /// For each sum the weight of each source.
    pub rows: &'a [Vec<f64>],
}

/// A sum that has not been divided: two polynomials over `Q P`, `P`-fold, or over `Q` where nothing was rotated.
pub struct LazySum {
    parts: [RnsPoly; 2],
    level: usize,
    scale: f64,
}

/// What a sum reads, after all checks.
pub(super) struct CheckedReads<'a> {
    turned: Vec<confide_ring::Shift<'a, RnsPoly>>,
    /// Of each source.
    pub scales: Vec<f64>,
    set: PrimeSet,
    level: usize,
    scale: f64,
}

impl Evaluator {
    /// For each of `sums`, for each of its rows, the sum of its sources times their weights, added to `before` if that is
    /// given. Source `s` is input `sources[s].0` after shift `sources[s].1`. Inputs are of one level; weights are rounded
    /// so that each sum has the scale `scale`. No level consumed; [`Evaluator::finish_sum`] is what comes next.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] without inputs, for a source or a sum of what is not there, or a row of another
    /// length; [`CkksError::LevelTooLow`] for inputs of different levels or a mask of a lower one;
    /// [`CkksError::ScaleMismatch`] for sums before of another scale; [`CkksError::Overflow`] for a weight that reaches
    /// 2^62; [`CkksError::InvalidScale`], [`CkksError::NotFinite`], and those of [`Evaluator::rotate`].
    pub fn shifted_sums(
        &self,
        before: Option<Vec<LazySum>>,
        reads: Reads<'_>,
        sums: &[WeightedSums<'_>],
        scale: f64,
        keys: &EvaluationKeys,
    ) -> Result<Vec<LazySum>, CkksError> {
        const OP: &str = "shifted_sums";
        let checked = self.check_reads(OP, reads, scale, keys)?;
        let mut integers = Vec::with_capacity(sums.len());
        for one in sums {
            check_sources(OP, one.sources, checked.scales.len())?;
            let mut own = Vec::with_capacity(one.rows.len() * one.sources.len());
            for row in one.rows {
                if row.len() != one.sources.len() {
                    return Err(invalid(OP, "length of a row", one.sources.len(), row.len()));
                }
                for (&weight, &s) in row.iter().zip(one.sources) {
                    own.push(small_integer(OP, weight, scale / checked.scales[s])?);
                }
            }
            integers.push(own);
        }
        let ring_sums: Vec<ShiftedSums<'_>> = sums
            .iter()
            .zip(&integers)
            .map(|(one, weights)| ShiftedSums {
                sources: one.sources,
                weights: Weights::Integers(weights),
            })
            .collect();
        let before = match before {
            Some(before) => Some(self.check_sums(before, sums, &checked)?),
            None => None,
        };
        Ok(self.sums_of(reads, checked, &ring_sums, before))
    }

    /// Checks what is read, and finds keys and scales.
    pub(super) fn check_reads<'a>(
        &self,
        op: &'static str,
        (inputs, shifts, sources): Reads<'a>,
        scale: f64,
        keys: &'a EvaluationKeys,
    ) -> Result<CheckedReads<'a>, CkksError> {
        let ring = self.params.ring();
        self.params.check_scale(op, scale)?;
        let first = inputs
            .first()
            .ok_or_else(|| invalid(op, "number of inputs", 1, 0))?;
        let level = first.level;
        for ct in inputs {
            self.check(op, ct)?;
            two_parts(op, ct)?;
            has_level(op, ct.level.min(level), ct.level.max(level))?;
        }
        let mut turned = Vec::with_capacity(shifts.len());
        for shift in shifts {
            let galois = ring.galois_for_rotation(shift.rotation);
            let key = match galois {
                1 => None,
                _ => Some(&self.galois_key(op, keys, galois, level)?.digits[..]),
            };
            let factor = match shift.mask {
                Some(mask) => {
                    has_level(op, mask.level, level)?;
                    let set = self.params.qp_set(op, mask.level)?;
                    self.params.check_blocks(op, &mask.poly, set)?;
                    Some(&mask.poly)
                }
                None => None,
            };
            turned.push(confide_ring::Shift {
                key,
                galois,
                factor,
            });
        }
        let mut scales = Vec::with_capacity(sources.len());
        for &(input, shift) in sources {
            let (Some(ct), Some(shift)) = (inputs.get(input), shifts.get(shift)) else {
                return Err(invalid(
                    op,
                    "inputs and shifts of a source",
                    inputs.len(),
                    input,
                ));
            };
            scales.push(ct.scale * shift.mask.map_or(1.0, |mask| mask.scale));
        }
        let extended = turned.iter().any(|shift| shift.key.is_some());
        let set = PrimeSet {
            q: level + 1,
            p: if extended { ring.p_len() } else { 0 },
        };
        Ok(CheckedReads {
            turned,
            scales,
            set,
            level,
            scale,
        })
    }

    /// The sums, after all checks.
    pub(super) fn sums_of(
        &self,
        (inputs, _, sources): Reads<'_>,
        checked: CheckedReads<'_>,
        sums: &[ShiftedSums<'_>],
        before: Option<Vec<[RnsPoly; 2]>>,
    ) -> Vec<LazySum> {
        let CheckedReads {
            turned,
            set,
            level,
            scale,
            ..
        } = checked;
        let digits: Vec<_> = (0..self.params.digits(level))
            .map(|digit| self.params.digit_range(digit, level))
            .collect();
        let parts: Vec<[&RnsPoly; 2]> = inputs
            .iter()
            .map(|ct| [&ct.parts[0], &ct.parts[1]])
            .collect();
        let ring = self.params.ring();
        let out = ring.shifted_sums((&parts, &digits), &turned, sources, sums, set, before);
        out.into_iter()
            .map(|parts| LazySum {
                parts,
                level,
                scale,
            })
            .collect()
    }

    /// About how many bytes [`Evaluator::shifted_sums`] needs beside what it reads and makes, for `inputs` that are rotated
    /// to `sources` at a level with so many digits, on so many threads.
    pub fn shifted_sums_memory(
        degree: usize,
        (level, digits): (usize, usize),
        (inputs, sources): (usize, usize),
        threads: usize,
    ) -> usize {
        Ring::shifted_sums_memory(degree, level + 1, digits, inputs, sources, threads)
    }

    /// The parts of sums to which others are added.
    fn check_sums(
        &self,
        before: Vec<LazySum>,
        sums: &[WeightedSums<'_>],
        checked: &CheckedReads<'_>,
    ) -> Result<Vec<[RnsPoly; 2]>, CkksError> {
        const OP: &str = "shifted_sums";
        let rows = sums.iter().map(|one| one.rows.len()).sum();
        if before.len() != rows {
            return Err(invalid(OP, "number of sums", rows, before.len()));
        }
        for sum in &before {
            same_scale(OP, sum.scale, checked.scale)?;
            let whole = sum.parts.iter().all(|part| part.set() == checked.set);
            if sum.level != checked.level || !whole {
                let (needed, available) = (checked.level, sum.level);
                return Err(invalid(OP, "level of sums before", needed, available));
            }
        }
        Ok(before.into_iter().map(|sum| sum.parts).collect())
    }

    /// The ciphertext of a sum, rescaled, both divisions in one. Consumes one level.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] at level 0, [`CkksError::InvalidScale`].
    pub fn finish_sum(&self, sum: LazySum) -> Result<Ciphertext, CkksError> {
        const OP: &str = "finish_sum";
        has_level(OP, sum.level, 1)?;
        let (ring, scale) = (
            self.params.ring(),
            sum.scale / self.params.q(sum.level) as f64,
        );
        self.params.check_scale(OP, scale)?;
        let divide = |poly: RnsPoly| match poly.set().p {
            0 => ring.rescale(poly),
            _ => ring.mod_down_rescale(poly),
        };
        Ok(Ciphertext {
            parts: sum.parts.into_iter().map(divide).collect(),
            level: sum.level - 1,
            scale,
        })
    }
}

/// Refuses a sum of nothing, and one of a source beyond the `count` that there are.
pub(super) fn check_sources(
    op: &'static str,
    sources: &[usize],
    count: usize,
) -> Result<(), CkksError> {
    let most = sources.iter().max().map_or(0, |s| s + 1);
    match (1..=count).contains(&most) {
        true => Ok(()),
        false => Err(invalid(op, "sources of a sum", count, most)),
    }
}

pub(super) fn invalid(
    op: &'static str,
    what: &'static str,
    needed: usize,
    available: usize,
) -> CkksError {
    CkksError::InvalidArgument {
        op,
        what,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}

fn small_integer(op: &'static str, weight: f64, scale: f64) -> Result<i64, CkksError> {
    let integer = to_integer(op, weight, scale)?;
    let bits = (integer as f64).abs().log2();
    let fits = i64::try_from(integer).ok().filter(|_| bits < MAX_BITS);
    fits.ok_or(CkksError::Overflow {
        op,
        needed: bits,
        available: MAX_BITS,
    })
}
