//! `butler query-data-ids`.

use butler_core::butler::Butler;
use butler_core::collections::DatasetTypeWildcard;
use butler_core::dimensions::DimensionGroup;
use clap::Args;
use futures::{TryStreamExt as _, stream};

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{Repository, RowFilter};
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

    #[command(flatten)]
    filter: RowFilter,

    #[command(flatten)]
    output: Output,
}

impl QueryDataIds {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let dimensions = self.dimensions(&butler).await?;
        let columns = data_id_columns(&dimensions);
        let Some(query) = constrained(&butler, &self.filter).await? else {
            note("There are no datasets of these types in the collections.");
            let nothing = stream::empty();
            return self.output.stream(columns, &[], nothing).await.map(drop);
        };
        let names = dimensions.names();
        let found = query.data_id_pages(names, &self.filter.query())?;
        let rows = found.map_ok(|page| page.iter().map(data_id_cells).collect());
        let sort_by = match self.filter.has_order() {
            true => Vec::new(),
            false => sort_keys(&dimensions),
        };
        let rows = rows.map_err(Failure::from);
        if self.output.stream(columns, &sort_by, rows).await? == 0 {
            note("No data IDs match.");
            let results = query.data_ids_of(names)?;
            let results = results.where_(self.filter.condition.as_str())?;
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
        if self.filter.datasets.is_empty() {
            return Err(Failure::Usage(
                "name some dimensions, or dataset types with --datasets".to_owned(),
            ));
        }
        let wildcard = DatasetTypeWildcard::from_expression(&self.filter.datasets)?;
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
                self.filter.datasets.join(", ")
            ))),
        }
    }
}
