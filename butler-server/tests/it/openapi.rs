//! The document of the protocol.

use std::path::Path;

use crate::support::{Site, get};

/// Set by `cargo xtask openapi`, to write the document instead of comparing it.
const UPDATE: &str = "BUTLER_UPDATE_OPENAPI";

#[test]
fn the_document_that_is_checked_in_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let file = root.join("openapi/butler-server.json");
    let current = butler_server::openapi::text().unwrap();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
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
    let site = Site::sqlite().await;
    let server = site.server().await;
    let document = server.send(get("/api/butler/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/api/butler/repo/{repository}/v1/query/execute"));
    let page = server.send(get("/api/butler/docs")).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let text = std::str::from_utf8(&page.body).unwrap();
    assert!(
        !text.contains("https://"),
        "the page needs nothing from elsewhere"
    );
}
