//! `butler query-dimension-records`.

use std::sync::Arc;

use butler_core::dimensions::DimensionRecord;
use butler_core::query::SimpleQuery;
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{Limit, Order, Repository, result_limit};
use crate::output::{Output, note, record_cells, record_columns};
use crate::select::constrained;

/// Lists dimension records.
#[derive(Debug, Args)]
pub(crate) struct QueryDimensionRecords {
    #[command(flatten)]
    repository: Repository,

    /// The dimension or other element that the records are of
    element: String,

    /// Only records with datasets of these types: names and glob patterns
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    datasets: Vec<String>,

    /// With --datasets, the names and glob patterns of the collections they are in [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    collections: Vec<String>,

    /// An expression like that of SQL's WHERE over dimensions and their fields
    #[arg(
        long = "where",
        value_name = "EXPRESSION",
        default_value = "",
        hide_default_value = true
    )]
    condition: String,

    #[command(flatten)]
    order: Order,

    #[command(flatten)]
    limit: Limit,

    #[command(flatten)]
    output: Output,
}

impl QueryDimensionRecords {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let element = butler.universe().element(&self.element)?;
        let options = SimpleQuery {
            limit: result_limit(self.limit.limit),
            ..SimpleQuery::new(self.condition.as_str())
        }
        .order_by(self.order.order_by.iter().cloned())
        .without_explanation();
        let found = match constrained(&butler, &self.datasets, &self.collections).await? {
            Some(query) => query.dimension_record_pages(&self.element, &options)?,
            None => stream::empty().boxed(),
        };
        let for_people = self.output.is_table();
        let cells = |page: Vec<Arc<DimensionRecord>>| {
            let records = page.iter();
            records
                .map(|record| record_cells(record, for_people))
                .collect()
        };
        let columns = record_columns(element, for_people);
        let keys = columns.iter().take(element.required().len());
        let keys: Vec<String> = keys.map(|column| column.name.clone()).collect();
        let sort_by: Vec<&str> = match self.order.order_by.is_empty() {
            true => keys.iter().map(String::as_str).collect(),
            false => Vec::new(),
        };
        let rows = found.map_ok(cells).map_err(Failure::from);
        if self.output.stream(columns, &sort_by, rows).await? == 0 && for_people {
            note("No dimension records match.");
        }
        Ok(())
    }
}
