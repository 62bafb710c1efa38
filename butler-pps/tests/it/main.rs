//! Behaviour of the publication service and the writer.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod commands;
mod counting;
mod end_to_end;
mod faults;
mod guide;
mod inputs;
mod kafka;
mod killing;
mod lifecycle;
#[cfg(target_os = "linux")]
mod linking;
mod listening;
mod notifying;
mod observatory;
mod places;
mod process;
mod python;
mod resilience;
mod safety;
mod secrecy;
mod simulating;
mod state;
mod web;
mod writer;
