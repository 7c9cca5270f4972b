//! Hybrid key switching: digits of `alpha` primes, special modulus `P`.
//!
//! Han and Ki, "Better bootstrapping for approximate homomorphic encryption", CT-RSA 2020. The
//! decomposition of a polynomial is independent of the key, so that one serves many rotations
//! ("hoisting", Halevi and Shoup, CRYPTO 2018).

use confide_ring::{Form, PrimeSet, RnsPoly, Switch};

use super::Evaluator;
use crate::error::CkksError;
use crate::keys::{EvaluationKeys, KeyKind, SwitchingKey};

/// A polynomial cut into digits, each over all primes of `Q P`, in NTT form.
pub(crate) struct Digits(pub(super) Vec<RnsPoly>);

impl Evaluator {
    /// Cuts `poly` (NTT form, level `level`) into digits and extends each to `Q P`.
    pub(crate) fn decompose(&self, poly: &RnsPoly, level: usize) -> Digits {
        let ring = self.params.ring();
        let target = PrimeSet {
            q: level + 1,
            p: ring.p_len(),
        };
        let mut coefficients = poly.clone();
        ring.intt(&mut coefficients);
        let digit = |d| {
            let range = self.params.digit_range(d, level);
            ring.mod_up_from(&coefficients, Some(poly), range, target)
        };
        Digits((0..self.params.digits(level)).map(digit).collect())
    }

    /// `sum_d digit_d * (b_d, a_d)` over `Q P`, in NTT form: `P` times the switched ciphertext.
    ///
    /// The key may be of a higher level: its digits and limbs beyond those of `digits` are skipped.
    pub(crate) fn inner_product(&self, digits: &Digits, key: &SwitchingKey) -> [RnsPoly; 2] {
        self.params
            .ring()
            .inner_product(&digits.0, &key.digits[..digits.0.len()])
    }

    /// `(plain + switched / P) / q_level`: the end of a key switch and a rescale, in one division.
    pub(crate) fn add_switched_rescaled(&self, plain: &RnsPoly, mut switched: RnsPoly) -> RnsPoly {
        let ring = self.params.ring();
        ring.add_times_p_assign(&mut switched, plain);
        ring.mod_down_rescale(switched)
    }

    /// All uses of the digits of `poly` (NTT form, level `level`), each finished: see
    /// [`Ring::switch`](confide_ring::Ring::switch).
    pub(crate) fn switch(
        &self,
        poly: &RnsPoly,
        level: usize,
        uses: &[Switch<'_, RnsPoly>],
        rescale: bool,
    ) -> Vec<[RnsPoly; 2]> {
        let digits: Vec<_> = (0..self.params.digits(level))
            .map(|d| self.params.digit_range(d, level))
            .collect();
        self.params.ring().switch(poly, &digits, uses, rescale)
    }

    /// The relinearisation key, checked.
    pub(crate) fn relin_key<'k>(
        &self,
        op: &'static str,
        keys: &'k EvaluationKeys,
        level: usize,
    ) -> Result<&'k SwitchingKey, CkksError> {
        self.checked_key(op, keys, KeyKind::Relin, level)
    }

    /// A Galois key, checked.
    pub(crate) fn galois_key<'k>(
        &self,
        op: &'static str,
        keys: &'k EvaluationKeys,
        element: u64,
        level: usize,
    ) -> Result<&'k SwitchingKey, CkksError> {
        self.checked_key(op, keys, KeyKind::Galois(element), level)
    }

    /// Keys come from outside: their shape must be that of these parameters.
    pub(crate) fn checked_key<'k>(
        &self,
        op: &'static str,
        keys: &'k EvaluationKeys,
        kind: KeyKind,
        level: usize,
    ) -> Result<&'k SwitchingKey, CkksError> {
        let key = keys.get(op, kind, level)?;
        let set = self.params.key_set(op, kind, key.level)?;
        for poly in key.digits.iter().flatten() {
            self.params.check_shape(op, poly, set, Form::Ntt)?;
        }
        let needed = self.params.key_digits(kind, level).len();
        if key.digits.len() < needed {
            return Err(CkksError::ShapeMismatch {
                op,
                needed: format!("{needed} key digits"),
                available: format!("{} key digits", key.digits.len()),
            });
        }
        Ok(key)
    }
}
