//! Pictures: a base model reads them in the page, and the head is trained on what it made of them.

use std::time::{Duration, Instant};

use confide_client::workflow::classify::NamedImage;
use confide_tests::pictures;

use crate::page::Page;
use crate::projects::move_project;
use crate::{make_key, train};

/// Pictures that train and test.
const PICTURES: usize = 80;
const NEW: usize = 5;

/// Lets the head score new pictures and a broken one: all others are scored, it is refused.
pub async fn score_new(page: &Page, images: &[NamedImage], kinds: &[String], patience: Duration) {
    let new = page.path("new");
    pictures::write(&new, images, kinds);
    std::fs::write(new.join("broken.png"), "no picture").expect("a file");
    page.choose("#new-picture-folder", &new).await;
    page.wait_for("#new-csv", patience).await;
    let rows = page.texts("#prediction tbody tr").await;
    assert_eq!(rows.len(), images.len() + 1, "{rows:?}");
    let refused: Vec<&String> = rows
        .iter()
        .filter(|row| row.contains("not scored"))
        .collect();
    assert!(
        refused.len() == 1 && refused[0].contains("new/broken.png"),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_trains_on_pictures() {
    let models = pictures::models().display().to_string();
    let page = Page::prepare_with("pictured", &["--models", &models]).await;
    page.visit().await;
    make_key(&page).await;
    page.press("#key-next").await;
    let (images, kinds) = pictures::labelled(PICTURES + NEW);
    let folder = page.path("pictures");
    let mut lines = pictures::write(&folder, &images[..PICTURES], &kinds[..PICTURES]);
    std::fs::write(folder.join("broken.png"), "no picture").expect("a file");
    lines.extend(["broken.png,left".to_owned(), "gone.png,left".to_owned()]);
    page.wait("#base-model").await;
    page.shots("1-pick").await;
    let begin = page.wait("#read-pictures").await;
    assert!(!begin.is_enabled().await.expect("a button"));
    page.choose("#picture-folder", &folder).await;
    let list = page.file("kinds.csv", &lines.join("\n"));
    page.choose("#picture-list", &list).await;
    page.set("base-model", "tiny", "change").await;
    assert!(page.text("#base-model-about").await.contains("fixture"));
    page.shot("2-picked").await;
    let begun = Instant::now();
    page.press("#read-pictures").await;
    page.wait("#pictures-read").await;
    println!(
        "{PICTURES} pictures read in {:.1} s",
        begun.elapsed().as_secs_f64()
    );

    // What cannot be used is named, and nothing goes on before a choice.
    let problems = page.text("#problems").await;
    for word in ["broken.png", "neither PNG nor JPEG", "gone.png"] {
        assert!(problems.contains(word), "{word}: {problems}");
    }
    let ask = page.wait("#ask-plan").await;
    assert!(!ask.is_enabled().await.expect("a button"));
    page.shots("3-read").await;
    page.press("#missing-drop").await;
    page.wait("#ask-plan:not([disabled])").await;
    assert!(page.text(".ready").await.contains("2 left out"));
    let accuracy = train(&page).await;
    println!("whole job: {:.1} s", begun.elapsed().as_secs_f64());
    assert!(
        accuracy[0] > 60.0 && (accuracy[0] - accuracy[1]).abs() <= 15.0,
        "{accuracy:?}"
    );
    page.shot("4-results").await;

    // A reload loses nothing, and new pictures are read by the same base model.
    page.reload().await;
    page.wait("#measures").await;
    page.press("#to-predict").await;
    page.wait("label[for=new-picture-folder]").await;
    let patience = Duration::from_secs(120);
    score_new(&page, &images[PICTURES..], &kinds[PICTURES..], patience).await;
    page.shots("5-predict").await;

    // Its file holds all that was read of the pictures: they are not asked for again.
    page.press("#step-results").await;
    move_project(&page, "Test clinic", b"broken.png").await;
    page.press("#step-records").await;
    page.wait("#pictures-read").await;
    page.wait("#records-next").await;
    page.check_quiet().await;
    page.close().await;
}
