//! Fits the times of primitives to measured operations.

use confide_tensor::Terms;

/// Times of each count of [`Terms`], none negative, that make the squares of the relative errors least. Each
/// observation is the work of an operation and its nanoseconds.
///
/// With so few unknowns all choices of those that are not zero are tried: the least squares of the best choice without
/// a negative time are the least of all.
pub fn fit(observations: &[(Terms, f64)]) -> [f64; Terms::KINDS] {
    let mut best = ([0.0; Terms::KINDS], f64::INFINITY);
    for free in 1u32..1 << Terms::KINDS {
        let chosen: Vec<usize> = (0..Terms::KINDS).filter(|i| free >> i & 1 == 1).collect();
        let Some(found) = solve(observations, &chosen) else {
            continue;
        };
        if found.iter().all(|&time| time >= 0.0) {
            let error = squares(observations, &found);
            if error < best.1 {
                best = (found, error);
            }
        }
    }
    best.0
}

/// Sum of the squares of the relative errors.
fn squares(observations: &[(Terms, f64)], times: &[f64; Terms::KINDS]) -> f64 {
    let relative = |(terms, nanos): &(Terms, f64)| (terms.nanos(times) / nanos - 1.0).powi(2);
    observations.iter().map(relative).sum()
}

/// Normal equations for the chosen unknowns, by elimination with pivots; `None` if they are singular.
fn solve(observations: &[(Terms, f64)], chosen: &[usize]) -> Option<[f64; Terms::KINDS]> {
    let size = chosen.len();
    let mut rows = vec![vec![0.0; size + 1]; size];
    for (terms, nanos) in observations {
        let counts = terms.counts();
        for (row, &i) in rows.iter_mut().zip(chosen) {
            for (cell, &j) in row.iter_mut().zip(chosen) {
                *cell += counts[i] * counts[j] / (nanos * nanos);
            }
            row[size] += counts[i] / nanos;
        }
    }
    for column in 0..size {
        let pivot = (column..size).max_by(|&a, &b| {
            let [a, b] = [a, b].map(|row: usize| rows[row][column].abs());
            a.total_cmp(&b)
        })?;
        rows.swap(column, pivot);
        let pivot = rows[column].clone();
        if pivot[column].abs() < f64::MIN_POSITIVE {
            return None;
        }
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column] / pivot[column];
                row.iter_mut()
                    .zip(&pivot)
                    .for_each(|(cell, p)| *cell -= factor * p);
            }
        }
    }
    let mut found = [0.0; Terms::KINDS];
    for (index, &i) in chosen.iter().enumerate() {
        found[i] = rows[index][size] / rows[index][index];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use confide_tensor::{KeySwitchShape, Op};

    const SHAPE: KeySwitchShape = KeySwitchShape {
        log_n: 15,
        alpha: 4,
        special: 4,
    };

    fn observations(times: &[f64; Terms::KINDS]) -> Vec<(Terms, f64)> {
        let ops = [
            Op::KeySwitch,
            Op::Rescale,
            Op::Add,
            Op::Product,
            Op::Relinearise,
        ];
        (1..16)
            .flat_map(|level| ops.map(|op| Terms::of(op, level, &SHAPE)))
            .map(|terms| (terms, terms.nanos(times)))
            .collect()
    }

    #[test]
    fn known_times_are_found_again() {
        for times in [[0.3, 0.2, 0.4, 0.5, 0.1], [0.3, 0.0, 0.5, 0.1, 0.0]] {
            for (found, expected) in fit(&observations(&times)).iter().zip(times) {
                assert!(
                    (found - expected).abs() <= 1e-4 * expected + 1e-4,
                    "{found} {expected}"
                );
            }
        }
    }

    #[test]
    fn no_time_is_negative_even_if_that_fits_better() {
        let mut seen = observations(&[0.3, 0.1, 0.3, 0.2, 0.1]);
        // Sums take less time than products and accesses would explain.
        seen.iter_mut()
            .filter(|(terms, _)| terms.counts()[0] == 0.0)
            .for_each(|(_, nanos)| *nanos *= 0.05);
        assert!(fit(&seen).iter().all(|&time| time >= 0.0));
    }
}
