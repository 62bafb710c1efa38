//! Batches that the Butler writer announces.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use butler_core::error::{Error, Result};
use butler_direct::resource::{ResourcePath, Resources};
use clap::Args;
use rdkafka::Message as _;
use rdkafka::message::OwnedMessage;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Registrar;
use crate::backoff::Backoff;
use crate::events::BatchIngested;
use crate::kafka::{BatchLimits, Consumer, Isolation, KafkaFailure, KafkaSettings};
use crate::scheduler::Companion;
use crate::settings::SettingsError;
use crate::state::InputFile;

/// Announcements are small, and what takes time is what they lead to.
const LIMITS: BatchLimits = BatchLimits {
    messages: 100,
    bytes: 1 << 20,
    wait: Duration::from_millis(100),
};

/// How often a batch file is looked for that is announced but not there.
const LOOKS: u32 = 5;

/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Where the Butler writer announces its batches; nowhere if there is no server.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct KafkaInputOptions {
    /// Addresses of Kafka brokers, with commas between them.
    #[arg(long, env = "PROMPTPUB_KAFKA_SERVER", value_name = "HOST:PORT")]
    pub kafka_server: Option<String>,

    /// The topic to which the Butler writer tells of ingested batches.
    #[arg(long, env = "PROMPTPUB_KAFKA_TOPIC", value_name = "TOPIC")]
    pub kafka_topic: Option<String>,

    /// The consumer group.
    #[arg(long, env = "PROMPTPUB_KAFKA_GROUP_ID", value_name = "ID")]
    pub kafka_group_id: Option<String>,

    /// The user at the broker, by SASL SCRAM-SHA-512; none if unset.
    #[arg(long, env = "PROMPTPUB_KAFKA_USERNAME", value_name = "USER")]
    pub kafka_username: Option<String>,

    /// The user's password.
    #[arg(
        long,
        env = "PROMPTPUB_KAFKA_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub kafka_password: Option<String>,
}

impl KafkaInputOptions {
    /// The input, if there is one.
    ///
    /// # Errors
    /// It is set in part only.
    pub fn input(&self) -> std::result::Result<Option<KafkaInput>, SettingsError> {
        let missing = |what: &str| SettingsError(format!("a Kafka server is given, but no {what}"));
        let given = self.kafka_server.clone();
        let Some(server) = given.filter(|server| !server.is_empty()) else {
            return Ok(None);
        };
        let kafka = KafkaSettings::new(
            server,
            self.kafka_username.clone(),
            self.kafka_password.clone(),
            false,
        )
        .map_err(|error| SettingsError(error.to_owned()))?;
        Ok(Some(KafkaInput {
            kafka,
            topic: self.kafka_topic.clone().ok_or_else(|| missing("topic"))?,
            group: self
                .kafka_group_id
                .clone()
                .ok_or_else(|| missing("consumer group"))?,
        }))
    }
}

/// The topic to which the Butler writer tells of ingested batches.
#[derive(Debug, Clone)]
pub struct KafkaInput {
    /// Where the broker is.
    pub kafka: KafkaSettings,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
}

/// A message of the topic.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Where it comes from: topic, partition and offset.
    pub source: String,
    /// What it says, or why it cannot be understood.
    pub batch: std::result::Result<BatchIngested, String>,
}

impl Announcement {
    fn read(message: &OwnedMessage) -> Self {
        let payload = message.payload().unwrap_or_default();
        Self {
            source: format!(
                "kafka:{}/{}/{}",
                message.topic(),
                message.partition(),
                message.offset()
            ),
            batch: serde_json::from_slice(payload).map_err(|error| error.to_string()),
        }
    }
}

/// What is done with announcements.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Handles an announcement. It may come again.
    ///
    /// # Errors
    /// It cannot be handled just now.
    async fn hear(&self, announcement: &Announcement) -> Result<()>;
}

impl KafkaInput {
    /// Hands over announcements, each until it is handled, and then tells the broker so: each is handled at least
    /// once. While one cannot be handled, the others stay with the broker.
    ///
    /// # Errors
    /// Kafka refuses the settings. All else is waited for.
    pub async fn listen(
        &self,
        listener: &dyn Listener,
        stop: &CancellationToken,
    ) -> std::result::Result<(), KafkaFailure> {
        let mut backoff = Backoff::new();
        while !stop.is_cancelled() {
            match self.session(listener, stop).await {
                Ok(()) => break,
                Err(KafkaFailure::Settings(error)) => return Err(KafkaFailure::Settings(error)),
                Err(failure) => {
                    tracing::warn!(%failure, "beginning anew with Kafka");
                    if backoff.pause(stop).await.is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn session(
        &self,
        listener: &dyn Listener,
        stop: &CancellationToken,
    ) -> std::result::Result<(), KafkaFailure> {
        // The service is alone by its lock on the state database: whoever had this identity is dead.
        let consumer = Consumer::join(
            &self.kafka,
            &self.topic,
            &self.group,
            Some(&self.group),
            Isolation::ReadCommitted,
        )?;
        let consumer = Arc::new(consumer);
        let outcome = self.serve(&consumer, listener, stop).await;
        // Closing speaks with the broker.
        let closed = tokio::task::spawn_blocking(move || drop(consumer)).await;
        outcome.and(closed.map_err(|error| KafkaFailure::Lost(error.to_string())))
    }

    async fn serve(
        &self,
        consumer: &Arc<Consumer>,
        listener: &dyn Listener,
        stop: &CancellationToken,
    ) -> std::result::Result<(), KafkaFailure> {
        loop {
            let batch = tokio::select! {
                batch = consumer.next_batch(LIMITS) => batch?,
                () = stop.cancelled() => return Ok(()),
            };
            for message in &batch.messages {
                let announcement = Announcement::read(message);
                let mut backoff = Backoff::new();
                while let Err(error) = listener.hear(&announcement).await {
                    tracing::error!(%error, source = announcement.source, "a batch waits");
                    if backoff.pause(stop).await.is_err() {
                        return Ok(());
                    }
                }
            }
            consumer.commit(&batch).await?;
        }
    }
}

/// Registers the datasets of announced batches. A batch whose file is not there, and a message that cannot be
/// understood, are noted among the files of inputs.
#[derive(Debug, Clone)]
pub struct BatchRegistrar {
    /// Makes the datasets known.
    pub registrar: Registrar,
    /// What batch files are read with.
    pub resources: Resources,
    /// The directory that they are in.
    pub directory: ResourcePath,
}

#[async_trait]
impl Listener for BatchRegistrar {
    async fn hear(&self, announcement: &Announcement) -> Result<()> {
        let done = match &announcement.batch {
            Ok(batch) => self.read_file(&batch.batch_file).await,
            Err(reason) => Err(Error::InvalidArgument(reason.clone())),
        };
        match done {
            Err(error @ (Error::InvalidArgument(_) | Error::FileNotFound(_))) => {
                self.note(announcement, &error).await
            }
            other => other,
        }
    }
}

impl BatchRegistrar {
    /// Registers what it hears, beside the service's tasks.
    #[must_use]
    pub fn companion(self, input: KafkaInput) -> Companion {
        Box::new(move |stop| {
            Box::pin(async move {
                let heard = input.listen(&self, &stop).await;
                heard.map_err(|failure| Error::Configuration(failure.to_string()))
            })
        })
    }

    async fn read_file(&self, name: &str) -> Result<()> {
        let place = self.directory.join(name)?;
        let mut looks = 1;
        loop {
            match self.registrar.read_file(&self.resources, &place).await {
                Err(Error::FileNotFound(_)) if looks < LOOKS => looks += 1,
                Ok(registered) => {
                    tracing::info!(?registered, file = name, "a batch is registered");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Remembers what is wrong with an announcement.
    async fn note(&self, announcement: &Announcement, error: &Error) -> Result<()> {
        tracing::error!(%error, source = announcement.source, "a batch cannot be registered");
        let note = InputFile {
            uri: announcement.source.clone(),
            read: self.registrar.clock().now(),
            datasets: 0,
            error: Some(error.to_string()),
        };
        self.registrar.state().add_input_file(&note).await
    }
}
