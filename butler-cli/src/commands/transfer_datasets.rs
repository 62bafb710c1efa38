//! `butler transfer-datasets`.

use butler_core::datasets::DatasetRef;
use butler_core::transfer::TransferSource;
use butler_direct::ops::transfer::TransferOptions;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::{DatasetTypes, DryRun, Filter, Limit, Order, TransferDimensions};
use crate::output::say;
use crate::progress::Bars;
use crate::select::Selection;
use crate::transfer_mode::Transfer;

/// Brings datasets from one repository to another.
#[derive(Debug, Args)]
pub(crate) struct TransferDatasets {
    /// The repository that the datasets are in
    source: String,

    /// The repository that they go to
    dest: String,

    #[command(flatten)]
    types: DatasetTypes,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    limit: Limit,

    #[command(flatten)]
    order: Order,

    #[command(flatten)]
    how: How,
}

/// How datasets are transferred.
#[derive(Debug, Args)]
pub(super) struct How {
    #[command(flatten)]
    transfer: Transfer,

    /// Register dataset types that the destination does not have
    #[arg(long)]
    register_dataset_types: bool,

    #[command(flatten)]
    transfer_dimensions: TransferDimensions,

    #[command(flatten)]
    dry_run: DryRun,
}

impl How {
    /// Transfers datasets, and says how many.
    pub(super) async fn transfer(
        &self,
        source: &dyn TransferSource,
        destination: &str,
        datasets: &[DatasetRef],
        bars: &Bars,
    ) -> Outcome {
        let destination = if self.dry_run.get() {
            open::direct(destination).await?
        } else {
            open::writer(destination).await?
        };
        let options = TransferOptions {
            mode: self.transfer.mode(),
            skip_missing: true,
            register_dataset_types: self.register_dataset_types,
            transfer_dimensions: self.transfer_dimensions.get(),
            dry_run: self.dry_run.get(),
        };
        let transferred = destination
            .transfer_from(source, datasets, options, bars)
            .await?;
        say(format!(
            "Number of datasets transferred: {}",
            transferred.len()
        ))
    }
}

impl TransferDatasets {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let source = open::repository(&self.source).await?;
        let search = Selection::new(&self.types.dataset_type, &self.filter, self.limit.limit)
            .order_by(&self.order.order_by)
            .with_dimension_records();
        let datasets = search.run(&source.reader()).await?;
        self.how
            .transfer(source.source(), &self.dest, &datasets, bars)
            .await
    }
}
