//! The Butler server: repositories over REST, read-only.
//!
//! It answers the `v1` protocol of the reference, so that the real Python client uses it as it is,
//! and is configured by the same environment. See `docs/server.md`.
//!
//! [`router`](router::router) is the table of contents: every route is a function in [`routes`].
//! They are handed an [`App`](app::App), whose repositories can be read and no more.

pub mod app;
pub mod auth;
pub mod cli;
pub mod error;
mod extract;
pub mod file_urls;
pub mod limits;
pub mod observability;
pub mod openapi;
pub mod page;
pub mod repositories;
pub mod router;
mod routes;
pub mod serve;
pub mod settings;
mod shape;
mod streaming;
