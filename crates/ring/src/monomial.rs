//! Products by powers of X.

use crate::{Form, NttTable, Ring, RnsPoly};

impl Ring {
    /// a *= X^k, with X^N = -1; k counts modulo 2N. Either form.
    pub fn mul_monomial_assign(&self, a: &mut RnsPoly, k: usize) {
        let n = self.degree();
        let k = k % (2 * n);
        if k == 0 {
            return;
        }
        match a.form {
            Form::Coefficient => self.for_each_limb(a, |t, limb| {
                limb.rotate_right(k % n);
                // What wrapped around changed its sign; X^N changes all of them.
                let (wrapped, kept) = limb.split_at_mut(k % n);
                self.backend
                    .neg(t.modulus(), if k < n { wrapped } else { kept });
            }),
            Form::Ntt => self.for_each_limb(a, |t, limb| {
                let mut values = vec![0; n];
                self.monomial_values(t, k as u64, &mut values);
                self.backend.mul_assign(t.modulus(), limb, &values);
            }),
        }
    }

    /// Values of X^k: entry i is psi^((2 brv(i) + 1) k). The second half of each power-of-two prefix is the
    /// first half times one constant, because brv(m + i) = brv(i) + N / 2m for i < m.
    fn monomial_values(&self, t: &NttTable, k: u64, out: &mut [u64]) {
        let (q, order) = (t.modulus(), 2 * out.len() as u64);
        out[0] = q.pow(t.psi(), k % order);
        let mut m = 1;
        while m < out.len() {
            let factor = q.pow(t.psi(), k * (order / (2 * m as u64)) % order);
            let (low, high) = out[..2 * m].split_at_mut(m);
            if m < 8 {
                high.iter_mut()
                    .zip(low)
                    .for_each(|(h, l)| *h = q.mul(*l, factor));
            } else {
                high.copy_from_slice(low);
                self.backend
                    .mul_scalar(q, high, self.backend.prepare(q, factor));
            }
            m *= 2;
        }
    }
}
