//! Bringing in zip files of datasets.

use std::collections::HashMap;

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use butler_core::registry::Registry;

use super::FileDatastore;
use super::stage::{Content, Incoming, StagedFiles};
use crate::datastores::zip_index::read_zip_index;
use crate::resource::{ResourcePath, TransferMode};

impl FileDatastore {
    pub(super) async fn ingest_zip(
        &self,
        archive: &ResourcePath,
        mode: Option<TransferMode>,
    ) -> Result<(StagedFiles, Vec<DatasetRef>)> {
        let archive = if archive.is_absolute() {
            archive.clone()
        } else {
            self.root().join_path(archive)?
        };
        let index = read_zip_index(&self.shared.resources, &archive).await?;
        let datasets = index.refs.to_refs(self.registry().universe())?;
        if let Some(rejected) = datasets.iter().find(|dataset| !self.is_acceptable(dataset)) {
            return Err(Error::DatasetTypeNotSupported(format!(
                "{archive} cannot be ingested: datastore '{}' is configured to reject {rejected}",
                self.shared.name
            )));
        }
        let mut staged = StagedFiles::new(self);
        let path = match mode {
            None => archive.relative_to(self.root()).ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "{archive} is to be ingested in place, but it does not lie in datastore '{}' \
                     at {}; choose a transfer mode",
                    self.shared.name,
                    self.root()
                ))
            })?,
            Some(TransferMode::Direct) => archive.to_string(),
            Some(mode) => {
                let path = index.path_in_store();
                let content = Content::File(archive.clone(), mode);
                let path_in_store = path.clone();
                staged
                    .bring(vec![Incoming {
                        path: path_in_store,
                        content,
                    }])
                    .await?;
                path
            }
        };
        let known: HashMap<DatasetId, &DatasetRef> = datasets
            .iter()
            .map(|dataset| (dataset.id(), dataset))
            .collect();
        for (member, entry) in index.artifact_map {
            let info = StoredFileInfo {
                path: format!("{path}#zip-path={member}"),
                ..StoredFileInfo::from_simple(entry.info)
            };
            for id in entry.ids {
                if !known.contains_key(&id) {
                    staged.undo_all().await;
                    return Err(Error::corrupt(
                        format!("index of {archive}"),
                        format!("dataset {id} of the member '{member}' is not described"),
                    ));
                }
                staged.add(id, info.clone());
            }
        }
        Ok((staged, datasets))
    }
}
