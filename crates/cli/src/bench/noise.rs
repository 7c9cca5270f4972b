//! `confide bench noise`: the measured noise of each operation beside its prediction.
//!
//! Every run has keys, messages and encryptions of its own, so that runs are independent. What is measured in a run
//! is the root mean square of the errors of all slots, and the largest of them.

use super::engine::literal;
use crate::failure::Failure;
use crate::output;
use confide_ckks::evaluator::Evaluator;
use confide_ckks::linear::LinearTransform;
use confide_ckks::noise::{NoiseEstimate, NoiseModel};
use confide_ckks::{
    Ciphertext, CkksError, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator,
    Parameters, PublicEncryptor, SecretKey,
};
use confide_client::ClientError;
use confide_ring::sampling::Prng;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Standard normal deviations of a two-sided 99 % interval.
const DEVIATIONS: f64 = 2.575_829;
/// Probability with which a run may exceed the bound on its largest slot error.
const FAILURE: f64 = 0.01;
/// Diagonals of the linear transform.
const DIAGONALS: usize = 16;

/// Options of `bench noise`.
#[derive(clap::Args, Debug)]
pub struct NoiseArgs {
    /// log2 of the ring degree
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(13..=16))]
    log_n: u32,
    /// Runs, each with keys of its own
    #[arg(long, default_value_t = 1000)]
    runs: u32,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seed of all keys, messages and encryptions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// One operation of one run.
struct Sample {
    op: &'static str,
    predicted: NoiseEstimate,
    /// Root mean square and largest modulus of the slot errors.
    rms: f64,
    largest: f64,
}

/// One operation over all runs.
struct Finding {
    op: &'static str,
    runs: usize,
    /// Standard deviations of a slot error.
    predicted: f64,
    measured: f64,
    /// 99 % interval of the root mean square of one run.
    interval: [f64; 2],
    /// Runs outside of it, and runs whose largest error exceeds its bound.
    outside: usize,
    over_bound: usize,
    /// 99 % interval of `measured`, were all constants of the model exact.
    pooled: [f64; 2],
}

/// Runs the measurement.
pub fn run(args: &NoiseArgs) -> Result<(), Failure> {
    let pool = super::pool(args.threads)?;
    let findings = pool
        .install(|| measure(args.log_n, args.runs, args.seed))
        .map_err(|error| {
            let message = format!("The engine refused: {error}.");
            ClientError::new("CC-6031", message, "Report this as a fault.")
        })?;
    if !args.json {
        output::line(format_args!(
            "{:<18} {:>6} {:>11} {:>11} {:>25} {:>9} {:>11}",
            "operation",
            "runs",
            "predicted",
            "measured",
            "99 % of runs within",
            "outside",
            "over bound"
        ));
    }
    for finding in findings {
        let Finding {
            op,
            runs,
            predicted,
            measured,
            interval: [low, high],
            ..
        } = finding;
        let share = |count: usize| count as f64 / runs as f64;
        if args.json {
            let line = serde_json::json!({
                "op": op, "n": 1u64 << args.log_n, "runs": runs,
                "predicted_std": predicted, "measured_std": measured,
                "interval_99": [low, high], "share_outside": share(finding.outside),
                "pooled_interval_99": finding.pooled,
                "share_over_slot_bound": share(finding.over_bound),
                "slot_bound_failure": FAILURE, "within": finding.holds(),
            });
            output::line(format_args!("{line}"));
        } else {
            output::line(format_args!(
                "{op:<18} {runs:>6} {predicted:>11.4e} {measured:>11.4e} {:>25} {:>7.1} % {:>9.1} %",
                format!("{low:.4e} .. {high:.4e}"),
                100.0 * share(finding.outside),
                100.0 * share(finding.over_bound),
            ));
        }
    }
    Ok(())
}

impl Finding {
    /// All runs of one operation.
    fn new(samples: &[Sample]) -> Option<Self> {
        let Sample { op, predicted, .. } = samples.first()?;
        let interval = predicted.rms_interval(DEVIATIONS);
        let bound = predicted.slot_bound(FAILURE);
        let runs = samples.len();
        let mean = samples.iter().map(|sample| sample.rms.powi(2)).sum::<f64>() / runs as f64;
        let count = |wrong: &dyn Fn(&Sample) -> bool| samples.iter().filter(|s| wrong(s)).count();
        Some(Self {
            op,
            runs,
            predicted: predicted.std_slot(),
            measured: mean.sqrt(),
            interval,
            outside: count(&|s| !(interval[0]..=interval[1]).contains(&s.rms)),
            over_bound: count(&|s| s.largest > bound),
            pooled: predicted.rms_interval(DEVIATIONS / (runs as f64).sqrt()),
        })
    }

    /// Whether not significantly more runs than a hundredth are outside: a binomial tail of one in ten thousand.
    fn holds(&self) -> bool {
        let most = most_of(self.runs, 0.01);
        self.outside <= most && self.over_bound <= most
    }
}

/// The number of events that independent trials exceed with a probability below 1e-4.
fn most_of(trials: usize, probability: f64) -> usize {
    let mut term = (1.0 - probability).powi(trials as i32);
    let mut below = term;
    let mut events = 0;
    while 1.0 - below > 1e-4 && events < trials {
        term *= (trials - events) as f64 / (events + 1) as f64 * probability / (1.0 - probability);
        events += 1;
        below += term;
    }
    events
}

fn measure(log_n: u32, runs: u32, seed: u64) -> Result<Vec<Finding>, CkksError> {
    let params = Parameters::new(literal(log_n))?;
    let all: Vec<Vec<Sample>> = (0..runs)
        .into_par_iter()
        .map(|run| Run::new(&params, seed, run)?.samples())
        .collect::<Result<_, _>>()?;
    let mut by_op: Vec<Vec<Sample>> = Vec::new();
    for (place, sample) in all.into_iter().flat_map(|run| run.into_iter().enumerate()) {
        if by_op.len() == place {
            by_op.push(Vec::new());
        }
        by_op[place].push(sample);
    }
    Ok(by_op
        .iter()
        .filter_map(|samples| Finding::new(samples))
        .collect())
}

/// Numbers that are different in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Slots of modulus 1 in random directions.
    fn slots(&mut self, count: usize) -> Vec<Complex64> {
        let turn = std::f64::consts::TAU / (1u64 << 53) as f64;
        (0..count)
            .map(|_| Complex64::from_polar(1.0, (self.next() >> 11) as f64 * turn))
            .collect()
    }
}

/// One run: keys and two fresh ciphertexts.
struct Run<'a> {
    params: &'a Parameters,
    model: NoiseModel,
    encoder: Encoder,
    evaluator: Evaluator,
    generator: KeyGenerator,
    secret: SecretKey,
    numbers: Numbers,
    seed: [u8; 32],
    messages: [Vec<Complex64>; 2],
    fresh: [Ciphertext; 2],
    samples: Vec<Sample>,
}

impl<'a> Run<'a> {
    fn new(params: &'a Parameters, seed: u64, run: u32) -> Result<Self, CkksError> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..12].copy_from_slice(&run.to_le_bytes());
        let mut numbers = Numbers(seed.wrapping_add(u64::from(run) << 32));
        let (encoder, generator) = (Encoder::new(params), KeyGenerator::new(params, &bytes));
        let (secret, encryptor) = (generator.secret_key(), Encryptor::new(params, &bytes));
        let top = params.max_level();
        let messages = [(); 2].map(|()| numbers.slots(params.slots()));
        let encrypt = |message: &[Complex64]| {
            let plain = encoder.encode(message, top, params.scale_at(top))?;
            encryptor
                .encrypt_seeded(&secret, &plain, b"noise")?
                .expand(params)
        };
        let fresh = [encrypt(&messages[0])?, encrypt(&messages[1])?];
        Ok(Self {
            params,
            model: NoiseModel::new(params),
            evaluator: Evaluator::new(params),
            encoder,
            generator,
            secret,
            numbers,
            seed: bytes,
            messages,
            fresh,
            samples: Vec::new(),
        })
    }

    /// Every operation once, always in the same order.
    fn samples(mut self) -> Result<Vec<Sample>, CkksError> {
        let (params, model, ev) = (self.params, self.model.clone(), self.evaluator.clone());
        let (top, slots) = (params.max_level(), params.slots());
        let scale = params.scale_at(top);
        let [a, b] = self.messages.clone();
        let [ca, cb] = self.fresh.clone();
        let of = |f: &dyn Fn(usize) -> Complex64| (0..slots).map(f).collect::<Vec<_>>();
        let fresh = model.fresh_secret(scale);

        self.check("encrypt_secret", &ca, &a, fresh)?;
        let plain = self.encoder.encode(&a, top, scale)?;
        let public = self.generator.public_key()?;
        let mut rng = Prng::from_seed(self.seed, 1);
        let ct = PublicEncryptor::new(params).encrypt(&public, &plain, &mut rng)?;
        self.check("encrypt_public", &ct, &a, model.fresh_public(scale))?;

        let sum = ev.add(&ca, &cb)?;
        self.check(
            "add",
            &sum,
            &of(&|s| a[s] + b[s]),
            model.add(&fresh, &fresh),
        )?;

        let plain = self.encoder.encode(&b, top, scale)?;
        let product = of(&|s| a[s] * b[s]);
        let ct = ev.mul_plain(&ca, &plain)?;
        let estimate = model.mul(&fresh, 1.0, &model.encoded(scale), 1.0);
        self.check("mul_plain", &ct, &product, estimate)?;
        self.check(
            "rescale",
            &ev.rescale(&ct)?,
            &product,
            model.rescale(&estimate, top),
        )?;

        let keys = self.keys(&[1, 2, 3, 4], true)?;
        let ct = ev.mul_relin_rescale(&ca, &cb, &keys)?;
        let estimate = model.mul_relin_rescale(&fresh, 1.0, &fresh, 1.0, top);
        self.check("mul_relin_rescale", &ct, &product, estimate)?;

        let rotated = ev.rotate(&ca, 1, &keys)?;
        let switched = model.key_switch(&fresh, top);
        self.check("rotate", &rotated, &of(&|s| a[(s + 1) % slots]), switched)?;
        // The same rotation against what the ciphertext held before it, noise included.
        let held = self.open(&ca)?;
        let alone = model.key_switch(&model.noiseless(scale), top);
        self.check(
            "key_switch",
            &rotated,
            &of(&|s| held[(s + 1) % slots]),
            alone,
        )?;
        let hoisted = ev.rotate_hoisted(&ca, &[1, 2, 3, 4], &keys)?;
        let shift = 1 + (self.numbers.next() % 4) as usize;
        let expected = of(&|s| a[(s + shift) % slots]);
        self.check("rotate_hoisted", &hoisted[shift - 1], &expected, switched)?;
        let ct = ev.rotate_sum(&[(&ca, 1), (&cb, 2)], &keys)?;
        let expected = of(&|s| a[(s + 1) % slots] + b[(s + 2) % slots]);
        let estimate = model.rotate_sum(&model.add(&fresh, &fresh), 2, top);
        self.check("rotate_sum", &ct, &expected, estimate)?;
        drop(keys);

        let diagonals: BTreeMap<usize, Vec<Complex64>> = (0..DIAGONALS)
            .map(|k| (k, self.numbers.slots(slots)))
            .collect();
        let transform = LinearTransform::from_diagonals(params, &self.encoder, &diagonals, top)?;
        let keys = self.keys(&transform.rotations(), false)?;
        let ct = ev.transform(&ca, &transform, &keys)?;
        let image = |s: usize| {
            diagonals
                .iter()
                .map(|(k, d)| d[s] * a[(s + k) % slots])
                .sum()
        };
        let (baby, giant) = transform.steps();
        self.check(
            "transform",
            &ct,
            &of(&image),
            model.transform(&fresh, giant, baby, top),
        )?;
        Ok(self.samples)
    }

    fn keys(&self, rotations: &[i64], relin: bool) -> Result<EvaluationKeys, CkksError> {
        let (params, top) = (self.params, self.params.max_level());
        let mut keys = EvaluationKeys::new();
        for &k in rotations {
            let element = params.ring().galois_for_rotation(k);
            keys.insert(self.generator.galois_key(element, top)?.expand(params)?);
        }
        if relin {
            keys.insert(self.generator.relin_key(top)?.expand(params)?);
        }
        Ok(keys)
    }

    fn open(&self, ct: &Ciphertext) -> Result<Vec<Complex64>, CkksError> {
        let plain = Decryptor::new(self.params).decrypt(&self.secret, ct)?;
        self.encoder.decode(&plain)
    }

    fn check(
        &mut self,
        op: &'static str,
        ct: &Ciphertext,
        expected: &[Complex64],
        predicted: NoiseEstimate,
    ) -> Result<(), CkksError> {
        let opened = self.open(ct)?;
        let squares = || opened.iter().zip(expected).map(|(x, y)| (x - y).norm_sqr());
        self.samples.push(Sample {
            op,
            predicted,
            rms: (squares().sum::<f64>() / opened.len() as f64).sqrt(),
            largest: squares().fold(0.0, f64::max).sqrt(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_tail_is_that_of_tables() {
        // 1 - 0.99^1 = 0.01 > 1e-4, and two events in two trials have exactly that probability.
        assert_eq!((most_of(1, 0.01), most_of(2, 0.02)), (1, 2));
        assert_eq!((most_of(50, 0.01), most_of(1000, 0.01)), (5, 24));
    }

    /// The small run of `confide bench noise`: fixed seeds, so that it gives the same everywhere.
    #[test]
    fn the_noise_of_each_operation_is_the_predicted_one() {
        let findings = measure(13, 50, 1).unwrap();
        assert_eq!(findings.len(), 11);
        for found in findings {
            assert!(
                found.holds(),
                "{}: {} of {} runs outside {:?}, {} over the bound",
                found.op,
                found.outside,
                found.runs,
                found.interval,
                found.over_bound
            );
            // All runs together, with two thousandths for the model's own approximations.
            let [low, high] = found.pooled;
            assert!(
                found.measured > low * 0.998 && found.measured < high * 1.002,
                "{}: {} measured, {low} to {high} predicted",
                found.op,
                found.measured
            );
        }
    }
}
