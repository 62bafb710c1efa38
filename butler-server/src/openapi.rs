//! The protocol, for machines and for people.

use axum::response::{IntoResponse as _, Response};
use http::header;

/// The document.
pub(crate) async fn document() -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (content_type, "{}").into_response()
}

/// A page to read it.
pub(crate) async fn page() -> Response {
    axum::response::Html("").into_response()
}
