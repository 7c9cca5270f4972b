//! New pictures with a head on encrypted pictures: the network of the worker reads them, the head that it keeps scores them.

use crate::base_model::Refused;
use crate::bridge::{from_js, internal, throw, to_js, with_seed};
use crate::evaluation::Evaluation;
use crate::factory::{pairs, plan_bytes};
use crate::items;
use crate::link::{Link, digest};
use crate::prediction::PredictionView;
use confide_client::ClientError;
use confide_client::intake::Refusal;
use confide_client::workflow::classify::NamedImage;
use confide_client::workflow::images::{ImagePrediction, ImagePredictionSetup, SavedImageModel};
use confide_client::workflow::{Digests, Item, Judged, ResultOpener, WorkerFacts, patients_csv};
use confide_protocol::Digest;
use wasm_bindgen::prelude::*;

/// Whether a trained model reads encrypted pictures.
#[wasm_bindgen(js_name = readsLockedPictures)]
pub fn reads_locked_pictures(model: &str) -> bool {
    SavedImageModel::is_one(model)
}

/// The card of the network that reads the pictures of a trained model.
///
/// # Errors
/// When it is no such model.
#[wasm_bindgen(js_name = networkCard)]
pub fn network_card(model: &str) -> Result<Vec<u8>, JsValue> {
    let model = SavedImageModel::from_json(model).map_err(throw)?;
    Ok(model.network.into_bytes())
}

/// New pictures on their way to a prediction.
#[wasm_bindgen]
pub struct LockedPrediction {
    setup: Option<ImagePredictionSetup>,
    run: Option<ImagePrediction>,
    network: Digests,
    digests: Digests,
    opener: Option<ResultOpener>,
    /// Logits `[job][row][output]`.
    opened: Vec<Vec<Vec<f64>>>,
    /// Names of all pictures by row.
    names: Vec<String>,
    /// Rows of the pictures that are scored.
    rows: Vec<usize>,
    refused: Vec<Refusal>,
}

#[wasm_bindgen]
impl LockedPrediction {
    /// Takes pictures: `pixels` at the network's size, one after the other, `refused` those that cannot be used.
    ///
    /// # Errors
    /// When the model is broken, or none can be used.
    #[wasm_bindgen(constructor)]
    pub fn new(
        model: &str,
        names: Vec<String>,
        pixels: &[u8],
        refused: JsValue,
    ) -> Result<LockedPrediction, JsValue> {
        let model = SavedImageModel::from_json(model).map_err(throw)?;
        let refused: Vec<Refused> = from_js(refused)?;
        let reasons = refused.into_iter().map(|one| Refusal {
            row: one.place + 1,
            reason: one.error.message,
        });
        let refused: Vec<Refusal> = reasons.collect();
        let size = pixels.len() / names.len().max(1);
        let (mut images, mut rows) = (Vec::new(), Vec::new());
        for (place, (name, pixels)) in names.iter().zip(pixels.chunks(size.max(1))).enumerate() {
            if refused.iter().any(|one| one.row == place + 1) {
                continue;
            }
            rows.push(place + 1);
            images.push(NamedImage {
                name: name.clone(),
                pixels: pixels.to_vec(),
                class: None,
            });
        }
        if let (true, Some(first)) = (images.is_empty(), refused.first()) {
            let message = format!("No picture can be scored. The first: {}", first.reason);
            let remedy = "Choose PNG or JPEG files like those of the training.";
            return Err(throw(ClientError::new("CC-1015", message, remedy)));
        }
        let setup = ImagePredictionSetup::new(model, images).map_err(throw)?;
        Ok(Self {
            setup: Some(setup),
            run: None,
            network: Digests::new(),
            digests: Digests::new(),
            opener: None,
            opened: Vec::new(),
            names,
            rows,
            refused,
        })
    }

    /// The request for a plan.
    ///
    /// # Errors
    /// When `facts` has the wrong shape.
    pub fn request(&self, facts: JsValue) -> Result<Vec<u8>, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        let setup = self.setup.as_ref().ok_or_else(early)?;
        setup.request_bytes(&facts).map_err(throw)
    }

    /// Checks the worker's plan. `seed` is the key's and is wiped; answers the most bytes that scores can have.
    ///
    /// # Errors
    /// When the plan is refused: weaker than 128 bits, or not what was asked for.
    pub fn accept(
        &mut self,
        plan: &[u8],
        facts: JsValue,
        mut seed: Vec<u8>,
    ) -> Result<f64, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        let setup = self.setup.take().ok_or_else(early)?;
        let run = setup.accept(plan, &facts).map_err(throw)?;
        let opener = with_seed(&mut seed, |seed| ResultOpener::new(seed, run.training()))?;
        let most = opener.max_bytes() as f64;
        (self.run, self.opener) = (Some(run), Some(opener));
        Ok(most)
    }

    /// The bytes of the training's plan, for factories.
    ///
    /// # Errors
    /// When no plan is accepted yet.
    pub fn plan(&self) -> Result<Vec<u8>, JsValue> {
        plan_bytes(self.run()?.training())
    }

    /// The bytes of the plan of the features, for factories.
    ///
    /// # Errors
    /// When no plan is accepted yet.
    #[wasm_bindgen(js_name = featurePlan)]
    pub fn feature_plan(&self) -> Result<Vec<u8>, JsValue> {
        plan_bytes(self.run()?.plan().map_err(throw)?)
    }

    /// Digest of the trained head that the worker should still have.
    ///
    /// # Errors
    /// When no plan is accepted yet.
    pub fn head(&self) -> Result<String, JsValue> {
        Ok(self.run()?.head().to_hex())
    }

    /// Keys of the network, or of the training.
    ///
    /// # Errors
    /// When no plan is accepted yet.
    pub fn keys(&self, network: bool) -> Result<JsValue, JsValue> {
        let items: Vec<Item> = self
            .wanted(network)?
            .into_iter()
            .map(|(item, _)| item)
            .collect();
        items::items(&items)
    }

    /// Digests of those that the worker should still have.
    ///
    /// # Errors
    /// When no plan is accepted yet.
    #[wasm_bindgen(js_name = knownKeys)]
    pub fn known_keys(&self, network: bool) -> Result<JsValue, JsValue> {
        let known = self.wanted(network)?.into_iter();
        let known: Digests = known
            .filter_map(|(item, digest)| Some((item.job, digest?)))
            .collect();
        items::digests_out(&known)
    }

    /// Jobs that make features, one after another.
    ///
    /// # Errors
    /// When no plan is accepted yet.
    pub fn jobs(&self) -> Result<usize, JsValue> {
        Ok(self.run()?.jobs())
    }

    /// Ciphertexts of a job's pictures to upload.
    ///
    /// # Errors
    /// For a job that is none of the run's.
    pub fn images(&self, job: usize) -> Result<JsValue, JsValue> {
        items::items(&self.run()?.image_items(job).map_err(throw)?)
    }

    /// The slots of pictures; nothing for keys.
    ///
    /// # Errors
    /// For an object that is not of this run.
    pub fn slots(&self, job: JsValue) -> Result<Option<Vec<f64>>, JsValue> {
        Ok(pairs(self.run()?.slots(&from_js(job)?).map_err(throw)?))
    }

    /// Notes the digest of an object of the network, or of the training, that was made.
    ///
    /// # Errors
    /// For values of the wrong shape.
    #[wasm_bindgen(js_name = setDigest)]
    pub fn set_digest(&mut self, network: bool, job: JsValue, hex: &str) -> Result<(), JsValue> {
        let digests = match network {
            true => &mut self.network,
            false => &mut self.digests,
        };
        digests.insert(from_js(job)?, digest(hex)?);
        Ok(())
    }

    /// Starts a job that makes features; answers its name.
    ///
    /// # Errors
    /// When an object is missing.
    #[wasm_bindgen(js_name = startFeatures)]
    pub fn start_features(&self, link: &mut Link, job: usize) -> Result<String, JsValue> {
        let spec = self.run()?.feature_job(job, &self.network).map_err(throw)?;
        Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex())
    }

    /// Starts the scoring of what a job has made; answers the job's name.
    ///
    /// # Errors
    /// When a key is missing.
    #[wasm_bindgen(js_name = startScoring)]
    pub fn start_scoring(&self, link: &mut Link, features: &str) -> Result<String, JsValue> {
        let features: Digest = digest(features)?;
        let spec = self.run()?.predict_job(features, &self.digests);
        let spec = spec.map_err(throw)?;
        Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex())
    }

    /// Opens the scores of the next job.
    ///
    /// # Errors
    /// When they are not there or decrypt to nonsense.
    #[wasm_bindgen(js_name = openScores)]
    pub fn open_scores(&mut self, link: &mut Link, hex: &str) -> Result<(), JsValue> {
        let (_, bytes) = link.take(hex)?;
        let (run, opener) = (self.run()?, self.opener.as_ref().ok_or_else(early)?);
        let opened = opener
            .open_scores(&bytes, run.score_rows())
            .map_err(throw)?;
        self.opened.push(opened);
        Ok(())
    }

    /// The predictions for the page, beside the held-out pictures like them and labelled at a threshold.
    ///
    /// # Errors
    /// When some have not come back.
    pub fn view(&self, evaluation: &Evaluation, threshold: f64) -> Result<JsValue, JsValue> {
        to_js(&PredictionView {
            classes: self.run()?.classes(),
            looked_at: evaluation.held.looked_at(),
            rows: self.judged(evaluation, threshold)?,
            refused: &self.refused,
            names: &self.names,
            notes: &[],
        })
    }

    /// The same as CSV, for a file.
    ///
    /// # Errors
    /// When some have not come back.
    pub fn csv(&self, evaluation: &Evaluation, threshold: f64) -> Result<String, JsValue> {
        let judged = self.judged(evaluation, threshold)?;
        let (classes, looked_at) = (self.run()?.classes(), evaluation.held.looked_at());
        patients_csv(&judged, &self.refused, classes, &looked_at, &self.names).map_err(throw)
    }
}

fn early() -> JsValue {
    internal("no plan is accepted yet", "")
}

impl LockedPrediction {
    fn run(&self) -> Result<&ImagePrediction, JsValue> {
        self.run.as_ref().ok_or_else(early)
    }

    fn wanted(&self, network: bool) -> Result<Vec<(Item, Option<Digest>)>, JsValue> {
        let run = self.run()?;
        let keys = match network {
            true => run.network_keys(),
            false => run.training_keys(),
        };
        keys.map_err(throw)
    }

    fn judged(&self, evaluation: &Evaluation, threshold: f64) -> Result<Vec<Judged>, JsValue> {
        let mut predictions = self.run()?.predictions(&self.opened).map_err(throw)?;
        for (prediction, &row) in predictions.iter_mut().zip(&self.rows) {
            prediction.row = row;
        }
        Ok(evaluation.held.judge(predictions, threshold))
    }
}
