//! Dimension elements: dimensions, and relationships between dimensions.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use butler_sphgeom::{HealpixPixelization, HtmPixelization, Pixelization};

use serde::{Serialize, Serializer};

use super::column::{ColumnSpec, ColumnType};
use super::group::DimensionGroup;
use super::schema::RecordSchema;
use super::topology::{SkyPixSystem, TopologicalFamily, TopologicalSpace};
use super::universe::DimensionUniverse;
use crate::error::{Error, Result};

/// What kind of element it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// A dimension others depend on, with few records.
    Governor,
    /// A dimension with records in the database.
    Dimension,
    /// A relationship between dimensions, without a key of its own.
    Combination,
    /// A level of a hierarchical pixelization of the sky; its records are computed.
    SkyPix {
        /// The level within its system.
        level: u32,
    },
}

/// Where the records of an element come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementStorage {
    /// A table named after the element.
    Table,
    /// The values another element's records imply; there is no table.
    ImpliedUnion {
        /// The element whose records imply the values.
        target: &'static str,
    },
    /// Computed from the key.
    SkyPix,
}

pub(super) struct ElementData {
    pub(super) name: &'static str,
    pub(super) doc: String,
    pub(super) kind: ElementKind,
    pub(super) required: Vec<usize>,
    pub(super) required_names: Vec<&'static str>,
    pub(super) implied: Vec<usize>,
    pub(super) implied_names: Vec<&'static str>,
    pub(super) unique_keys: Vec<ColumnSpec>,
    pub(super) metadata: Vec<ColumnSpec>,
    pub(super) is_cached: bool,
    pub(super) implied_union_target: Option<usize>,
    pub(super) always_join: bool,
    pub(super) populated_by: Option<usize>,
    pub(super) populates: Vec<usize>,
    pub(super) spatial: Option<usize>,
    pub(super) temporal: Option<usize>,
    pub(super) minimal_group: OnceLock<DimensionGroup>,
    pub(super) schema: OnceLock<RecordSchema>,
}

/// A dimension or a relationship between dimensions: a cheap handle into its universe.
///
/// Elements are equal if their names are, and ordered as their universe orders them.
#[derive(Clone, Copy)]
pub struct DimensionElement {
    pub(super) universe: DimensionUniverse,
    pub(super) index: usize,
    pub(super) data: &'static ElementData,
}

impl DimensionElement {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.data.name
    }

    /// What it is, for people.
    #[must_use]
    pub fn doc(self) -> &'static str {
        &self.data.doc
    }

    /// The universe that defines it.
    #[must_use]
    pub fn universe(self) -> DimensionUniverse {
        self.universe
    }

    /// The position in the universe's order of elements.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// What kind of element it is.
    #[must_use]
    pub fn kind(self) -> ElementKind {
        self.data.kind
    }

    /// Whether it is a dimension, that is, has a key of its own.
    #[must_use]
    pub fn is_dimension(self) -> bool {
        self.data.kind != ElementKind::Combination
    }

    /// Whether it is a governor dimension.
    #[must_use]
    pub fn is_governor(self) -> bool {
        self.data.kind == ElementKind::Governor
    }

    /// Whether it is a level of a skypix system.
    #[must_use]
    pub fn is_skypix(self) -> bool {
        matches!(self.data.kind, ElementKind::SkyPix { .. })
    }

    /// The names of the dimensions whose keys make up the primary key, itself included (last).
    #[must_use]
    pub fn required(self) -> &'static [&'static str] {
        &self.data.required_names
    }

    /// The names of the dimensions a record identifies beyond its primary key; not recursive.
    #[must_use]
    pub fn implied(self) -> &'static [&'static str] {
        &self.data.implied_names
    }

    /// [`required`](Self::required), then [`implied`](Self::implied): the order of the fields.
    pub fn dimensions(self) -> impl Iterator<Item = &'static str> {
        self.required().iter().chain(self.implied()).copied()
    }

    /// The smallest group that includes this element.
    #[must_use]
    pub fn minimal_group(self) -> &'static DimensionGroup {
        self.data.minimal_group.get_or_init(|| {
            let indices = self.data.required.iter().chain(&self.data.implied).copied();
            DimensionGroup::conform(self.universe, indices)
        })
    }

    /// The governor dimension this element depends on, if there is exactly one.
    #[must_use]
    pub fn governor(self) -> Option<Self> {
        match self.minimal_group().governors() {
            [name] => self.universe.get(name),
            _ => None,
        }
    }

    /// All keys that identify a record given its required dependencies; the primary key first.
    /// Empty for a relationship.
    #[must_use]
    pub fn unique_keys(self) -> &'static [ColumnSpec] {
        &self.data.unique_keys
    }

    /// The primary key's own column, if it is a dimension.
    #[must_use]
    pub fn primary_key(self) -> Option<&'static ColumnSpec> {
        self.data.unique_keys.first()
    }

    /// The type of the primary key's own column, if it is a dimension.
    #[must_use]
    pub fn key_type(self) -> Option<ColumnType> {
        self.primary_key().map(|key| key.column_type)
    }

    /// Further keys that are unique together with the required dependencies.
    #[must_use]
    pub fn alternate_keys(self) -> &'static [ColumnSpec] {
        self.data.unique_keys.get(1..).unwrap_or_default()
    }

    /// The columns that are neither keys nor region nor timespan.
    #[must_use]
    pub fn metadata_columns(self) -> &'static [ColumnSpec] {
        &self.data.metadata
    }

    /// The fields of this element's records, in order.
    #[must_use]
    pub fn schema(self) -> &'static RecordSchema {
        self.data.schema.get_or_init(|| RecordSchema::of(self))
    }

    /// Where the records come from.
    #[must_use]
    pub fn storage(self) -> ElementStorage {
        match (self.data.kind, self.data.implied_union_target) {
            (ElementKind::SkyPix { .. }, _) => ElementStorage::SkyPix,
            (_, Some(target)) => ElementStorage::ImpliedUnion {
                target: self.universe.element_at(target).name(),
            },
            _ => ElementStorage::Table,
        }
    }

    /// Whether the element has a database table of its own.
    #[must_use]
    pub fn has_own_table(self) -> bool {
        self.storage() == ElementStorage::Table
    }

    /// Whether a database table holds this element's records, be it another element's.
    #[must_use]
    pub fn has_table(self) -> bool {
        self.storage() != ElementStorage::SkyPix
    }

    /// The element whose implied values are this element's records, if it is a view.
    #[must_use]
    pub fn implied_union_target(self) -> Option<Self> {
        self.data
            .implied_union_target
            .map(|index| self.universe.element_at(index))
    }

    /// Whether the element must join wherever its required dimensions appear.
    #[must_use]
    pub fn always_join(self) -> bool {
        self.data.always_join
    }

    /// Whether its records define relationships that rows over its dimensions must satisfy.
    #[must_use]
    pub fn defines_relationships(self) -> bool {
        self.data.always_join || !self.data.implied.is_empty()
    }

    /// Whether its records are few and seldom change, so that clients keep them all.
    #[must_use]
    pub fn is_cached(self) -> bool {
        self.data.is_cached
    }

    /// The dimension its records are always inserted, exported and imported with: itself for a
    /// dimension, possibly none for a relationship.
    #[must_use]
    pub fn populated_by(self) -> Option<Self> {
        self.data
            .populated_by
            .map(|index| self.universe.element_at(index))
    }

    /// The elements whose records are inserted with this dimension's, itself included.
    pub fn populates(self) -> impl Iterator<Item = Self> {
        self.data
            .populates
            .iter()
            .map(move |&index| self.universe.element_at(index))
    }

    /// The family of regions it belongs to, if its records have a region.
    #[must_use]
    pub fn spatial(self) -> Option<TopologicalFamily> {
        self.data
            .spatial
            .map(|index| self.universe.family_at(index))
    }

    /// The family of timespans it belongs to, if its records have a timespan.
    #[must_use]
    pub fn temporal(self) -> Option<TopologicalFamily> {
        self.data
            .temporal
            .map(|index| self.universe.family_at(index))
    }

    /// The family it belongs to in a space.
    #[must_use]
    pub fn topology(self, space: TopologicalSpace) -> Option<TopologicalFamily> {
        match space {
            TopologicalSpace::Spatial => self.spatial(),
            TopologicalSpace::Temporal => self.temporal(),
        }
    }

    /// The skypix system and level, if it is a skypix dimension.
    #[must_use]
    pub fn skypix(self) -> Option<(SkyPixSystem, u32)> {
        match self.data.kind {
            ElementKind::SkyPix { level } => Some((self.spatial()?.as_skypix()?, level)),
            _ => None,
        }
    }
}

impl DimensionElement {
    /// The pixelization of a skypix dimension.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if this is not a skypix dimension;
    /// [`Error::Configuration`] if its class is not one this library knows.
    pub fn pixelization(self) -> Result<Box<dyn Pixelization>> {
        let Some((system, level)) = self.skypix() else {
            return Err(Error::InvalidArgument(format!(
                "'{self}' is not a skypix dimension"
            )));
        };
        let refused = |reason: String| {
            Error::Configuration(format!("skypix system '{}': {reason}", system.name()))
        };
        let class_name = system.class_name();
        let made: Result<Box<dyn Pixelization>, _> = match class_name.rsplit('.').next() {
            Some("HtmPixelization") => HtmPixelization::new(level).map(|made| Box::new(made) as _),
            Some("HealpixPixelization") => {
                HealpixPixelization::new(level).map(|made| Box::new(made) as _)
            }
            _ => return Err(refused(format!("pixelization '{class_name}' is not known"))),
        };
        made.map_err(|error| refused(error.to_string()))
    }
}

impl PartialEq for DimensionElement {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.data, other.data) || self.data.name == other.data.name
    }
}

impl Eq for DimensionElement {}

impl Hash for DimensionElement {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.data.name.hash(state);
    }
}

impl Serialize for DimensionElement {
    /// The name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.data.name)
    }
}

impl fmt::Display for DimensionElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.data.name)
    }
}

impl fmt::Debug for DimensionElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DimensionElement({})", self.data.name)
    }
}
