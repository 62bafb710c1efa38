//! The library's answers to the questions of `query_cases.py`.

use butler_core::butler::{Butler, DefaultsOptions};
use butler_core::error::{Error, Result};
use butler_core::query::wire::QueryInputs;
use butler_core::query::{ResultLimit, ResultPage, ResultSpec, SimpleQuery, Where};
use butler_tests::canonical::differences;
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use super::rows::{page_records, rows};
use crate::values::{data_id, texts};

/// What the library says to a case.
pub(super) async fn answer(butler: &Butler, case: &Value) -> Result<Value> {
    if case["question"] == "all_datasets" {
        return all_datasets(butler, &case["arguments"]).await;
    }
    let universe = butler.universe();
    let inputs = QueryInputs::from_value(&case["query"], universe)?;
    let spec = ResultSpec::from_value(&case["result_spec"], universe)?;
    let options = DefaultsOptions {
        data_id: inputs
            .default_data_id
            .mapping()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect(),
        ..DefaultsOptions::default()
    };
    let query = butler.with_defaults(options).await?.query()?;
    let driver = query.driver();
    for input in &inputs.additional_query_inputs {
        driver.add_input(input).await?;
    }
    let option = |name: &str| case["options"][name].as_bool().unwrap();
    Ok(match case["question"].as_str().unwrap() {
        "execute" => {
            let pages: Vec<ResultPage> = driver.execute(&spec, &inputs.tree).try_collect().await?;
            if let Some(expected) = case.get("records") {
                let found = page_records(&pages);
                let wrong = differences(expected, &found);
                if !wrong.is_empty() {
                    return Err(Error::Internal(format!("the records differ: {wrong:?}")));
                }
            }
            Value::Array(pages.iter().flat_map(rows).collect())
        }
        "count" => {
            let (exact, discard) = (option("exact"), option("discard"));
            json!(driver.count(&inputs.tree, &spec, exact, discard).await?)
        }
        "any" => {
            let (execute, exact) = (option("execute"), option("exact"));
            json!(driver.any(&inputs.tree, execute, exact).await?)
        }
        _ => {
            let execute = option("execute");
            let mut messages = driver.explain_no_results(&inputs.tree, execute).await?;
            messages.sort();
            json!(messages)
        }
    })
}

async fn all_datasets(butler: &Butler, arguments: &Value) -> Result<Value> {
    let data_id = data_id(&arguments["data_id"]);
    let condition = data_id.fold(Where::new(), |found, (name, value)| {
        found.value(name, value)
    });
    let expression = arguments["where"].as_str().unwrap();
    let mut options = SimpleQuery::new(condition.and_expression(expression));
    options.find_first = arguments["find_first"] == true;
    let options = options.limit(ResultLimit::from(arguments["limit"].as_i64()));
    let (names, collections) = (texts(&arguments["name"]), texts(&arguments["collections"]));
    let found = butler.query_all_datasets(&names, Some(&collections), &options);
    Ok(rows(&ResultPage::DatasetRefs(found.await?)).into())
}
