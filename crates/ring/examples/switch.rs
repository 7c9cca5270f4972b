//! Time of the ring operations of one hybrid key switch: one JSON object, milliseconds
//! of processor time.
//!
//! `cargo run --release -p confide-ring --example switch [log2 N, main primes, special primes, bits]`

use std::time::Instant;

use confide_ring::sampling::uniform;
use confide_ring::{PrimeSet, Ring, RingError, Switch, backend, ntt_primes};

/// Rounds of each measurement; the system counts processor time in steps of milliseconds.
const ROUNDS: usize = 50;

/// Seconds that this thread has run, not counting what others took of the machine; wall time where the
/// system does not tell.
fn seconds(origin: Instant) -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|s| s.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| origin.elapsed().as_secs_f64(), |nanos| nanos * 1e-9)
}

fn main() -> Result<(), RingError> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|s| s.parse().ok())
        .collect();
    let (log_n, q, p, bits) = match numbers[..] {
        [log_n, q, p, bits] => (log_n as u32, q, p, bits as u32),
        [log_n, q, p] => (log_n as u32, q, p, 50),
        _ => (15, 16, 4, 50),
    };
    let origin = Instant::now();
    let primes = ntt_primes(log_n, bits, q + p, &[])?;
    {
        let backend = backend();
        let start = seconds(origin);
        let ring = Ring::with_backend(log_n, &primes[..q], &primes[q..], backend)?;
        let build = (seconds(origin) - start) * 1e3;
        let (full, main) = (ring.full_set(), PrimeSet { q, p: 0 });
        let digits: Vec<_> = (0..q).step_by(p).map(|s| s..(s + p).min(q)).collect();
        let keys: Vec<_> = (0..digits.len() as u64)
            .map(|d| {
                [
                    uniform(&ring, &[1; 32], 2 * d, full),
                    uniform(&ring, &[1; 32], 2 * d + 1, full),
                ]
            })
            .collect();
        let a = uniform(&ring, &[2; 32], 0, main);
        let mut mean = [0.0; 5];
        for round in 0..=ROUNDS {
            let mut times = [seconds(origin); 6];
            let mut c = a.clone();
            ring.intt(&mut c);
            times[1] = seconds(origin);
            let raised: Vec<_> = digits
                .iter()
                .map(|d| ring.mod_up_from(&c, Some(&a), d.clone(), full))
                .collect();
            times[2] = seconds(origin);
            let sums = ring.inner_product(&raised, &keys);
            times[3] = seconds(origin);
            let result = sums.map(|s| ring.mod_down(s));
            times[4] = seconds(origin);
            std::hint::black_box(&result);
            let uses = [Switch {
                key: &keys,
                addends: [None, None],
                galois: 1,
            }];
            let fused = ring.switch(&a, &digits, &uses, false);
            times[5] = seconds(origin);
            assert!(fused[0] == result, "the fused switch differs");
            // The first round fills caches and tables.
            for (m, t) in mean.iter_mut().zip(times.windows(2)).filter(|_| round > 0) {
                *m += (t[1] - t[0]) * 1e3 / ROUNDS as f64;
            }
        }
        let [intt, mod_up, inner, mod_down, fused] = mean;
        println!(
            r#"{{"bench":"keyswitch","backend":"{}","log_n":{log_n},"q":{q},"p":{p},"bits":{bits},"ring_ms":{build:.1},"intt_ms":{intt:.2},"mod_up_ms":{mod_up:.2},"inner_ms":{inner:.2},"mod_down_ms":{mod_down:.2},"steps_ms":{:.2},"fused_ms":{fused:.2}}}"#,
            backend.name(),
            mean[..4].iter().sum::<f64>()
        );
    }
    Ok(())
}
