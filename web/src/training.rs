//! From chosen records to a report.

use crate::bridge::{from_js, internal, throw, to_js, with_seed};
use crate::factory::pairs;
use crate::items;
use crate::key::Key;
use crate::link::{Link, digest};
use crate::report::{ReportView, plan_view};
use crate::workbench::Workbench;
use confide_client::workflow::{
    ClearHeads, Digests, Outcome, ResultOpener, SavedModel, TrainingOptions, TrainingReport,
    TrainingRun, TrainingSetup, Validation, WorkerFacts,
};
use confide_protocol::Digest;
use wasm_bindgen::prelude::*;

/// Records that are split and prepared, before a plan is accepted.
#[wasm_bindgen]
pub struct Setup {
    inner: TrainingSetup,
}

#[wasm_bindgen]
impl Setup {
    /// Prepares the records as chosen.
    ///
    /// # Errors
    /// When the choices do not fit the table.
    #[wasm_bindgen(constructor)]
    pub fn new(workbench: &Workbench) -> Result<Setup, JsValue> {
        let chosen = workbench
            .chosen()
            .ok_or_else(|| internal("the records are not ready", ""))?;
        let options = TrainingOptions {
            positive: (chosen.dataset.classes.len() == 2)
                .then(|| chosen.dataset.classes[chosen.positive].name.clone()),
            ..workbench.choices_ref().options(&chosen.dataset)
        };
        Ok(Self {
            inner: TrainingSetup::new(chosen.dataset.clone(), options).map_err(throw)?,
        })
    }

    /// The request for a plan.
    ///
    /// # Errors
    /// When `facts` has the wrong shape.
    pub fn request(&self, facts: JsValue) -> Result<Vec<u8>, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        self.inner.request_bytes(&facts).map_err(throw)
    }

    /// After a refusal: asks for less, if anything less makes sense.
    ///
    /// # Errors
    /// When the records cannot be prepared with less.
    #[wasm_bindgen(js_name = askForLess)]
    pub fn ask_for_less(&mut self, facts: JsValue) -> Result<bool, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        Ok(self.inner.ask_for_less(&facts))
    }

    /// Checks the worker's plan and prepares the run.
    ///
    /// # Errors
    /// When the plan is refused: weaker than 128 bits, not what was asked for, or out of range.
    pub fn accept(&self, plan: &[u8], facts: JsValue) -> Result<Training, JsValue> {
        let facts: WorkerFacts = from_js(facts)?;
        let run = self.inner.accept(plan, &facts).map_err(throw)?;
        Ok(Training {
            validation: Validation::new(&run),
            run,
            plan: plan.to_vec(),
            digests: Digests::new(),
            opener: None,
            clear: None,
            weights: None,
            logits: Vec::new(),
            head: None,
            report: None,
        })
    }
}

/// A training with an accepted plan.
#[wasm_bindgen]
pub struct Training {
    run: TrainingRun,
    plan: Vec<u8>,
    digests: Digests,
    opener: Option<ResultOpener>,
    clear: Option<ClearHeads>,
    weights: Option<Vec<Vec<f64>>>,
    logits: Vec<Vec<f64>>,
    validation: Validation,
    head: Option<Digest>,
    report: Option<TrainingReport>,
}

#[wasm_bindgen]
impl Training {
    /// The plan as the page shows it.
    ///
    /// # Errors
    /// Never for values that come from here.
    #[wasm_bindgen(js_name = planView)]
    pub fn plan_view(&self) -> Result<JsValue, JsValue> {
        to_js(&plan_view(&self.run).map_err(throw)?)
    }

    /// The plan's bytes, for factories.
    pub fn plan(&self) -> Vec<u8> {
        self.plan.clone()
    }

    /// All objects to upload.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn items(&self) -> Result<JsValue, JsValue> {
        items::items(&self.run.items().map_err(throw)?)
    }

    /// The slots of a data object; nothing for keys.
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

    /// Starts the training at the worker; answers the job's name.
    ///
    /// # Errors
    /// When an object is missing.
    #[wasm_bindgen(js_name = startTraining)]
    pub fn start_training(&self, link: &mut Link) -> Result<String, JsValue> {
        let spec = self.run.train_job(&self.digests).map_err(throw)?;
        Ok(link.session.start_job(spec).map_err(throw)?.0.to_hex())
    }

    /// The scores of validation records to fetch that a job has newly made: their names, and the most bytes of each.
    ///
    /// # Errors
    /// When the worker does not follow the plan.
    #[wasm_bindgen(js_name = newScores)]
    pub fn new_scores(&mut self, link: &Link, job: &str) -> Result<JsValue, JsValue> {
        let new = self.validation.told(link.made(job)?).map_err(throw)?;
        let limit = self.validation.max_bytes() as f64;
        let new: Vec<(String, f64)> = new.iter().map(|one| (one.to_hex(), limit)).collect();
        to_js(&new)
    }

    /// Opens scores of validation records that were downloaded; answers the curve so far. Nothing of it goes anywhere
    /// but to the page.
    ///
    /// # Errors
    /// When they are not there or decrypt to nonsense.
    #[wasm_bindgen(js_name = openPoint)]
    pub fn open_point(&mut self, link: &mut Link, hex: &str) -> Result<JsValue, JsValue> {
        let (name, bytes) = link.take(hex)?;
        let opener = self
            .opener
            .as_ref()
            .ok_or_else(|| internal("no key is ready to open results", ""))?;
        self.validation
            .arrived(opener, &name, &bytes)
            .map_err(throw)?;
        to_js(&self.validation.points())
    }

    /// Refuses an end of the training at which scores are missing.
    ///
    /// # Errors
    /// When the worker does not follow the plan.
    #[wasm_bindgen(js_name = endScores)]
    pub fn end_scores(&self) -> Result<(), JsValue> {
        self.validation.ended().map_err(throw)
    }

    /// Starts the scoring of the test records with a trained head; answers the jobs' names and numbers of records.
    ///
    /// # Errors
    /// When an object is missing.
    #[wasm_bindgen(js_name = startScoring)]
    pub fn start_scoring(&self, link: &mut Link, head: &str) -> Result<JsValue, JsValue> {
        let jobs = self
            .run
            .predict_jobs(digest(head)?, &self.digests)
            .map_err(throw)?;
        start_jobs(link, jobs)
    }

    /// Trains in the clear, for comparison. Seconds for large tables.
    ///
    /// # Errors
    /// Never for a run that was accepted.
    #[wasm_bindgen(js_name = trainClear)]
    pub fn train_clear(&mut self) -> Result<(), JsValue> {
        if self.clear.is_none() {
            self.clear = Some(self.run.clear_heads().map_err(throw)?);
        }
        Ok(())
    }

    /// Prepares to open results with the key's seed; answers the most bytes that a result can have.
    ///
    /// # Errors
    /// When the plan's parameters are refused.
    #[wasm_bindgen(js_name = prepareOpening)]
    pub fn prepare_opening(&mut self, mut seed: Vec<u8>) -> Result<f64, JsValue> {
        let opener = open_with(&mut seed, self.run.plan())?;
        let most = opener.max_bytes() as f64;
        self.opener = Some(opener);
        Ok(most)
    }

    /// Opens the trained head that was downloaded.
    ///
    /// # Errors
    /// When it is not there or decrypts to nonsense.
    #[wasm_bindgen(js_name = openHead)]
    pub fn open_head(&mut self, link: &mut Link, hex: &str) -> Result<(), JsValue> {
        let (name, bytes) = link.take(hex)?;
        let opener = self
            .opener
            .as_ref()
            .ok_or_else(|| internal("no key is ready to open results", ""))?;
        self.weights = Some(opener.open_head(&bytes).map_err(throw)?);
        self.head = Some(name);
        self.logits.clear();
        Ok(())
    }

    /// Opens the scores of the next batch of test records.
    ///
    /// # Errors
    /// When they are not there or decrypt to nonsense.
    #[wasm_bindgen(js_name = openScores)]
    pub fn open_scores(&mut self, link: &mut Link, hex: &str, rows: usize) -> Result<(), JsValue> {
        let (_, bytes) = link.take(hex)?;
        let opener = self
            .opener
            .as_ref()
            .ok_or_else(|| internal("no key is ready to open results", ""))?;
        self.logits
            .extend(opener.open_scores(&bytes, rows).map_err(throw)?);
        Ok(())
    }

    /// Measures; answers what the page shows.
    ///
    /// # Errors
    /// When something has not come back yet.
    pub fn report(&mut self) -> Result<JsValue, JsValue> {
        let (outcome, clear) = self.finished()?;
        let report = self.run.report(&outcome, clear).map_err(throw)?;
        let view = ReportView::new(&self.run, &report, &outcome, clear);
        self.report = Some(report);
        to_js(&view)
    }

    /// The report as JSON, for a file.
    ///
    /// # Errors
    /// When there is none yet.
    #[wasm_bindgen(js_name = reportJson)]
    pub fn report_json(&self) -> Result<String, JsValue> {
        let report = self
            .report
            .as_ref()
            .ok_or_else(|| internal("there is no report yet", ""))?;
        serde_json::to_string_pretty(report)
            .map_err(|error| internal("the report cannot be written", &error.to_string()))
    }

    /// The test records with what was said of them, as JSON: everything that [`crate::evaluation::Evaluation`] needs.
    ///
    /// # Errors
    /// When they have not come back yet.
    #[wasm_bindgen(js_name = heldOut)]
    pub fn held_out(&self) -> Result<String, JsValue> {
        let (outcome, clear) = self.finished()?;
        let held = self.run.held_out(&outcome, clear).map_err(throw)?;
        held.to_json().map_err(throw)
    }

    /// What later predictions need, as JSON: no key and no weights.
    ///
    /// # Errors
    /// When the head has not come back yet.
    pub fn model(&self, key: &Key) -> Result<String, JsValue> {
        let head = self
            .head
            .ok_or_else(|| internal("there is no trained head yet", ""))?;
        SavedModel::new(&self.run, head, &self.digests, key.vault.fingerprint())
            .to_json()
            .map_err(throw)
    }
}

impl Training {
    fn finished(&self) -> Result<(Outcome, &ClearHeads), JsValue> {
        match (&self.weights, &self.clear) {
            (Some(weights), Some(clear)) => Ok((
                Outcome {
                    weights: weights.clone(),
                    logits: self.logits.clone(),
                    curve: self.validation.points(),
                },
                clear,
            )),
            _ => Err(internal("the results are not complete", "")),
        }
    }
}

/// Starts jobs and lists their names with their numbers of records.
pub(crate) fn start_jobs(
    link: &mut Link,
    jobs: Vec<(confide_protocol::JobSpec, usize)>,
) -> Result<JsValue, JsValue> {
    let mut started: Vec<(String, usize)> = Vec::with_capacity(jobs.len());
    for (spec, rows) in jobs {
        started.push((
            link.session.start_job(spec).map_err(throw)?.0.to_hex(),
            rows,
        ));
    }
    to_js(&started)
}

/// An opener from the key's seed, which is wiped.
pub(crate) fn open_with(
    seed: &mut [u8],
    plan: &confide_train::TrainingPlan,
) -> Result<ResultOpener, JsValue> {
    with_seed(seed, |seed| ResultOpener::new(seed, plan))
}
