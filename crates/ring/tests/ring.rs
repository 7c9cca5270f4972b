//! Ring operations against naive references, on every backend.

mod common;

use std::sync::Arc;

use common::{naive_product, random};
use confide_ring::sampling::{Prng, gaussian, rlwe, ternary, uniform};
use confide_ring::{Form, PrimeSet, Ring, RingError, RnsPoly, available_backends, ntt_primes};

/// Rings of one main prime of 50 bits, `q` - 1 of 36 bits and `p` special ones of 50 bits on every backend.
fn rings(log_n: u32, q: usize, p: usize) -> Vec<Arc<Ring>> {
    let wide = ntt_primes(log_n, 50, 1 + p, &[]).unwrap();
    let mut main = vec![wide[0]];
    main.extend(ntt_primes(log_n, 36, q - 1, &[]).unwrap());
    available_backends()
        .into_iter()
        .map(|b| Ring::with_backend(log_n, &main, &wide[1..], b).unwrap())
        .collect()
}

/// The image under X -> X^g of coefficients.
fn naive_automorphism(ring: &Ring, a: &RnsPoly, g: u64) -> RnsPoly {
    let n = ring.degree();
    let mut out = ring.zero(a.set(), Form::Coefficient);
    for l in 0..a.set().len() {
        let q = *ring.modulus_at(a.set(), l);
        for i in 0..n {
            let to = (i as u64 * g % (2 * n as u64)) as usize;
            let v = a.limb(l)[i];
            out.limb_mut(l)[to % n] = if to < n { v } else { q.neg(v) };
        }
    }
    out
}

fn to_ntt(ring: &Ring, a: &RnsPoly) -> RnsPoly {
    let mut b = a.clone();
    ring.ntt(&mut b);
    b
}

#[test]
fn products_match_the_naive_negacyclic_product() {
    for log_n in 3..=8 {
        for r in rings(log_n, 3, 1) {
            let set = r.full_set();
            let (a, b) = (
                random(&r, set, Form::Coefficient, 1),
                random(&r, set, Form::Coefficient, 2),
            );
            let (x, y) = (to_ntt(&r, &a), to_ntt(&r, &b));
            let mut product = r.mul(&x, &y);
            let mut other = x.clone();
            r.mul_assign(&mut other, &y);
            assert_eq!(other, product);
            r.mul_add_assign(&mut other, &x, &y);
            r.sub_assign(&mut other, &product);
            assert_eq!(other, product);
            r.intt(&mut product);
            for l in 0..set.len() {
                assert_eq!(
                    product.limb(l),
                    naive_product(r.modulus_at(set, l), a.limb(l), b.limb(l))
                );
            }
        }
    }
}

#[test]
fn forms_commute_with_linear_operations() {
    for r in rings(5, 3, 2) {
        let set = PrimeSet { q: 2, p: 1 };
        let (a, b) = (
            random(&r, set, Form::Coefficient, 3),
            random(&r, set, Form::Coefficient, 4),
        );
        let scalars: Vec<u64> = (0..set.len())
            .map(|l| r.modulus_at(set, l).value() - 7 - l as u64)
            .collect();
        let run = |mut x: RnsPoly, y: &RnsPoly| {
            r.add_assign(&mut x, y);
            r.mul_scalar_assign(&mut x, &scalars);
            r.mul_scalar_add_assign(&mut x, y, &scalars);
            r.neg_assign(&mut x);
            r.add_scalar_assign(&mut x, &scalars);
            r.sub_assign(&mut x, y);
            x
        };
        let by_values = run(to_ntt(&r, &a), &to_ntt(&r, &b));
        let by_coefficients = run(a, &b);
        assert_eq!(to_ntt(&r, &by_coefficients), by_values);
    }
}

#[test]
fn small_integers_and_round_trips() {
    for r in rings(4, 2, 1) {
        let set = r.full_set();
        let coefficients = [0, 1, -1, i64::MAX, i64::MIN, 1 << 50, -(1 << 36)];
        let a = r.from_i64(&coefficients, set);
        for l in 0..set.len() {
            let q = i128::from(r.modulus_at(set, l).value());
            for (i, &c) in coefficients.iter().enumerate() {
                assert_eq!(i128::from(a.limb(l)[i]), i128::from(c).rem_euclid(q));
            }
            assert!(a.limb(l)[coefficients.len()..].iter().all(|&x| x == 0));
        }
        let mut b = a.clone();
        r.ntt(&mut b);
        assert_eq!(b.form(), Form::Ntt);
        let again = b.clone();
        r.ntt(&mut b);
        assert_eq!(b, again);
        r.intt(&mut b);
        assert_eq!(b, a);
        let dropped = r.drop_limbs(&a, 1);
        assert_eq!(dropped.set(), PrimeSet { q: 1, p: 0 });
        assert_eq!(dropped.limb(0), a.limb(0));
        assert_eq!(a.limb_p(0), a.limb(2));
    }
}

#[test]
fn samples_over_fewer_primes_open_to_their_error() {
    let mut samples = rings(6, 3, 2).into_iter().map(|r| {
        let small = ternary(64, &mut Prng::from_seed([3; 32], 0));
        let secret = r.lift_small(&small, r.full_set());
        let error = gaussian(64, &mut Prng::from_seed([4; 32], 0));
        let set = PrimeSet { q: 2, p: 1 };
        let b = rlwe(&r, &[5; 32], 6, &secret, &error, set);
        let mut opened = r.phase(&b, &uniform(&r, &[5; 32], 6, set), &secret);
        r.intt(&mut opened);
        let wide: Vec<i64> = error.iter().map(|&e| i64::from(e)).collect();
        assert_eq!(opened, r.from_i64(&wide, set));
        let doubles: Vec<f64> = error.iter().map(|&e| f64::from(e)).collect();
        assert_eq!(r.lift_integers(&doubles, set), to_ntt(&r, &opened));
        b
    });
    let first = samples.next().unwrap();
    assert!(samples.all(|sample| sample == first));
}

#[test]
fn an_automorphism_that_is_used_once_is_the_same() {
    for r in rings(5, 2, 2) {
        let a = random(&r, r.full_set(), Form::Ntt, 8);
        let set = PrimeSet { q: 1, p: 1 };
        for g in [1, 5, 63] {
            let (all, some) = (r.automorphism(&a, g), r.automorphism_once(&a, g, set));
            assert_eq!(some.limb_q(0), all.limb_q(0));
            assert_eq!(some.limb_p(0), all.limb_p(0));
        }
    }
}

#[test]
fn monomials_shift_with_sign() {
    for r in rings(4, 2, 1) {
        let (n, set) = (r.degree(), r.full_set());
        let a = random(&r, set, Form::Coefficient, 5);
        for k in [0, 1, 5, n - 1, n, n + 1, 2 * n - 1, 2 * n, 3 * n + 2] {
            let mut expected = a.clone();
            for l in 0..set.len() {
                let q = *r.modulus_at(set, l);
                for i in 0..n {
                    let to = (i + k) % (2 * n);
                    expected.limb_mut(l)[to % n] = if to < n {
                        a.limb(l)[i]
                    } else {
                        q.neg(a.limb(l)[i])
                    };
                }
            }
            let (mut x, mut y) = (a.clone(), to_ntt(&r, &a));
            r.mul_monomial_assign(&mut x, k);
            assert_eq!(x, expected, "X^{k}");
            r.mul_monomial_assign(&mut y, k);
            assert_eq!(y, to_ntt(&r, &expected), "X^{k}, values");
        }
    }
}

#[test]
fn automorphisms_match_the_definition_and_compose() {
    for log_n in [3, 6, 9] {
        for r in rings(log_n, 2, 1) {
            let (order, set) = (2 * r.degree() as u64, PrimeSet { q: 2, p: 0 });
            let a = random(&r, set, Form::Coefficient, 6);
            let values = to_ntt(&r, &a);
            for g in [
                1,
                3,
                5,
                r.galois_for_rotation(3),
                r.galois_for_rotation(-1),
                r.galois_for_conjugation(),
            ] {
                let expected = naive_automorphism(&r, &a, g);
                assert_eq!(r.automorphism(&a, g), expected, "{g}");
                assert_eq!(
                    r.automorphism(&values, g),
                    to_ntt(&r, &expected),
                    "{g}, values"
                );
                let h = r.galois_for_rotation(2);
                let twice = r.automorphism(&r.automorphism(&values, g), h);
                assert_eq!(twice, r.automorphism(&values, g * h % order));
            }
            assert_eq!(r.galois_for_rotation(0), 1);
            assert_eq!(r.galois_for_rotation(1), 5);
            assert_eq!(
                r.galois_for_rotation(-3) * r.galois_for_rotation(3) % order,
                1
            );
            assert_eq!(r.galois_for_rotation(r.degree() as i64 / 2 + 1), 5);
            assert_eq!(r.galois_for_conjugation(), order - 1);
        }
    }
}

#[test]
fn inner_products_take_keys_of_higher_levels() {
    for r in rings(5, 4, 2) {
        let (low, high) = (PrimeSet { q: 2, p: 2 }, r.full_set());
        let digits: Vec<_> = (0..9).map(|d| random(&r, low, Form::Ntt, 10 + d)).collect();
        let keys: Vec<_> = (0..9)
            .map(|d| {
                [
                    random(&r, high, Form::Ntt, 30 + d),
                    random(&r, high, Form::Ntt, 50 + d),
                ]
            })
            .collect();
        let result = r.inner_product(&digits, &keys);
        let borrowed: Vec<[&RnsPoly; 2]> = keys.iter().map(|[a, b]| [a, b]).collect();
        assert_eq!(
            r.inner_product(&digits.iter().collect::<Vec<_>>(), &borrowed),
            result
        );
        for (k, sum) in result.iter().enumerate() {
            assert_eq!(sum.set(), low);
            for l in 0..low.len() {
                let q = r.modulus_at(low, l);
                for i in 0..r.degree() {
                    let expected = digits.iter().zip(&keys).fold(0, |acc, (d, key)| {
                        let limb = if l < low.q {
                            key[k].limb_q(l)
                        } else {
                            key[k].limb_p(l - low.q)
                        };
                        q.add(acc, q.mul(d.limb(l)[i], limb[i]))
                    });
                    assert_eq!(sum.limb(l)[i], expected);
                }
            }
        }
    }
}

#[test]
fn wiping_leaves_zeros() {
    let r = &rings(5, 2, 1)[0];
    let mut a = random(r, r.full_set(), Form::Ntt, 8);
    assert!(a.limb(0).iter().any(|&x| x != 0));
    a.zeroize();
    assert!(a.limbs().flatten().all(|&x| x == 0));
    assert!(!format!("{a:?}").contains("words"));
}

#[test]
fn errors_name_what_was_refused() {
    let q = ntt_primes(10, 50, 2, &[]).unwrap();
    assert!(
        q[0] > q[1]
            && q.iter()
                .all(|p| p % 2048 == 1 && *p < 1 << 50 && *p > 1 << 49)
    );
    assert_eq!(ntt_primes(10, 50, 1, &q[..1]).unwrap(), q[1..]);
    assert_eq!(Ring::new(10, &[], &q).unwrap_err(), RingError::EmptyChain);
    assert_eq!(
        Ring::new(10, &[q[0]], &[q[0]]).unwrap_err(),
        RingError::Repeated { value: q[0] }
    );
    assert_eq!(
        Ring::new(10, &[q[0] - 2], &[]).unwrap_err(),
        RingError::Modulus { value: q[0] - 2 }
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
    assert!(matches!(
        ntt_primes(4, 51, 1, &[]),
        Err(RingError::NotEnoughPrimes { .. })
    ));
}

#[test]
fn matrix_products_are_sums_of_scaled_polynomials() {
    for log_n in [3, 6, 14] {
        for r in rings(log_n, 2, 1) {
            let set = r.full_set();
            for form in [Form::Coefficient, Form::Ntt] {
                let inputs: Vec<_> = (0..3).map(|i| random(&r, set, form, i)).collect();
                let borrowed: Vec<&RnsPoly> = inputs.iter().collect();
                let weights = [5, -7, 0, i64::MAX, i64::MIN, -1];
                let out = r.matrix_product(&borrowed, &weights);
                assert_eq!(out.len(), 2);
                let mut twice = out.clone();
                r.matrix_product_add(twice.iter_mut().collect(), &borrowed, &weights);
                for (twice, once) in twice.iter_mut().zip(&out) {
                    r.sub_assign(twice, once);
                    assert_eq!(twice, once);
                }
                for (poly, weights) in out.iter().zip(weights.chunks(3)) {
                    let mut sum = r.zero(set, form);
                    for (input, &w) in inputs.iter().zip(weights) {
                        let scalar: Vec<u64> = (0..set.len())
                            .map(|l| r.modulus_at(set, l).from_i64(w))
                            .collect();
                        r.mul_scalar_add_assign(&mut sum, input, &scalar);
                    }
                    assert_eq!(poly, &sum, "{} N=2^{log_n}", r.backend().name());
                }
            }
        }
    }
}
