use num_complex::Complex64;

use super::{Fixture, ramp};
use crate::error::CkksError;
use crate::evaluator::WeightMatrix;

fn weights(outputs: usize, inputs: usize) -> Vec<Vec<f64>> {
    let weight = |o: usize, i: usize| ((o * inputs + i) as f64 * 1.7).sin() * 3.0;
    (0..outputs)
        .map(|o| (0..inputs).map(|i| weight(o, i)).collect())
        .collect()
}

#[test]
fn outputs_are_weighted_sums_of_the_slots() {
    let f = Fixture::small();
    let slots = f.params.slots();
    for (outputs, inputs) in [(1, 1), (3, 5), (6, 20)] {
        let rows = weights(outputs, inputs);
        let values: Vec<_> = (0..inputs).map(|i| ramp(slots, i as u32)).collect();
        // The lowest input decides the level.
        let scale = f.params.scale_at(4);
        let encrypted: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(i, v)| f.encrypt_at(v, if i == 0 { 4 } else { 5 }, scale))
            .collect();
        let borrowed: Vec<_> = encrypted.iter().collect();
        let matrix = WeightMatrix::new(&rows, f.evaluator.weight_scale(4, scale).unwrap()).unwrap();
        assert_eq!((matrix.inputs(), matrix.outputs()), (inputs, outputs));
        let expected = |o: usize| {
            let (row, values) = (rows[o].clone(), &values);
            move |s: usize| -> Complex64 { (0..inputs).map(|i| values[i][s] * row[i]).sum() }
        };
        let plain = f.evaluator.matrix_product(&borrowed, &matrix).unwrap();
        let rescaled = f
            .evaluator
            .matrix_product_rescale(&borrowed, &matrix)
            .unwrap();
        assert_eq!((plain.len(), rescaled.len()), (outputs, outputs));
        for (o, (plain, rescaled)) in plain.iter().zip(&rescaled).enumerate() {
            assert_eq!((plain.level(), plain.scale()), (4, scale * matrix.scale()));
            assert_eq!(rescaled.level(), 3);
            assert!((rescaled.scale() / f.params.scale_at(3) - 1.0).abs() < 1e-14);
            f.assert_slots(plain, expected(o), 1e-8);
            f.assert_slots(rescaled, expected(o), 1e-7);
        }
    }
}

#[test]
fn integer_weights_are_exact_and_three_parts_are_kept() {
    let f = Fixture::small();
    let (x, y) = (ramp(f.params.slots(), 1), ramp(f.params.slots(), 2));
    let (a, b) = (f.encrypt(&x, 3), f.encrypt(&y, 3));
    let product = f.evaluator.mul(&a, &b).unwrap();
    let square = f.evaluator.square(&a).unwrap();
    let matrix = WeightMatrix::new(&[vec![2.0, -3.0]], 1.0).unwrap();
    let sums = f
        .evaluator
        .matrix_product(&[&product, &square], &matrix)
        .unwrap();
    assert_eq!(
        (sums[0].parts().len(), sums[0].scale()),
        (3, product.scale())
    );
    let one = f.evaluator.mul_integer(&product, 2).unwrap();
    let other = f.evaluator.mul_integer(&square, -3).unwrap();
    assert_eq!(sums[0], f.evaluator.add(&one, &other).unwrap());
}

#[test]
fn misuse_is_refused() {
    let f = Fixture::small();
    for rows in [vec![], vec![vec![]], vec![vec![1.0, 2.0], vec![1.0]]] {
        let result = WeightMatrix::new(&rows, 1.0);
        assert!(matches!(result, Err(CkksError::InvalidArgument { .. })));
    }
    let of = |weight: f64, scale: f64| WeightMatrix::new(&[vec![weight]], scale);
    assert!(matches!(of(1.0, 0.0), Err(CkksError::InvalidScale { .. })));
    assert!(matches!(
        of(f64::NAN, 1.0),
        Err(CkksError::NotFinite { .. })
    ));
    for (weight, scale) in [(1.0, 62_f64.exp2()), (1e30, 1.0), (-1.0, 63_f64.exp2())] {
        assert!(matches!(of(weight, scale), Err(CkksError::Overflow { .. })));
    }
    let (a, low) = (f.encrypt(&[], 2), f.encrypt(&[], 0));
    let matrix = WeightMatrix::new(&[vec![1.0, 1.0]], 1.0).unwrap();
    let product = |inputs: &[&_]| f.evaluator.matrix_product(inputs, &matrix).map(|_| ());
    assert!(matches!(
        product(&[&a]),
        Err(CkksError::InvalidArgument { .. })
    ));
    let scaled = f.evaluator.mul_scalar(&a, 1.0, 2.0).unwrap();
    assert!(matches!(
        product(&[&a, &scaled]),
        Err(CkksError::ScaleMismatch { .. })
    ));
    // Three parts at the scale of two.
    let mut square = f.evaluator.square(&a).unwrap();
    square.scale = a.scale;
    assert!(matches!(
        product(&[&a, &square]),
        Err(CkksError::PartCount { .. })
    ));
    let bottom = f.evaluator.matrix_product_rescale(&[&low, &low], &matrix);
    assert!(matches!(bottom, Err(CkksError::LevelTooLow { .. })));
    for level in [0, 99] {
        assert!(f.evaluator.weight_scale(level, 1.0).is_err());
    }
}
