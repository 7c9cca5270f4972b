use super::*;
use crate::intake::{MissingPolicy, Selection};

const LIST: &str =
    "scan,patient,kind\na/1.png,p1,CT\na/2.png,p1,CT\nb/1.png,p2,MRI\nb/2.jpeg,p3,MRI\n";

fn source(column: &str) -> PictureSource {
    PictureSource {
        column: column.into(),
        name: "net".into(),
        card: "ab".into(),
    }
}

fn refusal() -> ClientError {
    ClientError::new("CC-1020", "It cannot be read.", "Save it as PNG.")
}

#[test]
fn lists_with_and_without_more_columns_are_tables() {
    let (table, column) = read_picture_table(b"1.png,CT\n2.png,\"x, y\"\n").unwrap();
    assert_eq!(column, "picture");
    assert_eq!(table.texts("picture").unwrap(), ["1.png", "2.png"]);
    assert_eq!(table.texts("label").unwrap(), ["CT", "x, y"]);
    let (table, column) = read_picture_table(LIST.as_bytes()).unwrap();
    assert_eq!((column.as_str(), table.rows()), ("scan", 4));
    for (bad, word) in [
        ("file,label\n1.png,a\n1.png,b\n", "two labels"),
        ("f,patient,label\n1.png,p,a\n1.png,q,b\n", "twice"),
        ("f,patient,label\n1.png,p,a\nnotes.txt,q,b\n", "PNG or JPEG"),
    ] {
        let error = read_picture_table(bad.as_bytes()).unwrap_err();
        assert_eq!(error.code, "CC-1022");
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn names_are_found_among_paths() {
    let own = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    let paths = own(&["scans/a/1.png", "scans/b/1.png", "scans/b/2.png", "2.png"]);
    let names = own(&[
        "a/1.png",
        "./b\\1.png",
        "1.png",
        "2.png",
        "3.png",
        "scans/b/2.png",
    ]);
    let found: Vec<Option<usize>> = match_pictures(&names, &paths)
        .into_iter()
        .map(Result::ok)
        .collect();
    assert_eq!(found, [Some(0), Some(1), None, Some(3), None, Some(2)]);
    let errors = match_pictures(&names, &paths);
    assert!(
        errors[2]
            .as_ref()
            .is_err_and(|e| e.message.contains("Several"))
    );
    assert!(
        errors[4]
            .as_ref()
            .is_err_and(|e| e.message.contains("No picture"))
    );
}

#[test]
fn features_take_the_place_of_pictures_and_refused_ones_are_never_filled() {
    let (mut table, column) = read_picture_table(LIST.as_bytes()).unwrap();
    let features = [
        Ok(vec![0.5, -1.0]),
        Err(refusal()),
        Ok(vec![0.25, 2.0]),
        Ok(vec![1.0, 3.0]),
    ];
    table.with_pictures(source(&column), &features).unwrap();
    assert_eq!(table.read_features(), ["scan #1", "scan #2"]);
    assert_eq!((table.problems.len(), table.problems[0].row), (1, Some(2)));
    assert!(table.problems[0].message.starts_with("a/2.png: It cannot"));
    let select = |missing| {
        table.select(&Selection {
            features: Some(table.read_features()),
            group: Some("patient".into()),
            missing,
            ..Selection::all("kind")
        })
    };
    assert_eq!(select(MissingPolicy::Report).unwrap_err().code, "CC-1012");
    for missing in [MissingPolicy::Drop, MissingPolicy::FillMedian] {
        let dataset = select(missing).unwrap();
        assert_eq!(dataset.records.row_numbers, [1, 3, 4]);
        assert_eq!(dataset.records.row(1), [0.25, 2.0]);
        assert_eq!(
            (dataset.groups.as_slice(), dataset.pictures),
            ([0, 1, 2].as_slice(), Some(source("scan")))
        );
    }
}

#[test]
fn new_pictures_are_records_and_refused_ones_say_why() {
    let names = vec!["x.png".to_owned(), "y.png".to_owned()];
    let mut table = Table::of_pictures("scan", names);
    table
        .with_pictures(source("scan"), &[Err(refusal()), Ok(vec![1.0, 2.0])])
        .unwrap();
    let features = table.read_features();
    let refused = table.refusals(&features);
    assert_eq!((refused.len(), refused[0].row), (1, 1));
    assert_eq!(refused[0].reason, "x.png: It cannot be read.");
    let records = table
        .select_records(&features, MissingPolicy::Drop)
        .unwrap();
    assert_eq!(
        (records.row(0), &records.row_numbers[..]),
        ([1.0, 2.0].as_slice(), &[2][..])
    );
}

#[test]
fn without_any_usable_picture_the_first_reason_is_given() {
    let mut table = Table::of_pictures("scan", vec!["x.png".to_owned()]);
    let error = table
        .with_pictures(source("scan"), &[Err(refusal())])
        .unwrap_err();
    assert_eq!(error.code, "CC-1015");
    assert!(error.message.contains("cannot be read"), "{error}");
    assert!(table.with_pictures(source("scan"), &[]).is_err());
}

#[test]
fn pictures_of_which_nothing_is_computed_keep_their_places() {
    let (mut table, column) = read_picture_table(LIST.as_bytes()).unwrap();
    let read = [Ok(()), Err(refusal()), Ok(()), Ok(())];
    table.with_images(source(&column), &read).unwrap();
    let dataset = table
        .select(&Selection {
            features: Some(table.read_features()),
            missing: MissingPolicy::Drop,
            ..Selection::all("kind")
        })
        .unwrap();
    assert_eq!(dataset.image_places(), [0, 2, 3]);
    assert_eq!(dataset.records.row_numbers, [1, 3, 4]);
}

#[test]
fn folders_are_labels_with_and_without_the_name_of_the_chosen_one() {
    let labels = |paths: &[&str]| {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        labels_of_folders(&paths)
    };
    let pair = |file: &str, label: &str| (file.to_owned(), label.to_owned());
    let expected = vec![pair("scans/ct/1.png", "ct"), pair("scans/mr/1.png", "mr")];
    let chosen = [
        "scans/ct/1.png",
        "scans/mr/1.png",
        "scans/0.png",
        "scans/mr/old/2.png",
    ];
    assert_eq!(labels(&chosen), Ok(expected.clone()));
    let inside = [pair("ct/1.png", "ct"), pair("mr/1.png", "mr")];
    assert_eq!(labels(&["ct/1.png", "mr/1.png"]), Ok(inside.to_vec()));
    assert_eq!(labels(&["1.png"]).unwrap_err().code, "CC-1022");
    let (table, column) = read_picture_table(&picture_list(&expected).unwrap()).unwrap();
    assert_eq!((table.rows(), column.as_str()), (2, "picture"));
}
