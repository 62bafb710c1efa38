//! `butler query-dimension-records`.

use std::sync::Arc;

use butler_core::dimensions::DimensionRecord;
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{Repository, RowFilter};
use crate::output::{Output, note, record_cells, record_columns};
use crate::select::constrained;

/// Lists dimension records.
#[derive(Debug, Args)]
pub(crate) struct QueryDimensionRecords {
    #[command(flatten)]
    repository: Repository,

    /// The dimension or other element that the records are of
    element: String,

    #[command(flatten)]
    filter: RowFilter,

    #[command(flatten)]
    output: Output,
}

impl QueryDimensionRecords {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let element = butler.universe().element(&self.element)?;
        let found = match constrained(&butler, &self.filter).await? {
            Some(query) => query.dimension_record_pages(&self.element, &self.filter.query())?,
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
        let sort_by: Vec<&str> = match self.filter.has_order() {
            true => Vec::new(),
            false => keys.iter().map(String::as_str).collect(),
        };
        let rows = found.map_ok(cells).map_err(Failure::from);
        if self.output.stream(columns, &sort_by, rows).await? == 0 && for_people {
            note("No dimension records match.");
        }
        Ok(())
    }
}
