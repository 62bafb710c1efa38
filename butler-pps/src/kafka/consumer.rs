//! Messages in batches, whose offsets somebody else commits.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerGroupMetadata, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::topic_partition_list::Offset;
use tokio::time::{Instant, sleep, timeout_at};

use super::log::LogContext;
use super::{KafkaFailure, KafkaSettings};

/// How long a consumer rests after an error from which it recovers by itself.
const REST: Duration = Duration::from_millis(500);

/// The most that is fetched ahead of what is asked for, in KiB: this is what holds the broker back.
const READ_AHEAD_KIB: &str = "32768";

/// Which messages of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of transactions that are committed.
    ReadCommitted,
    /// All.
    ReadUncommitted,
}

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The most messages.
    pub messages: usize,
    /// The most bytes, but for the last message.
    pub bytes: usize,
    /// How long to wait for more messages after the first.
    pub wait: Duration,
}

/// Messages that were received one after the other.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, one or more.
    pub messages: Vec<OwnedMessage>,
}

impl Batch {
    /// Where to go on after these messages.
    ///
    /// # Errors
    /// An offset that no broker gives.
    pub fn next_offsets(&self) -> Result<TopicPartitionList, KafkaFailure> {
        let mut next: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for message in &self.messages {
            let place = next
                .entry((message.topic(), message.partition()))
                .or_default();
            *place = (*place).max(message.offset() + 1);
        }
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in next {
            list.add_partition_offset(topic, partition, Offset::Offset(offset))
                .map_err(lost)?;
        }
        Ok(list)
    }
}

/// A member of a consumer group that never commits by itself.
pub struct Consumer {
    consumer: StreamConsumer<LogContext>,
}

impl Consumer {
    /// Joins a group to read a topic, from its begin where the group has not been before.
    ///
    /// With an `instance`, the member is the same one when it comes again after a crash, and need not be missed
    /// first; who was it before is fenced.
    ///
    /// # Errors
    /// [`KafkaFailure::Settings`]. Brokers that are not there are waited for.
    pub fn join(
        settings: &KafkaSettings,
        topic: &str,
        group: &str,
        instance: Option<&str>,
        isolation: Isolation,
    ) -> Result<Self, KafkaFailure> {
        let mut config = settings.client_config();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("queued.max.messages.kbytes", READ_AHEAD_KIB)
            // Topics that are made later are found soon.
            .set("topic.metadata.refresh.interval.ms", "30000")
            .set(
                "isolation.level",
                match isolation {
                    Isolation::ReadCommitted => "read_committed",
                    Isolation::ReadUncommitted => "read_uncommitted",
                },
            );
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        let consumer: StreamConsumer<LogContext> = config
            .create_with_context(LogContext)
            .map_err(KafkaFailure::Settings)?;
        consumer
            .subscribe(&[topic])
            .map_err(KafkaFailure::Settings)?;
        Ok(Self { consumer })
    }

    /// Waits for messages, however long it takes. What was received before the future is dropped is lost to this
    /// consumer, but not committed.
    ///
    /// # Errors
    /// [`KafkaFailure::Fenced`], [`KafkaFailure::Lost`].
    pub async fn next_batch(&self, limits: BatchLimits) -> Result<Batch, KafkaFailure> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut deadline = None;
        while batch.messages.len() < limits.messages && bytes < limits.bytes {
            let received = match deadline {
                None => self.receive().await?,
                Some(deadline) => match timeout_at(deadline, self.receive()).await {
                    Ok(received) => received?,
                    Err(_) => break,
                },
            };
            deadline.get_or_insert_with(|| Instant::now() + limits.wait);
            bytes += received.payload().map_or(0, <[u8]>::len);
            batch.messages.push(received);
        }
        Ok(batch)
    }

    async fn receive(&self) -> Result<OwnedMessage, KafkaFailure> {
        loop {
            match self.consumer.recv().await {
                Ok(message) => return Ok(message.detach()),
                Err(error) => self.survive(error)?,
            }
            sleep(REST).await;
        }
    }

    /// Tells errors that end this consumer from those that it gets over.
    fn survive(&self, error: KafkaError) -> Result<(), KafkaFailure> {
        let fatal = self.consumer.client().fatal_error();
        match fatal.map_or(error.rdkafka_error_code(), |(code, _)| Some(code)) {
            Some(RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::Fenced) => {
                Err(KafkaFailure::Fenced(error.to_string()))
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(lost(error)),
            // The group has given this member's partitions to others meanwhile.
            Some(RDKafkaErrorCode::PollExceeded) => Err(lost(error)),
            _ => {
                tracing::warn!(%error, "messages cannot be received just now");
                Ok(())
            }
        }
    }

    /// What a transaction that commits this member's offsets must know of the group.
    ///
    /// # Errors
    /// [`KafkaFailure::Lost`] if it is in none.
    pub fn group(&self) -> Result<ConsumerGroupMetadata, KafkaFailure> {
        self.consumer
            .group_metadata()
            .ok_or_else(|| KafkaFailure::Lost("the consumer is in no group".to_owned()))
    }

    /// Commits where to go on, outside of any transaction.
    ///
    /// # Errors
    /// [`KafkaFailure::Lost`]: the messages will come again.
    pub async fn commit(self: &std::sync::Arc<Self>, batch: &Batch) -> Result<(), KafkaFailure> {
        let offsets = batch.next_offsets()?;
        let consumer = std::sync::Arc::clone(self);
        tokio::task::spawn_blocking(move || consumer.consumer.commit(&offsets, CommitMode::Sync))
            .await
            .map_err(|error| KafkaFailure::Lost(error.to_string()))?
            .map_err(lost)
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

fn lost(error: KafkaError) -> KafkaFailure {
    KafkaFailure::Lost(error.to_string())
}
