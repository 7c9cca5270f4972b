//! The page as a clinician meets it: wait for something, press it, read it.

use std::{
    collections::HashSet,
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use confide_tests::worker::Worker;
use fantoccini::{Locator, elements::Element};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::Chromium;

/// Passphrase of the backups in these tests.
pub const PASSPHRASE: &str = "violet harbour seven lamps";
/// Seconds on most machines; some are ten times as slow.
const STEP: Duration = Duration::from_secs(180);

/// A worker that serves the built page, and a browser that shows it.
pub struct Page {
    pub browser: Chromium,
    worker: Worker,
    folder: TempDir,
    /// Names the screenshots.
    test: &'static str,
    /// Whether axe looks at each state: not where time is measured.
    pub audits: bool,
    /// The states that axe has looked at.
    pub audited: Mutex<HashSet<String>>,
}

impl Page {
    /// Starts both and opens the page.
    pub async fn open(test: &'static str) -> Self {
        let page = Self::prepare(test).await;
        page.visit().await;
        page
    }

    /// Starts both without opening the page.
    pub async fn prepare(test: &'static str) -> Self {
        Self::prepare_with(test, &[]).await
    }

    /// The same with more flags for the worker.
    pub async fn prepare_with(test: &'static str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (data, downloads) = (folder.path().join("data"), folder.path().join("downloads"));
        fs::create_dir(&downloads).expect("a folder for downloads");
        let dist = dist();
        let web = dist.to_str().expect("its path is text");
        let flags = [&["--web", web][..], flags].concat();
        let worker = Worker::start(&data, &flags).await;
        let browser = Chromium::start(&downloads).await;
        Self {
            browser,
            worker,
            folder,
            test,
            audits: true,
            audited: Mutex::default(),
        }
    }

    /// Opens the page.
    pub async fn visit(&self) {
        let opened = self.browser.client.goto(&self.address()).await;
        opened.expect("the page opens");
    }

    /// The folders that the worker has, one for each data party.
    pub fn stored(&self) -> Vec<PathBuf> {
        let clients = self.folder.path().join("data/clients");
        let entries = fs::read_dir(clients).expect("the worker's folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    /// Where the page is served.
    pub fn address(&self) -> String {
        format!("http://{}/", self.worker.address())
    }

    /// Waits for an element that can be seen.
    pub async fn wait(&self, css: &str) -> Element {
        self.wait_for(css, STEP).await
    }

    /// Waits longer. An error that the page shows ends the test with its words.
    pub async fn wait_for(&self, css: &str, patience: Duration) -> Element {
        let begun = Instant::now();
        loop {
            if let Ok(element) = self.browser.client.find(Locator::Css(css)).await
                && element.is_displayed().await.unwrap_or(false)
            {
                return element;
            }
            if css != "#error"
                && let Ok(error) = self.browser.client.find(Locator::Css("#error pre")).await
            {
                panic!(
                    "waiting for {css}, the page says: {:?}",
                    error.prop("textContent").await
                );
            }
            if begun.elapsed() > patience {
                self.shot("timeout").await;
                panic!("{css} did not appear within {patience:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for an element and presses it.
    pub async fn press(&self, css: &str) {
        let css = format!("{css}:not([disabled])");
        self.wait(&css).await;
        self.audit().await;
        let begun = Instant::now();
        // WebDriver scrolls no further than needed, which may be below the header that stays in place.
        let centre = "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center' })";
        let scrolled = self.browser.client.execute(centre, vec![json!(css)]).await;
        scrolled.expect("a script runs");
        while let Err(error) = self.wait(&css).await.click().await {
            // A view may be built anew between finding and pressing.
            let stale = error.to_string().contains("stale element");
            assert!(
                stale && begun.elapsed() < STEP,
                "{css} cannot be pressed: {error}"
            );
        }
    }

    /// Types into a field.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.wait(css).await;
        field.clear().await.expect("a field can be cleared");
        field.send_keys(text).await.expect("a field takes keys");
    }

    /// Sets a field at once, as a hand that drags or chooses would: cleared and typed in, it would be two choices.
    pub async fn set(&self, id: &str, value: &str, event: &str) {
        self.wait(&format!("#{id}")).await;
        let script = format!(
            "const f = document.getElementById('{id}'); f.value = '{value}'; f.dispatchEvent(new Event('{event}', {{ bubbles: true }}))"
        );
        self.script(&script).await;
    }

    /// Chooses a file in a file field, which may be hidden behind its label.
    pub async fn choose(&self, css: &str, file: &Path) {
        self.choose_all(css, &[file]).await;
    }

    /// Chooses several files at once.
    pub async fn choose_all(&self, css: &str, files: &[&Path]) {
        let paths: Vec<String> = files
            .iter()
            .map(|file| file.to_string_lossy().into_owned())
            .collect();
        let field = self
            .browser
            .client
            .wait()
            .for_element(Locator::Css(css))
            .await
            .expect("a file field");
        field
            .send_keys(&paths.join("\n"))
            .await
            .expect("files can be chosen");
    }

    /// Drops a file or folder on an element, as from a window of files.
    pub async fn drop(&self, css: &str, path: &Path) {
        self.wait(css).await;
        let centre = "const place = document.querySelector(arguments[0]); place.scrollIntoView({ block: 'center' }); \
                      const { x, y, width, height } = place.getBoundingClientRect(); return [x + width / 2, y + height / 2];";
        let at = self.browser.client.execute(centre, vec![json!(css)]).await;
        let at = at.expect("the element's place");
        let data = json!({ "items": [], "files": [path], "dragOperationsMask": 1 });
        for kind in ["dragEnter", "dragOver", "drop"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "data": data });
            self.browser
                .devtools("Input.dispatchDragEvent", event)
                .await;
        }
    }

    /// The text of an element.
    pub async fn text(&self, css: &str) -> String {
        self.wait(css)
            .await
            .text()
            .await
            .expect("an element has a text")
    }

    /// The texts of all elements, read at one moment.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText ?? one.textContent)";
        let texts = self
            .browser
            .client
            .execute(script, vec![json!(css)])
            .await
            .expect("a script runs");
        serde_json::from_value(texts).expect("texts")
    }

    /// Loads the page again, as a clinician's reload does.
    pub async fn reload(&self) {
        let reloaded = self.browser.client.refresh().await;
        reloaded.expect("the page reloads");
    }

    /// Runs a script in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.browser
            .client
            .execute(script, Vec::new())
            .await
            .expect("a script runs")
    }

    /// A place for a file or folder of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the test's own.
    pub fn file(&self, name: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// The download with this ending, once it is complete.
    pub async fn downloaded(&self, ending: &str) -> PathBuf {
        let folder = self.folder.path().join("downloads");
        let begun = Instant::now();
        while begun.elapsed() < STEP {
            let entries = fs::read_dir(&folder).expect("the folder of downloads");
            for entry in entries.filter_map(Result::ok) {
                // The browser keeps the name with an empty file until the download is whole.
                let whole = entry.metadata().is_ok_and(|file| file.len() > 0);
                if whole && entry.path().to_string_lossy().ends_with(ending) {
                    return entry.path();
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no download ends in {ending}");
    }

    /// Keeps a picture of the page in target/screenshots.
    pub async fn shot(&self, name: &str) {
        use_shot(
            self,
            name,
            json!({ "width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false }),
            "light",
        )
        .await;
    }

    /// Keeps pictures as a tablet and a phone show it, and in the dark; fails when the page is wider than its window.
    pub async fn shots(&self, name: &str) {
        for (kind, width, height, scheme) in [
            ("", 1280, 900, "light"),
            ("-dark", 1280, 900, "dark"),
            ("-tablet", 768, 1024, "light"),
            ("-phone", 360, 740, "light"),
            ("-phone-dark", 360, 740, "dark"),
            ("-wall", 2560, 1440, "light"),
        ] {
            let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
            use_shot(self, &format!("{name}{kind}"), size, scheme).await;
        }
        self.browser
            .devtools("Emulation.clearDeviceMetricsOverride", json!({}))
            .await;
        self.browser
            .devtools("Emulation.setEmulatedMedia", json!({ "features": [] }))
            .await;
    }

    /// No error in the console, and no request to anywhere but the page's own server.
    pub async fn check_quiet(&self) {
        let errors: Vec<Value> = self
            .browser
            .log("browser")
            .await
            .into_iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .collect();
        assert!(errors.is_empty(), "the console has errors: {errors:#?}");
        let own = [
            self.address(),
            format!("ws://{}/", self.worker.address()),
            "blob:".into(),
            "data:".into(),
        ];
        let mut requests = 0;
        for entry in self.browser.log("performance").await {
            let text = entry["message"].as_str().unwrap_or_default();
            let message: Value = serde_json::from_str(text).unwrap_or_default();
            let method = message["message"]["method"].as_str().unwrap_or_default();
            let parameters = &message["message"]["params"];
            let url = match method {
                "Network.requestWillBeSent" => parameters["request"]["url"].as_str(),
                "Network.webSocketCreated" => parameters["url"].as_str(),
                _ => None,
            };
            let Some(url) = url else { continue };
            requests += 1;
            let ours = own.iter().any(|start| url.starts_with(start.as_str()));
            // The window's first page is the browser's own.
            assert!(
                ours || url.starts_with("chrome:") || url.starts_with("about:"),
                "a request went to {url}"
            );
        }
        assert!(requests > 10, "the log of requests is empty");
        println!("{}: axe looked at {} states", self.test, self.audits());
    }

    /// Keeps a picture of the window.
    pub async fn shot_as_it_is(&self, name: &str) {
        let answer = self
            .browser
            .devtools("Page.captureScreenshot", json!({}))
            .await;
        self.keep(name, &answer);
    }

    fn keep(&self, name: &str, answer: &Value) {
        let picture = decode(answer["data"].as_str().expect("a picture"));
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder for pictures");
        fs::write(folder.join(format!("{}-{name}.png", self.test)), picture)
            .expect("a picture can be written");
    }

    /// Ends browser and worker.
    pub async fn close(self) {
        self.browser.close().await;
        assert!(self.worker.terminate().await, "the worker ends well");
    }
}

async fn use_shot(page: &Page, name: &str, size: Value, scheme: &str) {
    let browser = &page.browser;
    browser
        .devtools("Emulation.setDeviceMetricsOverride", size.clone())
        .await;
    page.audit().await;
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await;
    let height = page
        .script("return document.documentElement.scrollHeight")
        .await;
    let overflow = page
        .script("return document.documentElement.scrollWidth - window.innerWidth")
        .await;
    assert!(
        overflow.as_f64() <= Some(0.0),
        "{name}: the page is {overflow} pixels wider than its window"
    );
    let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
    let answer = browser
        .devtools(
            "Page.captureScreenshot",
            json!({ "captureBeyondViewport": true, "clip": clip }),
        )
        .await;
    page.keep(name, &answer);
}

/// Base64, as DevTools gives pictures.
pub fn decode(text: &str) -> Vec<u8> {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits) = (0u32, 0);
    for sign in text.bytes().filter(|sign| *sign != b'=') {
        let value = SIGNS
            .iter()
            .position(|known| *known == sign)
            .expect("a picture is base64");
        buffer = buffer << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    bytes
}

/// The folder that cargo builds into.
pub fn target() -> PathBuf {
    let test = env::current_exe().expect("this program has a path");
    let folder = test
        .ancestors()
        .nth(3)
        .expect("tests lie three folders deep");
    folder.to_owned()
}

/// The built page: `CONFIDE_WEB_DIST`, or where `cargo xtask build-web` puts it.
pub fn dist() -> PathBuf {
    let dist =
        env::var_os("CONFIDE_WEB_DIST").map_or_else(|| target().join("web-dist"), PathBuf::from);
    assert!(
        dist.join("index.html").is_file(),
        "there is no page in {}: build it with `cargo xtask build-web --release`",
        dist.display()
    );
    dist
}
