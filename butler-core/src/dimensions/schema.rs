//! The fields of an element's records.

use std::ops::Range;

use super::column::{ColumnSpec, ColumnType};
use super::element::DimensionElement;

/// The fields of an element's records, in order: required dimensions, implied dimensions,
/// alternate keys, metadata, `region`, `timespan`.
///
/// Keys of other dimensions carry the dimension's name; a dimension's own key carries its own.
#[derive(Debug)]
pub struct RecordSchema {
    columns: Vec<ColumnSpec>,
    n_required: usize,
    n_dimensions: usize,
    n_keys: usize,
    region: Option<usize>,
    timespan: Option<usize>,
}

impl RecordSchema {
    pub(super) fn of(element: DimensionElement) -> Self {
        let universe = element.universe();
        let key_of = |name: &'static str| {
            let dimension = universe
                .get(name)
                .expect("an element's dimensions are defined");
            let key = dimension
                .primary_key()
                .expect("a dimension has a primary key");
            if dimension == element {
                key.clone()
            } else {
                key.renamed(name)
            }
        };
        let mut columns: Vec<ColumnSpec> = element.dimensions().map(key_of).collect();
        let n_dimensions = columns.len();
        columns.extend_from_slice(element.alternate_keys());
        let n_keys = columns.len();
        columns.extend_from_slice(element.metadata_columns());
        let mut push = |name: &str, column_type| {
            columns.push(ColumnSpec::new(name, column_type, true));
            columns.len() - 1
        };
        let region = element
            .spatial()
            .map(|_| push("region", ColumnType::REGION));
        let timespan = element
            .temporal()
            .map(|_| push("timespan", ColumnType::Timespan));
        let n_required = element.required().len();
        Self {
            columns,
            n_required,
            n_dimensions,
            n_keys,
            region,
            timespan,
        }
    }

    /// All fields.
    #[must_use]
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// The names of all fields.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|column| &*column.name)
    }

    /// The number of fields.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// The keys of the required dimensions: the primary key.
    #[must_use]
    pub fn required(&self) -> &[ColumnSpec] {
        &self.columns[..self.n_required]
    }

    /// The keys of the implied dimensions.
    #[must_use]
    pub fn implied(&self) -> &[ColumnSpec] {
        &self.columns[self.n_required..self.n_dimensions]
    }

    /// The keys of all dimensions.
    #[must_use]
    pub fn dimensions(&self) -> &[ColumnSpec] {
        &self.columns[..self.n_dimensions]
    }

    /// The fields that are not keys of dimensions: alternate keys, metadata, region, timespan.
    #[must_use]
    pub fn remainder(&self) -> &[ColumnSpec] {
        &self.columns[self.n_dimensions..]
    }

    /// Where the alternate keys are among all fields.
    #[must_use]
    pub fn alternate_key_range(&self) -> Range<usize> {
        self.n_dimensions..self.n_keys
    }

    /// The position of a field.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.name == name)
    }

    /// The position of the region, if the element is spatial.
    #[must_use]
    pub fn region_index(&self) -> Option<usize> {
        self.region
    }

    /// The position of the timespan, if the element is temporal.
    #[must_use]
    pub fn timespan_index(&self) -> Option<usize> {
        self.timespan
    }
}
