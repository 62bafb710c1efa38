//! What is counted, in the form of Prometheus.

use std::fmt::Write as _;
use std::time::Duration;

use butler_core::error::{Error, Result};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::app::Shared;
use crate::limits::QueryLimits;

/// Which requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

/// Which latencies are put together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

type Latencies = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// The counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latencies: Latencies,
    rows: Counter,
    limits: QueryLimits,
}

/// From half a millisecond to about half a minute.
fn latency_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

/// The name of a method, for which clients cannot make up new ones.
fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "other",
    }
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new(limits: QueryLimits) -> Self {
        let mut registry = Registry::with_prefix("butler");
        let requests = Family::default();
        registry.register("requests", "Requests answered", requests.clone());
        let latencies = Latencies::new_with_constructor(latency_buckets);
        registry.register_with_unit(
            "request_latency",
            "Time until the response began",
            Unit::Seconds,
            latencies.clone(),
        );
        let rows = Counter::default();
        registry.register("rows", "Rows of results streamed", rows.clone());
        Self {
            registry,
            requests,
            latencies,
            rows,
            limits,
        }
    }

    /// Counts a request. Routes are given as the router has them, so that there are few.
    pub fn count_request(
        &self,
        method: &http::Method,
        route: &str,
        status: http::StatusCode,
        latency: Duration,
    ) {
        let labels = RequestLabels {
            method: method_name(method),
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        let latencies = self.latencies.get_or_create(&labels);
        latencies.observe(latency.as_secs_f64());
    }

    /// Counts rows of results.
    pub fn count_rows(&self, rows: usize) {
        self.rows.inc_by(rows as u64);
    }

    /// All numbers as text.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be written.
    pub fn render(&self, app: &Shared) -> Result<String> {
        let mut text = String::new();
        let fail = |_| Error::Internal("metrics cannot be written".to_owned());
        // Ours come first: the encoder ends its output with a mark of the end.
        text.push_str("# HELP butler_streaming_queries Streaming queries that run now.\n");
        text.push_str("# TYPE butler_streaming_queries gauge\n");
        writeln!(text, "butler_streaming_queries {}", self.limits.running()).map_err(fail)?;
        text.push_str("# HELP butler_pool_connections Database connections.\n");
        text.push_str("# TYPE butler_pool_connections gauge\n");
        let served = app.repositories.values();
        for repository in served.filter_map(|served| served.repository()) {
            for (pool, usage) in repository.pools() {
                for (state, count) in [
                    ("busy", usage.open.saturating_sub(usage.idle)),
                    ("idle", usage.idle),
                ] {
                    let name = &repository.name;
                    writeln!(
                        text,
                        "butler_pool_connections{{repository={name:?},pool={pool:?},\
                         state={state:?}}} {count}"
                    )
                    .map_err(fail)?;
                }
            }
        }
        encode(&mut text, &self.registry).map_err(fail)?;
        Ok(text)
    }
}
