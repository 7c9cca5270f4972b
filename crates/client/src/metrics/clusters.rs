//! Cases that belong together, such as records of one patient: they count as one where a spread is estimated.

/// Sums of what the cases `(group, value)` of each group add, with the number of its cases.
fn sums(cases: impl IntoIterator<Item = (usize, f64)>) -> Vec<(f64, usize)> {
    let mut cases: Vec<(usize, f64)> = cases.into_iter().collect();
    cases.sort_by_key(|case| case.0);
    let groups = cases.chunk_by(|a, b| a.0 == b.0);
    groups
        .map(|group| (group.iter().map(|case| case.1).sum(), group.len()))
        .collect()
}

/// Variance of an estimate from the influences `(group, influence)` of its cases, which add up to 0 (the linearised estimate of
/// Binder, International Statistical Review 1983). `None` with fewer than two groups.
pub(super) fn variance(influences: impl IntoIterator<Item = (usize, f64)>) -> Option<f64> {
    let sums = sums(influences);
    let groups = sums.len() as f64;
    let squares: f64 = sums.iter().map(|(sum, _)| sum * sum).sum();
    (sums.len() > 1).then(|| squares * groups / (groups - 1.0))
}

/// To how many independent cases the cases `(group, whether it counts)` amount for their proportion: their number over the design
/// effect (Rao and Scott, Biometrics 1992), never more than there are. With a proportion of 0 or 1 as many as there are groups.
pub(super) fn effective_cases(cases: impl IntoIterator<Item = (usize, bool)>) -> f64 {
    let cases: Vec<(usize, f64)> = cases
        .into_iter()
        .map(|(group, counts)| (group, f64::from(u8::from(counts))))
        .collect();
    let n = cases.len() as f64;
    let share = cases.iter().map(|case| case.1).sum::<f64>() / n;
    let groups = sums(cases.iter().map(|&(group, value)| (group, value - share)));
    let count = groups.len() as f64;
    if share == 0.0 || share == 1.0 || groups.len() < 2 {
        return count;
    }
    let squares: f64 = groups.iter().map(|(sum, _)| sum * sum).sum();
    let clustered = squares * count / (count - 1.0);
    let independent = n * share * (1.0 - share) * n / (n - 1.0);
    n / (clustered / independent).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_by_themselves_are_independent() {
        let alone = (0..10).map(|i| (i, i < 3));
        assert!((effective_cases(alone) - 10.0).abs() < 1e-12);
        // Groups that hold the same share of both kinds are no worse than single cases.
        let mixed = (0..20).map(|i| (i / 4, i % 2 == 0));
        assert_eq!(effective_cases(mixed), 20.0);
    }

    #[test]
    fn cases_that_are_alike_within_groups_are_few() {
        // Five groups of four equal cases: (5/4) 16 (2 0.36 + 3 0.16) over 20 0.24 20/19 is 4.75.
        let alike = (0..20).map(|i| (i / 4, i < 8));
        assert!((effective_cases(alike) - 20.0 / 4.75).abs() < 1e-12);
        assert_eq!(effective_cases((0..20).map(|i| (i / 4, true))), 5.0);
        assert_eq!(effective_cases((0..4).map(|i| (0, i < 2))), 1.0);
    }

    #[test]
    fn influences_are_added_up_within_groups() {
        let pairs = [(0, 1.0), (1, -2.0), (0, 2.0), (1, -1.0)];
        assert_eq!(variance(pairs), Some(36.0));
        assert_eq!(variance([(7, 1.0), (7, -1.0)]), None);
    }
}
