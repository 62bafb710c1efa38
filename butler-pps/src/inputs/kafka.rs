//! Batches that the Butler writer announces.

use std::sync::Arc;
use std::time::Duration;

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
        let Some(server) = self.kafka_server.clone() else {
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

impl KafkaInput {
    /// Hands over announcements, each until it is handled, and then tells the broker so: each is handled at least
    /// once. While one cannot be handled, the others stay with the broker.
    ///
    /// # Errors
    /// Kafka refuses the settings. All else is waited for.
    pub async fn listen(
        &self,
        handle: impl AsyncFn(&Announcement) -> Result<()>,
        stop: &CancellationToken,
    ) -> std::result::Result<(), KafkaFailure> {
        let mut backoff = Backoff::new();
        while !stop.is_cancelled() {
            match self.session(&handle, stop).await {
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
        handle: &impl AsyncFn(&Announcement) -> Result<()>,
        stop: &CancellationToken,
    ) -> std::result::Result<(), KafkaFailure> {
        let isolation = Isolation::ReadCommitted;
        let consumer = Consumer::join(&self.kafka, &self.topic, &self.group, None, isolation)?;
        let consumer = Arc::new(consumer);
        let outcome = self.serve(&consumer, handle, stop).await;
        // Closing speaks with the broker.
        let closed = tokio::task::spawn_blocking(move || drop(consumer)).await;
        outcome.and(closed.map_err(|error| KafkaFailure::Lost(error.to_string())))
    }

    async fn serve(
        &self,
        consumer: &Arc<Consumer>,
        handle: &impl AsyncFn(&Announcement) -> Result<()>,
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
                while let Err(error) = handle(&announcement).await {
                    tracing::error!(%error, source = announcement.source, "a batch waits");
                    if backoff.pause(stop).await.is_err() {
                        return Ok(());
                    }
                }
            }
            consumer.commit(&batch).await?;
        }
    }

    /// Registers the datasets of announced batches, whose files are in a directory. A batch whose file is not
    /// there, and a message that cannot be understood, are noted among the files of inputs.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn register(
        &self,
        registrar: &Registrar,
        resources: &Resources,
        directory: &ResourcePath,
        stop: &CancellationToken,
    ) -> std::result::Result<(), KafkaFailure> {
        let handle = async |announcement: &Announcement| {
            let place = match &announcement.batch {
                Ok(batch) => directory.join(&batch.batch_file).map_err(Error::from),
                Err(reason) => Err(Error::InvalidArgument(reason.clone())),
            };
            let done = match place {
                Ok(place) => read_file(registrar, resources, &place, stop).await,
                Err(error) => Err(error),
            };
            match done {
                Err(error @ (Error::InvalidArgument(_) | Error::FileNotFound(_))) => {
                    note(registrar, announcement, &error).await
                }
                other => other,
            }
        };
        self.listen(handle, stop).await
    }
}

async fn read_file(
    registrar: &Registrar,
    resources: &Resources,
    place: &ResourcePath,
    stop: &CancellationToken,
) -> Result<()> {
    let mut backoff = Backoff::new();
    let mut looks = 1;
    loop {
        match registrar.read_file(resources, place).await {
            Err(Error::FileNotFound(_)) if looks < LOOKS => {
                looks += 1;
                if backoff.pause(stop).await.is_err() {
                    return Err(Error::Interrupted("the service stops".to_owned()));
                }
            }
            Ok(registered) => {
                tracing::info!(?registered, file = %place, "a batch is registered");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

/// Remembers what is wrong with an announcement.
async fn note(registrar: &Registrar, announcement: &Announcement, error: &Error) -> Result<()> {
    tracing::error!(%error, source = announcement.source, "a batch cannot be registered");
    let note = InputFile {
        uri: announcement.source.clone(),
        read: registrar.clock().now(),
        datasets: 0,
        error: Some(error.to_string()),
    };
    registrar.state().add_input_file(&note).await
}
