//! Every kernel of every backend bit-equal to the portable oracle: at least 2^20 random elements a kernel and prime,
//! and all edge inputs in every combination.
//!
//! The oracle itself is held against naive definitions in `kernels.rs`.

mod common;

use common::sequence;
use confide_ring::backend::portable::Portable;
use confide_ring::{Backend, Modulus, NttTable, available_backends, ntt_primes};

/// Elements a kernel, backend and prime.
const ELEMENTS: usize = 1 << 20;
/// Words of a vector of the random tests.
const WIDTH: usize = 4096;
/// Numbers that base conversion takes are below this.
const WORD: u64 = 1 << 50;

/// The other backends of this machine.
fn others() -> Vec<&'static dyn Backend> {
    let mut all = available_backends();
    all.retain(|backend| backend.name() != Portable.name());
    assert!(!all.is_empty());
    all
}

/// The largest primes of a ring degree, one a little smaller, and the smallest.
fn primes(log_n: u32) -> Vec<Modulus> {
    let mut values = ntt_primes(log_n, 50, 2, &[]).unwrap();
    values.extend(ntt_primes(log_n, 49, 1, &[]).unwrap());
    values.extend(ntt_primes(log_n, 36, 1, &[]).unwrap());
    values.push(smallest_prime(log_n));
    values.iter().map(|&q| Modulus::new(q).unwrap()).collect()
}

/// The smallest prime above 2^20 that carries a transform of degree 2^`log_n`.
fn smallest_prime(log_n: u32) -> u64 {
    let order = 2 << log_n;
    let mut candidate = (1 << 20) / order * order + 1;
    while candidate <= 1 << 20 || !confide_ring::is_prime(candidate) {
        candidate += order;
    }
    candidate
}

/// Residues at the ends of every range that a kernel distinguishes.
fn edges(q: &Modulus) -> Vec<u64> {
    let q = q.value();
    let mut edges = vec![0, 1, 2, q / 4, q / 2 - 1, q / 2, q / 2 + 1, q / 2 + 2];
    edges.extend([q - q / 4, q - 3, q - 2, q - 1]);
    // Powers of two near which quotients and halves of products change.
    edges.extend([(1 << 20) - 1, (1 << 25) + 1, (1 << 26) - 1, (1 << 49) - 1].map(|x: u64| x % q));
    edges
}

/// All tuples of `COUNT` edges: as many vectors, each filled up to a power of two.
fn combinations<const COUNT: usize>(edges: &[u64]) -> [Vec<u64>; COUNT] {
    let total = edges.len().pow(COUNT as u32);
    std::array::from_fn(|place| {
        let stride = edges.len().pow(place as u32);
        (0..total.next_power_of_two())
            .map(|i| edges[i / stride % edges.len()])
            .collect()
    })
}

fn random(next: &mut impl FnMut() -> u64, q: &Modulus, count: usize) -> Vec<u64> {
    (0..count).map(|_| q.reduce(next())).collect()
}

/// Element-wise kernels on three vectors of residues; the scalar is a residue.
fn check_pointwise(backend: &dyn Backend, q: &Modulus, [a, b, c]: [&[u64]; 3], scalar: u64) {
    let (theirs, ours) = (backend.prepare(q, scalar), Portable.prepare(q, scalar));
    let what = |kernel: &str| {
        format!(
            "{kernel}: {} q={} scalar={scalar}",
            backend.name(),
            q.value()
        )
    };
    // Each kernel on both sides, on a vector that starts as `start`.
    let same = |kernel: &str, start: &[u64], run: &dyn Fn(&dyn Backend, &mut [u64])| {
        let (mut left, mut right) = (start.to_vec(), start.to_vec());
        run(backend, &mut left);
        run(&Portable, &mut right);
        if let Some(at) = (0..left.len()).find(|&i| left[i] != right[i]) {
            panic!(
                "{} at {at}: a={} b={} c={} gives {}, not {}",
                what(kernel),
                a[at],
                b[at],
                c[at],
                left[at],
                right[at]
            );
        }
    };
    let constant = |side: &dyn Backend| {
        if side.name() == Portable.name() {
            ours
        } else {
            theirs
        }
    };
    same("add", a, &|side, x| side.add(q, x, b));
    same("sub", a, &|side, x| side.sub(q, x, b));
    same("neg", a, &|side, x| side.neg(q, x));
    same("mul", c, &|side, x| side.mul(q, x, a, b));
    same("mul_assign", a, &|side, x| side.mul_assign(q, x, b));
    same("mul_add", c, &|side, x| side.mul_add(q, x, a, b));
    same("mul_scalar", a, &|side, x| {
        side.mul_scalar(q, x, constant(side))
    });
    same("mul_scalar_add", b, &|side, x| {
        side.mul_scalar_add(q, x, a, constant(side))
    });
    same("sub_from_mul_scalar", a, &|side, x| {
        side.sub_from_mul_scalar(q, x, b, constant(side));
    });
}

/// `dot`, `convert` and `overflow` of `terms` rows.
fn check_sums(backend: &dyn Backend, q: &Modulus, xs: &[Vec<u64>], ys: &[Vec<u64>], words: &[u64]) {
    let (n, terms) = (xs[0].len(), xs.len());
    let what = |kernel: &str| format!("{kernel} of {terms}: {} q={}", backend.name(), q.value());
    let (mut left, mut right) = (vec![0; n], vec![0; n]);
    let (xr, yr): (Vec<&[u64]>, Vec<&[u64]>) =
        xs.iter().zip(ys).map(|(x, y)| (&x[..], &y[..])).unzip();
    backend.dot(q, &mut left, &xr, &yr);
    Portable.dot(q, &mut right, &xr, &yr);
    assert!(left == right, "{}", what("dot"));

    // Weights are residues; each row of words has one.
    let weights: Vec<u64> = (0..terms).map(|i| ys[i][i % n]).collect();
    let prepare =
        |side: &dyn Backend| -> Vec<_> { weights.iter().map(|&w| side.prepare(q, w)).collect() };
    backend.convert(q, &mut left, words, &prepare(backend));
    Portable.convert(q, &mut right, words, &prepare(&Portable));
    assert!(left == right, "{}", what("convert"));

    let inverses: Vec<f64> = (0..terms)
        .map(|i| 1.0 / (WORD - 1 - i as u64) as f64)
        .collect();
    // Columns do not depend on each other.
    for (half, out) in left.chunks_mut(n / 2).enumerate() {
        backend.overflow(out, half * n / 2, words, &inverses);
    }
    Portable.overflow(&mut right, 0, words, &inverses);
    assert!(left == right, "{}", what("overflow"));
}

#[test]
fn a_million_random_elements_pass_every_element_wise_kernel() {
    for backend in others() {
        for (index, q) in primes(12).iter().enumerate() {
            let mut next = sequence(index as u64);
            for _ in 0..ELEMENTS / WIDTH {
                let [a, b, c] = [(); 3].map(|()| random(&mut next, q, WIDTH));
                check_pointwise(backend, q, [&a, &b, &c], c[0]);
            }
        }
    }
}

#[test]
fn every_combination_of_edges_passes_every_element_wise_kernel() {
    for backend in others() {
        for log_n in [3, 16] {
            for q in primes(log_n) {
                let edges = edges(&q);
                let [a, b, c] = combinations::<3>(&edges);
                for &scalar in &edges {
                    check_pointwise(backend, &q, [&a, &b, &c], scalar);
                }
            }
        }
    }
}

#[test]
fn a_million_random_elements_pass_every_sum_of_products() {
    for backend in others() {
        for (index, q) in primes(12).iter().enumerate() {
            let mut next = sequence(!(index as u64));
            let mut left = ELEMENTS;
            let mut terms = 1;
            while left > 0 {
                let xs: Vec<_> = (0..terms).map(|_| random(&mut next, q, WIDTH)).collect();
                let ys: Vec<_> = (0..terms).map(|_| random(&mut next, q, WIDTH)).collect();
                let words: Vec<u64> = (0..terms * WIDTH).map(|_| next() % WORD).collect();
                check_sums(backend, q, &xs, &ys, &words);
                left = left.saturating_sub(terms * WIDTH);
                terms = terms % 17 + 1;
            }
        }
    }
}

#[test]
fn sums_of_edges_of_any_number_pass() {
    for backend in others() {
        for q in primes(12) {
            let [a, b] = combinations::<2>(&edges(&q));
            let n = a.len();
            let tops = [
                WORD - 1,
                WORD - 2,
                q.value(),
                q.value() - 1,
                q.value() + 1,
                0,
                1,
            ];
            for terms in (1..=33).chain([64, 100]) {
                // The same edges in every term, the largest values in every term, and edges that change with it.
                let same = (vec![a.clone(); terms], vec![b.clone(); terms]);
                let top = vec![vec![q.value() - 1; n]; terms];
                let turned = |v: &[u64]| -> Vec<Vec<u64>> {
                    (0..terms)
                        .map(|term| (0..n).map(|i| v[(i + 37 * term) % n]).collect())
                        .collect()
                };
                let top_words = vec![WORD - 1; n * terms];
                let words: Vec<u64> = (0..n * terms)
                    .map(|i| tops[(i + i / n) % tops.len()].min(WORD - 1))
                    .collect();
                check_sums(backend, &q, &same.0, &same.1, &words);
                check_sums(backend, &q, &top, &top, &top_words);
                check_sums(backend, &q, &turned(&a), &turned(&b), &words);
            }
        }
    }
}

/// Both transforms, the inverse with every edge as its scale.
fn check_transforms(
    backend: &dyn Backend,
    tables: &[NttTable; 2],
    vectors: &[Vec<u64>],
    scales: &[u64],
) {
    let q = tables[0].modulus();
    let what = format!(
        "{} N={} q={}",
        backend.name(),
        tables[0].degree(),
        q.value()
    );
    for a in vectors {
        let (mut left, mut right) = (a.clone(), a.clone());
        backend.ntt(&tables[0], &mut left);
        Portable.ntt(&tables[1], &mut right);
        assert!(left == right, "ntt {what}");
        for &scale in scales {
            let (mut left, mut right) = (a.clone(), a.clone());
            backend.intt(&tables[0], &mut left, backend.prepare(q, scale));
            Portable.intt(&tables[1], &mut right, Portable.prepare(q, scale));
            assert!(left == right, "intt {what} scale={scale}");
        }
    }
}

fn tables(backend: &'static dyn Backend, q: Modulus, log_n: u32) -> [NttTable; 2] {
    static PORTABLE: Portable = Portable;
    [backend, &PORTABLE].map(|side| NttTable::new(q, log_n, side).unwrap())
}

#[test]
fn transforms_of_every_length_pass_on_a_million_random_elements() {
    for log_n in 3..=17 {
        let n = 1 << log_n;
        for (index, q) in primes(log_n).into_iter().enumerate() {
            // A million elements modulo the largest prime, fewer modulo the others.
            let count = if index == 0 {
                ELEMENTS / n
            } else {
                (ELEMENTS / n / 16).max(2)
            };
            let mut next = sequence(u64::from(log_n) << 8 | index as u64);
            let vectors: Vec<_> = (0..count).map(|_| random(&mut next, &q, n)).collect();
            let scales = [q.inv(n as u64)];
            for backend in others() {
                check_transforms(backend, &tables(backend, q, log_n), &vectors, &scales);
            }
        }
    }
}

#[test]
fn transforms_of_every_length_pass_on_edges() {
    for log_n in 3..=17 {
        let n = 1 << log_n;
        for q in primes(log_n) {
            let edges = edges(&q);
            let mut vectors: Vec<Vec<u64>> = edges.iter().map(|&edge| vec![edge; n]).collect();
            // Edges in turn, in blocks, and alone at the ends.
            for period in [1, 8, n / 2] {
                vectors.push((0..n).map(|i| edges[i / period % edges.len()]).collect());
                vectors.push(
                    (0..n)
                        .map(|i| (q.value() - 1) * (i / period % 2) as u64)
                        .collect(),
                );
            }
            for at in [0, n / 2, n - 1] {
                vectors.push(
                    (0..n)
                        .map(|i| (q.value() - 1) * u64::from(i == at))
                        .collect(),
                );
            }
            let all = [q.inv(n as u64), 0, 1, q.value() - 1];
            // Longer transforms are the shorter ones' passes again: fewer of each.
            let (vectors, scales) = if log_n <= 10 {
                (&vectors[..], &all[..])
            } else {
                (&vectors[vectors.len() - 9..], &all[..1])
            };
            for backend in others() {
                check_transforms(backend, &tables(backend, q, log_n), vectors, scales);
            }
        }
    }
}

#[test]
fn a_million_elements_are_gathered() {
    let mut next = sequence(5);
    let source: Vec<u64> = (0..WIDTH).map(|_| next()).collect();
    for backend in others() {
        for _ in 0..ELEMENTS / WIDTH {
            let index: Vec<u32> = (0..WIDTH).map(|_| (next() % WIDTH as u64) as u32).collect();
            let (mut left, mut right) = (vec![0; WIDTH], vec![0; WIDTH]);
            backend.gather(&mut left, &source, &index);
            Portable.gather(&mut right, &source, &index);
            assert!(left == right, "{}", backend.name());
        }
    }
}

/// Debug builds check the ranges that kernels state: one word out of range in any operand is noticed.
#[test]
#[cfg(debug_assertions)]
fn words_out_of_range_are_noticed_in_debug_builds() {
    let q = primes(5)[0];
    let good = vec![1; 32];
    let mut bad = good.clone();
    bad[17] = q.value();
    let words = vec![WORD; 32];
    let noticed = |what: &str, backend: &dyn Backend, run: &dyn Fn()| {
        let silent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_ok();
        assert!(!silent, "{what}: {}", backend.name());
    };
    for backend in available_backends() {
        let table = NttTable::new(q, 5, backend).unwrap();
        let constant = backend.prepare(&q, 3);
        let check = |what: &str, run: &dyn Fn()| noticed(what, backend, run);
        check("ntt", &|| backend.ntt(&table, &mut bad.clone()));
        check("intt", &|| backend.intt(&table, &mut bad.clone(), constant));
        for (a, b) in [(&good, &bad), (&bad, &good)] {
            check("add", &|| backend.add(&q, &mut a.clone(), b));
            check("sub", &|| backend.sub(&q, &mut a.clone(), b));
            check("mul", &|| backend.mul(&q, &mut good.clone(), a, b));
            check("mul_assign", &|| backend.mul_assign(&q, &mut a.clone(), b));
            check("mul_add", &|| backend.mul_add(&q, &mut good.clone(), a, b));
            check("mul_scalar_add", &|| {
                backend.mul_scalar_add(&q, &mut a.clone(), b, constant);
            });
            check("sub_from_mul_scalar", &|| {
                backend.sub_from_mul_scalar(&q, &mut a.clone(), b, constant);
            });
            check("dot", &|| backend.dot(&q, &mut good.clone(), &[a], &[b]));
        }
        check("mul_add", &|| {
            backend.mul_add(&q, &mut bad.clone(), &good, &good)
        });
        check("neg", &|| backend.neg(&q, &mut bad.clone()));
        check("mul_scalar", &|| {
            backend.mul_scalar(&q, &mut bad.clone(), constant)
        });
        check("convert", &|| {
            backend.convert(&q, &mut good.clone(), &words, &[constant])
        });
        check("overflow", &|| {
            backend.overflow(&mut good.clone(), 0, &words, &[1e-15])
        });
    }
}
