//! Producing to and consuming from Kafka.
