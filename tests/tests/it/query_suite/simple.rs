//! Queries of one call.

use butler_core::butler::Butler;
use butler_core::error::Result;
use butler_core::query::{ResultLimit, SimpleQuery};
use serde_json::Value;

use super::rows::Row;
use super::{given_texts, values};
use crate::values::texts;

pub(super) async fn ask(butler: &Butler, query: &Value) -> Result<Vec<Row>> {
    let mut options = SimpleQuery::new(values::condition(butler, query).await?);
    options = options.order_by(texts(&query["order_by"]));
    if let Some(limit) = query.get("limit") {
        options = options.limit(ResultLimit::from(limit.as_i64()));
    }
    options.explain = query["explain"] != false;
    options.find_first = query["find_first"] != false;
    options.with_dimension_records = query["with_dimension_records"] == true;
    let collections = given_texts(&query["collections"]);
    let collections = collections.as_deref();
    if let Some(dataset_type) = query["query_datasets"].as_str() {
        let found = butler.query_datasets(dataset_type, collections, &options);
        Ok(found.await?.into_iter().map(Row::from).collect())
    } else if let Some(names) = given_texts(&query["query_all_datasets"]) {
        let found = butler.query_all_datasets(&names, collections, &options);
        Ok(found.await?.into_iter().map(Row::from).collect())
    } else if let Some(element) = query["query_dimension_records"].as_str() {
        let found = butler.query_dimension_records(element, &options);
        Ok(found.await?.into_iter().map(Row::from).collect())
    } else {
        let found = butler.query_data_ids(texts(&query["query_data_ids"]), &options);
        Ok(found.await?.into_iter().map(Row::from).collect())
    }
}
