//! Whether the configuration suits what is in the repository.

use std::collections::BTreeSet;
use std::sync::Arc;

use butler_core::collections::DatasetTypeWildcard;
use butler_core::config::{LookupKey, LookupTarget};
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType, split_dataset_type_name};
use butler_core::datastore::Entity;
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::error::Result;
use butler_core::registry::Registry;
use indexmap::IndexSet;

use crate::butler::DirectButler;

/// The dimension whose values configurations may treat differently.
const INSTRUMENT: &str = "instrument";

impl DirectButler {
    /// Checks that the datastore's templates and formatters suit the dataset types (all if none are
    /// named, less those to `ignore`) for every instrument, and that every key in its configuration
    /// means a dataset type, a storage class or an instrument that exists. Returns what is wrong.
    ///
    /// Formatters are known by name only: whether their classes can be imported in Python is not
    /// checked.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`](butler_core::Error::MissingDatasetType) for a name that is not
    /// registered; any database error.
    pub async fn validate_configuration(
        &self,
        names: &[String],
        ignore: &[String],
    ) -> Result<Vec<String>> {
        let ignored = |name: &str| ignore.iter().any(|other| other == name);
        let everything = DatasetTypeWildcard::everything();
        let registered = self.registry().dataset_types(&everything).await?;
        let mut types = if names.is_empty() {
            registered.clone()
        } else {
            let mut types = Vec::with_capacity(names.len());
            for name in names {
                types.push(self.registry().dataset_type(name).await?);
            }
            types
        };
        types.retain(|t| !ignored(t.name()) && !ignored(split_dataset_type_name(t.name()).0));
        let instruments = self.instruments().await?;

        let examples = self.examples(&types, &instruments)?;
        let mut entities: Vec<Entity<'_>> = types.iter().map(|t| Entity::from(&**t)).collect();
        entities.extend(examples.iter().map(Entity::from));
        let mut faults = self.datastore().faults(&entities);

        let keys: IndexSet<LookupKey> = self.datastore().lookup_keys().into_iter().collect();
        for key in &keys {
            if let LookupTarget::Name(name) = key.target() {
                if ignored(name) || (!names.is_empty() && !names.iter().any(|n| **n == **name)) {
                    continue;
                }
                if !self.is_known(name, &registered) {
                    faults.push(format!(
                        "the key '{key}' is neither a dataset type nor a storage class"
                    ));
                }
            }
            faults.extend(data_id_fault(key, &instruments));
        }
        Ok(faults)
    }

    async fn instruments(&self) -> Result<BTreeSet<String>> {
        let Some(element) = self.universe().get(INSTRUMENT) else {
            return Ok(BTreeSet::new());
        };
        let records = self.registry().dimension_records(element).await?;
        let names = records
            .iter()
            .filter_map(|record| record.required_values().next());
        Ok(names.map(|name| name.to_string()).collect())
    }

    /// A dataset of each type for each instrument, with made-up values of the other dimensions.
    fn examples(
        &self,
        types: &[Arc<DatasetType>],
        instruments: &BTreeSet<String>,
    ) -> Result<Vec<DatasetRef>> {
        let mut examples = Vec::new();
        for dataset_type in types {
            let dimensions = dataset_type.dimensions();
            if !dimensions.contains(INSTRUMENT) {
                continue;
            }
            for instrument in instruments {
                let values = dimensions.names().iter().map(|&name| {
                    let value = match name {
                        INSTRUMENT => DataIdValue::from(instrument.as_str()),
                        _ => DataIdValue::from(1_i64),
                    };
                    (name, value)
                });
                let data_id =
                    DataCoordinate::standardize(self.universe(), values, Some(dimensions), None)?;
                examples.push(DatasetRef::generate(
                    Arc::clone(dataset_type),
                    data_id,
                    "validate",
                    DatasetIdMode::Unique,
                )?);
            }
        }
        Ok(examples)
    }

    /// Whether a name is that of a storage class, of a dataset type, or of a component of one.
    fn is_known(&self, name: &str, registered: &[Arc<DatasetType>]) -> bool {
        let classes = self.storage_classes();
        let (parent, component) = split_dataset_type_name(name);
        let mut types = registered.iter().filter(|t| **t.name() == *parent);
        classes.find(name).is_some()
            || types.any(|t| match component {
                None => true,
                Some(component) => t.make_component(component, classes).is_ok(),
            })
    }
}

/// What is wrong with the part of a key that is for some data IDs only.
fn data_id_fault(key: &LookupKey, instruments: &BTreeSet<String>) -> Option<String> {
    match key.data_id()? {
        (INSTRUMENT, value) if instruments.contains(value) => None,
        (INSTRUMENT, value) => Some(format!(
            "the key '{key}' is for the instrument '{value}', which does not exist"
        )),
        (dimension, _) => Some(format!(
            "the key '{key}' is for values of '{dimension}'; only those of '{INSTRUMENT}' can be \
             told apart"
        )),
    }
}
