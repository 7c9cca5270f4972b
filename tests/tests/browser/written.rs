//! Written records: the language model reads them in the page, and the head is trained on what it made of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::page::{Page, dist};
use crate::{RUN, make_key, percent};

/// Records of the sample: enough to learn from, few enough for a test.
const RECORDS: usize = 240;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_trains_on_written_records() {
    if !has_model() {
        eprintln!("skipped: the page has no language model; `cargo xtask text-model` makes it");
        return;
    }
    let page = Page::open("written").await;
    make_key(&page).await;
    page.press("#key-next").await;
    let sample = include_str!("../../../samples/medquad-cancer.csv");
    let lines: Vec<&str> = sample.lines().take(RECORDS + 1).collect();
    let file = page.file("notes.csv", &lines.join("\n"));
    page.choose("#csv", &file).await;
    let begun = Instant::now();
    page.wait("#text-column").await;
    let choose = |id: &str, name: &str| {
        format!(
            "const field = document.getElementById('{id}'); field.value = [...field.options].find((one) => one.text === '{name}').value; \
             field.dispatchEvent(new Event('change'))"
        )
    };
    page.script(&choose("text-column", "text")).await;
    page.wait(".working").await;
    page.shot("1-reading").await;
    page.wait_for("#text-read", RUN).await;
    println!(
        "{RECORDS} texts read in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    page.script("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        .await;
    page.script(&choose("group-column", "topic")).await;
    page.wait("#ask-plan:not([disabled])").await;
    assert!(page.text(".ready").await.contains("384 measurements"));
    page.shots("2-records").await;
    page.press("#ask-plan").await;
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait_for("#measures", RUN).await;
    println!("whole job: {:.1} s", begun.elapsed().as_secs_f64());
    let accuracy: Vec<f64> = page.texts("#measure-accuracy td .value").await[..2]
        .iter()
        .map(|text| percent(text))
        .collect();
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
