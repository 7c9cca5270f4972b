//! Sets of rotation keys, made as the product makes them.

use confide_ckks::ParametersLiteral;
use confide_client::workflow::{ObjectFactory, ObjectJob};
use confide_train::{PlanRequest, TrainingPlan};

/// 16,384 coefficients, 7 + 2 primes in 4 digits: 3 MB a key.
pub fn small() -> ParametersLiteral {
    ParametersLiteral {
        log_n: 14,
        log_q: [48, 40, 40, 40, 40, 40, 40].to_vec(),
        log_p: vec![45; 2],
        log_scale: 40,
        dnum_alpha: 2,
    }
}

/// A factory for keys under parameters that a plan might have.
pub fn factory(literal: &ParametersLiteral) -> ObjectFactory {
    let mut plan = confide_train::plan(&PlanRequest::new(5, 3, 2)).expect("a small table");
    plan.params = literal.clone();
    ObjectFactory::new(&[7; 32], &TrainingPlan::Levelled(plan)).expect("secure parameters")
}

/// Makes the keys of the powers of 5 with these exponents at the highest level, drops each, and answers the bytes of
/// all.
pub fn make(
    factory: &ObjectFactory,
    literal: &ParametersLiteral,
    exponents: std::ops::Range<u32>,
) -> usize {
    let order = 2u64 << literal.log_n;
    exponents
        .map(|exponent| {
            let element = (0..exponent).fold(1, |power, _| power * 5 % order);
            let level = literal.log_q.len() - 1;
            let job = ObjectJob::GaloisKey { element, level };
            factory.make(&job, None).expect("a key").bytes.len()
        })
        .sum()
}
