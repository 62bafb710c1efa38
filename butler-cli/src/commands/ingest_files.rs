//! `butler ingest-files`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use butler_core::Error;
use butler_core::datasets::{DatasetIdMode, DatasetRef, FileDataset};
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::registry::Registry;
use butler_direct::datastores::IngestOptions;
use butler_direct::resource::ResourcePath;
use clap::{Args, ValueEnum};
use indexmap::IndexMap;

use super::data_id::{KeyValue, key_value};
use crate::failure::{Failure, Outcome};
use crate::ingest_table::IngestTable;
use crate::open;
use crate::options::{Repository, TrackFileAttributes};
use crate::output::say;
use crate::progress::Bars;
use crate::transfer_mode::Transfer;

/// Takes files in.
///
/// The first column of the table has the paths or addresses of the files, the others, named after
/// dimensions, the data IDs. A file may come in several rows. Dimension records must be there
/// already.
#[derive(Debug, Args)]
pub(crate) struct IngestFiles {
    #[command(flatten)]
    repository: Repository,

    /// The dataset type of the files, which must be registered
    dataset_type: String,

    /// The run that the datasets go into
    run: String,

    /// The table: CSV, ECSV or Parquet, by the end of its name; else text with columns separated
    /// by blanks
    table_file: PathBuf,

    /// The full name of the Python class that reads the files [default: as configured]
    #[arg(long, value_name = "CLASS")]
    formatter: Option<String>,

    /// How identifiers are made: at random, or from data ID and dataset type, or with the run too
    #[arg(long, value_name = "MODE", value_enum, ignore_case = true, default_value_t = IdMode::Unique)]
    id_generation_mode: IdMode,

    /// What all the data IDs have in common, separated by commas; it wins over the table
    #[arg(long, value_name = "DIMENSION=VALUE", value_delimiter = ',', value_parser = key_value)]
    data_id: Vec<KeyValue>,

    /// The directory that relative paths count from [default: the working directory]
    #[arg(long, value_name = "DIRECTORY")]
    prefix: Option<String>,

    #[command(flatten)]
    track_file_attributes: TrackFileAttributes,

    #[command(flatten)]
    transfer: Transfer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum IdMode {
    Unique,
    #[value(name = "DATAID_TYPE")]
    DataIdType,
    #[value(name = "DATAID_TYPE_RUN")]
    DataIdTypeRun,
}

impl From<IdMode> for DatasetIdMode {
    fn from(mode: IdMode) -> Self {
        match mode {
            IdMode::Unique => Self::Unique,
            IdMode::DataIdType => Self::DataIdType,
            IdMode::DataIdTypeRun => Self::DataIdTypeRun,
        }
    }
}

impl IngestFiles {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let table = IngestTable::read(&self.table_file)?;
        let butler = open::writer(&self.repository.repo).await?;
        let universe = butler.universe();
        for (name, _) in &self.data_id {
            universe.dimension(name)?;
        }
        let dataset_type = butler.registry().dataset_type(&self.dataset_type).await?;
        let mut parse = ResourcePath::options();
        if let Some(prefix) = &self.prefix {
            parse = parse.root(ResourcePath::directory(prefix).map_err(Error::from)?);
        }
        let mut files: IndexMap<String, Vec<DatasetRef>> = IndexMap::new();
        for row in table.rows {
            let mut data_id: BTreeMap<&str, DataIdValue> = BTreeMap::new();
            data_id.extend(table.dimensions.iter().map(String::as_str).zip(row.data_id));
            let common = self.data_id.iter();
            data_id.extend(common.map(|(name, value)| (name.as_str(), value.as_str().into())));
            let dimensions = Some(dataset_type.dimensions());
            let data_id = DataCoordinate::standardize(universe, data_id, dimensions, None)?;
            let dataset = DatasetRef::generate(
                Arc::clone(&dataset_type),
                data_id,
                self.run.as_str(),
                self.id_generation_mode.into(),
            )?;
            let path = parse.parse(&row.file).map_err(Error::from)?;
            files.entry(path.to_string()).or_default().push(dataset);
        }
        if files.is_empty() {
            return Err(Failure::new(format!(
                "{} lists no files",
                self.table_file.display()
            )));
        }
        let count = files.len();
        let formatter = self.formatter.as_deref().map(Arc::from);
        let files = files.into_iter().map(|(path, refs)| FileDataset {
            path,
            refs,
            formatter: formatter.clone(),
        });
        let options = IngestOptions {
            mode: Some(self.transfer.mode()),
            record_validation_info: self.track_file_attributes.get(),
        };
        let datasets = butler.ingest(files.collect(), options, false, bars).await?;
        say(format!(
            "Number of datasets ingested from {count} files: {datasets}"
        ))
    }
}
