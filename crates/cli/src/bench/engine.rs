//! `confide bench engine`: one JSON object a line, or a table.

use super::timing::median_ms;
use crate::failure::Failure;
use crate::output;
use confide_ckks::evaluator::Evaluator;
use confide_ckks::{
    CkksError, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters,
    ParametersLiteral, PublicEncryptor,
};
use confide_client::ClientError;
use confide_ring::sampling::Prng;
use confide_ring::{Modulus, NttTable, RingError, backend, ntt_primes};
use std::time::Duration;

/// Options of `bench engine`.
#[derive(clap::Args, Debug)]
pub struct EngineArgs {
    /// log2 of the ring degree, 13 to 16; all of them when absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(13..=16))]
    log_n: Option<u32>,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds for each operation
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Parameter sets at 128 bits of security, the one of 2^15 with 16 + 4 primes, the one of 2^16 with 27 + 7.
pub(super) fn literal(log_n: u32) -> ParametersLiteral {
    let (first, rest, count, special, alpha) = match log_n {
        13 => (45, 35, 2, vec![48], 1),
        14 => (48, 40, 6, vec![45; 2], 2),
        15 => (45, 41, 15, vec![43; 4], 4),
        _ => (50, 45, 26, vec![50; 7], 7),
    };
    let mut log_q = vec![first];
    log_q.extend(std::iter::repeat_n(rest, count));
    ParametersLiteral {
        log_n,
        log_q,
        log_p: special,
        log_scale: rest,
        dnum_alpha: alpha,
    }
}

/// One measurement, as a JSON object or a row of the table.
fn report(args: &EngineArgs, op: &str, n: usize, bits: (u32, u32), ms: f64) {
    let (log_q, log_p) = bits;
    if args.json {
        let line = serde_json::json!({
            "op": op, "n": n, "log_q": log_q, "log_p": log_p, "threads": args.threads,
            "backend": backend().name(), "ours_ms": ms,
            // Only `cargo xtask peers` measures one.
            "peer": null, "peer_ms": null, "ratio": null,
        });
        output::line(format_args!("{line}"));
    } else {
        output::line(format_args!(
            "{op:<20} {n:>6} {:>10} {:>8} {ms:>11.4}",
            format!("{log_q}+{log_p}"),
            args.threads
        ));
    }
}

/// Forward and inverse transform modulo one prime of 50 bits, which has no use for a second thread.
fn transforms(log_n: u32, args: &EngineArgs, budget: Duration) -> Result<(), RingError> {
    let prime = ntt_primes(log_n, 50, 1, &[])?[0];
    let table = NttTable::new(Modulus::new(prime)?, log_n, backend())?;
    let n = table.degree();
    let mut limb: Vec<u64> = (0..n as u64).map(|i| i * i % prime).collect();
    let forward = median_ms(50, budget, || {
        backend().ntt(&table, &mut limb);
        Ok::<_, RingError>(())
    })?;
    report(args, "ntt", n, (50, 0), forward);
    let inverse = median_ms(50, budget, || {
        backend().intt(&table, &mut limb, table.inverse_degree());
        Ok::<_, RingError>(())
    })?;
    report(args, "intt", n, (50, 0), inverse);
    Ok(())
}

/// Runs the measurements.
pub fn run(args: &EngineArgs) -> Result<(), Failure> {
    let pool = super::pool(args.threads)?;
    if !args.json {
        output::line(format_args!(
            "{:<20} {:>6} {:>10} {:>8} {:>11}",
            "operation", "N", "log Q+P", "threads", "ms"
        ));
    }
    for log_n in args.log_n.map_or(13..=16, |log_n| log_n..=log_n) {
        pool.install(|| measure(log_n, args)).map_err(|error| {
            ClientError::new(
                "CC-6031",
                format!("The engine refused: {error}."),
                "Report this as a fault.",
            )
        })?;
    }
    Ok(())
}

fn measure(log_n: u32, args: &EngineArgs) -> Result<(), CkksError> {
    let budget = Duration::from_secs_f64(args.seconds.clamp(0.0, 60.0));
    let literal = literal(log_n);
    let (log_q, log_p): (u32, u32) = (literal.log_q.iter().sum(), literal.log_p.iter().sum());
    let params = Parameters::new(literal)?;
    let n = params.degree();
    if args.threads == 1 {
        transforms(log_n, args, budget)?;
    }
    let report = |op: &str, ms: f64| report(args, op, n, (log_q, log_p), ms);

    let top = params.max_level();
    let encoder = Encoder::new(&params);
    let values: Vec<Complex64> = (0..params.slots())
        .map(|i| Complex64::new((i % 17) as f64 / 17.0, 0.5))
        .collect();
    let seed = [1; 32];
    let generator = KeyGenerator::new(&params, &seed);
    let secret = generator.secret_key();
    let encryptor = Encryptor::new(&params, &seed);
    let decryptor = Decryptor::new(&params);
    let encode = || encoder.encode(&values, top, params.scale_at(top));
    let plain = encode()?;
    let encrypt = || encryptor.encrypt_seeded(&secret, &plain, b"bench");
    let rotations: Vec<i64> = (1..=8).collect();
    let element = |k: i64| params.ring().galois_for_rotation(k);

    let mut keys = EvaluationKeys::new();
    keys.insert(generator.relin_key(top)?.expand(&params)?);
    for &k in &rotations {
        keys.insert(generator.galois_key(element(k), top)?.expand(&params)?);
    }
    let evaluator = Evaluator::new(&params);
    let a = encrypt()?.expand(&params)?;
    let b = evaluator.rotate(&a, 1, &keys)?;

    let mut poly = a.parts()[0].clone();
    // A polynomial goes to coefficients and back; one transform of all its limbs is half of that.
    let both = median_ms(5, budget, || {
        params.ring().intt(&mut poly);
        params.ring().ntt(&mut poly);
        Ok::<_, CkksError>(())
    })?;
    report("ntt_all_limbs", both / 2.0);
    report(
        "rotate",
        median_ms(5, budget, || evaluator.rotate(&a, 1, &keys))?,
    );
    report(
        "mul_relin_rescale",
        median_ms(5, budget, || evaluator.mul_relin_rescale(&a, &b, &keys))?,
    );
    report(
        "rotate_hoisted_8",
        median_ms(5, budget, || {
            evaluator.rotate_hoisted(&a, &rotations, &keys)
        })?,
    );
    report("encode", median_ms(5, budget, encode)?);
    // Under the public key, as other libraries' benches do, and seeded under the secret key, as the data party does.
    let public = generator.public_key()?;
    let public_encryptor = PublicEncryptor::new(&params);
    let mut rng = Prng::from_seed(seed, 0);
    report(
        "encrypt",
        median_ms(5, budget, || {
            public_encryptor.encrypt(&public, &plain, &mut rng)
        })?,
    );
    report("encrypt_seeded", median_ms(5, budget, encrypt)?);
    report(
        "decrypt_decode",
        median_ms(5, budget, || {
            encoder.decode(&decryptor.decrypt(&secret, &a)?)
        })?,
    );
    report(
        "relin_keygen",
        median_ms(3, budget, || generator.relin_key(top))?,
    );
    report(
        "galois_keygen",
        median_ms(3, budget, || generator.galois_key(element(1), top))?,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_secure_and_the_large_ones_have_the_primes_of_the_comparison() {
        for log_n in 13..=16 {
            Parameters::new(literal(log_n)).unwrap();
        }
        let large = literal(15);
        assert_eq!((large.log_q.len(), large.log_p.len()), (16, 4));
        let largest = literal(16);
        assert_eq!((largest.log_q.len(), largest.log_p.len()), (27, 7));
    }
}
