//! Helpers shared by the test binaries.
#![allow(dead_code)]

use confide_ring::{Backend, Form, Modulus, NttTable, PrimeSet, Ring, RnsPoly, ntt_primes};

/// A fixed pseudo-random sequence (SplitMix64).
pub fn sequence(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Residues of which about a third are 0, 1 or q - 1.
pub fn residues(q: &Modulus, n: usize, seed: u64) -> Vec<u64> {
    let mut next = sequence(seed);
    (0..n)
        .map(|_| match next() % 9 {
            0 => 0,
            1 => 1,
            2 => q.value() - 1,
            _ => q.reduce(next()),
        })
        .collect()
}

/// The largest prime of `bits` bits for degree 2^`log_n`.
pub fn prime(log_n: u32, bits: u32) -> Modulus {
    Modulus::new(ntt_primes(log_n, bits, 1, &[]).unwrap()[0]).unwrap()
}

/// A polynomial of pseudo-random residues.
pub fn random(ring: &Ring, set: PrimeSet, form: Form, seed: u64) -> RnsPoly {
    let mut a = ring.zero(set, form);
    for i in 0..set.len() {
        let q = *ring.modulus_at(set, i);
        a.limb_mut(i)
            .copy_from_slice(&residues(&q, ring.degree(), seed ^ (i as u64) << 32));
    }
    a
}

/// Values at psi^(2 brv(i) + 1), by evaluation.
pub fn naive_ntt(table: &NttTable, a: &[u64]) -> Vec<u64> {
    let (q, n) = (table.modulus(), a.len());
    let shift = usize::BITS - n.ilog2();
    (0..n)
        .map(|i| {
            let point = q.pow(table.psi(), 2 * (i.reverse_bits() >> shift) as u64 + 1);
            a.iter()
                .rev()
                .fold(0, |acc, &c| q.add(q.mul(acc, point), c))
        })
        .collect()
}

/// Product modulo X^N + 1.
pub fn naive_product(q: &Modulus, a: &[u64], b: &[u64]) -> Vec<u64> {
    let n = a.len();
    let mut out = vec![0; n];
    for (i, &x) in a.iter().enumerate() {
        for (j, &y) in b.iter().enumerate() {
            let (k, v) = ((i + j) % n, q.mul(x, y));
            out[k] = if i + j < n {
                q.add(out[k], v)
            } else {
                q.sub(out[k], v)
            };
        }
    }
    out
}

/// The transform of `a` on the portable backend.
pub fn transformed(q: Modulus, a: &[u64]) -> Vec<u64> {
    let portable = confide_ring::backend::portable::Portable;
    let table = NttTable::new(q, a.len().ilog2(), &portable).unwrap();
    let mut out = a.to_vec();
    portable.ntt(&table, &mut out);
    out
}
