//! The page, in Chromium. Pictures of it are kept in `target/screenshots`.

use butler_tests::browser::{Browser, keys};
use serde_json::json;

use super::filled::{Filled, Site};
use crate::observatory::Databases;

const READY: &str = "document.querySelector('#main').ariaBusy === 'false'";

async fn open(height: u32, dark: bool) -> (Filled, Site, Browser) {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.open().await;
    let browser = Browser::start(1600, height, dark).await;
    browser.open(&site.page()).await;
    browser.wait_for(READY).await;
    (filled, site, browser)
}

async fn text(browser: &Browser, selector: &str) -> String {
    let text = format!("document.querySelector('{selector}').innerText");
    let text = browser.value(&text).await;
    text.as_str()
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn it_shows_how_far_everything_is() {
    let (_filled, _site, browser) = open(2200, false).await;
    browser.picture("publication").await;
    assert!(
        text(&browser, "#stages .missing")
            .await
            .starts_with("1 missing")
    );
    let types = text(&browser, "#types").await;
    assert!(
        types.contains("difference_image public after 80 h, for 30 d"),
        "{types}"
    );
    assert!(types.contains("mystery no rule"), "{types}");
    let google = text(&browser, "[data-task=to_google_int]").await;
    assert!(
        google.contains("failing") && google.contains("connection refused"),
        "{google}"
    );
    let problems = text(&browser, "#problems").await;
    assert!(
        problems.contains("is not there") && problems.contains("conflicts with"),
        "{problems}"
    );
    for chart in ["#ages rect", "#throughput rect", ".spark rect"] {
        let drawn = format!("document.querySelectorAll('{chart}').length");
        assert!(browser.value(&drawn).await.as_u64().unwrap() > 9, "{chart}");
    }
    // No table has to be scrolled, nothing is wider than the window, and every control has a name.
    let scrolled = "[...document.querySelectorAll('.scroll-x')].filter((part) => part.scrollWidth > part.clientWidth).map((part) => part.innerText)";
    assert_eq!(browser.value(scrolled).await, json!([]));
    let wide = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.value(wide).await, true);
    let unnamed = "[...document.querySelectorAll('input, select, button')].filter((field) => !field.labels?.length && !field.textContent.trim() && !field.ariaLabel).map((field) => field.id)";
    assert_eq!(browser.value(unnamed).await, json!([]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_task_is_paused_after_confirmation_and_the_log_says_so() {
    let (filled, _site, browser) = open(1400, false).await;
    browser.click("[data-key='pause to_main']").await;
    browser
        .wait_for("document.querySelector('#confirm').open")
        .await;
    assert_eq!(text(&browser, "#confirm-summary").await, "pause to_main");
    browser.picture("publication-confirm").await;
    browser.click("#confirm-no").await;
    assert!(!filled.state.task("to_main").await.unwrap().paused);
    browser.click("[data-key='pause to_main']").await;
    browser.click("#confirm-yes").await;
    browser
        .wait_for("document.querySelector('[data-task=to_main]').innerText.includes('paused')")
        .await;
    assert!(filled.state.task("to_main").await.unwrap().paused);
    let audit = text(&browser, "#audit").await;
    assert!(audit.contains("anonymous pause to_main done"), "{audit}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dataset_is_found_and_made_to_expire() {
    let (filled, site, browser) = open(1300, false).await;
    let address = format!("{}?q={}", site.page(), filled.visit);
    browser.open(&address).await;
    browser
        .wait_for("document.querySelectorAll('#found tbody tr').length === 28")
        .await;
    browser.picture("publication-visit").await;
    browser
        .click(&format!("[data-key='found {}']", filled.published))
        .await;
    browser
        .wait_for("document.querySelectorAll('.timeline li').length === 9")
        .await;
    let shown = text(&browser, "#found").await;
    assert!(
        shown.contains("to_google_prod google_prod: published (5 d"),
        "{shown}"
    );
    assert!(shown.contains("may be expired (in 24 d"), "{shown}");
    browser.picture("publication-history").await;
    browser.click("#found .danger").await;
    browser
        .wait_for("document.activeElement.id === 'confirm-word'")
        .await;
    assert_eq!(
        browser
            .value("document.querySelector('#confirm-yes').disabled")
            .await,
        true
    );
    browser.press("expire").await;
    browser.picture("publication-expire").await;
    browser.press(keys::ENTER).await;
    browser
        .wait_for("document.querySelector('#found').innerText.includes('forced to expire')")
        .await;
    assert!(filled.state.datasets(&[filled.published]).await.unwrap()[0].forced);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_keyboard_is_enough_and_the_dark_is_respected() {
    let (filled, _site, browser) = open(1900, true).await;
    // The first stop leads to the search; there, Enter asks.
    browser.press(keys::TAB).await;
    browser.press(keys::ENTER).await;
    browser.wait_for("document.activeElement.id === 'q'").await;
    browser.press(&filled.missing.to_string()).await;
    browser.press(keys::ENTER).await;
    browser
        .wait_for(
            "document.activeElement.id === 'found' && document.querySelector('#found .error')",
        )
        .await;
    // On to the button that has it tried again.
    for _ in 0..6 {
        browser.press(keys::TAB).await;
        if browser.value("document.activeElement.textContent").await == "Retry this dataset" {
            break;
        }
    }
    browser.press(keys::ENTER).await;
    browser
        .wait_for("document.activeElement.id === 'confirm-no'")
        .await;
    browser.press(keys::TAB).await;
    browser.press(keys::ENTER).await;
    browser
        .wait_for(
            "!document.querySelector('#confirm').open && !document.querySelector('#found .error')",
        )
        .await;
    assert!(filled.state.missing(1).await.unwrap().is_empty());
    let paper = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.value(paper).await, "rgb(18, 23, 29)");
    browser.picture("publication-dark").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn who_may_not_command_looks_on_and_is_told_why() {
    let filled = Filled::new(Databases::Sqlite).await;
    let browser = Browser::start(420, 1200, false).await;
    // Nobody has said who the browser's user is: the page says so, and shows nothing else.
    browser.open(&filled.guarded(&[]).await.page()).await;
    let notice = browser
        .wait_for("document.querySelector('#notice').textContent")
        .await;
    assert!(
        notice.as_str().unwrap().contains("X-Auth-Request-User"),
        "{notice}"
    );
    for (user, shown, enabled) in [("bob", "bob, looking on", false), ("ada", "ada", true)] {
        browser.open(&filled.guarded_for(user).await.page()).await;
        browser.wait_for(READY).await;
        assert_eq!(text(&browser, "#who").await, shown);
        let buttons = "[...document.querySelectorAll('td.actions button')].map((button) => !button.disabled && !button.title)";
        let buttons = browser.value(buttons).await;
        let buttons = buttons.as_array().unwrap();
        assert!(buttons.len() > 20, "{buttons:?}");
        assert!(buttons.iter().all(|button| *button == enabled), "{user}");
    }
    let wide = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.value(wide).await, true);
    browser.picture("publication-narrow").await;
}
