//! Where logs and traces go.

use std::io::Write as _;

use async_trait::async_trait;
use butler_core::error::{Error, Result};
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::WithHttpConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

use super::json_log::JsonLog;
use crate::settings::{LogFormat, Settings};

/// The variables that switch the export of traces on.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Traces on their way out; they are sent when this is dropped.
#[derive(Debug, Default)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces cannot be sent");
        }
    }
}

/// Sets up logs, and traces if the environment asks for them. To be called once.
///
/// # Errors
/// [`Error::Configuration`] for a wrong filter or exporter.
///
/// # Panics
/// Outside of a tokio runtime, if traces are exported.
pub fn start(settings: &Settings) -> Result<Telemetry> {
    let filter = EnvFilter::try_new(&settings.log_level).map_err(|error| {
        Error::Configuration(format!("log_level '{}': {error}", settings.log_level))
    })?;
    let log = match settings.log_format {
        LogFormat::Json => JsonLog::new(write_line).with_filter(filter).boxed(),
        LogFormat::Text => tracing_subscriber::fmt::layer().with_filter(filter).boxed(),
    };
    let provider = trace_provider()?;
    let traces = provider.as_ref().map(|provider| {
        let tracer = provider.tracer("butler-server");
        tracing_opentelemetry::layer().with_tracer(tracer)
    });
    let subscriber = Registry::default().with(log).with(traces);
    subscriber
        .try_init()
        .map_err(|error| Error::Configuration(format!("logs cannot be set up: {error}")))?;
    if std::env::var_os("SENTRY_DSN").is_some() {
        tracing::info!("SENTRY_DSN is set; this server exports traces by OpenTelemetry only");
    }
    Ok(Telemetry(provider))
}

/// One write for each line, so that lines of several threads do not mix.
fn write_line(line: &[u8]) {
    // There is nowhere to report that the log cannot be written.
    let _ = std::io::stdout().lock().write_all(line);
}

/// Sends traces. They leave from a thread of their own, where the client, which needs the runtime,
/// cannot work.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

impl OnRuntime {
    fn current() -> Self {
        Self {
            client: reqwest::Client::new(),
            runtime: Handle::current(),
        }
    }
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = async move { client.send_bytes(request).await };
        self.runtime.spawn(sent).await?
    }
}

fn trace_provider() -> Result<Option<SdkTracerProvider>> {
    let wanted = ENDPOINTS
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !wanted {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime::current())
        .build()
        .map_err(|error| Error::Configuration(format!("OpenTelemetry: {error}")))?;
    let resource = Resource::builder()
        .with_service_name("butler-server")
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}
