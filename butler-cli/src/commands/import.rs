//! `butler import`.

use butler_core::Error;
use butler_direct::ops::import::ImportOptions;
use butler_direct::resource::ResourcePath;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::{Repository, TrackFileAttributes};
use crate::output::say;
use crate::progress::Bars;
use crate::transfer_mode::Transfer;

/// Imports an export.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    repository: Repository,

    /// The directory that the paths of files in the export count from
    directory: String,

    #[command(flatten)]
    transfer: Transfer,

    /// The export file, looked for in the directory, then in the working directory
    #[arg(long, value_name = "FILE", default_value = "export.yaml")]
    export_file: String,

    /// Dimensions and other elements whose records are passed over, separated by commas
    #[arg(short, long, value_name = "ELEMENT", value_delimiter = ',')]
    skip_dimensions: Vec<String>,

    #[command(flatten)]
    track_file_attributes: TrackFileAttributes,
}

impl Import {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let butler = open::writer(&self.repository.repo).await?;
        let directory = ResourcePath::directory(&self.directory).map_err(Error::from)?;
        let options = ImportOptions {
            directory: Some(directory),
            transfer: Some(self.transfer.mode()),
            skip_dimensions: self.skip_dimensions.into_iter().collect(),
            record_validation: self.track_file_attributes.get(),
            without_datastore: false,
        };
        let report = butler
            .import_file(&self.export_file, &options, bars)
            .await?;
        say(format!("Number of datasets imported: {}", report.datasets))
    }
}
