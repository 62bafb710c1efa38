//! `butler query-data-ids`.

use butler_core::butler::Butler;
use butler_core::collections::DatasetTypeWildcard;
use butler_core::dimensions::DimensionGroup;
use butler_core::query::SimpleQuery;
use clap::Args;
use futures::{TryStreamExt as _, stream};

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{Limit, Order, Repository, result_limit};
use crate::output::{Output, data_id_cells, data_id_columns, note, sort_keys};
use crate::select::constrained;

/// Lists data IDs.
#[derive(Debug, Args)]
pub(crate) struct QueryDataIds {
    #[command(flatten)]
    repository: Repository,

    /// The keys of the data IDs, such as visit or tract; what they depend on comes with them
    /// [default: what all the --datasets have]
    #[arg(value_delimiter = ',')]
    dimensions: Vec<String>,

    /// Only data IDs with datasets of these types: names and glob patterns
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

impl QueryDataIds {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let dimensions = self.dimensions(&butler).await?;
        let columns = data_id_columns(&dimensions);
        let Some(query) = constrained(&butler, &self.datasets, &self.collections).await? else {
            note("There are no datasets of these types in the collections.");
            let nothing = stream::empty();
            return self.output.stream(columns, &[], nothing).await.map(drop);
        };
        let options = SimpleQuery {
            limit: result_limit(self.limit.limit),
            ..SimpleQuery::new(self.condition.as_str())
        }
        .order_by(self.order.order_by.iter().cloned())
        .without_explanation();
        let names = dimensions.names();
        let found = query.data_id_pages(names, &options)?;
        let rows = found.map_ok(|page| page.iter().map(data_id_cells).collect());
        let sort_by = match self.order.order_by.is_empty() {
            true => sort_keys(&dimensions),
            false => Vec::new(),
        };
        let rows = rows.map_err(Failure::from);
        if self.output.stream(columns, &sort_by, rows).await? == 0 {
            note("No data IDs match.");
            let results = query.data_ids_of(names)?;
            let results = results.where_(self.condition.as_str())?;
            for reason in results.explain_no_results(true).await? {
                note(&reason);
            }
        }
        Ok(())
    }

    /// The dimensions asked for, or those that all the dataset types have.
    async fn dimensions(&self, butler: &Butler) -> Outcome<DimensionGroup> {
        if !self.dimensions.is_empty() {
            return Ok(butler.universe().conform(&self.dimensions)?);
        }
        if self.datasets.is_empty() {
            return Err(Failure::Usage(
                "name some dimensions, or dataset types with --datasets".to_owned(),
            ));
        }
        let wildcard = DatasetTypeWildcard::from_expression(&self.datasets)?;
        let types = butler.registry().dataset_types(&wildcard).await?;
        let common = types
            .iter()
            .map(|dataset_type| dataset_type.dimensions().clone())
            .reduce(|common, other| common.intersection(&other));
        match common {
            Some(common) if !common.is_empty() => Ok(common),
            Some(_) => Err(
                Failure::new("the dataset types have no dimensions in common")
                    .hint("name the dimensions of the data IDs"),
            ),
            None => Err(Failure::new(format!(
                "no dataset type matches {}",
                self.datasets.join(", ")
            ))),
        }
    }
}
