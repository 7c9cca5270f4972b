//! Parameters: an unchecked literal becomes a checked, immutable set.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use confide_ring::{Form, PrimeSet, Ring, RnsPoly};
use serde::{Deserialize, Serialize};

use crate::error::CkksError;
use crate::keys::KeyKind;
use crate::{primes, security};

/// Most primes that a literal may ask for: bounds the work on a literal from outside.
const MAX_PRIMES: usize = 160;

/// What a parameter set is made from; unchecked. The primes follow from the bit lengths, the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParametersLiteral {
    /// log2 of the ring degree `N`.
    pub log_n: u32,
    /// Bit length of `q_0`, then of the rescaling primes `q_1 ... q_L`.
    pub log_q: Vec<u32>,
    /// Bit lengths of the special primes, whose product is `P`.
    pub log_p: Vec<u32>,
    /// log2 of the canonical scale at the highest level.
    pub log_scale: u32,
    /// Number of consecutive `q` primes in one key-switching digit.
    pub dnum_alpha: usize,
}

/// Bit lengths of primes that programs do not use, lowest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Reserved {
    /// Between `q_0` and the primes of programs.
    pub lower: Vec<u32>,
    /// Above the primes of programs.
    pub upper: Vec<u32>,
}

impl Reserved {
    fn all(&self) -> impl Iterator<Item = &u32> {
        self.lower.iter().chain(&self.upper)
    }
}

/// A checked parameter set. Cheap to clone.
#[derive(Clone)]
pub struct Parameters(Arc<Inner>);

struct Inner {
    literal: ParametersLiteral,
    reserved: Reserved,
    secure: bool,
    ring: Arc<Ring>,
    scales: Vec<f64>,
    log_q: Vec<f64>,
    log_qp: f64,
    digest: [u8; 32],
}

impl Parameters {
    /// Checks a literal and chooses its primes.
    ///
    /// # Errors
    /// [`CkksError::Insecure`] or [`CkksError::UnsupportedDegree`] below 128 bits of security,
    /// [`CkksError::DigitTooLarge`] if a digit exceeds `P`, [`CkksError::InvalidParameters`] or
    /// [`CkksError::NoPrime`] for a literal that describes no usable set.
    pub fn new(literal: ParametersLiteral) -> Result<Self, CkksError> {
        Self::with_reserved(literal, Reserved::default())
    }

    /// As [`Parameters::new`] with further primes between `q_0` and those of the literal, and above them.
    ///
    /// Programs use the levels of the literal; the others are where [`bootstrapping`](crate::bootstrap) works, at scales
    /// of its own. Before its first bootstrap a program may also use the levels above.
    ///
    /// # Errors
    /// As [`Parameters::new`].
    pub fn with_reserved(
        literal: ParametersLiteral,
        reserved: Reserved,
    ) -> Result<Self, CkksError> {
        // Before any prime is looked for: a literal may come from a hostile plan. The primes themselves may make up
        // a little less than their bit lengths.
        let nominal: f64 = literal
            .log_q
            .iter()
            .chain(&literal.log_p)
            .chain(reserved.all())
            .map(|&bits| f64::from(bits))
            .sum();
        if security::check(literal.log_n, nominal - 1.0).is_err() {
            security::check(literal.log_n, nominal)?;
        }
        let params = Self::build(literal, reserved, true)?;
        security::check(params.log_n(), params.log_qp())?;
        Ok(params)
    }

    /// Like [`Parameters::new`] without the security check and with rings down to `N = 16`. For tests only.
    ///
    /// # Errors
    /// As [`Parameters::new`], security aside.
    #[cfg(any(test, feature = "insecure-test-parameters"))]
    pub fn new_insecure_for_tests(literal: ParametersLiteral) -> Result<Self, CkksError> {
        Self::build(literal, Reserved::default(), false)
    }

    /// Like [`Parameters::with_reserved`] without any security check and with rings down to `N = 16`. For tests only.
    ///
    /// # Errors
    /// As [`Parameters::with_reserved`], security aside.
    #[cfg(any(test, feature = "insecure-test-parameters"))]
    pub fn with_reserved_insecure_for_tests(
        literal: ParametersLiteral,
        reserved: Reserved,
    ) -> Result<Self, CkksError> {
        Self::build(literal, reserved, false)
    }

    fn build(
        literal: ParametersLiteral,
        reserved: Reserved,
        secure: bool,
    ) -> Result<Self, CkksError> {
        check_literal(&literal, &reserved)?;
        let chain = primes::choose(&literal, &reserved)?;
        let log_q: Vec<f64> = chain.q.iter().map(|&q| (q as f64).log2()).collect();
        let log_p: f64 = chain.p.iter().map(|&p| (p as f64).log2()).sum();
        check_digits(&log_q, log_p, literal.dnum_alpha)?;
        if chain.scales[0].log2() >= log_q[0] {
            return Err(invalid(
                "log_q",
                "a first prime larger than the scale at level 0",
                literal.log_q[0],
            ));
        }
        let ring = Ring::new(literal.log_n, &chain.q, &chain.p)?;
        let digest = digest(&literal, &reserved, &chain);
        let log_qp = log_q.iter().sum::<f64>() + log_p;
        Ok(Self(Arc::new(Inner {
            literal,
            reserved,
            secure,
            ring,
            scales: chain.scales,
            log_q,
            log_qp,
            digest,
        })))
    }

    /// The literal that it was made from.
    pub fn literal(&self) -> &ParametersLiteral {
        &self.0.literal
    }

    /// Bit lengths of the primes below and above those of programs.
    pub fn reserved(&self) -> &Reserved {
        &self.0.reserved
    }

    /// Lowest level that programs use: 0 unless primes below are reserved.
    pub fn program_bottom(&self) -> usize {
        self.0.reserved.lower.len()
    }

    /// Highest level that programs use: [`Parameters::max_level`] unless primes above are reserved.
    pub fn program_level(&self) -> usize {
        self.program_bottom() + self.0.literal.log_q.len() - 1
    }

    /// The ring with all primes.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.0.ring
    }

    /// log2 of the ring degree.
    pub fn log_n(&self) -> u32 {
        self.0.literal.log_n
    }

    /// Ring degree `N`.
    pub fn degree(&self) -> usize {
        1 << self.log_n()
    }

    /// Number of slots, `N/2`.
    pub fn slots(&self) -> usize {
        self.degree() / 2
    }

    /// log2 of the number of slots.
    pub fn log_slots(&self) -> u32 {
        self.log_n() - 1
    }

    /// Highest level: level `l` has `l + 1` primes, so levels are `0 ..= max_level()`.
    pub fn max_level(&self) -> usize {
        self.0.scales.len() - 1
    }

    /// Canonical scale of a level: `2^log_scale` at [`Parameters::program_level`], and
    /// `scale_at(l - 1) = scale_at(l) * scale_at(l) / q_l` above and below it, as after a product and a rescale. Levels below
    /// [`Parameters::program_bottom`] have the scale of that one.
    ///
    /// # Panics
    /// If `level` exceeds [`Parameters::max_level`].
    pub fn scale_at(&self, level: usize) -> f64 {
        self.0.scales[level]
    }

    /// The prime `q_level`, which a rescale at that level divides by.
    ///
    /// # Panics
    /// If `level` exceeds [`Parameters::max_level`].
    pub fn q(&self, level: usize) -> u64 {
        self.0.ring.q(level).value()
    }

    /// Number of consecutive `q` primes in a digit.
    pub fn alpha(&self) -> usize {
        self.0.literal.dnum_alpha
    }

    /// Number of key-switching digits at a level.
    pub fn digits(&self, level: usize) -> usize {
        (level + 1).div_ceil(self.alpha())
    }

    /// Limbs `q_i` of digit `digit` at a level; the last digit may be shorter.
    pub fn digit_range(&self, digit: usize, level: usize) -> Range<usize> {
        let start = digit * self.alpha();
        start..(start + self.alpha()).min(level + 1)
    }

    /// log2 of the whole modulus `Q P`, on which security depends.
    pub fn log_qp(&self) -> f64 {
        self.0.log_qp
    }

    /// log2 of `q_0 ... q_level`.
    ///
    /// # Panics
    /// If `level` exceeds [`Parameters::max_level`].
    pub fn log_q_at(&self, level: usize) -> f64 {
        self.0.log_q[..=level].iter().sum()
    }

    /// BLAKE3 of the canonical bytes of the set, primes included: two parties with equal digests agree on everything.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }

    /// Rough security in bits for display, see [`security::estimate_bits`]; `None` for test rings.
    pub fn security_bits_estimate(&self) -> Option<f64> {
        security::estimate_bits(self.log_n(), self.log_qp())
    }

    /// The primes of a ciphertext at `level`; `op` names the caller in the error.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn q_set(&self, op: &'static str, level: usize) -> Result<PrimeSet, CkksError> {
        if level > self.max_level() {
            return Err(CkksError::LevelTooHigh {
                op,
                needed: level,
                available: self.max_level(),
            });
        }
        Ok(PrimeSet { q: level + 1, p: 0 })
    }

    /// The primes of a switching key for `level`: those of the ciphertext and all special ones.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn qp_set(&self, op: &'static str, level: usize) -> Result<PrimeSet, CkksError> {
        Ok(PrimeSet {
            p: self.0.ring.p_len(),
            ..self.q_set(op, level)?
        })
    }

    /// Checks that a sparse secret of weight `weight`, under which [`KeyKind::ToSparse`] encrypts modulo `q_0` and the
    /// first special prime, has 128 bits of security itself: the table of sparse secrets, never that of dense ones.
    ///
    /// # Errors
    /// [`CkksError::InsecureSparse`]; [`CkksError::InvalidArgument`] for a weight of 0 or above `N`.
    pub fn check_sparse_secret(&self, weight: u32) -> Result<(), CkksError> {
        if weight == 0 || weight as usize > self.degree() {
            return Err(CkksError::InvalidArgument {
                op: "sparse secret",
                what: "weight",
                needed: format!("1 to {}", self.degree()),
                available: weight.to_string(),
            });
        }
        if !self.0.secure {
            return Ok(());
        }
        let log_modulus = self.0.log_q[0] + (self.0.ring.p(0).value() as f64).log2();
        security::check_sparse(self.log_n(), weight, log_modulus)
    }

    /// The primes of the key of a kind for `level`.
    pub(crate) fn key_set(
        &self,
        op: &'static str,
        kind: KeyKind,
        level: usize,
    ) -> Result<PrimeSet, CkksError> {
        match kind {
            KeyKind::ToSparse(_) if level == 0 => Ok(PrimeSet { q: 1, p: 1 }),
            KeyKind::ToSparse(_) => Err(CkksError::LevelTooHigh {
                op,
                needed: level,
                available: 0,
            }),
            _ => self.qp_set(op, level),
        }
    }

    /// The digits of the key of a kind for `level`.
    ///
    /// What is switched from the sparse secret has been raised from `q_0`: one digit of all primes holds it.
    pub(crate) fn key_digits(&self, kind: KeyKind, level: usize) -> Vec<Range<usize>> {
        match kind {
            KeyKind::FromSparse(_) => std::iter::once(0..level + 1).collect(),
            _ => (0..self.digits(level))
                .map(|digit| self.digit_range(digit, level))
                .collect(),
        }
    }

    pub(crate) fn check_scale(&self, op: &'static str, scale: f64) -> Result<(), CkksError> {
        if scale.is_finite() && scale > 0.0 {
            Ok(())
        } else {
            Err(CkksError::InvalidScale { op, scale })
        }
    }

    /// As [`Parameters::check_shape`] in NTT form, for a polynomial that may be stored by blocks.
    pub(crate) fn check_blocks(
        &self,
        op: &'static str,
        poly: &RnsPoly,
        set: PrimeSet,
    ) -> Result<(), CkksError> {
        let divides = self.degree().is_multiple_of(poly.degree().max(1));
        if divides && poly.set() == set && poly.form() == Form::Ntt {
            return Ok(());
        }
        self.check_shape(op, poly, set, Form::Ntt)
    }

    pub(crate) fn check_shape(
        &self,
        op: &'static str,
        poly: &RnsPoly,
        set: PrimeSet,
        form: Form,
    ) -> Result<(), CkksError> {
        let degree = poly.degree();
        if poly.set() == set && poly.form() == form && degree == self.degree() {
            return Ok(());
        }
        let describe = |degree: usize, set: PrimeSet, form: Form| {
            format!("degree {degree}, {}+{} limbs, {form:?} form", set.q, set.p)
        };
        Err(CkksError::ShapeMismatch {
            op,
            needed: describe(self.degree(), set, form),
            available: describe(degree, poly.set(), poly.form()),
        })
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Parameters {}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters")
            .field("literal", self.literal())
            .field("log_qp", &self.log_qp())
            .finish()
    }
}

fn invalid(field: &'static str, needed: &str, available: impl fmt::Display) -> CkksError {
    CkksError::InvalidParameters {
        field,
        needed: needed.into(),
        available: available.to_string(),
    }
}

fn check_literal(literal: &ParametersLiteral, reserved: &Reserved) -> Result<(), CkksError> {
    let ParametersLiteral {
        log_n,
        log_q,
        log_p,
        log_scale,
        dnum_alpha,
    } = literal;
    if !(4..=17).contains(log_n) {
        return Err(invalid("log_n", "4 to 17", log_n));
    }
    let extra = reserved.all().count();
    let count = log_q.len() + extra + log_p.len();
    if log_q.is_empty() || log_p.is_empty() || count > MAX_PRIMES {
        let available = format!("{} + {}", log_q.len() + extra, log_p.len());
        return Err(invalid(
            "log_q and log_p",
            "at least one prime each, 160 in all",
            available,
        ));
    }
    for (field, bits) in [
        ("log_q", &log_q[..]),
        ("log_p", &log_p[..]),
        ("upper", &reserved.upper),
        ("lower", &reserved.lower),
    ] {
        if let Some(bits) = bits.iter().find(|bits| !(21..=50).contains(*bits)) {
            return Err(invalid(field, "bit lengths of 21 to 50", bits));
        }
    }
    if !(10..=100).contains(log_scale) {
        return Err(invalid("log_scale", "10 to 100", log_scale));
    }
    if !(1..=log_q.len() + extra).contains(dnum_alpha) {
        return Err(invalid(
            "dnum_alpha",
            "1 to the number of q primes",
            dnum_alpha,
        ));
    }
    Ok(())
}

/// Each digit must not exceed `P`, or the key-switching noise is not divided away. A hundredth of a bit is let
/// through, because rescaling primes lie on both sides of their power of two and special primes below it.
fn check_digits(log_q: &[f64], log_p: f64, alpha: usize) -> Result<(), CkksError> {
    for (digit, primes) in log_q.chunks(alpha).enumerate() {
        let needed: f64 = primes.iter().sum();
        if needed > log_p + 0.01 {
            return Err(CkksError::DigitTooLarge {
                digit,
                needed,
                available: log_p,
            });
        }
    }
    Ok(())
}

fn digest(literal: &ParametersLiteral, reserved: &Reserved, chain: &primes::Chain) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("confide 2026 ckks parameters v1");
    let sizes = [literal.dnum_alpha, chain.q.len(), chain.p.len()].map(|size| size as u64);
    for number in [u64::from(literal.log_n), u64::from(literal.log_scale)]
        .into_iter()
        .chain(sizes)
    {
        hasher.update(&number.to_le_bytes());
    }
    for prime in chain.q.iter().chain(&chain.p) {
        hasher.update(&prime.to_le_bytes());
    }
    // The same primes with other canonical scales are another set.
    if !reserved.upper.is_empty() {
        hasher.update(&(reserved.upper.len() as u64).to_le_bytes());
    }
    if !reserved.lower.is_empty() {
        hasher.update(b"lower");
        hasher.update(&(reserved.lower.len() as u64).to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
