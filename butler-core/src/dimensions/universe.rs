//! Dimension universes: complete, self-consistent sets of dimensions.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, Weak};

use super::builder::Builder;
use super::config::UniverseConfig;
use super::element::{DimensionElement, ElementData};
use super::group::{DimensionGroup, GroupData};
use super::topology::{FamilyData, SkyPixSystem, TopologicalFamily, TopologicalSpace};
use crate::error::{Error, Result};

/// A complete, self-consistent set of dimensions.
///
/// Universes live as long as the process: a universe of the same facts is made only once, however
/// often its configuration is read. Handles are two words and free to copy. Two universes are
/// equal if all their facts are; documentation does not count.
#[derive(Clone, Copy)]
pub struct DimensionUniverse {
    data: &'static UniverseData,
    document: &'static str,
}

pub(super) struct UniverseData {
    pub(super) config: UniverseConfig,
    pub(super) elements: Vec<ElementData>,
    pub(super) dimensions: Vec<usize>,
    pub(super) families: Vec<FamilyData>,
    pub(super) by_name: HashMap<&'static str, usize>,
    pub(super) common_skypix: usize,
    pub(super) groups: RwLock<HashMap<Box<[usize]>, Weak<GroupData>>>,
    pub(super) empty: OnceLock<DimensionGroup>,
}

/// All universes made so far, with the documents they were read from.
static UNIVERSES: Mutex<Vec<DimensionUniverse>> = Mutex::new(Vec::new());

macro_rules! builtin {
    ($($version:literal)*) => {
        [$(($version, include_str!(concat!(
            "../../data/dimensions/daf_butler_universe", $version, ".json"
        )))),*]
    };
}

/// The configurations of the universes in namespace `daf_butler`, by version.
static BUILTIN: [(i64, &str); 9] = builtin!(0 1 2 3 4 5 6 7 8);

impl DimensionUniverse {
    /// The version new repositories get.
    pub const DEFAULT_VERSION: i64 = 8;

    /// The universe new repositories get: version 8 in the namespace `daf_butler`.
    ///
    /// # Panics
    /// Never: the embedded configurations are valid.
    #[must_use]
    pub fn default_universe() -> Self {
        static DEFAULT: OnceLock<DimensionUniverse> = OnceLock::new();
        *DEFAULT.get_or_init(|| {
            Self::builtin(Self::DEFAULT_VERSION).expect("the embedded configurations are valid")
        })
    }

    /// A universe of the namespace `daf_butler` by its version (0–8).
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] for other versions.
    pub fn builtin(version: i64) -> Result<Self> {
        Self::parse(Self::builtin_document(version)?)
    }

    /// The JSON document of a universe of the namespace `daf_butler` by its version (0–8).
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] for other versions.
    pub fn builtin_document(version: i64) -> Result<&'static str> {
        let found = BUILTIN.iter().find(|(known, _)| *known == version);
        found.map(|(_, document)| *document).ok_or_else(|| {
            Error::unsupported_version("dimension universe 'daf_butler'", version, "0 to 8")
        })
    }

    /// The universe that a JSON or YAML document configures.
    ///
    /// # Errors
    /// [`Error::Configuration`] saying what is wrong with the document.
    pub fn parse(document: &str) -> Result<Self> {
        let mut known = UNIVERSES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(universe) = known.iter().find(|universe| universe.document == document) {
            return Ok(*universe);
        }
        let config = UniverseConfig::parse(document)?;
        let same_facts = known
            .iter()
            .find(|universe| universe.data.config.has_same_facts(&config));
        let data = match same_facts {
            Some(universe) => universe.data,
            None => Box::leak(Box::new(Builder::default().build(config)?)),
        };
        let universe = Self {
            data,
            document: Box::leak(document.into()),
        };
        known.push(universe);
        Ok(universe)
    }

    /// The document this universe was read from, unchanged.
    #[must_use]
    pub fn document(self) -> &'static str {
        self.document
    }

    /// The document as JSON, as repositories store it: unchanged if it is JSON already.
    #[must_use]
    pub fn document_json(self) -> Cow<'static, str> {
        if UniverseConfig::is_json(self.document) {
            return Cow::Borrowed(self.document);
        }
        let value = crate::yaml::parse(self.document).expect("the document has been read before");
        Cow::Owned(value.to_json().to_string())
    }

    /// The configuration.
    #[must_use]
    pub fn config(self) -> &'static UniverseConfig {
        &self.data.config
    }

    /// The version within the namespace.
    #[must_use]
    pub fn version(self) -> i64 {
        self.data.config.version
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(self) -> &'static str {
        &self.data.config.namespace
    }

    /// Whether data can move between this universe and `other`: they share a namespace.
    #[must_use]
    pub fn is_compatible_with(self, other: Self) -> bool {
        self.namespace() == other.namespace()
    }

    /// The element of a name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<DimensionElement> {
        self.data
            .by_name
            .get(name)
            .map(|&index| self.element_at(index))
    }

    /// The element of a name.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if there is none.
    pub fn element(self, name: &str) -> Result<DimensionElement> {
        self.get(name).ok_or_else(|| {
            Error::DimensionName(format!(
                "'{name}' is not a dimension element of universe {self}; it has {}",
                self.describe_names(),
            ))
        })
    }

    /// The dimension of a name.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if there is none, or if the element is a relationship.
    pub fn dimension(self, name: &str) -> Result<DimensionElement> {
        let element = self.element(name)?;
        if element.is_dimension() {
            Ok(element)
        } else {
            Err(Error::DimensionName(format!(
                "'{name}' is a relationship between dimensions, not a dimension"
            )))
        }
    }

    fn describe_names(self) -> String {
        let names: Vec<_> = self
            .elements()
            .filter(|e| !e.is_skypix())
            .map(DimensionElement::name)
            .collect();
        format!("{} and skypix dimensions", names.join(", "))
    }

    /// All elements, in the universe's order.
    pub fn elements(self) -> impl ExactSizeIterator<Item = DimensionElement> {
        (0..self.data.elements.len()).map(move |index| self.element_at(index))
    }

    /// All dimensions, in the universe's order.
    pub fn dimensions(self) -> impl ExactSizeIterator<Item = DimensionElement> {
        self.data
            .dimensions
            .iter()
            .map(move |&index| self.element_at(index))
    }

    /// All governor dimensions.
    pub fn governor_dimensions(self) -> impl Iterator<Item = DimensionElement> {
        self.dimensions().filter(|element| element.is_governor())
    }

    /// All skypix dimensions.
    pub fn skypix_dimensions(self) -> impl Iterator<Item = DimensionElement> {
        self.dimensions().filter(|element| element.is_skypix())
    }

    /// All skypix systems.
    pub fn skypix_systems(self) -> impl Iterator<Item = SkyPixSystem> {
        self.families(TopologicalSpace::Spatial)
            .filter_map(TopologicalFamily::as_skypix)
    }

    /// All families of a space, skypix systems included.
    pub fn families(self, space: TopologicalSpace) -> impl Iterator<Item = TopologicalFamily> {
        (0..self.data.families.len())
            .map(move |index| self.family_at(index))
            .filter(move |family| family.space() == space)
    }

    /// The skypix dimension that relates all other spatial elements.
    #[must_use]
    pub fn common_skypix(self) -> DimensionElement {
        self.element_at(self.data.common_skypix)
    }

    /// The group without dimensions.
    #[must_use]
    pub fn empty_group(self) -> &'static DimensionGroup {
        self.data
            .empty
            .get_or_init(|| DimensionGroup::conform(self, []))
    }

    /// The smallest group that holds all the given dimensions.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if one of them is unknown.
    pub fn conform<S: AsRef<str>>(
        self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<DimensionGroup> {
        let indices: Vec<usize> = names
            .into_iter()
            .map(|name| self.dimension(name.as_ref()).map(DimensionElement::index))
            .collect::<Result<_>>()?;
        Ok(DimensionGroup::conform(self, indices))
    }

    /// The given elements without duplicates, in the universe's order.
    #[must_use]
    pub fn sorted(
        self,
        elements: impl IntoIterator<Item = DimensionElement>,
    ) -> Vec<DimensionElement> {
        let mut indices: Vec<usize> = elements.into_iter().map(DimensionElement::index).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
            .into_iter()
            .map(|index| self.element_at(index))
            .collect()
    }

    pub(super) fn data(self) -> &'static UniverseData {
        self.data
    }

    pub(super) fn element_at(self, index: usize) -> DimensionElement {
        DimensionElement {
            universe: self,
            index,
            data: &self.data.elements[index],
        }
    }

    pub(super) fn family_at(self, index: usize) -> TopologicalFamily {
        TopologicalFamily {
            universe: self,
            data: &self.data.families[index],
        }
    }
}

impl Default for DimensionUniverse {
    fn default() -> Self {
        Self::default_universe()
    }
}

impl PartialEq for DimensionUniverse {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.data, other.data)
    }
}

impl Eq for DimensionUniverse {}

impl fmt::Display for DimensionUniverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.namespace(), self.version())
    }
}

impl fmt::Debug for DimensionUniverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DimensionUniverse({}, {})",
            self.version(),
            self.namespace()
        )
    }
}
