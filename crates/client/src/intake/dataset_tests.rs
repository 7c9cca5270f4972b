use super::*;
use crate::intake::read_csv;

fn table(text: &str) -> Table {
    read_csv(text.as_bytes()).unwrap()
}

fn with(missing: MissingPolicy) -> Selection {
    Selection {
        missing,
        ..Selection::all("label")
    }
}

#[test]
fn takes_numbers_and_leaves_text_and_constants_out() {
    let data = table("name,a,k,b,label\nx,1,7,2,yes\ny,3,7,4,no\nz,5,7,6,no\n")
        .select(&Selection::all("label"))
        .unwrap();
    assert_eq!(data.records.features, ["a", "b"]);
    assert_eq!(data.records.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(data.classes_of_rows, [1, 0, 0]);
    assert_eq!(
        data.classes[0],
        Class {
            name: "no".into(),
            rows: 2
        }
    );
    assert_eq!(data.records.notes.len(), 2);
    assert_eq!(positive_class(&data.classes).0, 1);
}

#[test]
fn gaps_are_refused_dropped_or_filled_as_told() {
    let table = table("a,b,label\n1,2,0\n,3,1\n4,,1\n5,6,\n7,8,0\n9\n2,2,1\n");
    let refused = table.select(&Selection::all("label")).unwrap_err();
    assert_eq!(refused.code, "CC-1012");
    assert!(
        refused.message.contains("4 of 7") && refused.message.contains("row 2"),
        "{}",
        refused.message
    );

    let dropped = table.select(&with(MissingPolicy::Drop)).unwrap();
    assert_eq!(dropped.records.row_numbers, [1, 5, 7]);
    assert_eq!(dropped.classes_of_rows, [0, 0, 1]);

    let filled = table.select(&with(MissingPolicy::FillMedian)).unwrap();
    assert_eq!(filled.records.row_numbers, [1, 2, 3, 5, 7]);
    assert!(filled.records.values[2].is_nan() && filled.records.values[5].is_nan());
    assert!(
        filled
            .records
            .notes
            .iter()
            .any(|note| note.ends_with("column: 2."))
    );
}

#[test]
fn a_gap_in_a_column_left_out_does_not_matter() {
    let table = table("a,b,label\n1,,x\n2,,y\n3,4,x\n3,5,x\n");
    let selection = Selection {
        exclude: vec!["b".into()],
        ..Selection::all("label")
    };
    assert_eq!(table.select(&selection).unwrap().records.rows(), 4);
}

#[test]
fn classes_are_named_sorted_and_limited() {
    let data = table("a,label\n1,10\n2,9\n3,10\n4,-0\n")
        .select(&Selection::all("label"))
        .unwrap();
    let names: Vec<_> = data
        .classes
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    assert_eq!(names, ["0", "9", "10"]);
    assert_eq!(data.classes_of_rows, [2, 1, 2, 0]);
    let many: String = (0..20).map(|i| format!("{i},{i}\n")).collect();
    assert_eq!(
        table(&format!("a,label\n{many}"))
            .select(&Selection::all("label"))
            .unwrap_err()
            .code,
        "CC-1013"
    );
    assert_eq!(
        table("a,label\n1,x\n2,x\n")
            .select(&Selection::all("label"))
            .unwrap_err()
            .code,
        "CC-1013"
    );
}

#[test]
fn a_class_that_is_dropped_leaves_no_hole() {
    let data = table("a,label\n1,x\n,y\n2,z\n3,z\n")
        .select(&with(MissingPolicy::Drop))
        .unwrap();
    assert_eq!(data.classes.len(), 2);
    assert_eq!(data.classes_of_rows, [0, 1, 1]);
}

#[test]
fn wrong_choices_are_explained() {
    let table = table("a,t,label\n1,u,x\n2,v,y\n");
    let code = |selection: Selection| table.select(&selection).unwrap_err();
    let missing = code(Selection::all("diagnosis"));
    assert!(missing.remedy.contains("a, t, label"), "{}", missing.remedy);
    let chosen = |names: &[&str]| Selection {
        features: Some(names.iter().map(|s| (*s).to_owned()).collect()),
        ..Selection::all("label")
    };
    assert_eq!(code(chosen(&["t"])).code, "CC-1010");
    assert_eq!(code(chosen(&["a", "label"])).code, "CC-1010");
    assert_eq!(code(chosen(&["nope"])).code, "CC-1010");
    assert_eq!(
        table
            .select_records(&["t".into()], MissingPolicy::Report)
            .unwrap_err()
            .code,
        "CC-1010"
    );
}

#[test]
fn the_rarer_class_is_positive() {
    let class = |name: &str, rows| Class {
        name: name.into(),
        rows,
    };
    assert_eq!(positive_class(&[class("left", 3), class("right", 9)]).0, 0);
    assert_eq!(positive_class(&[class("left", 9), class("right", 3)]).0, 1);
    assert_eq!(positive_class(&[class("0", 3), class("1", 9)]).0, 1);
    assert_eq!(positive_class(&[class("B", 357), class("M", 212)]).0, 1);
}
