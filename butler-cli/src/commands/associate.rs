//! `butler associate`.

use butler_core::collections::CollectionType;
use clap::Args;

use crate::failure::Outcome;
use crate::open;
use crate::options::{DatasetTypes, Filter, Repository};
use crate::output::say;
use crate::select::Selection;

/// Adds datasets to a TAGGED collection.
#[derive(Debug, Args)]
pub(crate) struct Associate {
    #[command(flatten)]
    repository: Repository,

    /// The TAGGED collection; it is made if it does not exist
    collection: String,

    #[command(flatten)]
    types: DatasetTypes,

    #[command(flatten)]
    filter: Filter,

    /// The most datasets; 0 is no limit, a negative number is one that is warned of
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    limit: i64,
}

impl Associate {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::writer(&self.repository.repo).await?;
        let search = Selection::new(&self.types.dataset_type, &self.filter, self.limit);
        let datasets = search.run(&butler.reader()).await?;
        let mut transaction = butler.registry().begin().await?;
        transaction
            .register_collection(&self.collection, CollectionType::Tagged, None)
            .await?;
        transaction.associate(&self.collection, &datasets).await?;
        transaction.commit().await?;
        say(format!("Number of datasets associated: {}", datasets.len()))
    }
}
