//! Outputs of many messages into the repository, at once where that is possible.

use std::collections::HashMap;
use std::sync::Arc;

use butler_core::datasets::{DatasetId, DatasetType, FileDataset};
use butler_core::error::{Error, Result};
use butler_core::progress::NoProgress;
use butler_direct::DirectButler;
use butler_direct::datastores::IngestOptions;
use butler_direct::db::error::is_refused_value;
use butler_direct::ops::records::GatheredRecords;

use super::output::Output;
use super::patience::Patience;
use crate::backoff::Interrupted;

/// The files are in the datastore already, and the reference's writer does not record their sizes either: that
/// would ask the object store for each of them.
const IN_PLACE: IngestOptions = IngestOptions {
    mode: None,
    record_validation_info: false,
};

/// What became of the outputs.
#[derive(Debug, Default)]
pub(super) struct Ingested {
    /// The datasets that are in the repository now, each once.
    pub(super) datasets: Vec<DatasetId>,
    /// How many of them were not there before.
    pub(super) new: usize,
    /// The outputs that the repository refuses, by position, and why.
    pub(super) refused: Vec<(usize, Error)>,
}

/// Takes all outputs in, in one transaction. If the repository refuses, halves of them, and so on: a few outputs
/// that are wrong cost some transactions more, but no other output.
///
/// What is there already stays as it is, so that outputs may come again. A repository that is out of reach is waited
/// for.
pub(super) async fn ingest(
    butler: &DirectButler,
    outputs: &[Output],
    patience: &Patience,
) -> std::result::Result<Ingested, Interrupted> {
    let mut ingested = Ingested::default();
    let mut datasets = indexmap::IndexSet::new();
    let mut pending = vec![(0, outputs.len())];
    while let Some((begin, end)) = pending.pop() {
        let part = &outputs[begin..end];
        let attempt = patience.until_decided("ingesting", || ingest_part(butler, part));
        match attempt.await? {
            Ok(new) => {
                ingested.new += new;
                datasets.extend(ids(part));
            }
            Err(error) if part.len() > 1 => {
                tracing::warn!(%error, outputs = part.len(), "refused together; trying halves");
                let middle = begin + part.len() / 2;
                pending.push((middle, end));
                pending.push((begin, middle));
            }
            Err(error) => ingested.refused.push((begin, error)),
        }
    }
    ingested.datasets = datasets.into_iter().collect();
    Ok(ingested)
}

/// Whether an error is the message's fault: it would come again however often the message is tried.
pub(super) fn is_of_message(error: &Error) -> bool {
    match error {
        Error::ReadOnly(_) => false,
        Error::FileNotFound(_)
        | Error::FileIntegrity { .. }
        | Error::PathEscapesRoot { .. }
        | Error::CorruptRecord { .. } => true,
        other => other.is_user_error() || is_refused_value(other),
    }
}

fn ids(outputs: &[Output]) -> impl Iterator<Item = DatasetId> {
    let files = outputs.iter().flat_map(|output| &output.files);
    files
        .flat_map(|file| &file.refs)
        .map(|dataset| dataset.id())
}

async fn ingest_part(butler: &DirectButler, outputs: &[Output]) -> Result<usize> {
    let mut records = GatheredRecords::default();
    for record in outputs.iter().flat_map(|output| &output.records) {
        records.add(Arc::clone(record));
    }
    let files = distinct(outputs)?;
    butler
        .ingest_with_records(files, &records, IN_PLACE, true, &NoProgress)
        .await
}

/// The files of outputs, each once: a worker may have told of one twice.
fn distinct(outputs: &[Output]) -> Result<Vec<FileDataset>> {
    let mut types: HashMap<&str, &Arc<DatasetType>> = HashMap::new();
    let mut seen: HashMap<DatasetId, &FileDataset> = HashMap::new();
    let mut files = Vec::new();
    for file in outputs.iter().flat_map(|output| &output.files) {
        for dataset in &file.refs {
            let given = dataset.dataset_type();
            let known = *types.entry(given.name()).or_insert(given);
            if known != given {
                return Err(Error::ConflictingDefinition(format!(
                    "dataset type '{}' comes as {given:?} and as {known:?}",
                    given.name()
                )));
            }
        }
        let Some(first) = file.refs.first() else {
            continue;
        };
        if *seen.entry(first.id()).or_insert(file) == file {
            // Its own entry, or an equal one: only the first is taken.
            if std::ptr::eq(seen[&first.id()], file) {
                files.push(file.clone());
            }
            continue;
        }
        return Err(Error::ConflictingDefinition(format!(
            "the dataset {first} comes in two different files or forms"
        )));
    }
    Ok(files)
}
