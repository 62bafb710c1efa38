//! Reading query trees, result specifications and column expressions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indexmap::IndexMap;
use serde_json::Value;
use uuid::Uuid;

use super::json::{At, parse_json};
use crate::dimensions::{DimensionElement, DimensionGroup, DimensionUniverse};
use crate::error::{Error, Result};
use crate::query::tree::{DatasetSearch, QueryTree, QueryTreeParts};
use crate::query::{
    BinaryOperator, ColumnExpression, ColumnLiteral, ColumnReference, DatasetField, DatasetTypeKey,
    OrderExpression, Predicate, RegionLiteral, ResultKind, ResultSpec, UnaryOperator,
};
use crate::timespan::Timespan;

impl QueryTree {
    /// Reads the JSON text of a tree.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] that says what is wrong and where; [`Error::DimensionName`] if a
    /// dimension or element is unknown.
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        Self::from_value(&parse_json(text)?, universe)
    }

    /// Reads a tree from JSON.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn from_value(value: &Value, universe: DimensionUniverse) -> Result<Self> {
        Reader { universe }.tree(At::root("tree", value))
    }
}

impl ResultSpec {
    /// Reads the JSON text of a specification.
    ///
    /// # Errors
    /// As [`QueryTree::from_json`].
    pub fn from_json(text: &str, universe: DimensionUniverse) -> Result<Self> {
        Self::from_value(&parse_json(text)?, universe)
    }

    /// Reads a specification from JSON.
    ///
    /// # Errors
    /// As [`QueryTree::from_json`].
    pub fn from_value(value: &Value, universe: DimensionUniverse) -> Result<Self> {
        Reader { universe }.result_spec(At::root("result_spec", value))
    }
}

impl ColumnLiteral {
    /// Reads a literal from JSON, as bind values travel.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] that says what is wrong and where.
    pub fn from_value(value: &Value) -> Result<Self> {
        let at = At::root("value", value);
        read_literal(at, at.field("expression_type")?.str()?)?.ok_or_else(|| {
            at.error("expression_type must be that of a literal: int, string, float, hash, uuid, datetime, timespan or region")
        })
    }
}

/// What reading needs to know.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    pub(super) universe: DimensionUniverse,
}

impl Reader {
    pub(super) fn tree(self, at: At<'_>) -> Result<QueryTree> {
        // The predicate first, and apart: it may hold further trees, and stacks are small.
        let predicate = match at.get("predicate")? {
            Some(at) => self.predicate(at)?,
            None => Predicate::default(),
        };
        self.tree_of(&at, predicate)
    }

    #[inline(never)]
    fn tree_of(self, at: &At<'_>, predicate: Predicate) -> Result<QueryTree> {
        let mut datasets = IndexMap::new();
        if let Some(at) = at.get("datasets")? {
            let read = at.each_entry(|name, at| Ok((Arc::from(name), self.search(at)?)))?;
            datasets.extend(read);
        }
        let any_dataset = at.get_some("any_dataset")?;
        let any_dataset = any_dataset.map(|at| self.search(at)).transpose()?;
        let validate = at.get("validateGovernorConstraints")?;
        QueryTree::from_parts(QueryTreeParts {
            dimensions: self.group(at.field("dimensions")?)?,
            datasets,
            any_dataset,
            data_coordinate_uploads: self.keyed_groups(*at, "data_coordinate_uploads")?,
            materializations: self.keyed_groups(*at, "materializations")?,
            predicate,
            validate_governor_constraints: validate.map_or(Ok(true), |at| at.bool())?,
        })
    }

    fn search(self, at: At<'_>) -> Result<DatasetSearch> {
        let collections = at
            .field("collections")?
            .each(|at| Ok(at.str()?.to_owned()))?;
        let dimensions = self.group(at.field("dimensions")?)?;
        Ok(DatasetSearch::new(collections, dimensions))
    }

    fn keyed_groups(self, at: At<'_>, key: &str) -> Result<IndexMap<Uuid, DimensionGroup>> {
        let Some(at) = at.get(key)? else {
            return Ok(IndexMap::new());
        };
        let mut groups = IndexMap::new();
        at.each_entry(|key, at| {
            let id = Uuid::parse_str(key);
            let id = id.map_err(|error| at.error(format_args!("key is no UUID: {error}")))?;
            match groups.insert(id, self.group(at)?) {
                None => Ok(()),
                Some(_) => Err(at.error("the same UUID appears twice")),
            }
        })?;
        Ok(groups)
    }

    pub(super) fn group(self, at: At<'_>) -> Result<DimensionGroup> {
        let names = at.each(|at| self.dimension(at))?;
        self.universe
            .conform(names.into_iter().map(DimensionElement::name))
    }

    fn dimension(self, at: At<'_>) -> Result<DimensionElement> {
        self.universe
            .dimension(at.str()?)
            .map_err(|error| located(at, error))
    }

    fn element(self, at: At<'_>) -> Result<DimensionElement> {
        self.universe
            .element(at.str()?)
            .map_err(|error| located(at, error))
    }

    /// Reads an expression. What recursion goes through is kept in small functions of their own:
    /// expressions may be deep, and stacks small.
    pub(super) fn expression(self, at: At<'_>) -> Result<ColumnExpression> {
        let kind_at = at.field("expression_type")?;
        match kind_at.str()? {
            "unary" => self.unary(&at),
            "binary" => self.binary(&at),
            kind => self.simple_expression(&at, kind),
        }
    }

    #[inline(never)]
    fn unary(self, at: &At<'_>) -> Result<ColumnExpression> {
        let operand = self.expression(at.field("operand")?)?;
        ColumnExpression::unary(
            operator(at, UnaryOperator::ALL, UnaryOperator::name)?,
            operand,
        )
    }

    #[inline(never)]
    fn binary(self, at: &At<'_>) -> Result<ColumnExpression> {
        let a = self.expression(at.field("a")?)?;
        let b = self.expression(at.field("b")?)?;
        let operator = operator(at, BinaryOperator::ALL, BinaryOperator::name)?;
        ColumnExpression::binary(a, operator, b)
    }

    /// A literal or a column.
    #[inline(never)]
    fn simple_expression(self, at: &At<'_>, kind: &str) -> Result<ColumnExpression> {
        if let Some(reference) = self.reference_of(*at, kind)? {
            return Ok(reference.into());
        }
        read_literal(*at, kind)?
            .map(ColumnExpression::Literal)
            .ok_or_else(|| {
                at.error(format_args!(
                    "there is no type of expression {:?}",
                    kind.chars().take(80).collect::<String>()
                ))
            })
    }

    /// A column, if this is the form of one.
    pub(super) fn reference(self, at: At<'_>) -> Result<ColumnReference> {
        let kind = at.field("expression_type")?;
        self.reference_of(at, kind.str()?)?
            .ok_or_else(|| kind.error("expected dimension_key, dimension_field or dataset_field"))
    }

    fn reference_of(self, at: At<'_>, kind: &str) -> Result<Option<ColumnReference>> {
        Ok(Some(match kind {
            "dimension_key" => {
                let at = at.field("dimension")?;
                ColumnReference::dimension_key(self.dimension(at)?)?
            }
            "dimension_field" => {
                let element = self.element(at.field("element")?)?;
                ColumnReference::dimension_field(element, at.field("field")?.str()?)?
            }
            "dataset_field" => {
                let dataset_type = at.field("dataset_type")?;
                let dataset_type = match dataset_type.value() {
                    Value::Number(number) if number.as_i64() == Some(-1) => DatasetTypeKey::Any,
                    _ => dataset_type.str()?.into(),
                };
                ColumnReference::dataset_field(dataset_type, dataset_field(at.field("field")?)?)
            }
            _ => return Ok(None),
        }))
    }

    fn order_expression(self, at: At<'_>) -> Result<OrderExpression> {
        let kind = at.field("expression_type")?;
        if kind.str()? == "reversed" {
            OrderExpression::new(self.expression(at.field("operand")?)?, true)
        } else {
            OrderExpression::new(self.expression(at)?, false)
        }
    }

    pub(super) fn result_spec(self, at: At<'_>) -> Result<ResultSpec> {
        let kind_at = at.field("result_type")?;
        let flag = |key: &'static str| at.get(key)?.map_or(Ok(false), |at| at.bool());
        let text = |key: &'static str| Ok::<Arc<str>, Error>(at.field(key)?.str()?.into());
        let include_dimension_records = flag("include_dimension_records")?;
        let mut spec = match kind_at.str()? {
            "data_coordinate" => ResultSpec::data_coordinates(self.group(at.field("dimensions")?)?),
            "dimension_record" => ResultSpec::new(ResultKind::DimensionRecord {
                element: self.element(at.field("element")?)?,
            }),
            "dataset_ref" => ResultSpec::dataset_refs(
                text("dataset_type_name")?,
                self.group(at.field("dimensions")?)?,
                text("storage_class_name")?,
                at.field("find_first")?.bool()?,
            ),
            "general" => self.general(at)?,
            _ => {
                return Err(kind_at
                    .error("expected data_coordinate, dimension_record, dataset_ref or general"));
            }
        };
        spec = spec.with_dimension_records(include_dimension_records);
        if let Some(at) = at.get("order_by")? {
            spec.order_by = at.each(|at| self.order_expression(at))?;
        }
        if let Some(at) = at.get_some("limit")? {
            let limit = at.int()?;
            spec.limit = Some(u64::try_from(limit).map_err(|_| {
                at.error(format_args!("a limit cannot be negative, as {limit} is"))
            })?);
        }
        spec.allow_duplicate_overlaps = flag("allow_duplicate_overlaps")?;
        Ok(spec)
    }

    fn general(self, at: At<'_>) -> Result<ResultSpec> {
        let dimension_fields = at.field("dimension_fields")?.each_entry(|name, at| {
            Ok((name.to_owned(), at.each(|at| Ok(at.str()?.to_owned()))?))
        })?;
        let dataset_fields = at.field("dataset_fields")?.each_entry(|name, at| {
            let fields: BTreeSet<_> = at.each(dataset_field)?.into_iter().collect();
            Ok((Arc::from(name), fields))
        })?;
        ResultSpec::general(
            self.group(at.field("dimensions")?)?,
            dimension_fields,
            dataset_fields.into_iter().collect::<BTreeMap<_, _>>(),
            at.field("find_first")?.bool()?,
        )
    }

    fn predicate(self, at: At<'_>) -> Result<Predicate> {
        let groups = at
            .field("operands")?
            .each(|group| group.each(|leaf| Ok(Arc::new(self.leaf(leaf)?))))?;
        Predicate::from_operands(groups)
    }
}

/// The operator of an expression or comparison.
pub(super) fn operator<T: Copy>(
    at: &At<'_>,
    known: impl IntoIterator<Item = T>,
    name: fn(T) -> &'static str,
) -> Result<T> {
    at.field("operator")?.one_of(known, |known| name(*known))
}

fn dataset_field(at: At<'_>) -> Result<DatasetField> {
    at.one_of(DatasetField::ALL, |known| known.name())
}

/// Adds the place to an error about a name.
fn located(at: At<'_>, error: Error) -> Error {
    match error {
        Error::DimensionName(text) => Error::DimensionName(format!("{text} (at {at})")),
        other => other,
    }
}

/// A literal, if this is the form of one.
fn read_literal(at: At<'_>, kind: &str) -> Result<Option<ColumnLiteral>> {
    Ok(Some(match kind {
        "int" => ColumnLiteral::Int(at.field("value")?.int()?),
        "string" => ColumnLiteral::String(at.field("value")?.str()?.into()),
        "float" => ColumnLiteral::Float(at.field("value")?.float()?),
        "hash" => ColumnLiteral::Hash(bytes(at.field("encoded")?)?.into()),
        "uuid" => ColumnLiteral::Uuid(at.field("value")?.uuid()?),
        "datetime" => ColumnLiteral::DateTime(at.field("nsec")?.int()?),
        "timespan" => {
            let begin = at.field("begin_nsec")?.int()?;
            let end = at.field("end_nsec")?.int()?;
            ColumnLiteral::Timespan(Timespan::from_ns(begin, end))
        }
        "region" => {
            let at = at.field("encoded")?;
            let region = RegionLiteral::decode(bytes(at)?);
            ColumnLiteral::Region(region.map_err(|error| at.error(error))?)
        }
        _ => return Ok(None),
    }))
}

fn bytes(at: At<'_>) -> Result<Vec<u8>> {
    let decoded = BASE64.decode(at.str()?);
    decoded.map_err(|error| at.error(format_args!("invalid base64: {error}")))
}
