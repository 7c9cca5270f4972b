//! What parameter sets are accepted, and what the presets promise.

use confide_ring::{PrimeSet, RnsPoly};

use super::*;
use crate::keys::KeyKind;

#[test]
fn misuse_is_refused() {
    let rig = Rig::new(insecure_literal(9), 8);
    let values = scattered(256, 1);
    let ct = rig.encrypt(&values, rig.boot.input_level());
    assert!(matches!(
        rig.boot.bootstrap(&rig.encrypt(&values, 0), &rig.keys),
        Err(CkksError::LevelTooLow { .. })
    ));
    let missing = rig.boot.bootstrap(&ct, &EvaluationKeys::new());
    assert!(
        matches!(missing, Err(CkksError::MissingKey { .. })),
        "{missing:?}"
    );
    let mut large = ct.clone();
    large.scale *= 2.0;
    assert!(matches!(
        rig.boot.bootstrap(&large, &rig.keys),
        Err(CkksError::InvalidScale { .. })
    ));
    assert!(Bootstrapper::new(&rig.set, &rig.encoder, 9).is_err());
    assert!(Bootstrapper::new(&rig.set, &rig.encoder, 2).is_err());
    let mut literal = insecure_literal(9);
    literal.interval = 15;
    assert!(
        BootstrapParameters::new_insecure_for_tests(literal.clone()).is_err(),
        "fails too often"
    );
    literal.interval = 16;
    literal.eval_mod.pop();
    assert!(
        BootstrapParameters::new_insecure_for_tests(literal).is_err(),
        "too few levels"
    );
    // A checked set never takes a small ring or another weight.
    assert!(BootstrapParameters::new(insecure_literal(10)).is_err());
    let mut preset = BootstrapLiteral::n16();
    preset.weight = 31;
    assert!(matches!(
        BootstrapParameters::new(preset),
        Err(CkksError::InsecureSparse { .. })
    ));
}

#[test]
fn presets_are_secure_and_leave_what_they_promise() {
    for (literal, levels, bits, ratio) in [
        (BootstrapLiteral::n16(), 13, 525.0, 10.6),
        (BootstrapLiteral::n16_mod_raise_first(), 12, 479.9, 10.0),
        (BootstrapLiteral::n16_wide(), 14, 685.0, 10.0),
        (BootstrapLiteral::n15(), 3, 120.0, 9.6),
    ] {
        let set = BootstrapParameters::new(literal).expect("a secure set");
        let params = set.params();
        let cap = crate::security::preset_cap(params.log_n()).expect("a cap");
        assert!(params.log_qp() < cap, "{}", params.log_qp());
        assert!(set.output_level() - set.input_level() >= levels);
        assert!(set.residual_bits() >= bits, "{}", set.residual_bits());
        assert!(set.log2_failure() <= -128.0);
        let found = params.log_q_at(0) - set.bottom_scale().log2();
        assert!(found >= ratio - 0.01, "{found}");
        // Between the lowest and the highest level of programs, a product and a rescale keep the scale canonical.
        for level in set.input_level() + 1..=set.output_level() {
            let scale = params.scale_at(level);
            let next = scale * scale / params.q(level) as f64;
            assert_eq!(next, params.scale_at(level - 1), "{level}");
        }
    }
}

/// Half of each coefficient sum may reach further: why the interval of the presets is not smaller.
#[test]
fn the_next_smaller_interval_fails_too_often() {
    let bits = failure::log2_failure(32, 15, 1 << 16);
    assert!((-82.0..-81.9).contains(&bits), "{bits}");
}

/// Keys around the sparse secret encrypt what they should, and the sparse secret has the weight that was asked for.
#[test]
fn keys_of_the_sparse_secret_hold_what_they_should() {
    let rig = Rig::new(insecure_literal(9), 8);
    let params = rig.set.params();
    let ring = params.ring();
    let weight = rig.set.literal().weight;
    let key = |kind: KeyKind, level: usize| rig.keys.get("test", kind, level).expect("a key");
    let special = |key: &crate::SwitchingKey, digit: usize, under: &RnsPoly| -> Vec<i64> {
        // The phase modulo q_0, then without P and the errors.
        let [b, a] = &key.digits()[digit];
        let set = PrimeSet { q: 1, p: 0 };
        let [b, a] = [b, a].map(|poly| limb(ring, poly, set));
        let mut phase = ring.phase(&b, &a, under);
        ring.intt(&mut phase);
        let q0 = ring.q(0);
        phase.limb(0).iter().map(|&x| q0.to_centered(x)).collect()
    };
    let secret = rig.secret.full(params).expect("the secret");
    // What is switched back is P times the sparse secret, modulo each prime, up to an error.
    let back = key(KeyKind::FromSparse(weight), params.max_level());
    assert_eq!(back.digits().len(), 1);
    let q0 = ring.q(0);
    let p = (0..ring.p_len()).fold(1, |acc, j| q0.mul(acc, q0.reduce(ring.p(j).value())));
    let inverse = q0.inv(p);
    let phase = special(back, 0, secret);
    let candidates: Vec<i64> = phase
        .iter()
        .map(|&x| {
            // The multiple of P next to it: -1, 0 or 1.
            let near = |k: i64| {
                let wanted = q0.mul(p, q0.from_i64(k));
                q0.to_centered(q0.sub(q0.from_i64(x), wanted)).abs()
            };
            let best = (-1..=1).min_by_key(|&k| near(k)).expect("three");
            assert!(near(best) < 64, "{x}: no multiple of P = 1 / {inverse}");
            best
        })
        .collect();
    let found = candidates.iter().filter(|&&x| x != 0).count();
    assert_eq!(found, weight as usize);
    // The way there: p_0 times the main secret under that sparse one.
    let mut sparse = ring.from_i64(&candidates, PrimeSet { q: 1, p: 0 });
    ring.ntt(&mut sparse);
    let there = key(KeyKind::ToSparse(weight), 0);
    let phase = special(there, 0, &sparse);
    let mut main = limb(ring, secret, PrimeSet { q: 1, p: 0 });
    ring.intt(&mut main);
    let p0 = q0.reduce(ring.p(0).value());
    for (x, &s) in phase.iter().zip(main.limb(0)) {
        let error = q0.to_centered(q0.sub(q0.from_i64(*x), q0.mul(p0, s)));
        assert!(error.abs() < 64, "{error}");
    }
}

/// The limb of `q_0`.
fn limb(ring: &confide_ring::Ring, poly: &RnsPoly, set: PrimeSet) -> RnsPoly {
    let mut out = ring.zero(set, poly.form());
    out.limb_mut(0).copy_from_slice(poly.limb(0));
    out
}

#[test]
fn keys_and_bytes_are_known_without_matrices() {
    for literal in [insecure_literal(9), insecure_raise_first(9)] {
        let set = BootstrapParameters::new_insecure_for_tests(literal).expect("a set");
        let encoder = Encoder::new(set.params());
        let ring = set.params().ring();
        for log_slots in [4, 6, 8] {
            let boot = Bootstrapper::new(&set, &encoder, log_slots).expect("matrices");
            let mut needed = std::collections::BTreeMap::new();
            let mut need = |rotation: i64, level: usize| {
                let element = ring.galois_for_rotation(rotation);
                let highest = needed.entry(element).or_insert(level);
                *highest = level.max(*highest);
            };
            for transform in boot.transforms() {
                let rotations = transform.rotations();
                rotations.iter().for_each(|&k| need(k, transform.level()));
            }
            for rotation in boot.trace_rotations() {
                need(rotation, set.params().max_level());
            }
            if boot.is_sparse() && boot.joins.is_none() {
                need(boot.slots() as i64, set.slots_to_coeffs_level());
            }
            needed.insert(ring.galois_for_conjugation(), set.ladder()[0]);
            let keys = set.keys(log_slots).expect("same slots");
            let galois = keys.iter().filter_map(|(kind, level)| match kind {
                KeyKind::Galois(element) => Some((*element, *level)),
                _ => None,
            });
            assert_eq!(galois.collect::<std::collections::BTreeMap<_, _>>(), needed);
            assert!(keys.contains(&(KeyKind::Relin, set.ladder()[0])));
            let (most, held) = (
                set.matrix_bytes(log_slots).expect("same slots"),
                boot.memory(),
            );
            assert!(
                (held as u64..=held as u64 * 5 / 4).contains(&most),
                "{most} {held}"
            );
        }
        assert!(set.keys(2).is_err() && set.keys(9).is_err());
    }
}
