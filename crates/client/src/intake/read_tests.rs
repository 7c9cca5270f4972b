use super::*;
use proptest::prelude::*;

fn numbers(table: &Table, name: &str) -> Vec<f64> {
    match &table.column(name).unwrap().values {
        Values::Numeric(numbers) => numbers.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

fn count(table: &Table, kind: ProblemKind) -> usize {
    table
        .problem_counts
        .iter()
        .find(|(k, _)| *k == kind)
        .map_or(0, |(_, c)| *c)
}

#[test]
fn reads_byte_order_mark_carriage_returns_and_quotes() {
    let table = read_csv(b"\xEF\xBB\xBF\"a, first\",b,label\r\n1,2,yes\r\n\"3\",4e0,no\r\n\r\n5,\"6\",\"y\"\"es\"\r\n").unwrap();
    assert_eq!(table.delimiter, b',');
    assert_eq!(numbers(&table, "a, first"), [1.0, 3.0, 5.0]);
    assert_eq!(numbers(&table, "b"), [2.0, 4.0, 6.0]);
    assert_eq!(table.column("label").unwrap().shown(2), "y\"es");
    assert!(table.problems.is_empty(), "{:?}", table.problems);
}

#[test]
fn reads_other_delimiters_and_decimal_commas() {
    let table = read_csv(b"a;b;label\n1,5;2;0\n-2,25;3;1\n").unwrap();
    assert_eq!(table.delimiter, b';');
    assert_eq!(numbers(&table, "a"), [1.5, -2.25]);
    assert_eq!(read_csv(b"a\tb\n1\t2\n").unwrap().delimiter, b'\t');
    assert_eq!(read_csv(b"a|b\n1|2\n").unwrap().delimiter, b'|');
}

#[test]
fn reports_gaps_and_words_with_row_and_column() {
    let table = read_csv(b"a,b,c\n1,2,x\n,3,x\n4,oops,y\n5,6,\n").unwrap();
    let places: Vec<_> = table
        .problems
        .iter()
        .map(|p| (p.kind, p.row, p.line, p.column.clone().unwrap()))
        .collect();
    assert_eq!(
        places,
        [
            (ProblemKind::Missing, Some(2), Some(3), "a".to_owned()),
            (ProblemKind::NotANumber, Some(3), Some(4), "b".to_owned()),
            (ProblemKind::Missing, Some(4), Some(5), "c".to_owned()),
        ]
    );
}

#[test]
fn reports_ragged_rows_and_keeps_the_others() {
    let table = read_csv(b"a,b\n1,2\n3\n4,5,6\n7,8\n").unwrap();
    assert_eq!(table.row_numbers, [1, 4]);
    assert_eq!(table.ragged_rows, 2);
    assert_eq!(count(&table, ProblemKind::Ragged), 2);
}

#[test]
fn reports_names_and_idle_columns() {
    let table =
        read_csv(b"a,a,,k,e,patient_id\n1,2,3,7,,10\n1.5,2,4,7,,11\n3,3,3,7,,12\n3,3,3,7,,13\n")
            .unwrap();
    assert_eq!(count(&table, ProblemKind::DuplicateName), 1);
    assert_eq!(count(&table, ProblemKind::Unnamed), 1);
    assert_eq!(count(&table, ProblemKind::Constant), 2);
    assert_eq!(count(&table, ProblemKind::Identifier), 1);
    assert!(table.column("column 3").is_some());
}

#[test]
fn refuses_what_is_no_table() {
    let code = |bytes: &[u8]| read_csv(bytes).unwrap_err().code;
    assert_eq!(code(b""), "CC-1002");
    assert_eq!(code(b" \n \n"), "CC-1002");
    assert_eq!(code(b"a,b,c\n"), "CC-1002");
    assert_eq!(code(b"1,2,3\n4,5,6\n"), "CC-1003");
    assert_eq!(code(b"a\n1\n"), "CC-1004");
    assert_eq!(code(b"a,b\n1,\xFF\n"), "CC-1001");
    assert_eq!(code(b"\xFF\xFEa\0,\0b\0"), "CC-1001");
    assert_eq!(code(b"PK\x03\x04\0\0"), "CC-1001");
    let wide = (0..600)
        .map(|i| format!("c{i}"))
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(code(format!("{wide}\n{wide}\n").as_bytes()), "CC-1004");
    let message = read_csv(b"a,b\n1,2\n3,\xE9\n").unwrap_err().message;
    assert!(message.contains("Line 3"), "{message}");
}

#[test]
fn counts_all_problems_but_keeps_few() {
    let mut text = String::from("a,b\n");
    for _ in 0..500 {
        text.push_str(",1\n2,2\n");
    }
    let table = read_csv(text.as_bytes()).unwrap();
    assert_eq!(count(&table, ProblemKind::Missing), 500);
    let kept = table
        .problems
        .iter()
        .filter(|p| p.kind == ProblemKind::Missing)
        .count();
    assert_eq!(kept, super::super::KEPT_PROBLEMS);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_csv(&bytes);
    }

    #[test]
    fn no_text_of_csv_signs_panics(text in "[a-c0-9,;\"\n\r\t |.\\-]{0,200}") {
        if let Ok(table) = read_csv(text.as_bytes()) {
            for column in &table.columns {
                prop_assert_eq!(column.len(), table.rows());
            }
        }
    }

    #[test]
    fn numbers_survive(values in proptest::collection::vec((-1e12f64..1e12, any::<i32>()), 1..40)) {
        let mut text = String::from("a,b\n");
        for (a, b) in &values {
            text.push_str(&format!("{a:e},{b}\n"));
        }
        let table = read_csv(text.as_bytes()).unwrap();
        prop_assert_eq!(numbers(&table, "a"), values.iter().map(|v| v.0).collect::<Vec<_>>());
        prop_assert_eq!(numbers(&table, "b"), values.iter().map(|v| v.1 as f64).collect::<Vec<_>>());
    }
}
