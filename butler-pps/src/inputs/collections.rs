//! Datasets of collections of the embargo repository.

use butler_core::collections::{CollectionWildcard, DatasetTypeWildcard};
use butler_core::error::Result;
use butler_core::registry::{CollectionQuery, Registry as _};
use uuid::Uuid;

use super::{Registered, Registrar};
use crate::state::{Origin, RepositoryName};

impl Registrar {
    /// Registers all datasets of collections (names or globs; chains are followed) of the embargo
    /// repository; with `dataset_types` (names or globs), none but theirs.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](butler_core::Error::MissingCollection) for an unknown name;
    /// others as for [`register`](Self::register).
    pub async fn register_collections(
        &self,
        collections: &[String],
        dataset_types: &[String],
        origin: Origin,
    ) -> Result<Registered> {
        let embargo = self.repositories().get(RepositoryName::Embargo).await?;
        let wildcard = CollectionWildcard::from_expression(collections)?;
        let query = CollectionQuery::new(wildcard).flattened();
        let found = embargo.registry().collections(&query).await?;
        let names: Vec<String> = found.into_iter().map(|info| info.name).collect();
        let all = ["*".to_owned()];
        let wanted = if dataset_types.is_empty() {
            &all[..]
        } else {
            dataset_types
        };
        let wildcard = DatasetTypeWildcard::from_expression(wanted)?;
        let mut total = Registered::default();
        for dataset_type in embargo.registry().dataset_types(&wildcard).await? {
            let members = embargo
                .registry()
                .associations(dataset_type.name(), &names)
                .await?;
            let ids: Vec<Uuid> = members.iter().map(|member| member.dataset.id()).collect();
            total.add(self.register(&ids, origin).await?);
        }
        Ok(total)
    }
}
