//! From residues to centred integers, as doubles.
//!
//! Mixed radix with *balanced* digits (Garner's algorithm): `x = d_0 + d_1 q_0 + d_2 q_0 q_1 + ...` with
//! `|d_i| <= (q_i - 1) / 2`. For odd primes these sums run over exactly the integers `|x| <= (Q - 1) / 2`, so the
//! centred value needs no comparison with `Q/2`, and a small value has zero digits above.

mod narrow;

use confide_ring::{Modulus, Ring, RnsPoly};
use zeroize::Zeroizing;

/// The centred value of each coefficient, rounded to double precision. Right for any number of limbs; linear in it
/// as long as the value fits two of them, as any message that still decrypts does.
///
/// Values below 2^52 are found in passes over limbs without wide products, the others one by one.
pub(crate) fn centred(ring: &Ring, poly: &RnsPoly) -> Vec<f64> {
    let moduli: Vec<Modulus> = (0..poly.set().q).map(|limb| *ring.q(limb)).collect();
    let mut values = vec![0.0; ring.degree()];
    narrow::candidates(&moduli, poly, &mut values);
    for (limb, q) in moduli.iter().enumerate().skip(2) {
        narrow::confirm(q, poly.limb(limb), &mut values);
    }
    let radix = Radix::new(&moduli);
    let mut residues = Zeroizing::new(vec![0; moduli.len()]);
    let wide = |index: usize| {
        for (limb, residue) in residues.iter_mut().enumerate() {
            *residue = poly.limb(limb)[index];
        }
        radix.centred(&residues)
    };
    narrow::complete(&mut values, wide);
    values
}

struct Radix<'a> {
    moduli: &'a [Modulus],
    /// `inverses[i][j]` = inverse of `q_j` modulo `q_i`, for `j < i`.
    inverses: Vec<Vec<u64>>,
}

impl<'a> Radix<'a> {
    fn new(moduli: &'a [Modulus]) -> Self {
        let inverse = |q: &Modulus, other: &Modulus| q.inv(q.reduce(other.value()));
        let inverses = moduli
            .iter()
            .enumerate()
            .map(|(i, q)| moduli[..i].iter().map(|other| inverse(q, other)).collect())
            .collect();
        Self { moduli, inverses }
    }

    fn centred(&self, residues: &[u64]) -> f64 {
        let low = self.digits(residues, self.moduli.len().min(2));
        let value = match low[..] {
            [d0, d1] => i128::from(d0) + i128::from(d1) * i128::from(self.moduli[0].value()),
            [d0] => i128::from(d0),
            _ => 0,
        };
        // Below Q/2 in absolute value, so equal residues everywhere mean that it is the value.
        let rest = self.moduli.iter().zip(residues).skip(2);
        if rest
            .into_iter()
            .all(|(q, &residue)| signed_residue(q, value) == residue)
        {
            return value as f64;
        }
        // Horner from the top. The highest non-zero digit outweighs all lower ones together, so nothing cancels.
        let digits = self.digits(residues, self.moduli.len());
        digits
            .iter()
            .zip(self.moduli)
            .rev()
            .fold(0.0, |sum, (&digit, q)| {
                sum * q.value() as f64 + digit as f64
            })
    }

    /// The first `count` balanced digits.
    fn digits(&self, residues: &[u64], count: usize) -> Vec<i64> {
        let mut digits: Vec<i64> = Vec::with_capacity(count);
        for (i, q) in self.moduli[..count].iter().enumerate() {
            let mut rest = residues[i];
            for (&digit, &inverse) in digits.iter().zip(&self.inverses[i]) {
                rest = q.mul(q.sub(rest, q.from_i64(digit)), inverse);
            }
            digits.push(q.to_centered(rest));
        }
        digits
    }
}

fn signed_residue(q: &Modulus, value: i128) -> u64 {
    let magnitude = q.reduce_u128(value.unsigned_abs());
    if value < 0 {
        q.neg(magnitude)
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both ways that [`super::centred`] takes, for one coefficient.
    fn centred(moduli: &[Modulus], residues: &[u64]) -> f64 {
        let primes: Vec<u64> = moduli.iter().map(Modulus::value).collect();
        let ring = Ring::new(4, &primes, &[]).expect("a ring");
        let set = ring.full_set();
        let mut poly = ring.zero(set, confide_ring::Form::Coefficient);
        for (limb, &residue) in residues.iter().enumerate() {
            poly.limb_mut(limb)[3] = residue;
        }
        let found = super::centred(&ring, &poly);
        assert!((0..16).all(|index| index == 3 || found[index] == 0.0));
        assert_eq!(found[3], Radix::new(moduli).centred(residues));
        found[3]
    }

    fn moduli() -> Vec<Modulus> {
        let primes = confide_ring::ntt_primes(4, 30, 4, &[]).expect("30-bit primes");
        primes
            .into_iter()
            .map(|prime| Modulus::new(prime).expect("prime"))
            .collect()
    }

    proptest! {
        #[test]
        fn every_value_below_half_the_modulus_comes_back(value in -(1_i128 << 118)..(1_i128 << 118), shift in 0_u32..118, limbs in 1_usize..=4) {
            let moduli = &moduli()[..limbs];
            let product: i128 = moduli.iter().map(|q| i128::from(q.value())).product();
            let value = (value >> shift) % (product / 2 + 1);
            let residues: Vec<u64> = moduli.iter().map(|q| signed_residue(q, value)).collect();
            let found = centred(moduli, &residues);
            let error = (found - value as f64).abs();
            prop_assert!(error <= value.unsigned_abs() as f64 * 4.0 * f64::EPSILON, "{value} {found}");
        }
    }

    #[test]
    fn the_extreme_values_are_centred() {
        let moduli = &moduli()[..3];
        let half = moduli
            .iter()
            .map(|q| i128::from(q.value()))
            .product::<i128>()
            / 2;
        let first = i128::from(moduli[0].value());
        let edge = 1 << 52;
        for value in [
            half,
            -half,
            0,
            1,
            -1,
            first / 2,
            first / 2 + 1,
            -first,
            edge - 1,
            edge,
            -edge,
        ] {
            let residues: Vec<u64> = moduli.iter().map(|q| signed_residue(q, value)).collect();
            let found = centred(moduli, &residues);
            assert!(
                (found / value.max(1) as f64 - value.signum() as f64).abs() < 1e-15
                    || found == value as f64
            );
        }
    }
}
