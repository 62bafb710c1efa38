//! What the writer counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::kafka::Stage;

type Labelled = Family<Vec<(&'static str, String)>, Counter>;

/// What the writer counts. Clones share it.
#[derive(Clone)]
pub struct WriterMetrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    ready: AtomicBool,
    received: Counter,
    ingested: Counter,
    dead: Labelled,
    datasets: Counter,
    new_datasets: Counter,
    batches: Counter,
    retries: Labelled,
    sessions: Counter,
    seconds: Histogram,
    last_commit: Gauge<f64, AtomicU64>,
    in_hand: Gauge<i64, AtomicI64>,
}

impl WriterMetrics {
    /// Nothing counted yet.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "metrics are made once, on purpose"
    )]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("butler_writer");
        let inner = Inner {
            ready: AtomicBool::new(false),
            received: Counter::default(),
            ingested: Counter::default(),
            dead: Labelled::default(),
            datasets: Counter::default(),
            new_datasets: Counter::default(),
            batches: Counter::default(),
            retries: Labelled::default(),
            sessions: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.01, 2.0, 14)),
            last_commit: Gauge::default(),
            in_hand: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register(
            "messages_received",
            "Messages received",
            inner.received.clone(),
        );
        registry.register(
            "messages_ingested",
            "Messages whose datasets were ingested and announced",
            inner.ingested.clone(),
        );
        registry.register(
            "messages_dead",
            "Messages set aside as dead letters",
            inner.dead.clone(),
        );
        registry.register(
            "datasets_announced",
            "Datasets named in batch files",
            inner.datasets.clone(),
        );
        registry.register(
            "datasets_new",
            "Datasets that the repository did not have before",
            inner.new_datasets.clone(),
        );
        registry.register("batches", "Batches committed", inner.batches.clone());
        registry.register(
            "retries",
            "Attempts that failed without a fault of the messages",
            inner.retries.clone(),
        );
        registry.register(
            "kafka_sessions",
            "Times that the writer has connected to Kafka",
            inner.sessions.clone(),
        );
        registry.register_with_unit(
            "batch_duration",
            "From the receipt of a batch to its commit",
            Unit::Seconds,
            inner.seconds.clone(),
        );
        registry.register(
            "last_commit_timestamp_seconds",
            "When a batch was committed last",
            inner.last_commit.clone(),
        );
        registry.register(
            "messages_in_hand",
            "Messages received and not committed yet",
            inner.in_hand.clone(),
        );
        Self(Arc::new(Inner { registry, ..inner }))
    }

    /// Everything as OpenMetrics text.
    ///
    /// # Errors
    /// It cannot be formatted.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// Whether the writer has a session with Kafka, and its last attempt to write succeeded.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }

    pub(super) fn ready(&self) {
        self.0.ready.store(true, Ordering::Relaxed);
    }

    pub(super) fn retried(&self, what: &str) {
        self.0.ready.store(false, Ordering::Relaxed);
        self.0
            .retries
            .get_or_create(&vec![("operation", what.to_owned())])
            .inc();
    }

    pub(super) fn connected(&self) {
        self.0.sessions.inc();
        self.ready();
    }

    pub(super) fn received(&self, messages: usize) {
        self.0.received.inc_by(messages as u64);
        self.0.in_hand.set(messages.try_into().unwrap_or(i64::MAX));
    }

    pub(super) fn committed(&self, batch: &Committed) {
        self.0.ingested.inc_by(batch.ingested as u64);
        self.0.datasets.inc_by(batch.datasets as u64);
        self.0.new_datasets.inc_by(batch.new_datasets as u64);
        for (stage, count) in batch.dead {
            if count > 0 {
                self.0
                    .dead
                    .get_or_create(&vec![("stage", stage.as_str().to_owned())])
                    .inc_by(count as u64);
            }
        }
        self.0.batches.inc();
        self.0.in_hand.set(0);
        self.0.seconds.observe(batch.duration.as_secs_f64());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.0
            .last_commit
            .set(now.unwrap_or_default().as_secs_f64());
    }
}

impl std::fmt::Debug for WriterMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterMetrics").finish_non_exhaustive()
    }
}

/// A batch that is committed.
#[derive(Debug)]
pub(super) struct Committed {
    /// Messages whose datasets were ingested.
    pub(super) ingested: usize,
    /// Messages set aside.
    pub(super) dead: [(Stage, usize); 2],
    pub(super) datasets: usize,
    pub(super) new_datasets: usize,
    pub(super) duration: Duration,
}
