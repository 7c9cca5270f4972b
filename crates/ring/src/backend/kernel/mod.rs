//! Kernels written once over [`Arithmetic`](super::arithmetic::Arithmetic), and the [`Backend`] made of them.

mod convert;
pub(super) mod layout;
mod matrix;
mod pointwise;
mod switch;
mod transform;

use core::fmt;
use core::marker::PhantomData;

use super::Backend;
use super::arithmetic::{Arithmetic, Job};
use super::limb::{LimbSwitch, Target};
use crate::{Constant, Modulus, NttTable};

/// The backend of an arithmetic. It exists only where the processor has the features: the only way to
/// make one is unsafe.
pub(super) struct Kernels<A>(PhantomData<A>);

impl<A: Arithmetic> Kernels<A> {
    /// # Safety
    /// A machine that runs any method must have the features that `A::dispatch` enables. A constant
    /// of a machine without them must not be handed out.
    pub(super) const unsafe fn new() -> Self {
        Self(PhantomData)
    }

    fn run<J: Job>(&self, job: J) {
        // SAFETY: whoever made `self` vouches for the features.
        unsafe { A::dispatch(job) }
    }
}

impl<A: Arithmetic> fmt::Debug for Kernels<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A::NAME)
    }
}

impl<A: Arithmetic> Backend for Kernels<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn has_quotients(&self) -> bool {
        A::QUOTIENTS
    }

    fn prepare(&self, q: &Modulus, value: u64) -> Constant {
        A::prepare(q, value)
    }

    fn prepare_all(&self, q: &Modulus, values: &mut [u64], quotients: &mut [u64]) {
        for (i, v) in values.iter_mut().enumerate() {
            let c = A::prepare(q, *v);
            *v = c.value;
            if let Some(k) = quotients.get_mut(i) {
                *k = c.quotient;
            }
        }
        layout::interleave::<A>(values);
        if !quotients.is_empty() {
            layout::interleave::<A>(quotients);
        }
    }

    fn ntt(&self, table: &NttTable, a: &mut [u64]) {
        self.run(transform::Forward { table, a });
    }

    fn intt(&self, table: &NttTable, a: &mut [u64], scale: Constant) {
        self.run(transform::Inverse { table, a, scale });
    }

    fn mul_assign(&self, q: &Modulus, a: &mut [u64], b: &[u64]) {
        self.run(pointwise::MulAssign { q, a, b });
    }

    fn mul(&self, q: &Modulus, out: &mut [u64], a: &[u64], b: &[u64]) {
        self.run(pointwise::Mul { q, out, a, b });
    }

    fn mul_add(&self, q: &Modulus, acc: &mut [u64], a: &[u64], b: &[u64]) {
        self.run(pointwise::MulAdd { q, acc, a, b });
    }

    fn mul_scalar(&self, q: &Modulus, a: &mut [u64], scalar: Constant) {
        self.run(pointwise::MulScalar { q, a, scalar });
    }

    fn mul_scalar_add(&self, q: &Modulus, acc: &mut [u64], a: &[u64], scalar: Constant) {
        self.run(pointwise::MulScalarAdd { q, acc, a, scalar });
    }

    fn sub_from_mul_scalar(&self, q: &Modulus, a: &mut [u64], b: &[u64], scalar: Constant) {
        self.run(pointwise::SubFromMulScalar { q, a, b, scalar });
    }

    fn dot(&self, q: &Modulus, out: &mut [u64], xs: &[&[u64]], ys: &[&[u64]]) {
        self.run(convert::Dot { q, out, xs, ys });
    }

    fn convert(&self, q: &Modulus, out: &mut [u64], rows: &[u64], weights: &[Constant]) {
        self.run(convert::Convert {
            q,
            out,
            rows,
            weights,
        });
    }

    fn encode(&self, q: &Modulus, values: &mut [u64]) {
        A::encode(q, values);
    }

    fn weighted_rows(
        &self,
        q: &Modulus,
        out: &mut [&mut [u64]],
        inputs: &[&[u64]],
        weights: &[u64],
    ) {
        self.run(matrix::MatrixProduct {
            q,
            out,
            inputs,
            weights,
        });
    }

    fn overflow(&self, out: &mut [u64], first: usize, rows: &[u64], inverses: &[f64]) {
        self.run(convert::Overflow {
            out,
            first,
            rows,
            inverses,
        });
    }

    fn add(&self, q: &Modulus, a: &mut [u64], b: &[u64]) {
        self.run(pointwise::Add { q, a, b });
    }

    fn sub(&self, q: &Modulus, a: &mut [u64], b: &[u64]) {
        self.run(pointwise::Sub { q, a, b });
    }

    fn neg(&self, q: &Modulus, a: &mut [u64]) {
        self.run(pointwise::Neg { q, a });
    }

    fn extend(&self, rows: &[u64], targets: &mut [Target<'_>]) {
        self.run(switch::Extend { rows, targets });
    }

    fn complete(&self, table: &NttTable, half: &mut [u64]) {
        self.run(switch::Complete { table, half });
    }

    fn switch_limbs(&self, jobs: &mut [LimbSwitch<'_, '_>]) {
        self.run(switch::LimbSwitches(jobs));
    }

    fn switch_limb(&self, job: &mut LimbSwitch<'_, '_>) {
        self.switch_limbs(std::slice::from_mut(job));
    }

    fn gather(&self, out: &mut [u64], source: &[u64], index: &[u32]) {
        self.run(pointwise::Gather { out, source, index });
    }
}
