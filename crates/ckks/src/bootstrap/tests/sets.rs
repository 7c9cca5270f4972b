//! What parameter sets are accepted, and what the presets promise.

use super::*;

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
fn the_small_preset_is_secure_and_leaves_three_levels() {
    let set = BootstrapParameters::new(BootstrapLiteral::n15()).expect("a secure set");
    let params = set.params();
    assert!(
        params.log_qp() <= crate::security::preset_cap(15).expect("a cap"),
        "{}",
        params.log_qp()
    );
    assert!(
        set.output_level() >= 3 && set.residual_bits() > 119.9,
        "{}",
        set.residual_bits()
    );
    assert!(set.log2_failure() <= -128.0);
}

#[test]
fn the_preset_is_secure_and_leaves_twelve_levels() {
    let set = BootstrapParameters::new(BootstrapLiteral::n16()).expect("a secure set");
    let params = set.params();
    assert!(
        params.log_qp() <= crate::security::preset_cap(16).expect("a cap"),
        "{}",
        params.log_qp()
    );
    assert!(
        set.output_level() >= 12 && set.residual_bits() > 479.9,
        "{}",
        set.residual_bits()
    );
    assert!(set.log2_failure() <= -128.0);
}
