//! What the server answers, route by route, on both databases.
#![allow(clippy::unwrap_used)]

mod access;
mod collections;
mod datasets;
mod files;
mod gate;
mod health;
mod limits;
mod openapi;
mod outages;
mod queries;
mod serving;
mod support;
mod tokens;
mod web;
