//! The results of queries.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};

use super::arguments::{OrderBy, Where};
use super::column_set::DatasetTypeKey;
use super::driver::{QueryDriver, ResultPage};
use super::general::{GeneralRow, RowReader};
use super::result_spec::{ResultKind, ResultSpec};
use super::tree::QueryTree;
use crate::datasets::{DatasetRef, DatasetType};
use crate::dimensions::{DataCoordinate, DimensionElement, DimensionGroup, DimensionRecord};
use crate::error::{Error, Result};

/// Results of a query that has not run yet.
///
/// The methods that change something give a new object, so that several may be made of one. What
/// the results are decides `T`; see [`DataIds`], [`Datasets`], [`DimensionRecords`] and
/// [`GeneralRows`].
pub struct QueryResults<T> {
    driver: Arc<dyn QueryDriver>,
    tree: QueryTree,
    spec: ResultSpec,
    rows: PhantomData<fn() -> T>,
}

/// Data IDs that a query gives. Implied values are always known.
pub type DataIds = QueryResults<DataCoordinate>;

/// Datasets that a query gives.
pub type Datasets = QueryResults<DatasetRef>;

/// Dimension records that a query gives.
pub type DimensionRecords = QueryResults<Arc<DimensionRecord>>;

/// Rows of values that a query gives.
pub type GeneralRows = QueryResults<GeneralRow>;

/// Results page by page. When it is dropped, so is the query.
pub type RowPages<T> = BoxStream<'static, Result<Vec<T>>>;

/// A kind of result. Implemented for those there are, and for no others.
pub trait QueryRow: Sized + Send + sealed::FromPage + 'static {}

impl<T: sealed::FromPage + Sized + Send + 'static> QueryRow for T {}

mod sealed {
    use super::{Result, ResultPage, ResultSpec};

    pub trait FromPage {
        /// What is needed to read the pages of results of one specification.
        type Reader: Send + 'static;

        fn reader(spec: &ResultSpec) -> Self::Reader;

        /// The results on a page; `None` if it has others.
        fn read(reader: &Self::Reader, page: ResultPage) -> Result<Option<Vec<Self>>>
        where
            Self: Sized;
    }
}

impl sealed::FromPage for DataCoordinate {
    type Reader = ();

    fn reader(_: &ResultSpec) {}

    fn read((): &(), page: ResultPage) -> Result<Option<Vec<Self>>> {
        Ok(match page {
            ResultPage::DataCoordinates(rows) => Some(rows),
            _ => None,
        })
    }
}

impl sealed::FromPage for DatasetRef {
    type Reader = ();

    fn reader(_: &ResultSpec) {}

    fn read((): &(), page: ResultPage) -> Result<Option<Vec<Self>>> {
        Ok(match page {
            ResultPage::DatasetRefs(rows) => Some(rows),
            _ => None,
        })
    }
}

impl sealed::FromPage for Arc<DimensionRecord> {
    type Reader = ();

    fn reader(_: &ResultSpec) {}

    fn read((): &(), page: ResultPage) -> Result<Option<Vec<Self>>> {
        Ok(match page {
            ResultPage::DimensionRecords(rows) => Some(rows),
            _ => None,
        })
    }
}

impl sealed::FromPage for GeneralRow {
    type Reader = RowReader;

    fn reader(spec: &ResultSpec) -> RowReader {
        RowReader::new(spec)
    }

    fn read(reader: &RowReader, page: ResultPage) -> Result<Option<Vec<Self>>> {
        match page {
            ResultPage::General {
                rows,
                dimension_records,
            } => reader.read(rows, dimension_records).map(Some),
            _ => Ok(None),
        }
    }
}

impl<T> Clone for QueryResults<T> {
    fn clone(&self) -> Self {
        Self {
            driver: Arc::clone(&self.driver),
            tree: self.tree.clone(),
            spec: self.spec.clone(),
            rows: PhantomData,
        }
    }
}

impl<T> fmt::Debug for QueryResults<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryResults")
            .field("tree", &self.tree)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl<T: QueryRow> QueryResults<T> {
    /// Results of a specification that is of the kind `T` stands for.
    pub(super) fn new(
        driver: Arc<dyn QueryDriver>,
        tree: QueryTree,
        spec: ResultSpec,
    ) -> Result<Self> {
        spec.validate_tree(&tree)?;
        Ok(Self {
            driver,
            tree,
            spec,
            rows: PhantomData,
        })
    }

    /// The query.
    #[must_use]
    pub const fn tree(&self) -> &QueryTree {
        &self.tree
    }

    /// What comes back of its rows.
    #[must_use]
    pub const fn spec(&self) -> &ResultSpec {
        &self.spec
    }

    /// The dimensions of the results.
    #[must_use]
    pub fn dimensions(&self) -> &DimensionGroup {
        self.spec.dimensions()
    }

    /// The datasets whose columns names without a qualifier may mean.
    fn datasets_in_scope(&self) -> BTreeSet<DatasetTypeKey> {
        match &self.spec.kind {
            ResultKind::DatasetRef {
                dataset_type_name, ..
            } => [Arc::clone(dataset_type_name).into()].into(),
            ResultKind::General { dataset_fields, .. } => {
                let names = dataset_fields.keys();
                names.map(|name| Arc::clone(name).into()).collect()
            }
            ResultKind::DataCoordinate { .. } | ResultKind::DimensionRecord { .. } => {
                BTreeSet::new()
            }
        }
    }

    /// The results that satisfy a further condition. Names without a qualifier mean columns of the
    /// results.
    ///
    /// # Errors
    /// As [`Where::to_predicate`] and [`QueryTree::where_`].
    pub fn where_(self, condition: impl Into<Where>) -> Result<Self> {
        let datasets = self.datasets_in_scope();
        let predicate = condition
            .into()
            .to_predicate(self.dimensions(), &datasets)?;
        Self::new(self.driver, self.tree.where_(predicate)?, self.spec)
    }

    /// The results in an order; that given before does not count any more.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if a term means nothing, something that has no order, or something
    /// that is not among the dimensions of the results and the datasets of the query.
    pub fn order_by<O: Into<OrderBy>>(
        mut self,
        terms: impl IntoIterator<Item = O>,
    ) -> Result<Self> {
        let datasets = self.datasets_in_scope();
        self.spec.order_by = terms
            .into_iter()
            .map(|term| term.into().to_expression(self.dimensions(), &datasets))
            .collect::<Result<_>>()?;
        Self::new(self.driver, self.tree, self.spec)
    }

    /// So many results at most; `None` for all.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<Option<u64>>) -> Self {
        self.spec.limit = limit.into();
        self
    }

    /// The results, page by page. Nothing runs until the stream is polled.
    pub fn pages(&self) -> RowPages<T> {
        let reader = T::reader(&self.spec);
        let pages = self.driver.execute(&self.spec, &self.tree);
        pages
            .map(move |page| {
                T::read(&reader, page?)?.ok_or_else(|| {
                    Error::Internal("a query gave results of another kind".to_owned())
                })
            })
            .boxed()
    }

    /// The results one by one. Nothing runs until the stream is polled; dropping it ends the query.
    pub fn stream(&self) -> BoxStream<'static, Result<T>> {
        let pages = self.pages();
        pages
            .map_ok(|rows| futures::stream::iter(rows).map(Ok))
            .try_flatten()
            .boxed()
    }

    /// All results.
    ///
    /// # Errors
    /// As [`QueryDriver::execute`].
    pub async fn collect(&self) -> Result<Vec<T>> {
        self.pages().try_concat().await
    }

    /// The number of results.
    ///
    /// # Errors
    /// As [`QueryDriver::count`].
    pub async fn count(&self, exact: bool, discard: bool) -> Result<u64> {
        self.driver
            .count(&self.tree, &self.spec, exact, discard)
            .await
    }

    /// Whether there are any results, limits aside.
    ///
    /// # Errors
    /// As [`QueryDriver::any`].
    pub async fn any(&self, execute: bool, exact: bool) -> Result<bool> {
        self.driver.any(&self.tree, execute, exact).await
    }

    /// Why there are no results, for people; empty if there may be some.
    ///
    /// # Errors
    /// As [`QueryDriver::explain_no_results`].
    pub async fn explain_no_results(&self, execute: bool) -> Result<Vec<String>> {
        self.driver.explain_no_results(&self.tree, execute).await
    }

    /// Whether dimension records come along.
    #[must_use]
    pub fn has_dimension_records(&self) -> bool {
        self.spec.include_dimension_records()
    }
}

/// The methods of results that are not dimension records themselves.
macro_rules! with_dimension_records {
    ($($results:ty),*) => {$(
        impl $results {
            /// The same with dimension records.
            #[must_use]
            pub fn with_dimension_records(mut self) -> Self {
                self.spec = self.spec.with_dimension_records(true);
                self
            }
        }
    )*};
}

with_dimension_records!(DataIds, Datasets, GeneralRows);

impl Datasets {
    /// The dataset type, with the storage class that datasets come back with.
    ///
    /// # Errors
    /// As [`QueryDriver::dataset_type`].
    pub async fn dataset_type(&self) -> Result<Arc<DatasetType>> {
        let ResultKind::DatasetRef {
            dataset_type_name,
            storage_class_name,
            ..
        } = &self.spec.kind
        else {
            return Err(Error::Internal("results are not datasets".to_owned()));
        };
        let registered = self.driver.dataset_type(dataset_type_name).await?;
        if registered.storage_class_name() == storage_class_name {
            return Ok(registered);
        }
        let classes = self.driver.storage_classes();
        let overridden = registered.override_storage_class(storage_class_name, classes)?;
        Ok(Arc::new(overridden))
    }

    /// The data IDs of the datasets: each once, in no particular order.
    ///
    /// # Errors
    /// None in practice: what the datasets have, their data IDs have too.
    pub fn data_ids(&self) -> Result<DataIds> {
        let spec = ResultSpec::data_coordinates(self.dimensions().clone())
            .with_dimension_records(self.has_dimension_records());
        DataIds::new(Arc::clone(&self.driver), self.tree.clone(), spec)
    }
}

impl DimensionRecords {
    /// The element whose records these are.
    #[must_use]
    pub fn element(&self) -> Option<DimensionElement> {
        match self.spec.kind {
            ResultKind::DimensionRecord { element } => Some(element),
            _ => None,
        }
    }
}
