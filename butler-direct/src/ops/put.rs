//! Storing single datasets.

use butler_core::datasets::{DatasetIdMode, DatasetRef};
use butler_core::dimensions::DataIdValue;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::registry::Registry;

use super::settle::settle;
use crate::butler::DirectButler;
use crate::datastores::PutData;

impl DirectButler {
    /// Stores a dataset under a new identifier in a run (the default one if none is named).
    ///
    /// The file is written first and taken back if the dataset cannot be registered. A crash in
    /// between leaves a file that nobody knows of; storing the dataset again overwrites it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::InvalidArgument`] without a run;
    /// [`Error::MissingDatasetType`], [`Error::MissingCollection`], [`Error::CollectionType`];
    /// errors about the data ID; [`Error::ConflictingDefinition`] if the run has a dataset of this
    /// type and data ID already; [`Error::DatasetTypeNotSupported`] if the datastore does not take
    /// it.
    pub async fn put<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        data: impl Into<PutData>,
        dataset_type: &str,
        data_id: impl IntoIterator<Item = (N, V)>,
        run: Option<&str>,
    ) -> Result<DatasetRef> {
        self.require_writeable()?;
        let run = self.defaults().output(run)?.to_owned();
        let data_id = self.data_id(dataset_type, data_id).await?;
        let dataset_type = self.registry().dataset_type(dataset_type).await?;
        if dataset_type.is_component() {
            return Err(Error::InvalidArgument(format!(
                "'{}' is a component; datasets are stored as a whole",
                dataset_type.name()
            )));
        }
        let dataset = DatasetRef::generate(dataset_type, data_id, run, DatasetIdMode::Unique)?;
        self.store(
            vec![(dataset.clone(), data.into())],
            &butler_core::progress::NoProgress,
        )
        .await?;
        Ok(dataset)
    }

    /// Stores a dataset under the identifier and run that its reference has.
    ///
    /// # Errors
    /// As for [`put`](Self::put); [`Error::ConflictingDefinition`] also if the dataset is stored
    /// already.
    pub async fn put_ref(&self, data: impl Into<PutData>, dataset: &DatasetRef) -> Result<()> {
        self.put_many(
            vec![(dataset.clone(), data.into())],
            &butler_core::progress::NoProgress,
        )
        .await
    }

    /// Stores many datasets, several at once. All become known in one transaction, or none.
    ///
    /// # Errors
    /// As for [`put_ref`](Self::put_ref).
    pub async fn put_many(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.require_writeable()?;
        let ids: Vec<_> = datasets.iter().map(|(dataset, _)| dataset.id()).collect();
        let known = self.datastore().knows(&ids).await?;
        if let Some((dataset, _)) = datasets.iter().find(|(d, _)| known.contains(&d.id())) {
            return Err(Error::ConflictingDefinition(format!(
                "the datastore contains the dataset {dataset} already"
            )));
        }
        let (mut refs, data): (Vec<_>, Vec<_>) = datasets.into_iter().unzip();
        self.expand_datasets(&mut refs).await?;
        self.store(refs.into_iter().zip(data).collect(), progress)
            .await
    }

    async fn store(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let refs: Vec<DatasetRef> = datasets
            .iter()
            .map(|(dataset, _)| dataset.clone())
            .collect();
        // A conflict that is there already shows before anything is written.
        let mut transaction = self.registry().begin().await?;
        transaction.import_datasets(&refs).await?;
        transaction.rollback().await?;
        let staged = self.datastore().stage_puts(datasets, progress).await?;
        let outcome = async {
            let mut transaction = self.registry().begin().await?;
            transaction.import_datasets(&refs).await?;
            staged.record(&mut transaction).await?;
            transaction.commit().await
        }
        .await;
        settle(staged, outcome).await
    }
}
