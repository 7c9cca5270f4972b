//! Polynomials in residue number system form.

use core::fmt;

use zeroize::Zeroize;

use crate::buffer::Buffer;

/// Which primes a polynomial has limbs for: the first `q` primes of the main chain, then the first `p`
/// special primes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrimeSet {
    /// Number of primes of the main chain.
    pub q: usize,
    /// Number of special primes.
    pub p: usize,
}

impl PrimeSet {
    /// Number of limbs.
    #[inline]
    pub const fn len(&self) -> usize {
        self.q + self.p
    }

    /// Whether there is no limb at all.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether limbs hold coefficients or values at the roots of X^N + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Coefficients of X^0 to X^(N-1).
    Coefficient,
    /// Index i holds the value at psi^(2 brv(i) + 1): the bit-reversed order of the negacyclic
    /// Cooley-Tukey transform.
    Ntt,
}

/// A polynomial of degree below N with one residue vector for each prime of its set. Limbs are
/// contiguous, each of N canonical residues, in the order q0, q1, ..., p0, p1, ...
///
/// Cloning is the expensive copy that it looks like. Dropping does not wipe the residues, and the memory serves
/// later polynomials: owners of secrets call [`RnsPoly::zeroize`].
#[derive(Clone)]
pub struct RnsPoly {
    pub(crate) words: Buffer,
    pub(crate) degree: usize,
    pub(crate) set: PrimeSet,
    pub(crate) form: Form,
}

impl RnsPoly {
    pub(crate) fn zero(degree: usize, set: PrimeSet, form: Form) -> Self {
        Self {
            words: Buffer::zeroed(degree * set.len()),
            degree,
            set,
            form,
        }
    }

    /// Limbs of any content, for callers that overwrite all of them.
    pub(crate) fn scratch(degree: usize, set: PrimeSet, form: Form) -> Self {
        Self {
            words: Buffer::scratch(degree * set.len()),
            degree,
            set,
            form,
        }
    }

    /// The primes that the polynomial has limbs for.
    #[inline]
    pub fn set(&self) -> PrimeSet {
        self.set
    }

    /// Coefficients or values.
    #[inline]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Declares what the limbs hold, for callers that have just filled them.
    pub fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    /// Residues a limb (N).
    #[inline]
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// The residues of one limb; `limb` counts the main primes, then the special ones.
    ///
    /// # Panics
    /// When the set has no such limb.
    #[inline]
    pub fn limb(&self, limb: usize) -> &[u64] {
        &self.words[limb * self.degree..(limb + 1) * self.degree]
    }

    /// The residues of one limb, for writing. They must be left canonical.
    ///
    /// # Panics
    /// When the set has no such limb.
    #[inline]
    pub fn limb_mut(&mut self, limb: usize) -> &mut [u64] {
        &mut self.words[limb * self.degree..(limb + 1) * self.degree]
    }

    /// The limb of main prime `i`.
    #[inline]
    pub fn limb_q(&self, i: usize) -> &[u64] {
        assert!(i < self.set.q, "limb q{i} of {:?}", self.set);
        self.limb(i)
    }

    /// The limb of special prime `j`.
    #[inline]
    pub fn limb_p(&self, j: usize) -> &[u64] {
        assert!(j < self.set.p, "limb p{j} of {:?}", self.set);
        self.limb(self.set.q + j)
    }

    /// The limb for the prime of limb `limb` of a polynomial over a smaller or equal `set`.
    #[inline]
    pub(crate) fn limb_of(&self, set: PrimeSet, limb: usize) -> &[u64] {
        if limb < set.q {
            self.limb_q(limb)
        } else {
            self.limb_p(limb - set.q)
        }
    }

    /// All limbs in order.
    pub fn limbs(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.words.chunks_exact(self.degree)
    }

    /// All limbs in order, for writing. They must be left canonical.
    pub fn limbs_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u64]> {
        self.words.chunks_exact_mut(self.degree)
    }

    /// Overwrites every residue with zero in a way that the compiler keeps.
    pub fn zeroize(&mut self) {
        self.words.zeroize();
    }
}

impl Zeroize for RnsPoly {
    fn zeroize(&mut self) {
        RnsPoly::zeroize(self);
    }
}

impl PartialEq for RnsPoly {
    fn eq(&self, other: &Self) -> bool {
        self.degree == other.degree
            && self.set == other.set
            && self.form == other.form
            && self.words[..] == other.words[..]
    }
}

impl Eq for RnsPoly {}

impl fmt::Debug for RnsPoly {
    /// Sizes only: residues may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RnsPoly")
            .field("degree", &self.degree)
            .field("set", &self.set)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
