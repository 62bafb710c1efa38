//! What answers queries.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::result_spec::ResultSpec;
use super::tree::{DataCoordinateUploadKey, MaterializationKey, QueryTree};
use super::wire::AdditionalQueryInput;
use crate::butler::ButlerDefaults;
use crate::collections::{CollectionInfo, DatasetTypeWildcard};
use crate::datasets::{DatasetRef, DatasetType};
use crate::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionGroup, DimensionRecord, DimensionRecordSet,
    DimensionUniverse,
};
use crate::error::{Error, Result};
use crate::registry::CollectionQuery;
use crate::storage_class::StorageClassRegistry;

/// Some results of a query. All pages of one query are of the kind its [`ResultSpec`] asks for.
#[derive(Clone, Debug)]
pub enum ResultPage {
    /// Data IDs.
    DataCoordinates(Vec<DataCoordinate>),
    /// Dimension records.
    DimensionRecords(Vec<Arc<DimensionRecord>>),
    /// Datasets.
    DatasetRefs(Vec<DatasetRef>),
    /// Rows of values, in the order of the columns of [`ResultSpec::result_columns`].
    General {
        /// The rows.
        rows: Vec<Vec<ColumnValue>>,
        /// If the specification asks for records: those of all elements that this page needs.
        dimension_records: Option<Vec<DimensionRecordSet>>,
    },
}

impl ResultPage {
    /// The number of results.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::DataCoordinates(rows) => rows.len(),
            Self::DimensionRecords(rows) => rows.len(),
            Self::DatasetRefs(rows) => rows.len(),
            Self::General { rows, .. } => rows.len(),
        }
    }

    /// Whether there are no results.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The pages of a query's results. Nothing runs until it is polled; when it is dropped, so is the
/// query, wherever it runs.
pub type PageStream = BoxStream<'static, Result<ResultPage>>;

/// What answers the queries of one session.
///
/// Uploads and materializations live as long as the driver: they are released when its last handle
/// and all its streams are gone. Mirrors the reference's `QueryDriver`.
#[async_trait]
pub trait QueryDriver: Send + Sync {
    /// The dimensions of the repository.
    fn universe(&self) -> DimensionUniverse;

    /// The collections that are searched if a query names none; may be empty.
    fn default_collections(&self) -> &[String];

    /// The values of governor dimensions that queries may leave out.
    fn default_data_id(&self) -> &DataCoordinate;

    /// The storage classes of the repository; by default those that every repository has.
    fn storage_classes(&self) -> &StorageClassRegistry {
        static DEFAULT: LazyLock<StorageClassRegistry> =
            LazyLock::new(StorageClassRegistry::with_defaults);
        &DEFAULT
    }

    /// The results of a query, page by page.
    ///
    /// # Errors
    /// In the stream, and all before the first page: [`InvalidQuery`](crate::Error::InvalidQuery)
    /// if specification and tree do not match, and whatever is wrong with names in the tree.
    fn execute(&self, spec: &ResultSpec, tree: &QueryTree) -> PageStream;

    /// Stores the rows of a query temporarily: the keys of `dimensions`, and what identifies the
    /// datasets of these types.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    async fn materialize(
        &self,
        tree: &QueryTree,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<Arc<str>>,
        allow_duplicate_overlaps: bool,
    ) -> Result<MaterializationKey>;

    /// Takes data IDs, each as its required values, so that queries can join them.
    ///
    /// # Errors
    /// [`InvalidQuery`](crate::Error::InvalidQuery) if a row has too few or too many values;
    /// [`DimensionValue`](crate::Error::DimensionValue) if one is of the wrong type.
    async fn upload_data_coordinates(
        &self,
        dimensions: &DimensionGroup,
        rows: Vec<Vec<DataIdValue>>,
    ) -> Result<DataCoordinateUploadKey>;

    /// Takes what another session uploaded, or materializes what it materialized, under the same
    /// key, so that its queries can be answered here. Those that come later may refer to those
    /// before. By default this is refused.
    ///
    /// # Errors
    /// As [`upload_data_coordinates`](Self::upload_data_coordinates) and
    /// [`materialize`](Self::materialize);
    /// [`UnimplementedQuery`](crate::Error::UnimplementedQuery) by default.
    async fn add_input(&self, _input: &AdditionalQueryInput) -> Result<()> {
        Err(Error::UnimplementedQuery(
            "inputs of other sessions cannot be taken over here".to_owned(),
        ))
    }

    /// The number of rows. If not `exact`, it may be an upper bound; if exactness needs rows to be
    /// fetched and looked at, that is done only if `discard` is set, and otherwise an error.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`InvalidQuery`](crate::Error::InvalidQuery) if exactness is
    /// not to be had without `discard`.
    async fn count(
        &self,
        tree: &QueryTree,
        spec: &ResultSpec,
        exact: bool,
        discard: bool,
    ) -> Result<u64>;

    /// Whether there are any rows. Without `execute`, only what is known without running the query
    /// is taken into account; without `exact`, rows need not be looked at after fetching.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`InvalidQuery`](crate::Error::InvalidQuery) for `exact`
    /// without `execute`.
    async fn any(&self, tree: &QueryTree, execute: bool, exact: bool) -> Result<bool>;

    /// Why a query has no results, for people; empty if it may have some. With `execute`, simpler
    /// queries are run to find out.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    async fn explain_no_results(&self, tree: &QueryTree, execute: bool) -> Result<Vec<String>>;

    /// The dataset type of that name.
    ///
    /// # Errors
    /// [`MissingDatasetType`](crate::Error::MissingDatasetType).
    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>>;

    /// The dataset types that a wildcard matches, sorted by name; names that are not registered
    /// are passed over.
    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>>;

    /// Collections, in the order of explicit names, then by name.
    ///
    /// # Errors
    /// [`MissingCollection`](crate::Error::MissingCollection) for an explicit name.
    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>>;
}

/// What makes a [`QueryDriver`] for each session of queries: a repository, directly or remotely.
pub trait QuerySource: Send + Sync {
    /// A driver for one session, with the defaults that queries of that session have.
    fn query_driver(&self, defaults: &Arc<ButlerDefaults>) -> Arc<dyn QueryDriver>;
}
