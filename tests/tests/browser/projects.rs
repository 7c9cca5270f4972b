//! Projects: begun, left, reloaded, renamed, paused, exported, deleted here and at the worker, and brought back.

use std::path::{Path, PathBuf};

use crate::page::{PASSPHRASE, Page};
use crate::{RUN, make_key};

/// The card of a project in the list, by its name.
fn card(name: &str, part: &str) -> String {
    format!(".project[data-name='{name}'] {part}")
}

/// Begins a project without a backup.
async fn begin_trial(page: &Page, name: &str) {
    page.press("#open-projects").await;
    page.press("#new-project").await;
    page.fill("#key-name", name).await;
    page.expand().await;
    page.press("#accept-loss").await;
    page.press("#make-key-only").await;
    page.wait("#use-sample").await;
}

/// Writes a project into a file; the list of projects is shown and expanded.
async fn export(page: &Page, name: &str) -> PathBuf {
    for field in ["[id^=export-passphrase]", "[id^=export-repeat]"] {
        page.fill(&card(name, field), PASSPHRASE).await;
    }
    page.press(&card(name, "button[id^=export-]")).await;
    let file = name.to_lowercase().replace(' ', "-");
    let file = format!("confide-project-{file}.confide");
    let file = page.downloaded(&file).await;
    page.wait("#projects").await;
    page.expand().await;
    file
}

/// Brings a project back from its file.
async fn import(page: &Page, file: &Path) {
    page.choose("#import-file", file).await;
    page.fill("#import-passphrase", PASSPHRASE).await;
    page.press("#import").await;
}

/// Exports the only project, deletes it here and at the service, and brings it back: it shows the same results.
pub async fn move_project(page: &Page, name: &str, readable: &[u8]) {
    let shown = page.text("#measures").await;
    page.press("#open-projects").await;
    page.expand().await;
    let file = export(page, name).await;
    let bytes = std::fs::read(&file).expect("the exported file");
    let open = bytes.windows(readable.len()).any(|part| part == readable);
    assert!(!open, "the records are readable in the file");
    page.press(&card(name, "[id^=delete-]")).await;
    page.wait("#told").await;
    assert_eq!(page.stored().len(), 0, "the service keeps something");
    import(page, &file).await;
    assert_eq!(page.text("#measures").await, shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_keeps_projects_apart_and_deletes_them() {
    let page = Page::open("projects").await;
    make_key(&page).await;
    page.press("#key-next").await;
    page.press("#use-sample").await;
    page.press("#ask-plan").await;
    page.wait("#manifest").await;

    // A second project has nothing of the first, and the first goes on where it was left.
    begin_trial(&page, "Trial").await;
    page.press("#open-projects").await;
    assert_eq!(page.texts(".project h2").await.len(), 2);
    page.shots("list").await;
    page.press(&card("Test clinic", "[id^=open-]")).await;
    page.wait("#manifest").await;
    page.press("#open-projects").await;
    page.expand().await;
    page.fill(&card("Test clinic", "[id^=name-]"), "Ward 7")
        .await;
    page.press(&card("Test clinic", "[id^=rename-]")).await;
    page.wait(&card("Ward 7", "[id^=open-]")).await;
    page.reload().await;
    page.wait("#manifest").await;
    assert_eq!(page.text("#open-projects .project-name").await, "Ward 7");

    // A pause outlasts a reload.
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait("#progress-upload").await;
    page.press("#pause-run").await;
    page.wait("#resume-run").await;
    page.reload().await;
    page.wait("#resume-run").await;
    page.shots("paused").await;
    page.press("#resume-run").await;
    page.wait("#pause-run").await;
    // What runs when a project is left for another goes on when it is opened again.
    page.press("#open-projects").await;
    page.press(&card("Trial", "[id^=open-]")).await;
    page.wait("#use-sample").await;
    page.press("#open-projects").await;
    page.press(&card("Ward 7", "[id^=open-]")).await;
    page.wait_for("#measures", RUN).await;
    let shown = page.text("#measures").await;
    page.press("#open-ledger").await;
    let kinds = page.text("#ledger-kinds").await;
    assert!(kinds.contains("Measurements of the training records"));
    page.shots("ledger").await;

    // Exported, deleted here and at the service, and brought back.
    page.press("#open-projects").await;
    page.expand().await;
    page.shots("forms").await;
    let file = export(&page, "Ward 7").await;
    let bytes = std::fs::read(&file).expect("the exported file");
    assert!(
        !bytes.windows(12).any(|part| part == b"mean_texture"),
        "the records are readable in the file"
    );
    assert_eq!(page.stored().len(), 1, "only one project has sent anything");
    page.press(&card("Ward 7", "[id^=delete-]")).await;
    let told = page.text("#told").await;
    assert!(told.contains("objects"), "{told}");
    assert_eq!(page.stored().len(), 0, "the service keeps something");
    assert_eq!(page.texts(".project h2").await, ["Trial"]);
    import(&page, &file).await;
    assert_eq!(page.text("#measures").await, shown);

    // The locked model is gone, which is said with what to do.
    page.press("#to-predict").await;
    page.press("#predict-one").await;
    let refusal = page.text("#error").await;
    assert!(
        refusal.contains("CF-0007") && refusal.contains("Train again"),
        "{refusal}"
    );
    page.press("#error .close").await;

    // What the service holds nothing of is deleted as well.
    page.press("#open-projects").await;
    page.expand().await;
    page.press(&card("Ward 7", "[id^=delete-]")).await;
    let told = page.text("#told").await;
    assert!(told.contains("nothing"), "{told}");
    page.reload().await;
    page.wait("#projects").await;
    assert_eq!(page.texts(".project h2").await, ["Trial"]);
    page.check_quiet().await;
    page.close().await;
}
