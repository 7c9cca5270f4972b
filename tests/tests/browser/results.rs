//! The results: curves, threshold, parts of the records, model card, print, files, and refused patients.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::page::{Page, decode, target};
use crate::{RUN, make_key};

const PATIENCE: Duration = Duration::from_secs(60);

impl Page {
    /// Waits until an element has a text with these words.
    async fn wait_text(&self, css: &str, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = plain(&self.text(css).await);
            if text.contains(words) {
                return text;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{css} does not say {words:?}: {text}"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Chooses what a list offers under this name.
    async fn choose_option(&self, css: &str, name: &str) {
        self.wait(css).await;
        let script = format!(
            "const f = document.querySelector('{css}'); f.value = [...f.options].find((one) => one.text === '{name}').value; f.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        );
        self.script(&script).await;
    }

    /// Prints the page into a file beside the pictures, and returns how many pages it has.
    async fn print(&self, name: &str) -> usize {
        let printed = self
            .browser
            .devtools(
                "Page.printToPDF",
                json!({ "printBackground": true, "preferCSSPageSize": true }),
            )
            .await;
        let bytes = decode(printed["data"].as_str().expect("a document"));
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder for documents");
        fs::write(folder.join(name), &bytes).expect("a document can be written");
        assert!(bytes.starts_with(b"%PDF"), "it is a PDF");
        let text = String::from_utf8_lossy(&bytes);
        text.matches("/Type /Page").count() - text.matches("/Type /Pages").count()
    }
}

/// A text without the spaces that keep numbers and their units together.
fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

/// Sum of a column of counts, each the first word of its cell.
fn sum(cells: &[String]) -> usize {
    let count = |cell: &String| {
        let first = cell.split_whitespace().next().unwrap_or_default();
        first.replace(',', "").parse::<usize>().expect("a count")
    };
    cells.iter().map(count).sum()
}

/// Drives the results of the sample: 113 test records, 42 of them "M".
pub async fn look_at_the_sample(page: &Page) {
    let plots = page
        .script("return ['#curves svg', '#calibration svg', '#histogram svg'].map((css) => [...document.querySelectorAll(css)].every((one) => one.querySelector('title').textContent && one.querySelector('desc').textContent) && document.querySelectorAll(css).length)")
        .await;
    assert_eq!(plots, json!([2, 1, 1]), "plots are described in words");
    let bands = page
        .script("return [...document.querySelectorAll('#curves .band')].map((one) => one.getAttribute('d').split('L').length)")
        .await;
    assert_eq!(bands, json!([202, 202]), "two bands of 101 places");

    // The slider: lower, and more are called.
    let before = page.wait_text("#decision caption", "50 %").await;
    assert!(before.contains("Wilson"));
    page.set("threshold", "2", "input").await;
    page.wait_text("#decision caption", "2 %").await;
    let counts = page.text("#decision-counts").await;
    assert!(counts.starts_with("Of 113 records"), "{counts}");
    assert_eq!(sum(&page.texts("#confusion tbody td").await), 113);
    let ring = "return document.querySelector('#curves .marker').getAttribute('cx')";
    let low = page.script(ring).await;
    page.set("threshold-exact", "97", "change").await;
    page.wait_text("#decision caption", "97 %").await;
    assert_ne!(low, page.script(ring).await, "the ring follows");
    page.set("threshold", "30", "input").await;
    page.wait_text("#decision caption", "30 %").await;

    // Parts of the records, by thirds and by a band of the user's own.
    page.choose_option("#subgroup-column", "mean_radius").await;
    page.wait_text("#subgroups caption", "mean_radius").await;
    let records = "#subgroups tbody td:nth-of-type(1)";
    assert_eq!(page.texts(records).await.len(), 3);
    assert_eq!(sum(&page.texts(records).await), 113);
    assert!(
        page.text("#subgroup-place .notice")
            .await
            .contains("under 50 records")
    );
    page.fill("#subgroup-cuts", "fifteen").await;
    page.press("#subgroup-apply").await;
    page.wait(".notice-error").await;
    page.fill("#subgroup-cuts", "15").await;
    page.press("#subgroup-apply").await;
    page.wait_text("#subgroups tbody", "under 15").await;
    assert_eq!(sum(&page.texts(records).await), 113);
    page.shots("6-results-looked-at").await;

    report(page).await;
}

/// The model card, its print, and the file of the whole report.
async fn report(page: &Page) {
    page.press("#to-report").await;
    page.wait("#model-card").await;
    assert_eq!(page.texts(".card-item").await.len(), 27);
    let card = plain(&page.text("#model-card").await);
    for words in [
        "Sensitivity",
        "Area under the ROC curve",
        "113 to test",
        "30 %",
        "L2 penalty",
    ] {
        assert!(card.contains(words), "the card does not say {words:?}");
    }
    page.fill("#answer-3", "Triage of breast lumps before a biopsy.")
        .await;
    page.fill("#answer-not", "Patients under 18").await;
    page.script("document.activeElement.blur()").await;
    page.shots("6-report").await;
    let pages = page.print("report.pdf").await;
    assert!((4..=12).contains(&pages), "the report has {pages} pages");

    // The bar at the top would lie over them.
    page.script("window.scrollTo(0, 0)").await;
    page.press("#report-json").await;
    let path = page.downloaded("report.json").await;
    let text = fs::read_to_string(path).expect("the report");
    let whole: Value = serde_json::from_str(&text).expect("the report is JSON");
    let looked_at = &whole["looked_at"];
    assert_eq!(looked_at["threshold"], 0.3);
    assert_eq!(looked_at["class"], "M");
    assert_eq!(looked_at["subgroups"].as_array().map(Vec::len), Some(2));
    assert_eq!(looked_at["roc"]["low"].as_array().map(Vec::len), Some(101));
    assert_eq!(whole["assessments"][0]["records"], 113);
    let items = whole["model_card"]["items"].as_array().expect("the card");
    assert_eq!(items.len(), 27);
    assert_eq!(
        items[2]["answer"],
        "Triage of breast lumps before a biopsy."
    );
    let not = whole["model_card"]["not_for_use_when"].to_string();
    assert!(not.contains("Patients under 18"), "{not}");

    page.press("#report-back").await;
    // What was chosen and written outlives a reload.
    page.reload().await;
    page.wait_text("#decision caption", "30 %").await;
    page.wait("#subgroups").await;
    page.press("#threshold-reset").await;
    page.wait_text("#decision caption", "50 %").await;
}

/// A file in which some patients lack a value: why a row was refused, and what the others' risks have been worth.
pub async fn refuse_patients(page: &Page) {
    let sample = include_str!("../../../samples/wisconsin.csv");
    let mut lines: Vec<String> = sample.lines().take(4).map(str::to_owned).collect();
    let cells: Vec<&str> = lines[2].split(',').collect();
    lines[2] = [&cells[..1], &[""], &cells[2..]].concat().join(",");
    let file = page.file("gaps.csv", &lines.join("\n"));
    page.choose("#new-csv-file", &file).await;
    page.wait_text("#scored", "2 scored, 1 refused").await;
    let rows = page.texts("#prediction tbody tr").await;
    assert!(
        rows[1].contains("not scored") && rows[1].contains("mean_texture"),
        "{rows:?}"
    );
    assert!(rows[0].contains("M") && rows[0].contains('–'), "{rows:?}");
    page.press("#new-csv").await;
    let path = page.downloaded("new-patients.csv").await;
    let csv = fs::read_to_string(path).expect("the predictions");
    assert!(
        csv.starts_with("row,label,probability M,similar records M"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_shows_the_results_of_several_groups() {
    let page = Page::open("groups").await;
    make_key(&page).await;
    page.press("#key-next").await;
    // Six groups around a circle; of the last there is one record, which trains, so that none is left to test.
    let line = |row: usize| {
        let group = if row == 240 { 5 } else { row % 5 };
        let noise = |factor: usize| ((row * factor) % 97) as f64 / 97.0 - 0.5;
        let angle = group as f64 * 1.1;
        let (x, y) = (angle.cos() + noise(31), angle.sin() + noise(57));
        let site = ["north", "south"][(row / 5) % 2];
        format!("{x:.3},{y:.3},{site},kind {group}")
    };
    let lines: Vec<String> = (0..=240).map(line).collect();
    let file = page.file(
        "patients.csv",
        &format!("x,y,site,kind\n{}\n", lines.join("\n")),
    );
    page.choose("#csv", &file).await;
    page.choose_option("#label-column", "kind").await;
    page.press("#ask-plan").await;
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait_for("#measures", RUN).await;
    let tests = sum(&page.texts("#confusion tbody td").await);
    assert_eq!(tests, 50, "a fifth of five groups of 48, rounded");
    assert_eq!(page.texts("#curves svg").await.len(), 2);
    page.choose_option("#subgroup-column", "site").await;
    page.wait_text("#subgroups tbody", "south").await;
    page.shots("results").await;
    // A group without test records has no curves, and breaks nothing.
    page.choose_option("#look-at", "kind 5").await;
    page.wait("#no-curves").await;
    page.press("#to-report").await;
    page.wait("#model-card").await;
    page.press("#report-back").await;
    page.choose_option("#look-at", "kind 2").await;
    page.wait_text("#decision tbody", "kind 2").await;
    page.press("#to-predict").await;
    page.press("#predict-one").await;
    page.wait("#prediction").await;
    assert_eq!(page.texts("#prediction .risk").await.len(), 6);
    page.shots("predict").await;
    page.check_quiet().await;
    page.close().await;
}
