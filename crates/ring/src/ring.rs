//! The ring: degree, prime chains and everything precomputed for them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use crate::automorphism::Permutation;
use crate::backend::{self, Backend};
use crate::conversion::{Extension, Reduction};
use crate::{Form, Modulus, NttTable, PrimeSet, RingError, RnsPoly, par};

/// Smallest supported logarithm of the degree.
pub(crate) const MIN_LOG_N: u32 = 3;
/// Largest supported logarithm of the degree.
pub(crate) const MAX_LOG_N: u32 = 17;

/// Degree N, main primes, special primes, and the tables of a backend. Immutable and shared by `Arc`;
/// tables that depend on a digit, a level or a Galois element are made on first use and kept.
pub struct Ring {
    pub(crate) log_n: u32,
    pub(crate) backend: &'static dyn Backend,
    /// Main chain, then special primes.
    pub(crate) tables: Vec<NttTable>,
    pub(crate) q_len: usize,
    pub(crate) permutations: RwLock<HashMap<(u64, Form), Arc<Permutation>>>,
    /// By number of coefficients; see [`Ring::period_tables`].
    pub(crate) periods: RwLock<HashMap<usize, Arc<Vec<NttTable>>>>,
    pub(crate) extensions: RwLock<HashMap<(usize, usize), Arc<Extension>>>,
    pub(crate) mod_downs: Vec<OnceLock<Reduction>>,
    pub(crate) rescales: Vec<OnceLock<Reduction>>,
    pub(crate) mod_down_rescales: Vec<OnceLock<Reduction>>,
}

impl Ring {
    /// A ring of degree 2^`log_n` with main primes `q` and special primes `p`, on the machine's best
    /// backend.
    ///
    /// # Errors
    /// [`RingError`] for a degree outside 2^3 to 2^17, an empty main chain, a number that is not a prime
    /// in (2^20, 2^50), a prime that is not 1 modulo 2N or appears twice.
    pub fn new(log_n: u32, q: &[u64], p: &[u64]) -> Result<Arc<Self>, RingError> {
        Self::with_backend(log_n, q, p, backend::backend())
    }

    /// As [`Ring::new`] on a given backend.
    ///
    /// # Errors
    /// As [`Ring::new`].
    pub fn with_backend(
        log_n: u32,
        q: &[u64],
        p: &[u64],
        backend: &'static dyn Backend,
    ) -> Result<Arc<Self>, RingError> {
        if !(MIN_LOG_N..=MAX_LOG_N).contains(&log_n) {
            return Err(RingError::Degree {
                log_n,
                min: MIN_LOG_N,
                max: MAX_LOG_N,
            });
        }
        if q.is_empty() {
            return Err(RingError::EmptyChain);
        }
        let primes: Vec<u64> = q.iter().chain(p).copied().collect();
        for (i, &value) in primes.iter().enumerate() {
            if primes[..i].contains(&value) {
                return Err(RingError::Repeated { value });
            }
        }
        let tables = par::map(primes.len(), |i| {
            NttTable::new(Modulus::new(primes[i])?, log_n, backend)
        })
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Self {
            log_n,
            backend,
            tables,
            q_len: q.len(),
            permutations: RwLock::default(),
            periods: RwLock::default(),
            extensions: RwLock::default(),
            mod_downs: (0..=p.len()).map(|_| OnceLock::new()).collect(),
            rescales: (0..=q.len()).map(|_| OnceLock::new()).collect(),
            mod_down_rescales: (0..=q.len()).map(|_| OnceLock::new()).collect(),
        }))
    }

    /// N.
    #[inline]
    pub fn degree(&self) -> usize {
        1 << self.log_n
    }

    /// log2 N.
    #[inline]
    pub fn log_degree(&self) -> u32 {
        self.log_n
    }

    /// Number of main primes.
    #[inline]
    pub fn q_len(&self) -> usize {
        self.q_len
    }

    /// Number of special primes.
    #[inline]
    pub fn p_len(&self) -> usize {
        self.tables.len() - self.q_len
    }

    /// Main prime `i`.
    #[inline]
    pub fn q(&self, i: usize) -> &Modulus {
        assert!(i < self.q_len, "main prime {i} of {}", self.q_len);
        self.tables[i].modulus()
    }

    /// Special prime `j`.
    #[inline]
    pub fn p(&self, j: usize) -> &Modulus {
        self.tables[self.q_len + j].modulus()
    }

    /// The prime of limb `limb` of a polynomial over `set`.
    #[inline]
    pub fn modulus_at(&self, set: PrimeSet, limb: usize) -> &Modulus {
        self.table_at(set, limb).modulus()
    }

    /// The backend that runs the kernels.
    pub fn backend(&self) -> &'static dyn Backend {
        self.backend
    }

    /// All primes of the ring.
    pub fn full_set(&self) -> PrimeSet {
        PrimeSet {
            q: self.q_len(),
            p: self.p_len(),
        }
    }

    /// The zero polynomial.
    ///
    /// # Panics
    /// When the ring has fewer primes than `set`.
    pub fn zero(&self, set: PrimeSet, form: Form) -> RnsPoly {
        self.check_set(set);
        RnsPoly::zero(self.degree(), set, form)
    }

    /// As [`Ring::zero`] with any content, for callers that overwrite every limb.
    pub(crate) fn scratch(&self, set: PrimeSet, form: Form) -> RnsPoly {
        self.check_set(set);
        RnsPoly::scratch(self.degree(), set, form)
    }

    /// The polynomial of small signed coefficients, in coefficient form. Missing coefficients are zero.
    ///
    /// # Panics
    /// When there are more than N coefficients.
    pub fn from_i64(&self, coeffs: &[i64], set: PrimeSet) -> RnsPoly {
        assert!(
            coeffs.len() <= self.degree(),
            "{} coefficients in degree {}",
            coeffs.len(),
            self.degree()
        );
        let mut out = self.zero(set, Form::Coefficient);
        self.for_each_limb(&mut out, |t, limb| {
            let q = *t.modulus();
            for (r, &c) in limb.iter_mut().zip(coeffs) {
                *r = q.from_i64(c);
            }
        });
        out
    }

    /// To values at the roots of X^N + 1; nothing if already there.
    pub fn ntt(&self, a: &mut RnsPoly) {
        if a.form == Form::Coefficient {
            self.for_each_limb(a, |t, limb| self.backend.ntt(t, limb));
            a.form = Form::Ntt;
        }
    }

    /// To coefficients; nothing if already there.
    pub fn intt(&self, a: &mut RnsPoly) {
        if a.form == Form::Ntt {
            self.for_each_limb(a, |t, limb| self.backend.intt(t, limb, t.inverse_degree()));
            a.form = Form::Coefficient;
        }
    }

    /// Index of a limb's prime in the ring's tables.
    #[inline]
    pub(crate) fn table_index(&self, set: PrimeSet, limb: usize) -> usize {
        debug_assert!(limb < set.len());
        if limb < set.q {
            limb
        } else {
            self.q_len + limb - set.q
        }
    }

    #[inline]
    pub(crate) fn table_at(&self, set: PrimeSet, limb: usize) -> &NttTable {
        &self.tables[self.table_index(set, limb)]
    }

    #[track_caller]
    pub(crate) fn check_set(&self, set: PrimeSet) {
        assert!(
            set.q <= self.q_len && set.p <= self.p_len(),
            "{set:?} of a ring with {:?}",
            self.full_set()
        );
    }

    /// Runs `f(table, limb)` over the limbs of `a`, in parallel with feature `parallel`.
    pub(crate) fn for_each_limb(
        &self,
        a: &mut RnsPoly,
        f: impl Fn(&NttTable, &mut [u64]) + Send + Sync,
    ) {
        self.for_each_indexed_limb(a, |_, t, limb| f(t, limb));
    }

    /// As [`Ring::for_each_limb`], with the limb's index.
    pub(crate) fn for_each_indexed_limb(
        &self,
        a: &mut RnsPoly,
        f: impl Fn(usize, &NttTable, &mut [u64]) + Send + Sync,
    ) {
        let (set, degree) = (a.set, self.degree());
        assert_eq!(a.degree, degree, "polynomial of another ring");
        self.check_set(set);
        par::for_each_chunk(&mut a.words, degree, |i, limb| {
            f(i, self.table_at(set, i), limb)
        });
    }
}

impl core::fmt::Debug for Ring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ring")
            .field("degree", &self.degree())
            .field("primes", &self.full_set())
            .field("backend", &self.backend.name())
            .finish_non_exhaustive()
    }
}
