//! Finding the datasets that a command is about.

use std::collections::HashSet;
use std::sync::Arc;

use butler_core::butler::Butler;
use butler_core::collections::{CollectionType, CollectionWildcard, DatasetTypeWildcard};
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::error::Error;
use butler_core::query::{Query, RowPages, SimpleQuery};
use butler_core::registry::CollectionQuery;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::failure::{Failure, Outcome};
use crate::options::{Filter, RowFilter, result_limit};

/// A search for datasets of some types.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    types: &'a [String],
    collections: Vec<String>,
    condition: &'a str,
    find_first: bool,
    limit: i64,
    order_by: &'a [String],
    records: bool,
    explain: bool,
}

impl<'a> Selection<'a> {
    /// A search as the filter says, for all types if none are given.
    pub(crate) fn new(types: &'a [String], filter: &'a Filter, limit: i64) -> Self {
        Self {
            types,
            collections: or_everything(&filter.collections),
            condition: &filter.condition,
            find_first: filter.find_first.get(),
            limit,
            order_by: &[],
            records: false,
            explain: true,
        }
    }

    /// A search in these collections.
    pub(crate) fn within(
        types: &'a [String],
        collections: &[String],
        condition: &'a str,
        find_first: bool,
    ) -> Self {
        Self {
            types,
            collections: collections.to_vec(),
            condition,
            find_first,
            limit: 0,
            order_by: &[],
            records: false,
            explain: true,
        }
    }

    /// The same, sorted.
    pub(crate) fn order_by(self, terms: &'a [String]) -> Self {
        Self {
            order_by: terms,
            ..self
        }
    }

    /// The same with dimension records.
    pub(crate) fn with_dimension_records(self) -> Self {
        Self {
            records: true,
            ..self
        }
    }

    /// The same, but it is no failure that there are none of the only type.
    pub(crate) fn maybe_nothing(self) -> Self {
        Self {
            explain: false,
            ..self
        }
    }

    /// The datasets, those of each type together. A type that does not exist has none.
    pub(crate) async fn run(&self, butler: &Butler) -> Outcome<Vec<DatasetRef>> {
        Ok(self.pages(butler).await?.try_concat().await?)
    }

    /// The same as they come.
    pub(crate) async fn pages(&self, butler: &Butler) -> Outcome<RowPages<DatasetRef>> {
        let types = or_everything(self.types);
        let options = SimpleQuery {
            condition: self.condition.into(),
            order_by: self.order_by.iter().cloned().map(Into::into).collect(),
            limit: result_limit(self.limit),
            explain: self.explain,
            with_dimension_records: self.records,
            find_first: self.find_first,
        };
        let query = butler.query()?;
        let collections = Some(self.collections.as_slice());
        let found = match single(&types)? {
            Some(name) => query.dataset_pages(name, collections, &options).await,
            None if !self.order_by.is_empty() => {
                return Err(Failure::Usage(
                    "--order-by needs one dataset type, not several or a pattern".to_owned(),
                ));
            }
            None => {
                let pages = query.all_dataset_pages(&types, collections, &options).await;
                pages.map(|pages| options.limit.cut(pages, "datasets"))
            }
        };
        match found {
            Err(Error::MissingDatasetType(reason)) => {
                tracing::warn!("{reason}");
                Ok(stream::empty().boxed())
            }
            Err(error) => Err(error.into()),
            Ok(pages) if self.may_repeat(butler).await? => Ok(distinct(pages)),
            Ok(pages) => Ok(pages),
        }
    }

    /// The types that the datasets may be of.
    pub(crate) async fn dataset_types(&self, butler: &Butler) -> Outcome<Vec<Arc<DatasetType>>> {
        let types = or_everything(self.types);
        let held = butler.query()?;
        match held.dataset_types_in(&types, &self.collections).await {
            Err(Error::MissingDatasetType(_)) => Ok(Vec::new()),
            found => Ok(found?.into_iter().map(|(held, _)| held).collect()),
        }
    }

    /// Whether a dataset may be found several times: in several collections, or with several
    /// validity ranges. Each is in one run, and is found once if only the first one counts.
    async fn may_repeat(&self, butler: &Butler) -> Outcome<bool> {
        if self.find_first {
            return Ok(false);
        }
        let wildcard = CollectionWildcard::from_expression(&self.collections)?;
        let mut search = CollectionQuery::new(wildcard).flattened();
        search.include_chains = Some(false);
        let mut found = butler.registry().collections(&search).await?.into_iter();
        Ok(found.any(|info| info.collection_type != CollectionType::Run))
    }
}

/// The datasets without repetition. Their identifiers are remembered for that.
fn distinct(pages: RowPages<DatasetRef>) -> RowPages<DatasetRef> {
    let mut seen = HashSet::new();
    let distinct = pages.map_ok(move |mut page| {
        page.retain(|dataset| seen.insert(dataset.id()));
        page
    });
    distinct.boxed()
}

/// These names and patterns, or the pattern that everything matches if there are none.
pub(crate) fn or_everything(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        vec!["*".to_owned()]
    } else {
        names.to_vec()
    }
}

/// The only name, if there is one only and it is no pattern.
fn single(names: &[String]) -> Outcome<Option<&String>> {
    let wildcard = DatasetTypeWildcard::from_expression(names)?;
    match names {
        [name] if wildcard.patterns().is_empty() => Ok(Some(name)),
        _ => Ok(None),
    }
}

/// A query that is joined with searches for the dataset types that match, each in those of the
/// collections that may hold some. None if there are no such collections.
pub(crate) async fn constrained(butler: &Butler, filter: &RowFilter) -> Outcome<Option<Query>> {
    let mut query = butler.query()?;
    if filter.datasets.is_empty() {
        return Ok(Some(query));
    }
    let registry = butler.registry();
    let wildcard = DatasetTypeWildcard::from_expression(&filter.datasets)?;
    let types = registry.dataset_types(&wildcard).await?;
    let wildcard = CollectionWildcard::from_expression(or_everything(&filter.collections))?;
    let mut search = CollectionQuery::new(wildcard);
    search.with_dataset_types = true;
    let infos = registry.collections(&search).await?;
    let mut joined = false;
    for dataset_type in types {
        let holders: Vec<String> = infos
            .iter()
            .filter(|info| {
                let held = info.dataset_types.as_ref();
                held.is_some_and(|held| held.contains(&**dataset_type.name()))
            })
            .map(|info| info.name.clone())
            .collect();
        if !holders.is_empty() {
            query = query
                .join_dataset_search(dataset_type, Some(&holders))
                .await?;
            joined = true;
        }
    }
    Ok(joined.then_some(query))
}
