//! Pictures through a network of the worker, from the plan to their classes.

use crate::bridge::{from_js, internal, throw, to_js, with_seed};
use crate::factory::pairs;
use crate::image_set::ImageSet;
use crate::items;
use crate::link::{Link, digest};
use crate::report::images_view;
use confide_client::workflow::classify::{
    Classification, ClassifyOptions, ClassifyRun, ClassifySetup, Guard, ScoreOpener,
    classification_csv,
};
use confide_client::workflow::{Digests, WorkerFacts};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// Pictures before a plan is accepted.
#[wasm_bindgen]
pub struct Classifier {
    setup: ClassifySetup,
}

#[wasm_bindgen]
impl Classifier {
    /// Takes all pictures. `seed` is the key's and is wiped: it decides where pictures with known scores sit.
    ///
    /// # Errors
    /// When there are none.
    #[wasm_bindgen(constructor)]
    pub fn new(pictures: &ImageSet, mut seed: Vec<u8>) -> Result<Classifier, JsValue> {
        let (images, options) = (pictures.images.clone(), ClassifyOptions::default());
        let setup = with_seed(&mut seed, |seed| {
            ClassifySetup::new(&pictures.text, images, options, seed)
        })?;
        Ok(Self { setup })
    }

    /// Tries some of the pictures here, with the network's weights: what the user should know, if they are unlike those that it was
    /// made for.
    ///
    /// # Errors
    /// When the weights are not those of the card.
    pub fn trial(&self, weights: &[u8]) -> Result<Option<String>, JsValue> {
        self.setup.trial(weights).map_err(throw)
    }

    /// Computes the scores of `count` of the pictures here as well, with the network's weights, to check the worker by.
    ///
    /// # Errors
    /// When the weights are not those of the card.
    #[wasm_bindgen(js_name = checkByWeights)]
    pub fn check_by_weights(&mut self, weights: &[u8], count: usize) -> Result<(), JsValue> {
        self.setup.canaries_of_images(weights, count).map_err(throw)
    }

    /// Plants `count` images whose scores the provider has published.
    ///
    /// # Errors
    /// When the known answers are not those of the card, or belong to no image that can be made here.
    #[wasm_bindgen(js_name = checkByAnswers)]
    pub fn check_by_answers(&mut self, answers: &[u8], count: usize) -> Result<(), JsValue> {
        self.setup
            .canaries_of_answers(answers, count)
            .map_err(throw)
    }

    /// The request for a plan.
    ///
    /// # Errors
    /// When `facts` has the wrong shape.
    pub fn request(&self, facts: JsValue) -> Result<Vec<u8>, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        self.setup.request_bytes(&facts).map_err(throw)
    }

    /// Checks the worker's plan and prepares the run; nothing is left here.
    ///
    /// # Errors
    /// When the plan is refused: weaker than 128 bits, not what was asked for, or with fewer known pictures than jobs.
    pub fn accept(self, plan: &[u8], facts: JsValue) -> Result<Classifying, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        let run = self.setup.accept(plan, &facts).map_err(throw)?;
        Ok(Classifying {
            scores: vec![Vec::new(); run.jobs()],
            run,
            plan: plan.to_vec(),
            digests: Digests::new(),
            opener: None,
            opened: Vec::new(),
        })
    }
}

/// Pictures with an accepted plan.
#[wasm_bindgen]
pub struct Classifying {
    run: ClassifyRun,
    plan: Vec<u8>,
    digests: Digests,
    opener: Option<ScoreOpener>,
    /// Slots of the job whose scores arrive.
    opened: Vec<Vec<f64>>,
    /// Scores `[job][place][class]`, nothing of jobs that have not ended.
    scores: Vec<Vec<Vec<f64>>>,
}

#[derive(Serialize)]
struct ClassesView<'a> {
    classes: &'a [String],
    rows: Vec<Classification>,
    guard: Guard,
    /// Jobs in all.
    jobs: usize,
}

#[wasm_bindgen]
impl Classifying {
    /// The plan as the page shows it.
    ///
    /// # Errors
    /// Never for values that come from here.
    #[wasm_bindgen(js_name = planView)]
    pub fn plan_view(&self) -> Result<JsValue, JsValue> {
        to_js(&images_view(&self.run).map_err(throw)?)
    }

    /// The plan's bytes, for factories.
    pub fn plan(&self) -> Vec<u8> {
        self.plan.clone()
    }

    /// Jobs, one after another.
    #[wasm_bindgen(getter)]
    pub fn jobs(&self) -> usize {
        self.run.jobs()
    }

    /// Keys to upload, for all jobs.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn keys(&self) -> Result<JsValue, JsValue> {
        items::items(&self.run.key_items().map_err(throw)?)
    }

    /// Ciphertexts of a job's pictures to upload.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn images(&self, job: usize) -> Result<JsValue, JsValue> {
        items::items(&self.run.image_items(job).map_err(throw)?)
    }

    /// The slots of a ciphertext; nothing for keys.
    ///
    /// # Errors
    /// For an object that is not of this run.
    pub fn slots(&self, job: JsValue) -> Result<Option<Vec<f64>>, JsValue> {
        Ok(pairs(self.run.slots(&from_js(job)?).map_err(throw)?))
    }

    /// Notes the digest of an object that was made.
    ///
    /// # Errors
    /// For values of the wrong shape.
    #[wasm_bindgen(js_name = setDigest)]
    pub fn set_digest(&mut self, job: JsValue, hex: &str) -> Result<(), JsValue> {
        self.digests.insert(from_js(job)?, digest(hex)?);
        Ok(())
    }

    /// Digests of all objects made so far, to be kept for a resumption.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn digests(&self) -> Result<JsValue, JsValue> {
        items::digests_out(&self.digests)
    }

    /// Takes up kept digests.
    ///
    /// # Errors
    /// For values of the wrong shape.
    #[wasm_bindgen(js_name = setDigests)]
    pub fn set_digests(&mut self, kept: JsValue) -> Result<(), JsValue> {
        self.digests = items::digests_in(kept)?;
        Ok(())
    }

    /// Starts a job at the worker; answers its name.
    ///
    /// # Errors
    /// When an object is missing.
    #[wasm_bindgen(js_name = startJob)]
    pub fn start_job(&mut self, link: &mut Link, job: usize) -> Result<String, JsValue> {
        // Those of an attempt that was stopped come again.
        self.opened.clear();
        let spec = self.run.job(job, &self.digests).map_err(throw)?;
        Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex())
    }

    /// Prepares to open scores with the key's seed, which is wiped; answers the bytes that one output has.
    ///
    /// # Errors
    /// When the plan's parameters are refused.
    #[wasm_bindgen(js_name = prepareOpening)]
    pub fn prepare_opening(&mut self, mut seed: Vec<u8>) -> Result<f64, JsValue> {
        let plan = self.run.plan();
        let opener = with_seed(&mut seed, |seed| ScoreOpener::new(seed, plan))?;
        let most = opener.max_bytes() as f64;
        self.opener = Some(opener);
        Ok(most)
    }

    /// Opens the next output of a job.
    ///
    /// # Errors
    /// When it is not there or decrypts to nonsense.
    #[wasm_bindgen(js_name = openOutput)]
    pub fn open_output(&mut self, link: &mut Link, hex: &str) -> Result<(), JsValue> {
        let (_, bytes) = link.take(hex)?;
        let opener = self
            .opener
            .as_ref()
            .ok_or_else(|| internal("no key is ready to open results", ""))?;
        self.opened.push(opener.open(&bytes).map_err(throw)?);
        Ok(())
    }

    /// Ends a job whose outputs are all opened; answers its scores, to be kept.
    ///
    /// # Errors
    /// When there are not as many as classes.
    #[wasm_bindgen(js_name = endJob)]
    pub fn end_job(&mut self, job: usize) -> Result<JsValue, JsValue> {
        let opened = std::mem::take(&mut self.opened);
        let scores = self.run.scores(job, &opened).map_err(throw)?;
        let kept = to_js(&scores)?;
        self.set(job, scores)?;
        Ok(kept)
    }

    /// Takes up the kept scores of a job.
    ///
    /// # Errors
    /// For values of the wrong shape.
    #[wasm_bindgen(js_name = setScores)]
    pub fn set_scores(&mut self, job: usize, kept: JsValue) -> Result<(), JsValue> {
        self.set(job, from_js(kept)?)
    }

    /// What came of all jobs, for the page.
    ///
    /// # Errors
    /// When something has not come back yet, and when a picture has other scores than it should: then none can be trusted.
    pub fn view(&self) -> Result<JsValue, JsValue> {
        let (rows, guard) = self.run.judged(&self.scores).map_err(throw)?;
        to_js(&ClassesView {
            classes: &self.run.card().classes,
            rows,
            guard,
            jobs: self.run.jobs(),
        })
    }

    /// The same as CSV, for a file.
    ///
    /// # Errors
    /// As [`Classifying::view`].
    pub fn csv(&self) -> Result<String, JsValue> {
        let (rows, _) = self.run.judged(&self.scores).map_err(throw)?;
        classification_csv(&rows, &self.run.card().classes).map_err(throw)
    }
}

impl Classifying {
    fn set(&mut self, job: usize, scores: Vec<Vec<f64>>) -> Result<(), JsValue> {
        let place = self.scores.get_mut(job);
        *place.ok_or_else(|| internal("scores of an unknown job", ""))? = scores;
        Ok(())
    }
}
