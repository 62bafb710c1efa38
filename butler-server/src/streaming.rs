//! Results as they come: one JSON object a line, until the last one or an error.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use butler_core::error::{Error, Result};
use butler_core::query::{PageStream, ResultPage};
use butler_core::wire::pages::write_page;
use butler_core::wire::{ErrorResponse, QueryErrorResult};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderName, header};
use tracing::Span;

use crate::app::App;
use crate::error::ApiError;
use crate::limits::Permit;

/// What says that a query still runs.
const KEEP_ALIVE: &[u8] = b"{\"type\":\"keep-alive\"}\n";

/// Keeps proxies from holding lines back.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// A query whose results are on their way.
struct Running {
    app: App,
    pages: PageStream,
    keep_alive: Duration,
    /// The size of the last page, as a hint for the next.
    size: usize,
    /// Where the log belongs.
    span: Span,
    _permit: Permit,
}

/// A response that streams pages. The query runs as fast as the client reads, and ends when the
/// client goes away.
pub(crate) fn stream_pages(app: &App, permit: Permit, pages: PageStream) -> Response {
    let running = Running {
        keep_alive: app.settings.keep_alive,
        app: app.clone(),
        pages,
        size: 0,
        span: Span::current(),
        _permit: permit,
    };
    let lines = stream::unfold(Some(running), |running| async {
        let mut running = running?;
        match running.next_line().await {
            Ok(Some(line)) => Some((Ok(line), Some(running))),
            Ok(None) => None,
            Err(error) => Some((running.failure(error), None)),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonlines"),
        NO_BUFFERING,
    ];
    (headers, Body::from_stream(lines)).into_response()
}

impl Running {
    /// The next line; none at the end.
    async fn next_line(&mut self) -> Result<Option<Bytes>> {
        let Ok(page) = tokio::time::timeout(self.keep_alive, self.pages.next()).await else {
            return Ok(Some(Bytes::from_static(KEEP_ALIVE)));
        };
        let Some(page) = page.transpose()? else {
            return Ok(None);
        };
        self.app.metrics.count_rows(page.len());
        Ok(Some(self.line(&page)))
    }

    fn line(&mut self, page: &ResultPage) -> Bytes {
        // Pages of one query are about as large as each other.
        let mut line = Vec::with_capacity(self.size + self.size / 16 + 256);
        write_page(page, &mut line);
        line.push(b'\n');
        self.size = line.len();
        line.into()
    }

    /// The line that ends a stream with an error that the client is told of. For any other the
    /// response is broken off, which the client sees, too.
    fn failure(&self, error: Error) -> Result<Bytes, Arc<Error>> {
        match ApiError::from(error) {
            ApiError::User(error) => Ok(error_line(error)),
            ApiError::Internal(error) => {
                self.span
                    .in_scope(|| tracing::error!(%error, "a query failed while it streamed"));
                Err(Arc::new(error))
            }
            other => Err(Arc::new(Error::Internal(format!("{other:?}")))),
        }
    }
}

fn error_line(error: ErrorResponse) -> Bytes {
    let mut line = serde_json::json!(QueryErrorResult { error }).to_string();
    line.push('\n');
    line.into()
}
