//! Services that the developer commands and single tests start alike, made of the standard library alone.
//!
//! [`Broker`] is an Apache Kafka broker of one's own, [`PostgresServer`] a PostgreSQL server; [`Guard`] ends a service
//! and removes its directory, however its owner ends.

mod broker;
mod guard;
mod postgres;
pub mod process;

pub use broker::{Broker, SCRAM_PASSWORD, SCRAM_USER};
pub use guard::Guard;
pub use postgres::{PostgresServer, Shutdown};
