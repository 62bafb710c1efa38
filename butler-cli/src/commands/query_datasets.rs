//! `butler query-datasets`.

use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::{Filter, Limit, Order, Repository};
use crate::output::{Output, dataset_tables, note};
use crate::select::Selection;

/// Lists datasets.
#[derive(Debug, Args)]
pub(crate) struct QueryDatasets {
    #[command(flatten)]
    repository: Repository,

    /// Names and glob patterns of dataset types [default: all]
    #[arg(value_delimiter = ',')]
    glob: Vec<String>,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    limit: Limit,

    #[command(flatten)]
    order: Order,

    /// Also show where each dataset is
    #[arg(long)]
    show_uri: bool,

    #[command(flatten)]
    output: Output,
}

impl QueryDatasets {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let search = Selection::new(&self.glob, &self.filter, self.limit.limit)
            .order_by(&self.order.order_by);
        let found = search.run(&butler).await?;
        let uris = match self.show_uri {
            true => Some(butler.datastore().uris(&found, true).await?),
            false => None,
        };
        let sort = self.order.order_by.is_empty();
        let tables = dataset_tables(&found, uris.as_ref(), sort);
        if tables.is_empty() && self.output.is_table() {
            note("No datasets match.");
            return Ok(());
        }
        self.output.write(&tables)
    }
}
