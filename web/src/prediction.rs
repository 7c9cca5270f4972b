//! Risk for new patients with a head that the worker keeps.

use crate::base_model::read_or_refused;
use crate::bridge::{from_js, internal, throw, to_js};
use crate::evaluation::Evaluation;
use crate::factory::{pairs, plan_bytes};
use crate::items;
use crate::link::{Link, digest};
use crate::text::put_vectors;
use crate::training::{open_with, start_jobs};
use confide_client::ClientError;
use confide_client::intake::{MissingPolicy, Records, Refusal, Table, TextFiles, read_csv};
use confide_client::workflow::{
    Digests, Judged, PredictionRun, ResultOpener, SavedModel, patients_csv,
};
use confide_protocol::Digest;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// One or several new patients on their way to a prediction.
#[wasm_bindgen]
pub struct Prediction {
    run: PredictionRun,
    digests: Digests,
    opener: ResultOpener,
    logits: Vec<Vec<f64>>,
    /// Rows of the file that cannot be scored, with the reason.
    refused: Vec<Refusal>,
    /// Names by row, of the files that hold the records.
    names: Vec<String>,
}

/// New records for the page.
#[derive(Serialize)]
pub(crate) struct PredictionView<'a> {
    pub(crate) classes: &'a [String],
    /// Indices of the classes whose probabilities are shown.
    pub(crate) looked_at: Vec<usize>,
    pub(crate) rows: Vec<Judged>,
    pub(crate) refused: &'a [Refusal],
    /// Names of files by row; empty where rows are those of one table.
    pub(crate) names: &'a [String],
    pub(crate) notes: &'a [String],
}

#[wasm_bindgen]
impl Prediction {
    /// One patient, from values in the order of the model's features. `seed` is the key's and is wiped.
    ///
    /// # Errors
    /// When the model or the values do not hold together.
    #[wasm_bindgen(js_name = ofOne)]
    pub fn of_one(model: &str, values: Vec<f64>, seed: Vec<u8>) -> Result<Prediction, JsValue> {
        let model = SavedModel::from_json(model).map_err(throw)?;
        let features = model.preprocessing.features.clone();
        if values.len() != features.len() || values.iter().any(|value| !value.is_finite()) {
            return Err(internal("a patient's values do not fit the model", ""));
        }
        let records = Records {
            features,
            values,
            row_numbers: vec![1],
            notes: Vec::new(),
        };
        Self::new(&model, &records, Vec::new(), seed)
    }

    /// Several patients, from a CSV file; `vectors` are those of [`crate::text::texts_of_file`], one after the other, for a
    /// model that reads texts. Records with gaps are not scored. Rows of a table that was made of text files (`from_files`) have their
    /// names. `seed` is the key's and is wiped.
    ///
    /// # Errors
    /// When the file is no table or lacks a column of the model.
    #[wasm_bindgen(js_name = ofFile)]
    pub fn of_file(
        model: &str,
        csv: &[u8],
        from_files: bool,
        vectors: Option<Vec<f32>>,
        seed: Vec<u8>,
    ) -> Result<Prediction, JsValue> {
        let model = SavedModel::from_json(model).map_err(throw)?;
        let mut table = read_csv(csv).map_err(throw)?;
        let names = match from_files {
            true => TextFiles::names(&table),
            false => Vec::new(),
        };
        if let (Some(source), Some(vectors)) = (&model.text, &vectors) {
            put_vectors(&mut table, source.clone(), vectors).map_err(throw)?;
        }
        let prediction = Self::of_table(&model, &table, seed)?;
        Ok(Self {
            names,
            ..prediction
        })
    }

    /// Several pictures: `vectors` are their features, one after the other, `refused` those that cannot be used. `seed` is the
    /// key's and is wiped.
    ///
    /// # Errors
    /// When the head reads no pictures, or none can be used.
    #[wasm_bindgen(js_name = ofPictures)]
    pub fn of_pictures(
        model: &str,
        names: Vec<String>,
        vectors: &[f32],
        refused: JsValue,
        seed: Vec<u8>,
    ) -> Result<Prediction, JsValue> {
        let model = SavedModel::from_json(model).map_err(throw)?;
        let Some(source) = model.pictures.clone() else {
            return Err(internal("a head that reads no pictures was given some", ""));
        };
        let features = read_or_refused(names.len(), vectors, refused)?;
        let mut table = Table::of_pictures(&source.column, names.clone());
        table.with_pictures(source, &features).map_err(throw)?;
        let prediction = Self::of_table(&model, &table, seed)?;
        Ok(Self {
            names,
            ..prediction
        })
    }

    /// The plan's bytes, for factories.
    ///
    /// # Errors
    /// Never for a plan that was accepted.
    pub fn plan(&self) -> Result<Vec<u8>, JsValue> {
        plan_bytes(self.run.plan())
    }

    /// Record objects to make and upload.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn items(&self) -> Result<JsValue, JsValue> {
        items::items(&self.run.items().map_err(throw)?)
    }

    /// Keys that the worker should still have, with their digests.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn keys(&self) -> Result<JsValue, JsValue> {
        items::digests_out(
            &self
                .run
                .keys()
                .map_err(throw)?
                .into_iter()
                .map(|(item, digest)| (item.job, digest))
                .collect(),
        )
    }

    /// Digest of the trained head that the worker should still have.
    pub fn head(&self) -> String {
        self.run.head().to_hex()
    }

    /// The slots of a record object.
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
        let (job, digest): (_, Digest) = (from_js(job)?, digest(hex)?);
        self.digests.insert(job, digest);
        Ok(())
    }

    /// Starts the scoring; answers the jobs' names and numbers of records.
    ///
    /// # Errors
    /// When an object is missing.
    #[wasm_bindgen(js_name = startScoring)]
    pub fn start_scoring(&self, link: &mut Link) -> Result<JsValue, JsValue> {
        start_jobs(link, self.run.jobs(&self.digests).map_err(throw)?)
    }

    /// The most bytes that scores can have.
    #[wasm_bindgen(js_name = maxBytes)]
    pub fn max_bytes(&self) -> f64 {
        self.opener.max_bytes() as f64
    }

    /// Opens the scores of the next batch.
    ///
    /// # Errors
    /// When they are not there or decrypt to nonsense.
    #[wasm_bindgen(js_name = openScores)]
    pub fn open_scores(&mut self, link: &mut Link, hex: &str, rows: usize) -> Result<(), JsValue> {
        let (_, bytes) = link.take(hex)?;
        self.logits
            .extend(self.opener.open_scores(&bytes, rows).map_err(throw)?);
        Ok(())
    }

    /// The predictions for the page, beside the held-out records like them and labelled at a threshold.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn view(&self, evaluation: &Evaluation, threshold: f64) -> Result<JsValue, JsValue> {
        to_js(&PredictionView {
            classes: self.run.classes(),
            looked_at: evaluation.held.looked_at(),
            rows: self.judged(evaluation, threshold),
            refused: &self.refused,
            names: &self.names,
            notes: self.run.notes(),
        })
    }

    /// The same as CSV, for a file.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn csv(&self, evaluation: &Evaluation, threshold: f64) -> Result<String, JsValue> {
        let judged = self.judged(evaluation, threshold);
        let looked_at = evaluation.held.looked_at();
        let classes = self.run.classes();
        patients_csv(&judged, &self.refused, classes, &looked_at, &self.names).map_err(throw)
    }
}

/// When no row can be scored, the first reasons say more than that there is none.
fn with_reasons(mut error: ClientError, refused: &[Refusal]) -> ClientError {
    if error.code == "CC-1014" {
        let first: Vec<String> = refused
            .iter()
            .take(3)
            .map(|one| format!("Row {}: {}", one.row, one.reason))
            .collect();
        error.message = format!("No row of this file can be scored. {}", first.join(" "));
        error.remedy = "Fill the gaps in the file, and choose it again.".to_owned();
    }
    error
}

impl Prediction {
    fn judged(&self, evaluation: &Evaluation, threshold: f64) -> Vec<Judged> {
        let predictions = self.run.predictions(&self.logits);
        evaluation.held.judge(predictions, threshold)
    }

    /// The records of a table that have no gaps.
    fn of_table(model: &SavedModel, table: &Table, seed: Vec<u8>) -> Result<Self, JsValue> {
        let features = &model.preprocessing.features;
        let refused = table.refusals(features);
        let records = table
            .select_records(features, MissingPolicy::Drop)
            .map_err(|error| throw(with_reasons(error, &refused)))?;
        Self::new(model, &records, refused, seed)
    }

    fn new(
        model: &SavedModel,
        records: &Records,
        refused: Vec<Refusal>,
        mut seed: Vec<u8>,
    ) -> Result<Self, JsValue> {
        let run = PredictionRun::new(model, records).map_err(throw)?;
        let opener = open_with(&mut seed, run.plan())?;
        Ok(Self {
            run,
            digests: Digests::new(),
            opener,
            logits: Vec::new(),
            refused,
            names: Vec::new(),
        })
    }
}
