//! Services that the developer commands and single tests start alike, made of the standard library alone.
//!
//! [`Broker`] is an Apache Kafka broker of one's own; [`Guard`] ends a service and removes its directory, however
//! its owner ends.

mod broker;
mod guard;

pub use broker::{Broker, SCRAM_PASSWORD, SCRAM_USER};
pub use guard::Guard;
