//! The web page, in Chromium, on the demo's repository. Pictures of it are kept in
//! `target/screenshots`.

use std::fs;
use std::time::{Duration, Instant};

use butler_sphgeom::{LonLat, Region, UnionRegion};
use butler_tests::browser::{Browser, keys};
use serde_json::json;

use crate::demo::DemoServer;

/// How many datasets the status line speaks of, once a search is over.
const FOUND: &str =
    "/^([\\d,]+) datasets? in/.exec(document.querySelector('#status').textContent)?.[1]";
const ROWS: &str = "document.querySelectorAll('#table tbody tr').length";
const REGIONS: &str = "document.querySelectorAll('#regions path').length";

async fn open(dark: bool) -> (DemoServer, Browser) {
    let server = DemoServer::start();
    let browser = Browser::start(1440, 1200, dark).await;
    browser.open(&server.page).await;
    browser
        .wait_for("document.querySelectorAll('#types li').length")
        .await;
    (server, browser)
}

/// Puts a text into a field, as if typed.
async fn fill(browser: &Browser, id: &str, text: &str) {
    let set = format!("(document.getElementById('{id}').select(), document.activeElement.id)");
    browser
        .value(&format!("(document.getElementById('{id}').focus(), {set})"))
        .await;
    browser.press("\u{e003}").await;
    browser.press(text).await;
}

#[tokio::test]
async fn it_shows_repositories_collections_and_dataset_types() {
    let (_server, browser) = open(false).await;
    let repositories = "[...document.querySelectorAll('#repository option')].map((o) => o.value)";
    assert_eq!(browser.value(repositories).await, json!(["demo"]));
    let below = "document.querySelector('[data-collection=\"Prompt/Available\"]').closest('details').querySelector('ul').innerText";
    let below = browser.wait_for(below).await;
    for expected in [
        "LSSTCam/raw/all",
        "RUN",
        "Prompt/Outputs/Available",
        "TAGGED",
        "Prompt/Calibs",
    ] {
        assert!(below.as_str().unwrap().contains(expected), "{below}");
    }
    let counts = "[...document.querySelectorAll('#types li')].map((li) => li.innerText.replace(/\\s+/g, ' ').trim())";
    browser
        .wait_for(
            "![...document.querySelectorAll('#types .count')].some((c) => c.textContent === '…')",
        )
        .await;
    let counts = browser.value(counts).await;
    let counts = counts.as_array().unwrap();
    assert!(counts.contains(&json!("raw 2,160")), "{counts:?}");
    assert!(
        counts.contains(&json!("preliminary_visit_summary 240")),
        "{counts:?}"
    );
    browser
        .click("[data-collection='Prompt/Outputs/Expired']")
        .await;
    browser
        .wait_for("document.querySelector('#types-where').textContent.startsWith('2 types in Prompt/Outputs/Expired')")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_query_fills_the_table_and_the_map() {
    let (_server, browser) = open(false).await;
    fill(&browser, "dataset-type", "preliminary_visit_image").await;
    fill(&browser, "where", "detector = 94 AND band != 'y'").await;
    fill(&browser, "order", "-visit").await;
    browser.click("#search").await;
    let found = browser.wait_for(FOUND).await;
    let found: usize = found.as_str().unwrap().parse().unwrap();
    assert!((100..240).contains(&found), "{found}");
    assert_eq!(browser.value(ROWS).await, 25);
    assert_eq!(browser.value(REGIONS).await, found);
    let first = "document.querySelector('#table tbody tr').innerText.replace(/\\s+/g, ' ')";
    let first = browser.value(first).await;
    assert!(
        first.as_str().unwrap().contains("LSSTCam 94 20251204"),
        "{first}"
    );
    // A region is where its visit is: the map is drawn, and to scale.
    let size = "document.querySelector('#regions').getBBox().width";
    let width = browser.value(size).await.as_f64().unwrap();
    assert!((20.0..180.0).contains(&width), "{width}");
    browser.picture("query").await;
    browser.click("#zoom-fit").await;
    let zoomed = browser
        .value("document.querySelector('#sky').viewBox.baseVal.width")
        .await;
    assert!(zoomed.as_f64().unwrap() < 300.0, "{zoomed}");
    browser.picture("query-zoomed").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn pages_follow_each_other() {
    let (_server, browser) = open(false).await;
    fill(&browser, "dataset-type", "preliminary_visit_summary").await;
    fill(&browser, "limit", "60").await;
    browser.click("#search").await;
    browser.wait_for(FOUND).await;
    let status = "document.querySelector('#status').textContent";
    let status = browser.value(status).await;
    assert!(
        status.as_str().unwrap().contains("the first of more"),
        "{status}"
    );
    let page = "document.querySelector('#page').textContent";
    let id = "document.querySelector('#table tbody tr').dataset.id";
    assert_eq!(browser.value(page).await, "1–25 of 60");
    let first = browser.value(id).await;
    browser.click("#next").await;
    assert_eq!(browser.value(page).await, "26–50 of 60");
    assert_ne!(browser.value(id).await, first);
    browser.click("#next").await;
    assert_eq!(browser.value(ROWS).await, 10);
    assert_eq!(
        browser
            .value("document.querySelector('#next').disabled")
            .await,
        true
    );
    browser.click("#previous").await;
    browser.click("#previous").await;
    assert_eq!(browser.value(id).await, first);
}

#[tokio::test]
async fn a_mistake_is_shown_where_it_is() {
    let (_server, browser) = open(false).await;
    fill(&browser, "dataset-type", "raw").await;
    fill(&browser, "where", "detector = 94 AND exposure = = 5").await;
    browser.click("#search").await;
    let text = browser
        .wait_for("document.querySelector('#where-error').textContent")
        .await;
    assert!(
        text.as_str().unwrap().contains("line 1, column 30"),
        "{text}"
    );
    let marked = "(() => { const w = document.activeElement; return [w.id, w.selectionStart, w.getAttribute('aria-invalid')]; })()";
    assert_eq!(browser.value(marked).await, json!(["where", 29, "true"]));
    browser.picture("mistake").await;
    fill(&browser, "where", "detector = 94").await;
    fill(&browser, "order", "nonsense").await;
    browser.click("#search").await;
    browser
        .wait_for("document.querySelector('#order-error').textContent.includes('nonsense')")
        .await;
    fill(&browser, "order", "exposure").await;
    browser.click("#search").await;
    browser.wait_for(FOUND).await;
    let left = "document.querySelectorAll('[aria-invalid=true]').length";
    assert_eq!(browser.value(left).await, 0);
}

#[tokio::test]
async fn without_results_it_says_why() {
    let (_server, browser) = open(false).await;
    fill(&browser, "dataset-type", "raw").await;
    fill(&browser, "where", "exposure = 5").await;
    browser.click("#search").await;
    browser
        .wait_for("document.querySelector('#status').textContent.startsWith('No datasets match.')")
        .await;
    assert_eq!(browser.value(ROWS).await, 0);
    assert_eq!(
        browser.value("document.querySelector('#map').hidden").await,
        true
    );
}

/// Waits for a file with this end in the browser's downloads, and reads it.
async fn downloaded(browser: &Browser, end: &str) -> Vec<u8> {
    let begin = Instant::now();
    loop {
        let entries = fs::read_dir(browser.downloads()).into_iter().flatten();
        let mut files = entries.map(|entry| entry.unwrap().path());
        if let Some(file) = files.find(|file| file.extension().is_some_and(|found| found == end)) {
            return fs::read(file).unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "no file");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn all_results_are_to_be_had_as_a_table() {
    let (_server, browser) = open(false).await;
    fill(&browser, "dataset-type", "preliminary_visit_summary").await;
    fill(&browser, "where", "band IN ('g', 'r')").await;
    fill(&browser, "order", "-visit").await;
    fill(&browser, "limit", "10").await;
    browser.click("#search").await;
    browser.wait_for(FOUND).await;
    let first = "document.querySelector('#table tbody tr').dataset.id";
    let first = browser.value(first).await;
    browser.click("#all").await;
    let table = String::from_utf8(downloaded(&browser, "csv").await).unwrap();
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("type,run,id,instrument,visit,band,day_obs,physical_filter")
    );
    let rows: Vec<&str> = lines.collect();
    assert!(rows.len() > 50, "{table}");
    assert_eq!(rows[0].split(',').nth(2), first.as_str());
}

#[tokio::test]
async fn a_link_gives_the_file() {
    let (server, browser) = open(false).await;
    fill(&browser, "dataset-type", "preliminary_visit_summary").await;
    fill(&browser, "limit", "1").await;
    browser.click("#search").await;
    browser.wait_for(FOUND).await;
    browser.click("#table tbody a").await;
    let file = downloaded(&browser, "json").await;
    let contents: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert!(contents["psf_fwhm_arcsec"].is_number(), "{contents}");
    drop(server);
}

#[tokio::test]
async fn the_keyboard_is_enough_and_the_dark_is_respected() {
    let (_server, browser) = open(true).await;
    // The first stop leads to the query; there, Enter asks.
    browser.press(keys::TAB).await;
    browser.press(keys::ENTER).await;
    let focused = "document.activeElement.id";
    browser
        .wait_for(&format!("{focused} === 'dataset-type'"))
        .await;
    browser.press("raw").await;
    browser.press(keys::TAB).await;
    assert_eq!(browser.value(focused).await, "in");
    browser.press(keys::TAB).await;
    assert_eq!(browser.value(focused).await, "where");
    browser.press("detector IN (40, 94)").await;
    browser.press(keys::ENTER).await;
    browser.wait_for(FOUND).await;
    assert_eq!(browser.value(ROWS).await, 25);
    // On to the map, which keys move.
    let seen = "document.querySelector('#sky').viewBox.baseVal.width";
    let whole = browser.value(seen).await.as_f64().unwrap();
    for _ in 0..20 {
        browser.press(keys::TAB).await;
        if browser.value(focused).await == "sky" {
            break;
        }
    }
    assert_eq!(browser.value(focused).await, "sky");
    browser.press("+").await;
    assert!(browser.value(seen).await.as_f64().unwrap() < whole);
    browser.press("0").await;
    let paper = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.value(paper).await, "rgb(18, 23, 29)");
    let unnamed = "[...document.querySelectorAll('input, select, textarea, button')].filter((field) => !field.labels?.length && !field.textContent.trim() && !field.ariaLabel).map((field) => field.id)";
    assert_eq!(browser.value(unnamed).await, json!([]));
    browser.picture("dark").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_address_brings_a_query_back() {
    let (server, browser) = open(false).await;
    let query = "?repo=demo&type=template_coadd&in=Prompt/Available&where=tract%3D1+AND+band%3D'r'";
    browser.open(&format!("{}{query}", server.page)).await;
    browser.wait_for(FOUND).await;
    assert_eq!(browser.value(REGIONS).await, 25);
    browser.click("#zoom-fit").await;
    browser.picture("patches").await;
}

/// A region as records have it, and as the map draws it: at the edge of the map, around a pole, of
/// several parts.
#[tokio::test]
async fn regions_are_drawn_where_they_are() {
    let (_server, browser) = open(false).await;
    let region = |pos| Region::from_ivoa_pos(pos).unwrap();
    let parts = [region("CIRCLE 100 40 12"), region("CIRCLE 250 -30 20")];
    let regions = [
        region("CIRCLE 0 0 20"),
        region("CIRCLE 180 10 25"),
        region("CIRCLE 30 85 15"),
        region("CIRCLE 200 -80 20"),
        region("RANGE 165 195 -10 10"),
        region("RANGE 0 360 55 70"),
        region("POLYGON 170 -30 190 -30 190 0 170 0"),
        Region::from(UnionRegion::new(parts)),
    ];
    let around = |lon: f64| lon.rem_euclid(360.0);
    let inside = |region: &Region, lon: f64, lat: f64| {
        region.contains_lonlat(&LonLat::from_degrees(around(lon), lat).unwrap())
    };
    let places: Vec<(f64, f64)> = (-25..=25)
        .flat_map(|lon| (-12..=12).map(move |lat| (7.0 * f64::from(lon), 7.0 * f64::from(lat))))
        .collect();
    for region in regions {
        let bytes = region.encode();
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let script = format!(
            "import('/api/butler/web/sky.js').then(({{ showSky, project }}) => {{
              const record = {{ record: {{ region: '{text}' }} }};
              showSky([{{ dataId: {{ dataId: {{}}, records: {{ visit: record }} }} }}], () => {{}});
              const path = document.querySelector('#regions path');
              return {}.map(([lon, lat]) => path.isPointInFill(new DOMPoint(...project(lon, lat))));
            }})",
            json!(places)
        );
        let drawn = browser.value(&script).await;
        let drawn = drawn.as_array().unwrap();
        assert_eq!(drawn.len(), places.len());
        for ((lon, lat), drawn) in places.iter().zip(drawn) {
            let truth = inside(&region, *lon, *lat);
            // Outlines are made of short straight lines: close to the edge either will do.
            let near = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)];
            let clear = near.iter().all(|(x, y)| {
                let step = x / lat.to_radians().cos();
                inside(&region, lon + step, lat + y) == truth
            });
            assert!(
                !clear || *drawn == truth,
                "{region:?} at {lon} {lat}: {drawn}"
            );
        }
    }
}
