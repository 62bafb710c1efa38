//! `butler retrieve-artifacts`.

use butler::{DatasetRef, Error, Repository};
use butler_client::RemoteButler;
use butler_direct::DirectButler;
use butler_direct::datastores::RetrieveOptions;
use butler_direct::resource::{ResourcePath, TransferMode};
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{self, DatasetTypes, Filter, Limit, Order};
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
    repository: options::Repository,

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
        let repository = open::repository(&self.repository.repo).await?;
        let search = Selection::new(&self.types.dataset_type, &self.filter, self.limit.limit)
            .order_by(&self.order.order_by)
            .with_dimension_records();
        let datasets = search.run(&repository.reader()).await?;
        if datasets.is_empty() {
            note("No datasets match.");
            return Ok(());
        }
        let files = match &repository {
            Repository::Direct(butler) => self.retrieve(butler, &datasets, bars).await,
            Repository::Remote(butler) => self.download(butler, &datasets, bars).await,
        };
        let files = files.map_err(|error| match error {
            Error::FileExists(_) => Failure::from(error).hint("--clobber replaces files"),
            other => other.into(),
        })?;
        if self.zip.get() {
            return say(format!("Zip file written to {}", files.join(", ")));
        }
        if self.verbose {
            files.iter().try_for_each(say)?;
        }
        say(format!(
            "Number of artifacts retrieved into destination {}: {}",
            self.destination,
            files.len()
        ))
    }

    /// Brings files over from where they are; returns where they are now.
    async fn retrieve(
        &self,
        butler: &DirectButler,
        datasets: &[DatasetRef],
        bars: &Bars,
    ) -> butler::Result<Vec<String>> {
        let destination = ResourcePath::directory(&self.destination)?;
        let overwrite = self.clobber.get();
        if self.zip.get() {
            let file = butler
                .retrieve_artifacts_zip(datasets, &destination, overwrite, bars)
                .await?;
            return Ok(vec![file.to_string()]);
        }
        let options = RetrieveOptions {
            mode: self.transfer.mode(),
            preserve_path: self.preserve_path.get(),
            overwrite,
            write_index: true,
            ..RetrieveOptions::default()
        };
        let files = butler
            .retrieve_artifacts(datasets, &destination, options, bars)
            .await?;
        Ok(files.keys().map(ToString::to_string).collect())
    }

    /// Downloads files from a server; returns where they are now.
    async fn download(
        &self,
        butler: &RemoteButler,
        datasets: &[DatasetRef],
        bars: &Bars,
    ) -> butler::Result<Vec<String>> {
        let destination = ResourcePath::directory(&self.destination)?;
        let destination = destination.local_path().ok_or_else(|| {
            Error::InvalidArgument(format!(
                "files come from a server to local directories only, not to {destination}"
            ))
        })?;
        let mode = self.transfer.mode();
        if self.zip.get() || !matches!(mode, TransferMode::Auto | TransferMode::Copy) {
            return Err(Error::InvalidArgument(
                "files come from a server as they are, by download: --zip and other modes of \
                 transfer than copy are not to be had"
                    .to_owned(),
            ));
        }
        let options = butler_client::RetrieveOptions {
            preserve_path: self.preserve_path.get(),
            overwrite: self.clobber.get(),
            write_index: true,
            ..butler_client::RetrieveOptions::default()
        };
        let files = butler
            .retrieve_artifacts(datasets, &destination, options, bars)
            .await?;
        Ok(files
            .keys()
            .map(|file| file.display().to_string())
            .collect())
    }
}
