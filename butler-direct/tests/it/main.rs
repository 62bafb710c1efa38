//! Tests of the direct library against real servers and files.

#![allow(clippy::unwrap_used)]

mod bad_input;
mod datastores;
mod operations;
mod registry;
mod resource_http;
mod resource_s3;
mod support;
