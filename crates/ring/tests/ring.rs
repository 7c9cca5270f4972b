//! Ring operations against big-integer and naive references.

use std::sync::Arc;

use confide_ring::{Form, PrimeSet, Ring, RingError, RnsPoly, ntt_primes};

fn ring(log_n: u32, q: usize, p: usize) -> Arc<Ring> {
    let mut primes = ntt_primes(log_n, 50, 1 + p, &[]).unwrap();
    primes.rotate_left(1);
    let special = primes[..p].to_vec();
    let mut main = vec![primes[p]];
    main.extend(ntt_primes(log_n, 36, q - 1, &[]).unwrap());
    Ring::new(log_n, &main, &special).unwrap()
}

/// A fixed pseudo-random sequence (SplitMix64).
fn sequence(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn random(ring: &Ring, set: PrimeSet, form: Form, seed: u64) -> RnsPoly {
    let mut next = sequence(seed);
    let mut a = ring.zero(set, form);
    for i in 0..set.len() {
        let q = *ring.modulus_at(set, i);
        a.limb_mut(i).iter_mut().for_each(|x| *x = q.reduce(next()));
    }
    a
}

fn naive_product(ring: &Ring, a: &RnsPoly, b: &RnsPoly) -> RnsPoly {
    let (n, mut out) = (ring.degree(), ring.zero(a.set(), Form::Coefficient));
    for l in 0..a.set().len() {
        let q = *ring.modulus_at(a.set(), l);
        for i in 0..n {
            for j in 0..n {
                let v = q.mul(a.limb(l)[i], b.limb(l)[j]);
                let o = &mut out.limb_mut(l)[(i + j) % n];
                *o = if i + j < n {
                    q.add(*o, v)
                } else {
                    q.sub(*o, v)
                };
            }
        }
    }
    out
}

#[test]
fn products_match_the_naive_negacyclic_product() {
    for log_n in 3..=8 {
        let r = ring(log_n, 3, 1);
        let set = r.full_set();
        let (a, b) = (
            random(&r, set, Form::Coefficient, 1),
            random(&r, set, Form::Coefficient, 2),
        );
        let (mut x, mut y) = (a.clone(), b.clone());
        r.ntt(&mut x);
        r.ntt(&mut y);
        let mut product = r.mul(&x, &y);
        let mut twice = product.clone();
        r.mul_add_assign(&mut twice, &x, &y);
        r.intt(&mut product);
        r.intt(&mut twice);
        let naive = naive_product(&r, &a, &b);
        assert_eq!(product, naive);
        r.sub_assign(&mut twice, &naive);
        assert_eq!(twice, naive);
    }
}

#[test]
fn errors_name_what_was_refused() {
    let q = ntt_primes(10, 50, 2, &[]).unwrap();
    assert_eq!(Ring::new(10, &[], &q).unwrap_err(), RingError::EmptyChain);
    assert_eq!(
        Ring::new(10, &[q[0]], &[q[0]]).unwrap_err(),
        RingError::Repeated { value: q[0] }
    );
    assert_eq!(
        Ring::new(10, &[q[0] - 2048], &[]).unwrap_err(),
        RingError::Modulus { value: q[0] - 2048 }
    );
    assert_eq!(
        Ring::new(2, &q, &[]).unwrap_err(),
        RingError::Degree {
            log_n: 2,
            min: 3,
            max: 17
        }
    );
    let small = ntt_primes(4, 30, 1, &[]).unwrap()[0];
    assert!(matches!(
        Ring::new(17, &[small], &[]),
        Err(RingError::NoRoot { .. })
    ));
    assert!(matches!(
        ntt_primes(17, 22, 50, &[]),
        Err(RingError::NotEnoughPrimes { needed: 50, .. })
    ));
}
