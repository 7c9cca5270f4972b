//! The first visit: what the browser lacks, the key, its backup and the drill.

use std::time::Duration;

use serde_json::json;

use crate::make_key;
use crate::page::{PASSPHRASE, Page};

impl Page {
    /// Opens every section that can be expanded.
    pub async fn expand(&self) {
        self.script("document.querySelectorAll('details').forEach((one) => (one.open = true))")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_says_what_it_lacks() {
    let page = Page::open("preflight").await;
    page.wait("#begin:not([disabled])").await;
    page.wait("#preflight:not([data-state=bad])").await;
    // A browser without SIMD, with one core, on a computer with little memory.
    let lacking = "WebAssembly.validate = () => false; \
        Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 1 }); \
        Object.defineProperty(navigator, 'deviceMemory', { get: () => 2 })";
    page.browser
        .devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": lacking }),
        )
        .await;
    page.reload().await;
    page.wait("#preflight[data-state=bad]").await;
    let lines = page.texts(".check").await.join("\n");
    for word in [
        "SIMD is missing",
        "takes its time on one core",
        "Close other tabs",
    ] {
        assert!(lines.contains(word), "{word}: {lines}");
    }
    let begin = page.wait("#begin").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        !begin.is_enabled().await.expect("a button"),
        "the work cannot be done"
    );
    page.shots("lacking").await;
    page.check_quiet().await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_tries_a_backup_and_restores_from_it() {
    let page = Page::open("backup").await;
    page.press("#begin").await;
    page.shots("new-key").await;
    // Neither a passphrase nor the loss accepted: nothing goes on.
    page.expand().await;
    page.press("#make-key-only").await;
    assert!(page.text(".complaint .notice").await.contains("Tick"));
    page.press("#make-key").await;
    page.wait("#passphrase[aria-invalid]").await;
    page.fill("#key-name", "Test clinic").await;
    page.fill("#passphrase", PASSPHRASE).await;
    page.fill("#passphrase-repeat", PASSPHRASE).await;
    page.press("#make-key").await;

    page.wait("#backup-state[data-state=saved]").await;
    let next = page.wait("#key-next").await;
    assert!(!next.is_enabled().await.expect("a button"));
    let backup = page.downloaded(".confide").await;
    page.choose("#drill-file", &backup).await;
    page.fill("#drill-passphrase", "not the passphrase").await;
    page.press("#drill-try").await;
    let refusal = page.text("#error").await;
    assert!(refusal.contains("passphrase"), "{refusal}");
    page.expand().await;
    let copied = page.text("#error pre").await;
    assert!(copied.contains("CC-2013"), "{copied}");
    page.shots("drill-refused").await;
    page.choose("#drill-file", &backup).await;
    page.fill("#drill-passphrase", PASSPHRASE).await;
    page.press("#drill-try").await;
    page.wait("#backup-state[data-state=checked]").await;
    page.wait("#key-next:not([disabled])").await;
    page.shots("drilled").await;

    // The browser loses the project; the file brings its key back.
    page.expand().await;
    page.press("#forget-key").await;
    page.wait("#told").await;
    page.choose("#import-file", &backup).await;
    page.fill("#import-passphrase", "not the passphrase").await;
    page.press("#import").await;
    let refusal = page.text("#error").await;
    assert!(refusal.contains("passphrase"), "{refusal}");
    page.choose("#import-file", &backup).await;
    page.fill("#import-passphrase", PASSPHRASE).await;
    page.press("#import").await;
    page.wait("#key-next:not([disabled])").await;
    page.wait("#backup-state[data-state=restored]").await;
    assert!(page.text("main").await.contains("Test clinic"));

    // Another key is not what the backup holds.
    page.press("#open-projects").await;
    page.press("#new-project").await;
    page.fill("#key-name", "Second clinic").await;
    page.fill("#passphrase", PASSPHRASE).await;
    page.fill("#passphrase-repeat", PASSPHRASE).await;
    page.press("#make-key").await;
    page.choose("#drill-file", &backup).await;
    page.fill("#drill-passphrase", PASSPHRASE).await;
    page.press("#drill-try").await;
    assert!(page.text("#error").await.contains("another key"));
    page.check_quiet().await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_refuses_a_file_that_is_none() {
    let page = Page::open("files").await;
    make_key(&page).await;
    page.press("#open-projects").await;
    let file = page.file("notes.confide", "age,outcome\n50,ill\n");
    page.choose("#import-file", &file).await;
    page.fill("#import-passphrase", PASSPHRASE).await;
    page.press("#import").await;
    page.wait("#error").await;
    page.expand().await;
    let refusal = page.text("#error").await;
    assert!(
        refusal.contains("CC-2010") && refusal.contains("Choose the file"),
        "{refusal}"
    );
    page.press("#copy-error").await;
    page.wait("#error [role=status]").await;
    page.check_quiet().await;
    page.close().await;
}
