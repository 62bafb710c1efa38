//! Storing datasets.

use std::collections::HashMap;

use butler_core::datasets::DatasetRef;
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;

use super::FileDatastore;
use super::stage::{Content, Incoming, StagedFiles};
use crate::datastores::encode::encode;
use crate::datastores::put_data::PutData;
use crate::resource::{ResourcePath, TransferMode};

/// Datasets written at a time.
const BATCH: usize = 1_000;

/// A file to be written and its record, which lacks the size for files yet.
struct Planned {
    dataset: DatasetRef,
    info: StoredFileInfo,
    content: Content,
}

impl FileDatastore {
    /// Whether a dataset would be taken.
    pub(super) fn is_acceptable(&self, dataset: &DatasetRef) -> bool {
        self.shared.constraints.is_acceptable(dataset)
    }

    pub(super) async fn put_all(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<StagedFiles> {
        let mut staged = StagedFiles::new(self);
        progress.start("writing datasets", Some(datasets.len() as u64));
        let mut rest = datasets.into_iter();
        loop {
            let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            let count = batch.len() as u64;
            if let Err(error) = self.put_batch(&mut staged, batch).await {
                staged.undo_all().await;
                progress.finish();
                return Err(error);
            }
            progress.advance(count);
        }
        progress.finish();
        Ok(staged)
    }

    async fn put_batch(
        &self,
        staged: &mut StagedFiles,
        batch: Vec<(DatasetRef, PutData)>,
    ) -> Result<()> {
        let mut types = HashMap::new();
        let mut planned = Vec::with_capacity(batch.len());
        for (dataset, data) in batch {
            let dataset = self.as_registered(&dataset, &mut types).await?;
            if !self.is_acceptable(&dataset) {
                return Err(Error::DatasetTypeNotSupported(format!(
                    "datastore '{}' is configured to reject {dataset}",
                    self.shared.name
                )));
            }
            match data {
                PutData::Components(components) => {
                    if components.is_empty() {
                        return Err(Error::InvalidArgument(format!(
                            "{dataset} was given without any component"
                        )));
                    }
                    for (name, data) in components {
                        let component = dataset.make_component(&name, self.classes())?;
                        planned.push(self.plan(component, data)?);
                    }
                }
                data => planned.push(self.plan(dataset, data)?),
            }
        }
        let mut incoming = Vec::with_capacity(planned.len());
        let mut records = Vec::with_capacity(planned.len());
        let mut copied = Vec::new();
        for plan in planned {
            if matches!(plan.content, Content::File(..)) {
                copied.push(records.len());
            }
            incoming.push(Incoming {
                path: plan.info.path.clone(),
                content: plan.content,
            });
            records.push((plan.dataset.id(), plan.info));
        }
        staged.bring(incoming).await?;
        let places: Vec<ResourcePath> = copied
            .iter()
            .map(|&i| self.uri(&records[i].1))
            .collect::<Result<_>>()?;
        let sizes = self.sizes(&places).await?;
        let checksums = self.checksums(&places).await?;
        for ((i, size), checksum) in copied.into_iter().zip(sizes).zip(checksums) {
            records[i].1.file_size = recorded_size(size);
            records[i].1.checksum = checksum;
        }
        for (id, info) in records {
            staged.add(id, info);
        }
        Ok(())
    }

    fn plan(&self, dataset: DatasetRef, data: PutData) -> Result<Planned> {
        let (_, template) = self.shared.templates.find(&dataset)?;
        template.validate(&dataset)?;
        if let PutData::File(file) = data {
            let info = self.planned(&dataset, Some(file.extension()))?;
            return Ok(Planned {
                dataset,
                info,
                content: Content::File(file, TransferMode::Copy),
            });
        }
        let mut info = self.planned(&dataset, None)?;
        if let PutData::Components(_) = data {
            return Err(Error::InvalidArgument(format!(
                "the component {dataset} cannot itself be given in components"
            )));
        }
        let bytes = encode(data, &info.formatter, &dataset.to_string())?;
        info.file_size = recorded_size(bytes.len() as u64);
        info.checksum = self.shared.checksum.map(|algorithm| algorithm.of(&bytes));
        Ok(Planned {
            dataset,
            info,
            content: Content::Bytes(bytes),
        })
    }
}

/// A size as records have it.
pub(super) fn recorded_size(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(-1)
}
