//! Pages for browsers: files from the binary, handed out so that a page can use nothing but them. Pages
//! of other services share what is here, and so look and behave alike.

use axum::response::{Html, IntoResponse as _, Response};
use http::header;

/// Nothing from elsewhere, nothing inline, nothing around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The media type of documents.
pub const HTML: &str = "text/html; charset=utf-8";
/// The media type of style sheets.
pub const STYLE: &str = "text/css; charset=utf-8";
/// The media type of scripts.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
/// The media type of drawings.
pub const PICTURE: &str = "image/svg+xml";

/// A file that a page needs: name, media type and content.
pub type PageFile = (&'static str, &'static str, &'static str);

/// What all pages need: colors and controls, the icon, and how elements are made.
pub const SHARED: [PageFile; 3] = [
    ("base.css", STYLE, include_str!("web/base.css")),
    ("icon.svg", PICTURE, include_str!("web/icon.svg")),
    ("dom.js", SCRIPT, include_str!("web/dom.js")),
];

/// The response with a file.
#[must_use]
pub fn respond(media_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A newer server may have newer files under the same names.
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept"),
    ];
    (headers, content).into_response()
}

/// A page to read the document `openapi.json` beside it, which needs nothing else.
pub async fn openapi() -> Html<&'static str> {
    Html(include_str!("openapi.html"))
}
