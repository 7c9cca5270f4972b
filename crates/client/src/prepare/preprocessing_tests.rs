use super::*;

fn records(width: usize, values: Vec<f64>) -> Records {
    let rows = values.len() / width;
    Records {
        features: (0..width).map(|j| format!("f{j}")).collect(),
        values,
        row_numbers: (1..=rows).collect(),
        notes: Vec::new(),
    }
}

/// Correlated numbers on very different scales, one column constant.
fn correlated(rows: usize) -> Records {
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let mut values = Vec::new();
    for _ in 0..rows {
        let (a, b, c) = (random(), random(), random());
        values.extend([1e6 * a + 5e6, a + 0.1 * b, 1e-5 * (a - b + c), 4.2]);
    }
    records(4, values)
}

fn covariance(matrix: &Matrix, i: usize, j: usize) -> f64 {
    (0..matrix.rows())
        .map(|row| matrix.row(row)[i] * matrix.row(row)[j])
        .sum::<f64>()
        / matrix.rows() as f64
}

#[test]
fn whitening_without_softness_gives_the_identity() {
    let records = correlated(200);
    let rows: Vec<usize> = (0..200).collect();
    let fitted = Preprocessing::fit(
        &records,
        &rows,
        FitOptions {
            softness: 0.0,
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(fitted.components(), 3);
    let (white, shortened) = fitted.transform(&records, &rows).unwrap();
    assert_eq!((white.columns(), shortened), (4, 0));
    for i in 0..3 {
        for j in 0..3 {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!(
                (covariance(&white, i, j) - expected).abs() < 1e-9,
                "{i} {j}"
            );
        }
        assert!((0..200).map(|row| white.row(row)[i]).sum::<f64>().abs() < 1e-6);
    }
    assert!((0..200).all(|row| white.row(row)[3] == 1.0));
}

#[test]
fn softness_shrinks_weak_directions_by_their_eigenvalue() {
    let records = correlated(200);
    let rows: Vec<usize> = (0..200).collect();
    let hard = Preprocessing::fit(
        &records,
        &rows,
        FitOptions {
            softness: 0.0,
            ..Default::default()
        },
    )
    .unwrap();
    let soft = Preprocessing::fit(&records, &rows, FitOptions::default()).unwrap();
    let (white, _) = soft.transform(&records, &rows).unwrap();
    let mut total = 0.0;
    for k in 0..3 {
        let variance = covariance(&white, k, k);
        // variance = e / (e + 0.5), and hard / soft = sqrt((e + 0.5) / e) for every coefficient.
        let eigenvalue = 0.5 * variance / (1.0 - variance);
        total += eigenvalue;
        let ratio = hard.projection[4 * k] / soft.projection[4 * k];
        assert!((ratio - ((eigenvalue + 0.5) / eigenvalue).sqrt()).abs() < 1e-6);
    }
    assert!(
        (total - 3.0).abs() < 1e-6,
        "eigenvalues of three standardised columns add up to 3, not {total}"
    );
}

#[test]
fn fewer_components_keep_the_strongest() {
    let records = correlated(100);
    let rows: Vec<usize> = (0..100).collect();
    let all = Preprocessing::fit(&records, &rows, FitOptions::default()).unwrap();
    let one = Preprocessing::fit(
        &records,
        &rows,
        FitOptions {
            components: Some(1),
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(one.columns(), 2);
    assert_eq!(one.projection, all.projection[..4]);
    let mut cut = all.clone();
    cut.keep_components(1);
    assert_eq!(cut, one);
}

#[test]
fn long_rows_are_shortened_and_scaled() {
    let mut values: Vec<f64> = (0..99).map(|i| (i % 10) as f64).collect();
    values.push(1e4);
    let records = records(1, values);
    let rows: Vec<usize> = (0..100).collect();
    let mut fitted = Preprocessing::fit(&records, &rows, FitOptions::default()).unwrap();
    fitted.set_norm_limit(Some(2.0));
    fitted.set_scale(0.5);
    let (matrix, shortened) = fitted.transform(&records, &rows).unwrap();
    assert_eq!(shortened, 1);
    assert!((matrix.row(99)[0] - 1.0).abs() < 1e-12);
    assert_eq!(matrix.row(0)[1], 0.5);
}

#[test]
fn gaps_take_the_median_of_training_rows_only() {
    let records = records(
        2,
        vec![1.0, 5.0, f64::NAN, 6.0, 3.0, 9.0, 100.0, 8.0, f64::NAN, 2.0],
    );
    let fitted = Preprocessing::fit(&records, &[0, 1, 2], FitOptions::default()).unwrap();
    let (with_gap, _) = fitted.transform(&records, &[4]).unwrap();
    let mut filled = records.clone();
    filled.values[8] = 2.0;
    assert_eq!(with_gap, fitted.transform(&filled, &[4]).unwrap().0);
}

#[test]
fn fewer_rows_than_features_and_constant_tables() {
    let values = (0..60).map(|i| ((i * 7919) % 101) as f64).collect();
    let fitted =
        Preprocessing::fit(&records(20, values), &[0, 1, 2], FitOptions::default()).unwrap();
    assert_eq!(fitted.components(), 2);
    let constant = records(2, vec![1.0, 2.0, 1.0, 2.0]);
    assert_eq!(
        Preprocessing::fit(&constant, &[0, 1], FitOptions::default())
            .unwrap_err()
            .code,
        "CC-3002"
    );
    let huge = records(1, vec![1e300, -1e300, 1e299]);
    assert_eq!(
        Preprocessing::fit(&huge, &[0, 1, 2], FitOptions::default())
            .unwrap_err()
            .code,
        "CC-3003"
    );
}

#[test]
fn survives_storage_and_notices_damage() {
    let records = correlated(50);
    let rows: Vec<usize> = (0..50).collect();
    let fitted = Preprocessing::fit(&records, &rows, FitOptions::default()).unwrap();
    let text = serde_json::to_string(&fitted).unwrap();
    let read: Preprocessing = serde_json::from_str(&text).unwrap();
    assert_eq!(read, fitted);
    read.check().unwrap();
    let mut damaged = read.clone();
    damaged.projection.pop();
    assert_eq!(damaged.check().unwrap_err().code, "CC-3005");
    let mut other = records.clone();
    other.features[0] = "g".into();
    assert_eq!(read.transform(&other, &[0]).unwrap_err().code, "CC-3004");
}

#[test]
fn skewed_features_are_straightened_and_others_are_not() {
    // A long tail in the first column, a symmetric second one.
    let values = (0..101)
        .flat_map(|i| [f64::from(i).powi(6), f64::from(i)])
        .collect();
    let records = records(2, values);
    let rows: Vec<usize> = (0..101).collect();
    let fitted = Preprocessing::fit(&records, &rows, FitOptions::default()).unwrap();
    assert!(fitted.straightened[0].is_some() && fitted.straightened[1].is_none());
    let mut standard = [0.0; 2];
    let (mut least, mut most, mut square) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
    for row in 0..101 {
        fitted.standardise(records.row(row), &mut standard);
        (least, most) = (least.min(standard[0]), most.max(standard[0]));
        square += standard[0].powi(2) / 101.0;
    }
    assert!(
        (square - 1.0).abs() < 1e-9,
        "the straightened column is standardised again"
    );
    assert!(
        most < 2.6 && least > -1.0,
        "the tail of 3.2 deviations is shorter: {least} {most}"
    );
}
