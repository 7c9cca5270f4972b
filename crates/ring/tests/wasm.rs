//! The transforms in a browser: round trips, and equality of every backend that the engine offers.
#![cfg(target_arch = "wasm32")]

mod common;

use chacha20::ChaCha20Rng;
use common::{prime, residues};
use confide_ring::sampling::{Prng, gaussian, os_seed, rlwe, ternary, uniform};
use confide_ring::{NttTable, PrimeSet, Ring, available_backends, ntt_primes};
use rand_core::{Rng, SeedableRng};
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
fn the_keystream_is_that_of_every_other_machine() {
    for (seed, stream) in [([0; 32], 0), ([7; 32], 1), ([255; 32], u64::MAX - 5)] {
        let mut expected = ChaCha20Rng::from_seed(seed);
        expected.set_stream(stream);
        let mut rng = Prng::from_seed(seed, stream);
        // Lengths around words, blocks and batches, more than 2^8 blocks of them.
        for length in [8, 64, 3, 256, 1, 300, 2048, 255, 4, 257, 5, 20_000, 512, 12] {
            let (mut ours, mut theirs) = (vec![0; length], vec![0; length]);
            rng.fill(&mut ours);
            expected.fill_bytes(&mut theirs);
            assert_eq!(ours, theirs, "{length} bytes of stream {stream}");
            assert_eq!(rng.next_u64(), expected.next_u64(), "after {length} bytes");
        }
    }
}

#[wasm_bindgen_test]
fn samples_are_equal_on_every_backend() {
    let primes = ntt_primes(10, 45, 4, &[]).unwrap();
    let set = PrimeSet { q: 2, p: 1 };
    let mut results = available_backends().into_iter().map(|backend| {
        let ring = Ring::with_backend(10, &primes[..3], &primes[3..], backend).unwrap();
        let small = ternary(1024, &mut Prng::from_seed([3; 32], 0));
        let secret = ring.lift_small(&small, ring.full_set());
        let error = gaussian(1024, &mut Prng::from_seed([4; 32], 0));
        let b = rlwe(&ring, &[5; 32], 6, &secret, &error, set);
        // b + a s is the error again.
        let s = ring.automorphism_once(&secret, 1, set);
        let mut phase = ring.phase(&b, &uniform(&ring, &[5; 32], 6, set), &s);
        ring.sub_assign(&mut phase, &ring.lift_small(&error, set));
        assert!(phase.limbs().flatten().all(|&x| x == 0));
        b
    });
    let first = results.next().unwrap();
    assert!(results.all(|r| r == first));
}

#[wasm_bindgen_test]
fn the_browser_gives_randomness() {
    let (a, b) = (os_seed().unwrap(), os_seed().unwrap());
    assert_ne!(a, b);
    let mut rng = Prng::from_seed(a, 0);
    assert!(ternary(1024, &mut rng).iter().any(|&x| x != 0));
    assert!(gaussian(1024, &mut rng).iter().any(|&x| x != 0));
}
