//! What a clinician does, in headless Chromium, with the real worker and the full sample.

mod axe;
mod chromium;
mod classify;
mod figures;
mod keyboard;
mod locked;
mod page;
mod pictured;
mod projects;
mod readers;
mod results;
mod start;
mod written;

use std::{
    fs,
    time::{Duration, Instant},
};

use page::{PASSPHRASE, Page};

const RUN: Duration = Duration::from_secs(400);

async fn make_key(page: &Page) {
    page.press("#begin").await;
    page.fill("#key-name", "Test clinic").await;
    page.fill("#passphrase", PASSPHRASE).await;
    page.fill("#passphrase-repeat", PASSPHRASE).await;
    page.press("#make-key").await;
    page.press("#backup-stored").await;
}

/// Trains on records that are ready; answers the accuracy of the encrypted head and of the one in the clear, in per cent.
async fn train(page: &Page) -> Vec<f64> {
    page.press("#ask-plan").await;
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait_for("#measures", RUN).await;
    page.texts("#measure-accuracy td .value").await[..2]
        .iter()
        .map(|text| percent(text))
        .collect()
}

/// A percentage that the page shows, as a number.
fn percent(text: &str) -> f64 {
    let number = text.trim().trim_end_matches('%').trim();
    number
        .parse()
        .unwrap_or_else(|_| panic!("{text:?} is no percentage"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_trains_and_predicts_on_the_sample() {
    let page = Page::open("sample").await;
    page.wait("#begin:not([disabled])").await;
    page.wait("#status[data-status=online]").await;
    page.shots("1-connect").await;

    let begun = Instant::now();
    make_key(&page).await;
    page.shot("2-key").await;
    page.press("#key-next").await;
    page.press("#use-sample").await;
    page.wait("#ask-plan:not([disabled])").await;
    assert_eq!(
        page.texts("table.records tbody tr").await.len(),
        20,
        "a table of the first records"
    );
    page.shot("3-records").await;
    page.press("#ask-plan").await;
    page.wait("#manifest").await;
    let manifest = page.text("#manifest").await;
    assert!(
        manifest.contains("Measurements of the training records") && manifest.contains("locked"),
        "{manifest}"
    );
    let start = page.wait("#start-run").await;
    assert!(
        !start.is_enabled().await.expect("a button"),
        "nothing leaves without consent"
    );
    page.shot("4-plan").await;
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait(".phase-working").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    page.shot("5-train").await;
    page.wait_for("#measures", RUN).await;
    println!(
        "whole job in the browser, looked at on the way: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    page.shots("6-results").await;

    let accuracy: Vec<f64> = page.texts("#measure-accuracy td .value").await[..2]
        .iter()
        .map(|text| percent(text))
        .collect();
    println!(
        "accuracy shown: {} % locked, {} % unlocked",
        accuracy[0], accuracy[1]
    );
    assert!(
        accuracy[0] >= 93.0,
        "the accuracy shown is {} %",
        accuracy[0]
    );
    assert!(
        (accuracy[0] - accuracy[1]).abs() <= 2.0,
        "locking costs too much: {accuracy:?}"
    );
    let areas = page.texts("#measure-auc td .value").await;
    assert!(
        areas[0].parse::<f64>().expect("an area") > 0.97,
        "{areas:?}"
    );
    let cells: u32 = page
        .texts("#confusion tbody td")
        .await
        .iter()
        .map(|cell| cell.parse::<u32>().expect("a count"))
        .sum();
    assert_eq!(cells, 113, "every test record is in the confusion matrix");

    page.press("#results-csv").await;
    let csv =
        fs::read_to_string(page.downloaded("predictions.csv").await).expect("the predictions");
    assert_eq!(
        csv.lines().count(),
        114,
        "a header and a line a test record"
    );

    results::look_at_the_sample(&page).await;

    page.press("#to-predict").await;
    page.press("#predict-one").await;
    let risk = percent(&page.text("#prediction .risk-value").await);
    assert!((0.0..=100.0).contains(&risk));
    let sample = include_str!("../../../samples/wisconsin.csv");
    let patients: Vec<&str> = sample.lines().take(9).collect();
    let file = page.file("new.csv", &patients.join("\n"));
    page.choose("#new-csv-file", &file).await;
    page.wait("#new-csv").await;
    let rows = page.texts("#prediction tbody tr").await;
    let malignant = rows.iter().filter(|row| row.contains("\tM\t")).count();
    assert!(
        rows.len() == 8 && malignant >= 7,
        "the first eight patients are malignant: {rows:?}"
    );
    page.shots("7-predict").await;
    results::refuse_patients(&page).await;

    page.press("#open-ledger").await;
    let forms = page.texts("#ledger tbody tr").await;
    for word in [
        "Measurements of the training records",
        "Outcomes of the training records",
        "Working key for moving values",
    ] {
        let those: Vec<&String> = forms.iter().filter(|row| row.contains(word)).collect();
        assert!(
            !those.is_empty() && those.iter().all(|row| !row.contains("readable")),
            "{word}: {those:?}"
        );
    }
    page.shots("8-ledger").await;

    // A reload loses nothing.
    page.reload().await;
    page.wait("#measures").await;
    assert_eq!(
        percent(&page.texts("#measure-accuracy td .value").await[0]),
        accuracy[0]
    );

    page.check_quiet().await;
    page.close().await;
}

/// Epochs of the long training: the fewest with a bootstrap between.
const EPOCHS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_draws_the_progress_of_a_long_training() {
    let page = Page::open("progress").await;
    make_key(&page).await;
    page.press("#key-next").await;
    let line = |row: usize| {
        let (class, noise) = (row % 2, (row * 7919) % 1009);
        let value = noise as f64 / 1009.0 + class as f64;
        let other = (row * 31) % 17;
        format!("{value:.3},{other},{}", ["well", "ill"][class])
    };
    let lines: Vec<String> = (0..200).map(line).collect();
    let file = page.file(
        "patients.csv",
        &format!("marker,age,outcome\n{}\n", lines.join("\n")),
    );
    page.choose("#csv", &file).await;
    page.wait("#ask-plan:not([disabled])").await;
    page.expand().await;
    page.set("epochs", &EPOCHS.to_string(), "change").await;
    page.press("#curve-wanted").await;
    page.wait("#curve-wanted:checked").await;
    page.press("#ask-plan").await;
    let manifest = page.text("#manifest").await;
    assert!(
        manifest.contains("Measurements of the records set aside"),
        "{manifest}"
    );
    assert!(
        manifest.contains("Working keys for refreshing"),
        "{manifest}"
    );
    page.shot("plan").await;
    let begun = Instant::now();
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait("#curve-waiting").await;
    // Points appear while the service goes on: scoring and opening are still to come.
    page.wait_for("#curve svg.plot", RUN).await;
    println!("first point after {:.1} s", begun.elapsed().as_secs_f64());
    page.wait("#pause-run").await;
    page.shots("train").await;
    page.wait_for("#measures", RUN).await;
    println!(
        "long training in the browser: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    page.shots("results").await;

    page.expand().await;
    let points = page.texts("#curve-points tbody tr").await;
    assert_eq!(points.len(), EPOCHS, "{points:?}");
    let cells: Vec<&str> = points[EPOCHS - 1].split('\t').collect();
    assert_eq!(cells[0], EPOCHS.to_string());
    let loss: f64 = cells[1].parse().expect("a loss");
    assert!(loss < 2f64.ln() && percent(cells[2]) > 90.0, "{points:?}");
    let told = page
        .script("return [...document.querySelectorAll('#curve svg')].every((one) => one.querySelector('title').textContent && one.querySelector('desc').textContent)")
        .await;
    assert_eq!(told, true, "plots are described in words");
    page.press("#open-ledger").await;
    let sent = page.texts("#ledger tbody tr").await;
    let aside: Vec<&String> = sent
        .iter()
        .filter(|row| row.contains("set aside"))
        .collect();
    assert!(!aside.is_empty() && aside.iter().all(|row| row.contains("locked")));
    page.check_quiet().await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_shows_where_a_value_is_missing() {
    let page = Page::open("missing").await;
    make_key(&page).await;
    page.press("#key-next").await;
    let sample = include_str!("../../../samples/wisconsin.csv");
    let mut lines: Vec<String> = sample.lines().map(str::to_owned).collect();
    let cells: Vec<&str> = lines[7].split(',').collect();
    lines[7] = [&cells[..1], &[""], &cells[2..]].concat().join(",");
    let file = page.file("patients.csv", &lines.join("\n"));
    page.choose("#csv", &file).await;
    let problems = page.text("#problems").await;
    assert!(
        problems.contains("Row 7") && problems.contains("mean_texture"),
        "{problems}"
    );
    let ask = page.wait("#ask-plan").await;
    assert!(
        !ask.is_enabled().await.expect("a button"),
        "nothing goes on before a choice"
    );
    page.shots("problems").await;
    page.press("#missing-drop").await;
    page.wait("#ask-plan:not([disabled])").await;
    assert!(page.text(".ready").await.contains("1 left out"));
    page.press("#missing-fill").await;
    page.wait("#ask-plan:not([disabled])").await;
    assert!(page.text(".ready").await.contains("1 value"));
    page.check_quiet().await;
    page.close().await;
}
