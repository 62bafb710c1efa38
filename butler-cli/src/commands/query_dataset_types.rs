//! `butler query-dataset-types`.

use std::collections::BTreeSet;

use butler_core::collections::{CollectionWildcard, DatasetTypeWildcard};
use butler_core::registry::CollectionQuery;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::Repository;
use crate::output::{Cell, Column, Kind, Output, Rows, note};
use crate::select::or_everything;

/// Lists dataset types.
#[derive(Debug, Args)]
pub(crate) struct QueryDatasetTypes {
    #[command(flatten)]
    repository: Repository,

    /// Names and glob patterns of dataset types [default: all]
    #[arg(value_delimiter = ',')]
    glob: Vec<String>,

    /// Also show dimensions and storage classes
    #[arg(short, long)]
    verbose: bool,

    /// Only dataset types of which these collections hold, or once held, datasets
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    collections: Vec<String>,

    #[command(flatten)]
    output: Output,
}

impl QueryDatasetTypes {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let registry = butler.registry();
        let wildcard = DatasetTypeWildcard::from_expression(or_everything(&self.glob))?;
        let mut types = registry.dataset_types(&wildcard).await?;
        if !self.collections.is_empty() {
            let wildcard = CollectionWildcard::from_expression(&self.collections)?;
            let mut query = CollectionQuery::new(wildcard);
            query.with_dataset_types = true;
            let infos = registry.collections(&query).await?;
            let held: BTreeSet<&str> = infos
                .iter()
                .flat_map(|info| info.dataset_types.iter().flatten())
                .map(String::as_str)
                .collect();
            types.retain(|t| held.contains(&**t.name()));
        }
        let mut columns = vec![Column::new("name", Kind::Text)];
        if self.verbose {
            columns.push(Column::new("dimensions", Kind::List));
            columns.push(Column::new("storage_class", Kind::Text).titled("storage class"));
        }
        let mut rows = Rows::new(columns);
        for dataset_type in &types {
            let mut row = vec![Cell::text(&**dataset_type.name())];
            if self.verbose {
                let names = dataset_type.dimensions().names().iter();
                row.push(Cell::List(names.map(|&name| name.to_owned()).collect()));
                row.push(Cell::text(&**dataset_type.storage_class_name()));
            }
            rows.push(row);
        }
        rows.sort_by(&["name"]);
        if rows.is_empty() && self.output.is_table() {
            note("No dataset types match.");
            return Ok(());
        }
        self.output.write(&[rows])
    }
}
