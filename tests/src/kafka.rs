//! The Apache Kafka broker that all tests share, and brokers of a test's own.
//!
//! On the shared one a test uses topics, groups and transactional IDs with [`unique`] names.

use crate::provided;
use std::path::PathBuf;

pub use butler_test_services::{Broker, SCRAM_PASSWORD, SCRAM_USER};

/// Where the shared broker listens, without authentication. It makes topics as they are used.
///
/// # Panics
/// When `KAFKA_BOOTSTRAP_SERVERS` is not set.
#[must_use]
pub fn bootstrap_servers() -> String {
    provided("KAFKA_BOOTSTRAP_SERVERS")
}

/// A name that nothing else uses: `<prefix>-` and 32 hexadecimal digits.
#[must_use]
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// Starts a broker for one test, which may stop, kill and start it.
///
/// # Panics
/// When `BUTLER_TEST_KAFKA_LIBS` is not set or the broker does not start.
#[must_use]
pub fn start_broker() -> Broker {
    let libraries = PathBuf::from(provided("BUTLER_TEST_KAFKA_LIBS"));
    Broker::start(&libraries).unwrap_or_else(|error| panic!("no broker: {error}"))
}
