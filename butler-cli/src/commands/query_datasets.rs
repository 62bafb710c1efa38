//! `butler query-datasets`.

use butler::Repository;
use butler_core::datasets::DatasetRef;
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{self, Filter, Limit, Order};
use crate::output::{DatasetRows, Output, Uris, dataset_tables, note};
use crate::select::Selection;

/// Lists datasets.
#[derive(Debug, Args)]
pub(crate) struct QueryDatasets {
    #[command(flatten)]
    repository: options::Repository,

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
        let repository = open::repository(&self.repository.repo).await?;
        let butler = repository.reader();
        let search = Selection::new(&self.glob, &self.filter, self.limit.limit)
            .order_by(&self.order.order_by);
        if !self.output.is_table() {
            return self.stream(&repository, &search).await;
        }
        let found = search.run(&butler).await?;
        if found.is_empty() {
            note("No datasets match.");
            return Ok(());
        }
        let uris = self.uris(&repository, &found).await?;
        let sort = self.order.order_by.is_empty();
        self.output
            .write(&dataset_tables(&found, uris.as_ref(), sort))
    }

    /// Writes rows for machines as they come. They have the columns of all the dataset types that
    /// may be among the results.
    async fn stream(&self, repository: &Repository, search: &Selection<'_>) -> Outcome {
        let butler = repository.reader();
        let types = search.dataset_types(&butler).await?;
        let dimensions = types.iter().map(|found| found.dimensions());
        let layout = &DatasetRows::new(butler.universe(), dimensions, self.show_uri);
        let found = search.pages(&butler).await?.map_err(Failure::from);
        let rows = found.and_then(|page| async move {
            let uris = self.uris(repository, &page).await?;
            Ok(layout.rows(&page, uris.as_ref()))
        });
        let written = self.output.stream(layout.columns(), &[], rows.boxed());
        written.await.map(drop)
    }

    /// Where the datasets are, if that is to be shown; directly also where they would be, which
    /// servers do not say.
    async fn uris(
        &self,
        repository: &Repository,
        datasets: &[DatasetRef],
    ) -> Outcome<Option<Uris>> {
        if !self.show_uri {
            return Ok(None);
        }
        let predict = repository.direct().is_some();
        let butler = repository.reader();
        Ok(Some(butler.datastore().uris(datasets, predict).await?))
    }
}
