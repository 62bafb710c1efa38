//! Behaviour of the publication service and the writer.
#![allow(clippy::unwrap_used)]

mod kafka;
mod listening;
mod writer;
