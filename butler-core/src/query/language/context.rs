//! What gives names in expressions their meaning.

use std::collections::BTreeSet;

use super::bind::BindValues;
use crate::dimensions::DimensionGroup;
use crate::query::column_set::DatasetTypeKey;

/// What an expression is a part of. It decides which columns names without a qualifier mean.
#[derive(Clone, Copy, Debug)]
pub struct ParseContext<'a> {
    dimensions: &'a DimensionGroup,
    datasets: &'a BTreeSet<DatasetTypeKey>,
    bind: &'a BindValues,
}

static NO_BIND: BindValues = BindValues::new();
static NO_DATASETS: BTreeSet<DatasetTypeKey> = BTreeSet::new();

impl<'a> ParseContext<'a> {
    /// A query with these dimensions, without datasets and bound values.
    ///
    /// Expressions may refer to dimensions and datasets outside of the query; whether that is
    /// allowed is for others to say.
    #[must_use]
    pub fn new(dimensions: &'a DimensionGroup) -> Self {
        Self {
            dimensions,
            datasets: &NO_DATASETS,
            bind: &NO_BIND,
        }
    }

    /// The same with the dataset types that the query searches for.
    #[must_use]
    pub fn with_datasets(self, datasets: &'a BTreeSet<DatasetTypeKey>) -> Self {
        Self { datasets, ..self }
    }

    /// The same with bound values.
    #[must_use]
    pub fn with_bind(self, bind: &'a BindValues) -> Self {
        Self { bind, ..self }
    }

    /// The same without bound values.
    #[must_use]
    pub fn without_bind(self) -> Self {
        self.with_bind(&NO_BIND)
    }

    /// The dimensions of the query.
    #[must_use]
    pub fn dimensions(&self) -> &'a DimensionGroup {
        self.dimensions
    }

    /// The dataset types the query searches for.
    #[must_use]
    pub fn datasets(&self) -> &'a BTreeSet<DatasetTypeKey> {
        self.datasets
    }

    /// The bound values.
    #[must_use]
    pub fn bind(&self) -> &'a BindValues {
        self.bind
    }
}
