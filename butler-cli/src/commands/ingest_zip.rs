//! `butler ingest-zip`.

use butler_core::Error;
use butler_direct::ops::ingest::IngestZipOptions;
use butler_direct::resource::ResourcePath;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::{DryRun, Repository};
use crate::output::say;
use crate::switch::switch;
use crate::transfer_mode::Transfer;

switch!(
    RegisterRecords,
    transfer_dimensions / no_transfer_dimensions,
    default off,
    "Insert the dimension records of the file that are missing"
);

/// Takes a zip file in.
#[derive(Debug, Args)]
pub(crate) struct IngestZip {
    #[command(flatten)]
    repository: Repository,

    /// The zip file, which retrieve-artifacts --zip has made
    zip: String,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    transfer_dimensions: RegisterRecords,

    #[command(flatten)]
    dry_run: DryRun,
}

impl IngestZip {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::writer(&self.repository.repo).await?;
        let archive = ResourcePath::new(&self.zip).map_err(Error::from)?;
        let options = IngestZipOptions {
            mode: Some(self.transfer.mode()),
            skip_existing: false,
            transfer_dimensions: self.transfer_dimensions.get(),
            dry_run: self.dry_run.get(),
        };
        let count = butler.ingest_zip(&archive, options).await?;
        say(format!("Number of datasets ingested: {count}"))
    }
}
