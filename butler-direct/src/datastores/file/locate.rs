//! Where the files of datasets are, or would be.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use butler_core::datasets::{DatasetId, DatasetRef, DatasetType};
use butler_core::datastore::{FormatterEntry, StoredFileInfo};
use butler_core::error::{Error, Result};
use butler_core::registry::Registry;

use super::FileDatastore;
use crate::db::Access;
use crate::resource::ResourcePath;

impl FileDatastore {
    /// The address of a recorded file, with its fragment.
    ///
    /// # Errors
    /// [`Error::PathEscapesRoot`] if the record leads out of the root.
    pub fn uri(&self, info: &StoredFileInfo) -> Result<ResourcePath> {
        let path = ResourcePath::relative(&info.path)?;
        if path.is_absolute() {
            return Ok(path);
        }
        Ok(self.root().join_in_store(&info.path)?)
    }

    /// The records of datasets: those that are attached to them, else those in the database.
    pub(super) async fn stored(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<StoredFileInfo>>> {
        let mut records = HashMap::with_capacity(datasets.len());
        let mut rest = Vec::new();
        for dataset in datasets {
            match dataset.datastore_records() {
                Some(attached) => {
                    if let Some(own) = attached.get(self.table()) {
                        records.insert(dataset.id(), own.clone());
                    }
                }
                None => rest.push(dataset.id()),
            }
        }
        records.extend(self.recorded(&rest).await?);
        Ok(records)
    }

    /// The records of datasets in the database.
    pub(super) async fn recorded(
        &self,
        ids: &[DatasetId],
    ) -> Result<HashMap<DatasetId, Vec<StoredFileInfo>>> {
        if self.lacks_table().await? {
            return Ok(HashMap::new());
        }
        self.registry().file_records(self.table(), ids).await
    }

    pub(super) async fn recorded_ids(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>> {
        if self.lacks_table().await? {
            return Ok(HashSet::new());
        }
        self.registry()
            .known_to_file_records(self.table(), ids)
            .await
    }

    /// Whether the table of records is still to be made: only a repository that was never opened
    /// for writing lacks it.
    async fn lacks_table(&self) -> Result<bool> {
        let database = self.registry().database();
        if database.access() == Access::ReadWrite {
            return Ok(false);
        }
        Ok(!self.registry().has_records_table(self.table()).await?)
    }

    /// The reference with the storage class that the registry has for its dataset type, if the
    /// type is registered. `known` keeps what was looked up, by name.
    pub(super) async fn as_registered(
        &self,
        dataset: &DatasetRef,
        known: &mut HashMap<Arc<str>, Option<Arc<DatasetType>>>,
    ) -> Result<DatasetRef> {
        let given = dataset.dataset_type();
        let registered = match known.get(given.name()) {
            Some(registered) => registered.clone(),
            None => {
                let found = match self.registry().dataset_type(given.name()).await {
                    Ok(found) => Some(found),
                    Err(Error::MissingDatasetType(_)) => None,
                    Err(error) => return Err(error),
                };
                known.insert(Arc::clone(given.name()), found.clone());
                found
            }
        };
        Ok(match registered {
            Some(registered)
                if registered != *given && registered.equal_ignoring_storage_class(given) =>
            {
                dataset.with_dataset_type(registered)
            }
            _ => dataset.clone(),
        })
    }

    /// The path below the root that a template gives, without an extension.
    pub(super) fn template_path(&self, dataset: &DatasetRef) -> Result<String> {
        let (_, template) = self.shared.templates.find(dataset)?;
        template.format(dataset)
    }

    /// The formatter for a dataset.
    pub(super) fn formatter(&self, dataset: &DatasetRef) -> Result<&FormatterEntry> {
        let (_, entry) = self.shared.formatters.find(dataset)?;
        Ok(entry)
    }

    /// The record that a put of the dataset as a whole would give, without size and checksum.
    /// `extension` is that of the given file; none for the one that the formatter writes.
    pub(super) fn planned(
        &self,
        dataset: &DatasetRef,
        extension: Option<&str>,
    ) -> Result<StoredFileInfo> {
        let formatter = self.formatter(dataset)?;
        let extension = match (formatter.extension()?, extension) {
            (Some(known), _) => known,
            (None, Some(given)) => given.to_owned(),
            // FITS is what almost all formatters write that are unknown here.
            (None, None) if formatter.class.to_ascii_lowercase().contains("fits") => {
                ".fits".to_owned()
            }
            (None, None) => String::new(),
        };
        Ok(StoredFileInfo {
            formatter: Arc::clone(&formatter.class),
            path: format!("{}{extension}", self.template_path(dataset)?),
            storage_class: Arc::clone(dataset.dataset_type().storage_class_name()),
            component: dataset.dataset_type().component().map(Arc::from),
            checksum: None,
            file_size: -1,
        })
    }

    /// The records that a put with the present configuration would have given. Of a dataset that
    /// would be taken apart these are those of all components.
    ///
    /// # Errors
    /// No template or formatter is configured, or the template cannot be filled in.
    pub fn expected(&self, dataset: &DatasetRef) -> Result<Vec<StoredFileInfo>> {
        let whole = if dataset.is_component() {
            dataset.make_composite()?
        } else {
            dataset.clone()
        };
        if !self.should_be_disassembled(&whole)? {
            return Ok(vec![self.planned(&whole, None)?]);
        }
        let class = whole.dataset_type().storage_class(self.classes())?;
        class
            .components()
            .keys()
            .map(|name| self.planned(&whole.make_component(name, self.classes())?, None))
            .collect()
    }

    /// Whether the configuration asks for a dataset to be taken apart when it is written.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the storage class is unknown.
    pub fn should_be_disassembled(&self, dataset: &DatasetRef) -> Result<bool> {
        self.shared
            .composites
            .should_be_disassembled(dataset, self.classes())
    }
}
