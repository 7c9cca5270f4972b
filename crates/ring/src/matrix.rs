//! Products of an integer matrix with a vector of polynomials.

use crate::buffer::Buffer;
use crate::{Constant, Form, Modulus, PrimeSet, Ring, RnsPoly, par};

/// Words of a limb that one task computes for all outputs.
pub(crate) const TASK: usize = 1 << 13;

impl Ring {
    /// out\[o\] = sum over i of weights\[o * I + i\] * inputs\[i\] for the I inputs, which share set and form,
    /// with one reduction for each output residue. A limb is read once for some outputs at a time, in strips
    /// that fit the cache: arithmetic, not memory, bounds products with more than a few outputs.
    ///
    /// # Panics
    /// When there is no input, inputs differ in set or form, or the number of weights is not a multiple of theirs.
    pub fn matrix_product(&self, inputs: &[&RnsPoly], weights: &[i64]) -> Vec<RnsPoly> {
        let (set, form) = self.check_matrix(inputs, weights);
        let mut out: Vec<RnsPoly> = (0..weights.len() / inputs.len())
            .map(|_| self.scratch(set, form))
            .collect();
        self.multiply_matrix(out.iter_mut().collect(), inputs, weights, false);
        out
    }

    /// out\[o\] += the product of [`Ring::matrix_product`]: for more inputs than memory holds at once. Each output is
    /// read and written once.
    ///
    /// # Panics
    /// As [`Ring::matrix_product`], and when an output differs from the inputs in set or form or their number is not
    /// that of the rows of weights.
    pub fn matrix_product_add(&self, out: Vec<&mut RnsPoly>, inputs: &[&RnsPoly], weights: &[i64]) {
        let (set, form) = self.check_matrix(inputs, weights);
        assert_eq!(out.len(), weights.len() / inputs.len(), "rows of weights");
        for sum in &out {
            let fits = sum.set == set && sum.form == form && sum.degree == self.degree();
            assert!(fits, "matrix product added to {sum:?}, expected {set:?}");
        }
        self.multiply_matrix(out, inputs, weights, true);
    }

    #[track_caller]
    fn check_matrix(&self, inputs: &[&RnsPoly], weights: &[i64]) -> (PrimeSet, Form) {
        assert!(!inputs.is_empty(), "matrix product without inputs");
        assert!(
            weights.len().is_multiple_of(inputs.len()),
            "{} weights for {} inputs",
            weights.len(),
            inputs.len()
        );
        let (set, form) = (inputs[0].set, inputs[0].form);
        for a in inputs {
            assert!(
                a.set == set && a.form == form && a.degree == self.degree(),
                "matrix product: {a:?}, expected {set:?}"
            );
        }
        (set, form)
    }

    fn multiply_matrix(
        &self,
        out: Vec<&mut RnsPoly>,
        inputs: &[&RnsPoly],
        weights: &[i64],
        add: bool,
    ) {
        let (set, n) = (inputs[0].set, self.degree());
        let prepared: Vec<Vec<Constant>> = par::map(set.len(), |limb| {
            let q = self.modulus_at(set, limb);
            let prepare = |&w| self.backend.prepare(q, q.from_i64(w));
            weights.iter().map(prepare).collect()
        });
        let task = TASK.min(n);
        let mut tasks: Vec<Vec<&mut [u64]>> = (0..set.len() * n / task)
            .map(|_| Vec::with_capacity(out.len()))
            .collect();
        for poly in out {
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
            self.multiply_rows(
                self.modulus_at(set, limb),
                &mut rows,
                &inputs,
                &prepared[limb],
                add,
            );
        });
    }

    /// Words of a limb of all outputs, added to what they are if `add`: at most [`TASK`] of each.
    pub(crate) fn multiply_rows(
        &self,
        q: &Modulus,
        rows: &mut [&mut [u64]],
        inputs: &[&[u64]],
        weights: &[Constant],
        add: bool,
    ) {
        if !add {
            return self.backend.matrix_product(q, rows, inputs, weights);
        }
        let task = rows.first().map_or(1, |row| row.len());
        // Products of a task stay in the cache until they are added.
        let mut room = Buffer::scratch(task * rows.len());
        let mut products: Vec<&mut [u64]> = room.chunks_exact_mut(task).collect();
        self.backend
            .matrix_product(q, &mut products, inputs, weights);
        for (row, product) in rows.iter_mut().zip(products) {
            self.backend.add(q, row, product);
        }
    }
}
