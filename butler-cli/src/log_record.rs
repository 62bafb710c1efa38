//! Log messages as JSON records of the reference's form, a record a line. Its `ButlerLogRecords`
//! reads them.

use std::fmt;

use serde_json::{Map, Value, json};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes records with labels: their `MDC`.
pub(crate) struct JsonRecords {
    labels: Map<String, Value>,
}

impl JsonRecords {
    /// Records with these labels.
    pub(crate) fn new(labels: &[(String, String)]) -> Self {
        let labels = labels.iter();
        Self {
            labels: labels
                .map(|(key, value)| (key.clone(), value.as_str().into()))
                .collect(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for JsonRecords
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (mut message, mut time) = (String::new(), String::new());
        context.format_fields(Writer::new(&mut message), event)?;
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        let (number, level) = python_level(*metadata.level());
        let path = metadata.file().unwrap_or_default();
        let record = json!({
            "name": metadata.target(),
            "asctime": time,
            "message": message,
            "levelno": number,
            "levelname": level,
            "filename": path.rsplit('/').next(),
            "pathname": path,
            "lineno": metadata.line().unwrap_or_default(),
            "funcName": null,
            "process": std::process::id(),
            "processName": "butler",
            "exc_info": null,
            "MDC": self.labels,
        });
        writeln!(writer, "{record}")
    }
}

/// The number and the name that Python's loggers have for a level.
const fn python_level(level: Level) -> (u8, &'static str) {
    match level {
        Level::ERROR => (40, "ERROR"),
        Level::WARN => (30, "WARNING"),
        Level::INFO => (20, "INFO"),
        Level::DEBUG => (10, "DEBUG"),
        Level::TRACE => (5, "TRACE"),
    }
}
