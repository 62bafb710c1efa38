//! `butler register-dataset-type`.

use butler_core::datasets::{DatasetType, split_dataset_type_name};
use butler_core::registry::RegistryWriter;
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::say;
use crate::switch::switch;

switch!(
    IsCalibration,
    is_calibration / no_is_calibration,
    default off,
    "Datasets of this type can be in CALIBRATION collections"
);

/// Registers a dataset type.
#[derive(Debug, Args)]
pub(crate) struct RegisterDatasetType {
    #[command(flatten)]
    repository: Repository,

    /// The name of the dataset type
    dataset_type: String,

    /// The name of its storage class
    storage_class: String,

    /// Its dimensions
    dimensions: Vec<String>,

    #[command(flatten)]
    is_calibration: IsCalibration,
}

impl RegisterDatasetType {
    pub(crate) async fn run(self) -> Outcome {
        let name = &self.dataset_type;
        if let (parent, Some(_)) = split_dataset_type_name(name) {
            return Err(
                Failure::new(format!("'{name}' is a component")).hint(format!(
                    "components come with their composite; register '{parent}'"
                )),
            );
        }
        let butler = open::writer(&self.repository.repo).await?;
        let dimensions = butler.universe().conform(&self.dimensions)?;
        let dataset_type = DatasetType::new(
            name.as_str(),
            dimensions,
            self.storage_class.as_str(),
            self.is_calibration.get(),
        )?;
        let new = butler
            .registry()
            .register_dataset_type(&dataset_type)
            .await?;
        say(match new {
            true => "Dataset type successfully registered.",
            false => "Dataset type already existed in identical form.",
        })
    }
}
