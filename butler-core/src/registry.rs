//! The registry: what datasets exist, and how they are labelled and grouped.
//!
//! Reading and writing are separate traits. A server or a client is handed a [`Registry`] and can
//! not write, whatever it tries; only direct access to a database gives a [`RegistryWriter`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::collections::{
    CollectionInfo, CollectionSummary, CollectionType, CollectionWildcard, DatasetTypeWildcard,
};
use crate::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use crate::dimensions::{
    ColumnValue, DataCoordinate, DimensionElement, DimensionRecord, DimensionUniverse,
};
use crate::error::Result;
use crate::timespan::Timespan;

/// What to do with a dimension record whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InsertMode {
    /// It is an error.
    #[default]
    Insert,
    /// The record that is there stays, whatever its other values.
    SkipExisting,
    /// The record that is there is replaced.
    Replace,
}

/// What synchronising a dimension record did.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncOutcome {
    /// An equal record was there.
    Unchanged,
    /// There was no record.
    Inserted,
    /// The record was updated; these are the old values of the fields that differed.
    Updated(HashMap<String, ColumnValue>),
}

/// What a search for collections takes into account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionQuery {
    /// Names and patterns.
    pub wildcard: CollectionWildcard,
    /// Types to give; empty for all.
    pub types: Vec<CollectionType>,
    /// Whether chains are replaced by what is in them, recursively.
    pub flatten_chains: bool,
    /// Whether chains themselves are given. If unset: unless they are flattened.
    pub include_chains: Option<bool>,
    /// Whether [`CollectionInfo::parents`] is filled in.
    pub with_parents: bool,
    /// Whether [`CollectionInfo::dataset_types`] is filled in.
    pub with_dataset_types: bool,
    /// Whether [`CollectionInfo::doc`] is filled in.
    pub with_doc: bool,
}

impl CollectionQuery {
    /// A query for all collections that the wildcard matches.
    pub fn new(wildcard: CollectionWildcard) -> Self {
        Self {
            wildcard,
            types: Vec::new(),
            flatten_chains: false,
            include_chains: None,
            with_parents: false,
            with_dataset_types: false,
            with_doc: false,
        }
    }

    /// The same, with every chain replaced by what is in it.
    #[must_use]
    pub fn flattened(mut self) -> Self {
        self.flatten_chains = true;
        self
    }
}

/// A dataset's place in a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetAssociation {
    /// The dataset.
    pub dataset: DatasetRef,
    /// Name of the collection.
    pub collection: Arc<str>,
    /// Validity range; only in a CALIBRATION collection.
    pub timespan: Option<Timespan>,
}

/// Reading.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The dimensions of the repository.
    fn universe(&self) -> DimensionUniverse;

    /// The dataset type of that name; for a component's name, that of the component.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`](crate::Error::MissingDatasetType).
    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>>;

    /// The dataset types that a wildcard matches, sorted by name. Explicit names that are not
    /// registered are passed over.
    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>>;

    /// Collections, in the order of explicit names, then by name.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](crate::Error::MissingCollection) for an explicit name.
    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>>;

    /// What a collection (and, for a chain, all in it) holds or once held.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](crate::Error::MissingCollection).
    async fn collection_summary(&self, name: &str) -> Result<CollectionSummary>;

    /// The first dataset of the type and data ID in the collections, searched in order.
    /// CALIBRATION collections take part only if a timespan is given.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](crate::Error::MissingCollection),
    /// [`Error::MissingDatasetType`](crate::Error::MissingDatasetType),
    /// [`Error::CalibrationLookup`](crate::Error::CalibrationLookup) when it is not unique.
    async fn find_dataset(
        &self,
        dataset_type: &str,
        data_id: &DataCoordinate,
        collections: &[String],
        timespan: Option<Timespan>,
    ) -> Result<Option<DatasetRef>>;

    /// The datasets with the given IDs; unknown IDs are absent from the result.
    async fn datasets(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, DatasetRef>>;

    /// The dataset with that ID, if there is one.
    async fn dataset(&self, id: Uuid) -> Result<Option<DatasetRef>> {
        Ok(self.datasets(&[id]).await?.remove(&id))
    }

    /// The dataset with that ID, if there is one, with the records attached that datastores keep of
    /// it in these [tables](crate::datastore::Datastore::record_tables). By default nothing is
    /// attached.
    async fn dataset_with_records(
        &self,
        id: Uuid,
        _tables: &[String],
    ) -> Result<Option<DatasetRef>> {
        self.dataset(id).await
    }

    /// The same dataset with the records attached that datastores keep of it in these tables. By
    /// default nothing is attached.
    async fn attach_records(&self, dataset: DatasetRef, _tables: &[String]) -> Result<DatasetRef> {
        Ok(dataset)
    }

    /// Data IDs with all implied values and dimension records attached, in the given order. They
    /// may have different dimensions.
    ///
    /// # Errors
    /// [`Error::DataIdValue`](crate::Error::DataIdValue) or
    /// [`Error::InconsistentDataId`](crate::Error::InconsistentDataId).
    async fn expand_data_ids(&self, data_ids: &[DataCoordinate]) -> Result<Vec<DataCoordinate>>;

    /// All dimension records of an element, sorted by key.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a skypix dimension.
    async fn dimension_records(
        &self,
        element: DimensionElement,
    ) -> Result<Vec<Arc<DimensionRecord>>>;

    /// All memberships of datasets of a type in collections (chains are flattened).
    async fn associations(
        &self,
        dataset_type: &str,
        collections: &[String],
    ) -> Result<Vec<DatasetAssociation>>;
}

/// Writing. Each method is one transaction: after an error nothing has changed, and it can be
/// tried again.
#[async_trait]
pub trait RegistryWriter: Registry {
    /// Registers a collection and says whether it is new.
    async fn register_collection(
        &self,
        name: &str,
        collection_type: CollectionType,
        doc: Option<&str>,
    ) -> Result<bool>;

    /// Removes a collection; for a RUN, with its datasets.
    async fn remove_collection(&self, name: &str) -> Result<()>;

    /// Sets or clears a collection's documentation.
    async fn set_collection_doc(&self, name: &str, doc: Option<&str>) -> Result<()>;

    /// Sets the children of a chain.
    async fn set_collection_chain(&self, parent: &str, children: &[String]) -> Result<()>;

    /// Puts collections at the start of a chain; children already there move.
    async fn prepend_collection_chain(&self, parent: &str, children: &[String]) -> Result<()>;

    /// Puts collections at the end of a chain; children already there move.
    async fn extend_collection_chain(&self, parent: &str, children: &[String]) -> Result<()>;

    /// Takes collections out of a chain.
    async fn remove_from_collection_chain(&self, parent: &str, children: &[String]) -> Result<()>;

    /// Registers a dataset type and says whether it is new.
    async fn register_dataset_type(&self, dataset_type: &DatasetType) -> Result<bool>;

    /// Removes a dataset type of which there are no datasets.
    async fn remove_dataset_type(&self, name: &str) -> Result<()>;

    /// Inserts dimension records of one element.
    async fn insert_dimension_records(
        &self,
        element: DimensionElement,
        records: &[DimensionRecord],
        mode: InsertMode,
    ) -> Result<()>;

    /// Makes sure that an equal dimension record is there; a different one is an error unless
    /// `update`.
    async fn sync_dimension_record(
        &self,
        record: &DimensionRecord,
        update: bool,
    ) -> Result<SyncOutcome>;

    /// Makes new datasets in a RUN.
    async fn insert_datasets(
        &self,
        dataset_type: &str,
        data_ids: &[DataCoordinate],
        run: &str,
        mode: DatasetIdMode,
    ) -> Result<Vec<DatasetRef>>;

    /// Inserts datasets with the IDs they carry; those that are there already stay.
    async fn import_datasets(&self, datasets: &[DatasetRef]) -> Result<()>;

    /// Removes datasets that no datastore stores.
    async fn remove_datasets(&self, ids: &[Uuid]) -> Result<()>;

    /// Adds datasets to a TAGGED collection.
    async fn associate(&self, collection: &str, datasets: &[DatasetRef]) -> Result<()>;

    /// Takes datasets out of a TAGGED collection.
    async fn disassociate(&self, collection: &str, datasets: &[DatasetRef]) -> Result<()>;

    /// Makes datasets valid for a timespan in a CALIBRATION collection.
    async fn certify(
        &self,
        collection: &str,
        datasets: &[DatasetRef],
        timespan: Timespan,
    ) -> Result<()>;

    /// Ends the validity of datasets of a type within a timespan; with `data_ids`, only of those.
    async fn decertify(
        &self,
        collection: &str,
        dataset_type: &str,
        timespan: Timespan,
        data_ids: Option<&[DataCoordinate]>,
    ) -> Result<()>;

    /// All attributes of the repository.
    async fn attributes(&self) -> Result<BTreeMap<String, String>>;

    /// Sets an attribute; one that is set already is an error unless `force`.
    async fn set_attribute(&self, name: &str, value: &str, force: bool) -> Result<()>;
}
