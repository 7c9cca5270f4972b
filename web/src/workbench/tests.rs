use super::*;

fn bench(csv: &str) -> Workbench {
    let table = read_csv(csv.as_bytes()).unwrap();
    Workbench {
        choices: Choices::suggest(&table, None),
        table,
        chosen: None,
        read: None,
        locked: None,
    }
}

fn rows(count: usize) -> String {
    let line = |i: usize| {
        format!(
            "{i},{},{},{}\n",
            i % 7,
            100 - i,
            if i.is_multiple_of(3) { "ill" } else { "well" }
        )
    };
    let lines: String = (0..count).map(line).collect();
    format!("patient_id,a,b,outcome\n{lines}")
}

#[test]
fn the_sample_is_ready_as_proposed() {
    let mut bench = bench(include_str!("../../../samples/wisconsin.csv"));
    let view = bench.apply();
    assert!(view.ready && view.problems.is_empty());
    assert_eq!((view.features, view.positive.as_deref()), (30, Some("M")));
    assert_eq!(view.train_rows + view.test_rows, 569);
    assert!(bench.chosen().is_some());
}

#[test]
fn a_text_of_few_values_is_the_outcome_and_identifiers_are_no_features() {
    let bench = bench(&rows(60));
    assert_eq!(bench.choices.label, Some(3));
    assert_eq!(bench.choices.features, [1, 2]);
}

#[test]
fn gaps_are_named_until_a_choice_settles_them() {
    let mut bench = bench(&rows(60).replacen("5,5,95,well", "5,,95,well", 1));
    let view = bench.apply();
    assert!(!view.ready && bench.chosen().is_none());
    assert_eq!(
        (view.missing, view.problems.len(), view.problems_total),
        (1, 1, 1)
    );
    assert!(
        view.problems[0].message.contains("Row 6") && view.problems[0].message.contains("\"a\"")
    );

    bench.choices.missing = "drop".to_owned();
    let view = bench.apply();
    assert!(
        view.ready
            && view
                .problems
                .iter()
                .all(|problem| problem.severity != "error")
    );
    assert_eq!((view.dropped, view.filled), (1, 0));

    bench.choices.missing = "fill".to_owned();
    let view = bench.apply();
    assert_eq!((view.dropped, view.filled), (0, 1));

    bench.choices.missing = "report".to_owned();
    bench.choices.features = vec![2];
    assert!(
        bench.apply().ready,
        "a gap in a column that is not used does not matter"
    );
}

#[test]
fn the_positive_class_can_be_chosen() {
    let mut bench = bench(&rows(60));
    assert_eq!(bench.apply().positive.as_deref(), Some("ill"));
    bench.choices.positive = Some("well".to_owned());
    assert_eq!(bench.apply().positive.as_deref(), Some("well"));
}

#[test]
fn what_is_not_chosen_is_asked_for() {
    let mut bench = bench(&rows(60));
    bench.choices.features.clear();
    let view = bench.apply();
    assert!(!view.ready && view.problems[0].message.contains("No measurement"));
    bench.choices.label = None;
    assert!(bench.apply().problems[0].message.contains("No outcome"));
}

#[test]
fn texts_are_features_once_they_are_read() {
    let mut bench = bench(
        "note,age,outcome\nlump,51,ill\nno finding,60,well\nlump,40,ill\nno finding,70,well\n",
    );
    bench.choices.text = Some(0);
    bench.choices.features = vec![1];
    let view = bench.apply();
    assert!(!view.ready && view.problems[0].message.contains("not read"));
    bench
        .read_text(0, &[0.5, 0.25, -1.0, -0.5, 0.0, 1.0])
        .unwrap();
    let view = bench.apply();
    assert!(view.ready);
    assert_eq!(view.features, 4);
    let records = &bench.chosen().unwrap().dataset.records;
    assert_eq!(records.row(1), [-0.5, 0.0, 1.0, 60.0]);
}

#[test]
fn pictures_are_features_and_refused_ones_are_named() {
    let mut bench = Workbench::listed(
        b"scan,patient,kind\n1.png,p,CT\n2.png,q,MRI\n3.png,r,CT\n4.png,s,MRI\n5.png,t,CT\n",
    )
    .unwrap();
    assert_eq!(
        (bench.choices.pictures, bench.choices.label),
        (Some(0), Some(2))
    );
    assert!(bench.choices.features.is_empty());
    let view = bench.apply();
    assert!(!view.ready && view.problems[0].message.contains("not read"));
    let source = PictureSource {
        column: "scan".into(),
        name: "net".into(),
        card: "ab".into(),
    };
    let refusal = ClientError::new("CC-1020", "It cannot be read.", "Save it as PNG.");
    let features = [
        Ok(vec![0.5, 1.0]),
        Ok(vec![0.0, -1.0]),
        Err(refusal),
        Ok(vec![0.1, -1.0]),
        Ok(vec![0.4, 1.0]),
    ];
    let mut table = bench.table.clone();
    table.with_pictures(source, &features).unwrap();
    bench.read = Some((0, table));
    let view = bench.apply();
    assert!(!view.ready);
    assert_eq!((view.missing, view.problems.len()), (1, 1));
    assert!(view.problems[0].message.starts_with("3.png: "));
    bench.choices.missing = "drop".to_owned();
    let view = bench.apply();
    assert!(view.ready);
    // What is left is that so few records test little.
    let [warning] = &view.problems[..] else {
        panic!("{} problems", view.problems.len());
    };
    assert_eq!(warning.severity, "warning");
    assert!(!warning.message.contains("3.png"), "{}", warning.message);
    assert_eq!((view.features, view.dropped), (2, 1));
}
