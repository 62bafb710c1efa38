//! Queries of the fluent interface, step by step.

use std::sync::Arc;

use butler_core::butler::Butler;
use butler_core::datasets::DatasetType;
use butler_core::dimensions::DataCoordinate;
use butler_core::error::Result;
use butler_core::query::{
    DataIds, DatasetField, Datasets, DimensionRecords, GeneralColumns, GeneralRow, GeneralRows,
    Predicate, Query, QueryResults, QueryRow, QueryTree, Where,
};
use serde_json::{Value, json};

use super::rows::Row;
use super::{failure, given_texts, values};
use crate::values::{data_id, entries, texts};

/// What has become of a query.
enum Subject {
    Query(Query),
    Results(Asked),
}

/// Results of any kind.
pub(super) enum Asked {
    DataIds(DataIds),
    Datasets(Datasets),
    Records(DimensionRecords),
    General(GeneralRows),
    /// Rows of values, to be read as datasets of a type.
    Tuples(GeneralRows, Arc<DatasetType>),
}

/// Does the same with results of any kind.
macro_rules! with_results {
    ($asked:expr, $results:ident => $body:expr) => {
        match $asked {
            Asked::DataIds($results) => $body,
            Asked::Datasets($results) => $body,
            Asked::Records($results) => $body,
            Asked::General($results) | Asked::Tuples($results, _) => $body,
        }
    };
}

pub(super) async fn ask(butler: &Butler, steps: &Value) -> Result<Asked> {
    let mut subject = Subject::Query(butler.query()?);
    for step in steps.as_array().unwrap() {
        subject = match subject {
            Subject::Query(query) => take(butler, query, step).await?,
            Subject::Results(results) => Subject::Results(refine(butler, results, step).await?),
        };
    }
    match subject {
        Subject::Results(results) => Ok(results),
        Subject::Query(_) => panic!("no results are asked for: {steps}"),
    }
}

fn strs(names: &Option<Vec<String>>) -> Option<Vec<&str>> {
    let names = names.as_ref()?.iter();
    Some(names.map(String::as_str).collect())
}

/// The name of a step, and what it is about.
fn action(step: &Value) -> (&str, &Value) {
    const ACTIONS: [&str; 15] = [
        "join_dimensions",
        "join_dataset_search",
        "join_data_coordinates",
        "where",
        "predicate",
        "materialize",
        "allow_duplicate_overlaps",
        "data_ids",
        "dimension_records",
        "datasets",
        "general",
        "order_by",
        "limit",
        "with_dimension_records",
        "tuples",
    ];
    let found = ACTIONS
        .iter()
        .find_map(|name| Some((*name, step.get(*name)?)));
    found.unwrap_or_else(|| panic!("no step: {step}"))
}

/// Joins something, or asks for results.
async fn take(butler: &Butler, query: Query, step: &Value) -> Result<Subject> {
    let (action, of) = action(step);
    let universe = butler.universe();
    let collections = given_texts(&step["collections"]);
    let collections = collections.as_deref();
    let query = match action {
        "join_dimensions" => query.join_dimensions(texts(of))?,
        "join_dataset_search" => {
            let name = of.as_str().unwrap();
            query.join_dataset_search(name, collections).await?
        }
        "join_data_coordinates" => {
            let dimensions = universe.conform(texts(of))?;
            let rows = step["rows"].as_array().unwrap().iter().map(|row| {
                let values = data_id(row);
                DataCoordinate::standardize(universe, values, Some(&dimensions), None)
            });
            let rows: Vec<_> = rows.collect::<Result<_>>()?;
            query.join_data_coordinates(rows).await?
        }
        "where" => query.where_(values::condition(butler, step).await?)?,
        "predicate" => query.where_(Where::from(predicate(butler, step)?))?,
        "materialize" => {
            let dimensions = given_texts(&step["dimensions"]);
            let datasets = given_texts(&step["datasets"]);
            let (dimensions, datasets) = (strs(&dimensions), strs(&datasets));
            query
                .materialize(dimensions.as_deref(), datasets.as_deref())
                .await?
        }
        "allow_duplicate_overlaps" => query.allow_duplicate_overlaps(of == true),
        _ => return results(query, step).await.map(Subject::Results),
    };
    Ok(Subject::Query(query))
}

async fn results(query: Query, step: &Value) -> Result<Asked> {
    let (action, of) = action(step);
    Ok(match action {
        "data_ids" => Asked::DataIds(query.data_ids_of(texts(of))?),
        "dimension_records" => Asked::Records(query.dimension_records(of.as_str().unwrap())?),
        "datasets" => {
            let collections = given_texts(&step["collections"]);
            let find_first = step["find_first"] != false;
            let found =
                query.datasets_with(of.as_str().unwrap(), collections.as_deref(), find_first);
            Asked::Datasets(found.await?)
        }
        "general" => {
            let find_first = step["find_first"].as_bool();
            Asked::General(query.general(texts(of), columns(step), find_first)?)
        }
        other => panic!("no results: {other}"),
    })
}

fn columns(step: &Value) -> GeneralColumns {
    let named = texts(&step["names"]).into_iter();
    let mut columns = named.fold(GeneralColumns::new(), GeneralColumns::name);
    for (element, fields) in entries(&step["dimension_fields"]) {
        for field in texts(fields) {
            columns = columns.dimension_field(element, field);
        }
    }
    for (dataset_type, fields) in entries(&step["dataset_fields"]) {
        for field in texts(fields) {
            let field = DatasetField::from_name(&field).unwrap();
            columns = columns.dataset_field(dataset_type.as_str(), field);
        }
    }
    columns
}

fn predicate(butler: &Butler, step: &Value) -> Result<Predicate> {
    let tree = json!({
        "dimensions": step["dimensions"],
        "predicate": {"operands": step["predicate"]},
    });
    Ok(QueryTree::from_value(&tree, butler.universe())?
        .predicate()
        .clone())
}

async fn refine(butler: &Butler, asked: Asked, step: &Value) -> Result<Asked> {
    let (action, of) = action(step);
    Ok(match (action, asked) {
        ("tuples", Asked::General(results)) => {
            let dataset_type = butler.registry().dataset_type(of.as_str().unwrap());
            Asked::Tuples(results, dataset_type.await?)
        }
        ("with_dimension_records", Asked::DataIds(results)) => {
            Asked::DataIds(results.with_dimension_records())
        }
        ("with_dimension_records", Asked::Datasets(results)) => {
            Asked::Datasets(results.with_dimension_records())
        }
        ("with_dimension_records", Asked::General(results)) => {
            Asked::General(results.with_dimension_records())
        }
        (_, Asked::DataIds(results)) => Asked::DataIds(change(butler, results, step).await?),
        (_, Asked::Datasets(results)) => Asked::Datasets(change(butler, results, step).await?),
        (_, Asked::Records(results)) => Asked::Records(change(butler, results, step).await?),
        (_, Asked::General(results)) => Asked::General(change(butler, results, step).await?),
        (_, Asked::Tuples(..)) => panic!("a step too many: {step}"),
    })
}

async fn change<T: QueryRow>(
    butler: &Butler,
    results: QueryResults<T>,
    step: &Value,
) -> Result<QueryResults<T>> {
    let (action, of) = action(step);
    match action {
        "where" => results.where_(values::condition(butler, step).await?),
        "order_by" => results.order_by(texts(of)),
        "limit" => Ok(results.limit(of.as_u64())),
        other => panic!("no step for results: {other}"),
    }
}

impl Asked {
    pub(super) async fn rows(&self) -> Result<Vec<Row>> {
        if let Self::Tuples(results, dataset_type) = self {
            let tuple = |row: GeneralRow| {
                let dataset = row.dataset(dataset_type)?.unwrap();
                Ok(Row::Tuple(row.data_id()?, dataset))
            };
            return results.collect().await?.into_iter().map(tuple).collect();
        }
        with_results!(self, results => {
            Ok(results.collect().await?.into_iter().map(Row::from).collect())
        })
    }

    pub(super) async fn counts(&self) -> Value {
        let mut found = Vec::new();
        for (exact, discard) in [(true, true), (true, false), (false, true), (false, false)] {
            let count = with_results!(self, results => results.count(exact, discard).await);
            found.push(count.map_or_else(|error| failure(&error), Value::from));
        }
        found.into()
    }

    pub(super) async fn any(&self) -> Value {
        let mut found = Vec::new();
        for (execute, exact) in [(true, true), (true, false), (false, false), (false, true)] {
            let any = with_results!(self, results => results.any(execute, exact).await);
            found.push(any.map_or_else(|error| failure(&error), Value::from));
        }
        found.into()
    }

    pub(super) async fn reasons(&self) -> Result<Value> {
        let explained = with_results!(self, results => results.explain_no_results(true).await);
        let mut reasons = explained?;
        reasons.sort();
        Ok(reasons.into())
    }
}
