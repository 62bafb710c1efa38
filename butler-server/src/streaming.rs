//! Results as they come: one JSON object a line, until the last one or an error.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};
use butler_core::query::{PageStream, ResultPage, RowPages};
use butler_core::wire::pages::write_page;
use butler_core::wire::{ErrorResponse, QueryErrorResult};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderName, HeaderValue, header};
use tracing::Span;

use crate::app::App;
use crate::error::{ApiError, ApiResult, UNAVAILABLE};
use crate::limits::Permit;

/// What says that a query still runs.
const KEEP_ALIVE: &[u8] = b"{\"type\":\"keep-alive\"}\n";

/// What the rest of a result is missing for, as an `error_type`. Clients do not know it, and show
/// the words that come with it; an answer that is cut off would show them nothing.
const INTERRUPTED: &str = "unavailable";

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
///
/// # Errors
/// What goes wrong before there is a page or it is time to say that the query runs, unless it is
/// the user's mistake: of that, clients expect to be told in the stream.
pub(crate) async fn stream_pages(
    app: &App,
    permit: Permit,
    pages: PageStream,
) -> ApiResult<Response> {
    let mut running = Running {
        keep_alive: app.settings.keep_alive,
        app: app.clone(),
        pages,
        size: 0,
        span: Span::current(),
        _permit: permit,
    };
    let first = match running.next_line().await.map_err(ApiError::from) {
        Err(ApiError::User(error)) => return Ok(response(Body::from(error_line(error)))),
        Err(fault) => return Err(fault),
        Ok(None) => return Ok(response(Body::empty())),
        Ok(Some(line)) => stream::once(async { Ok(line) }),
    };
    let rest = stream::unfold(Some(running), |running| async {
        let mut running = running?;
        match running.next_line().await {
            Ok(Some(line)) => Some((Ok(line), Some(running))),
            Ok(None) => None,
            Err(error) => Some((running.failure(error), None)),
        }
    });
    Ok(response(Body::from_stream(first.chain(rest))))
}

fn response(lines: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/jsonlines"),
        NO_BUFFERING,
    ];
    (headers, lines).into_response()
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
            ApiError::Unavailable(error) => {
                log(&self.span, &error);
                Ok(error_line(ErrorResponse {
                    error_type: INTERRUPTED.to_owned(),
                    detail: UNAVAILABLE.to_owned(),
                }))
            }
            ApiError::Internal(error) => {
                log(&self.span, &error);
                Err(Arc::new(error))
            }
            other => Err(Arc::new(Error::Internal(format!("{other:?}")))),
        }
    }
}

/// A response that streams datasets of one type as CSV, to be saved. There is no form for errors
/// among the lines: if something goes wrong, the response breaks off, which browsers say.
///
/// # Errors
/// [`Error::Internal`] if a name cannot be in a header.
pub(crate) fn stream_table(
    app: &App,
    permit: Permit,
    name: &str,
    first: Vec<DatasetRef>,
    rest: RowPages<DatasetRef>,
) -> ApiResult<Response> {
    let name = format!("attachment; filename=\"{name}.csv\"");
    let name = HeaderValue::try_from(name).map_err(|error| Error::Internal(error.to_string()))?;
    let dimensions = first.first().map(|dataset| dataset.data_id().dimensions());
    let keys: &[&str] = dimensions.map_or(&[], |found| found.data_coordinate_keys());
    let titles = ["type", "run", "id"].iter().chain(keys);
    let mut titles = records([titles.map(|&title| title.to_owned()).collect()]);
    let (app, span) = (app.clone(), Span::current());
    let pages = stream::once(std::future::ready(Ok(first))).chain(rest);
    let lines = pages.map(move |page| {
        // The query counts as running until the client has read it.
        let _permit = &permit;
        let page = page.inspect_err(|error| log(&span, error))?;
        app.metrics.count_rows(page.len());
        let mut lines = std::mem::take(&mut titles);
        lines.extend(records(page.iter().map(record)));
        Ok::<_, Error>(lines)
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8"),
        ),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// What a table has of a dataset.
fn record(dataset: &DatasetRef) -> Vec<String> {
    let of_dataset = [
        dataset.dataset_type().name().to_string(),
        dataset.run().to_string(),
        dataset.id().to_string(),
    ];
    let data_id = dataset.data_id();
    let keys = data_id.dimensions().data_coordinate_keys().iter();
    let values = keys.map(|key| {
        data_id
            .get(key)
            .map(ToString::to_string)
            .unwrap_or_default()
    });
    of_dataset.into_iter().chain(values).collect()
}

/// Lines of CSV.
fn records(records: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        // Memory takes everything, and the records of a table have as many fields as each other.
        let _ = writer.write_record(record);
    }
    writer.into_inner().unwrap_or_default()
}

fn log(span: &Span, error: &Error) {
    span.in_scope(|| tracing::error!(%error, "a query failed while it streamed"));
}

fn error_line(error: ErrorResponse) -> Bytes {
    let mut line = serde_json::json!(QueryErrorResult { error }).to_string();
    line.push('\n');
    line.into()
}
