//! Pictures that the service's network reads locked: a head is trained on what it finds, with a reload on the way, and new pictures
//! are scored by it.

use std::time::{Duration, Instant};

use confide_tests::pictures;

use crate::page::Page;
use crate::pictured::score_new;
use crate::{RUN, make_key, percent};

/// Pictures that train and test.
const PICTURES: usize = 60;
const NEW: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_trains_on_locked_pictures() {
    let (images, kinds) = pictures::labelled(PICTURES + NEW);
    let models = tempfile::tempdir().expect("a folder");
    pictures::with_features(models.path(), &images[..PICTURES]);
    let folder = models.path().display().to_string();
    let page = Page::prepare_with("locked", &["--models", &folder]).await;
    page.visit().await;
    make_key(&page).await;
    page.press("#key-next").await;

    // Folders are labels; nothing of a picture is computed here.
    let folder = page.path("pictures");
    pictures::write(&folder, &images[..PICTURES], &kinds[..PICTURES]);
    std::fs::write(folder.join("left/broken.png"), "no picture").expect("a file");
    page.press("#read-there").await;
    let begin = page.wait("#read-pictures").await;
    assert!(!begin.is_enabled().await.expect("a button"));
    page.drop("#picture-files-drop", &folder).await;
    page.wait("#base-model").await;
    page.set("base-model", "tiny-features", "change").await;
    page.shots("1-picked").await;
    page.press("#read-pictures").await;
    page.wait("#pictures-read").await;
    let read = page.text("#pictures-read").await;
    assert!(
        read.contains("ready to be locked") && read.contains("tiny-features"),
        "{read}"
    );
    let problems = page.text("#problems").await;
    assert!(problems.contains("broken.png"), "{problems}");
    page.press("#missing-drop").await;
    page.wait("#ask-plan:not([disabled])").await;
    page.expand().await;
    page.set("epochs", "4", "change").await;
    page.wait("#ask-plan:not([disabled])").await;
    page.wait("#compare").await;
    page.press("#compare").await;
    page.wait("#compare:checked").await;
    page.shots("2-ready").await;
    page.press("#ask-plan").await;
    let manifest = page.text("#manifest").await;
    for what in [
        "Pictures",
        "Outcomes of the training pictures",
        "Working keys for refreshing",
    ] {
        assert!(manifest.contains(what), "{what}: {manifest}");
    }
    assert!(!manifest.contains("Measurements"), "{manifest}");
    page.shots("3-plan").await;
    let begun = Instant::now();
    page.press("#agree").await;
    page.press("#start-run").await;

    // Features that are there stay there: a reload goes on with what is missing.
    page.wait_for(".phase-working #progress-features", RUN)
        .await;
    page.shots("4-run").await;
    page.reload().await;
    page.wait_for(".phase-done #progress-features", RUN).await;
    println!("read locked after {:.1} s", begun.elapsed().as_secs_f64());
    page.press("#pause-run").await;
    page.wait("#resume-run").await;
    page.press("#resume-run").await;
    page.wait_for("#measures", RUN).await;
    println!("whole run: {:.1} s", begun.elapsed().as_secs_f64());
    let accuracy = page.texts("#measure-accuracy td .value").await;
    let accuracy: Vec<f64> = accuracy[..2].iter().map(|text| percent(text)).collect();
    println!("accuracy {accuracy:?}");
    assert!(
        accuracy[0] > 60.0 && (accuracy[0] - accuracy[1]).abs() <= 15.0,
        "{accuracy:?}"
    );
    let agreement = page.text("#agreement").await;
    let apart = agreement.split("differ by").nth(1).expect("a difference");
    assert!(
        apart.contains("less than")
            || percent(apart.trim_matches(|c: char| !c.is_ascii_digit())) < 1.0,
        "{agreement}"
    );
    page.shots("5-results").await;
    page.press("#to-report").await;
    let card = page.text("#item-9").await;
    assert!(card.contains("read them encrypted"), "{card}");
    page.shot("6-report").await;
    page.press("#report-back").await;

    // New pictures are read locked and scored with what the training left.
    page.press("#to-predict").await;
    page.wait("label[for=new-picture-folder]").await;
    let asked = Instant::now();
    let patience = Duration::from_secs(240);
    score_new(&page, &images[PICTURES..], &kinds[PICTURES..], patience).await;
    println!(
        "new pictures scored in {:.1} s",
        asked.elapsed().as_secs_f64()
    );
    page.shots("7-predict").await;

    page.press("#open-ledger").await;
    page.wait("#ledger").await;
    let sent = page.texts("#ledger tbody tr").await;
    let images: Vec<&String> = sent.iter().filter(|row| row.contains("Pictures")).collect();
    assert!(
        !images.is_empty() && images.iter().all(|row| row.contains("locked")),
        "{images:?}"
    );
    page.check_quiet().await;
    page.close().await;
}
