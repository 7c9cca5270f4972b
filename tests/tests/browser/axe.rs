//! axe-core in the page: every state that a test visits is looked at, light and dark, and a violation ends the test.

use std::{env, fs, path::PathBuf, sync::OnceLock};

use serde_json::{Value, json};

use crate::page::{Page, target};

/// What tells one state of the page from another: the step, the window's width, and what can be seen.
const STATE: &str = "return [document.getElementById('main').dataset.step, innerWidth, \
    ...[...document.querySelectorAll('main [id], main details[open] summary')].filter((one) => one.offsetParent).map((one) => one.id.replace(/[0-9a-f]{16}/, '') || one.textContent)].join(' ')";

const RUN: &str = "const [done] = arguments; \
    axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }, resultTypes: ['violations'] }) \
    .then(({ violations }) => done(violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200) + ' | ' + node.failureSummary)])), (error) => done([['axe', String(error), []]]))";

/// The library, fetched by `cargo verify` or named by `CONFIDE_AXE`. It never becomes part of the page.
fn source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let path = env::var_os("CONFIDE_AXE").map_or_else(
            || target().join("npm/axe-core/node_modules/axe-core/axe.min.js"),
            PathBuf::from,
        );
        fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo xtask axe` fetches it", path.display())
        })
    })
}

impl Page {
    /// Looks at the page as it is now, unless a page of this state was looked at before.
    ///
    /// # Panics
    /// When axe finds a violation.
    pub async fn audit(&self) {
        if !self.audits {
            return;
        }
        let state = self.script(STATE).await.to_string();
        if !self.audited.lock().expect("a set").insert(state.clone()) {
            return;
        }
        for scheme in ["light", "dark"] {
            self.scheme(scheme).await;
            if self.script("return typeof axe").await != "object" {
                self.script(source()).await;
            }
            let found = self
                .browser
                .client
                .execute_async(RUN, Vec::new())
                .await
                .expect("axe runs");
            if found.as_array().is_none_or(|all| !all.is_empty()) {
                self.shot_as_it_is("violation").await;
                panic!("axe, {scheme}, in the state {state}: {found:#}");
            }
        }
        self.scheme("light").await;
    }

    /// Shows the page as in the light or in the dark.
    async fn scheme(&self, scheme: &str) {
        let features: Value = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.browser
            .devtools(
                "Emulation.setEmulatedMedia",
                json!({ "features": features }),
            )
            .await;
    }

    /// How many states were looked at.
    pub fn audits(&self) -> usize {
        self.audited.lock().expect("a set").len()
    }
}
