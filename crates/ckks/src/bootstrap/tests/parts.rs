//! Each part on its own.

use super::*;

#[test]
fn raising_adds_small_multiples_of_the_first_prime() {
    let rig = Rig::new(insecure_literal(9), 8);
    let values = scattered(256, 1);
    let ct = rig.encrypt(&values, 0);
    let raised = rig.boot.raised(&ct, &rig.keys).expect("raised");
    let params = rig.set.params();
    assert_eq!(raised.level(), params.max_level());
    let mut before = rig
        .decryptor
        .decrypt(&rig.secret, &ct)
        .expect("decrypt")
        .poly;
    let mut after = rig
        .decryptor
        .decrypt(&rig.secret, &raised)
        .expect("decrypt")
        .poly;
    params.ring().intt(&mut before);
    params.ring().intt(&mut after);
    let (q0, mut largest) = (params.ring().q(0), 0.0_f64);
    let centred = crate::encoding::centred(params.ring(), &after);
    for (index, x) in centred.iter().enumerate() {
        let multiple = (x / q0.value() as f64).round();
        largest = largest.max(multiple.abs());
        let message = q0.to_centered(before.limb(0)[index]) as f64;
        let error = x - multiple * q0.value() as f64 - message;
        // Two switches of the key: far below the scale of 2^40.
        assert!(error.abs() < 20_000.0, "{index}: {error}");
    }
    assert!((1.0..16.0).contains(&largest), "{largest}");
}

#[test]
fn coefficients_reach_the_slots() {
    for (log_n, log_slots) in [(9, 8), (9, 5)] {
        let rig = Rig::new(insecure_literal(log_n), log_slots);
        let values: Vec<Complex64> = scattered(1 << log_slots, 2)
            .into_iter()
            .cycle()
            .take(256)
            .collect();
        let raised = rig
            .boot
            .raised(&rig.encrypt(&values, 0), &rig.keys)
            .expect("raised");
        let params = rig.set.params();
        let mut plain = rig
            .decryptor
            .decrypt(&rig.secret, &raised)
            .expect("decrypt")
            .poly;
        params.ring().intt(&mut plain);
        // The trace multiplies by the number of repetitions.
        let repetitions = (params.slots() >> log_slots) as f64;
        let unit = repetitions * params.q(0) as f64 * 16.0;
        let step = params.slots() >> log_slots;
        let coefficients = crate::encoding::centred(params.ring(), &plain);
        let mut wanted: Vec<f64> = coefficients
            .iter()
            .step_by(step)
            .map(|c| (c / unit).abs())
            .collect();
        let slots = rig
            .boot
            .coefficients(raised, &rig.keys, false)
            .expect("slots");
        let used = 1 << (log_slots + u32::from(slots.len() == 1));
        let mut found: Vec<f64> = Vec::new();
        for ct in &slots {
            assert_eq!(ct.level(), rig.set.ladder()[0]);
            let decrypted = rig.decrypt(ct);
            assert!(decrypted.iter().all(|x| x.im.abs() < 1e-9));
            found.extend(decrypted[..used].iter().map(|x| x.re.abs()));
        }
        assert_eq!(found.len(), wanted.len());
        // The order and the signs are those of the transform, tested with it.
        wanted.sort_by(f64::total_cmp);
        found.sort_by(f64::total_cmp);
        for (x, y) in found.iter().zip(&wanted) {
            assert!((x - y).abs() < 1e-11, "{x} {y}");
        }
    }
}

#[test]
fn the_sine_is_right_near_all_integers_of_the_interval() {
    for (arcsine, log_ratio, steps) in [(0, 10.0, 8), (3, 8.0, 10), (7, 4.0, 11)] {
        let mut literal = insecure_literal(9);
        literal.arcsine = arcsine;
        literal.log_ratio = log_ratio;
        literal.eval_mod = vec![vec![46]; steps];
        literal.log_scale = 46.0;
        literal.program.dnum_alpha = 7;
        // The scale at level 0 follows from that of the result.
        literal.order = Order::ModRaise;
        let set = BootstrapParameters::new_insecure_for_tests(literal).expect("a set");
        let eval = EvalMod::new(&set).expect("polynomials");
        for integer in -15..=15_i32 {
            for offset in [-1.0, -0.7, -0.01, 0.0, 0.3, 1.0] {
                let c: f64 = offset * (-log_ratio).exp2();
                let found = eval.evaluate_clear((f64::from(integer) + c) / 16.0);
                let angle = std::f64::consts::TAU * c;
                let expected = if arcsine == 0 { angle.sin() } else { angle };
                let series = if arcsine == 0 {
                    0.0
                } else {
                    angle.abs().powi(arcsine as i32 + 2)
                };
                // The polynomial is worse at the ends, which occur once in 2^100 coefficients.
                let polynomial = if integer.abs() < 13 { 1e-10 } else { 1e-7 };
                let near = (4.0 - log_ratio).exp2() * 64.0;
                let error = (found - expected).abs();
                assert!(
                    error < polynomial * near.max(1.0) + series,
                    "{integer} + {c}: {error:e}"
                );
            }
        }
    }
}

#[test]
fn eval_mod_takes_the_sine_of_encrypted_slots() {
    let rig = Rig::new(insecure_literal(12), 11);
    let raised = rig
        .boot
        .raised(&rig.encrypt(&scattered(2048, 8), 0), &rig.keys)
        .expect("raised");
    for ct in rig
        .boot
        .coefficients(raised, &rig.keys, false)
        .expect("slots")
    {
        let out = rig
            .boot
            .eval_mod
            .reduce(&rig.boot.evaluator, &ct, &rig.keys)
            .expect("a sine");
        assert_eq!(
            (out.level(), out.scale()),
            (rig.set.output_level(), rig.boot.eval_mod.output_scale())
        );
        let before = rig.decrypt(&ct);
        let errors: Vec<f64> = rig
            .decrypt(&out)
            .iter()
            .zip(&before)
            .map(|(found, y)| found.re - (std::f64::consts::TAU * 16.0 * y.re).sin())
            .collect();
        let count = errors.len() as f64;
        let rms = (errors.iter().map(|e| e * e).sum::<f64>() / count).sqrt();
        // At a scale of 2^50.
        assert!(rms < 2.0_f64.powi(-31), "{}", rms.log2());
    }
}
