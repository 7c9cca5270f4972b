//! Evaluation of polynomials on ciphertexts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::plan::{self, Node};
use super::{InputMap, Polynomial};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::evaluator::{Evaluator, to_integer};
use crate::keys::EvaluationKeys;

const OP: &str = "evaluate_polynomial";

impl Evaluator {
    /// `polynomial(ct)` slot by slot. Consumes [`Polynomial::depth`] levels; the result has the
    /// canonical scale of its level.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`], those of products ([`Evaluator::mul_relin_rescale`]), and
    /// [`CkksError::Overflow`] for coefficients too large for the scale.
    pub fn evaluate_polynomial(
        &self,
        ct: &Ciphertext,
        polynomial: &Polynomial,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let depth = polynomial.depth();
        super::has_levels(ct.level(), depth)?;
        let scale = self.params().scale_at(ct.level() - depth);
        self.evaluate_polynomial_to(ct, polynomial, scale, keys)
    }

    /// [`Evaluator::evaluate_polynomial`] with a chosen scale of the result.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate_polynomial`]; [`CkksError::InvalidScale`].
    pub fn evaluate_polynomial_to(
        &self,
        ct: &Ciphertext,
        polynomial: &Polynomial,
        scale: f64,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let depth = polynomial.depth();
        super::has_levels(ct.level(), depth)?;
        let ladder: Vec<usize> = (0..=depth).map(|step| ct.level() - step).collect();
        self.evaluate_polynomial_along(ct, polynomial, &ladder, scale, keys)
    }

    /// [`Evaluator::evaluate_polynomial_to`] where a multiplication may be followed by several rescales, for scales
    /// larger than a prime: `ladder[d]` is the level after `d` multiplications, from the level of the input down.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate_polynomial_to`]; [`CkksError::InvalidArgument`] for a ladder that does not lead down
    /// from the level of the input in as many steps as the depth of the polynomial.
    pub(crate) fn evaluate_polynomial_along(
        &self,
        ct: &Ciphertext,
        polynomial: &Polynomial,
        ladder: &[usize],
        scale: f64,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.params().check_scale(OP, scale)?;
        let down = ladder.is_sorted_by(|high, low| high > low);
        if !down || ladder.len() != polynomial.depth() + 1 || ladder[0] != ct.level() {
            return Err(CkksError::InvalidArgument {
                op: OP,
                what: "levels",
                needed: format!("{} down from {}", polynomial.depth() + 1, ct.level()),
                available: format!("{ladder:?}"),
            });
        }
        if polynomial.degree() == 0 {
            let mut out = self.mul_integer(ct, 0)?;
            out.scale = scale;
            return self.add_scalar(&out, polynomial.coeffs()[0]);
        }
        let map = polynomial.input_map();
        let input = match map {
            Some(map) => self.mapped(ct, map)?,
            None => ct.clone(),
        };
        let (root, depth) = plan::best(polynomial.coeffs(), map.is_some());
        let mut run = Run {
            evaluator: self,
            keys,
            // Mapping the input may have cost a level.
            ladder: ladder[ladder.len() - 1 - depth..].to_vec(),
            natural: Vec::new(),
            basis: BTreeMap::new(),
            chebyshev: map.is_some(),
        };
        run.natural = run.natural_scales(input.scale);
        run.basis.insert(1, input);
        // Ascending order: every element is built from smaller ones.
        for n in plan::needed(&root, map.is_some()) {
            run.build(n)?;
        }
        let sum = run.node(&root, depth, scale * run.divisor(depth))?;
        run.finish(sum, scale)
    }

    /// The input mapped to `[-1, 1]`.
    fn mapped(&self, ct: &Ciphertext, map: InputMap) -> Result<Ciphertext, CkksError> {
        let mut out = if map.factor == 1.0 {
            ct.clone()
        } else if map.is_free() {
            self.mul_integer(ct, map.factor as i64)?
        } else {
            self.mul_scalar_rescale(ct, map.factor)?
        };
        if map.offset != 0.0 {
            self.add_scalar_assign(&mut out, map.offset)?;
        }
        Ok(out)
    }
}

/// One evaluation: the basis elements built so far, by index, and the levels by number of multiplications.
struct Run<'a> {
    evaluator: &'a Evaluator,
    keys: &'a EvaluationKeys,
    ladder: Vec<usize>,
    /// Scales that repeated squaring of the input leads to, by number of multiplications.
    natural: Vec<f64>,
    chebyshev: bool,
    basis: BTreeMap<usize, Ciphertext>,
}

impl Run<'_> {
    /// Basis element `n` from two of about half the index: `x^n = x^a x^b`, or
    /// `T_n = 2 T_a T_b - T_(a-b)`.
    fn build(&mut self, n: usize) -> Result<(), CkksError> {
        if n == 1 {
            return Ok(());
        }
        let (a, b) = plan::halves(n);
        let (left, right) = (self.element(a)?, self.element(b)?);
        let factor = if self.chebyshev { 2 } else { 1 };
        let mut product = if a == b {
            self.evaluator.tensor_sum(OP, &[(left, left)], factor)?
        } else {
            let depth = self.depth_below(left.level.min(right.level))?;
            let (left, right) = (self.brought(left, depth)?, self.brought(right, depth)?);
            self.evaluator
                .tensor_sum(OP, &[(&*left, &*right)], factor)?
        };
        if self.chebyshev {
            if a == b {
                self.evaluator.add_scalar_assign(&mut product, -1.0)?;
            } else {
                let other = self.element(a - b)?;
                self.add_multiple(&mut product, other, -1.0)?;
            }
        }
        let scale = product.scale / self.divisor(self.depth_below(product.level)?);
        let element = self.finish(product, scale)?;
        self.basis.insert(n, element);
        Ok(())
    }

    fn element(&self, n: usize) -> Result<&Ciphertext, CkksError> {
        // The plan lists every element that is used; a missing one would be a fault of this module.
        self.basis
            .get(&n)
            .ok_or_else(|| CkksError::InvalidArgument {
                op: OP,
                what: "basis element",
                needed: n.to_string(),
                available: "not built".to_owned(),
            })
    }

    /// The value of `node` at `depth - 1` levels below the top with the scale `scale`, before its
    /// relinearisation and its rescale.
    fn node(&self, node: &Node, depth: usize, scale: f64) -> Result<Ciphertext, CkksError> {
        let level = self.ladder[depth - 1];
        let mut factors = Vec::with_capacity(node.products.len());
        for (power, quotient) in &node.products {
            let giant = self.lowered(self.element(*power)?, depth)?;
            let wanted = scale / giant.scale;
            let before = wanted * self.divisor(depth - 1);
            let mut quotient = self.finish(self.node(quotient, depth - 1, before)?, wanted)?;
            // All products have the scale that the sum is wanted at, up to rounding of `f64`.
            quotient.scale = scale / giant.scale;
            factors.push((quotient, giant));
        }
        let mut constant = 0.0;
        let mut terms = Vec::with_capacity(node.terms.len());
        for &(power, coefficient) in &node.terms {
            if power == 0 {
                constant = coefficient;
                continue;
            }
            let element = self.element(power)?;
            let integer = to_integer(OP, coefficient, scale / element.scale)?;
            terms.push((element, integer));
        }
        let mut sum: Option<Ciphertext> = None;
        if !factors.is_empty() {
            let pairs: Vec<_> = factors.iter().map(|(x, y)| (x, &**y)).collect();
            let mut product = self.evaluator.tensor_sum(OP, &pairs, 1)?;
            self.evaluator.add_combination(&mut product, &terms)?;
            sum = Some(product);
        } else if !terms.is_empty() {
            sum = Some(self.evaluator.combination(&terms, level)?);
        }
        if let Some(sum) = &mut sum {
            sum.scale = scale;
        }
        // Every node has a term or a product: only constants have none, and they are no node.
        let mut sum = sum.ok_or_else(|| CkksError::InvalidArgument {
            op: OP,
            what: "degree of a partial polynomial",
            needed: "at least 1".to_owned(),
            available: "0".to_owned(),
        })?;
        if constant != 0.0 {
            self.evaluator.add_scalar_assign(&mut sum, constant)?;
        }
        Ok(sum)
    }

    /// `element` for a product before multiplication number `depth`, at about the scale there, so that every element has
    /// that of its level: with less, a product would be left with less than its level has; with more, too little would
    /// be left to the constants that multiply it.
    fn brought<'c>(
        &self,
        element: &'c Ciphertext,
        depth: usize,
    ) -> Result<Cow<'c, Ciphertext>, CkksError> {
        let natural = self.natural[depth - 1];
        if element.level > self.ladder[depth - 1] && element.scale >= 2.0 * natural {
            return self.lowered(element, depth);
        }
        let factor = (natural / element.scale).round();
        if factor < 2.0 {
            return Ok(Cow::Borrowed(element));
        }
        let mut out = self.evaluator.mul_integer(element, factor as i64)?;
        out.scale = element.scale * factor;
        Ok(Cow::Owned(out))
    }

    /// `element` at the level before multiplication number `depth`, and at no more than the scale there: the other
    /// factor of a product has what is left of its scale.
    fn lowered<'c>(
        &self,
        element: &'c Ciphertext,
        depth: usize,
    ) -> Result<Cow<'c, Ciphertext>, CkksError> {
        let (level, natural) = (self.ladder[depth - 1], self.natural[depth - 1]);
        if element.level == level || element.scale < 2.0 * natural {
            // Higher levels are cut by what is done next.
            return Ok(Cow::Borrowed(element));
        }
        let factor = natural * self.divisor(depth - 1) / element.scale;
        let integer = to_integer(OP, 1.0, factor)?;
        let above = self.ladder[depth - 2];
        let out = self.evaluator.combination(&[(element, integer)], above)?;
        let mut out = self.evaluator.rescale_to(out, level)?;
        out.scale = natural;
        Ok(Cow::Owned(out))
    }

    /// Scales of repeated squaring along the ladder.
    fn natural_scales(&self, first: f64) -> Vec<f64> {
        let mut scales = vec![first];
        for depth in 1..self.ladder.len() {
            let last = scales[depth - 1];
            scales.push(last * last / self.divisor(depth));
        }
        scales
    }

    /// `sum += coefficient * element`, the element brought to the scale of the sum.
    fn add_multiple(
        &self,
        sum: &mut Ciphertext,
        element: &Ciphertext,
        coefficient: f64,
    ) -> Result<(), CkksError> {
        let integer = to_integer(OP, coefficient, sum.scale / element.scale)?;
        self.evaluator.add_combination(sum, &[(element, integer)])
    }

    /// Relinearises and rescales; `scale` is what the division gives up to rounding of `f64`.
    fn finish(&self, ct: Ciphertext, scale: f64) -> Result<Ciphertext, CkksError> {
        let level = self.ladder[self.depth_below(ct.level)?];
        let out = self.evaluator.relinearize_rescale(ct, self.keys)?;
        let mut out = self.evaluator.rescale_to(out, level)?;
        out.scale = scale;
        Ok(out)
    }

    /// The number of multiplications that lead to the next level of the ladder below `level`.
    fn depth_below(&self, level: usize) -> Result<usize, CkksError> {
        let depth = self.ladder.iter().position(|&step| step < level);
        depth.ok_or(CkksError::LevelTooLow {
            op: OP,
            needed: 1,
            available: level,
        })
    }

    /// The product of the primes that multiplication number `depth` gives up.
    fn divisor(&self, depth: usize) -> f64 {
        let primes = self.ladder[depth] + 1..=self.ladder[depth - 1];
        primes
            .rev()
            .map(|level| self.evaluator.params().q(level) as f64)
            .product()
    }
}
