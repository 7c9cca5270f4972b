//! What the first visit takes: clicks and seconds to the first prediction, the first paint, and how long the page's own
//! thread is blocked. The figures are printed and kept; only the clicks are a promise that a slow machine cannot break.

use std::{fs, time::Instant};

use serde_json::{Value, json};

use crate::RUN;
use crate::page::{Page, target};

/// Clicks from the first visit to the first prediction on the bundled sample.
const CLICKS: u64 = 10;

/// Notes every task of more than 50 ms, in which step it fell, and every click.
const OBSERVE: &str = "window.seen = { long: [], clicks: 0 }; \
    new PerformanceObserver((list) => { for (const one of list.getEntries()) seen.long.push([Math.round(one.duration), document.getElementById('main')?.dataset.step ?? 'start', Math.round(one.startTime)]) }) \
    .observe({ type: 'longtask', buffered: true }); \
    addEventListener('click', (event) => { if (event.isTrusted) seen.clicks += 1 }, true)";

/// From the next visit on, notes are taken.
pub async fn observe(page: &Page) {
    page.browser
        .devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": OBSERVE }),
        )
        .await;
}

/// Milliseconds, step and start of every task of the page's own thread above 50 ms.
pub async fn long_tasks(page: &Page) -> Vec<Value> {
    let tasks = page.script("return seen.long").await;
    tasks.as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_shows_a_first_prediction_in_few_clicks() {
    let mut page = Page::prepare("figures").await;
    page.audits = false;
    observe(&page).await;
    let begun = Instant::now();
    page.visit().await;
    page.press("#begin").await;
    page.press("details:has(#make-key-only) summary").await;
    page.press("#accept-loss").await;
    page.press("#make-key-only").await;
    page.press("#use-sample").await;
    page.press("#ask-plan").await;
    page.press("#agree").await;
    page.press("#start-run").await;
    page.wait_for("#measures", RUN).await;
    page.press("#to-predict").await;
    page.press("#predict-one").await;
    page.wait("#prediction .risk-value").await;
    let seconds = begun.elapsed().as_secs_f64();
    let figures = page
        .script("return { paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime, clicks: seen.clicks }")
        .await;
    let paint = figures["paint"].as_f64().expect("something was painted");
    let tasks = long_tasks(&page).await;
    let longest = tasks.iter().filter_map(|one| one[0].as_u64()).max();
    let clicks = figures["clicks"].as_u64().expect("clicks were counted");
    let kept: Value = json!({ "seconds": seconds, "clicks": clicks, "first_contentful_paint_ms": paint, "longest_task_ms": longest, "long_tasks": tasks });
    println!("{kept}");
    fs::write(target().join("page-figures.json"), format!("{kept:#}\n"))
        .expect("the figures can be kept");
    assert_eq!(clicks, CLICKS);
    page.check_quiet().await;
    page.close().await;
}
