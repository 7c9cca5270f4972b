//! The transforms in a browser: round trips, and equality of every backend that the engine offers.
#![cfg(target_arch = "wasm32")]

mod common;

use common::{prime, residues};
use confide_ring::sampling::{gaussian, os_seed, ternary, uniform};
use confide_ring::{NttTable, PrimeSet, Ring, available_backends, ntt_primes};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn transforms_are_undone_and_equal_on_every_backend() {
    for log_n in [3, 4, 6, 10, 13] {
        for bits in [30, 50] {
            let q = prime(log_n, bits);
            for a in [residues(&q, 1 << log_n, 5), vec![q.value() - 1; 1 << log_n]] {
                let expected = common::transformed(q, &a);
                for backend in available_backends() {
                    let table = NttTable::new(q, log_n, backend).unwrap();
                    let mut x = a.clone();
                    backend.ntt(&table, &mut x);
                    assert_eq!(x, expected, "{} N=2^{log_n}", backend.name());
                    backend.intt(&table, &mut x, table.inverse_degree());
                    assert_eq!(x, a, "{} N=2^{log_n}", backend.name());
                }
            }
        }
    }
}

#[wasm_bindgen_test]
fn base_conversion_is_equal_on_every_backend() {
    let primes = ntt_primes(10, 50, 5, &[]).unwrap();
    let set = PrimeSet { q: 3, p: 2 };
    let mut results = available_backends().into_iter().map(|backend| {
        let ring = Ring::with_backend(10, &primes[..3], &primes[3..], backend).unwrap();
        let a = uniform(&ring, &[7; 32], 1, set);
        let mut down = ring.mod_down(a);
        ring.intt(&mut down);
        let up = ring.mod_up(&down, 0..2, set);
        ring.rescale(ring.drop_limbs(&up, 3))
    });
    let first = results.next().unwrap();
    assert!(results.all(|r| r == first));
}

#[wasm_bindgen_test]
fn the_browser_gives_randomness() {
    let (a, b) = (os_seed().unwrap(), os_seed().unwrap());
    assert_ne!(a, b);
    let mut rng = confide_ring::sampling::Prng::from_seed(a, 0);
    assert!(ternary(1024, &mut rng).iter().any(|&x| x != 0));
    assert!(gaussian(1024, &mut rng).iter().any(|&x| x != 0));
}
