//! Pictures through a network of the worker's: chosen, refused, locked, classified, resumed, exported and deleted.

use std::fs;
use std::path::Path;
use std::time::Instant;

use confide_client::intake::Picture;
use confide_model::{Card, pattern};
use confide_tests::pictures;

use crate::page::Page;
use crate::{RUN, make_key};

/// Pixels a side of the pictures.
const SIDE: usize = 8;

/// A picture that no other number has, in colour; the test network's values stay in their ranges on it.
fn png(number: usize) -> Vec<u8> {
    let planes = pattern(number + 2, [2, SIDE, SIDE]);
    // The network takes red and green.
    let sample = |at: usize| match at % 3 {
        2 => 0,
        channel => planes[channel * SIDE * SIDE + at / 3],
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a header");
    let samples: Vec<u8> = (0..SIDE * SIDE * 3).map(sample).collect();
    writer.write_image_data(&samples).expect("pixels");
    writer.finish().expect("an end");
    bytes
}

async fn open(test: &'static str) -> Page {
    open_with(test, &["--max-memory", "2GiB"]).await
}

/// A worker with the project's networks, and a project of pictures.
async fn open_with(test: &'static str, flags: &[&str]) -> Page {
    let models = pictures::models().display().to_string();
    let page = Page::prepare_with(test, &[&["--models", &models][..], flags].concat()).await;
    page.visit().await;
    make_key(&page).await;
    page.press("#key-next").await;
    page.press("#use-images").await;
    page.wait("#models").await;
    page
}

async fn choose_model(page: &Page, name: &str) {
    page.press(&format!("input[name=model][value='{name}']"))
        .await;
    page.wait(&format!(".model.chosen input[value='{name}']"))
        .await;
    page.wait("label[for=picture-files]").await;
}

async fn start(page: &Page) {
    page.press("#ask-plan").await;
    let manifest = page.text("#manifest").await;
    assert!(
        manifest.contains("Pictures") && manifest.contains("Working key for multiplying"),
        "{manifest}"
    );
    let start = page.wait("#start-run").await;
    assert!(
        !start.is_enabled().await.expect("a button"),
        "nothing leaves without consent"
    );
    page.shots("2-plan").await;
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait(".phase-working").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_classifies_pictures_with_the_providers_model() {
    let begun = Instant::now();
    let page = open("classify").await;
    let cards = page.text("#models").await;
    let card = fs::read(pictures::models().join("resnet20-cifar10/card.json")).expect("a card");
    let card = Card::parse(&card).expect("a card");
    let right = 100.0 * card.accuracy.expect("a measured accuracy").test;
    let closest = card.ranges.test_closest_to_bound;
    let closest = 100.0 * closest.expect("a measured range").ratio;
    assert!(
        cards.contains(&format!("{right:.1} % of 10,000 test pictures"))
            && cards.contains(&format!("{closest:.0} % of its limit")),
        "{cards}"
    );
    choose_model(&page, "tiny").await;
    let card = page.text(".model.chosen").await;
    assert!(
        card.contains("not measured") && card.contains("not checked"),
        "{card}"
    );

    // A folder tells the right answers; what is no picture is refused with the reason.
    let names = ["a/0.png", "a/1.png", "b/2.png", "3.png", "4.png"];
    for (number, name) in names.iter().enumerate() {
        page.file(&format!("scans/{name}"), &png(number));
    }
    page.file("scans/notes.png", "no picture");
    let whole = png(9);
    let folder = page.file("scans/cut.png", &whole[..whole.len() / 2]);
    page.choose("#picture-folder", folder.parent().expect("a folder"))
        .await;
    let ready = page.text("#pictures-ready").await;
    assert!(
        ready.contains("5 pictures are ready, 2 refused") && ready.contains("Of 3 the right"),
        "{ready}"
    );
    page.expand().await;
    let refused = page.texts("#refused li").await;
    assert!(
        refused.iter().any(|one| one.contains("notes.png")
            && one.contains("neither PNG nor JPEG")
            && one.contains("Save it as")),
        "{refused:?}"
    );
    page.shots("1-pictures").await;
    start(&page).await;

    // What was under way when the page was loaded again goes on.
    page.reload().await;
    page.wait_for("#classes", RUN).await;
    println!("whole job: {:.1} s", begun.elapsed().as_secs_f64());
    page.shots("3-answers").await;
    let canaries = page.text("#canaries").await;
    assert!(canaries.contains("4 pictures were known"), "{canaries}");
    assert!(page.text("#ranges").await.contains("All scores"));
    let counted: usize = page
        .texts("#class-counts td")
        .await
        .iter()
        .map(|cell| cell.parse::<usize>().expect("a count"))
        .sum();
    assert_eq!(counted, names.len());

    // The scores are those of the network in the clear.
    page.press("#classes-csv").await;
    let csv = fs::read_to_string(page.downloaded("answers.csv").await).expect("the answers");
    compare(&csv, &names);
    page.press("#classes-json").await;
    let json = fs::read(page.downloaded("answers.json").await).expect("the report");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["guard"]["canaries"], 4);
    assert_eq!(json["images"].as_array().map(Vec::len), Some(names.len()));

    page.press("#open-ledger").await;
    page.wait("#ledger").await;
    let sent = page.texts("#ledger tbody tr").await;
    let images: Vec<&String> = sent.iter().filter(|row| row.contains("Pictures")).collect();
    assert!(
        images.len() == 2 && images.iter().all(|row| row.contains("locked")),
        "{images:?}"
    );

    // Deleted with what the service holds of it.
    assert_eq!(page.stored().len(), 1);
    page.press("#open-projects").await;
    page.wait("#projects").await;
    assert!(page.text("#projects").await.contains("5 pictures for tiny"));
    page.expand().await;
    page.press("[id^=delete-]").await;
    let told = page.text("#told").await;
    assert!(told.contains("objects"), "{told}");
    assert_eq!(page.stored().len(), 0, "the service keeps something");
    page.check_quiet().await;
    page.close().await;
}

/// Seconds that making all keys of the largest network may take.
const KEYS: f64 = 60.0;

/// Ten gigabytes at the worker and 1.5 of keys: for measurements, on a machine that does nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; needs a quiet machine with 4 GiB of free disk"]
async fn browser_makes_the_keys_of_resnet20() {
    let page = open_with(
        "classify-keys",
        &["--max-memory", "12GiB", "--max-client-bytes", "4GiB"],
    )
    .await;
    choose_model(&page, "resnet20-cifar10").await;
    let files: Vec<_> = (0..32)
        .map(|number| page.file(&format!("{number}.png"), &png(number)))
        .collect();
    let files: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
    page.choose_all("#picture-files", &files).await;
    page.wait("#pictures-ready").await;
    let begun = Instant::now();
    page.press("#ask-plan").await;
    let sent = page.text("#manifest tfoot").await;
    println!(
        "{sent}; plan made in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    page.press("#agree").await;
    page.press("#start-run").await;
    let begun = Instant::now();
    page.wait_for(".phase-done #progress-prepare", RUN).await;
    println!("prepared after {:.1} s", begun.elapsed().as_secs_f64());
    page.wait_for(".phase-done #progress-keys", RUN).await;
    let keys = begun.elapsed().as_secs_f64();
    page.wait_for(".phase-done #progress-upload", RUN).await;
    println!(
        "keys made after {keys:.1} s, all sent after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    page.press("#pause-run").await;
    page.wait("#resume-run").await;
    page.close().await;
    assert!(keys < KEYS, "{keys} s");
}

/// Names, scores and right answers of the file against the network in the clear.
fn compare(csv: &str, names: &[&str]) {
    let model = pictures::tiny();
    assert_eq!(csv.lines().count(), 1 + names.len(), "{csv}");
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let name = Path::new(cells[0]);
        let name = name.strip_prefix("scans").expect("the folder's name");
        let number = names.iter().position(|one| Path::new(one) == name);
        let number = number.unwrap_or_else(|| panic!("{line}"));
        let picture = Picture::read(&png(number)).expect("a picture");
        let clear = pictures::clear(&model, &picture.to_input(model.card.input.shape));
        let best = (0..3).max_by(|&i, &j| clear[i].total_cmp(&clear[j]));
        assert_eq!(cells[1], ["a", "b", "c"][best.expect("three classes")]);
        for (score, clear) in cells[2..5].iter().zip(&clear) {
            let score: f64 = score.parse().expect("a score");
            assert!((score - clear).abs() < 1e-3, "{line}: {clear}");
        }
        let folder = name.parent().and_then(Path::to_str);
        assert_eq!(folder, Some(cells[5]), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_pauses_and_cancels_a_classification() {
    let page = open("classify-pause").await;
    // Large enough to be stopped while its keys are made.
    choose_model(&page, "resnet8-mednist").await;
    let files: Vec<_> = (0..2)
        .map(|number| page.file(&format!("{number}.png"), &png(number)))
        .collect();
    let files: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
    page.choose_all("#picture-files", &files).await;
    assert!(
        page.text("#pictures-ready")
            .await
            .contains("2 pictures are")
    );
    start(&page).await;
    page.press("#pause-run").await;
    page.wait("#resume-run").await;
    page.reload().await;
    page.press("#resume-run").await;
    page.wait("#pause-run").await;
    page.wait("#cancel-run, details summary").await;
    page.expand().await;
    page.press("#cancel-run").await;
    page.wait("#start-run").await;

    // Another kind of data can still be chosen.
    page.press("#back-records").await;
    page.press("#leave-images").await;
    page.wait("#use-sample").await;
    page.check_quiet().await;
    page.close().await;
}
