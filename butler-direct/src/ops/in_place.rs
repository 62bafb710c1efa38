//! Sharing the files of another repository.

use std::collections::HashSet;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::DatastoreRecordData;
use butler_core::error::{Error, Result};
use indexmap::IndexMap;

use super::definitions::register_runs;
use super::records::GatheredRecords;
use super::transfer::run_docs;
use crate::butler::DirectButler;

/// What comes along with datasets whose files stay where they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InPlaceOptions {
    /// Register dataset types that are not known here.
    pub register_dataset_types: bool,
    /// Bring over the dimension records that the datasets need; those that are here stay.
    pub transfer_dimensions: bool,
    /// A TAGGED collection that the datasets join, registered if it does not exist.
    pub tag: Option<String>,
}

impl DirectButler {
    /// Takes datasets over from another repository whose files this one sees: with the same paths
    /// below its own datastore's root, be that a gateway to the same storage. No file is touched,
    /// and the source must outlive what is taken over: whoever unstores datasets there has to
    /// [`forget_files`](Self::forget_files) here first. Mirrors the reference's
    /// `transfer_datasets_in_place`.
    ///
    /// Everything is one transaction, and what is here already stays, so that it can be repeated.
    /// Returns how many datasets are new in the datastore.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the datastores do not match: for each file datastore of the source
    /// there must be one of the same name, unless there is but one on either side;
    /// [`Error::DatasetNotFound`] for datasets that the source does not store; others as for
    /// [`transfer_from`](Self::transfer_from).
    pub async fn transfer_in_place(
        &self,
        source: &DirectButler,
        datasets: &[DatasetRef],
        options: &InPlaceOptions,
    ) -> Result<usize> {
        self.require_writeable()?;
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let known = self.datastore().knows(&ids).await?;
        let new: Vec<DatasetRef> = datasets
            .iter()
            .filter(|dataset| !known.contains(&dataset.id()))
            .cloned()
            .collect();
        let refs = self.conform(datasets)?;
        let files = self.shared_records(source, &new).await?;
        let types = self
            .new_dataset_types(&refs, options.register_dataset_types)
            .await?;
        let records = if options.transfer_dimensions {
            GatheredRecords::gather(source, new.iter().map(DatasetRef::data_id)).await?
        } else {
            GatheredRecords::default()
        };
        let docs = run_docs(source, &new).await?;

        let mut transaction = self.registry().begin().await?;
        transaction.register_dataset_types(&types).await?;
        register_runs(&mut transaction, &refs, &docs).await?;
        if let Some(tag) = &options.tag {
            transaction
                .register_collection(tag, CollectionType::Tagged, None)
                .await?;
        }
        records.insert(&mut transaction, self.universe()).await?;
        transaction.import_datasets(&refs).await?;
        self.datastore()
            .import_records(&mut transaction, &files)
            .await?;
        if let Some(tag) = &options.tag {
            transaction.associate(tag, &refs).await?;
        }
        transaction.commit().await?;
        Ok(new.len())
    }

    /// Forgets where the files of datasets are: they stay, and so do the datasets in the registry.
    /// With `retag`, the datasets move from the first of the two TAGGED collections to the second;
    /// that may be empty of them already. One transaction, which can be repeated.
    ///
    /// # Errors
    /// [`Error::MissingCollection`] or [`Error::CollectionType`] for what is no TAGGED collection;
    /// [`Error::ConflictingDefinition`] if the second collection has another dataset of the same type
    /// and data ID.
    pub async fn forget_files(
        &self,
        datasets: &[DatasetRef],
        retag: Option<(&str, &str)>,
    ) -> Result<()> {
        self.require_writeable()?;
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let mut transaction = self.registry().begin().await?;
        if let Some((from, to)) = retag {
            transaction.disassociate(from, datasets).await?;
            transaction.associate(to, datasets).await?;
        }
        self.datastore().forget(&mut transaction, &ids).await?;
        transaction.commit().await
    }

    /// The source's file records of datasets, under the names of the datastores here.
    async fn shared_records(
        &self,
        source: &DirectButler,
        datasets: &[DatasetRef],
    ) -> Result<IndexMap<String, DatastoreRecordData>> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let mut records = source.datastore().records(&ids).await?;
        records.retain(|_, data| !data.records.is_empty());
        let found: HashSet<&DatasetId> = records
            .values()
            .flat_map(|data| data.records.keys())
            .collect();
        if let Some(lost) = datasets
            .iter()
            .find(|dataset| !found.contains(&dataset.id()))
        {
            return Err(Error::DatasetNotFound(format!(
                "the source does not store {} of the datasets, for example {lost}",
                ids.len() - found.len()
            )));
        }
        drop(found);
        let (own, theirs) = (self.datastore().roots(), source.datastore().roots());
        if let ([name], [_]) = (
            &own.keys().collect::<Vec<_>>()[..],
            &theirs.keys().collect::<Vec<_>>()[..],
        ) {
            let data = records.into_values();
            return Ok(data.map(|data| ((*name).clone(), data)).collect());
        }
        match records.keys().find(|name| !own.contains_key(*name)) {
            None => Ok(records),
            Some(name) => Err(Error::Configuration(format!(
                "the source keeps files in datastore '{name}', and there is none of that name here; \
                 configure datastores with the same names"
            ))),
        }
    }
}
