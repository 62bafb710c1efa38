//! Data IDs that name dimensions by what is known of them, as people write them: `day_obs` and
//! `seq_num` for an exposure, the name of a detector for its number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Butler;
use crate::datasets::DatasetType;
use crate::dimensions::{
    ColumnSpec, ColumnType, ColumnValue, DataIdValue, DimensionElement, DimensionRecord,
};
use crate::error::{Error, Result};
use crate::query::language::BindValue;
use crate::query::{SimpleQuery, Where};

/// Keys of dimensions, and values of them.
type Keys = Vec<(String, DataIdValue)>;

/// Fields of records, and values of them.
type Fields = BTreeMap<String, DataIdValue>;

impl Butler {
    /// The data ID with keys of dimensions only, where it names fields of dimension records
    /// (`exposure.day_obs`, or just `day_obs`) or has a value in place of a key that is another
    /// unique key (the `full_name` of a detector). Which dimension a bare field belongs to is
    /// decided as the reference does it: the one that most of the fields fit. Nothing is looked up
    /// if the data ID has keys of dimensions only.
    ///
    /// # Errors
    /// [`Error::DimensionValue`] if a key fits nothing, if fields fit none or several records, or
    /// contradict a key that is there as well.
    pub async fn rewrite_data_id(
        &self,
        dataset_type: &DatasetType,
        data_id: Vec<(String, DataIdValue)>,
    ) -> Result<Vec<(String, DataIdValue)>> {
        let universe = self.universe();
        let mut keys = Keys::with_capacity(data_id.len());
        let mut fields: BTreeMap<String, Fields> = BTreeMap::new();
        let mut bare = Fields::new();
        for (name, value) in data_id {
            if let Some((dimension, field)) = name.split_once('.') {
                let fields = fields.entry(dimension.to_owned()).or_default();
                fields.insert(field.to_owned(), value);
                continue;
            }
            let Some(dimension) = universe.get(&name).filter(|found| found.is_dimension()) else {
                bare.insert(name, value);
                continue;
            };
            match alternate_of(dimension, &value) {
                None => keys.push((name, value)),
                Some(alternate) => {
                    let fields = fields.entry(name).or_default();
                    fields.insert(alternate.name.to_string(), value);
                }
            }
        }
        for (dimension, found) in assign(dataset_type, bare)? {
            fields.entry(dimension).or_default().extend(found);
        }
        for (dimension, fields) in fields {
            let dimension = universe.dimension(&dimension)?;
            if keys.iter().any(|(name, _)| name == dimension.name()) {
                self.check_fields(dimension, &keys, &fields).await?;
            } else {
                let key = self.key_by_fields(dimension, &keys, &fields).await?;
                keys.push((dimension.name().to_owned(), key));
            }
        }
        Ok(keys)
    }

    /// Makes sure that the record of a key that was given has these fields.
    async fn check_fields(
        &self,
        dimension: DimensionElement,
        keys: &Keys,
        fields: &Fields,
    ) -> Result<()> {
        let known = |name: &str| dimension.required().contains(&name);
        let condition = with_keys(Where::new(), keys, known);
        let records = self.records(dimension, condition).await?;
        let [record] = records.as_slice() else {
            if records.is_empty() {
                return Err(Error::DimensionValue(format!(
                    "Could not find dimension '{}' of the data ID to compare it with {}.",
                    dimension.name(),
                    shown(fields)
                )));
            }
            return Ok(());
        };
        for (field, wanted) in fields {
            let actual = record
                .get(field)
                .ok_or_else(|| no_field(dimension, field))?;
            if as_data_id_value(actual).as_ref() != Some(wanted) {
                return Err(Error::DimensionValue(format!(
                    "The data ID has a value of dimension '{}' whose record has another {field} \
                     than {wanted}.",
                    dimension.name()
                )));
            }
        }
        Ok(())
    }

    /// The key of the one record that has these fields.
    async fn key_by_fields(
        &self,
        dimension: DimensionElement,
        keys: &Keys,
        fields: &Fields,
    ) -> Result<DataIdValue> {
        let mut condition = Where::new();
        for (index, (field, value)) in fields.iter().enumerate() {
            let known = dimension.schema().index_of(field).is_some();
            if !known
                && !dimension
                    .unique_keys()
                    .iter()
                    .any(|key| *key.name == **field)
            {
                return Err(no_field(dimension, field));
            }
            let name = format!("field_{index}");
            condition = condition
                .and_expression(format!("{}.{field} = {name}", dimension.name()))
                .bind(name, BindValue::from(value.clone()));
        }
        let group = dimension.minimal_group();
        let condition = with_keys(condition, keys, |name| group.contains(name));
        let mut records = self.records(dimension, condition).await?;
        if records.len() > 1 && dimension.name() == "visit" {
            records = self.of_default_visit_system(keys, records).await?;
        }
        match records.as_slice() {
            [record] => record.key_value().ok_or_else(|| {
                Error::DimensionName(format!("'{}' has no key of its own", dimension.name()))
            }),
            [] => Err(Error::DimensionValue(format!(
                "DataId specification for dimension {} matched no records when constrained by \
                 {}",
                dimension.name(),
                shown(fields)
            ))),
            many => Err(Error::DimensionValue(format!(
                "DataId specification for dimension {} is not uniquely constrained to a single \
                 dataset by {}. Got {} results.",
                dimension.name(),
                shown(fields),
                many.len()
            ))),
        }
    }

    /// Of several visits, the one that the instrument's usual way of grouping exposures made.
    async fn of_default_visit_system(
        &self,
        keys: &Keys,
        visits: Vec<Arc<DimensionRecord>>,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let universe = self.universe();
        let (Some(membership), Some(instrument)) = (
            universe.get("visit_system_membership"),
            universe.get("instrument"),
        ) else {
            return Ok(visits);
        };
        let condition = with_keys(Where::new(), keys, |name| name == "instrument");
        let instruments = self.records(instrument, condition).await?;
        let [instrument] = instruments.as_slice() else {
            return Ok(visits);
        };
        let Some(system) = instrument.get("visit_system").and_then(as_data_id_value) else {
            return Ok(visits);
        };
        for visit in &visits {
            let (Some(name), Some(id)) = (instrument.key_value(), visit.key_value()) else {
                continue;
            };
            let condition = Where::new()
                .value("instrument", name)
                .value("visit_system", system.clone())
                .value("visit", id);
            if !self.records(membership, condition).await?.is_empty() {
                return Ok(vec![Arc::clone(visit)]);
            }
        }
        Ok(visits)
    }

    async fn records(
        &self,
        element: DimensionElement,
        condition: Where,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let query = SimpleQuery::new(condition).without_explanation();
        self.query_dimension_records(element.name(), &query).await
    }
}

fn with_keys(condition: Where, keys: &Keys, relevant: impl Fn(&str) -> bool) -> Where {
    keys.iter()
        .filter(|(name, _)| relevant(name))
        .fold(condition, |found, (name, value)| {
            found.value(name.as_str(), value.clone())
        })
}

/// Fields as Python shows a mapping.
fn shown(fields: &Fields) -> String {
    let fields = fields.iter();
    let shown: Vec<_> = fields
        .map(|(name, value)| format!("'{name}': {value:?}"))
        .collect();
    format!("{{{}}}", shown.join(", "))
}

fn no_field(dimension: DimensionElement, field: &str) -> Error {
    Error::DimensionValue(format!(
        "Records of dimension '{}' have no field '{field}'.",
        dimension.name()
    ))
}

fn as_data_id_value(value: &ColumnValue) -> Option<DataIdValue> {
    match value {
        ColumnValue::Int(value) => Some(DataIdValue::Int(*value)),
        ColumnValue::Str(value) => Some(DataIdValue::Str(value.clone())),
        _ => None,
    }
}

/// Whether a value is of a column's type.
fn fits(column: &ColumnSpec, value: &DataIdValue) -> bool {
    matches!(
        (column.column_type, value),
        (ColumnType::Int, DataIdValue::Int(_)) | (ColumnType::String { .. }, DataIdValue::Str(_))
    )
}

/// The unique key that a value is meant for, if it is not of the type of the dimension's own key.
fn alternate_of(dimension: DimensionElement, value: &DataIdValue) -> Option<&'static ColumnSpec> {
    if dimension.primary_key().is_none_or(|key| fits(key, value)) {
        return None;
    }
    let mut alternates = dimension.alternate_keys().iter();
    alternates.find(|alternate| fits(alternate, value))
}

/// Decides to which dimension each bare field belongs.
fn assign(dataset_type: &DatasetType, bare: Fields) -> Result<BTreeMap<String, Fields>> {
    let mut assigned: BTreeMap<String, Fields> = BTreeMap::new();
    if bare.is_empty() {
        return Ok(assigned);
    }
    let universe = dataset_type.dimensions().universe();
    let mandatory: BTreeSet<&str> = dataset_type.dimensions().names().iter().copied().collect();
    let mut candidates = mandatory.clone();
    if dataset_type.is_calibration() {
        // Further dimensions say for when a calibration is wanted.
        let temporal = universe.dimensions().filter(|d| d.temporal().is_some());
        candidates.extend(temporal.map(|dimension| dimension.name()));
    }
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in candidates {
        let dimension = universe.dimension(name)?;
        let fields = dimension.metadata_columns().iter();
        for field in fields.chain(dimension.unique_keys()) {
            if let Some((field, _)) = bare.get_key_value(&*field.name) {
                owners.entry(field).or_default().insert(name);
                *counts.entry(name).or_default() += 1;
            }
        }
    }
    let unknown: Vec<&str> = bare
        .keys()
        .map(String::as_str)
        .filter(|field| !owners.contains_key(field))
        .collect();
    if !unknown.is_empty() {
        return Err(Error::DimensionValue(format!(
            "Unrecognized keyword args given: {}",
            unknown.join(", ")
        )));
    }
    for (field, value) in &bare {
        let all = owners.get(field.as_str()).cloned().unwrap_or_default();
        let wanted: BTreeSet<&str> = all.intersection(&mandatory).copied().collect();
        let choice = if !wanted.is_empty() {
            wanted
        } else if all == BTreeSet::from(["exposure", "visit"]) {
            // Visits are made of exposures, which are always there.
            BTreeSet::from(["exposure"])
        } else {
            all
        };
        let count = |name: &&str| counts.get(name).copied().unwrap_or_default();
        // The first of equals.
        if let Some(best) = choice.into_iter().rev().max_by_key(count) {
            let fields = assigned.entry(best.to_owned()).or_default();
            fields.insert(field.clone(), value.clone());
        }
    }
    Ok(assigned)
}
