//! `butler query-dimension-records`.

use butler_core::query::SimpleQuery;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::{Limit, Order, Repository, result_limit};
use crate::output::{Output, note, record_rows};
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
        let mut found = Vec::new();
        if let Some(query) = constrained(&butler, &self.datasets, &self.collections).await? {
            let options = SimpleQuery {
                limit: result_limit(self.limit.limit),
                ..SimpleQuery::new(self.condition.as_str())
            }
            .order_by(self.order.order_by.iter().cloned())
            .without_explanation();
            found = query
                .query_dimension_records(&self.element, &options)
                .await?;
        }
        if self.order.order_by.is_empty() {
            found.sort_by_cached_key(|record| record.required_values().collect::<Vec<_>>());
        }
        if found.is_empty() && self.output.is_table() {
            note("No dimension records match.");
            return Ok(());
        }
        let rows = record_rows(element, &found, self.output.is_table());
        self.output.write(&[rows])
    }
}
