//! Integers to residues: small secrets and errors, and the coefficients of messages.

use crate::{Form, Modulus, PrimeSet, Ring, RnsPoly};

/// 3 * 2^51: adding it to a double below 2^51 in magnitude rounds to an integer, read from the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

impl Ring {
    /// Integers that [`Ring::lift_integers`] takes are below this in magnitude: 2^62.
    pub const INTEGER_BOUND: f64 = (1u64 << 62) as f64;

    /// The polynomial of small signed coefficients in NTT form. Each limb is transformed while it is in the cache.
    ///
    /// # Panics
    /// When there are not N coefficients, or the ring has fewer primes than `set`.
    pub fn lift_small(&self, coeffs: &[i8], set: PrimeSet) -> RnsPoly {
        assert_eq!(coeffs.len(), self.degree(), "one coefficient a power of X");
        let mut out = self.scratch(set, Form::Ntt);
        self.for_each_limb(&mut out, |t, limb| {
            small(t.modulus(), coeffs, limb);
            self.backend.ntt(t, limb);
        });
        out
    }

    /// The polynomial of integers below [`Ring::INTEGER_BOUND`] in magnitude, given as doubles, in NTT form.
    ///
    /// # Panics
    /// When there are not N coefficients, or the ring has fewer primes than `set`.
    pub fn lift_integers(&self, coeffs: &[f64], set: PrimeSet) -> RnsPoly {
        assert_eq!(coeffs.len(), self.degree(), "one coefficient a power of X");
        let mut out = self.scratch(set, Form::Ntt);
        self.for_each_limb(&mut out, |t, limb| {
            integers(t.modulus(), coeffs, limb);
            self.backend.ntt(t, limb);
        });
        out
    }
}

/// Residues of numbers below q in magnitude, without branches: every prime exceeds 2^20.
pub(crate) fn small(q: &Modulus, coeffs: &[i8], out: &mut [u64]) {
    let q = q.value() as i64;
    for (residue, &c) in out.iter_mut().zip(coeffs) {
        let c = i64::from(c);
        *residue = (c + ((c >> 63) & q)) as u64;
    }
}

/// Residues of integers below 2^62. The quotient by a prime above 2^20 is below 2^42 and its estimate off by less
/// than 2^-9 before it is rounded, so |c - n q| < q: one conditional addition is left. No wide product is needed,
/// which a 32-bit machine would have to emulate.
pub(crate) fn integers(q: &Modulus, coeffs: &[f64], out: &mut [u64]) {
    let (q, inverse) = (q.value() as i64, 1.0 / q.value() as f64);
    for (residue, &c) in out.iter_mut().zip(coeffs) {
        debug_assert!(c.abs() < Ring::INTEGER_BOUND && c.fract() == 0.0);
        let n = ((c * inverse + ROUND).to_bits() as i64).wrapping_sub(ROUND.to_bits() as i64);
        let r = (c as i64).wrapping_sub(n.wrapping_mul(q));
        *residue = (r + ((r >> 63) & q)) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moduli() -> [Modulus; 3] {
        let prime = |bits| crate::ntt_primes(4, bits, 1, &[]).unwrap()[0];
        [21, 41, 50].map(|bits| Modulus::new(prime(bits)).unwrap())
    }

    proptest! {
        #[test]
        fn integers_have_their_residues(value in -(1_i64 << 62) + 1..1 << 62, shift in 0_u32..62) {
            // What a double holds exactly.
            let value = ((value >> shift) as f64).clamp(-Ring::INTEGER_BOUND.next_down(), Ring::INTEGER_BOUND.next_down());
            for q in moduli() {
                let mut out = [0];
                integers(&q, &[value], &mut out);
                prop_assert_eq!(out[0], q.from_i64(value as i64), "{}", value);
            }
        }
    }

    #[test]
    fn multiples_of_the_prime_and_their_neighbours_are_canonical() {
        for q in moduli() {
            for factor in [0.0, 0.5, 1.0, 1.5, 2.0, 4095.0] {
                for step in [-1.0, 0.0, 1.0] {
                    for sign in [-1.0, 1.0] {
                        let value = sign * ((factor * q.value() as f64).floor() + step);
                        let mut out = [0];
                        integers(&q, &[value], &mut out);
                        assert_eq!(
                            out[0],
                            q.from_i64(value as i64),
                            "{value} modulo {}",
                            q.value()
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn small_numbers_have_their_residues() {
        let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        for q in moduli() {
            let mut out = vec![0; all.len()];
            small(&q, &all, &mut out);
            assert!(
                all.iter()
                    .zip(&out)
                    .all(|(&c, &r)| r == q.from_i64(i64::from(c)))
            );
        }
    }
}
