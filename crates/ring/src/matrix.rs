//! Products of an integer matrix with a vector of polynomials.

use crate::{Constant, Ring, RnsPoly, par};

/// Words of a limb that one task computes for all outputs.
const TASK: usize = 1 << 13;

impl Ring {
    /// out\[o\] = sum over i of weights\[o * I + i\] * inputs\[i\] for the I inputs, which share set and form,
    /// with one reduction for each output residue. A limb is read once for some outputs at a time, in strips
    /// that fit the cache: arithmetic, not memory, bounds products with more than a few outputs.
    ///
    /// # Panics
    /// When there is no input, inputs differ in set or form, or the number of weights is not a multiple of theirs.
    pub fn matrix_product(&self, inputs: &[&RnsPoly], weights: &[i64]) -> Vec<RnsPoly> {
        assert!(!inputs.is_empty(), "matrix product without inputs");
        assert!(
            weights.len().is_multiple_of(inputs.len()),
            "{} weights for {} inputs",
            weights.len(),
            inputs.len()
        );
        let (set, form, n) = (inputs[0].set, inputs[0].form, self.degree());
        for a in inputs {
            assert!(
                a.set == set && a.form == form && a.degree == n,
                "matrix product: {a:?}, expected {set:?}"
            );
        }
        let prepared: Vec<Vec<Constant>> = par::map(set.len(), |limb| {
            let q = self.modulus_at(set, limb);
            let prepare = |&w| self.backend.prepare(q, q.from_i64(w));
            weights.iter().map(prepare).collect()
        });
        let mut out: Vec<RnsPoly> = (0..weights.len() / inputs.len())
            .map(|_| self.scratch(set, form))
            .collect();
        let task = TASK.min(n);
        let mut tasks: Vec<Vec<&mut [u64]>> = (0..set.len() * n / task)
            .map(|_| Vec::with_capacity(out.len()))
            .collect();
        for poly in &mut out {
            for (rows, chunk) in tasks.iter_mut().zip(poly.words.chunks_exact_mut(task)) {
                rows.push(chunk);
            }
        }
        par::for_each(tasks.into_iter().enumerate().collect(), |(t, mut rows)| {
            let (start, limb) = (t * task, t * task / n);
            let inputs: Vec<&[u64]> = inputs
                .iter()
                .map(|a| &a.words[start..start + task])
                .collect();
            self.backend.matrix_product(
                self.modulus_at(set, limb),
                &mut rows,
                &inputs,
                &prepared[limb],
            );
        });
        out
    }
}
