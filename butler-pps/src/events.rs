//! What travels through Kafka: the outputs of Prompt Processing, and the batches that were ingested.
