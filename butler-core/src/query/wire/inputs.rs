//! What a request for a query carries besides what it asks for.

use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::json::{At, parse_json};
use super::read::Reader;
use super::write::group_json;
use crate::dimensions::{
    DataCoordinate, DataIdValue, DimensionGroup, DimensionUniverse, SerializedDataCoordinate,
};
use crate::error::Result;
use crate::query::tree::{DataCoordinateUploadKey, MaterializationKey, QueryTree};

/// A query and all it refers to. Mirrors `QueryInputs` of the protocol.
#[derive(Clone, Debug)]
pub struct QueryInputs {
    /// The query.
    pub tree: QueryTree,
    /// The values of governor dimensions that it may leave out.
    pub default_data_id: DataCoordinate,
    /// What was uploaded or materialized before, in that order.
    pub additional_query_inputs: Vec<AdditionalQueryInput>,
}

/// Something that a tree refers to by a key.
#[derive(Clone, Debug, PartialEq)]
pub enum AdditionalQueryInput {
    /// Rows of another query.
    Materialized {
        /// The key in trees.
        key: MaterializationKey,
        /// The other query; boxed, since it is much the larger variant.
        tree: Box<QueryTree>,
        /// The dimensions whose keys are kept.
        dimensions: DimensionGroup,
        /// The names of the dataset types whose datasets are kept.
        datasets: Vec<Arc<str>>,
        /// Whether a row may be there several times.
        allow_duplicate_overlaps: bool,
    },
    /// Data IDs.
    Upload {
        /// The key in trees.
        key: DataCoordinateUploadKey,
        /// The dimensions of the data IDs.
        dimensions: DimensionGroup,
        /// The required values of each.
        rows: Vec<Vec<DataIdValue>>,
    },
}

impl AdditionalQueryInput {
    /// The key in trees.
    #[must_use]
    pub const fn key(&self) -> Uuid {
        match self {
            Self::Materialized { key, .. } | Self::Upload { key, .. } => *key,
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`InvalidQuery`](crate::Error::InvalidQuery) that says what is wrong and where;
    /// [`DimensionName`](crate::Error::DimensionName) if a dimension or element is unknown;
    /// [`DimensionValue`](crate::Error::DimensionValue) if a data ID has a value of the wrong type.
    pub fn from_value(value: &Value, universe: DimensionUniverse) -> Result<Self> {
        Self::read(At::root("input", value), Reader { universe })
    }

    fn read(at: At<'_>, reader: Reader) -> Result<Self> {
        let kind = at.field("type")?;
        let key = || at.field("key")?.uuid();
        let dimensions = || reader.group(at.field("dimensions")?);
        match kind.str()? {
            "materialized" => Ok(Self::Materialized {
                key: key()?,
                tree: Box::new(reader.tree(at.field("tree")?)?),
                dimensions: dimensions()?,
                datasets: at.field("datasets")?.each(|at| Ok(at.str()?.into()))?,
                allow_duplicate_overlaps: at
                    .get("allow_duplicate_overlaps")?
                    .map_or(Ok(false), |at| at.bool())?,
            }),
            "upload" => {
                let dimensions = dimensions()?;
                Ok(Self::Upload {
                    key: key()?,
                    rows: at.field("rows")?.each(|at| data_id_row(at, &dimensions))?,
                    dimensions,
                })
            }
            _ => Err(kind.error("expected materialized or upload")),
        }
    }

    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(match self {
            Self::Materialized {
                key,
                tree,
                dimensions,
                datasets,
                allow_duplicate_overlaps,
            } => json!({
                "type": "materialized",
                "key": key.to_string(),
                "tree": tree.to_json()?,
                "dimensions": group_json(dimensions),
                "datasets": datasets.iter().map(|name| &**name).collect::<Vec<_>>(),
                "allow_duplicate_overlaps": allow_duplicate_overlaps,
            }),
            Self::Upload {
                key,
                dimensions,
                rows,
            } => json!({
                "type": "upload",
                "key": key.to_string(),
                "dimensions": group_json(dimensions),
                "rows": rows,
            }),
        })
    }
}

/// The required values of a data ID, in the types of the dimensions' keys.
fn data_id_row(at: At<'_>, dimensions: &DimensionGroup) -> Result<Vec<DataIdValue>> {
    let required = dimensions.required();
    let values = at.each(|at| {
        DataIdValue::deserialize(at.value())
            .map_err(|error| at.error(format_args!("not a value of a data ID: {error}")))
    })?;
    if values.len() != required.len() {
        return Err(at.error(format_args!(
            "a data ID of {dimensions} has {} values ({}), not {}",
            required.len(),
            required.join(", "),
            values.len()
        )));
    }
    let universe = dimensions.universe();
    required
        .iter()
        .zip(values)
        .map(|(name, value)| match universe.dimension(name)?.key_type() {
            Some(key_type) => value.coerce(name, key_type),
            None => Ok(value),
        })
        .collect()
}

impl QueryInputs {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// As [`AdditionalQueryInput::from_value`].
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        Self::from_value(&parse_json(text)?, universe)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// As [`AdditionalQueryInput::from_value`]; those of [`DataCoordinate::from_simple`].
    pub fn from_value(value: &Value, universe: DimensionUniverse) -> Result<Self> {
        let reader = Reader { universe };
        let at = At::root("query", value);
        let default_data_id = at.field("default_data_id")?;
        let simple = SerializedDataCoordinate::deserialize(default_data_id.value())
            .map_err(|error| default_data_id.error(error))?;
        Ok(Self {
            tree: reader.tree(at.field("tree")?)?,
            default_data_id: DataCoordinate::from_simple(&simple, universe)?,
            additional_query_inputs: at
                .field("additional_query_inputs")?
                .each(|at| AdditionalQueryInput::read(at, reader))?,
        })
    }

    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        let inputs = self.additional_query_inputs.iter();
        let inputs: Result<Vec<_>> = inputs.map(AdditionalQueryInput::to_json).collect();
        Ok(json!({
            "tree": self.tree.to_json()?,
            "default_data_id": self.default_data_id.to_simple(false),
            "additional_query_inputs": inputs?,
        }))
    }
}
