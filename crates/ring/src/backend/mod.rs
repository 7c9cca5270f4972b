//! The kernels, in several implementations that agree to the bit.
//!
//! Slices hold canonical residues at this interface. Lazy ranges stay inside a kernel, whose doc comment
//! states them.

use std::fmt::Debug;
use std::sync::OnceLock;

use crate::{Constant, Modulus, NttTable};

mod arithmetic;
mod kernel;
mod limb;
pub mod portable;
mod quotient;

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "relaxed-simd")
))]
mod fma;
#[cfg(target_arch = "aarch64")]
mod fma_neon;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod fma_wasm;
#[cfg(target_arch = "x86_64")]
mod fma_x86;
#[cfg(target_arch = "x86_64")]
mod ifma;

use kernel::Kernels;
pub use limb::{DigitLimb, Division, LimbSwitch, Target};

/// Outputs of a register block of a matrix product.
pub(crate) const ROWS: usize = 4;

/// Blocks of up to [`ROWS`] outputs, in each the weights of all its outputs for one input side by side.
pub(crate) fn interleaved(weights: &[Constant], inputs: usize) -> Vec<u64> {
    let mut values = Vec::with_capacity(weights.len());
    if inputs > 0 {
        for block in weights.chunks(ROWS * inputs) {
            for i in 0..inputs {
                values.extend(block.iter().skip(i).step_by(inputs).map(|w| w.value));
            }
        }
    }
    values
}

/// One way to compute modulo primes below 2^50.
///
/// All slices of one call have the same length, a power of two of at least 8, unless said otherwise.
/// [`Constant`]s and [`NttTable`]s must come from the same backend.
pub trait Backend: Send + Sync + Debug {
    /// Short name, as the environment variable `CONFIDE_BACKEND` takes it.
    fn name(&self) -> &'static str;

    /// Whether the quotients of constants are read; tables store them only then.
    fn has_quotients(&self) -> bool {
        true
    }

    /// Encodes a canonical multiplicand.
    fn prepare(&self, q: &Modulus, value: u64) -> Constant;

    /// Encodes a table of twiddles, in bit-reversed order, in place, and fills in their quotients (an empty
    /// slice without [`Backend::has_quotients`]). The order may change to what the backend's transforms want.
    fn prepare_all(&self, q: &Modulus, values: &mut [u64], quotients: &mut [u64]) {
        for (v, k) in values.iter_mut().zip(quotients) {
            let c = self.prepare(q, *v);
            (*v, *k) = (c.value, c.quotient);
        }
    }

    /// Forward negacyclic transform in place: coefficients to values, bit-reversed order.
    fn ntt(&self, table: &NttTable, a: &mut [u64]);

    /// Inverse transform in place, values to coefficients, times `scale` * N: pass
    /// [`NttTable::inverse_degree`], or that times a constant.
    fn intt(&self, table: &NttTable, a: &mut [u64], scale: Constant);

    /// a *= b.
    fn mul_assign(&self, q: &Modulus, a: &mut [u64], b: &[u64]);

    /// out = a * b.
    fn mul(&self, q: &Modulus, out: &mut [u64], a: &[u64], b: &[u64]) {
        out.copy_from_slice(a);
        self.mul_assign(q, out, b);
    }

    /// acc += a * b.
    fn mul_add(&self, q: &Modulus, acc: &mut [u64], a: &[u64], b: &[u64]);

    /// a *= scalar.
    fn mul_scalar(&self, q: &Modulus, a: &mut [u64], scalar: Constant);

    /// acc += a * scalar.
    fn mul_scalar_add(&self, q: &Modulus, acc: &mut [u64], a: &[u64], scalar: Constant);

    /// a = (b - a) * scalar.
    fn sub_from_mul_scalar(&self, q: &Modulus, a: &mut [u64], b: &[u64], scalar: Constant);

    /// out = sum over d of xs\[d\] * ys\[d\].
    fn dot(&self, q: &Modulus, out: &mut [u64], xs: &[&[u64]], ys: &[&[u64]]);

    /// out = sum over i of row i * weights\[i\], where `rows` are `weights.len()` rows as long as `out` of
    /// numbers below 2^50 (residues of other primes).
    fn convert(&self, q: &Modulus, out: &mut [u64], rows: &[u64], weights: &[Constant]);

    /// Encodes canonical multiplicands in place: what [`Backend::prepare`] makes of them, without quotients.
    fn encode(&self, _q: &Modulus, _values: &mut [u64]) {}

    /// out\[o\] = sum over i of weight (o, i) * inputs\[i\], with one reduction for each word: rows of one length, inputs
    /// below 2^50, weights as from [`interleaved`].
    fn weighted_rows(
        &self,
        q: &Modulus,
        out: &mut [&mut [u64]],
        inputs: &[&[u64]],
        weights: &[u64],
    );

    /// [`Backend::weighted_rows`] with weights\[o * I + i\] for the I inputs.
    fn matrix_product(
        &self,
        q: &Modulus,
        out: &mut [&mut [u64]],
        inputs: &[&[u64]],
        weights: &[Constant],
    ) {
        let weights = interleaved(weights, inputs.len());
        self.weighted_rows(q, out, inputs, &weights);
    }

    /// out = floor(1/2 + sum over i of row i * inverses\[i\]), in binary64 arithmetic in this very order with
    /// every operation rounded (never fused), for as many columns as `out` has from column `first` on. Rows as in
    /// [`Backend::convert`].
    fn overflow(&self, out: &mut [u64], first: usize, rows: &[u64], inverses: &[f64]) {
        let n = rows.len() / inverses.len().max(1);
        debug_assert!(rows.iter().all(|&x| x < 1 << 50));
        for (j, o) in out.iter_mut().enumerate() {
            let sum = inverses.iter().enumerate().fold(0.5, |acc, (i, inv)| {
                acc + rows[i * n + first + j] as f64 * inv
            });
            *o = sum as u64;
        }
    }

    /// a += b.
    fn add(&self, q: &Modulus, a: &mut [u64], b: &[u64]) {
        for (x, y) in a.iter_mut().zip(b) {
            *x = q.add(*x, *y);
        }
    }

    /// a -= b.
    fn sub(&self, q: &Modulus, a: &mut [u64], b: &[u64]) {
        for (x, y) in a.iter_mut().zip(b) {
            *x = q.sub(*x, *y);
        }
    }

    /// a = -a.
    fn neg(&self, q: &Modulus, a: &mut [u64]) {
        for x in a {
            *x = q.neg(*x);
        }
    }

    /// Base conversion of the same rows to several limbs, and the first stages of their transforms.
    fn extend(&self, rows: &[u64], targets: &mut [Target<'_>]) {
        for t in targets {
            self.convert(t.table.modulus(), t.out, rows, t.weights);
        }
    }

    /// Canonical values from a half transform of [`Backend::extend`].
    fn complete(&self, table: &NttTable, half: &mut [u64]) {
        self.ntt(table, half);
    }

    /// Limbs of one prime, of several polynomials: keys that they share are read once. See [`LimbSwitch`].
    fn switch_limbs(&self, jobs: &mut [LimbSwitch<'_, '_>]) {
        for job in jobs {
            self.switch_limb(job);
        }
    }

    /// See [`LimbSwitch`].
    fn switch_limb(&self, job: &mut LimbSwitch<'_, '_>) {
        let (table, q) = (job.table, job.table.modulus());
        let values: Vec<&[u64]> = job
            .digits
            .iter_mut()
            .map(|digit| match digit {
                DigitLimb::Values(values) => *values,
                DigitLimb::Half(half) => {
                    self.complete(table, half);
                    &**half
                }
            })
            .collect();
        let (mut remainders, inverse) = match &mut job.division {
            Some(division) => {
                let [x, y] = &mut division.remainders;
                ([Some(x), Some(y)], Some(division.inverse))
            }
            None => ([None, None], None),
        };
        let mut buffer = vec![0; table.degree()];
        for (k, out) in job.out.iter_mut().enumerate() {
            let keys: Vec<&[u64]> = job.keys.iter().map(|pair| pair[k]).collect();
            self.dot(q, &mut buffer, &values, &keys);
            if let (Some(remainder), Some(inverse)) = (&mut remainders[k], inverse) {
                self.complete(table, remainder);
                self.sub_from_mul_scalar(q, remainder, &buffer, inverse);
                buffer.copy_from_slice(remainder);
            }
            if let Some(addend) = job.addends[k] {
                self.mul_scalar_add(q, &mut buffer, addend, job.factor);
            }
            match job.order {
                Some(order) => self.gather(out, &buffer, order),
                None => out.copy_from_slice(&buffer),
            }
        }
    }

    /// out\[i\] = source\[index\[i\]\].
    fn gather(&self, out: &mut [u64], source: &[u64], index: &[u32]) {
        for (o, &i) in out.iter_mut().zip(index) {
            *o = source[i as usize];
        }
    }
}

static PORTABLE: portable::Portable = portable::Portable;
// SAFETY: this arithmetic needs no processor features.
static QUOTIENT: Kernels<quotient::Quotient> = unsafe { Kernels::new() };

/// Every backend that this machine can run, fastest first. Each agrees with all others to the bit.
pub fn available_backends() -> Vec<&'static dyn Backend> {
    let mut all = vectors();
    if cfg!(target_arch = "wasm32") {
        // Wide products are calls there.
        all.extend([&QUOTIENT as &dyn Backend, &PORTABLE]);
    } else {
        all.extend([&PORTABLE as &dyn Backend, &QUOTIENT]);
    }
    all
}

/// The vector backends of this machine.
#[cfg(target_arch = "x86_64")]
fn vectors() -> Vec<&'static dyn Backend> {
    use fma_x86::{avx2::Avx2, avx512::Avx512};
    // SAFETY: handed out below only after checking the features that each enables.
    static IFMA: Kernels<ifma::Ifma<ifma::avx512::Avx512>> = unsafe { Kernels::new() };
    // SAFETY: as above.
    static FMA512: Kernels<fma::Fma<Avx512>> = unsafe { Kernels::new() };
    // SAFETY: as above.
    static FMA: Kernels<fma::Fma<Avx2>> = unsafe { Kernels::new() };
    let mut all: Vec<&'static dyn Backend> = Vec::new();
    let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
    if wide && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512ifma") {
        all.push(&IFMA);
    }
    if wide {
        all.push(&FMA512);
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        all.push(&FMA);
    }
    all
}

/// The vector backends of this machine.
#[cfg(target_arch = "aarch64")]
fn vectors() -> Vec<&'static dyn Backend> {
    // SAFETY: NEON is part of the base architecture.
    static FMA: Kernels<fma::Fma<fma_neon::Neon>> = unsafe { Kernels::new() };
    vec![&FMA]
}

/// The vector backends of this machine.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
fn vectors() -> Vec<&'static dyn Backend> {
    // SAFETY: compiled with the features that it needs.
    static FMA: Kernels<fma::Fma<fma_wasm::Relaxed>> = unsafe { Kernels::new() };
    if fma_wasm::fuses() {
        vec![&FMA]
    } else {
        Vec::new()
    }
}

/// The vector backends of this machine.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "relaxed-simd")
)))]
fn vectors() -> Vec<&'static dyn Backend> {
    Vec::new()
}

/// The backend of new rings: the fastest that runs here, or the one that the environment variable
/// `CONFIDE_BACKEND` names if it runs here. Chosen once.
pub fn backend() -> &'static dyn Backend {
    static CHOSEN: OnceLock<&'static dyn Backend> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let all = available_backends();
        let forced = std::env::var("CONFIDE_BACKEND").ok();
        let named = all.iter().find(|b| Some(b.name()) == forced.as_deref());
        *named.unwrap_or(&all[0])
    })
}
