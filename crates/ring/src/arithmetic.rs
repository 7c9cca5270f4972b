//! Limb-wise arithmetic of polynomials.

pub(crate) mod lift;
mod turn;

use crate::{Form, PrimeSet, Ring, RnsPoly};

impl Ring {
    /// a += b. Operands share set and form.
    ///
    /// # Panics
    /// When they do not.
    pub fn add_assign(&self, a: &mut RnsPoly, b: &RnsPoly) {
        same_shape("add", a, b);
        self.for_each_indexed_limb(a, |i, t, limb| {
            self.backend.add(t.modulus(), limb, b.limb(i))
        });
    }

    /// a -= b. Operands share set and form.
    ///
    /// # Panics
    /// When they do not.
    pub fn sub_assign(&self, a: &mut RnsPoly, b: &RnsPoly) {
        same_shape("sub", a, b);
        self.for_each_indexed_limb(a, |i, t, limb| {
            self.backend.sub(t.modulus(), limb, b.limb(i))
        });
    }

    /// a = -a.
    pub fn neg_assign(&self, a: &mut RnsPoly) {
        self.for_each_limb(a, |t, limb| self.backend.neg(t.modulus(), limb));
    }

    /// a *= b. Operands are in NTT form over one set.
    ///
    /// # Panics
    /// When they are not.
    pub fn mul_assign(&self, a: &mut RnsPoly, b: &RnsPoly) {
        same_shape("mul", a, b);
        need_ntt("mul", a);
        self.for_each_indexed_limb(a, |i, t, limb| {
            self.backend.mul_assign(t.modulus(), limb, b.limb(i))
        });
    }

    /// a * b. Operands are in NTT form over one set.
    ///
    /// # Panics
    /// When they are not.
    pub fn mul(&self, a: &RnsPoly, b: &RnsPoly) -> RnsPoly {
        same_shape("mul", a, b);
        need_ntt("mul", a);
        let mut out = self.scratch(a.set, Form::Ntt);
        self.for_each_indexed_limb(&mut out, |i, t, limb| {
            self.backend.mul(t.modulus(), limb, a.limb(i), b.limb(i))
        });
        out
    }

    /// c + a * s, the phase of a ciphertext (c, a). Operands are in NTT form, c and a over one set, s over at least
    /// its primes.
    ///
    /// # Panics
    /// When they are not.
    pub fn phase(&self, c: &RnsPoly, a: &RnsPoly, s: &RnsPoly) -> RnsPoly {
        same_shape("phase", c, a);
        need_ntt("phase", a);
        need_ntt("phase", s);
        let mut out = self.scratch(a.set, Form::Ntt);
        self.for_each_indexed_limb(&mut out, |i, t, limb| {
            limb.copy_from_slice(c.limb(i));
            self.backend
                .mul_add(t.modulus(), limb, a.limb(i), s.limb_of(a.set, i));
        });
        out
    }

    /// acc += a * b. Operands are in NTT form over one set.
    ///
    /// # Panics
    /// When they are not.
    pub fn mul_add_assign(&self, acc: &mut RnsPoly, a: &RnsPoly, b: &RnsPoly) {
        same_shape("mul_add", a, b);
        same_shape("mul_add", acc, a);
        need_ntt("mul_add", a);
        self.for_each_indexed_limb(acc, |i, t, limb| {
            self.backend
                .mul_add(t.modulus(), limb, a.limb(i), b.limb(i))
        });
    }

    /// a *= scalar, one canonical residue a limb. Either form.
    ///
    /// # Panics
    /// When there is not one residue a limb.
    pub fn mul_scalar_assign(&self, a: &mut RnsPoly, scalar: &[u64]) {
        assert_eq!(scalar.len(), a.set.len(), "one residue a limb");
        self.for_each_indexed_limb(a, |i, t, limb| {
            let c = self
                .backend
                .prepare(t.modulus(), t.modulus().reduce(scalar[i]));
            self.backend.mul_scalar(t.modulus(), limb, c);
        });
    }

    /// acc += a * scalar, one canonical residue for each limb of `acc`. Operands share set and form, but `a` may have more
    /// main primes where neither has special ones.
    ///
    /// # Panics
    /// When they do not, or when there is not one residue a limb.
    pub fn mul_scalar_add_assign(&self, acc: &mut RnsPoly, a: &RnsPoly, scalar: &[u64]) {
        if acc.set.p > 0 || a.set.p > 0 || a.set.q < acc.set.q || a.form != acc.form {
            same_shape("mul_scalar_add", acc, a);
        }
        assert_eq!(scalar.len(), acc.set.len(), "one residue a limb");
        self.for_each_indexed_limb(acc, |i, t, limb| {
            let c = self
                .backend
                .prepare(t.modulus(), t.modulus().reduce(scalar[i]));
            self.backend.mul_scalar_add(t.modulus(), limb, a.limb(i), c);
        });
    }

    /// a += the constant polynomial `scalar`, one canonical residue a limb. Either form.
    ///
    /// # Panics
    /// When there is not one residue a limb.
    pub fn add_scalar_assign(&self, a: &mut RnsPoly, scalar: &[u64]) {
        assert_eq!(scalar.len(), a.set.len(), "one residue a limb");
        let form = a.form;
        self.for_each_indexed_limb(a, |i, t, limb| {
            let (q, c) = (*t.modulus(), t.modulus().reduce(scalar[i]));
            match form {
                Form::Coefficient => limb[0] = q.add(limb[0], c),
                Form::Ntt => limb.iter_mut().for_each(|x| *x = q.add(*x, c)),
            }
        });
    }

    /// The same polynomial modulo the first `q` main primes only.
    ///
    /// # Panics
    /// When `a` has fewer.
    pub fn drop_limbs(&self, a: &RnsPoly, q: usize) -> RnsPoly {
        assert!(q <= a.set.q, "{q} limbs of {:?}", a.set);
        let mut out = self.scratch(PrimeSet { q, p: 0 }, a.form);
        let words = q * a.degree;
        out.words.copy_from_slice(&a.words[..words]);
        out
    }
}

#[track_caller]
pub(crate) fn same_shape(operation: &str, a: &RnsPoly, b: &RnsPoly) {
    assert!(
        a.set == b.set && a.form == b.form && a.degree == b.degree,
        "{operation}: operands {a:?} and {b:?} differ"
    );
}

#[track_caller]
pub(crate) fn need_ntt(operation: &str, a: &RnsPoly) {
    assert!(a.form == Form::Ntt, "{operation}: {a:?} is not in NTT form");
}
