//! RLWE samples whose uniform half is a seed.

use super::uniform::fill_limb;
use crate::arithmetic::lift;
use crate::buffer::Buffer;
use crate::{Form, PrimeSet, Ring, RnsPoly};

/// `e - a s` over `set` in NTT form, where `a` is what [`uniform`](super::uniform) gives for the seed and domain,
/// `error` holds the N coefficients of e, and `secret` is s in NTT form over at least the primes of `set`.
///
/// Each limb is sampled, multiplied and transformed while it is in the cache; one limb of scratch a thread holds `a s`
/// and is wiped.
///
/// # Panics
/// When `secret` is not in NTT form or lacks primes, or there are not N errors.
pub fn rlwe(
    ring: &Ring,
    seed: &[u8; 32],
    domain: u64,
    secret: &RnsPoly,
    error: &[i8],
    set: PrimeSet,
) -> RnsPoly {
    let own = secret.set();
    assert!(
        secret.form() == Form::Ntt && own.q >= set.q && own.p >= set.p,
        "secret {secret:?} for {set:?}"
    );
    assert_eq!(error.len(), ring.degree(), "one error a power of X");
    let key = super::uniform::stream_key(seed, domain);
    let mut out = ring.scratch(set, Form::Ntt);
    ring.for_each_indexed_limb(&mut out, |i, t, limb| {
        let (q, kernels) = (t.modulus(), ring.backend);
        let mut product = Buffer::scratch(limb.len());
        fill_limb(&key, set, i, q, &mut product);
        kernels.mul_assign(q, &mut product, secret.limb_of(set, i));
        lift::small(q, error, limb);
        kernels.ntt(t, limb);
        kernels.sub(q, limb, &product);
        product.zeroize();
    });
    out
}
