//! `butler retrieve-artifacts`.

use butler_core::Error;
use butler_direct::datastores::RetrieveOptions;
use butler_direct::resource::ResourcePath;
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{DatasetTypes, Filter, Limit, Order, Repository};
use crate::output::{note, say};
use crate::progress::Bars;
use crate::select::Selection;
use crate::switch::switch;
use crate::transfer_mode::Transfer;

switch!(
    PreservePath,
    preserve_path / no_preserve_path,
    default on,
    "Leave out the directories that the files have in the datastore"
);

switch!(
    Clobber,
    clobber / no_clobber,
    default off,
    "Replace files that are there already"
);

switch!(
    Zip,
    zip / no_zip,
    default off,
    "Put the files into one zip file, which `butler ingest-zip` can take in"
);

/// Copies files out of a repository.
#[derive(Debug, Args)]
pub(crate) struct RetrieveArtifacts {
    #[command(flatten)]
    repository: Repository,

    /// The directory, or its address, that the files go to
    destination: String,

    #[command(flatten)]
    types: DatasetTypes,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    limit: Limit,

    #[command(flatten)]
    order: Order,

    #[command(flatten)]
    transfer: Transfer,

    /// List the files that were retrieved
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    preserve_path: PreservePath,

    #[command(flatten)]
    clobber: Clobber,

    #[command(flatten)]
    zip: Zip,
}

impl RetrieveArtifacts {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let butler = open::direct(&self.repository.repo).await?;
        let search = Selection::new(&self.types.dataset_type, &self.filter, self.limit.limit)
            .order_by(&self.order.order_by)
            .with_dimension_records();
        let datasets = search.run(&butler.reader()).await?;
        if datasets.is_empty() {
            note("No datasets match.");
            return Ok(());
        }
        let destination = ResourcePath::directory(&self.destination).map_err(Error::from)?;
        let overwrite = self.clobber.get();
        let exists = |error| match error {
            Error::FileExists(_) => Failure::from(error).hint("--clobber replaces files"),
            other => other.into(),
        };
        if self.zip.get() {
            let file = butler
                .retrieve_artifacts_zip(&datasets, &destination, overwrite, bars)
                .await
                .map_err(exists)?;
            return say(format!("Zip file written to {file}"));
        }
        let options = RetrieveOptions {
            mode: self.transfer.mode(),
            preserve_path: self.preserve_path.get(),
            overwrite,
            write_index: true,
            ..RetrieveOptions::default()
        };
        let files = butler
            .retrieve_artifacts(&datasets, &destination, options, bars)
            .await
            .map_err(exists)?;
        if self.verbose {
            for file in files.keys() {
                say(file.to_string())?;
            }
        }
        say(format!(
            "Number of artifacts retrieved into destination {}: {}",
            self.destination,
            files.len()
        ))
    }
}
