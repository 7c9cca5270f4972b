//! A large set of rotation keys, made one by one as the page's workers make them.

use confide_ckks::ParametersLiteral;
use confide_client::workflow::{ObjectFactory, ObjectJob};
use confide_train::{PlanRequest, TrainingPlan};
use wasm_bindgen::prelude::*;

const LOG_N: u32 = 16;
/// Main primes.
const PRIMES: usize = 27;

/// Keys at N = 2^16 with 27 + 7 primes in 4 digits.
#[wasm_bindgen]
pub struct KeySet {
    factory: ObjectFactory,
}

#[wasm_bindgen]
impl KeySet {
    /// What all keys share.
    ///
    /// # Errors
    /// Those of planner and engine, as text.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<KeySet, String> {
        // Any plan gives a factory; the parameters are what counts.
        let mut plan =
            confide_train::plan(&PlanRequest::new(5, 3, 2)).map_err(|error| error.to_string())?;
        let mut log_q = vec![50];
        log_q.resize(PRIMES, 45);
        plan.params = ParametersLiteral {
            log_n: LOG_N,
            log_q,
            log_p: vec![50; 7],
            log_scale: 45,
            dnum_alpha: 7,
        };
        let factory = ObjectFactory::new(&[1; 32], &TrainingPlan::Levelled(plan))
            .map_err(|error| error.message)?;
        Ok(Self { factory })
    }

    /// Ring degree.
    pub fn n(&self) -> usize {
        1 << LOG_N
    }

    /// The bytes of the key that rotates by `steps`, which the factory has hashed.
    ///
    /// # Errors
    /// Those of the engine, as text.
    pub fn make(&self, steps: u32) -> Result<Vec<u8>, String> {
        let element = (0..steps).fold(1, |power, _| power * 5 % (2 << LOG_N));
        let level = PRIMES - 1;
        let job = ObjectJob::GaloisKey { element, level };
        let made = self.factory.make(&job, None);
        let object = made.map_err(|error| error.message)?;
        Ok(std::sync::Arc::unwrap_or_clone(object.bytes))
    }
}
