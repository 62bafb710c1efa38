//! The page for people who would rather look: one document, one style sheet and a few scripts, all
//! from the binary. It uses the routes for clients and two of its own, [`repositories`] and
//! [`search`]; who somebody is, the ingress says, as for other clients.
//!
//! [`repositories`]: super::repositories
//! [`search`]: super::search

use axum::response::Response;
use http::HeaderMap;

use crate::auth::text;
use crate::error::{ApiError, ApiResult};
use crate::extract::NameInPath;
use crate::page::{HTML, PageFile, SCRIPT, SHARED, STYLE, respond};

/// The files below `/api/butler/web`, besides those that all pages need.
const FILES: [PageFile; 7] = [
    ("style.css", STYLE, include_str!("../web/style.css")),
    ("main.js", SCRIPT, include_str!("../web/main.js")),
    ("api.js", SCRIPT, include_str!("../web/api.js")),
    ("tree.js", SCRIPT, include_str!("../web/tree.js")),
    ("results.js", SCRIPT, include_str!("../web/results.js")),
    ("sky.js", SCRIPT, include_str!("../web/sky.js")),
    ("regions.js", SCRIPT, include_str!("../web/regions.js")),
];

/// Whether a request is that of a browser for a page: HTML comes before JSON among what it accepts.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = text(headers, "accept").unwrap_or_default();
    let place = |media_type: &str| accepted.find(media_type);
    match (place("text/html"), place("application/json")) {
        (Some(html), Some(json)) => html < json,
        (html, None) => html.is_some(),
        (None, Some(_)) => false,
    }
}

/// The page.
pub(crate) async fn page() -> Response {
    respond(HTML, include_str!("../web/index.html"))
}

/// A file that the page needs.
pub(crate) async fn file(NameInPath(name): NameInPath) -> ApiResult<Response> {
    let found = SHARED
        .iter()
        .chain(&FILES)
        .find(|(known, ..)| *known == name);
    let (_, media_type, content) = found.ok_or_else(|| ApiError::not_found("Not Found"))?;
    Ok(respond(media_type, content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_browsers_get_the_page() {
        for (accepted, expected) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("accept", accepted.parse().unwrap());
            assert_eq!(prefers_html(&headers), expected, "{accepted}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
