//! Written records: the language model reads them in the page, and the head is trained on what it made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use confide_client::intake::read_csv;

use crate::figures::{long_tasks, observe};
use crate::page::{Page, dist};
use crate::{make_key, percent, train};

/// Answers from the sites of the NIH, in the place of notes on patients.
const SAMPLE: &str = include_str!("../../../samples/medquad-cancer.csv");

/// Records of the sample: enough to learn from, few enough for a test.
const RECORDS: usize = 240;
/// Text files of a test.
const FILES: usize = 80;
/// Time that the language model has for all records.
const READ: Duration = Duration::from_secs(900);
/// Seconds that the whole job on all records of the sample may take, and megabytes that it may send.
const WHOLE: (f64, f64) = (600.0, 400.0);

/// Whether the page has the language model, which is fetched and packed by `cargo xtask text-model`.
fn has_model() -> bool {
    let model: PathBuf = dist().join("text-model.safetensors");
    let there = model.is_file();
    assert!(
        there || std::env::var_os("CONFIDE_TEXT_MODEL").is_none(),
        "{} is missing",
        model.display()
    );
    there
}

/// A page with a key, before its records; none where it has no language model.
async fn begin(name: &'static str) -> Option<Page> {
    if !has_model() {
        eprintln!("skipped: the page has no language model; `cargo xtask text-model` makes it");
        return None;
    }
    let page = Page::open(name).await;
    make_key(&page).await;
    page.press("#key-next").await;
    Some(page)
}

/// Lets the page read a table with a header and columns `topic` and `text`.
async fn read(page: &Page, lines: &[&str]) {
    let file = page.file("notes.csv", &lines.join("\n"));
    page.choose("#csv", &file).await;
    page.wait("#text-column").await;
    let choose = |id: &str, name: &str| {
        format!(
            "const field = document.getElementById('{id}'); field.value = [...field.options].find((one) => one.text === '{name}').value; \
             field.dispatchEvent(new Event('change'))"
        )
    };
    let begun = Instant::now();
    page.script(&choose("text-column", "text")).await;
    page.wait(".working").await;
    page.shot("1-reading").await;
    page.wait_for("#text-read", READ).await;
    println!(
        "{} texts read in {:.1} s",
        lines.len() - 1,
        begun.elapsed().as_secs_f64()
    );
    page.expand().await;
    page.script(&choose("group-column", "topic")).await;
    page.wait("#ask-plan:not([disabled])").await;
    assert!(page.text(".ready").await.contains("384 measurements"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_trains_on_written_records() {
    let Some(page) = begin("written").await else {
        return;
    };
    let lines: Vec<&str> = SAMPLE.lines().take(RECORDS + 1).collect();
    let begun = Instant::now();
    read(&page, &lines).await;
    page.shots("2-records").await;
    let accuracy = train(&page).await;
    println!("whole job: {:.1} s", begun.elapsed().as_secs_f64());
    assert!(
        accuracy[0] > 80.0 && (accuracy[0] - accuracy[1]).abs() <= 3.0,
        "{accuracy:?}"
    );
    page.shot("3-results").await;

    page.press("#to-predict").await;
    page.fill(
        "#written-record",
        "The tumor has spread to the lymph nodes; chemotherapy, radiation therapy and surgery are used to treat this cancer.",
    )
    .await;
    page.press("#predict-one").await;
    let risk = percent(
        &page
            .wait_for("#prediction .risk-value", Duration::from_secs(120))
            .await
            .text()
            .await
            .expect("a risk"),
    );
    assert!(risk > 50.0, "a text on cancer: {risk} %");
    page.shot("4-predict").await;

    // A reload loses nothing, and a file of new patients is read as well.
    page.reload().await;
    page.wait("#measures").await;
    page.press("#to-predict").await;
    let file = page.file("new.csv", &lines[..9].join("\n"));
    page.choose("#new-csv-file", &file).await;
    page.wait_for("#new-csv", Duration::from_secs(120)).await;
    assert_eq!(page.texts("#prediction tbody tr").await.len(), 8);
    page.check_quiet().await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_trains_on_text_files() {
    let Some(page) = begin("text-files").await else {
        return;
    };
    let sample = read_csv(SAMPLE.as_bytes()).expect("the sample");
    let cell = |name: &str, row| sample.column(name).expect("a column").shown(row);
    let notes = page.path("notes");
    let write = |folder: &Path, row| {
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join(format!("{row}.txt")), cell("text", row)).expect("a file");
    };
    for row in 0..FILES {
        write(&notes.join(cell("label", row)), row);
    }
    fs::write(notes.join("about.pdf"), "no record").expect("a file");
    page.shots("1-pick").await;

    // A file that is no text is named, and nothing is lost by it.
    let broken = notes.join(cell("label", 0)).join("broken.txt");
    fs::write(&broken, [0xff, 0xfe, 0]).expect("a file");
    page.choose("#csv-folder", &notes).await;
    let refusal = page.text("#error").await;
    assert!(
        refusal.contains("CC-1018") && refusal.contains("broken.txt"),
        "{refusal}"
    );
    page.press("#error .close").await;
    fs::remove_file(&broken).expect("the file");

    // The folders are the outcomes, and the language model reads the texts at once.
    page.choose("#csv-folder", &notes).await;
    page.wait_for("#text-read", READ).await;
    page.wait("#ask-plan:not([disabled])").await;
    page.shots("2-read").await;
    let classes = page.text(".classes").await;
    assert!(classes.contains(&cell("label", 0)), "{classes}");
    let accuracy = train(&page).await;
    assert!(accuracy[0] > 60.0, "{accuracy:?}");

    page.press("#to-predict").await;
    let new = page.path("new");
    for row in FILES..FILES + 3 {
        write(&new, row);
    }
    page.choose("#new-csv-file-folder", &new).await;
    page.wait_for("#new-csv", Duration::from_secs(120)).await;
    let rows = page.texts("#prediction tbody tr").await;
    let named = |row: usize| {
        rows.iter()
            .any(|one| one.starts_with(&format!("{row}.txt")))
    };
    assert!(rows.len() == 3 && named(FILES), "{rows:?}");
    page.shots("3-predict").await;
    page.check_quiet().await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; needs the language model and a machine that does nothing else for minutes"]
async fn browser_trains_on_all_written_records() {
    assert!(has_model(), "`cargo xtask text-model` makes it");
    let mut page = Page::prepare("written-all").await;
    page.audits = false;
    observe(&page).await;
    page.visit().await;
    make_key(&page).await;
    page.press("#key-next").await;
    let lines: Vec<&str> = SAMPLE.lines().collect();
    let begun = Instant::now();
    read(&page, &lines).await;
    let accuracy = train(&page).await;
    let seconds = begun.elapsed().as_secs_f64();
    let tasks = long_tasks(&page).await;
    page.press("#open-ledger").await;
    page.press("#ledger-csv").await;
    let sent = fs::read_to_string(page.downloaded("ledger.csv").await).expect("the ledger");
    let sent: u64 = sent.lines().skip(1).map(bytes).sum();
    println!(
        "{} records: {seconds:.0} s, {:.1} MB sent, accuracy {} % locked and {} % unlocked, tasks above 50 ms: {tasks:?}",
        lines.len() - 1,
        sent as f64 / 1e6,
        accuracy[0],
        accuracy[1]
    );
    assert!(seconds < WHOLE.0 && sent as f64 / 1e6 < WHOLE.1);
    assert!((accuracy[0] - accuracy[1]).abs() <= 0.5, "{accuracy:?}");
    page.check_quiet().await;
    page.close().await;
}

/// The bytes of a line of the ledger: time, quoted name, form, bytes, quoted description.
fn bytes(line: &str) -> u64 {
    let after_name = line.split("\",").nth(1).expect("a name");
    let bytes = after_name.split(',').nth(1).expect("a number of bytes");
    bytes.parse().expect("a number")
}
