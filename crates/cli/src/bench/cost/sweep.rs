//! The operations of programs at the levels of one ring, on one thread and on two.

use std::hint::black_box;
use std::time::Duration;

use confide_ckks::{
    Ciphertext, Complex64, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters,
    ParametersLiteral,
};
use confide_tensor::{CkksEvaluator, Evaluator, KeySwitchShape, Op, TensorError, Terms};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::super::timing::median_ms;
use super::engine;

/// Ciphertexts that two threads work on at once: programs are parallel over them.
const TOGETHER: usize = 8;

/// What to measure, and where.
pub struct Sweep<'a> {
    pub log_n: u32,
    /// For each operation at each level.
    pub seconds: f64,
    pub one: &'a ThreadPool,
    pub two: &'a ThreadPool,
}

/// What was found at one ring degree.
pub struct Found {
    pub samples: Vec<Sample>,
    /// Nanoseconds of a residue of a fresh switching key.
    pub key_nanos: f64,
    /// Nanoseconds of a residue of a fresh ciphertext, encoding included.
    pub fresh_nanos: f64,
}

/// An operation at a level.
pub struct Sample {
    pub op: &'static str,
    pub level: usize,
    pub digits: usize,
    pub terms: Terms,
    /// Median on one thread.
    pub nanos: f64,
    /// Median on two threads, of several at once divided by their number.
    pub two_threads: Option<f64>,
}

impl Sample {
    /// The share of the work that two threads share, by Amdahl's law.
    pub fn parallel_share(&self) -> Option<f64> {
        self.two_threads
            .map(|nanos| (2.0 - 2.0 * nanos / self.nanos).clamp(0.0, 1.0))
    }
}

/// Secure sets with few and many digits: bits of the first and the other primes, their number, those of the special
/// primes, primes in a digit.
fn literals(log_n: u32) -> Vec<ParametersLiteral> {
    let sets: &[(u32, u32, usize, u32, usize, usize)] = match log_n {
        13 => &[(45, 35, 3, 48, 1, 1)],
        14 => &[(48, 40, 6, 45, 2, 2), (48, 38, 7, 50, 1, 1)],
        15 => &[(45, 41, 15, 43, 4, 4), (48, 38, 19, 50, 1, 1)],
        _ => &[(50, 45, 27, 50, 7, 7), (50, 45, 30, 50, 3, 3)],
    };
    let set =
        |&(first, rest, count, bits, special, alpha): &(u32, u32, usize, u32, usize, usize)| {
            let mut log_q = vec![first];
            log_q.resize(count + 1, rest);
            ParametersLiteral {
                log_n,
                log_q,
                log_p: vec![bits; special],
                log_scale: rest,
                dnum_alpha: alpha,
            }
        };
    sets.iter().map(set).collect()
}

/// Some levels from the highest to the lowest that multiplies.
fn levels(top: usize) -> Vec<usize> {
    let mut levels = vec![top, 3 * top / 4, top / 2, top / 4, 1];
    levels.dedup();
    levels.retain(|&level| level > 0);
    levels
}

impl Sweep<'_> {
    /// Measures everything.
    pub fn run(&self) -> Result<Found, TensorError> {
        let mut found = Found {
            samples: Vec::new(),
            key_nanos: 0.0,
            fresh_nanos: 0.0,
        };
        for literal in literals(self.log_n) {
            self.measure(&engine(Parameters::new(literal))?, &mut found)?;
        }
        Ok(found)
    }

    fn measure(&self, params: &Parameters, found: &mut Found) -> Result<(), TensorError> {
        let (top, seed, n) = (params.max_level(), [1; 32], params.degree() as f64);
        let generator = KeyGenerator::new(params, &seed);
        let element = params.ring().galois_for_rotation(1);
        let key = self.time(|| engine(generator.galois_key(element, top)))?;
        let mut keys = EvaluationKeys::new();
        keys.insert(engine(generator.relin_key(top)?.expand(params))?);
        keys.insert(engine(generator.galois_key(element, top)?.expand(params))?);

        let (encoder, encryptor) = (Encoder::new(params), Encryptor::new(params, &seed));
        let secret = generator.secret_key();
        let values: Vec<Complex64> = (0..params.slots())
            .map(|i| Complex64::new((i % 17) as f64 / 17.0, 0.5))
            .collect();
        let encrypt = |level: usize, label: &[u8]| {
            let plain = engine(encoder.encode(&values, level, params.scale_at(level)))?;
            engine(encryptor.encrypt_seeded(&secret, &plain, label))
        };
        let fresh = self.time(|| encrypt(top, b"time"))?;
        let special = params.ring().p_len();
        let residues = (params.digits(top) * (top + 1 + special)) as f64 * n;
        // The set with many digits comes last, and has the usual size of keys.
        found.key_nanos = key / residues;
        found.fresh_nanos = fresh / ((top + 1) as f64 * n);

        let ev = CkksEvaluator::new(params, &keys);
        let shape = KeySwitchShape {
            log_n: self.log_n,
            alpha: params.alpha(),
            special,
        };
        for level in levels(top) {
            let pool = |label: u8| -> Result<Vec<Ciphertext>, TensorError> {
                (0..TOGETHER as u8)
                    .map(|i| engine(encrypt(level, &[label, i])?.expand(params)))
                    .collect()
            };
            let (left, right) = (pool(0)?, pool(1)?);
            let pairs: Vec<_> = left.iter().zip(&right).collect();
            let at = Level {
                sweep: self,
                level,
                digits: params.digits(level),
                shape,
            };
            let samples = &mut found.samples;
            let rotate = |i: usize| ev.rotate(&left[i], 1);
            samples.push(at.sample("rotate", &[(Op::KeySwitch, 1)], rotate)?);
            let multiply = |i: usize| ev.mul(&left[i], &right[i]);
            let work = [(Op::Product, 1), (Op::Relinearise, 1)];
            samples.push(at.sample("mul_relin_rescale", &work, multiply)?);
            let dot = |_: usize| ev.dot(&pairs);
            let work = [(Op::Product, TOGETHER), (Op::Relinearise, 1)];
            samples.push(at.sample("dot_8", &work, dot)?);
            let scale = |i: usize| ev.mul_const_to(&left[i], 0.7, level - 1);
            let work = [(Op::Scale, 1), (Op::Rescale, 1)];
            samples.push(at.sample("mul_scalar_rescale", &work, scale)?);
            let turn = |i: usize| ev.mul_monomial(&left[i], 5);
            samples.push(at.sample("mul_monomial", &[(Op::Monomial, 1)], turn)?);
            let add = |i: usize| ev.add(&left[i], &right[i]);
            samples.push(at.sample("add", &[(Op::Add, 1)], add)?);
        }
        Ok(())
    }

    /// Median nanoseconds on one thread.
    fn time<T: Send>(
        &self,
        operation: impl Fn() -> Result<T, TensorError> + Sync,
    ) -> Result<f64, TensorError> {
        let budget = Duration::from_secs_f64(self.seconds.clamp(0.0, 60.0));
        let ms = median_ms(3, budget, || self.one.install(&operation))?;
        Ok(ms * 1e6)
    }
}

/// One level of a set.
struct Level<'a> {
    sweep: &'a Sweep<'a>,
    level: usize,
    digits: usize,
    shape: KeySwitchShape,
}

impl Level<'_> {
    fn sample<T: Send>(
        &self,
        op: &'static str,
        work: &[(Op, usize)],
        operation: impl Fn(usize) -> Result<T, TensorError> + Sync,
    ) -> Result<Sample, TensorError> {
        let terms = work
            .iter()
            .flat_map(|&(op, times)| std::iter::repeat_n(op, times))
            .map(|op| Terms::of(op, self.level, &self.shape))
            .reduce(|sum, terms| sum + terms);
        let nanos = self.sweep.time(|| operation(0))?;
        let together = || {
            (0..TOGETHER)
                .into_par_iter()
                .map(|i| operation(i).map(|result| drop(black_box(result))))
                .collect::<Result<(), _>>()
        };
        // Only what takes long enough to be worth two threads.
        let two_threads = if nanos > 1e6 {
            let budget = Duration::from_secs_f64(self.sweep.seconds.clamp(0.0, 60.0));
            let ms = median_ms(3, budget, || self.sweep.two.install(together))?;
            Some(ms * 1e6 / TOGETHER as f64)
        } else {
            None
        };
        Ok(Sample {
            op,
            level: self.level,
            digits: self.digits,
            terms: terms.unwrap_or_else(|| Terms::of(Op::Add, self.level, &self.shape)),
            nanos,
            two_threads,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_secure_and_has_several_levels() {
        for log_n in 13..=16 {
            for literal in literals(log_n) {
                let params = Parameters::new(literal).unwrap();
                let levels = levels(params.max_level());
                assert!(levels.len() > 2 && levels.iter().all(|&level| level > 0));
            }
        }
    }
}
