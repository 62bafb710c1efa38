//! From configuration to datastore.

use std::sync::Arc;

use butler_core::config::{Config, Section};
use butler_core::datastore::Constraints;
use butler_core::error::{Error, Result};
use butler_core::registry::Registry;
use butler_core::yaml::Value;
use futures::future::BoxFuture;

use super::chained::{ChainedDatastore, Link};
use super::file::FileDatastore;
use super::memory::InMemoryDatastore;
use super::store::SharedDatastore;
use crate::config::ButlerConfig;
use crate::registry::SqlRegistry;
use crate::resource::Resources;

/// Opens the datastore of a repository, which may be a chain of several.
///
/// # Errors
/// [`Error::Configuration`] if its section is malformed or asks for an unknown class; see also
/// [`FileDatastore::open`].
pub async fn open_datastore(
    butler: &ButlerConfig,
    registry: &SqlRegistry,
    resources: &Resources,
) -> Result<SharedDatastore> {
    open(butler.datastore()?, butler, registry, resources).await
}

fn open<'a>(
    config: Config,
    butler: &'a ButlerConfig,
    registry: &'a SqlRegistry,
    resources: &'a Resources,
) -> BoxFuture<'a, Result<SharedDatastore>> {
    Box::pin(async move {
        let class = config.require_str("cls")?.to_owned();
        let datastore: SharedDatastore = match class.rsplit('.').next().unwrap_or(&class) {
            "FileDatastore" => {
                let (registry, resources) = (registry.clone(), resources.clone());
                Arc::new(FileDatastore::open(&config, butler, registry, resources).await?)
            }
            "InMemoryDatastore" => Arc::new(InMemoryDatastore::open(
                &config,
                registry.clone(),
                resources.clone(),
            )?),
            "ChainedDatastore" => {
                let links = links(&config, butler, registry, resources).await?;
                let constraints = config.subset("constraints")?;
                Arc::new(ChainedDatastore::new(
                    links,
                    Constraints::from_config(constraints.as_ref(), registry.universe())?,
                    resources.clone(),
                ))
            }
            _ => {
                return Err(Error::Configuration(format!(
                    "the datastore class '{class}' is not known; known are FileDatastore, \
                     InMemoryDatastore and ChainedDatastore"
                )));
            }
        };
        Ok(datastore)
    })
}

async fn links(
    config: &Config,
    butler: &ButlerConfig,
    registry: &SqlRegistry,
    resources: &Resources,
) -> Result<Vec<Link>> {
    let list = |key: &str| match config.get(key) {
        Some(Value::Seq(items)) => Ok(Some(items.clone())),
        None | Some(Value::Null) => Ok(None),
        Some(other) => Err(Error::Configuration(format!(
            "'{key}' of a chained datastore must be a list, but it is {}",
            other.kind()
        ))),
    };
    let members = list("datastores")?.ok_or_else(|| {
        Error::Configuration("a chained datastore needs a list of 'datastores'".to_owned())
    })?;
    let overrides = list("datastore_constraints")?;
    if let Some(overrides) = &overrides
        && overrides.len() != members.len()
    {
        return Err(Error::Validation(format!(
            "a chained datastore has {} datastores but {} 'datastore_constraints'; there must be \
             one for each",
            members.len(),
            overrides.len()
        )));
    }
    let mut links = Vec::with_capacity(members.len());
    for (index, member) in members.into_iter().enumerate() {
        let member = Config::try_from(member)?.component(Section::Datastore.component())?;
        let constraints = match &overrides {
            None => None,
            Some(overrides) => {
                let section = match &overrides[index] {
                    Value::Null => None,
                    other => Config::try_from(other.clone())?.subset("constraints")?,
                };
                Some(Constraints::from_config(
                    section.as_ref(),
                    registry.universe(),
                )?)
            }
        };
        links.push(Link {
            datastore: open(member, butler, registry, resources).await?,
            constraints,
        });
    }
    Ok(links)
}
