//! Sets of columns, and the order in which rows hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::dimensions::{ColumnSpec, ColumnType, DimensionElement, DimensionGroup};
use crate::error::{Error, Result};

/// The longest name of a collection.
const COLLECTION_NAME_MAX_LENGTH: u32 = 64;

/// A column that every dataset search has.
///
/// Ordered by name, as the columns of results are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DatasetField {
    /// The name of the collection in which the dataset was found.
    Collection,
    /// The dataset's ID.
    DatasetId,
    /// When the dataset was ingested.
    IngestDate,
    /// The name of the RUN collection that holds the dataset.
    Run,
    /// The validity range in a CALIBRATION collection; unbounded in others.
    Timespan,
}

impl DatasetField {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Collection,
        Self::DatasetId,
        Self::IngestDate,
        Self::Run,
        Self::Timespan,
    ];

    /// The name on the wire and in expressions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::DatasetId => "dataset_id",
            Self::IngestDate => "ingest_date",
            Self::Run => "run",
            Self::Timespan => "timespan",
        }
    }

    /// The field of a name, if it is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The type of the column in expressions.
    #[must_use]
    pub const fn column_type(self) -> ColumnType {
        match self {
            Self::Collection | Self::Run => ColumnType::String {
                length: COLLECTION_NAME_MAX_LENGTH,
            },
            Self::DatasetId => ColumnType::Uuid,
            Self::IngestDate => ColumnType::IngestDate,
            Self::Timespan => ColumnType::Timespan,
        }
    }
}

impl fmt::Display for DatasetField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The dataset search a column belongs to.
///
/// `Any` sorts before all names, as its text `[any]` does in the reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DatasetTypeKey {
    /// The search for all dataset types of certain dimensions; `-1` on the wire.
    Any,
    /// The search for the dataset type of this name.
    Named(Arc<str>),
}

impl DatasetTypeKey {
    /// The name of the dataset type, unless it is any.
    #[must_use]
    pub fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Any => None,
            Self::Named(name) => Some(name),
        }
    }
}

impl From<&str> for DatasetTypeKey {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl From<Arc<str>> for DatasetTypeKey {
    fn from(name: Arc<str>) -> Self {
        Self::Named(name)
    }
}

impl fmt::Display for DatasetTypeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("[any]"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// One column of result rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ResultColumn {
    /// The key of a dimension.
    DimensionKey(DimensionElement),
    /// A field of an element's records, other than keys of dimensions.
    DimensionField(DimensionElement, &'static str),
    /// A column of a dataset search.
    DatasetField(DatasetTypeKey, DatasetField),
}

impl ResultColumn {
    /// The name that tells the column from all others: `visit`, `visit:region`, `calexp:run`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        match self {
            Self::DimensionKey(dimension) => dimension.name().to_owned(),
            Self::DimensionField(element, field) => format!("{}:{field}", element.name()),
            Self::DatasetField(dataset_type, field) => format!("{dataset_type}:{field}"),
        }
    }

    /// What the column holds, under its qualified name.
    ///
    /// # Errors
    /// [`Error::Internal`] if a dimension element has no such column, which [`ColumnSet`] rules
    /// out.
    pub fn spec(&self) -> Result<ColumnSpec> {
        let found = match self {
            Self::DimensionKey(dimension) => dimension.primary_key(),
            Self::DimensionField(element, field) => element
                .schema()
                .remainder()
                .iter()
                .find(|column| &*column.name == *field),
            Self::DatasetField(_, field) => {
                // Ingest dates come back as times, whichever way they are stored.
                let column_type = match field.column_type() {
                    ColumnType::IngestDate => ColumnType::DateTime,
                    other => other,
                };
                let nullable = matches!(field, DatasetField::IngestDate | DatasetField::Timespan);
                return Ok(ColumnSpec::new(
                    self.qualified_name(),
                    column_type,
                    nullable,
                ));
            }
        };
        found
            .map(|column| column.renamed(self.qualified_name()))
            .ok_or_else(|| Error::Internal(format!("there is no column '{self}'")))
    }
}

impl fmt::Display for ResultColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DimensionKey(dimension) => f.write_str(dimension.name()),
            Self::DimensionField(element, field) => write!(f, "{}.{field}", element.name()),
            Self::DatasetField(dataset_type, field) => write!(f, "{dataset_type}.{field}"),
        }
    }
}

/// A set of columns: keys of dimensions, fields of dimension records, columns of dataset searches.
///
/// The dimensions bound the set: fields of records belong to elements of the group, and by default
/// the keys of all its dimensions are in the set. Mirrors the reference's `ColumnSet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSet {
    dimensions: DimensionGroup,
    removed_keys: BTreeSet<&'static str>,
    /// Without empty sets.
    dimension_fields: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Without empty sets.
    dataset_fields: BTreeMap<DatasetTypeKey, BTreeSet<DatasetField>>,
}

impl ColumnSet {
    /// The keys of the dimensions.
    #[must_use]
    pub fn new(dimensions: DimensionGroup) -> Self {
        Self {
            dimensions,
            removed_keys: BTreeSet::new(),
            dimension_fields: BTreeMap::new(),
            dataset_fields: BTreeMap::new(),
        }
    }

    /// The dimensions that bound the set.
    #[must_use]
    pub fn dimensions(&self) -> &DimensionGroup {
        &self.dimensions
    }

    /// The fields of records by element; elements without fields are absent.
    #[must_use]
    pub fn dimension_fields(&self) -> &BTreeMap<&'static str, BTreeSet<&'static str>> {
        &self.dimension_fields
    }

    /// The columns of dataset searches; searches without columns are absent.
    #[must_use]
    pub fn dataset_fields(&self) -> &BTreeMap<DatasetTypeKey, BTreeSet<DatasetField>> {
        &self.dataset_fields
    }

    /// Whether there are neither dimensions nor columns of datasets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dimensions.is_empty() && self.dataset_fields.is_empty()
    }

    /// Whether the key of this dimension is in the set.
    #[must_use]
    pub fn has_key(&self, dimension: &str) -> bool {
        self.dimensions.contains(dimension) && !self.removed_keys.contains(dimension)
    }

    /// The dimensions whose keys are in the set, in the order of
    /// [`DimensionGroup::data_coordinate_keys`].
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = self.dimensions.data_coordinate_keys().iter().copied();
        keys.filter(|name| !self.removed_keys.contains(name))
    }

    /// Adds dimensions, with their keys.
    pub fn update_dimensions(&mut self, dimensions: &DimensionGroup) {
        if !dimensions.is_subset(&self.dimensions) {
            self.dimensions = dimensions.union(&self.dimensions);
            self.removed_keys.retain(|name| dimensions.contains(name));
        }
    }

    /// Adds a field of an element's records, and the element's dimensions.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the element has no such field, or it is the key of a dimension.
    pub fn add_dimension_field(&mut self, element: DimensionElement, field: &str) -> Result<()> {
        let field = super::reference::remainder_field(element, field)?;
        self.update_dimensions(element.minimal_group());
        self.insert_dimension_field(element, &field.name);
        Ok(())
    }

    /// Adds a field that the element is known to have; its dimensions are there.
    pub(super) fn insert_dimension_field(
        &mut self,
        element: DimensionElement,
        field: &'static str,
    ) {
        let fields = self.dimension_fields.entry(element.name()).or_default();
        fields.insert(field);
    }

    /// Adds all fields of an element's records that are not keys of dimensions, and the element's
    /// dimensions.
    pub fn add_all_dimension_fields(&mut self, element: DimensionElement) {
        self.update_dimensions(element.minimal_group());
        for column in element.schema().remainder() {
            self.insert_dimension_field(element, &column.name);
        }
    }

    /// Adds a column of a dataset search.
    pub fn add_dataset_field(&mut self, dataset_type: DatasetTypeKey, field: DatasetField) {
        let fields = self.dataset_fields.entry(dataset_type).or_default();
        fields.insert(field);
    }

    /// Adds all columns of another set.
    pub fn update(&mut self, other: &Self) {
        self.update_dimensions(&other.dimensions);
        self.removed_keys
            .retain(|name| other.removed_keys.contains(name));
        for (element, fields) in &other.dimension_fields {
            self.dimension_fields
                .entry(element)
                .or_default()
                .extend(fields);
        }
        for (dataset_type, fields) in &other.dataset_fields {
            self.dataset_fields
                .entry(dataset_type.clone())
                .or_default()
                .extend(fields);
        }
    }

    /// Takes the keys of dimensions out; the dimensions themselves stay.
    pub fn drop_dimension_keys(&mut self, names: impl IntoIterator<Item = &'static str>) {
        self.removed_keys.extend(names);
    }

    /// Takes the keys of implied dimensions out.
    pub fn drop_implied_dimension_keys(&mut self) {
        self.removed_keys
            .extend(self.dimensions.implied().iter().copied());
    }

    /// Brings all keys back.
    pub fn restore_dimension_keys(&mut self) {
        self.removed_keys.clear();
    }

    /// Whether all columns of this set are in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.keys().all(|name| other.has_key(name))
            && self.dimension_fields.iter().all(|(element, fields)| {
                let others = other.dimension_fields.get(element);
                others.is_some_and(|others| fields.is_subset(others))
            })
            && self.dataset_fields.iter().all(|(dataset_type, fields)| {
                let others = other.dataset_fields.get(dataset_type);
                others.is_some_and(|others| fields.is_subset(others))
            })
    }

    /// Whether all columns of `other` are in this set.
    #[must_use]
    pub fn is_superset(&self, other: &Self) -> bool {
        other.is_subset(self)
    }

    /// Whether no column is in both sets.
    #[must_use]
    pub fn is_disjoint(&self, other: &Self) -> bool {
        !self.keys().any(|name| other.has_key(name))
            && self.dimension_fields.iter().all(|(element, fields)| {
                let others = other.dimension_fields.get(element);
                others.is_none_or(|others| fields.is_disjoint(others))
            })
            && self.dataset_fields.iter().all(|(dataset_type, fields)| {
                let others = other.dataset_fields.get(dataset_type);
                others.is_none_or(|others| fields.is_disjoint(others))
            })
    }

    /// All columns in the order in which rows hold them: keys of dimensions (required, then
    /// implied), fields of records (elements and fields in the universe's order), columns of
    /// datasets (dataset types and fields by name).
    pub fn columns(&self) -> impl Iterator<Item = ResultColumn> {
        let universe = self.dimensions.universe();
        let element = move |name: &str| universe.get(name);
        let keys = self
            .keys()
            .filter_map(element)
            .map(ResultColumn::DimensionKey);
        let elements = self.dimensions.elements().iter();
        let dimension_fields = elements
            .filter_map(move |name| Some((universe.get(name)?, self.dimension_fields.get(name)?)))
            .flat_map(|(element, fields)| {
                let names = element
                    .schema()
                    .remainder()
                    .iter()
                    .map(|column| &*column.name);
                names
                    .filter(|name| fields.contains(name))
                    .map(move |name| ResultColumn::DimensionField(element, name))
            });
        let dataset_fields = self
            .dataset_fields
            .iter()
            .flat_map(|(dataset_type, fields)| {
                fields
                    .iter()
                    .map(|field| ResultColumn::DatasetField(dataset_type.clone(), *field))
            });
        keys.chain(dimension_fields).chain(dataset_fields)
    }
}

impl fmt::Display for ColumnSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .columns()
            .map(|column| column.qualified_name())
            .collect();
        write!(f, "{{{}}}", names.join(", "))
    }
}
