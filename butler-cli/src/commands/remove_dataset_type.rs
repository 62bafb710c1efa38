//! `butler remove-dataset-type`.

use std::collections::BTreeSet;

use butler_core::collections::DatasetTypeWildcard;
use butler_core::registry::Registry;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::Repository;
use crate::output::say;

/// Removes dataset types.
#[derive(Debug, Args)]
pub(crate) struct RemoveDatasetType {
    #[command(flatten)]
    repository: Repository,

    /// Names and glob patterns of dataset types; those that do not exist are passed over
    #[arg(required = true)]
    dataset_type_name: Vec<String>,
}

impl RemoveDatasetType {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::writer(&self.repository.repo).await?;
        let wildcard = DatasetTypeWildcard::from_expression(&self.dataset_type_name)?;
        let types = butler.registry().dataset_types(&wildcard).await?;
        let names: BTreeSet<&str> = types.iter().map(|t| &**t.name()).collect();
        let mut transaction = butler.registry().begin().await?;
        for name in &names {
            transaction.remove_dataset_type(name).await?;
        }
        transaction.commit().await?;
        for name in wildcard.values().keys() {
            if !names.contains(name.as_str()) {
                tracing::warn!("dataset type '{name}' is not registered");
            }
        }
        say(format!("Number of dataset types removed: {}", names.len()))
    }
}
