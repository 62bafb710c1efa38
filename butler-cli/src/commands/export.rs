//! `butler export`.

use butler_core::Error;
use butler_direct::ops::export::ExportFiles;
use butler_direct::resource::ResourcePath;
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{DatasetTypes, Filter, Limit, Repository};
use crate::output::say;
use crate::select::Selection;
use crate::transfer_mode::Transfer;

/// Exports datasets, with the dimension records, dataset types and runs that they need.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    repository: Repository,

    /// The directory that the export file and the files of the datasets go to
    directory: String,

    #[command(flatten)]
    types: DatasetTypes,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    limit: Limit,

    /// Also export these collections: TAGGED and CALIBRATION ones with the exported datasets in
    /// them, chains with their definition
    #[arg(long, value_name = "COLLECTION", value_delimiter = ',')]
    save_collections: Vec<String>,

    #[command(flatten)]
    transfer: Transfer,

    /// Export what the registry knows, but no files
    #[arg(long)]
    no_files: bool,

    /// The name of the export file
    #[arg(long, value_name = "FILE", default_value = "export.yaml")]
    export_file: String,

    /// Replace an export file that is there
    #[arg(long)]
    clobber: bool,
}

impl Export {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::direct(&self.repository.repo).await?;
        let directory = ResourcePath::directory(&self.directory).map_err(Error::from)?;
        let files = match self.no_files {
            true => ExportFiles::None,
            false => self.transfer.of_export(&directory),
        };
        let mut export = butler.export(files)?;
        let search = Selection::new(&self.types.dataset_type, &self.filter, self.limit.limit);
        let datasets = search.run(&butler.reader()).await?;
        export.save_datasets(&datasets, None).await?;
        for name in &self.save_collections {
            export.save_collection(name).await?;
        }
        let file = directory.join(&self.export_file).map_err(Error::from)?;
        let written = export.write(&file, self.clobber).await;
        written.map_err(|error| match error {
            Error::FileExists(_) => Failure::from(error).hint("--clobber replaces the export file"),
            other => other.into(),
        })?;
        say(format!(
            "Number of datasets exported to {file}: {}",
            datasets.len()
        ))
    }
}
