//! Releases as JSON.

use butler_core::error::{Error, Result};
use serde::Serialize;
use uuid::Uuid;

use crate::state::{Delivery, Release};

/// A release: a line of a list, or an element of a message.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: Uuid,
    dataset_type: &'a str,
    instrument: Option<&'a str>,
    visit: Option<i64>,
    released: String,
}

/// What receivers of webhooks are sent.
#[derive(Debug, Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Uuid,
    timestamp: String,
    datasets: Vec<Told<'a>>,
}

impl<'a> From<&'a Release> for Told<'a> {
    fn from(release: &'a Release) -> Self {
        Self {
            id: release.id,
            dataset_type: &release.dataset_type,
            instrument: release.instrument.as_deref(),
            visit: release.visit,
            released: release.released.to_string(),
        }
    }
}

/// Releases as JSON Lines.
pub(super) fn lines(releases: &[Release]) -> Result<Vec<u8>> {
    let mut text = Vec::with_capacity(releases.len() * 192);
    for release in releases {
        serde_json::to_writer(&mut text, &Told::from(release)).map_err(unwritable)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The body of a delivery: the same in each attempt.
pub(super) fn body(delivery: &Delivery, releases: &[Release]) -> Result<Vec<u8>> {
    let message = Message {
        kind: "datasets-released",
        id: delivery.id,
        timestamp: delivery.announced.to_string(),
        datasets: releases.iter().map(Told::from).collect(),
    };
    serde_json::to_vec(&message).map_err(unwritable)
}

pub(super) fn unwritable(error: serde_json::Error) -> Error {
    Error::Internal(format!("releases as JSON: {error}"))
}
