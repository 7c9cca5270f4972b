use confide_ring::sampling::uniform;

use super::{Fixture, ramp};

const WITHIN: f64 = 1e-7;

#[test]
fn products_at_several_levels_with_keys_of_higher_levels() {
    let f = Fixture::small();
    let (a, b) = (ramp(f.params.slots(), 0), ramp(f.params.slots(), 1));
    for (level, key_level) in [(6, 6), (5, 6), (4, 4), (3, 6), (2, 3), (1, 6), (1, 1)] {
        let keys = f.keys(&[], key_level);
        let (ca, cb) = (f.encrypt(&a, level), f.encrypt(&b, level));
        let product = f.evaluator.mul(&ca, &cb).unwrap();
        assert_eq!((product.parts().len(), product.level()), (3, level));
        assert_eq!(product.scale(), ca.scale() * cb.scale());
        f.assert_slots(&product, |s| a[s] * b[s], WITHIN);
        let relinearized = f.evaluator.relinearize(&product, &keys).unwrap();
        assert_eq!(
            (relinearized.parts().len(), relinearized.level()),
            (2, level)
        );
        f.assert_slots(&relinearized, |s| a[s] * b[s], WITHIN);
        let rescaled = f.evaluator.rescale(&relinearized).unwrap();
        let fused = f.evaluator.mul_relin_rescale(&ca, &cb, &keys).unwrap();
        assert_eq!(
            (fused.level(), fused.scale()),
            (level - 1, f.params.scale_at(level - 1))
        );
        f.assert_slots(&fused, |s| a[s] * b[s], WITHIN);
        f.assert_slots(&rescaled, |s| a[s] * b[s], WITHIN);
        let square = f.evaluator.square(&ca).unwrap();
        assert_eq!(square, f.evaluator.mul(&ca, &ca).unwrap());
    }
}

#[test]
fn operands_of_different_levels_meet_at_the_lower() {
    let f = Fixture::small();
    let (a, b) = (ramp(f.params.slots(), 0), ramp(f.params.slots(), 1));
    let keys = f.keys(&[], 6);
    let (ca, cb) = (f.encrypt(&a, 6), f.encrypt(&b, 3));
    for (x, y) in [(&ca, &cb), (&cb, &ca)] {
        let product = f.evaluator.mul_relin_rescale(x, y, &keys).unwrap();
        assert_eq!(product.level(), 2);
        f.assert_slots(&product, |s| a[s] * b[s], WITHIN);
    }
}

#[test]
fn a_chain_of_squares_down_to_level_zero_keeps_the_canonical_scale() {
    let f = Fixture::small();
    let mut clear = ramp(f.params.slots(), 0);
    let keys = f.keys(&[], 6);
    let mut ct = f.encrypt(&clear, 6);
    for level in (0..6).rev() {
        ct = f.evaluator.mul_relin_rescale(&ct, &ct, &keys).unwrap();
        clear.iter_mut().for_each(|x| *x *= *x);
        assert_eq!((ct.level(), ct.scale()), (level, f.params.scale_at(level)));
        f.assert_slots(&ct, |s| clear[s], 1e-6);
    }
}

#[test]
fn a_dot_product_equals_the_sum_of_products() {
    let f = Fixture::small();
    let keys = f.keys(&[], 6);
    let clear: Vec<_> = (0..6).map(|kind| ramp(f.params.slots(), kind)).collect();
    // The second pair sits two levels higher, at the scale of the others' level.
    let levels = [4, 4, 6, 6, 4, 4];
    let scale = f.params.scale_at(4);
    let cts: Vec<_> = clear
        .iter()
        .zip(levels)
        .map(|(x, level)| f.encrypt_at(x, level, scale))
        .collect();
    let pairs = [(&cts[0], &cts[1]), (&cts[2], &cts[3]), (&cts[4], &cts[5])];
    let dot = f.evaluator.dot(&pairs, &keys).unwrap();
    assert_eq!((dot.level(), dot.scale()), (3, f.params.scale_at(3)));
    f.assert_slots(
        &dot,
        |s| clear[0][s] * clear[1][s] + clear[2][s] * clear[3][s] + clear[4][s] * clear[5][s],
        WITHIN,
    );
}

#[test]
fn digits_of_every_length_switch_keys() {
    for alpha in 1..=4 {
        let f = Fixture::new(6, 5, alpha, alpha as u8);
        let keys = f.keys(&[1], 5);
        let a = ramp(f.params.slots(), 2);
        for level in 1..=5 {
            let ct = f.encrypt(&a, level);
            let square = f.evaluator.mul_relin_rescale(&ct, &ct, &keys).unwrap();
            f.assert_slots(&square, |s| a[s] * a[s], WITHIN);
            let rotated = f.evaluator.rotate(&ct, 1, &keys).unwrap();
            f.assert_slots(&rotated, |s| a[(s + 1) % a.len()], WITHIN);
        }
    }
}

#[test]
fn the_fused_division_equals_the_two_divisions_up_to_rounding() {
    let f = Fixture::small();
    let ring = f.params.ring();
    for level in [1, 3, 6] {
        let set = f.params.qp_set("test", level).unwrap();
        let poly = uniform(ring, &[level as u8; 32], 7, set);
        let mut fused = ring.mod_down_rescale(poly.clone());
        let mut apart = ring.rescale(ring.mod_down(poly));
        ring.intt(&mut fused);
        ring.intt(&mut apart);
        for limb in 0..level {
            let q = ring.q(limb);
            let pairs = fused.limb(limb).iter().zip(apart.limb(limb));
            assert!(
                pairs
                    .clone()
                    .all(|(&x, &y)| q.to_centered(q.sub(x, y)).abs() <= 1)
            );
        }
    }
    let a = ramp(f.params.slots(), 0);
    let keys = f.keys(&[], 4);
    let product = f.evaluator.square(&f.encrypt(&a, 4)).unwrap();
    let fused = f
        .evaluator
        .relinearize_rescale(product.clone(), &keys)
        .unwrap();
    let apart = f
        .evaluator
        .rescale(&f.evaluator.relinearize(&product, &keys).unwrap())
        .unwrap();
    assert_eq!(
        (fused.level(), fused.scale()),
        (apart.level(), apart.scale())
    );
    f.assert_slots(&fused, |s| a[s] * a[s], WITHIN);
    let two_parts = f
        .evaluator
        .relinearize_rescale(fused.clone(), &keys)
        .unwrap();
    assert_eq!(two_parts, f.evaluator.rescale(&fused).unwrap());
}
