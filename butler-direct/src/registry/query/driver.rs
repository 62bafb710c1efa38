//! The answers to queries.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use butler_core::butler::ButlerDefaults;
use butler_core::collections::{CollectionInfo, DatasetTypeWildcard};
use butler_core::datasets::DatasetType;
use butler_core::dimensions::{
    DataCoordinate, DataIdValue, DimensionGroup, DimensionRecordSet, DimensionUniverse,
};
use butler_core::error::{Error, Result};
use butler_core::query::wire::AdditionalQueryInput;
use butler_core::query::{
    ColumnSet, DataCoordinateUploadKey, DatasetTypeKey, MaterializationKey, PageStream,
    QueryDriver, QuerySource, QueryTree, ResultKind, ResultPage, ResultSpec,
};
use butler_core::registry::{CollectionQuery, Registry};
use futures::TryStreamExt;
use uuid::Uuid;

use super::pages::{self, Pages};
use super::plan::{Inputs, Plan, Request};
use super::postprocess::Postprocessing;
use super::prepare::Prepared;
use super::rows::{FetchedRecords, Layout, PageReader, elements_to_fetch};
use super::running::Running;
use super::scope::{Scope, Statement};
use super::uploads::{KeyRows, Materialization};
use crate::db::{Param, Session};
use crate::registry::SqlRegistry;
use crate::registry::context::Context;

/// Results in one page.
const PAGE: usize = 2_000;

/// Answers the queries of one session from the database.
///
/// Nothing is kept in the database between queries: uploaded data IDs and those of materialized
/// queries are held here, and sent along with each query that joins them.
#[derive(Clone)]
pub struct SqlQueryDriver {
    registry: SqlRegistry,
    defaults: Arc<ButlerDefaults>,
    inputs: Arc<RwLock<Inputs>>,
}

impl fmt::Debug for SqlQueryDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlQueryDriver").finish_non_exhaustive()
    }
}

impl QuerySource for SqlRegistry {
    fn query_driver(&self, defaults: &Arc<ButlerDefaults>) -> Arc<dyn QueryDriver> {
        Arc::new(SqlQueryDriver::new(self.clone(), Arc::clone(defaults)))
    }
}

impl SqlQueryDriver {
    /// A driver with its own uploads and materializations.
    pub fn new(registry: SqlRegistry, defaults: Arc<ButlerDefaults>) -> Self {
        Self {
            registry,
            defaults,
            inputs: Arc::default(),
        }
    }

    fn context(&self) -> &Context {
        self.registry.context()
    }

    fn inputs(&self) -> Inputs {
        let inputs = self.inputs.read().unwrap_or_else(PoisonError::into_inner);
        inputs.clone()
    }

    async fn prepare(&self, session: &mut Session, tree: &QueryTree) -> Result<Prepared> {
        let tree = Arc::new(tree.clone());
        Prepared::new(self.context(), session, tree, self.defaults.data_id()).await
    }

    /// The statement that gives a query its rows, for tests and investigations.
    ///
    /// # Errors
    /// As [`execute`](QueryDriver::execute).
    pub async fn statement(
        &self,
        spec: &ResultSpec,
        tree: &QueryTree,
    ) -> Result<(String, Vec<Param>)> {
        let mut session = self.context().database.read().await?;
        let prepared = self.prepare(&mut session, tree).await?;
        let mut statement = Statement::new(self.context());
        let plan = prepared.plan(&mut statement, &self.inputs(), &request(spec))?;
        statement.render(&plan.select)
    }

    fn add_upload(
        &self,
        key: DataCoordinateUploadKey,
        dimensions: &DimensionGroup,
        rows: &[Vec<DataIdValue>],
    ) -> Result<()> {
        let mut uploaded = KeyRows::new(dimensions, dimensions.required());
        for row in rows {
            uploaded.push(row)?;
        }
        let mut inputs = self.inputs.write().unwrap_or_else(PoisonError::into_inner);
        inputs.uploads.insert(key, Arc::new(uploaded));
        Ok(())
    }

    async fn add_materialization(
        &self,
        key: MaterializationKey,
        tree: &QueryTree,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<Arc<str>>,
        allow_duplicate_overlaps: bool,
    ) -> Result<()> {
        let mut spec = ResultSpec::data_coordinates(dimensions.clone());
        spec.allow_duplicate_overlaps = allow_duplicate_overlaps;
        let mut rows = KeyRows::new(dimensions, dimensions.data_coordinate_keys());
        let mut pages = self.execute(&spec, tree);
        while let Some(page) = pages.try_next().await? {
            let ResultPage::DataCoordinates(data_ids) = page else {
                return Err(Error::Internal("a page of other results".to_owned()));
            };
            for data_id in data_ids {
                let values = data_id.full_values().unwrap_or_default();
                rows.push(values)?;
            }
        }
        let names = datasets.iter().cloned().map(DatasetTypeKey::Named);
        let materialization = Materialization {
            rows: Arc::new(rows),
            datasets: names.collect(),
        };
        let mut inputs = self.inputs.write().unwrap_or_else(PoisonError::into_inner);
        inputs.materializations.insert(key, materialization);
        Ok(())
    }

    /// Runs a query and hands its pages over; ends early when nobody takes them any more.
    async fn run(self, spec: ResultSpec, tree: QueryTree, pages: &Pages) -> Result<()> {
        spec.validate_tree(&tree)?;
        let mut session = self.context().database.read().await?;
        let prepared = self.prepare(&mut session, &tree).await?;
        let fetched = self.fetch_records(&mut session, &spec, &prepared).await?;
        let (statement, filters, mut reader, mut filter) = {
            let mut statement = Statement::new(self.context());
            let plan = prepared.plan(&mut statement, &self.inputs(), &request(&spec))?;
            let layout = Layout::new(&plan.selected);
            let rendered = statement.render(&plan.select)?;
            let reader = self.reader(&spec, &prepared, &layout, &fetched)?;
            let checks = plan.post.filters() || plan.post.one_validity_range;
            let filter = match checks {
                true => Some(plan.post.filter(&layout)?),
                false => None,
            };
            (rendered, plan.post.filters(), reader, filter)
        };
        let mut left = spec.limit.unwrap_or(u64::MAX);
        if left == 0 {
            return Ok(());
        }
        let limited = spec.limit.is_some() && !filters;
        let mut running = Running::new(session, statement);
        let mut rows = running.rows();
        // If the limit is in the statement, its end is read too.
        while left > 0 || limited {
            // To wait for either costs more than to look.
            if pages.is_closed() {
                return Ok(());
            }
            let row = tokio::select! {
                biased;
                row = rows.try_next() => row?,
                () = pages.closed() => return Ok(()),
            };
            let Some(row) = row else {
                drop(rows);
                running.finish();
                break;
            };
            if let Some(filter) = &mut filter
                && !filter.keeps(&row)?
            {
                continue;
            }
            reader.add(&row)?;
            left = left.saturating_sub(1);
            if reader.len() == PAGE && !pages.give(reader.take()).await {
                return Ok(());
            }
        }
        if reader.len() > 0 && !pages.give(reader.take()).await {
            return Ok(());
        }
        Ok(())
    }

    fn reader(
        &self,
        spec: &ResultSpec,
        prepared: &Prepared,
        layout: &Layout,
        fetched: &FetchedRecords,
    ) -> Result<PageReader> {
        let dataset_type = match &spec.kind {
            ResultKind::DatasetRef {
                dataset_type_name,
                storage_class_name,
                ..
            } => {
                let search = prepared.analysis.search(dataset_type_name)?;
                let known = &search.record.dataset_type;
                Some(match known.storage_class_name() == storage_class_name {
                    true => Arc::clone(known),
                    false => {
                        let classes = self.registry.storage_classes();
                        Arc::new(known.override_storage_class(storage_class_name, classes)?)
                    }
                })
            }
            _ => None,
        };
        let ingest_date_is_tai = self.context().versions.ingest_date_is_tai();
        PageReader::new(spec, layout, dataset_type, fetched, ingest_date_is_tai)
    }

    /// The records of those elements of which there are few, all that the query may need.
    async fn fetch_records(
        &self,
        session: &mut Session,
        spec: &ResultSpec,
        prepared: &Prepared,
    ) -> Result<FetchedRecords> {
        let mut fetched = FetchedRecords::new();
        for element in elements_to_fetch(spec) {
            let governor = element.governor().map(|governor| governor.name());
            let value = governor.and_then(|name| prepared.analysis.constraints.value(name));
            let records = match (governor, value) {
                (Some(governor), Some(value)) if element.required().contains(&governor) => {
                    let keys = [vec![value]];
                    self.context()
                        .fetch_records_with(session, element, &[governor], &keys)
                        .await?
                }
                _ => self.context().fetch_all_records(session, element).await?,
            };
            let mut set = DimensionRecordSet::new(element);
            for record in records {
                set.add(record)?;
            }
            fetched.insert(element.name(), Arc::new(set));
        }
        Ok(fetched)
    }

    /// Calls `found` with each row that is kept, until it says that it has seen enough.
    async fn for_each_row(
        &self,
        mut running: Running,
        plan: &Plan,
        mut found: impl FnMut(&crate::db::Row) -> Result<bool>,
    ) -> Result<()> {
        let layout = Layout::new(&plan.selected);
        let mut filter = plan.post.filter(&layout)?;
        let mut rows = running.rows();
        while let Some(row) = rows.try_next().await? {
            if filter.keeps(&row)? && !found(&row)? {
                return Ok(());
            }
        }
        drop(rows);
        running.finish();
        Ok(())
    }
}

fn request(spec: &ResultSpec) -> Request<'_> {
    let find_first = spec.find_first_dataset();
    Request {
        columns: spec.result_columns(),
        order_by: &spec.order_by,
        find_first: find_first.map(|name| DatasetTypeKey::Named(Arc::clone(name))),
        allow_duplicate_overlaps: spec.allow_duplicate_overlaps,
        each_once: matches!(spec.kind, ResultKind::DimensionRecord { .. }),
        limit: spec.limit,
        rows_only: false,
    }
}

#[async_trait]
impl QueryDriver for SqlQueryDriver {
    fn universe(&self) -> DimensionUniverse {
        self.context().universe
    }

    fn default_collections(&self) -> &[String] {
        self.defaults.collections()
    }

    fn default_data_id(&self) -> &DataCoordinate {
        self.defaults.data_id()
    }

    fn execute(&self, spec: &ResultSpec, tree: &QueryTree) -> PageStream {
        let (driver, spec, tree) = (self.clone(), spec.clone(), tree.clone());
        pages::stream(|pages| async move {
            let outcome = driver.run(spec, tree, &pages).await;
            (pages, outcome)
        })
    }

    async fn materialize(
        &self,
        tree: &QueryTree,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<Arc<str>>,
        allow_duplicate_overlaps: bool,
    ) -> Result<MaterializationKey> {
        let key = MaterializationKey::from(Uuid::new_v4());
        self.add_materialization(key, tree, dimensions, datasets, allow_duplicate_overlaps)
            .await?;
        Ok(key)
    }

    async fn upload_data_coordinates(
        &self,
        dimensions: &DimensionGroup,
        rows: Vec<Vec<DataIdValue>>,
    ) -> Result<DataCoordinateUploadKey> {
        let key = DataCoordinateUploadKey::from(Uuid::new_v4());
        self.add_upload(key, dimensions, &rows)?;
        Ok(key)
    }

    async fn add_input(&self, input: &AdditionalQueryInput) -> Result<()> {
        match input {
            AdditionalQueryInput::Upload {
                key,
                dimensions,
                rows,
            } => self.add_upload(*key, dimensions, rows),
            AdditionalQueryInput::Materialized {
                key,
                tree,
                dimensions,
                datasets,
                allow_duplicate_overlaps,
            } => {
                let datasets = datasets.iter().cloned().collect();
                let duplicates = *allow_duplicate_overlaps;
                self.add_materialization(*key, tree, dimensions, &datasets, duplicates)
                    .await
            }
        }
    }

    async fn count(
        &self,
        tree: &QueryTree,
        spec: &ResultSpec,
        exact: bool,
        discard: bool,
    ) -> Result<u64> {
        spec.validate_tree(tree)?;
        let mut session = self.context().database.read().await?;
        let prepared = self.prepare(&mut session, tree).await?;
        let mut statement = Statement::new(self.context());
        let request = Request {
            order_by: &[],
            allow_duplicate_overlaps: false,
            limit: None,
            ..request(spec)
        }
        .rows_only(tree);
        let mut plan = prepared.plan(&mut statement, &self.inputs(), &request)?;
        if prepared.analysis.is_doomed() {
            return Ok(0);
        }
        let most = spec.limit.unwrap_or(u64::MAX);
        if exact && plan.post.filters() {
            if !discard {
                return Err(Error::InvalidQuery(
                    "Cannot count query rows exactly without discarding them.".to_owned(),
                ));
            }
            let rendered = statement.render(&plan.select)?;
            if most == 0 {
                return Ok(0);
            }
            let running = Running::new(session, rendered);
            let mut count = 0;
            self.for_each_row(running, &plan, |_| {
                count += 1;
                Ok(count < most)
            })
            .await?;
            return Ok(count);
        }
        plan.post = Postprocessing::default();
        let alias = statement.alias("n");
        let select = Scope::query(plan.select, &[], alias).count();
        let rendered = statement.render(&select)?;
        let mut running = Running::new(session, rendered);
        let mut count = 0;
        let mut rows = running.rows();
        while let Some(row) = rows.try_next().await? {
            count = row.int(0)?;
        }
        drop(rows);
        running.finish();
        Ok(u64::try_from(count).unwrap_or(0).min(most))
    }

    async fn any(&self, tree: &QueryTree, execute: bool, exact: bool) -> Result<bool> {
        let mut session = self.context().database.read().await?;
        let prepared = self.prepare(&mut session, tree).await?;
        let mut statement = Statement::new(self.context());
        let columns = ColumnSet::new(tree.dimensions().clone());
        let mut request = Request::columns(columns).rows_only(tree);
        request.allow_duplicate_overlaps = true;
        if !exact {
            request.limit = Some(1);
        }
        let mut plan = prepared.plan(&mut statement, &self.inputs(), &request)?;
        if prepared.analysis.is_doomed() {
            return Ok(false);
        }
        if !execute {
            if exact {
                return Err(Error::InvalidQuery(
                    "Cannot obtain exact result for 'any' without executing.".to_owned(),
                ));
            }
            return Ok(true);
        }
        if !exact || !plan.post.filters() {
            plan.post = Postprocessing::default();
            plan.select.limit(1);
        }
        let filters = plan.post.filters();
        let rendered = statement.render(&plan.select)?;
        let running = Running::new(session, rendered);
        let mut any = false;
        self.for_each_row(running, &plan, |_| {
            any = true;
            // The end of a single row is read too.
            Ok(!filters)
        })
        .await?;
        Ok(any)
    }

    async fn explain_no_results(&self, tree: &QueryTree, _execute: bool) -> Result<Vec<String>> {
        let mut session = self.context().database.read().await?;
        let prepared = self.prepare(&mut session, tree).await?;
        Ok(prepared.analysis.messages)
    }

    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>> {
        Registry::dataset_type(&self.registry, name).await
    }

    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>> {
        Registry::dataset_types(&self.registry, wildcard).await
    }

    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>> {
        Registry::collections(&self.registry, query).await
    }
}
