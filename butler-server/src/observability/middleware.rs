//! What happens around every request: an ID, a line in the log, numbers, and panics caught.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use butler_core::wire::CLIENT_REQUEST_ID_HEADER;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use tracing::Instrument as _;

use super::context::RequestContext;
use crate::app::App;
use crate::auth::text;
use crate::error::{Fault, internal_error};

/// The route under which requests for unknown paths are counted.
const NO_ROUTE: &str = "(none)";

/// Gives a request its ID, and logs and counts it.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let context = RequestContext::new(text(request.headers(), CLIENT_REQUEST_ID_HEADER));
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", request_id = context.id(), route);
    request.extensions_mut().insert(context.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    let latency = start.elapsed();
    app.metrics
        .count_request(&method, route, response.status(), latency);
    let status = response.status().as_u16();
    let user = context.user().and_then(|user| user.name.as_deref());
    let milliseconds = latency.as_secs_f64() * 1e3;
    span.in_scope(|| {
        if let Some(Fault(error)) = response.extensions().get() {
            tracing::error!(user, path, error = %error, "a request failed");
        }
        if is_probe(route) {
            tracing::debug!(method = %method, path, status, milliseconds, "request");
        } else {
            tracing::info!(method = %method, path, status, user, milliseconds, "request");
        }
    });
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Without this header clients do not try again.
        let seconds = app.settings.retry_after_seconds;
        let headers = response.headers_mut();
        headers.entry(RETRY_AFTER).or_insert(seconds.into());
    }
    if let Ok(id) = HeaderValue::from_str(context.id()) {
        response.headers_mut().insert(CLIENT_REQUEST_ID_HEADER, id);
    }
    response
}

/// Whether a route is there for what watches the server, which asks all the time.
fn is_probe(route: &str) -> bool {
    matches!(route, "/" | "/health/live" | "/health/ready" | "/metrics")
}

/// What is answered when a handler has panicked.
pub fn on_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(message, "a request made the server panic");
    internal_error()
}
