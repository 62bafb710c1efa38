//! What the server answers, route by route, on both databases.
#![allow(clippy::unwrap_used)]

mod access;
mod collections;
mod datasets;
mod files;
mod health;
mod limits;
mod openapi;
mod queries;
mod serving;
mod support;
mod tokens;
