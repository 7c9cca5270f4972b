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

#[test]
fn an_arcsine_reaches_messages_that_the_sine_bends() {
    // A ratio of 2^6.6 only: the sine alone would leave about 14 bits.
    let mut literal = insecure_literal(10);
    literal.arcsine = 5;
    literal.log_ratio = 6.6;
    literal.eval_mod.extend([vec![50], vec![50], vec![50]]);
    literal.program.log_q = vec![50, 46, 46];
    literal.program.log_scale = 46;
    let rig = Rig::new(literal, 9);
    let values = scattered(512, 8);
    let ct = rig.encrypt(&values, rig.boot.input_level());
    let out = rig.boot.bootstrap(&ct, &rig.keys).expect("refreshed");
    check_place(&rig, &ct, &out);
    let (mean, worst) = rig.precision(&out, &values);
    assert!(mean > 17.0 && worst > 15.0, "{mean} {worst}");
}

#[test]
fn many_are_refreshed_with_the_bits_of_single_ones() {
    for literal in [insecure_literal(9), insecure_raise_first(9)] {
        let rig = Rig::new(literal, 8);
        let level = rig.boot.input_level();
        let cts: Vec<Ciphertext> = (0..3)
            .map(|kind| rig.encrypt(&scattered(256, kind), level))
            .collect();
        let together = rig
            .boot
            .bootstrap_many(&cts, 2, &rig.keys)
            .expect("refreshed");
        for (ct, out) in cts.iter().zip(together) {
            assert_eq!(rig.boot.bootstrap(ct, &rig.keys), Ok(out));
        }
        let none = rig.boot.bootstrap_many(&[], 0, &rig.keys);
        assert_eq!(none, Ok(Vec::new()));
    }
}

#[test]
fn ciphertexts_of_few_slots_share_a_bootstrap() {
    for (literal, log_slots) in [
        (insecure_literal(10), 9),
        (insecure_literal(10), 7),
        (insecure_raise_first(10), 9),
    ] {
        let mut rig = Rig::new(literal, log_slots);
        let generator = KeyGenerator::new(rig.set.params(), &[5; 32]);
        for (kind, level) in rig.boot.packing_keys(5) {
            // Higher ones are there already.
            if rig.keys.get("test", kind, level).is_err() {
                let key = generator.switching_key(kind, level).expect("a key");
                rig.keys
                    .insert(key.expand(rig.set.params()).expect("a key"));
            }
        }
        let count = 1_u64 << (log_slots - 5);
        for count in [count, count - 1] {
            let values: Vec<_> = (0..count).map(|kind| repeated(5, 512, 20 + kind)).collect();
            let level = rig.boot.input_level() + 1;
            let cts: Vec<Ciphertext> = values.iter().map(|v| rig.encrypt(v, level)).collect();
            let out = rig
                .boot
                .bootstrap_packed(&cts, 5, &rig.keys)
                .expect("refreshed");
            assert_eq!(out.len(), values.len());
            for (index, (out, values)) in out.iter().zip(values).enumerate() {
                assert_eq!(out.level(), rig.boot.output_level());
                let (mean, worst) = rig.precision(out, &values);
                assert!(
                    mean > 15.0 && worst > 13.0,
                    "{index} of {count}: {mean} {worst}"
                );
            }
        }
        assert!(rig.boot.bootstrap_packed(&[], 5, &rig.keys).is_err());
    }
}

/// The preset for `N = 2^16` as a whole; CI runs it once by name, since it takes a minute.
#[test]
#[ignore = "a minute and 5 GB: cargo nextest run -p confide-ckks --run-ignored only the_preset_refreshes"]
fn the_preset_refreshes_all_slots_of_the_full_ring() {
    let set = BootstrapParameters::new(BootstrapLiteral::n16()).expect("a secure set");
    let slots = set.params().log_slots();
    let rig = Rig::with(set, slots);
    let values = scattered(1 << slots, 9);
    let ct = rig.encrypt(&values, rig.boot.input_level());
    let out = rig.boot.bootstrap(&ct, &rig.keys).expect("refreshed");
    check_place(&rig, &ct, &out);
    let (mean, worst) = rig.precision(&out, &values);
    assert!(mean > 20.0 && worst > 17.0, "{mean} {worst}");
}
