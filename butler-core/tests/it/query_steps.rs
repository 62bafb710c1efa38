//! Calls of the query interface, compared with those of the Python package.

use butler_core::dimensions::DataIdValue;
use butler_core::query::{
    DataIds, DatasetField, Datasets, DimensionRecords, GeneralColumns, GeneralRows, Query, Where,
};
use butler_core::{Error, Result};
use futures::executor::block_on;
use serde_json::Value;

use crate::query_fake::FakeDriver;
use crate::support::fixture;

fn texts(value: &Value) -> Option<Vec<String>> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A query or its results, while the steps of a row of the fixture are performed.
enum Subject {
    Query(Query),
    DataIds(DataIds),
    Datasets(Datasets),
    Records(DimensionRecords),
    General(GeneralRows),
}

fn condition(expression: &Value, data_id: &Value) -> Where {
    let values = data_id.as_object().unwrap().iter();
    values.fold(
        Where::expression(expression.as_str().unwrap()),
        |found, (name, value)| {
            let value: DataIdValue = serde_json::from_value(value.clone()).unwrap();
            found.value(name, value)
        },
    )
}

fn general_columns(step: &[Value]) -> GeneralColumns {
    let named = texts(&step[2]).unwrap().into_iter();
    let mut columns = named.fold(GeneralColumns::new(), GeneralColumns::name);
    for (element, fields) in step[3].as_object().unwrap() {
        for field in texts(fields).unwrap() {
            columns = columns.dimension_field(element, field);
        }
    }
    for (dataset_type, fields) in step[4].as_object().unwrap() {
        for field in texts(fields).unwrap() {
            let field = DatasetField::from_name(&field).unwrap();
            columns = columns.dataset_field(dataset_type.as_str(), field);
        }
    }
    columns
}

macro_rules! refine {
    ($results:expr, $step:expr, $kind:ident, $records:expr) => {
        Ok(Subject::$kind(match $step[0].as_str().unwrap() {
            "where" => $results.where_(condition(&$step[1], &$step[2]))?,
            "order_by" => $results.order_by(texts(&$step[1]).unwrap())?,
            "limit" => $results.limit($step[1].as_u64()),
            "with_dimension_records" => $records($results),
            other => panic!("unknown step {other}"),
        }))
    };
}

async fn perform(subject: Subject, step: &[Value]) -> Result<Subject> {
    let query = match subject {
        Subject::Query(query) => query,
        Subject::DataIds(results) => {
            return refine!(results, step, DataIds, |r: DataIds| {
                r.with_dimension_records()
            });
        }
        Subject::Datasets(results) => {
            return refine!(results, step, Datasets, |r: Datasets| {
                r.with_dimension_records()
            });
        }
        Subject::Records(results) => return refine!(results, step, Records, |r| r),
        Subject::General(results) => {
            return refine!(results, step, General, |r: GeneralRows| {
                r.with_dimension_records()
            });
        }
    };
    Ok(match step[0].as_str().unwrap() {
        "join_dimensions" => Subject::Query(query.join_dimensions(texts(&step[1]).unwrap())?),
        "join_dataset_search" => {
            let collections = texts(&step[2]);
            let name = step[1].as_str().unwrap();
            Subject::Query(
                query
                    .join_dataset_search(name, collections.as_deref())
                    .await?,
            )
        }
        "where" => Subject::Query(query.where_(condition(&step[1], &step[2]))?),
        "materialize" => {
            let (dimensions, datasets) = (texts(&step[1]), texts(&step[2]));
            let dimensions: Option<Vec<&str>> = dimensions
                .as_ref()
                .map(|d| d.iter().map(String::as_str).collect());
            let datasets: Option<Vec<&str>> = datasets
                .as_ref()
                .map(|d| d.iter().map(String::as_str).collect());
            Subject::Query(
                query
                    .materialize(dimensions.as_deref(), datasets.as_deref())
                    .await?,
            )
        }
        "data_ids" => Subject::DataIds(match texts(&step[1]) {
            None => query.data_ids()?,
            Some(dimensions) => query.data_ids_of(dimensions)?,
        }),
        "datasets" => {
            let collections = texts(&step[2]);
            let name = step[1].as_str().unwrap();
            let find_first = step[3] == true;
            Subject::Datasets(
                query
                    .datasets_with(name, collections.as_deref(), find_first)
                    .await?,
            )
        }
        "dimension_records" => {
            Subject::Records(query.dimension_records(step[1].as_str().unwrap())?)
        }
        "general" => Subject::General(query.general(
            texts(&step[1]).unwrap(),
            general_columns(step),
            step[5].as_bool(),
        )?),
        other => panic!("unknown step {other}"),
    })
}

async fn perform_all(steps: &[Value]) -> Result<(Value, Value)> {
    let mut subject = Subject::Query(FakeDriver::new().query().1);
    for step in steps {
        subject = perform(subject, step.as_array().unwrap()).await?;
    }
    let (tree, spec) = match &subject {
        Subject::Query(_) => panic!("no results were asked for"),
        Subject::DataIds(results) => (results.tree(), results.spec()),
        Subject::Datasets(results) => (results.tree(), results.spec()),
        Subject::Records(results) => (results.tree(), results.spec()),
        Subject::General(results) => (results.tree(), results.spec()),
    };
    Ok((tree.to_json()?, spec.to_json()?))
}

#[test]
fn calls_make_the_trees_and_errors_that_they_make_in_the_reference() {
    for row in fixture("query_api.json") {
        let steps = &row["steps"];
        match (
            block_on(perform_all(steps.as_array().unwrap())),
            row["error"].as_str(),
        ) {
            (Ok((tree, spec)), None) => {
                assert_eq!(tree, row["tree"], "{steps}");
                assert_eq!(spec, row["spec"], "{steps}");
            }
            (Ok(_), Some(error)) => panic!("{error} in Python, but no error here: {steps}"),
            (Err(error), None) => panic!("{error}: {steps}"),
            (Err(error), Some(expected)) => {
                let fits = match expected {
                    "MissingDatasetTypeError" => matches!(error, Error::MissingDatasetType(_)),
                    "InvalidQueryError" | "TypeError" => matches!(error, Error::InvalidQuery(_)),
                    _ => matches!(error, Error::DimensionName(_)),
                };
                assert!(fits, "{expected} in Python, {error:?} here: {steps}");
            }
        }
    }
}
