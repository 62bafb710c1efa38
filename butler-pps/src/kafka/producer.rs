//! Messages and offsets that become known at once or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use tokio_util::sync::CancellationToken;

use super::log::LogContext;
use super::{KafkaFailure, KafkaSettings};

/// How long a single call may take before it is made again.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// How long a transaction may be tried to be ended.
const COMMIT_LIMIT: Duration = Duration::from_secs(180);

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub topic: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// What it says.
    pub payload: Option<Vec<u8>>,
    /// What is said about it.
    pub headers: Option<OwnedHeaders>,
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another producer has the same transactional ID now: this one is of no use any more. Whether the transaction
    /// is committed, the other one knows.
    #[error("another process has taken over from this one: {0}")]
    Fenced(String),
    /// The transaction is aborted; it was not asked to be committed.
    #[error("a transaction was aborted: {0}")]
    Aborted(String),
    /// Whether the transaction is committed shows when a producer with the same transactional ID begins anew.
    #[error("it is not known whether a transaction is committed: {0}")]
    Unknown(String),
}

/// A producer of transactions. There is only one at a time with a transactional ID.
#[derive(Clone)]
pub struct TransactionalProducer {
    producer: Arc<ThreadedProducer<LogContext>>,
}

impl TransactionalProducer {
    /// Begins as the only producer with this ID: others are fenced, and what they left open is aborted, or
    /// committed if they had come that far. Waits for the broker.
    ///
    /// # Errors
    /// [`KafkaFailure::Settings`]; [`KafkaFailure::Lost`] if the broker refuses, or `stop` comes first.
    pub async fn begin(
        settings: &KafkaSettings,
        transactional_id: &str,
        stop: &CancellationToken,
    ) -> Result<Self, KafkaFailure> {
        let mut config = settings.client_config();
        config
            .set("transactional.id", transactional_id)
            .set("linger.ms", "0");
        let producer: ThreadedProducer<LogContext> = config
            .create_with_context(LogContext)
            .map_err(KafkaFailure::Settings)?;
        let producer = Self {
            producer: Arc::new(producer),
        };
        let this = producer.clone();
        let stop = stop.clone();
        blocking(move || {
            loop {
                match this.producer.init_transactions(CALL_LIMIT) {
                    Ok(()) => return Ok(()),
                    Err(error) if stop.is_cancelled() || !is_retriable(&error) => {
                        return Err(KafkaFailure::Lost(error.to_string()));
                    }
                    Err(error) => tracing::warn!(%error, "no answer from Kafka yet"),
                }
            }
        })
        .await
        .map_err(KafkaFailure::Lost)??;
        Ok(producer)
    }

    /// Sends messages, and commits a consumer's offsets with them. Messages that are too large for the client
    /// are sent without their payload, with the header `payload-omitted`.
    ///
    /// # Errors
    /// See [`CommitError`]. In each case, go on with another producer and consumer.
    pub async fn commit(
        &self,
        messages: Vec<Outgoing>,
        offsets: TopicPartitionList,
        group: ConsumerGroupMetadata,
    ) -> Result<(), CommitError> {
        let this = self.clone();
        blocking(move || this.commit_blocking(&messages, &offsets, &group))
            .await
            .map_err(CommitError::Unknown)?
    }

    fn commit_blocking(
        &self,
        messages: &[Outgoing],
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), CommitError> {
        let deadline = Instant::now() + COMMIT_LIMIT;
        let prepared = self
            .producer
            .begin_transaction()
            .and_then(|()| {
                messages
                    .iter()
                    .try_for_each(|message| self.send(message, deadline))
            })
            .and_then(|()| {
                until(deadline, || {
                    self.producer
                        .send_offsets_to_transaction(offsets, group, CALL_LIMIT)
                })
            });
        if let Err(error) = prepared {
            return Err(self.abort(&error));
        }
        // From here on an error may hide that the broker has committed.
        until(deadline, || self.producer.commit_transaction(CALL_LIMIT)).map_err(|error| {
            match &error {
                _ if self.is_fenced(&error) => CommitError::Fenced(error.to_string()),
                KafkaError::Transaction(details) if details.txn_requires_abort() => {
                    CommitError::Unknown(self.abort(&error).to_string())
                }
                _ => CommitError::Unknown(error.to_string()),
            }
        })
    }

    fn send(&self, message: &Outgoing, deadline: Instant) -> Result<(), KafkaError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&message.topic);
        record.key = message.key.as_deref();
        record.payload = message.payload.as_deref();
        record.headers = message.headers.clone();
        loop {
            let Err((error, refused)) = self.producer.send(record) else {
                return Ok(());
            };
            record = refused;
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge) if record.payload.is_some() => {
                    record.payload = None;
                    let headers = record.headers.take().unwrap_or_default();
                    record.headers = Some(headers.insert(rdkafka::message::Header {
                        key: "payload-omitted",
                        value: Some("true"),
                    }));
                }
                _ => return Err(error),
            }
        }
    }

    /// Aborts the transaction because of an error, and says what that means.
    fn abort(&self, error: &KafkaError) -> CommitError {
        if self.is_fenced(error) {
            return CommitError::Fenced(error.to_string());
        }
        let deadline = Instant::now() + COMMIT_LIMIT;
        match until(deadline, || self.producer.abort_transaction(CALL_LIMIT)) {
            Ok(()) => CommitError::Aborted(error.to_string()),
            Err(second) if self.is_fenced(&second) => CommitError::Fenced(second.to_string()),
            Err(second) => CommitError::Unknown(format!("{error}; {second}")),
        }
    }

    /// Whether an error, or what has befallen the client before, is that another has taken over.
    fn is_fenced(&self, error: &KafkaError) -> bool {
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        let codes = [fatal, error.rdkafka_error_code()];
        codes.into_iter().flatten().any(|code| {
            matches!(
                code,
                RDKafkaErrorCode::Fenced
                    | RDKafkaErrorCode::FencedInstanceId
                    | RDKafkaErrorCode::ProducerFenced
                    | RDKafkaErrorCode::InvalidProducerEpoch
            )
        })
    }
}

impl std::fmt::Debug for TransactionalProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactionalProducer")
            .finish_non_exhaustive()
    }
}

/// Calls again as long as that may help.
fn until(
    deadline: Instant,
    mut call: impl FnMut() -> Result<(), KafkaError>,
) -> Result<(), KafkaError> {
    loop {
        match call() {
            Err(error) if is_retriable(&error) && Instant::now() < deadline => {
                tracing::warn!(%error, "Kafka does not answer; trying again");
                std::thread::sleep(Duration::from_millis(100));
            }
            outcome => return outcome,
        }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(details) if details.is_retriable())
}

/// Runs what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| error.to_string())
}
