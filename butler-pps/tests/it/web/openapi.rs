//! The document of the API.

use std::path::Path;

use super::filled::Filled;
use crate::observatory::Databases;

/// Set by `cargo xtask openapi`, to write the document instead of comparing it.
const UPDATE: &str = "BUTLER_UPDATE_OPENAPI";

#[test]
fn the_document_that_is_checked_in_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let file = root.join("openapi/butler-pps.json");
    let current = butler_pps::web::openapi_text().unwrap();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == current,
        "it is not; `cargo xtask openapi` makes it so"
    );
}

#[tokio::test]
async fn the_document_is_served_with_a_page_to_read_it() {
    let filled = Filled::new(Databases::Sqlite).await;
    let site = filled.open().await;
    let document = site.get("/prompt-publication/openapi.json").await.json();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(
            path.starts_with("/prompt-publication/")
                || path.starts_with("/health/")
                || path == "/metrics",
            "{path}"
        );
    }
    let page = site.get("/prompt-publication/docs").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
}
