//! Which datasets a datastore takes.

use super::Entity;
use crate::config::{Config, LookupKey, LookupSet};
use crate::dimensions::DimensionUniverse;
use crate::error::{Error, Result};
use crate::yaml::Value;

/// The name that stands for everything.
const ALL: &str = "all";

/// Which dataset types, storage classes and dimensions a datastore accepts and rejects.
///
/// An explicit acceptance wins over an explicit rejection, which wins over a rejection of `all`;
/// what is not mentioned is accepted unless only some things are.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    accept: LookupSet,
    reject: LookupSet,
}

impl Constraints {
    /// Constraints that accept everything.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the `constraints` section of a datastore: lists under `accept` and `reject`.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a list is malformed, [`Error::Validation`] if `all` is both
    /// accepted and rejected.
    pub fn from_config(config: Option<&Config>, universe: DimensionUniverse) -> Result<Self> {
        let Some(config) = config else {
            return Ok(Self::none());
        };
        let read =
            |key: &str| LookupSet::from_config(config.get(key).unwrap_or(&Value::Null), universe);
        let constraints = Self {
            accept: read("accept")?,
            reject: read("reject")?,
        };
        let all = LookupKey::name(ALL);
        if constraints.accept.contains(&all) && constraints.reject.contains(&all) {
            return Err(Error::Validation(
                "datastore constraints both accept and reject 'all'; keep one of them".into(),
            ));
        }
        Ok(constraints)
    }

    /// Whether a dataset is accepted.
    pub fn is_acceptable<'a>(&self, entity: impl Into<Entity<'a>>) -> bool {
        if self.accept.is_empty() && self.reject.is_empty() {
            return true;
        }
        let keys = entity.into().lookup_keys();
        if self.accept.contains_any(&keys) {
            return true;
        }
        if self.reject.contains_any(&keys) {
            return false;
        }
        let everything: Vec<_> = keys.into_iter().map(|key| key.with_name(ALL)).collect();
        if self.reject.contains_any(&everything) {
            return false;
        }
        self.accept.is_empty() || self.accept.contains_any(&everything)
    }

    /// All keys but the one for everything, in no particular order.
    pub fn lookup_keys(&self) -> impl Iterator<Item = &LookupKey> {
        let keys = self.accept.iter().chain(self.reject.iter());
        keys.filter(|key| !key.is_name(ALL))
    }
}
