//! Producing to and consuming from Kafka.

mod consumer;
mod dead_letter;
mod log;
mod producer;
mod settings;

pub use consumer::{Batch, BatchLimits, Consumer, Isolation};
pub use dead_letter::{DeadLetter, Stage};
pub use producer::{CommitError, Outgoing, TransactionalProducer};
pub use settings::{Credentials, KafkaSettings};

/// Why the other side of Kafka cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum KafkaFailure {
    /// The settings are of no use.
    #[error("Kafka refuses the settings: {0}")]
    Settings(rdkafka::error::KafkaError),
    /// Another client has taken over this one's identity: there shall be only one of it.
    #[error("another process has taken over from this one: {0}")]
    Fenced(String),
    /// This client cannot go on; a new one may.
    #[error("Kafka: {0}")]
    Lost(String),
}
