//! Making keys and locking records, in each worker of the pool.

use crate::bridge::{from_js, internal, throw, with_seed};
use confide_ckks::Complex64;
use confide_client::ClientError;
use confide_client::workflow::{ObjectFactory, ObjectJob};
use confide_model::InferencePlan;
use confide_train::TrainingPlan;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// Makes the objects of one plan.
#[wasm_bindgen]
pub struct Factory {
    inner: ObjectFactory,
}

/// An object as it will be sent.
#[wasm_bindgen]
pub struct Made {
    digest: String,
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl Made {
    /// BLAKE3 of the bytes, hexadecimal.
    #[wasm_bindgen(getter)]
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// The bytes; they can be taken once. The page's copy of them is the only one that is left then.
    #[wasm_bindgen(js_name = takeBytes)]
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[wasm_bindgen]
impl Factory {
    /// A factory from the key's seed, which is wiped, and the bytes of an accepted plan of a training.
    ///
    /// # Errors
    /// When the plan's parameters are refused.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: Vec<u8>, plan: &[u8]) -> Result<Factory, JsValue> {
        Self::of(seed, plan, |seed, plan: &TrainingPlan| {
            ObjectFactory::new(seed, plan)
        })
    }

    /// The same for a plan of an inference.
    ///
    /// # Errors
    /// When the plan's parameters are refused.
    #[wasm_bindgen(js_name = ofInference)]
    pub fn of_inference(seed: Vec<u8>, plan: &[u8]) -> Result<Factory, JsValue> {
        Self::of(seed, plan, |seed, plan: &InferencePlan| {
            ObjectFactory::of_inference(seed, plan)
        })
    }

    /// The same for a plan of features that a training reads: under the secret of the training.
    ///
    /// # Errors
    /// When the parameters of one of the plans are refused.
    #[wasm_bindgen(js_name = ofFeatures)]
    pub fn of_features(seed: Vec<u8>, plan: &[u8], training: &[u8]) -> Result<Factory, JsValue> {
        let training: TrainingPlan = read_plan(training)?;
        Self::of(seed, plan, |seed, plan: &InferencePlan| {
            ObjectFactory::of_features(seed, plan, &training)
        })
    }

    /// Makes one object. `slots` are pairs of real and imaginary part, none for keys.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn make(&self, job: JsValue, slots: Option<Vec<f64>>) -> Result<Made, JsValue> {
        let job: ObjectJob = from_js(job)?;
        let slots: Option<Vec<Complex64>> = slots.map(|pairs| {
            pairs
                .chunks_exact(2)
                .map(|pair| Complex64::new(pair[0], pair[1]))
                .collect()
        });
        let object = self.inner.make(&job, slots.as_deref()).map_err(throw)?;
        Ok(Made {
            digest: object.digest.to_hex(),
            // Nobody else holds them: this moves.
            bytes: Arc::unwrap_or_clone(object.bytes),
        })
    }
}

impl Factory {
    fn of<Plan: DeserializeOwned>(
        seed: Vec<u8>,
        plan: &[u8],
        make: impl FnOnce(&[u8; 32], &Plan) -> Result<ObjectFactory, ClientError>,
    ) -> Result<Self, JsValue> {
        let mut seed = Zeroizing::new(seed);
        let plan: Plan = read_plan(plan)?;
        let inner = with_seed(&mut seed, |seed| make(seed, &plan))?;
        Ok(Self { inner })
    }
}

/// A plan from the bytes that were accepted.
fn read_plan<Plan: DeserializeOwned>(bytes: &[u8]) -> Result<Plan, JsValue> {
    confide_protocol::from_bytes(bytes)
        .map_err(|error| internal("a plan cannot be read", &error.to_string()))
}

/// A plan as bytes.
pub(crate) fn plan_bytes(plan: &impl Serialize) -> Result<Vec<u8>, JsValue> {
    confide_protocol::to_bytes(plan)
        .map_err(|error| internal("a plan cannot be written", &error.to_string()))
}

/// Slots as pairs of real and imaginary part.
pub(crate) fn pairs(slots: Option<Vec<Complex64>>) -> Option<Vec<f64>> {
    slots.map(|slots| slots.iter().flat_map(|slot| [slot.re, slot.im]).collect())
}
