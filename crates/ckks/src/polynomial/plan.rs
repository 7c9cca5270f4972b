//! Splits a polynomial into baby-step leaves and giant-step products before any ciphertext is touched.

use std::collections::BTreeSet;

use super::depth_of;

/// `sum coeff * B_power + sum B_power * quotient`, all at one depth, one rescale for all.
#[derive(Debug)]
pub(super) struct Node {
    /// Basis elements times constants; index 0 is the constant term.
    pub(super) terms: Vec<(usize, f64)>,
    /// Giant steps: a basis element of power-of-two index, times a polynomial one level up.
    pub(super) products: Vec<(usize, Node)>,
}

/// The plan of least cost: the root and its depth.
pub(super) fn best(coeffs: &[f64], chebyshev: bool) -> (Node, usize) {
    let depth = depth_of(coeffs.len());
    let mut chosen = None;
    for log_baby in 0..=depth {
        let node = split(coeffs.to_vec(), depth, 1 << log_baby, chebyshev);
        let cost = cost(&node, chebyshev);
        if chosen.as_ref().is_none_or(|(_, least)| cost < *least) {
            chosen = Some((node, cost));
        }
    }
    match chosen {
        Some((node, _)) => (node, depth),
        None => (
            Node {
                terms: Vec::new(),
                products: Vec::new(),
            },
            depth,
        ),
    }
}

/// Relinearisations (weight 4) and tensor products (weight 1) of a plan.
fn cost(root: &Node, chebyshev: bool) -> usize {
    fn count(node: &Node) -> usize {
        let own = if node.products.is_empty() {
            0
        } else {
            4 + node.products.len()
        };
        own + node.products.iter().map(|(_, n)| count(n)).sum::<usize>()
    }
    let powers = needed(root, chebyshev)
        .into_iter()
        .filter(|&n| n > 1)
        .count();
    count(root) + 5 * powers
}

/// Every basis element that the plan uses, with those from which they are built.
pub(super) fn needed(root: &Node, chebyshev: bool) -> BTreeSet<usize> {
    fn direct(node: &Node, out: &mut BTreeSet<usize>) {
        out.extend(node.terms.iter().map(|t| t.0).filter(|&n| n > 0));
        for (power, quotient) in &node.products {
            out.insert(*power);
            direct(quotient, out);
        }
    }
    let mut out = BTreeSet::new();
    direct(root, &mut out);
    let mut open: Vec<usize> = out.iter().copied().collect();
    while let Some(n) = open.pop() {
        if n > 1 {
            let (a, b) = halves(n);
            let difference = if chebyshev { a - b } else { 0 };
            for part in [a, b, difference] {
                if part > 0 && out.insert(part) {
                    open.push(part);
                }
            }
        }
    }
    out
}

/// `n = a + b` with `a` the largest power of two below `n`: least depth, and the parity of odd
/// polynomials is kept.
pub(super) fn halves(n: usize) -> (usize, usize) {
    let a = n.next_power_of_two() / 2;
    (a, n - a)
}

/// A plan of depth `depth` (`2^depth` above the degree) with leaves of degree below `baby`.
fn split(mut coeffs: Vec<f64>, depth: usize, baby: usize, chebyshev: bool) -> Node {
    let mut node = Node {
        terms: Vec::new(),
        products: Vec::new(),
    };
    loop {
        while coeffs.len() > 1 && coeffs.last() == Some(&0.0) {
            coeffs.pop();
        }
        let degree = coeffs.len() - 1;
        if degree == 0 || (degree < baby && depth_of(degree) < depth) {
            let terms = coeffs.into_iter().enumerate().filter(|t| t.1 != 0.0);
            node.terms.extend(terms);
            return node;
        }
        let giant = 1usize << degree.ilog2();
        let quotient = divide(&mut coeffs, giant, chebyshev);
        if quotient.len() == 1 {
            node.terms.push((giant, quotient[0]));
        } else {
            node.products
                .push((giant, split(quotient, depth - 1, baby, chebyshev)));
        }
    }
}

/// Divides by the basis element of index `m` (degree below `2 m`); `coeffs` keeps the remainder.
/// In the Chebyshev basis `T_(m+i) = 2 T_m T_i - T_(m-i)`.
fn divide(coeffs: &mut Vec<f64>, m: usize, chebyshev: bool) -> Vec<f64> {
    let mut quotient = coeffs.split_off(m);
    if chebyshev {
        for (i, c) in quotient.iter_mut().enumerate().skip(1) {
            coeffs[m - i] -= *c;
            *c *= 2.0;
        }
    }
    quotient
}
