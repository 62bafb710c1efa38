//! `butler export-calibs`.

use std::collections::BTreeSet;

use butler_core::Error;
use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::datasets::DatasetRef;
use butler_core::registry::{CollectionQuery, Registry};
use butler_direct::resource::ResourcePath;
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::{DatasetTypes, Repository};
use crate::output::{Cell, Column, Kind, Rows, note, show};
use crate::select::{Selection, or_everything};
use crate::transfer_mode::Transfer;

/// The name of the export file, where `butler import` looks for it.
const EXPORT_FILE: &str = "export.yaml";

/// Exports the calibrations in CALIBRATION collections, with their validity ranges and the chains
/// of these collections.
#[derive(Debug, Args)]
pub(crate) struct ExportCalibs {
    #[command(flatten)]
    repository: Repository,

    /// The directory that the export file and the files go to; it must not exist
    directory: String,

    /// Names and glob patterns of CALIBRATION collections, and of chains with some in them
    /// [default: all]
    #[arg(value_delimiter = ',')]
    collections: Vec<String>,

    #[command(flatten)]
    types: DatasetTypes,

    #[command(flatten)]
    transfer: Transfer,
}

impl ExportCalibs {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::direct(&self.repository.repo).await?;
        let directory = ResourcePath::directory(&self.directory).map_err(Error::from)?;
        if directory.local_path().is_some_and(|path| path.exists()) {
            let message = format!("the directory {} exists already", self.directory);
            return Err(Failure::new(message).hint("name one that is to be made"));
        }
        let collections = self.collections(butler.registry()).await?;
        let calibrations: Vec<String> = collections
            .iter()
            .filter(|info| info.collection_type == CollectionType::Calibration)
            .map(|info| info.name.clone())
            .collect();
        let search = Selection::within(&self.types.dataset_type, &calibrations, "", false);
        let mut datasets = match calibrations.is_empty() {
            true => Vec::new(),
            false => search.maybe_nothing().run(&butler.reader()).await?,
        };
        datasets.sort_by(|a, b| {
            let types = a.dataset_type().name().cmp(b.dataset_type().name());
            types.then_with(|| a.data_id().cmp_values(b.data_id()))
        });
        let mut export = butler.export(self.transfer.of_export(&directory))?;
        for info in &collections {
            export.save_collection(&info.name).await?;
        }
        export.save_datasets(&datasets, None).await?;
        let file = directory.join(EXPORT_FILE).map_err(Error::from)?;
        export.write(&file, false).await?;
        match datasets.is_empty() {
            true => note("There are no calibrations in these collections."),
            false => show(&table(&datasets))?,
        }
        Ok(())
    }

    /// The CALIBRATION collections, and the chains on the way to them.
    async fn collections(&self, registry: &dyn Registry) -> Outcome<Vec<CollectionInfo>> {
        let wildcard = CollectionWildcard::from_expression(or_everything(&self.collections))?;
        let mut query = CollectionQuery::new(wildcard).flattened();
        query.include_chains = Some(true);
        query.types = vec![CollectionType::Calibration, CollectionType::Chained];
        Ok(registry.collections(&query).await?)
    }
}

/// What is exported: a column for each of the dimensions.
fn table(datasets: &[DatasetRef]) -> Rows {
    let names: BTreeSet<&str> = datasets
        .iter()
        .flat_map(|dataset| dataset.data_id().dimensions().names().iter().copied())
        .collect();
    let mut columns = vec![
        Column::new("calibrationType", Kind::Text),
        Column::new("run", Kind::Text),
    ];
    columns.extend(names.iter().map(|&name| Column::new(name, Kind::Text)));
    let mut rows = Rows::new(columns);
    for dataset in datasets {
        let mut row = vec![
            Cell::text(&**dataset.dataset_type().name()),
            Cell::text(&**dataset.run()),
        ];
        let values = names.iter().map(|name| dataset.data_id().get(name));
        row.extend(values.map(|value| value.map_or(Cell::Null, Cell::from)));
        rows.push(row);
    }
    rows
}
