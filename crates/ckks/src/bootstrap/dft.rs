//! The homomorphic transforms between coefficients and slots as few sparse matrices.
//!
//! With `z_j = m_j + i m_(j+n)` the slots are the transform of [`Encoder`](crate::Encoder), a sequence of butterfly
//! stages. Consecutive stages merge into one matrix with `2^(g+1) - 1` diagonals for `g` stages (Cheon, Han and Hhan,
//! "Faster homomorphic discrete Fourier transforms and improved FHE bootstrapping", 2018; Chen, Chillotti and Song,
//! EUROCRYPT 2019). The bit reversal is left out: what lies between the two transforms works slot by slot.
//!
//! Diagonals with negative indices would need rotation keys of their own. Instead each matrix shifts the slots, so that
//! its indices are `0 .. 2^(g+1)` times a power of two, and the shifts add up to a full turn.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::ops::Range;

use num_complex::Complex64;

/// A matrix by its diagonals: index `k` of `out[s] = sum_k diagonal_k[s] * in[s + k]`, all of one period.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Factor {
    /// Every index is a multiple.
    pub stride: usize,
    pub diagonals: BTreeMap<usize, Vec<Complex64>>,
}

/// Both transforms, each factor in order of application.
pub(crate) struct Factors {
    pub coeffs_to_slots: Vec<Factor>,
    pub slots_to_coeffs: Vec<Factor>,
}

/// Diagonals with signed indices within butterfly blocks, before any shift.
type Signed = BTreeMap<i64, Vec<Complex64>>;

/// Some stages and what their matrix is shifted by.
struct Group {
    /// Block lengths as log2, in order of application.
    stages: Vec<u32>,
    inverse: bool,
    /// Period of the input; indices count modulo it.
    period: usize,
    /// Whether all indices below the period occur anyway.
    wraps: bool,
    /// What becomes of fewer slots than all.
    halves: Halves,
}

/// Between the two transforms fewer slots hold real and imaginary parts in two halves of twice the period.
#[derive(Clone, Copy, PartialEq)]
enum Halves {
    /// One period in, one out.
    None,
    /// The output is followed by `-i` times it.
    Second,
    /// Of the input only the first half is read, and the second half of the output is zero.
    First,
}

impl Group {
    fn stride(&self) -> usize {
        1 << (self.stages.iter().min().copied().unwrap_or(1) - 1)
    }

    /// Steps of the stride to either side.
    fn reach(&self) -> usize {
        (1 << self.stages.len()) - 1
    }
}

/// Factors for `slots` values in a vector of `full` slots, in as many matrices as asked for each way: `down` for
/// CoeffsToSlots, `up` for SlotsToCoeffs, which comes first if `up_first` says so.
///
/// CoeffsToSlots maps the slots of a polynomial with coefficients `c_j`, repeated with period `slots`, to
/// `slots * (c_j + i c_(j+slots))`. With `slots < full` its output is that vector followed by `-i` times it, with the
/// period `2 * slots`: twice its real part is all coefficients.
///
/// SlotsToCoeffs maps `z_j` to slots. Where it comes last and `slots < full`, only the first half of the period
/// `2 * slots` of its input is read, and the first factor's output is zero in the second half: adding its rotation by
/// `slots` gives the input of the second factor.
///
/// `None` if there are more matrices than stages, or no shifts that add up.
pub(crate) fn factors(
    slots: usize,
    full: usize,
    (down, up): (usize, usize),
    up_first: bool,
) -> Option<Factors> {
    let log = slots.ilog2();
    if down == 0 || up == 0 || down > log as usize || up > log as usize {
        return None;
    }
    let sparse = slots < full;
    let halves = |cond: bool, halves: Halves| if cond && sparse { halves } else { Halves::None };
    let mut inverse = Vec::new();
    for (index, range) in parts(log, down).into_iter().enumerate() {
        inverse.push(Group {
            stages: range.rev().collect(),
            inverse: true,
            period: slots,
            wraps: index == 0,
            halves: halves(index + 1 == down, Halves::Second),
        });
    }
    let mut forward = Vec::new();
    for (index, range) in parts(log, up).into_iter().rev().enumerate() {
        let doubled = sparse && index == 0 && !up_first;
        forward.push(Group {
            stages: range.collect(),
            inverse: false,
            period: if doubled { 2 * slots } else { slots },
            wraps: index + 1 == up && !doubled,
            halves: halves(doubled, Halves::First),
        });
    }
    let first = if up_first { up } else { down };
    let groups: Vec<Group> = if up_first {
        forward.into_iter().chain(inverse).collect()
    } else {
        inverse.into_iter().chain(forward).collect()
    };
    let shifts = shifts(&groups, slots)?;
    let mut made = Vec::with_capacity(groups.len());
    let mut turned = 0;
    for (group, shift) in groups.iter().zip(shifts) {
        turned += shift;
        if group.halves == Halves::Second {
            // So far a turn by a period was none.
            turned %= slots;
        }
        let mut matrix = merge(&group.stages, group.inverse);
        for diagonal in matrix.values_mut() {
            match group.halves {
                Halves::None => {}
                Halves::Second => {
                    let half = repeat(diagonal, slots);
                    let rotated = half.iter().map(|x| x * -Complex64::i());
                    *diagonal = half.iter().copied().chain(rotated).collect();
                }
                Halves::First => {
                    let mut half = repeat(diagonal, slots);
                    half.resize(2 * slots, Complex64::ZERO);
                    *diagonal = half;
                }
            }
        }
        made.push(shifted(matrix, group, shift, turned));
    }
    let rest = made.split_off(first);
    let (coeffs_to_slots, slots_to_coeffs) = if up_first { (rest, made) } else { (made, rest) };
    Some(Factors {
        coeffs_to_slots,
        slots_to_coeffs,
    })
}

/// Stages `1 ..= log` cut into `count` ranges from the longest blocks down; the larger parts come first.
fn parts(log: u32, count: usize) -> Vec<Range<u32>> {
    let (log, count) = (log as usize, count);
    let mut end = log + 1;
    (0..count)
        .map(|index| {
            let len = log / count + usize::from(index < log % count);
            end -= len;
            end as u32..(end + len) as u32
        })
        .collect()
}

/// For each group how far its output is shifted beyond its input: the indices become non-negative, and the sum of all
/// is a multiple of the period.
fn shifts(groups: &[Group], slots: usize) -> Option<Vec<usize>> {
    let free = groups.iter().rposition(|group| group.wraps);
    let unit = free.map_or(slots, |index| groups[index].stride());
    // A few choices for each group: the least that will do, and up to three strides more.
    let choices = 1usize << (2 * groups.len());
    let choice = |code: usize, index: usize| {
        let group = &groups[index];
        if group.wraps {
            0
        } else {
            (group.reach() + ((code >> (2 * index)) & 3)) * group.stride()
        }
    };
    let code = (0..choices)
        .filter(|&code| {
            let total: usize = (0..groups.len()).map(|index| choice(code, index)).sum();
            total.is_multiple_of(unit)
        })
        .min_by_key(|&code| {
            let beyond = (0..groups.len()).map(|index| (code >> (2 * index)) & 3);
            // The largest first: one stride too many may cost a giant step.
            (beyond.clone().max(), beyond.sum::<usize>())
        })?;
    let mut shifts: Vec<usize> = (0..groups.len()).map(|index| choice(code, index)).collect();
    if let Some(index) = free {
        let total: usize = shifts.iter().sum();
        shifts[index] = total.next_multiple_of(slots) - total;
    }
    Some(shifts)
}

/// One butterfly stage with blocks of `2^log` slots.
fn stage(log: u32, inverse: bool) -> Signed {
    let length = 1usize << log;
    let half = length / 2;
    let (one, order) = (Complex64::ONE, 4 * length);
    let mut own = vec![one; length];
    let mut next = vec![Complex64::ZERO; length];
    let mut previous = next.clone();
    let mut exponent = 1;
    for j in 0..half {
        let (sin, cos) = libm::sincos(TAU * exponent as f64 / order as f64);
        let root = Complex64::new(cos, sin);
        if inverse {
            // a + b, (a - b) / root
            next[j] = one;
            own[half + j] = -root.conj();
            previous[half + j] = root.conj();
        } else {
            // a + root b, a - root b
            next[j] = root;
            own[half + j] = -root;
            previous[half + j] = one;
        }
        exponent = exponent * 5 % order;
    }
    let half = half as i64;
    [(0, own), (half, next), (-half, previous)]
        .into_iter()
        .collect()
}

/// The product of stages, the first one applied first.
fn merge(stages: &[u32], inverse: bool) -> Signed {
    let mut product: Signed = [(0, vec![Complex64::ONE])].into_iter().collect();
    for &log in stages {
        product = compose(&stage(log, inverse), &product);
    }
    product
}

/// `outer * inner`.
fn compose(outer: &Signed, inner: &Signed) -> Signed {
    let length = |matrix: &Signed| matrix.values().map(Vec::len).max().unwrap_or(1);
    let period = length(outer).max(length(inner));
    let mut product = Signed::new();
    for (&outer_index, left) in outer {
        for (&inner_index, right) in inner {
            let sum = product
                .entry(outer_index + inner_index)
                .or_insert_with(|| vec![Complex64::ZERO; period]);
            for (s, entry) in sum.iter_mut().enumerate() {
                let at = (s as i64 + outer_index).rem_euclid(right.len() as i64);
                *entry += left[s % left.len()] * right[at as usize];
            }
        }
    }
    product.retain(|_, diagonal| diagonal.iter().any(|&x| x != Complex64::ZERO));
    product
}

fn repeat(diagonal: &[Complex64], period: usize) -> Vec<Complex64> {
    diagonal
        .iter()
        .copied()
        .cycle()
        .take(period.max(diagonal.len()))
        .collect()
}

/// The matrix with its output rotated by `turned` in all, of which `shift` is its own part.
fn shifted(matrix: Signed, group: &Group, shift: usize, turned: usize) -> Factor {
    let mut diagonals = BTreeMap::<usize, Vec<Complex64>>::new();
    for (index, diagonal) in matrix {
        let index = (index + shift as i64).rem_euclid(group.period as i64) as usize;
        let mut rotated = diagonal;
        let turn = turned % rotated.len();
        rotated.rotate_left(turn);
        match diagonals.get_mut(&index) {
            Some(sum) => sum.iter_mut().zip(rotated).for_each(|(sum, x)| *sum += x),
            None => {
                diagonals.insert(index, rotated);
            }
        }
    }
    Factor {
        stride: group.stride(),
        diagonals,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(factor: &Factor, input: &[Complex64]) -> Vec<Complex64> {
        (0..input.len())
            .map(|s| {
                let terms = factor.diagonals.iter();
                terms
                    .map(|(k, d)| d[s % d.len()] * input[(s + k) % input.len()])
                    .sum()
            })
            .collect()
    }

    fn values(count: usize) -> Vec<Complex64> {
        (0..count)
            .map(|j| Complex64::new((j as f64 * 1.7).sin() + 0.1, (j as f64 * 0.3).cos()))
            .collect()
    }

    fn close(found: &[Complex64], expected: &[Complex64]) {
        assert_eq!(found.len(), expected.len());
        for (x, y) in found.iter().zip(expected) {
            assert!((x - y).norm() < 1e-9 * expected.len() as f64, "{x} {y}");
        }
    }

    /// Slots of `z` by the definition.
    fn slots_of(z: &[Complex64]) -> Vec<Complex64> {
        let order = 4 * z.len();
        let mut power = 1;
        let mut slots = Vec::new();
        for _ in z {
            let root = |j: usize| Complex64::cis(TAU * (j * power % order) as f64 / order as f64);
            slots.push(z.iter().enumerate().map(|(j, z)| z * root(j)).sum());
            power = power * 5 % order;
        }
        slots
    }

    #[test]
    fn full_transforms_lead_to_coefficients_and_back() {
        for (log, down, up) in [
            (15, 3, 3),
            (14, 2, 2),
            (8, 3, 3),
            (8, 2, 3),
            (7, 2, 2),
            (9, 4, 3),
            (5, 1, 1),
        ] {
            let n = 1usize << log;
            let made = factors(n, n, (down, up), false).expect("shifts");
            for factor in made.coeffs_to_slots.iter().chain(&made.slots_to_coeffs) {
                let largest = factor.diagonals.keys().max().expect("diagonals") / factor.stride;
                // Exactly the power of two for the presets, two strides more at worst.
                let stages = (log as usize).div_ceil(down.min(up));
                let beyond = if matches!(log, 14 | 15) { 0 } else { 2 };
                assert!(largest < (2 << stages) + beyond, "{log}: {largest}");
                assert!(factor.diagonals.keys().all(|k| k % factor.stride == 0));
            }
            if log > 9 {
                continue;
            }
            let z = values(n);
            let mut vector = slots_of(&z);
            let slots = vector.clone();
            for factor in &made.coeffs_to_slots {
                vector = apply(factor, &vector);
            }
            // Coefficients in some order, times n.
            let sorted = |values: &[Complex64]| {
                let mut keys: Vec<i64> =
                    values.iter().map(|x| (x.re * 1e6).round() as i64).collect();
                keys.sort_unstable();
                keys
            };
            let scaled: Vec<Complex64> = vector.iter().map(|x| x / n as f64).collect();
            assert_eq!(sorted(&scaled), sorted(&z));
            for factor in &made.slots_to_coeffs {
                vector = apply(factor, &vector);
            }
            let expected: Vec<Complex64> = slots.iter().map(|x| x * n as f64).collect();
            close(&vector, &expected);
        }
    }

    #[test]
    fn sparse_transforms_hold_both_parts_in_one_vector() {
        for (log, full, down, up) in [
            (6, 256, 3, 3),
            (6, 128, 2, 2),
            (4, 256, 2, 1),
            (5, 64, 2, 3),
        ] {
            let n = 1usize << log;
            let made = factors(n, full, (down, up), false).expect("shifts");
            let z = values(n);
            let slots = slots_of(&z);
            let mut vector: Vec<Complex64> = slots.iter().copied().cycle().take(full).collect();
            let expected: Vec<Complex64> = vector.iter().map(|x| x * 2.0 * n as f64).collect();
            for factor in &made.coeffs_to_slots {
                vector = apply(factor, &vector);
            }
            let real: Vec<Complex64> = vector.iter().map(|x| x + x.conj()).collect();
            let mut squares: Vec<i64> = real[..2 * n]
                .iter()
                .map(|x| (x.re / (2 * n) as f64 * 1e6).round() as i64)
                .collect();
            let mut wanted: Vec<i64> = z
                .iter()
                .flat_map(|z| [z.re, z.im])
                .map(|x| (x * 1e6).round() as i64)
                .collect();
            squares.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(squares, wanted);
            // z in the first half: real part plus i times what lies `slots` further.
            vector = (0..full)
                .map(|s| real[s] + Complex64::i() * real[(s + n) % full])
                .collect();
            for (index, factor) in made.slots_to_coeffs.iter().enumerate() {
                vector = apply(factor, &vector);
                if index == 0 {
                    vector = (0..full)
                        .map(|s| vector[s] + vector[(s + n) % full])
                        .collect();
                }
            }
            close(&vector, &expected);
        }
    }

    /// What lies between the transforms may permute the vector or change signs, so both orders are tested by themselves.
    #[test]
    fn slots_come_back_when_coefficients_are_in_between() {
        for (log, full, down, up) in [
            (6, 64, 3, 3),
            (9, 512, 4, 3),
            (8, 256, 2, 3),
            (6, 256, 3, 3),
            (4, 256, 2, 1),
            (5, 64, 2, 3),
        ] {
            let n = 1usize << log;
            let made = factors(n, full, (down, up), true).expect("shifts");
            let z = values(n);
            let mut vector: Vec<Complex64> = z.iter().copied().cycle().take(full).collect();
            for factor in made.slots_to_coeffs.iter().chain(&made.coeffs_to_slots) {
                vector = apply(factor, &vector);
            }
            if n == full {
                let expected: Vec<Complex64> = z.iter().map(|x| x * n as f64).collect();
                close(&vector, &expected);
                continue;
            }
            let expected = (0..full).map(|s| match s / n % 2 {
                0 => Complex64::from(2.0 * z[s % n].re * n as f64),
                _ => Complex64::from(2.0 * z[s % n].im * n as f64),
            });
            let real: Vec<Complex64> = vector.iter().map(|x| x + x.conj()).collect();
            close(&real, &expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn more_matrices_than_stages_are_refused() {
        assert!(
            factors(4, 8, (3, 1), true).is_none()
                && factors(4, 8, (1, 3), false).is_none()
                && factors(4, 4, (0, 1), true).is_none()
        );
    }
}
