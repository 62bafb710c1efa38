//! Tests of several crates together, and of the support that they use.
#![allow(clippy::unwrap_used, missing_docs)]

mod client;
mod commands;
mod configured;
mod dump;
mod files;
mod interop;
mod latiss;
mod operations;
mod processes;
mod queries;
mod query_suite;
mod reference;
mod repos;
mod result_pages;
mod simple_queries;
mod stores;
mod support;
mod values;
mod zips;
