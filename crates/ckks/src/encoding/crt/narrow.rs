//! Centred values below 2^52, limb by limb: loops over vectors of doubles without wide products or branches.

use confide_ring::{Modulus, RnsPoly};

/// Stands for a coefficient whose value is not below 2^52, or not known to be. It equals no residue.
const WIDE: f64 = f64::NAN;
/// 2^52: the doubles from here to 2^53 are these bits plus the integer part.
const TWO_52: f64 = 4_503_599_627_370_496.0;
/// 3 * 2^51: adding and subtracting it rounds doubles below 2^51 in magnitude to integers.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The value that two limbs give, or [`WIDE`]. With one limb that is the value.
pub(super) fn candidates(moduli: &[Modulus], poly: &RnsPoly, values: &mut [f64]) {
    let first = &moduli[0];
    for (value, &residue) in values.iter_mut().zip(poly.limb(0)) {
        *value = first.to_centered(residue) as f64;
    }
    let Some(second) = moduli.get(1) else { return };
    let (base, q) = (first.value() as i64, second.value() as i64);
    // The balanced digit of the second limb is (r_1 - d_0) / q_0, with 1 / q_0 centred: |x w / q| stays below
    // (2^50 + 2^49) / 2 < 2^50, where the estimate is off by less than 1/4, so that |r| < 3q/4.
    let inverse = second.to_centered(second.inv(second.reduce(first.value())));
    let quotient = inverse as f64 / q as f64;
    let most = TWO_52 / base as f64 - 1.0;
    for (value, &residue) in values.iter_mut().zip(poly.limb(1)) {
        let low = *value as i64;
        let x = residue as i64 - low;
        let n = (x as f64 * quotient + ROUND) - ROUND;
        // Both products wrap around, their difference does not.
        let r = (x.wrapping_mul(inverse)).wrapping_sub((n as i64).wrapping_mul(q));
        let digit = r - if r > q / 2 { q } else { 0 } + if r < -(q / 2) { q } else { 0 };
        let sum = low.wrapping_add(digit.wrapping_mul(base)) as f64;
        *value = if (digit as f64).abs() <= most {
            sum
        } else {
            WIDE
        };
    }
}

/// Keeps the values that have these residues too; the others become [`WIDE`].
///
/// For |v| < 2^52 and n = RN(v / q) the product n q is below 2^53, so that v - n q is exact, and |v - n q| < q.
pub(super) fn confirm(q: &Modulus, residues: &[u64], values: &mut [f64]) {
    let (q, inverse) = (q.value() as f64, 1.0 / q.value() as f64);
    for (value, &residue) in values.iter_mut().zip(residues) {
        let n = (*value * inverse + ROUND) - ROUND;
        let r = *value - n * q;
        let r = r + if r < 0.0 { q } else { 0.0 };
        let residue = f64::from_bits(residue | TWO_52.to_bits()) - TWO_52;
        *value = if r == residue { *value } else { WIDE };
    }
}

/// Fills in the values that are missing: `wide` gives them by index.
pub(super) fn complete(values: &mut [f64], mut wide: impl FnMut(usize) -> f64) {
    for (index, value) in values.iter_mut().enumerate() {
        if value.is_nan() {
            *value = wide(index);
        }
    }
}
