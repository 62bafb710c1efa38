//! Which column, or bound value, an identifier means.

use super::context::ParseContext;
use super::token::clipped;
use crate::dimensions::DimensionElement;
use crate::error::{Error, Result};
use crate::query::column_set::{DatasetField, DatasetTypeKey};
use crate::query::expression::{ColumnExpression, UnaryOperator};
use crate::query::reference::ColumnReference;

/// The column or bound value that an identifier means.
///
/// In this order: a bound value; a dimension's key (`visit`); a field of an element's records or of
/// the datasets searched for, if the query has just one of that name (`exposure_time`, `run`); the
/// same with its element or dataset type (`visit.exposure_time`, `visit.id`, `raw.ingest_date`); a
/// bound of a timespan (`timespan.begin`, `visit.timespan.end`).
///
/// # Errors
/// [`Error::InvalidQuery`] if it means nothing, or several things.
pub fn interpret_identifier(context: &ParseContext<'_>, name: &str) -> Result<ColumnExpression> {
    if let Some(value) = context.bind().get(name) {
        let literal = value.to_literal().ok_or_else(|| {
            Error::InvalidQuery(format!(
                "'{}' is bound to several values, which can only be used in the list of IN",
                clipped(name)
            ))
        })?;
        return Ok(literal.into());
    }
    let mut terms = name.split('.');
    match (terms.next(), terms.next(), terms.next(), terms.next()) {
        (Some(_), None, None, None) => unqualified(context, name),
        (Some(first), Some(second), None, None) => qualified(context, name, first, second),
        (Some(first), Some(second), Some(third), None) => {
            let bound = bound_operator(third).ok_or_else(|| unrecognized(name, ""))?;
            let base = &name[..first.len() + 1 + second.len()];
            ColumnExpression::unary(bound, interpret_identifier(context, base)?)
        }
        _ => Err(unrecognized(name, "")),
    }
}

fn unqualified(context: &ParseContext<'_>, name: &str) -> Result<ColumnExpression> {
    let universe = context.dimensions().universe();
    if let Some(dimension) = universe.get(name).filter(|element| element.is_dimension()) {
        return ColumnExpression::dimension_key(dimension);
    }
    let elements = context.dimensions().elements().iter();
    let elements: Vec<DimensionElement> = elements
        .filter_map(|element| universe.get(element))
        .filter(|element| element.schema().index_of(name).is_some())
        .collect();
    let field = DatasetField::from_name(name);
    let datasets = context
        .datasets()
        .iter()
        .filter_map(|dataset_type| Some((dataset_type, field?)));
    let datasets: Vec<(&DatasetTypeKey, DatasetField)> = datasets.collect();
    match (elements.as_slice(), datasets.as_slice()) {
        ([element], []) => field_of(*element, name),
        ([], [(dataset_type, field)]) => {
            let reference = ColumnReference::dataset_field((*dataset_type).clone(), *field);
            Ok(reference.into())
        }
        ([], []) => {
            let hint = if field.is_some() {
                format!(" Write it with a dataset type, as in 'raw.{name}'.")
            } else if universe.get(name).is_some() {
                format!(" '{name}' is no dimension; write one of its fields, as '{name}.field'.")
            } else {
                String::new()
            };
            Err(unrecognized(name, &hint))
        }
        _ => {
            let elements = elements.iter().map(|element| element.name().to_owned());
            let datasets = datasets
                .iter()
                .map(|(dataset_type, _)| dataset_type.to_string());
            let mut matches: Vec<String> = elements.chain(datasets).collect();
            matches.sort_unstable();
            let matches: Vec<String> = matches
                .iter()
                .map(|qualifier| format!("'{qualifier}.{name}'"))
                .collect();
            Err(Error::InvalidQuery(format!(
                "Ambiguous identifier '{name}' matches multiple fields: {}.",
                matches.join(", ")
            )))
        }
    }
}

fn qualified(
    context: &ParseContext<'_>,
    name: &str,
    first: &str,
    second: &str,
) -> Result<ColumnExpression> {
    let universe = context.dimensions().universe();
    if let Some(element) = universe.get(first) {
        return field_of(element, second);
    }
    if let Some(field) = DatasetField::from_name(second) {
        // Whether there is such a dataset type is for others to say.
        return Ok(ColumnExpression::dataset_field(first, field));
    }
    if first == "timespan" {
        let bound = bound_operator(second).ok_or_else(|| unrecognized(name, ""))?;
        return ColumnExpression::unary(bound, interpret_identifier(context, first)?);
    }
    let is_dataset = |key: &DatasetTypeKey| key.name().is_some_and(|name| &**name == first);
    if context.datasets().iter().any(is_dataset) {
        let fields: Vec<_> = DatasetField::ALL.iter().map(|field| field.name()).collect();
        return Err(Error::InvalidQuery(format!(
            "Identifier '{}' references dataset type '{first}' but field '{}' is not valid for \
             datasets, which have {}.",
            clipped(name),
            clipped(second),
            fields.join(", ")
        )));
    }
    Err(unrecognized(name, ""))
}

/// The field `name` of an element's records.
fn field_of(element: DimensionElement, name: &str) -> Result<ColumnExpression> {
    let is_key = |key: &crate::dimensions::ColumnSpec| &*key.name == name;
    if element.primary_key().is_some_and(is_key) {
        return ColumnExpression::dimension_key(element);
    }
    if element.schema().dimensions().iter().any(is_key) {
        // The keys of other dimensions in its records are these dimensions themselves.
        return ColumnExpression::dimension_key(element.universe().dimension(name)?);
    }
    if element.schema().remainder().iter().any(is_key) {
        return ColumnExpression::dimension_field(element, name);
    }
    let known: Vec<&str> = element
        .schema()
        .columns()
        .iter()
        .map(|c| &*c.name)
        .collect();
    Err(Error::InvalidQuery(format!(
        "Unrecognized field '{}' for {}, which has {}.",
        clipped(name),
        element.name(),
        known.join(", ")
    )))
}

fn bound_operator(name: &str) -> Option<UnaryOperator> {
    match name {
        "begin" => Some(UnaryOperator::BeginOf),
        "end" => Some(UnaryOperator::EndOf),
        _ => None,
    }
}

fn unrecognized(name: &str, hint: &str) -> Error {
    Error::InvalidQuery(format!(
        "Unrecognized identifier '{}'.{hint}",
        clipped(name)
    ))
}
