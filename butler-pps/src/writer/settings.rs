//! How the writer is configured. The variables are those of Rubin's Prompt Processing Butler Writer, and some more.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::kafka::{BatchLimits, KafkaSettings};
use crate::settings::SettingsError;

/// The most bytes of messages that are held at once, but for the last message.
const BATCH_BYTES: usize = 64 << 20;

/// The settings of the writer.
#[derive(Debug, Clone, Args)]
pub struct WriterSettings {
    /// The embargo repository: a label, a directory, or the address of its configuration.
    #[arg(long, env = "BUTLER_REPOSITORY", value_name = "REPO")]
    pub repository: String,

    /// Addresses of Kafka brokers, with commas between them.
    #[arg(long, env = "KAFKA_CLUSTER", value_name = "HOST:PORT")]
    pub cluster: String,

    /// The topic with the outputs of Prompt Processing.
    #[arg(long, env = "KAFKA_TOPIC")]
    pub topic: String,

    /// The topic that is told of ingested batches.
    #[arg(long, env = "KAFKA_OUTPUT_TOPIC", value_name = "TOPIC")]
    pub output_topic: String,

    /// The topic of messages that cannot be parsed or ingested; that of the outputs with
    /// "-dead-letter" at its end if unset.
    #[arg(long, env = "KAFKA_DEAD_LETTER_TOPIC", value_name = "TOPIC")]
    pub dead_letter_topic: Option<String>,

    /// The user at the broker, by SASL SCRAM-SHA-512; none if unset.
    #[arg(long, env = "KAFKA_USERNAME", value_name = "USER")]
    pub username: Option<String>,

    /// The user's password.
    #[arg(
        long,
        env = "KAFKA_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub password: Option<String>,

    /// Log all that the Kafka client does (with a log level of "debug"): 1 or 0.
    #[arg(
        long,
        env = "KAFKA_DEBUG",
        value_name = "0|1",
        default_value = "0",
        value_parser = ["0", "1"]
    )]
    pub debug: String,

    /// The directory, on a file system or S3, that the lists of ingested datasets are written to.
    #[arg(long, env = "OUTPUT_DATASET_LIST_DIRECTORY", value_name = "URI")]
    pub dataset_list_directory: String,

    /// The consumer group.
    #[arg(
        long,
        env = "KAFKA_GROUP_ID",
        value_name = "ID",
        default_value = "butler-writer"
    )]
    pub group_id: String,

    /// The transactional ID. Of processes that share it, the last one works; the others end.
    #[arg(
        long,
        env = "KAFKA_TRANSACTIONAL_ID",
        value_name = "ID",
        default_value = "butler-writer-output"
    )]
    pub transactional_id: String,

    /// The most messages ingested at once.
    #[arg(
        long,
        env = "WRITER_BATCH_MESSAGES",
        value_name = "COUNT",
        default_value_t = 500,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000)
    )]
    pub batch_messages: usize,

    /// How long a batch waits for more messages after its first, in seconds.
    #[arg(
        long,
        env = "WRITER_BATCH_SECONDS",
        value_name = "SECONDS",
        default_value_t = 30.0
    )]
    pub batch_seconds: f64,

    /// Where metrics and health are served over HTTP, such as "0.0.0.0:8080"; nowhere if unset.
    #[arg(long, env = "WRITER_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}

impl WriterSettings {
    /// Where the broker is.
    ///
    /// # Errors
    /// There is only one of user and password.
    pub fn kafka(&self) -> Result<KafkaSettings, SettingsError> {
        KafkaSettings::new(
            self.cluster.clone(),
            self.username.clone(),
            self.password.clone(),
            self.debug == "1",
        )
        .map_err(|error| SettingsError(error.to_owned()))
    }

    /// When a batch is full.
    ///
    /// # Errors
    /// The time is negative or no number.
    pub fn limits(&self) -> Result<BatchLimits, SettingsError> {
        let wait = Duration::try_from_secs_f64(self.batch_seconds).map_err(|error| {
            SettingsError(format!(
                "batches of {} seconds: {error}",
                self.batch_seconds
            ))
        })?;
        Ok(BatchLimits {
            messages: self.batch_messages,
            bytes: BATCH_BYTES,
            wait,
        })
    }

    /// The topic of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        match &self.dead_letter_topic {
            Some(topic) => topic.clone(),
            None => format!("{}-dead-letter", self.topic),
        }
    }
}
