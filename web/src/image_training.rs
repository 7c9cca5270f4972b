//! A head on encrypted pictures, from the plans to a report: the network of the worker reads them, and nothing of what it finds is
//! decrypted but the scores of the pictures that test.

use crate::bridge::{from_js, internal, throw, to_js};
use crate::factory::{pairs, plan_bytes};
use crate::items;
use crate::key::Key;
use crate::link::{Link, digest};
use crate::report::{ImageReportView, image_plan_view};
use crate::training::open_with;
use crate::workbench::Workbench;
use confide_client::workflow::images::{
    ClearHead, ImageReport, ImageRun, ImageSetup, PlannedHead, SavedImageModel,
};
use confide_client::workflow::{Digests, ResultOpener, WorkerFacts};
use confide_protocol::Digest;
use wasm_bindgen::prelude::*;

/// How far the plans are.
enum Stage {
    /// None is accepted.
    Setup(Box<ImageSetup>),
    /// That of the training is, and perhaps some of the features.
    Planned(Box<PlannedHead>),
}

/// Pictures before all plans are accepted: one of the training, then of the features of those that train and of those that test.
#[wasm_bindgen]
pub struct ImagePlanning {
    stage: Option<Stage>,
}

#[wasm_bindgen]
impl ImagePlanning {
    /// Prepares the pictures as chosen.
    ///
    /// # Errors
    /// When the choices do not fit the pictures.
    #[wasm_bindgen(constructor)]
    pub fn new(workbench: &Workbench) -> Result<ImagePlanning, JsValue> {
        let setup = workbench.image_setup().map_err(throw)?;
        let stage = Some(Stage::Setup(Box::new(setup)));
        Ok(Self { stage })
    }

    /// Tries some of the pictures here, with the network's weights: what the user should know, if they are unlike those that it was
    /// made for.
    ///
    /// # Errors
    /// When the weights are not those of the card, or plans are being asked for already.
    pub fn trial(&self, weights: &[u8]) -> Result<Option<String>, JsValue> {
        match &self.stage {
            Some(Stage::Setup(setup)) => setup.trial(weights).map_err(throw),
            _ => Err(refused()),
        }
    }

    /// Adds something that the user should know, before plans are asked for.
    pub fn remark(&mut self, note: String) {
        if let Some(Stage::Setup(setup)) = &mut self.stage {
            setup.remark(note);
        }
    }

    /// The next plan to ask for: `training`, `features`, or nothing when all are accepted.
    pub fn wants(&self) -> Option<String> {
        match &self.stage {
            Some(Stage::Setup(_)) => Some("training".to_owned()),
            Some(Stage::Planned(planned)) if planned.wants_plan() => Some("features".to_owned()),
            _ => None,
        }
    }

    /// The request for the next plan.
    ///
    /// # Errors
    /// When `facts` has the wrong shape.
    pub fn request(&self, facts: JsValue) -> Result<Vec<u8>, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        match &self.stage {
            Some(Stage::Setup(setup)) => setup.request_bytes(&facts).map_err(throw),
            Some(Stage::Planned(planned)) => planned.request_bytes(&facts).map_err(throw),
            None => Err(refused()),
        }
    }

    /// Checks the worker's next plan.
    ///
    /// # Errors
    /// When it is refused: weaker than 128 bits, or not what was asked for.
    pub fn accept(&mut self, plan: &[u8], facts: JsValue) -> Result<(), JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        let planned = match self.stage.take() {
            Some(Stage::Setup(setup)) => setup.accept(plan, &facts).map(Box::new),
            Some(Stage::Planned(mut planned)) => planned.accept(plan, &facts).map(|()| planned),
            None => return Err(refused()),
        };
        self.stage = Some(Stage::Planned(planned.map_err(throw)?));
        Ok(())
    }

    /// The run, once all plans are accepted; nothing is left here.
    ///
    /// # Errors
    /// When one is missing.
    pub fn finish(&mut self) -> Result<ImageTraining, JsValue> {
        match self.stage.take() {
            Some(Stage::Planned(planned)) if !planned.wants_plan() => {
                let run = planned.into_run().map_err(throw)?;
                Ok(ImageTraining::new(run))
            }
            _ => Err(refused()),
        }
    }
}

fn refused() -> JsValue {
    internal("the plans of a training on pictures are not complete", "")
}

/// Pictures with accepted plans.
#[wasm_bindgen]
pub struct ImageTraining {
    run: ImageRun,
    /// Objects of the network. Its keys and those of the training have names in common.
    network: Digests,
    /// Objects of the training.
    digests: Digests,
    /// By job, what the worker keeps of it.
    features: Vec<Option<Digest>>,
    opener: Option<ResultOpener>,
    /// Logits `[job][row][output]`.
    opened: Vec<Vec<Vec<f64>>>,
    clear: Option<ClearHead>,
    head: Option<Digest>,
    report: Option<ImageReport>,
}

impl ImageTraining {
    fn new(run: ImageRun) -> Self {
        let jobs = run.jobs().iter().sum();
        Self {
            run,
            network: Digests::new(),
            digests: Digests::new(),
            features: vec![None; jobs],
            opener: None,
            opened: Vec::new(),
            clear: None,
            head: None,
            report: None,
        }
    }

    /// The objects of the network, or of the training.
    fn of(&mut self, network: bool) -> &mut Digests {
        match network {
            true => &mut self.network,
            false => &mut self.digests,
        }
    }

    fn logits(&self) -> Result<Vec<Vec<f64>>, JsValue> {
        self.run.logits(&self.opened).map_err(throw)
    }
}

#[wasm_bindgen]
impl ImageTraining {
    /// The plans as the page shows them.
    ///
    /// # Errors
    /// Never for values that come from here.
    #[wasm_bindgen(js_name = planView)]
    pub fn plan_view(&self) -> Result<JsValue, JsValue> {
        to_js(&image_plan_view(&self.run).map_err(throw)?)
    }

    /// The bytes of the training's plan, for factories.
    ///
    /// # Errors
    /// Never for a plan that was accepted.
    pub fn plan(&self) -> Result<Vec<u8>, JsValue> {
        plan_bytes(self.run.training())
    }

    /// The bytes of a plan of the features, for factories.
    ///
    /// # Errors
    /// Never for a plan that was accepted.
    #[wasm_bindgen(js_name = featurePlan)]
    pub fn feature_plan(&self) -> Result<Vec<u8>, JsValue> {
        match self.run.features().next() {
            Some(plan) => plan_bytes(plan),
            None => Err(refused()),
        }
    }

    /// Jobs that make features, one after another.
    #[wasm_bindgen(getter)]
    pub fn jobs(&self) -> usize {
        self.features.len()
    }

    /// Keys of the network to upload.
    ///
    /// # Errors
    /// Never for values that come from here.
    #[wasm_bindgen(js_name = networkKeys)]
    pub fn network_keys(&self) -> Result<JsValue, JsValue> {
        items::items(&self.run.feature_keys().map_err(throw)?)
    }

    /// Ciphertexts of a job's pictures to upload.
    ///
    /// # Errors
    /// For a job that is none of the run's.
    pub fn images(&self, job: usize) -> Result<JsValue, JsValue> {
        items::items(&self.run.image_items(job).map_err(throw)?)
    }

    /// Labels and keys of the training to upload.
    ///
    /// # Errors
    /// Never for values that come from here.
    #[wasm_bindgen(js_name = trainingItems)]
    pub fn training_items(&self) -> Result<JsValue, JsValue> {
        items::items(&self.run.training_items().map_err(throw)?)
    }

    /// The slots of pictures or labels; nothing for keys.
    ///
    /// # Errors
    /// For an object that is not of this run.
    pub fn slots(&self, job: JsValue) -> Result<Option<Vec<f64>>, JsValue> {
        Ok(pairs(self.run.slots(&from_js(job)?).map_err(throw)?))
    }

    /// Notes the digest of an object of the network, or of the training, that was made.
    ///
    /// # Errors
    /// For values of the wrong shape.
    #[wasm_bindgen(js_name = setDigest)]
    pub fn set_digest(&mut self, network: bool, job: JsValue, hex: &str) -> Result<(), JsValue> {
        let (job, digest) = (from_js(job)?, digest(hex)?);
        self.of(network).insert(job, digest);
        Ok(())
    }

    /// Digests of all objects of the network, or of the training, made so far, to be kept for a resumption.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn digests(&mut self, network: bool) -> Result<JsValue, JsValue> {
        items::digests_out(self.of(network))
    }

    /// Takes up kept digests.
    ///
    /// # Errors
    /// For values of the wrong shape.
    #[wasm_bindgen(js_name = setDigests)]
    pub fn set_digests(&mut self, network: bool, kept: JsValue) -> Result<(), JsValue> {
        *self.of(network) = items::digests_in(kept)?;
        Ok(())
    }

    /// Starts a job that makes features; answers its name.
    ///
    /// # Errors
    /// When an object is missing.
    #[wasm_bindgen(js_name = startFeatures)]
    pub fn start_features(&self, link: &mut Link, job: usize) -> Result<String, JsValue> {
        let spec = self.run.feature_job(job, &self.network).map_err(throw)?;
        Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex())
    }

    /// Notes what a job has left at the worker.
    ///
    /// # Errors
    /// For an unknown job.
    #[wasm_bindgen(js_name = setFeatures)]
    pub fn set_features(&mut self, job: usize, hex: &str) -> Result<(), JsValue> {
        let place = self.features.get_mut(job);
        *place.ok_or_else(|| internal("features of an unknown job", ""))? = Some(digest(hex)?);
        Ok(())
    }

    /// Starts the training on kept features; answers the job's name.
    ///
    /// # Errors
    /// When something is missing.
    #[wasm_bindgen(js_name = startTraining)]
    pub fn start_training(&self, link: &mut Link) -> Result<String, JsValue> {
        let features = self.kept()?;
        let spec = self.run.train_job(&features, &self.digests);
        let spec = spec.map_err(throw)?;
        Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex())
    }

    /// Starts the scoring of the pictures that test with a trained head; answers the jobs' names.
    ///
    /// # Errors
    /// When something is missing.
    #[wasm_bindgen(js_name = startScoring)]
    pub fn start_scoring(&mut self, link: &mut Link, head: &str) -> Result<JsValue, JsValue> {
        let (head, features) = (digest(head)?, self.kept()?);
        let tests = features.get(self.run.jobs()[0]..).unwrap_or(&[]);
        let jobs = self.run.predict_jobs(head, tests, &self.digests);
        self.head = Some(head);
        self.opened.clear();
        let names = jobs.map_err(throw)?.into_iter();
        let names = names.map(|spec| Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex()));
        to_js(&names.collect::<Result<Vec<String>, JsValue>>()?)
    }

    /// Prepares to open scores with the key's seed, which is wiped; answers the most bytes that they have.
    ///
    /// # Errors
    /// When the plan's parameters are refused.
    #[wasm_bindgen(js_name = prepareOpening)]
    pub fn prepare_opening(&mut self, mut seed: Vec<u8>) -> Result<f64, JsValue> {
        let opener = open_with(&mut seed, self.run.training())?;
        let most = opener.max_bytes() as f64;
        self.opener = Some(opener);
        Ok(most)
    }

    /// Opens the scores of the next job.
    ///
    /// # Errors
    /// When they are not there or decrypt to nonsense.
    #[wasm_bindgen(js_name = openScores)]
    pub fn open_scores(&mut self, link: &mut Link, hex: &str) -> Result<(), JsValue> {
        let (_, bytes) = link.take(hex)?;
        let opener = self
            .opener
            .as_ref()
            .ok_or_else(|| internal("no key is ready to open results", ""))?;
        let opened = opener.open_scores(&bytes, self.run.score_rows());
        self.opened.push(opened.map_err(throw)?);
        Ok(())
    }

    /// Trains in the clear, for comparison, on what the network made of all pictures here: `channels` of each, one after the other.
    ///
    /// # Errors
    /// When they are of another network.
    #[wasm_bindgen(js_name = trainClear)]
    pub fn train_clear(&mut self, pooled: &[f32], channels: usize) -> Result<(), JsValue> {
        let rows = pooled.chunks(channels.max(1));
        let rows: Vec<Vec<f64>> = rows
            .map(|row| row.iter().copied().map(f64::from).collect())
            .collect();
        self.clear = Some(self.run.clear_of(&rows).map_err(throw)?);
        Ok(())
    }

    /// Measures; answers what the page shows.
    ///
    /// # Errors
    /// When something has not come back yet.
    pub fn report(&mut self) -> Result<JsValue, JsValue> {
        let report = self.run.report(&self.logits()?, self.clear.as_ref());
        let report = report.map_err(throw)?;
        let view = to_js(&ImageReportView::new(&self.run, &report));
        self.report = Some(report);
        view
    }

    /// The report as JSON, for a file.
    ///
    /// # Errors
    /// When there is none yet.
    #[wasm_bindgen(js_name = reportJson)]
    pub fn report_json(&self) -> Result<String, JsValue> {
        let report = self.report.as_ref();
        let report = report.ok_or_else(|| internal("there is no report yet", ""))?;
        serde_json::to_string_pretty(report)
            .map_err(|error| internal("the report cannot be written", &error.to_string()))
    }

    /// The pictures that test with what was said of them, as JSON: everything that [`crate::evaluation::Evaluation`] needs.
    ///
    /// # Errors
    /// When they have not come back yet.
    #[wasm_bindgen(js_name = heldOut)]
    pub fn held_out(&self) -> Result<String, JsValue> {
        let held = self.run.held_out(&self.logits()?, self.clear.as_ref());
        held.to_json().map_err(throw)
    }

    /// What later predictions need, as JSON: no key, no weights and no picture.
    ///
    /// # Errors
    /// When the head has not come back yet.
    pub fn model(&self, key: &Key) -> Result<String, JsValue> {
        let head = self.head;
        let head = head.ok_or_else(|| internal("there is no trained head yet", ""))?;
        let digests = [&self.network, &self.digests];
        let model = SavedImageModel::new(&self.run, head, digests, key.vault.fingerprint());
        model.map_err(throw)?.to_json().map_err(throw)
    }
}

impl ImageTraining {
    fn kept(&self) -> Result<Vec<Digest>, JsValue> {
        let all: Option<Vec<Digest>> = self.features.iter().copied().collect();
        all.ok_or_else(|| internal("the features of some pictures are not there", ""))
    }
}
