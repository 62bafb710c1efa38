//! Logs, metrics and traces.

pub mod context;
pub mod json_log;
pub mod metrics;
pub mod middleware;
pub mod setup;
