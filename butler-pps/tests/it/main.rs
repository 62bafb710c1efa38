//! Behaviour of the publication service and the writer.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod commands;
mod faults;
mod inputs;
mod killing;
mod lifecycle;
mod observatory;
mod python;
mod safety;
mod state;
#![allow(clippy::unwrap_used)]

mod kafka;
mod listening;
mod writer;
