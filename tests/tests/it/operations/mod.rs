//! Operations on whole repositories, on both databases.

mod creating;
mod moving;
mod storing;

use std::path::Path;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::DataIdValue;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::DirectButler;
use butler_direct::ops::import::ImportOptions;

use crate::repos::{Place, registry_data};

/// Imports files of the reference's `registry_data`, without files of datasets.
pub(crate) async fn import_registry_data(butler: &DirectButler, names: &[&str]) {
    let options = ImportOptions {
        without_datastore: true,
        ..ImportOptions::default()
    };
    for name in names {
        butler
            .import_file(&registry_data(name), &options, &NoProgress)
            .await
            .unwrap();
    }
}

/// Registers a dataset type of documents, and a run for them.
pub(crate) async fn register_documents(butler: &DirectButler) {
    let dimensions = butler
        .universe()
        .conform(["instrument", "detector"])
        .unwrap();
    let dataset_type = DatasetType::new("document", dimensions, "StructuredDataDict", false);
    let registry = butler.registry();
    registry
        .register_dataset_type(&dataset_type.unwrap())
        .await
        .unwrap();
    registry
        .register_collection("docs", CollectionType::Run, Some("Docs."))
        .await
        .unwrap();
}

async fn with_documents(place: &Place) -> DirectButler {
    let butler = place.create().await;
    import_registry_data(&butler, &["base.yaml", "datasets.yaml"]).await;
    register_documents(&butler).await;
    butler
}

pub(crate) fn data_id(detector: i64) -> [(&'static str, DataIdValue); 2] {
    [("instrument", "Cam1".into()), ("detector", detector.into())]
}

/// How many files there are below a directory.
pub(crate) fn files_below(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, |entries| {
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    files_below(&entry.path())
                } else {
                    1
                }
            })
            .sum()
    })
}

fn file_datasets(directory: &Path, refs: &[DatasetRef]) -> Vec<FileDataset> {
    refs.iter()
        .enumerate()
        .map(|(index, dataset)| {
            let path = directory.join(format!("given {index}.yaml"));
            std::fs::write(&path, format!("number: {index}\n")).unwrap();
            FileDataset {
                path: path.to_str().unwrap().to_owned(),
                refs: vec![dataset.clone()],
                formatter: None,
            }
        })
        .collect()
}

async fn references(butler: &DirectButler, run: &str) -> Vec<DatasetRef> {
    let dataset_type = butler.registry().dataset_type("document").await.unwrap();
    let mut refs = Vec::new();
    for detector in 1..=3 {
        let data_id = butler.data_id("document", data_id(detector)).await.unwrap();
        let mode = DatasetIdMode::Unique;
        let dataset_type = std::sync::Arc::clone(&dataset_type);
        refs.push(DatasetRef::generate(dataset_type, data_id, run, mode).unwrap());
    }
    refs
}
