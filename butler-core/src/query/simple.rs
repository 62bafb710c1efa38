//! Queries in one call: all results at once, with a limit, and an explanation if there are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::arguments::{DatasetTypeArgument, OrderBy, Where};
use super::fluent::Query;
use super::results::{QueryResults, QueryRow, RowPages};
use crate::butler::Butler;
use crate::collections::{CollectionWildcard, DatasetTypeWildcard};
use crate::datasets::{DatasetRef, DatasetType};
use crate::dimensions::{DataCoordinate, DimensionRecord};
use crate::error::{Error, Result};
use crate::registry::CollectionQuery;

/// How many results come back at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultLimit {
    /// All.
    Unlimited,
    /// So many at most. With 0, the query is checked but nothing comes back, and nothing is said
    /// about that.
    AtMost(u64),
    /// So many at most, with a warning if there are more.
    WarnAbove(u64),
}

impl ResultLimit {
    /// The number of results to ask for.
    const fn to_ask(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::AtMost(limit) => Some(limit),
            // One more, to know whether there are more.
            Self::WarnAbove(limit) => Some(limit.saturating_add(1)),
        }
    }

    /// Ends results, which may be one more than the limit, where they are too many, and warns of
    /// that. `what` says what they are.
    pub fn cut<T: Send + 'static>(self, pages: RowPages<T>, what: &'static str) -> RowPages<T> {
        let Self::WarnAbove(limit) = self else {
            return pages;
        };
        let left = usize::try_from(limit).unwrap_or(usize::MAX);
        let cut = stream::try_unfold(Some((pages, left)), move |state| async move {
            let Some((mut pages, left)) = state else {
                return Ok(None);
            };
            let Some(mut rows) = pages.try_next().await? else {
                return Ok(None);
            };
            if let Some(left) = left.checked_sub(rows.len()) {
                return Ok(Some((rows, Some((pages, left)))));
            }
            rows.truncate(left);
            tracing::warn!("More {what} are available than the requested limit of {limit}.");
            Ok(Some((rows, None)))
        });
        cut.boxed()
    }
}

impl Default for ResultLimit {
    /// 20,000, with a warning.
    fn default() -> Self {
        Self::WarnAbove(20_000)
    }
}

impl From<Option<i64>> for ResultLimit {
    /// As the reference counts: none is unlimited, a negative number warns.
    fn from(limit: Option<i64>) -> Self {
        match limit {
            None => Self::Unlimited,
            Some(limit) if limit < 0 => Self::WarnAbove(limit.unsigned_abs()),
            Some(limit) => Self::AtMost(limit.unsigned_abs()),
        }
    }
}

/// What can be said about a query in one call, besides what it asks for.
#[derive(Clone, Debug)]
pub struct SimpleQuery {
    /// Which results count.
    pub condition: Where,
    /// What they are sorted by.
    pub order_by: Vec<OrderBy>,
    /// How many come back.
    pub limit: ResultLimit,
    /// Whether it is an error if there are none, one that says why.
    pub explain: bool,
    /// Whether data IDs have dimension records.
    pub with_dimension_records: bool,
    /// Whether of each data ID only the first dataset counts, in the order of the collections.
    pub find_first: bool,
}

impl Default for SimpleQuery {
    /// All results up to 20,000, the first dataset of each data ID, without records, in no
    /// particular order; an error if there are none.
    fn default() -> Self {
        Self {
            condition: Where::new(),
            order_by: Vec::new(),
            limit: ResultLimit::default(),
            explain: true,
            with_dimension_records: false,
            find_first: true,
        }
    }
}

impl SimpleQuery {
    /// As the default, but with a condition.
    pub fn new(condition: impl Into<Where>) -> Self {
        Self {
            condition: condition.into(),
            ..Self::default()
        }
    }

    /// The same, sorted by these terms.
    #[must_use]
    pub fn order_by<O: Into<OrderBy>>(mut self, terms: impl IntoIterator<Item = O>) -> Self {
        self.order_by = terms.into_iter().map(Into::into).collect();
        self
    }

    /// The same with another limit.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<ResultLimit>) -> Self {
        self.limit = limit.into();
        self
    }

    /// The same, but with an empty list for no results.
    #[must_use]
    pub fn without_explanation(mut self) -> Self {
        self.explain = false;
        self
    }

    /// The same with dimension records.
    #[must_use]
    pub fn with_dimension_records(mut self) -> Self {
        self.with_dimension_records = true;
        self
    }

    /// The same, but with all datasets of each data ID.
    #[must_use]
    pub fn all_datasets(mut self) -> Self {
        self.find_first = false;
        self
    }

    /// Results that satisfy the condition, sorted and limited.
    fn apply<T: QueryRow>(&self, results: QueryResults<T>) -> Result<QueryResults<T>> {
        let results = results.where_(self.condition.clone())?;
        let results = results.order_by(self.order_by.iter().cloned())?;
        Ok(results.limit(self.limit.to_ask()))
    }

    /// Results as they come, or an error that says why there are none.
    fn pages<T: QueryRow>(&self, results: QueryResults<T>, what: &'static str) -> RowPages<T> {
        let pages = self.limit.cut(results.pages(), what);
        if !self.explain || self.limit == ResultLimit::AtMost(0) {
            return pages;
        }
        // The results are kept until there are some.
        let explained = stream::try_unfold((pages, Some(results)), |state| async move {
            let (mut pages, unexplained) = state;
            while let Some(rows) = pages.try_next().await? {
                if !rows.is_empty() {
                    return Ok(Some((rows, (pages, None))));
                }
            }
            match unexplained {
                None => Ok(None),
                Some(results) => {
                    let reasons = results.explain_no_results(true).await?;
                    Err(Error::EmptyQueryResult(reasons))
                }
            }
        });
        explained.boxed()
    }
}

impl Query {
    /// Data IDs over dimensions.
    ///
    /// # Errors
    /// [`Error::DimensionName`], [`Error::InvalidQuery`]; [`Error::EmptyQueryResult`] if there are
    /// none and that is to be explained; errors as of
    /// [`QueryDriver::execute`](super::QueryDriver::execute).
    pub async fn query_data_ids<S: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = S>,
        options: &SimpleQuery,
    ) -> Result<Vec<DataCoordinate>> {
        self.data_id_pages(dimensions, options)?.try_concat().await
    }

    /// The results of [`query_data_ids`](Self::query_data_ids) as they come.
    ///
    /// # Errors
    /// As there; those about names at once, others in the stream.
    pub fn data_id_pages<S: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = S>,
        options: &SimpleQuery,
    ) -> Result<RowPages<DataCoordinate>> {
        let mut results = options.apply(self.data_ids_of(dimensions)?)?;
        if options.with_dimension_records {
            results = results.with_dimension_records();
        }
        Ok(options.pages(results, "data IDs"))
    }

    /// Records of an element.
    ///
    /// # Errors
    /// As [`query_data_ids`](Self::query_data_ids).
    pub async fn query_dimension_records(
        &self,
        element: &str,
        options: &SimpleQuery,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let pages = self.dimension_record_pages(element, options)?;
        pages.try_concat().await
    }

    /// The results of [`query_dimension_records`](Self::query_dimension_records) as they come.
    ///
    /// # Errors
    /// As there; those about names at once, others in the stream.
    pub fn dimension_record_pages(
        &self,
        element: &str,
        options: &SimpleQuery,
    ) -> Result<RowPages<Arc<DimensionRecord>>> {
        let results = options.apply(self.dimension_records(element)?)?;
        Ok(options.pages(results, "dimension records"))
    }

    /// Datasets of a type in collections, the default ones if none are given. There may be patterns
    /// among the collections if not only the first dataset of a data ID counts.
    ///
    /// # Errors
    /// As [`query_data_ids`](Self::query_data_ids) and [`Query::datasets`];
    /// [`Error::InvalidQuery`] for patterns where the order of collections counts.
    pub async fn query_datasets(
        &self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
        options: &SimpleQuery,
    ) -> Result<Vec<DatasetRef>> {
        let pages = self.dataset_pages(dataset_type, collections, options);
        pages.await?.try_concat().await
    }

    /// The results of [`query_datasets`](Self::query_datasets) as they come.
    ///
    /// # Errors
    /// As there; those about names at once, others in the stream.
    pub async fn dataset_pages(
        &self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
        options: &SimpleQuery,
    ) -> Result<RowPages<DatasetRef>> {
        let matched;
        let collections = match collections {
            Some(given) if has_patterns(given)? => {
                if options.find_first {
                    return Err(patterns_without_order(given));
                }
                let wildcard = CollectionWildcard::from_expression(given)?;
                let found = self
                    .driver()
                    .collections(&CollectionQuery::new(wildcard))
                    .await?;
                matched = found.into_iter().map(|info| info.name).collect::<Vec<_>>();
                Some(matched.as_slice())
            }
            other => other,
        };
        let results = self
            .datasets_with(dataset_type, collections, options.find_first)
            .await?;
        let mut results = options.apply(results)?;
        if options.with_dimension_records {
            results = results.with_dimension_records();
        }
        Ok(options.pages(results, "datasets"))
    }

    /// Datasets of all types that match any of the names and patterns, in collections (the default
    /// ones if none are given), sorted by the name of the type. An order and an explanation are not
    /// to be had.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`] if no type matches, or one named does not exist;
    /// [`Error::MissingCollection`]; [`Error::InvalidQuery`] for patterns where the order of
    /// collections counts; errors as of [`query_data_ids`](Self::query_data_ids).
    pub async fn query_all_datasets<S: AsRef<str>>(
        &self,
        names: &[S],
        collections: Option<&[String]>,
        options: &SimpleQuery,
    ) -> Result<Vec<DatasetRef>> {
        let pages = self.all_dataset_pages(names, collections, options).await?;
        options.limit.cut(pages, "datasets").try_concat().await
    }

    /// The results of [`query_all_datasets`](Self::query_all_datasets) as they come, type by type.
    /// With [`ResultLimit::WarnAbove`] there may be one more than the limit: it is for the receiver
    /// to [`cut`](ResultLimit::cut) it off.
    ///
    /// # Errors
    /// As [`query_all_datasets`](Self::query_all_datasets); those about names at once, others in
    /// the stream.
    pub async fn all_dataset_pages<S: AsRef<str>>(
        &self,
        names: &[S],
        collections: Option<&[String]>,
        options: &SimpleQuery,
    ) -> Result<RowPages<DatasetRef>> {
        let collections = collections.unwrap_or(self.driver().default_collections());
        if options.find_first && has_patterns(collections)? {
            return Err(patterns_without_order(collections));
        }
        let found = self.dataset_types_in(names, collections).await?;
        let search = AllDatasets {
            query: self.clone(),
            options: options.clone(),
            todo: found.into_iter(),
            limit: options.limit.to_ask(),
            first: true,
            current: None,
        };
        let pages = stream::try_unfold(search, |mut search| async move {
            let page = search.next_page().await?;
            Ok(page.map(|page| (page, search)))
        });
        Ok(pages.boxed())
    }

    /// The dataset types that match any of the names and patterns, sorted by name, each with those
    /// of the collections (chains resolved) that may hold datasets of it; without those that none
    /// may hold.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`] if no type matches, or one named does not exist;
    /// [`Error::MissingCollection`].
    pub async fn dataset_types_in<S: AsRef<str>>(
        &self,
        names: &[S],
        collections: &[String],
    ) -> Result<Vec<(Arc<DatasetType>, Vec<String>)>> {
        let wildcard = DatasetTypeWildcard::from_expression(names)?;
        let types = self.driver().dataset_types(&wildcard).await?.into_iter();
        let mut found: BTreeMap<Arc<str>, (Arc<DatasetType>, Vec<String>)> = types
            .map(|found| (Arc::clone(found.name()), (found, Vec::new())))
            .collect();
        if found.is_empty() {
            return Err(Error::MissingDatasetType(format!(
                "No dataset types found for query {wildcard}"
            )));
        }
        let missing = wildcard.values().keys().map(String::as_str);
        let missing: Vec<&str> = missing.filter(|name| !found.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(Error::MissingDatasetType(format!(
                "Dataset types not found: {}",
                missing.join(", ")
            )));
        }
        let wildcard = CollectionWildcard::from_expression(collections)?;
        if wildcard.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = CollectionQuery::new(wildcard).flattened();
        query.include_chains = Some(false);
        query.with_dataset_types = true;
        for info in self.driver().collections(&query).await? {
            for name in info.dataset_types.iter().flatten() {
                if let Some((_, collections)) = found.get_mut(name.as_str()) {
                    collections.push(info.name.clone());
                }
            }
        }
        let held = |(_, collections): &(_, Vec<String>)| !collections.is_empty();
        Ok(found.into_values().filter(held).collect())
    }
}

/// A query over many dataset types, underway.
struct AllDatasets {
    query: Query,
    options: SimpleQuery,
    todo: std::vec::IntoIter<(Arc<DatasetType>, Vec<String>)>,
    /// How many results may still come.
    limit: Option<u64>,
    /// Whether the first dataset type is still to come; it is queried even if nothing may come
    /// back, so that the condition is checked.
    first: bool,
    current: Option<RowPages<DatasetRef>>,
}

impl AllDatasets {
    async fn next_page(&mut self) -> Result<Option<Vec<DatasetRef>>> {
        loop {
            if let Some(pages) = &mut self.current {
                if let Some(datasets) = pages.try_next().await? {
                    if let Some(limit) = &mut self.limit {
                        *limit = limit.saturating_sub(datasets.len() as u64);
                    }
                    return Ok(Some(datasets));
                }
                self.current = None;
            }
            if self.limit == Some(0) && !self.first {
                return Ok(None);
            }
            self.first = false;
            let Some((dataset_type, collections)) = self.todo.next() else {
                return Ok(None);
            };
            let mut results = self
                .query
                .datasets_with(
                    Arc::clone(dataset_type.name()),
                    Some(&collections),
                    self.options.find_first,
                )
                .await?
                .where_(self.options.condition.clone())?
                .limit(self.limit);
            if self.options.with_dimension_records {
                results = results.with_dimension_records();
            }
            self.current = Some(results.pages());
        }
    }
}

fn has_patterns(collections: &[String]) -> Result<bool> {
    let wildcard = CollectionWildcard::from_expression(collections)?;
    Ok(!wildcard.patterns().is_empty())
}

fn patterns_without_order(collections: &[String]) -> Error {
    Error::InvalidQuery(format!(
        "Can not use wildcards in collections when find_first=True (given {}): their order is not \
         defined. Name the collections, or ask for all datasets.",
        collections.join(", ")
    ))
}

impl Butler {
    /// Data IDs over dimensions; see [`Query::query_data_ids`].
    ///
    /// # Errors
    /// As [`Query::query_data_ids`] and [`Butler::query`].
    pub async fn query_data_ids<S: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = S>,
        options: &SimpleQuery,
    ) -> Result<Vec<DataCoordinate>> {
        self.query()?.query_data_ids(dimensions, options).await
    }

    /// Records of an element; see [`Query::query_dimension_records`].
    ///
    /// # Errors
    /// As [`Query::query_dimension_records`] and [`Butler::query`].
    pub async fn query_dimension_records(
        &self,
        element: &str,
        options: &SimpleQuery,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        self.query()?
            .query_dimension_records(element, options)
            .await
    }

    /// Datasets of a type in collections; see [`Query::query_datasets`].
    ///
    /// # Errors
    /// As [`Query::query_datasets`] and [`Butler::query`].
    pub async fn query_datasets(
        &self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
        options: &SimpleQuery,
    ) -> Result<Vec<DatasetRef>> {
        self.query()?
            .query_datasets(dataset_type, collections, options)
            .await
    }

    /// Datasets of all types that match; see [`Query::query_all_datasets`].
    ///
    /// # Errors
    /// As [`Query::query_all_datasets`] and [`Butler::query`].
    pub async fn query_all_datasets<S: AsRef<str>>(
        &self,
        names: &[S],
        collections: Option<&[String]>,
        options: &SimpleQuery,
    ) -> Result<Vec<DatasetRef>> {
        self.query()?
            .query_all_datasets(names, collections, options)
            .await
    }
}
