//! Logs as one JSON object a line, in the form that the reference's server logs in: `event`,
//! `severity`, `timestamp`, `logger` and the fields of the event and of the spans around it.
//!
//! A field whose name ends in `.json` holds JSON text; it is written as that, without the ending.

use std::fmt::{self, Debug};
use std::time::{SystemTime, UNIX_EPOCH};

use butler_core::time::civil_from_days;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes events as JSON.
pub struct JsonLog<W> {
    write: W,
}

impl<W: Fn(&[u8])> JsonLog<W> {
    /// A log whose lines, each with its end, are handed to `write`.
    pub fn new(write: W) -> Self {
        Self { write }
    }
}

/// The fields of a span.
struct SpanFields(Map<String, Value>);

struct Collect<'m>(&'m mut Map<String, Value>);

impl Collect<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            "message" => "event",
            name => name,
        };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Collect<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name().strip_suffix(".json") {
            Some(name) => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                self.0.insert(name.to_owned(), value);
            }
            None => self.put(field, value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

impl<S, W> Layer<S> for JsonLog<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Map::new();
            attributes.record(&mut Collect(&mut fields));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut Collect(&mut fields.0));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        event.record(&mut Collect(&mut line));
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                for (name, value) in &fields.0 {
                    // What is nearer counts.
                    if !line.contains_key(name) {
                        line.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        let metadata = event.metadata();
        line.insert("severity".to_owned(), severity(*metadata.level()).into());
        line.insert("logger".to_owned(), metadata.target().into());
        line.insert("timestamp".to_owned(), Now.to_string().into());
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            (self.write)(&text);
        }
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// The present, as ISO 8601 in UTC.
struct Now;

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default();
        let seconds = since.as_secs();
        let days = i64::try_from(seconds / 86_400).unwrap_or(0);
        let (year, month, day) = civil_from_days(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            since.subsec_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::JsonLog;

    fn logged(act: impl FnOnce()) -> Vec<Value> {
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&lines);
        let log = JsonLog::new(move |line: &[u8]| {
            kept.lock()
                .unwrap()
                .push(serde_json::from_slice(line).unwrap());
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), act);
        let lines = lines.lock().unwrap();
        lines.clone()
    }

    #[test]
    fn events_carry_the_fields_of_their_spans() {
        let lines = logged(|| {
            let span = tracing::info_span!("request", request_id = "abc");
            span.in_scope(|| tracing::warn!(rows = 3, "slow"));
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["event"], "slow");
        assert_eq!(lines[0]["rows"], 3);
        assert_eq!(lines[0]["request_id"], "abc");
        assert_eq!(lines[0]["severity"], "warning");
    }

    #[test]
    fn fields_of_json_text_become_objects() {
        let lines = logged(|| tracing::info!(dataset.json = r#"{"type": "raw"}"#, "file-access"));
        assert_eq!(lines[0]["dataset"], json!({"type": "raw"}));
    }
}
