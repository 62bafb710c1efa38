//! Queries that a server answers.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use butler_core::butler::ButlerDefaults;
use butler_core::collections::{CollectionInfo, DatasetTypeWildcard};
use butler_core::datasets::DatasetType;
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionGroup, DimensionUniverse};
use butler_core::query::wire::{AdditionalQueryInput, QueryInputs};
use butler_core::query::{
    DataCoordinateUploadKey, MaterializationKey, PageStream, QueryDriver, QuerySource, QueryTree,
    ResultSpec,
};
use butler_core::registry::{CollectionQuery, Registry};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::wire::pages::PageReader;
use butler_core::wire::{
    QueryAnyRequest, QueryAnyResponse, QueryCountRequest, QueryCountResponse, QueryExecuteRequest,
    QueryExplainRequest, QueryExplainResponse,
};
use butler_core::{Error, Result};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::connection::Connection;
use crate::failure;
use crate::registry::RemoteRegistry;

/// Answers the queries of one session through a server.
///
/// The server keeps nothing between queries: what was uploaded and materialized travels along with
/// each query.
#[derive(Clone)]
pub struct RemoteQueryDriver {
    registry: RemoteRegistry,
    defaults: Arc<ButlerDefaults>,
    inputs: Arc<Mutex<Vec<AdditionalQueryInput>>>,
}

impl fmt::Debug for RemoteQueryDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteQueryDriver").finish_non_exhaustive()
    }
}

impl QuerySource for RemoteRegistry {
    fn query_driver(&self, defaults: &Arc<ButlerDefaults>) -> Arc<dyn QueryDriver> {
        Arc::new(RemoteQueryDriver {
            registry: self.clone(),
            defaults: Arc::clone(defaults),
            inputs: Arc::default(),
        })
    }
}

impl RemoteQueryDriver {
    fn connection(&self) -> &Connection {
        self.registry.connection()
    }

    fn inputs(&self) -> std::sync::MutexGuard<'_, Vec<AdditionalQueryInput>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn query(&self, tree: &QueryTree) -> QueryInputs {
        QueryInputs {
            tree: tree.clone(),
            default_data_id: self.defaults.data_id().clone(),
            additional_query_inputs: self.inputs().clone(),
        }
    }

    /// Sends a query, and gives its pages as they come.
    async fn run(self, spec: ResultSpec, tree: QueryTree) -> Result<PageStream> {
        spec.validate_tree(&tree)?;
        let request = QueryExecuteRequest {
            query: self.query(&tree),
            result_spec: spec.clone(),
        };
        let (lines, id) = self
            .connection()
            .post_for_lines(&["query", "execute"], &request.to_json()?)
            .await?;
        let reader = PageReader::new(&spec)?;
        let pages = futures::stream::try_unfold(
            (lines, reader, id),
            |(mut lines, mut reader, id)| async move {
                while let Some(line) = lines.try_next().await? {
                    let page = reader
                        .read(&line)
                        .map_err(|error| failure::in_stream(error, &id))?;
                    // Lines without a page only say that the server is at work.
                    if let Some(page) = page {
                        return Ok(Some((page, (lines, reader, id))));
                    }
                }
                Ok(None)
            },
        );
        Ok(pages.boxed())
    }
}

#[async_trait]
impl QueryDriver for RemoteQueryDriver {
    fn universe(&self) -> DimensionUniverse {
        self.registry.universe()
    }

    fn default_collections(&self) -> &[String] {
        self.defaults.collections()
    }

    fn default_data_id(&self) -> &DataCoordinate {
        self.defaults.data_id()
    }

    fn storage_classes(&self) -> &StorageClassRegistry {
        self.registry.storage_classes()
    }

    fn execute(&self, spec: &ResultSpec, tree: &QueryTree) -> PageStream {
        let started = self.clone().run(spec.clone(), tree.clone());
        futures::stream::once(started).try_flatten().boxed()
    }

    async fn materialize(
        &self,
        tree: &QueryTree,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<Arc<str>>,
        allow_duplicate_overlaps: bool,
    ) -> Result<MaterializationKey> {
        let key = Uuid::new_v4();
        self.inputs().push(AdditionalQueryInput::Materialized {
            key,
            tree: Box::new(tree.clone()),
            dimensions: dimensions.clone(),
            datasets: datasets.iter().cloned().collect(),
            allow_duplicate_overlaps,
        });
        Ok(key)
    }

    async fn upload_data_coordinates(
        &self,
        dimensions: &DimensionGroup,
        rows: Vec<Vec<DataIdValue>>,
    ) -> Result<DataCoordinateUploadKey> {
        let key = Uuid::new_v4();
        self.inputs().push(AdditionalQueryInput::Upload {
            key,
            rows: checked(dimensions, rows)?,
            dimensions: dimensions.clone(),
        });
        Ok(key)
    }

    async fn add_input(&self, input: &AdditionalQueryInput) -> Result<()> {
        self.inputs().push(input.clone());
        Ok(())
    }

    async fn count(
        &self,
        tree: &QueryTree,
        spec: &ResultSpec,
        exact: bool,
        discard: bool,
    ) -> Result<u64> {
        spec.validate_tree(tree)?;
        let request = QueryCountRequest {
            query: self.query(tree),
            result_spec: spec.clone(),
            exact,
            discard,
        };
        let answer: QueryCountResponse = self
            .connection()
            .post(&["query", "count"], &request.to_json()?)
            .await?;
        Ok(answer.count)
    }

    async fn any(&self, tree: &QueryTree, execute: bool, exact: bool) -> Result<bool> {
        let request = QueryAnyRequest {
            query: self.query(tree),
            execute,
            exact,
        };
        let answer: QueryAnyResponse = self
            .connection()
            .post(&["query", "any"], &request.to_json()?)
            .await?;
        Ok(answer.found_rows)
    }

    async fn explain_no_results(&self, tree: &QueryTree, execute: bool) -> Result<Vec<String>> {
        let request = QueryExplainRequest {
            query: self.query(tree),
            execute,
        };
        let answer: QueryExplainResponse = self
            .connection()
            .post(&["query", "explain"], &request.to_json()?)
            .await?;
        Ok(answer.messages)
    }

    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>> {
        self.registry.dataset_type(name).await
    }

    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>> {
        self.registry.dataset_types(wildcard).await
    }

    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>> {
        self.registry.collections(query).await
    }
}

/// Rows of required values, each in the type of its dimension.
fn checked(
    dimensions: &DimensionGroup,
    rows: Vec<Vec<DataIdValue>>,
) -> Result<Vec<Vec<DataIdValue>>> {
    let universe = dimensions.universe();
    let mut keys = Vec::new();
    for name in dimensions.required() {
        keys.push((*name, universe.dimension(name)?.key_type()));
    }
    let check = |row: Vec<DataIdValue>| {
        if row.len() != keys.len() {
            return Err(Error::InvalidQuery(format!(
                "a data ID of {dimensions} has {} values, not {}",
                keys.len(),
                row.len()
            )));
        }
        let values = keys.iter().zip(row);
        values
            .map(|((name, key), value)| match key {
                Some(key) => value.coerce(name, *key),
                None => Ok(value),
            })
            .collect()
    };
    rows.into_iter().map(check).collect()
}
