//! The page: one document, a style sheet and a few scripts, all from the binary.

use axum::extract::Path;
use axum::response::Response;
use butler_server::page::{HTML, PageFile, SCRIPT, SHARED, STYLE, respond};

use super::error::{WebError, WebResult};

/// The files of the page, besides those that all pages need.
const FILES: [PageFile; 8] = [
    ("style.css", STYLE, include_str!("page/style.css")),
    ("main.js", SCRIPT, include_str!("page/main.js")),
    ("api.js", SCRIPT, include_str!("page/api.js")),
    ("format.js", SCRIPT, include_str!("page/format.js")),
    ("tables.js", SCRIPT, include_str!("page/tables.js")),
    ("charts.js", SCRIPT, include_str!("page/charts.js")),
    ("history.js", SCRIPT, include_str!("page/history.js")),
    ("confirm.js", SCRIPT, include_str!("page/confirm.js")),
];

/// The page.
pub(super) async fn index() -> Response {
    respond(HTML, include_str!("page/index.html"))
}

/// A file that the page needs.
pub(super) async fn file(Path(name): Path<String>) -> WebResult<Response> {
    let found = SHARED
        .iter()
        .chain(&FILES)
        .find(|(known, ..)| *known == name);
    let (_, media_type, content) = found.ok_or_else(WebError::not_found)?;
    Ok(respond(media_type, content))
}
