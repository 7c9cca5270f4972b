//! Whole bootstraps in every variant.

use super::*;

/// Values that repeat with a period of `2^log_slots` in `slots` slots.
fn repeated(log_slots: u32, slots: usize, kind: u64) -> Vec<Complex64> {
    let one = scattered(1 << log_slots, kind);
    one.into_iter().cycle().take(slots).collect()
}

fn real(values: &[Complex64]) -> Vec<Complex64> {
    values.iter().map(|x| Complex64::new(x.re, 0.0)).collect()
}

/// Level and scale of a result.
fn check_place(rig: &Rig, input: &Ciphertext, out: &Ciphertext) {
    let (params, level) = (rig.set.params(), rig.boot.output_level());
    assert_eq!(out.level(), level);
    let factor = input.scale() / params.scale_at(rig.boot.input_level());
    assert!((out.scale() / params.scale_at(level) / factor - 1.0).abs() < 1e-12);
}

/// What every variant with all slots does.
fn full(literal: BootstrapLiteral, (least_mean, least_worst): (f64, f64)) {
    let rig = Rig::new(literal, 9);
    let values = scattered(512, 3);
    let input = rig.set.input_level();
    for level in [input, rig.set.output_level() - 1] {
        let ct = rig.encrypt(&values, level);
        let out = rig.boot.bootstrap(&ct, &rig.keys).expect("refreshed");
        check_place(&rig, &ct, &out);
        let (mean, worst) = rig.precision(&out, &values);
        assert!(mean > least_mean && worst > least_worst, "{mean} {worst}");
        // Deterministic to the bit.
        assert_eq!(rig.boot.bootstrap(&ct, &rig.keys), Ok(out));
    }
    // A smaller scale than the canonical one stays so.
    let mut small = rig.encrypt(&values, input);
    small.scale *= 0.75;
    let larger: Vec<Complex64> = values.iter().map(|x| x / 0.75).collect();
    let out = rig.boot.bootstrap(&small, &rig.keys).expect("refreshed");
    check_place(&rig, &small, &out);
    let (mean, _) = rig.precision(&out, &larger);
    assert!(mean > least_mean - 1.0, "{mean}");
}

#[test]
fn full_slots_are_refreshed_with_slots_to_coeffs_first() {
    full(insecure_literal(10), (20.5, 18.5));
}

#[test]
fn full_slots_are_refreshed_with_mod_raise_first() {
    full(insecure_raise_first(10), (25.0, 22.5));
}

#[test]
fn fewer_slots_are_refreshed() {
    for (literal, least) in [
        (insecure_literal(10), 19.0),
        (insecure_raise_first(10), 15.0),
    ] {
        for log_slots in [3, 6, 8] {
            let rig = Rig::new(literal.clone(), log_slots);
            let values = repeated(log_slots, 512, 4);
            let ct = rig.encrypt(&values, rig.boot.input_level());
            let out = rig.boot.bootstrap(&ct, &rig.keys).expect("refreshed");
            check_place(&rig, &ct, &out);
            let (mean, worst) = rig.precision(&out, &values);
            assert!(
                mean > least && worst > least - 1.5,
                "{log_slots}: {mean} {worst}"
            );
        }
    }
}

#[test]
fn two_real_messages_share_a_bootstrap() {
    for literal in [insecure_literal(10), insecure_raise_first(10)] {
        for log_slots in [9, 5] {
            let rig = Rig::new(literal.clone(), log_slots);
            let [first, second] = [5, 6].map(|kind| real(&repeated(log_slots, 512, kind)));
            let input = rig.boot.input_level();
            let cts = [
                rig.encrypt(&first, rig.set.output_level() - 1),
                rig.encrypt(&second, input),
            ];
            let out = rig
                .boot
                .bootstrap_real_pair([&cts[0], &cts[1]], &rig.keys)
                .expect("refreshed");
            for (out, values) in out.iter().zip([first, second]) {
                assert_eq!(out.level(), rig.boot.output_level());
                let (mean, worst) = rig.precision(out, &values);
                assert!(mean > 16.5 && worst > 14.5, "{log_slots}: {mean} {worst}");
            }
        }
    }
}

#[test]
fn a_real_message_is_refreshed_by_itself() {
    for literal in [insecure_literal(10), insecure_raise_first(10)] {
        for log_slots in [9, 5] {
            let rig = Rig::new(literal.clone(), log_slots);
            let values = real(&repeated(log_slots, 512, 7));
            let ct = rig.encrypt(&values, rig.boot.input_level());
            let out = rig.boot.bootstrap_real(&ct, &rig.keys).expect("refreshed");
            check_place(&rig, &ct, &out);
            let (mean, worst) = rig.precision(&out, &values);
            assert!(mean > 16.5 && worst > 14.5, "{log_slots}: {mean} {worst}");
        }
    }
}
