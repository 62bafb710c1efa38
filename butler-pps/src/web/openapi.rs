//! The API, for machines and for people.
//!
//! The document is made from the handlers and their structs; `cargo xtask openapi` writes it to
//! `openapi/butler-pps.json`.

use axum::response::{IntoResponse as _, Response};
use butler_core::error::Error;
use http::header;
use utoipa::{IntoResponses, OpenApi, ToSchema};

use super::error::WebResult;
use super::{
    ages, audit, commands, counts, datasets, health, holds, problems, tasks, throughput, user,
    webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Prompt publication",
        description = "How far prompt data products are on their way to the public, and commands of Data Curation. Behind Gafaelfawr, X-Auth-Request-User and X-Auth-Request-Token say who sends a request; a service with keys for tokens of its own takes Authorization: Bearer instead. Times are milliseconds since 1970 UTC, by the service's clock.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        user::get,
        counts::get,
        ages::get,
        throughput::get,
        tasks::get,
        problems::get,
        holds::get,
        webhooks::get,
        datasets::get,
        datasets::search,
        audit::get,
        commands::post,
        health::live,
        health::ready,
        health::metrics,
    )
)]
struct Document;

/// A refusal that says why.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct Detail {
    /// Why, for people.
    detail: String,
}

/// How a request may be refused.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(super) enum Refusals {
    /// The path or its parameters are malformed.
    #[response(status = 400)]
    Unreadable(Detail),
    /// There is no valid token.
    #[response(status = 401)]
    Unauthorized(Detail),
    /// The user may not do this, or is not known.
    #[response(status = 403)]
    Forbidden(Detail),
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(Detail),
    /// The request is understood, but asks for what cannot be.
    #[response(status = 422)]
    Unprocessable(Detail),
    /// The service has a fault.
    #[response(status = 500)]
    Internal(Detail),
    /// The state database, or the authentication service, does not answer; see Retry-After.
    #[response(status = 503)]
    Busy(Detail),
}

/// How a request with a body may be refused, besides.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(super) enum BodyRefusals {
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(Detail),
    /// The body is not said to be JSON.
    #[response(status = 415)]
    NotJson(Detail),
}

/// The document as text, with an end of line.
///
/// # Errors
/// It cannot be written as JSON.
pub fn text() -> serde_json::Result<String> {
    let mut text = Document::openapi().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// The document.
pub(super) async fn document() -> WebResult<Response> {
    let text =
        text().map_err(|error| Error::Internal(format!("the document of the API: {error}")))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
