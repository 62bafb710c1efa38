//! A repository to try things out with: a few nights of an imagined survey with LSSTCam, in the
//! collections of a repository for prompt data products (DMTN-330).
//!
//! Everything is computed, and the same every time, but for the identifiers of datasets. Pointings,
//! regions, headers and catalogues agree with each other; what is in the images is noise and a few
//! stars.

mod calibrations;
mod camera;
mod fits;
mod guide;
mod numbers;
mod outputs;
mod place;
mod plan;
mod records;
mod skymap;

pub(crate) use guide::{LABEL, guide};
pub(crate) use place::{default_directory, prepare};

use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use butler_core::error::Result;
use butler_core::progress::Progress;
use butler_core::registry::{InsertMode, RegistryWriter as _};
use butler_direct::DirectButler;
use butler_direct::datastores::PutData;
use butler_direct::ops::create::CreateOptions;

use plan::visits;

/// The instrument.
const INSTRUMENT: &str = "LSSTCam";

/// The run of raw images.
const RAWS: &str = "LSSTCam/raw/all";

/// Datasets and what is in their files.
type Stored = Vec<(DatasetRef, PutData)>;

/// Fills a directory that is empty, or not there yet, with the repository.
async fn fill(directory: &str, progress: &dyn Progress) -> Result<()> {
    let mut config = Config::new();
    let json = "lsst.daf.butler.formatters.json.JsonFormatter";
    config.set(
        &format!(".datastore.formatters.{}", outputs::VISIT_SUMMARY),
        json,
    )?;
    let options = CreateOptions {
        config,
        ..CreateOptions::default()
    };
    let butler = DirectButler::create(directory, options).await?;
    let visits = visits();
    for (element, records) in records::all(butler.universe(), &visits)? {
        let registry = butler.registry();
        let insert = registry.insert_dimension_records(element, &records, InsertMode::Insert);
        insert.await?;
    }
    calibrations::store(&butler, progress).await?;
    skymap::store_templates(&butler, progress).await?;
    outputs::store(&butler, &visits, progress).await?;
    chain(
        &butler,
        "Prompt/Calibs",
        &[calibrations::CHAIN, skymap::RUN],
    )
    .await?;
    let available = [RAWS, outputs::AVAILABLE, "Prompt/Calibs"];
    chain(&butler, "Prompt/Available", &available).await?;
    chain(
        &butler,
        "Prompt/All",
        &["Prompt/Available", outputs::EXPIRED],
    )
    .await?;
    butler.close().await;
    Ok(())
}

/// Makes a chain of collections.
async fn chain(butler: &DirectButler, name: &str, children: &[&str]) -> Result<()> {
    let registry = butler.registry();
    registry
        .register_collection(name, CollectionType::Chained, None)
        .await?;
    let children: Vec<String> = children.iter().map(|child| (*child).to_owned()).collect();
    registry.set_collection_chain(name, &children).await
}

/// Registers a dataset type.
async fn dataset_type(
    butler: &DirectButler,
    name: &str,
    dimensions: &[&str],
    storage_class: &str,
    is_calibration: bool,
) -> Result<Arc<DatasetType>> {
    let dimensions = butler.universe().conform(dimensions)?;
    let made = DatasetType::new(name, dimensions, storage_class, is_calibration)?;
    butler.registry().register_dataset_type(&made).await?;
    Ok(Arc::new(made))
}

/// A new dataset of a type in a run.
fn dataset<const N: usize>(
    dataset_type: &Arc<DatasetType>,
    data_id: [(&str, DataIdValue); N],
    run: &str,
) -> Result<DatasetRef> {
    let universe: DimensionUniverse = dataset_type.dimensions().universe();
    let dimensions = Some(dataset_type.dimensions());
    let data_id = DataCoordinate::standardize(universe, data_id, dimensions, None)?;
    DatasetRef::generate(
        Arc::clone(dataset_type),
        data_id,
        run,
        DatasetIdMode::Unique,
    )
}

/// Registers a run or another collection that has no children.
async fn collection(
    butler: &DirectButler,
    name: &str,
    kind: CollectionType,
    doc: &str,
) -> Result<()> {
    let registered = butler
        .registry()
        .register_collection(name, kind, Some(doc))
        .await;
    registered.map(drop)
}
