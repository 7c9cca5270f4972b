//! CSV from outside, up to the numbers that would be encrypted.
#![no_main]

use confide_client::intake::{MissingPolicy, Selection, read_csv};
use confide_client::prepare::{FitOptions, Preprocessing};
use confide_client::workflow::{TrainingOptions, TrainingSetup};
use confide_fuzz::{Input, worker_facts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (label, missing, fraction) = (input.byte(), input.byte(), input.byte());
    let Ok(table) = read_csv(input.rest()) else {
        return;
    };
    for column in &table.columns {
        assert_eq!(column.len(), table.rows());
        (0..table.rows()).for_each(|row| drop(column.shown(row)));
    }
    assert_eq!(table.stats().len(), table.columns.len());
    assert_eq!(table.preview(5).len(), table.rows().min(5));
    let label = &table.columns[usize::from(label) % table.columns.len()].name;
    let mut selection = Selection::all(label);
    selection.missing = match missing % 3 {
        0 => MissingPolicy::Report,
        1 => MissingPolicy::Drop,
        _ => MissingPolicy::FillMedian,
    };
    let Ok(dataset) = table.select(&selection) else {
        return;
    };
    let (records, rows) = (&dataset.records, dataset.records.rows());
    assert!(rows <= table.rows() && dataset.classes_of_rows.len() == rows);
    assert_eq!(records.values.len(), rows * records.features.len());
    assert_eq!(
        dataset
            .classes
            .iter()
            .map(|class| class.rows)
            .sum::<usize>(),
        rows
    );
    let again = table.select_records(&records.features, selection.missing);
    assert!(again.is_ok_and(|again| again.features == records.features));
    // Numbers that fitted: they stay finite, whatever they are.
    let everything: Vec<usize> = (0..rows).collect();
    if let Ok(fitted) = Preprocessing::fit(records, &everything, FitOptions::default()) {
        fitted.check().expect("what was fitted holds together");
        let (matrix, _) = fitted.transform(records, &everything).expect("own records");
        assert!(matrix.values().iter().all(|value| value.is_finite()));
    }
    let options = TrainingOptions {
        test_fraction: f64::from(fraction) / 256.0,
        ..TrainingOptions::default()
    };
    if let Ok(mut setup) = TrainingSetup::new(dataset, options) {
        let (train, test) = setup.rows();
        assert_eq!(train + test, rows);
        setup.request_bytes(&worker_facts()).expect("small numbers");
        setup.ask_for_less(&worker_facts());
    }
});
