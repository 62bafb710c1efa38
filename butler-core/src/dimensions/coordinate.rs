//! Data IDs checked against a universe.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use butler_sphgeom::{IntersectionRegion, Region};

use super::data_id::DataIdValue;
use super::group::DimensionGroup;
use super::record::DimensionRecord;
use super::region::EncodedRegion;
use super::universe::DimensionUniverse;
use crate::error::{Error, Result};
use crate::timespan::Timespan;

/// A data ID: values for at least the required dimensions of a group.
///
/// It may also hold the values of the implied dimensions ([`has_full`](Self::has_full)), and the
/// records of all elements ([`has_records`](Self::has_records)). Equality and hash look at the
/// dimensions and the required values only. A clone costs three reference counts at most.
#[derive(Clone)]
pub struct DataCoordinate {
    group: DimensionGroup,
    /// In the order of `data_coordinate_keys`; required values only, or all.
    values: Arc<[DataIdValue]>,
    /// In the order of the group's elements.
    records: Option<Arc<[Option<Arc<DimensionRecord>>]>>,
}

impl DataCoordinate {
    /// The data ID without dimensions.
    #[must_use]
    pub fn empty(universe: DimensionUniverse) -> Self {
        Self {
            group: universe.empty_group().clone(),
            values: Arc::new([]),
            records: Some(Arc::new([])),
        }
    }

    /// A data ID of the required values, in the order of [`DimensionGroup::required`].
    ///
    /// # Errors
    /// [`Error::Internal`] if the number of values is not that of the required dimensions.
    pub fn from_required_values(
        group: DimensionGroup,
        values: impl Into<Arc<[DataIdValue]>>,
    ) -> Result<Self> {
        let expected = group.required().len();
        Self::from_values(group, values.into(), expected)
    }

    /// A data ID of all values, in the order of [`DimensionGroup::data_coordinate_keys`].
    ///
    /// # Errors
    /// [`Error::Internal`] if the number of values is not that of the dimensions.
    pub fn from_full_values(
        group: DimensionGroup,
        values: impl Into<Arc<[DataIdValue]>>,
    ) -> Result<Self> {
        let expected = group.len();
        Self::from_values(group, values.into(), expected)
    }

    fn from_values(
        group: DimensionGroup,
        values: Arc<[DataIdValue]>,
        expected: usize,
    ) -> Result<Self> {
        if values.len() != expected {
            return Err(Error::Internal(format!(
                "{} values given for a data ID of {group}, which takes {expected}",
                values.len()
            )));
        }
        if group.is_empty() {
            return Ok(Self::empty(group.universe()));
        }
        Ok(Self {
            group,
            values,
            records: None,
        })
    }

    /// Makes a data ID of keys and values.
    ///
    /// Without `dimensions`, the dimensions are those of the keys and what they require and
    /// imply; with `dimensions`, keys of other dimensions are ignored. `defaults` fill in values
    /// that are not given but never add dimensions. Values take the type of the dimension's key.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if a key is unknown (without `dimensions`) or a required value
    /// is missing; [`Error::DimensionValue`] if a value is not of its dimension's type.
    pub fn standardize<N: AsRef<str>, V: Into<DataIdValue>>(
        universe: DimensionUniverse,
        data_id: impl IntoIterator<Item = (N, V)>,
        dimensions: Option<&DimensionGroup>,
        defaults: Option<&Self>,
    ) -> Result<Self> {
        let given: BTreeMap<String, DataIdValue> = data_id
            .into_iter()
            .map(|(name, value)| (name.as_ref().to_owned(), value.into()))
            .collect();
        let group = match dimensions {
            Some(group) if group.universe() == universe => group.clone(),
            Some(group) => universe.conform(group.names())?,
            None => universe.conform(given.keys())?,
        };
        let lookup = |name: &&'static str| -> Option<Result<DataIdValue>> {
            let value = given.get(*name);
            let value = value.or_else(|| defaults.and_then(|defaults| defaults.get(name)))?;
            let key = universe.get(name)?.key_type()?;
            Some(value.clone().coerce(name, key))
        };
        let full: Option<Result<Arc<[_]>>> =
            group.data_coordinate_keys().iter().map(lookup).collect();
        if let Some(values) = full {
            return Self::from_full_values(group, values?);
        }
        let required = group.required().iter();
        let values: Arc<[_]> = required
            .map(|name| lookup(name).unwrap_or_else(|| Err(missing(name, &given))))
            .collect::<Result<_>>()?;
        Self::from_required_values(group, values)
    }

    /// The dimensions.
    #[must_use]
    pub fn dimensions(&self) -> &DimensionGroup {
        &self.group
    }

    /// The universe.
    #[must_use]
    pub fn universe(&self) -> DimensionUniverse {
        self.group.universe()
    }

    /// The value of a dimension; `None` if it is not one of the dimensions, or is implied and
    /// not known.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&DataIdValue> {
        self.values.get(self.group.key_index(name)?)
    }

    /// The value of a dimension.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if the data ID has none for it.
    pub fn value(&self, name: &str) -> Result<&DataIdValue> {
        self.get(name).ok_or_else(|| {
            Error::DimensionName(format!(
                "data ID {self} has no value for dimension '{name}'"
            ))
        })
    }

    /// The required values, in the order of [`DimensionGroup::required`].
    #[must_use]
    pub fn required_values(&self) -> &[DataIdValue] {
        &self.values[..self.group.required().len()]
    }

    /// All values, in the order of [`DimensionGroup::data_coordinate_keys`], if they are known.
    #[must_use]
    pub fn full_values(&self) -> Option<&[DataIdValue]> {
        self.has_full().then_some(&*self.values)
    }

    /// The known keys and values: required ones, then implied ones if known.
    pub fn mapping(&self) -> impl ExactSizeIterator<Item = (&'static str, &DataIdValue)> {
        self.group
            .data_coordinate_keys()
            .iter()
            .copied()
            .zip(self.values.iter())
    }

    /// The required keys and values.
    pub fn required(&self) -> impl ExactSizeIterator<Item = (&'static str, &DataIdValue)> {
        self.group
            .required()
            .iter()
            .copied()
            .zip(self.values.iter())
    }

    /// Whether there are no dimensions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }

    /// Whether the values of the implied dimensions are known.
    #[must_use]
    pub fn has_full(&self) -> bool {
        self.values.len() == self.group.len()
    }

    /// Whether records are attached; implies [`has_full`](Self::has_full).
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.records.is_some()
    }

    /// The attached record of an element; `None` if none are attached, or the repository has none
    /// for this element.
    #[must_use]
    pub fn record(&self, element: &str) -> Option<&Arc<DimensionRecord>> {
        let index = self
            .group
            .elements()
            .iter()
            .position(|name| *name == element)?;
        self.records.as_ref()?[index].as_ref()
    }

    /// The attached records with the names of their elements, in the group's order; `None` if
    /// none are attached.
    pub fn records(
        &self,
    ) -> Option<impl ExactSizeIterator<Item = (&'static str, Option<&Arc<DimensionRecord>>)>> {
        let records = self.records.as_ref()?;
        let names = self.group.elements().iter().copied();
        Some(names.zip(records.iter().map(Option::as_ref)))
    }

    /// The same data ID with records attached; `find` gives the record of an element.
    ///
    /// Implied values not yet known are taken from the records. If records are attached already,
    /// the data ID is given back as it is.
    ///
    /// # Errors
    /// [`Error::DataIdValue`] if the records do not hold an implied value that is missing.
    pub fn expanded(
        &self,
        mut find: impl FnMut(&'static str) -> Option<Arc<DimensionRecord>>,
    ) -> Result<Self> {
        if self.has_records() {
            return Ok(self.clone());
        }
        let records: Arc<[_]> = self
            .group
            .elements()
            .iter()
            .map(|name| find(name))
            .collect();
        let values = if self.has_full() {
            Arc::clone(&self.values)
        } else {
            let implied = self.group.implied().iter().map(|name| {
                implied_value(name, &records).ok_or_else(|| {
                    Error::DataIdValue(format!(
                        "no record tells the value of dimension '{name}' for data ID {self}"
                    ))
                })
            });
            self.values
                .iter()
                .cloned()
                .map(Ok)
                .chain(implied)
                .collect::<Result<_>>()?
        };
        Ok(Self {
            group: self.group.clone(),
            values,
            records: Some(records),
        })
    }

    /// The same data ID without its records.
    #[must_use]
    pub fn without_records(&self) -> Self {
        if self.is_empty() {
            return self.clone();
        }
        Self {
            group: self.group.clone(),
            values: Arc::clone(&self.values),
            records: None,
        }
    }

    /// The part of the data ID that `dimensions` need.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if a value they need is not known.
    pub fn subset(&self, dimensions: &DimensionGroup) -> Result<Self> {
        if self.group == *dimensions {
            return Ok(self.clone());
        }
        let take = |keys: &[&'static str]| -> Result<Arc<[DataIdValue]>> {
            keys.iter().map(|name| self.value(name).cloned()).collect()
        };
        let subset = match take(dimensions.data_coordinate_keys()) {
            Ok(values) => Self::from_full_values(dimensions.clone(), values)?,
            Err(error) if self.has_full() => return Err(error),
            Err(_) => Self::from_required_values(dimensions.clone(), take(dimensions.required())?)?,
        };
        if self.has_records() {
            subset.expanded(|name| self.record(name).cloned())
        } else {
            Ok(subset)
        }
    }

    /// The data ID over the dimensions of both; `other`'s values win where both have one.
    ///
    /// Records are kept if those of both together cover the result.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if a required dimension of the union is in neither.
    pub fn union(&self, other: &Self) -> Result<Self> {
        let group = self.group.union(&other.group);
        if other.group == group && (other.has_records() || !self.has_full()) {
            return Ok(other.clone());
        }
        if self.group == group && self.has_full() && !other.has_records() {
            return Ok(self.clone());
        }
        let values: BTreeMap<&str, DataIdValue> = self
            .mapping()
            .chain(other.mapping())
            .map(|(name, v)| (name, v.clone()))
            .collect();
        let result = Self::standardize(group.universe(), values, Some(&group), None)?;
        let covered = |name: &&'static str| {
            self.group.contains_element(name) || other.group.contains_element(name)
        };
        if self.has_records() && other.has_records() && group.elements().iter().all(covered) {
            return result.expanded(|name| other.record(name).or(self.record(name)).cloned());
        }
        Ok(result)
    }

    /// The regions of the spatial families' best elements. `None` if records are not attached, if
    /// one of the regions is not known, or if the dimensions are not spatial.
    #[must_use]
    pub fn regions(&self) -> Option<Vec<EncodedRegion>> {
        let families = self.group.spatial();
        if families.is_empty() {
            return None;
        }
        let best = families
            .iter()
            .map(|family| family.choose(&self.group).ok());
        best.map(|element| self.record(element?.name())?.region().cloned())
            .collect()
    }

    /// The region of the data ID: the intersection of [`regions`](Self::regions).
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if there are several regions and one cannot be decoded.
    pub fn region(&self) -> Result<Option<EncodedRegion>> {
        match self.regions().as_deref() {
            None => Ok(None),
            Some([region]) => Ok(Some(region.clone())),
            Some(regions) => {
                let regions: Vec<_> = regions
                    .iter()
                    .map(EncodedRegion::decode)
                    .collect::<Result<_>>()?;
                let common = Region::Intersection(IntersectionRegion::new(regions));
                Ok(Some(EncodedRegion::encode(&common)))
            }
        }
    }

    /// The time common to the temporal families' best elements. `None` if records are not
    /// attached, if one of the timespans is not known, or if the dimensions are not temporal.
    #[must_use]
    pub fn timespan(&self) -> Option<Timespan> {
        let families = self.group.temporal().iter();
        let timespans: Option<Vec<Timespan>> = families
            .map(|family| {
                let element = family.choose(&self.group).ok()?;
                self.record(element.name())?.timespan()
            })
            .collect();
        timespans?.into_iter().reduce(Timespan::intersection)
    }

    /// Compares the required values in order, as the reference orders data IDs.
    #[must_use]
    pub fn cmp_values(&self, other: &Self) -> Ordering {
        self.required_values().cmp(other.required_values())
    }
}

fn missing(name: &str, given: &BTreeMap<String, DataIdValue>) -> Error {
    let given: Vec<_> = given
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    Error::DimensionName(format!(
        "data ID {{{}}} has no value for required dimension '{name}'",
        given.join(", ")
    ))
}

/// The value of an implied dimension: from its own record, or from one that implies it.
fn implied_value(name: &str, records: &[Option<Arc<DimensionRecord>>]) -> Option<DataIdValue> {
    let known = || records.iter().flatten();
    let own = known().find(|record| record.element().name() == name);
    let own = own.and_then(|record| record.key_value());
    let implying = || {
        let record = known().find(|record| record.element().implied().contains(&name))?;
        record.get(name)?.to_data_id_value()
    };
    own.or_else(implying)
}

impl PartialEq for DataCoordinate {
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.required_values() == other.required_values()
    }
}

impl Eq for DataCoordinate {}

impl Hash for DataCoordinate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.group.hash(state);
        self.required_values().hash(state);
    }
}

impl fmt::Display for DataCoordinate {
    /// As Python shows it: `{instrument: 'LATISS', exposure: 42}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.mapping().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}: {value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for DataCoordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
