//! The results of a training from the side that the user looks from: a class, a threshold, parts of the records.

use crate::bridge::{throw, to_js};
use crate::workbench::Workbench;
use confide_client::ClientError;
use confide_client::metrics::{
    Assessment, BOOTSTRAP_SEED, Band, Bootstrap, Decision, Parting, Scored, Subgroup,
};
use confide_client::workflow::{HeldOut, results_csv};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// Curves of one class against the rest. Absent where the records do not suffice.
#[derive(Serialize)]
struct ClassView {
    class: usize,
    assessment: Option<Assessment>,
    roc: Option<Band>,
    precision_recall: Option<Band>,
    /// Curves of the usual method on readable records.
    clear: ClearCurves,
    /// Probability of the class for each record, and whether the record is of the class.
    scores: Vec<f64>,
    truth: Vec<bool>,
}

#[derive(Serialize, Default)]
struct ClearCurves {
    roc: Vec<(f64, f64)>,
    precision_recall: Vec<(f64, f64)>,
    auc: Option<f64>,
    average_precision: Option<f64>,
}

#[derive(Serialize)]
struct Subgroups {
    parts: Vec<Subgroup>,
    /// Where the bands begin.
    cuts: Vec<f64>,
}

/// The held-out records of a finished training.
#[wasm_bindgen]
pub struct Evaluation {
    pub(crate) held: HeldOut,
}

#[wasm_bindgen]
impl Evaluation {
    /// From what [`crate::training::Training::held_out`] gave.
    ///
    /// # Errors
    /// When it does not hold together.
    #[wasm_bindgen(constructor)]
    pub fn new(json: &str) -> Result<Evaluation, JsValue> {
        let held = HeldOut::from_json(json).map_err(throw)?;
        Ok(Self { held })
    }

    /// The class to look at first: the positive one of two, else the first.
    #[wasm_bindgen(js_name = firstClass)]
    pub fn first_class(&self) -> usize {
        self.held.looked_at().first().copied().unwrap_or(0)
    }

    /// Curves, calibration and figures of a class against the rest.
    ///
    /// # Errors
    /// Never for values that come from here.
    #[wasm_bindgen(js_name = classView)]
    pub fn class_view(&self, class: usize) -> Result<JsValue, JsValue> {
        let scored = self.scored(class);
        let bootstrap = scored
            .as_ref()
            .and_then(|scored| scored.bootstrap(BOOTSTRAP_SEED));
        let name = self.held.classes.get(class).cloned().unwrap_or_default();
        let assessment = scored
            .as_ref()
            .zip(bootstrap.as_ref())
            .and_then(|(scored, bootstrap)| Assessment::with(&name, scored, bootstrap, 0.5));
        let (roc, precision_recall) = bootstrap
            .map(
                |Bootstrap {
                     roc,
                     precision_recall,
                     ..
                 }| (roc, precision_recall),
            )
            .unzip();
        to_js(&ClassView {
            class,
            assessment,
            roc,
            precision_recall,
            clear: self.clear_curves(class),
            scores: self
                .held
                .encrypted
                .iter()
                .map(|row| row.get(class).copied().unwrap_or(0.0))
                .collect(),
            truth: self
                .held
                .truth
                .iter()
                .map(|&truth| truth == class)
                .collect(),
        })
    }

    /// What a threshold does.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn decision(&self, class: usize, threshold: f64) -> Result<JsValue, JsValue> {
        let decision: Option<Decision> =
            self.scored(class).map(|scored| scored.decision(threshold));
        to_js(&decision)
    }

    /// The figures of parts of the records: by the values of a column, or by bands that begin at `cuts`.
    ///
    /// # Errors
    /// When the column has too many values, or the table is another one.
    pub fn subgroups(
        &self,
        workbench: &Workbench,
        class: usize,
        threshold: f64,
        column: usize,
        cuts: Option<Vec<f64>>,
    ) -> Result<JsValue, JsValue> {
        let table = workbench.table_ref();
        let gone = || {
            throw(ClientError::new(
                "CC-5041",
                "The records that tested the model are not in this table.",
                "Open the file again and train again.",
            ))
        };
        let column = table.columns.get(column).ok_or_else(gone)?;
        let place = |row: &usize| table.row_numbers.binary_search(row).ok();
        let rows: Vec<usize> = self
            .held
            .rows
            .iter()
            .map(place)
            .collect::<Option<_>>()
            .ok_or_else(gone)?;
        let parting = Parting::new(column, &rows, cuts.as_deref()).map_err(throw)?;
        let scored = self.scored(class);
        to_js(&Subgroups {
            parts: scored.map_or_else(Vec::new, |scored| scored.subgroups(&parting, threshold)),
            cuts: parting.cuts(),
        })
    }

    /// The predictions of the held-out records as CSV, labelled at a threshold.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn csv(&self, threshold: f64) -> Result<String, JsValue> {
        results_csv(&self.held.predictions(threshold), &self.held.classes, &[]).map_err(throw)
    }
}

impl Evaluation {
    fn scored(&self, class: usize) -> Option<Scored> {
        self.held.against_rest(&self.held.encrypted, class)
    }

    fn clear_curves(&self, class: usize) -> ClearCurves {
        let Some(scored) = self.held.against_rest(&self.held.clear, class) else {
            return ClearCurves::default();
        };
        let area = scored.area();
        ClearCurves {
            roc: scored.roc(),
            precision_recall: scored.precision_recall(),
            auc: area.map(|(auc, _)| auc),
            average_precision: area.map(|(_, precision)| precision),
        }
    }
}
