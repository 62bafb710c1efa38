//! The Butler writer: outputs of Prompt Processing, from Kafka into the embargo repository.
//!
//! A batch of messages is ingested, its batch file is written, and then one Kafka transaction tells the publication
//! service of the file, sets aside the messages that cannot be ingested, and commits the offsets. Killed before
//! that, the writer receives the messages again and ingests what is missing; so every dataset is ingested at
//! least once, which is the same as once, and every message is answered exactly once. See `docs/writer.md`.

mod batch_file;
mod health;
mod ingest;
mod metrics;
mod output;
mod patience;
mod service;
mod settings;

pub use metrics::WriterMetrics;
pub use service::{Writer, WriterError};
pub use settings::WriterSettings;
