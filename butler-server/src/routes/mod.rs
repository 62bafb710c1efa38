//! The routes, one file for each resource. [`router`](crate::router) says where they are.

pub(crate) mod client_config;
pub(crate) mod collections;
pub(crate) mod configs;
pub(crate) mod data_ids;
pub(crate) mod dataset_types;
pub(crate) mod datasets;
pub(crate) mod download;
pub(crate) mod file;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod queries;
pub(crate) mod repositories;
pub(crate) mod search;
pub(crate) mod web;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header;

/// A response with a body that is JSON already.
pub(crate) fn json_body(body: impl Into<Bytes>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (content_type, body.into()).into_response()
}
