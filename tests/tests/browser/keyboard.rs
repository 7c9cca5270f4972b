//! The way to the results with the keyboard alone, through a reload in the middle of the upload.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::page::{PASSPHRASE, Page};

/// A key: its name, its code, and the text that it types.
type Key = (&'static str, u32, &'static str);
const TAB: Key = ("Tab", 9, "");
const ENTER: Key = ("Enter", 13, "\r");
const SPACE: Key = (" ", 32, " ");

impl Page {
    /// Presses and releases a key, wherever the focus is.
    async fn key(&self, (name, code, text): Key) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event =
                json!({ "type": kind, "key": name, "windowsVirtualKeyCode": code, "text": text });
            self.browser.devtools("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Types into whatever has the focus.
    async fn types(&self, text: &str) {
        self.browser
            .devtools("Input.insertText", json!({ "text": text }))
            .await;
    }

    /// Tabs until the element has the focus, and checks that the focus can be seen.
    async fn tab_to(&self, id: &str) {
        self.wait(&format!("#{id}:not([disabled])")).await;
        for _ in 0..120 {
            self.key(TAB).await;
            let state = self
                .script("const e = document.activeElement, s = getComputedStyle(e); return [e.id, s.outlineStyle, e.className]")
                .await;
            if state[0] == id {
                let hidden = state[2].as_str().unwrap_or_default().contains("file-input");
                assert!(
                    hidden || state[1] != "none",
                    "the focus on #{id} cannot be seen"
                );
                return;
            }
        }
        panic!("#{id} cannot be reached with the tabulator");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_is_used_by_keyboard_and_resumes_after_a_reload() {
    let page = Page::open("keyboard").await;
    page.wait("#status[data-status=online]").await;
    page.tab_to("begin").await;
    page.shot("focus").await;
    page.key(ENTER).await;
    page.tab_to("passphrase").await;
    page.types(PASSPHRASE).await;
    page.tab_to("passphrase-repeat").await;
    page.types(PASSPHRASE).await;
    page.key(ENTER).await;
    page.tab_to("backup-stored").await;
    page.key(SPACE).await;
    page.tab_to("key-next").await;
    page.key(ENTER).await;
    page.tab_to("use-sample").await;
    page.key(ENTER).await;
    page.tab_to("ask-plan").await;
    page.key(ENTER).await;
    page.tab_to("agree").await;
    page.key(SPACE).await;
    page.tab_to("start-run").await;
    page.key(ENTER).await;

    // In the middle of the upload the tab is reloaded.
    page.wait("#progress-upload").await;
    let begun = Instant::now();
    loop {
        let part = page
            .script("return document.getElementById('progress-upload')?.value ?? 1")
            .await;
        if part.as_f64() > Some(0.3) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "the upload does not get on"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    page.reload().await;
    page.wait("#pause-run").await;
    page.shot("resumed").await;

    // A run that is paused goes on where it was.
    page.tab_to("pause-run").await;
    page.key(ENTER).await;
    page.tab_to("resume-run").await;
    page.shot("paused").await;
    page.key(ENTER).await;
    page.wait_for("#measures", Duration::from_secs(400)).await;
    page.tab_to("to-predict").await;
    page.key(ENTER).await;
    page.tab_to("predict-one").await;
    page.key(ENTER).await;
    page.wait("#prediction").await;
    page.check_quiet().await;
    page.close().await;
}
