//! The loop: receive, ingest, tell, commit.

use std::time::Instant;

use butler_core::error::Error;
use butler_direct::resource::ResourcePath;
use butler_direct::{DirectButler, OpenOptions};
use rdkafka::Message as _;
use rdkafka::message::OwnedMessage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::batch_file::BatchFile;
use super::health;
use super::ingest::{Ingested, ingest};
use super::metrics::Committed;
use super::output::Output;
use super::patience::Patience;
use super::{WriterMetrics, WriterSettings};
use crate::backoff::{Backoff, Interrupted};
use crate::events::{BatchIngested, BatchIngestedType, PROMPT_PROCESSING, PromptProcessingOutput};
use crate::kafka::{
    Batch, BatchLimits, CommitError, Consumer, DeadLetter, Isolation, KafkaFailure, KafkaSettings,
    Outgoing, Stage, TransactionalProducer,
};
use crate::settings::SettingsError;

/// Why the writer ends.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The settings are of no use.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The repository cannot be opened, or its answer makes no sense.
    #[error(transparent)]
    Butler(#[from] Error),
    /// Kafka refuses the settings, or another writer has taken over.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// Metrics cannot be served.
    #[error("cannot serve metrics at {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
}

/// The Butler writer.
#[derive(Debug)]
pub struct Writer {
    butler: DirectButler,
    directory: ResourcePath,
    kafka: KafkaSettings,
    limits: BatchLimits,
    settings: WriterSettings,
    metrics: WriterMetrics,
}

/// A connection to Kafka as consumer and producer.
struct Session {
    consumer: Consumer,
    producer: TransactionalProducer,
}

/// What a batch has come to.
struct Processed {
    outgoing: Vec<Outgoing>,
    file: Option<BatchFile>,
    committed: Committed,
}

impl Writer {
    /// Opens the repository and checks the settings.
    ///
    /// # Errors
    /// [`WriterError::Settings`], [`WriterError::Butler`].
    pub async fn open(settings: WriterSettings) -> Result<Self, WriterError> {
        let kafka = settings.kafka()?;
        let limits = settings.limits()?;
        let directory = ResourcePath::directory(&settings.dataset_list_directory)
            .map_err(|error| SettingsError(format!("directory of dataset lists: {error}")))?;
        let butler = DirectButler::open(&settings.repository, OpenOptions::writeable()).await?;
        Ok(Self {
            butler,
            directory,
            kafka,
            limits,
            settings,
            metrics: WriterMetrics::new(),
        })
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &WriterMetrics {
        &self.metrics
    }

    /// Works until it is to stop. A batch that is being committed then is finished; one that is not is left to the
    /// next writer.
    ///
    /// # Errors
    /// Another writer has taken over, Kafka refuses the settings, or metrics cannot be served. All else is waited
    /// for.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), WriterError> {
        let Some(address) = self.settings.listen else {
            return self.work(&stop).await;
        };
        let unserved = |error| WriterError::Listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(unserved)?;
        let ending = stop.child_token();
        let served = health::serve(listener, self.metrics.clone(), ending.clone());
        let worked = async {
            let outcome = self.work(&stop).await;
            ending.cancel();
            outcome
        };
        let (worked, served) = tokio::join!(worked, served);
        worked?;
        served.map_err(unserved)
    }

    async fn work(&self, stop: &CancellationToken) -> Result<(), WriterError> {
        let mut backoff = Backoff::new();
        while !stop.is_cancelled() {
            let began = Instant::now();
            match self.session(stop).await {
                Ok(()) => break,
                Err(KafkaFailure::Lost(reason)) => {
                    if stop.is_cancelled() {
                        break;
                    }
                    tracing::warn!(reason, "beginning anew with Kafka");
                    self.metrics.retried("working with Kafka");
                    if began.elapsed().as_secs() > 60 {
                        backoff = Backoff::new();
                    }
                    if backoff.pause(stop).await.is_err() {
                        break;
                    }
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        tracing::info!("the writer has stopped");
        Ok(())
    }

    /// Connects, and works until it is to stop or the connection is of no use any more.
    async fn session(&self, stop: &CancellationToken) -> Result<(), KafkaFailure> {
        // First of all whoever had the ID is fenced, and what he left open is settled: offsets are certain then.
        let id = &self.settings.transactional_id;
        let producer = TransactionalProducer::begin(&self.kafka, id, stop).await?;
        let consumer = Consumer::join(
            &self.kafka,
            &self.settings.topic,
            &self.settings.group_id,
            Some(id),
            Isolation::ReadCommitted,
        )?;
        self.metrics.connected();
        tracing::info!(topic = self.settings.topic, "waiting for messages");
        let session = Session { consumer, producer };
        let outcome = self.serve(&session, stop).await;
        // Closing speaks with the broker.
        let closed = tokio::task::spawn_blocking(move || drop(session)).await;
        outcome.and(closed.map_err(|error| KafkaFailure::Lost(error.to_string())))
    }

    async fn serve(&self, session: &Session, stop: &CancellationToken) -> Result<(), KafkaFailure> {
        let patience = Patience {
            stop: stop.clone(),
            metrics: self.metrics.clone(),
        };
        loop {
            let batch = tokio::select! {
                batch = session.consumer.next_batch(self.limits) => batch?,
                () = stop.cancelled() => return Ok(()),
            };
            self.metrics.received(batch.messages.len());
            let Ok(processed) = self.process(&batch, &patience).await else {
                return Ok(());
            };
            self.commit(session, &batch, processed).await?;
        }
    }

    /// Ingests a batch and writes its file.
    async fn process(&self, batch: &Batch, patience: &Patience) -> Result<Processed, Interrupted> {
        let began = Instant::now();
        let mut dead: Vec<(usize, DeadLetter)> = Vec::new();
        let mut places = Vec::new();
        let mut outputs = Vec::new();
        for (place, message) in batch.messages.iter().enumerate() {
            match self.understand(message, patience).await? {
                Ok(output) => {
                    places.push(place);
                    outputs.push(output);
                }
                Err(letter) => dead.push((place, letter)),
            }
        }
        let parse_failures = dead.len();
        let Ingested {
            datasets,
            new,
            refused,
        } = ingest(&self.butler, &outputs, patience).await?;
        let refusals = refused.len();
        dead.extend(refused.into_iter().map(|(index, error)| {
            let letter = DeadLetter {
                stage: Stage::Ingest,
                reason: error.to_string(),
            };
            (places[index], letter)
        }));
        let mut outgoing = Vec::new();
        for (place, letter) in &dead {
            let message = &batch.messages[*place];
            tracing::error!(
                partition = message.partition(),
                offset = message.offset(),
                stage = letter.stage.as_str(),
                reason = letter.reason,
                "a message is set aside"
            );
            outgoing.push(letter.outgoing(message, &self.settings.dead_letters()));
        }
        let committed = Committed {
            ingested: outputs.len() - refusals,
            dead: [(Stage::Parse, parse_failures), (Stage::Ingest, refusals)],
            datasets: datasets.len(),
            new_datasets: new,
            duration: began.elapsed(),
        };
        let file = match datasets.is_empty() {
            true => None,
            false => Some(self.write_file(datasets, patience).await?),
        };
        if let Some(file) = &file {
            outgoing.push(self.announcement(file));
        }
        Ok(Processed {
            outgoing,
            file,
            committed: Committed {
                duration: began.elapsed(),
                ..committed
            },
        })
    }

    async fn understand(
        &self,
        message: &OwnedMessage,
        patience: &Patience,
    ) -> Result<Result<Output, DeadLetter>, Interrupted> {
        let letter = |reason: String| DeadLetter {
            stage: Stage::Parse,
            reason,
        };
        let payload = message.payload().unwrap_or_default();
        let event: PromptProcessingOutput = match serde_json::from_slice(payload) {
            Ok(event) => event,
            Err(error) => return Ok(Err(letter(error.to_string()))),
        };
        let registry = self.butler.registry();
        let read = patience.until_decided("reading messages", || Output::read(&event, registry));
        Ok(read.await?.map_err(|error| letter(error.to_string())))
    }

    async fn write_file(
        &self,
        datasets: Vec<butler_core::datasets::DatasetId>,
        patience: &Patience,
    ) -> Result<BatchFile, Interrupted> {
        let file = patience
            .until_done("naming a batch file", || {
                std::future::ready(BatchFile::new(&self.directory, datasets.clone()))
            })
            .await?;
        let resources = self.butler.resources();
        patience
            .until_done("writing a batch file", || file.write(resources))
            .await?;
        Ok(file)
    }

    fn announcement(&self, file: &BatchFile) -> Outgoing {
        let event = BatchIngested {
            kind: BatchIngestedType::BatchIngested,
            batch_id: file.id,
            origin: PROMPT_PROCESSING.to_owned(),
            batch_file: file.name.clone(),
        };
        Outgoing {
            topic: self.settings.output_topic.clone(),
            key: None,
            payload: Some(serde_json::json!(event).to_string().into_bytes()),
            headers: None,
        }
    }

    async fn commit(
        &self,
        session: &Session,
        batch: &Batch,
        processed: Processed,
    ) -> Result<(), KafkaFailure> {
        let offsets = batch.next_offsets()?;
        let group = session.consumer.group()?;
        let began = Instant::now();
        let outcome = session.producer.commit(processed.outgoing, offsets, group);
        let failure = match outcome.await {
            Ok(()) => {
                let mut committed = processed.committed;
                committed.duration += began.elapsed();
                tracing::info!(
                    messages = batch.messages.len(),
                    datasets = committed.datasets,
                    new = committed.new_datasets,
                    file = processed.file.map(|file| file.name),
                    "a batch is ingested"
                );
                self.metrics.committed(&committed);
                return Ok(());
            }
            Err(failure) => failure,
        };
        // In the other cases a message that is committed may name it.
        if let (CommitError::Aborted(_), Some(file)) = (&failure, &processed.file) {
            file.withdraw(self.butler.resources()).await;
        }
        Err(match failure {
            CommitError::Fenced(reason) => KafkaFailure::Fenced(reason),
            CommitError::Aborted(_) | CommitError::Unknown(_) => {
                KafkaFailure::Lost(failure.to_string())
            }
        })
    }
}
