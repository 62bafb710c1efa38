//! Behaviour of the publication service and the writer.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod commands;
mod faults;
mod inputs;
mod kafka;
mod killing;
mod lifecycle;
mod listening;
mod observatory;
mod python;
mod safety;
mod state;
mod web;
mod writer;
