//! Writing query trees, result specifications and column expressions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::dimensions::DimensionGroup;
use crate::error::{Error, Result};
use crate::query::{
    ColumnExpression, ColumnLiteral, ColumnReference, DatasetSearch, DatasetTypeKey,
    OrderExpression, Predicate, PredicateLeaf, QueryTree, ResultKind, ResultSpec,
};

impl QueryTree {
    /// The JSON form.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if a literal is an infinite number or not a number, for which JSON
    /// has no form.
    pub fn to_json(&self) -> Result<Value> {
        let datasets: Map<_, _> = self
            .datasets()
            .iter()
            .map(|(name, search)| (name.to_string(), search_json(search)))
            .collect();
        Ok(json!({
            "dimensions": group_json(self.dimensions()),
            "datasets": datasets,
            "any_dataset": self.any_dataset().map(search_json),
            "data_coordinate_uploads": keyed_groups_json(self.data_coordinate_uploads()),
            "materializations": keyed_groups_json(self.materializations()),
            "predicate": self.predicate().to_json()?,
            "validateGovernorConstraints": self.validate_governor_constraints(),
        }))
    }
}

fn search_json(search: &DatasetSearch) -> Value {
    json!({
        "collections": search.collections,
        "dimensions": group_json(&search.dimensions),
    })
}

pub(super) fn group_json(group: &DimensionGroup) -> Value {
    group.names().into()
}

fn keyed_groups_json(groups: &IndexMap<Uuid, DimensionGroup>) -> Value {
    let groups = groups.iter();
    Value::Object(
        groups
            .map(|(key, group)| (key.to_string(), group_json(group)))
            .collect(),
    )
}

fn array<'a, T: 'a>(
    items: impl IntoIterator<Item = &'a T>,
    write: impl Fn(&'a T) -> Result<Value>,
) -> Result<Value> {
    let items: Result<Vec<_>> = items.into_iter().map(write).collect();
    items.map(Value::Array)
}

impl Predicate {
    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        let operands = array(self.operands(), |group| array(group, |leaf| leaf.to_json()))?;
        Ok(json!({ "operands": operands }))
    }
}

impl PredicateLeaf {
    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(match self {
            Self::Not { operand } => json!({
                "predicate_type": "not",
                "operand": operand.to_json()?,
            }),
            Self::BooleanWrapper { operand } => json!({
                "predicate_type": "boolean_wrapper",
                "operand": operand.to_json(),
            }),
            Self::IsNull { operand } => json!({
                "predicate_type": "is_null",
                "operand": operand.to_json()?,
            }),
            Self::Comparison { a, operator, b } => json!({
                "predicate_type": "comparison",
                "a": a.to_json()?,
                "b": b.to_json()?,
                "operator": operator.name(),
            }),
            Self::InContainer { member, container } => json!({
                "predicate_type": "in_container",
                "member": member.to_json()?,
                "container": array(container, ColumnExpression::to_json)?,
            }),
            Self::InRange {
                member,
                start,
                stop,
                step,
            } => json!({
                "predicate_type": "in_range",
                "member": member.to_json()?,
                "start": start,
                "stop": stop,
                "step": step,
            }),
            Self::InQuery {
                member,
                column,
                query_tree,
            } => json!({
                "predicate_type": "in_query",
                "member": member.to_json()?,
                "column": column.to_json()?,
                "query_tree": query_tree.to_json()?,
            }),
        })
    }
}

impl ColumnExpression {
    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        Ok(match self {
            Self::Literal(literal) => literal.to_json()?,
            Self::Reference(reference) => reference.to_json(),
            Self::Unary {
                operator, operand, ..
            } => json!({
                "expression_type": "unary",
                "operand": operand.to_json()?,
                "operator": operator.name(),
            }),
            Self::Binary { a, operator, b, .. } => json!({
                "expression_type": "binary",
                "a": a.to_json()?,
                "b": b.to_json()?,
                "operator": operator.name(),
            }),
        })
    }
}

impl ColumnReference {
    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::DimensionKey { dimension, .. } => json!({
                "expression_type": "dimension_key",
                "dimension": dimension.name(),
            }),
            Self::DimensionField { element, column } => json!({
                "expression_type": "dimension_field",
                "element": element.name(),
                "field": column.name,
            }),
            Self::DatasetField {
                dataset_type,
                field,
            } => json!({
                "expression_type": "dataset_field",
                "dataset_type": match dataset_type {
                    DatasetTypeKey::Any => Value::from(-1),
                    DatasetTypeKey::Named(name) => Value::from(&**name),
                },
                "field": field.name(),
            }),
        }
    }
}

impl ColumnLiteral {
    /// The JSON form.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] for an infinite number or one that is not a number: JSON has no form
    /// for them.
    pub fn to_json(&self) -> Result<Value> {
        let mut json = json!({ "expression_type": self.value_type().name() });
        match self {
            Self::Int(value) => json["value"] = (*value).into(),
            Self::String(value) => json["value"] = (**value).into(),
            Self::Float(value) if value.is_finite() => json["value"] = (*value).into(),
            Self::Float(_) => {
                return Err(Error::InvalidQuery(format!(
                    "the number {self} cannot be sent in a query; only finite numbers can"
                )));
            }
            Self::Hash(value) => json["encoded"] = BASE64.encode(value).into(),
            Self::Uuid(value) => json["value"] = value.to_string().into(),
            Self::DateTime(value) => json["nsec"] = (*value).into(),
            Self::Timespan(value) => {
                json["begin_nsec"] = value.begin_ns().into();
                json["end_nsec"] = value.end_ns().into();
            }
            Self::Region(value) => {
                json["encoded"] = BASE64.encode(value.encoded().as_bytes()).into()
            }
        }
        Ok(json)
    }
}

impl OrderExpression {
    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        let expression = self.expression().to_json()?;
        Ok(if self.is_descending() {
            json!({ "expression_type": "reversed", "operand": expression })
        } else {
            expression
        })
    }
}

impl ResultSpec {
    /// The JSON form.
    ///
    /// # Errors
    /// As [`QueryTree::to_json`].
    pub fn to_json(&self) -> Result<Value> {
        let mut json = json!({
            "result_type": self.result_type(),
            "order_by": array(&self.order_by, OrderExpression::to_json)?,
            "limit": self.limit,
            "allow_duplicate_overlaps": self.allow_duplicate_overlaps,
        });
        match &self.kind {
            ResultKind::DataCoordinate {
                dimensions,
                include_dimension_records,
            } => {
                json["dimensions"] = group_json(dimensions);
                json["include_dimension_records"] = (*include_dimension_records).into();
            }
            ResultKind::DimensionRecord { element } => json["element"] = element.name().into(),
            ResultKind::DatasetRef {
                dataset_type_name,
                dimensions,
                storage_class_name,
                include_dimension_records,
                find_first,
            } => {
                json["dataset_type_name"] = (**dataset_type_name).into();
                json["dimensions"] = group_json(dimensions);
                json["storage_class_name"] = (**storage_class_name).into();
                json["include_dimension_records"] = (*include_dimension_records).into();
                json["find_first"] = (*find_first).into();
            }
            ResultKind::General {
                dimensions,
                dimension_fields,
                dataset_fields,
                include_dimension_records,
                find_first,
            } => {
                let dataset_fields = dataset_fields.iter().map(|(name, fields)| {
                    let fields: Vec<_> = fields.iter().map(|field| field.name()).collect();
                    (name.to_string(), fields.into())
                });
                json["dimensions"] = group_json(dimensions);
                json["dimension_fields"] = json!(dimension_fields);
                json["dataset_fields"] = Value::Object(dataset_fields.collect());
                json["include_dimension_records"] = (*include_dimension_records).into();
                json["find_first"] = (*find_first).into();
            }
        }
        Ok(json)
    }
}
