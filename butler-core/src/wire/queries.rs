//! `query/execute`, `query/all_datasets`, `query/count`, `query/any`, `query/explain`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ErrorResponse;
use crate::dimensions::{DimensionUniverse, SerializedDataId};
use crate::error::{Error, Result};
use crate::query::ResultSpec;
use crate::query::wire::{QueryInputs, parse_json};

/// The request of `query/execute`.
#[derive(Debug, Clone)]
pub struct QueryExecuteRequest {
    /// The query.
    pub query: QueryInputs,
    /// What of it comes back.
    pub result_spec: ResultSpec,
}

/// The request of `query/count`.
#[derive(Debug, Clone)]
pub struct QueryCountRequest {
    /// The query.
    pub query: QueryInputs,
    /// What is counted.
    pub result_spec: ResultSpec,
    /// Whether an upper bound does not do.
    pub exact: bool,
    /// Whether rows may be fetched only to be counted.
    pub discard: bool,
}

/// The request of `query/any`.
#[derive(Debug, Clone)]
pub struct QueryAnyRequest {
    /// The query.
    pub query: QueryInputs,
    /// Whether the query may be run.
    pub execute: bool,
    /// Whether rows have to be looked at.
    pub exact: bool,
}

/// The request of `query/explain`.
#[derive(Debug, Clone)]
pub struct QueryExplainRequest {
    /// The query.
    pub query: QueryInputs,
    /// Whether queries may be run to find out.
    pub execute: bool,
}

/// A request as a JSON object whose parts are read one by one.
struct Parts(Value);

impl Parts {
    fn parse(text: &str) -> Result<Self> {
        let value = parse_json(text)?;
        if value.is_object() {
            return Ok(Self(value));
        }
        Err(Error::InvalidQuery(
            "the request must be a JSON object".to_owned(),
        ))
    }

    fn field(&self, name: &str) -> Result<&Value> {
        self.0
            .get(name)
            .ok_or_else(|| Error::InvalidQuery(format!("the request lacks '{name}'")))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        self.field(name)?
            .as_bool()
            .ok_or_else(|| Error::InvalidQuery(format!("'{name}' must be true or false")))
    }

    fn query(&self, universe: DimensionUniverse) -> Result<QueryInputs> {
        QueryInputs::from_value(self.field("query")?, universe)
    }

    fn result_spec(&self, universe: DimensionUniverse) -> Result<ResultSpec> {
        ResultSpec::from_value(self.field("result_spec")?, universe)
    }
}

impl QueryExecuteRequest {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// As [`QueryInputs::from_value`] and [`ResultSpec::from_value`].
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        let parts = Parts::parse(text)?;
        Ok(Self {
            query: parts.query(universe)?,
            result_spec: parts.result_spec(universe)?,
        })
    }

    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryInputs::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(json!({
            "query": self.query.to_json()?,
            "result_spec": self.result_spec.to_json()?,
        }))
    }
}

impl QueryCountRequest {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// As [`QueryExecuteRequest::from_json`].
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        let parts = Parts::parse(text)?;
        Ok(Self {
            query: parts.query(universe)?,
            result_spec: parts.result_spec(universe)?,
            exact: parts.flag("exact")?,
            discard: parts.flag("discard")?,
        })
    }

    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryInputs::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(json!({
            "query": self.query.to_json()?,
            "result_spec": self.result_spec.to_json()?,
            "exact": self.exact,
            "discard": self.discard,
        }))
    }
}

impl QueryAnyRequest {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// As [`QueryExecuteRequest::from_json`].
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        let parts = Parts::parse(text)?;
        Ok(Self {
            query: parts.query(universe)?,
            execute: parts.flag("execute")?,
            exact: parts.flag("exact")?,
        })
    }

    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryInputs::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(json!({
            "query": self.query.to_json()?,
            "execute": self.execute,
            "exact": self.exact,
        }))
    }
}

impl QueryExplainRequest {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// As [`QueryExecuteRequest::from_json`].
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        let parts = Parts::parse(text)?;
        Ok(Self {
            query: parts.query(universe)?,
            execute: parts.flag("execute")?,
        })
    }

    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryInputs::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(json!({
            "query": self.query.to_json()?,
            "execute": self.execute,
        }))
    }
}

/// The response of `query/count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryCountResponse {
    /// The number of rows.
    pub count: u64,
}

/// The response of `query/any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryAnyResponse {
    /// Whether there are rows.
    pub found_rows: bool,
}

/// The response of `query/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryExplainResponse {
    /// Why there are no rows; empty if there may be some.
    pub messages: Vec<String>,
}

/// The request of `query/all_datasets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryAllDatasetsRequest {
    /// Names and patterns of collections.
    pub collections: Vec<String>,
    /// Names and patterns of dataset types.
    pub name: Vec<String>,
    /// Whether of each data ID only the first dataset counts.
    pub find_first: bool,
    /// Keys and values that datasets must have.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, crate::dimensions::DataIdValue>))]
    pub data_id: SerializedDataId,
    /// Values of governor dimensions that may be left out.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, crate::dimensions::DataIdValue>))]
    pub default_data_id: SerializedDataId,
    /// A condition in the expression language; may be empty.
    #[serde(rename = "where")]
    pub condition: String,
    /// The literals of names in the condition, in the form of
    /// [`ColumnLiteral::to_json`](crate::query::ColumnLiteral::to_json).
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Object>))]
    pub bind: IndexMap<String, Value>,
    /// How many datasets come back at most; a negative number asks for a warning if there are more,
    /// which is the client's to give.
    #[serde(deserialize_with = "Option::deserialize")]
    pub limit: Option<i64>,
    /// Whether data IDs have their dimension records.
    pub with_dimension_records: bool,
}

/// The line of a stream that ends it with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename = "error")]
pub struct QueryErrorResult {
    /// The error.
    pub error: ErrorResponse,
}
