//! Which collections are searched, where outputs go, and which governor dimensions need no value.

use std::collections::{BTreeMap, BTreeSet};

use crate::dimensions::{DataCoordinate, DataIdValue, DimensionGroup, DimensionUniverse};
use crate::error::{Error, Result};
use crate::registry::Registry;

/// What a caller says about defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultsOptions {
    /// Collections to search, in order; if unset, the run alone.
    pub collections: Option<Vec<String>>,
    /// The RUN collection that new datasets go into.
    pub run: Option<String>,
    /// Whether a governor dimension that has one value only in all the collections gets that value
    /// by default.
    pub infer: bool,
    /// Values of governor dimensions.
    pub data_id: BTreeMap<String, DataIdValue>,
}

impl Default for DefaultsOptions {
    fn default() -> Self {
        Self {
            collections: None,
            run: None,
            infer: true,
            data_id: BTreeMap::new(),
        }
    }
}

/// Defaults that have been checked against a repository.
#[derive(Debug, Clone, PartialEq)]
pub struct ButlerDefaults {
    collections: Vec<String>,
    run: Option<String>,
    data_id: DataCoordinate,
}

impl ButlerDefaults {
    /// No defaults at all.
    #[must_use]
    pub fn none(universe: DimensionUniverse) -> Self {
        Self {
            collections: Vec::new(),
            run: None,
            data_id: DataCoordinate::empty(universe),
        }
    }

    /// Checks what the caller gave, and infers the rest. Collections that do not exist (yet) are
    /// allowed; nothing is inferred from them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a default value is given for a dimension that is no
    /// governor; [`Error::DataIdValue`] if there is no such governor value.
    pub async fn resolve(registry: &dyn Registry, options: DefaultsOptions) -> Result<Self> {
        let universe = registry.universe();
        let collections = options
            .collections
            .unwrap_or_else(|| options.run.iter().cloned().collect());
        let governors: BTreeSet<&str> = universe
            .governor_dimensions()
            .map(|element| element.name())
            .collect();
        if let Some(other) = options
            .data_id
            .keys()
            .find(|name| !governors.contains(name.as_str()))
        {
            return Err(Error::InvalidArgument(format!(
                "a default data ID may have governor dimensions only ({}), not '{other}'",
                governors.into_iter().collect::<Vec<_>>().join(", ")
            )));
        }
        let mut values = options.data_id;
        if options.infer && values.len() < governors.len() {
            let mut present: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for collection in &collections {
                match registry.collection_summary(collection).await {
                    Ok(summary) => {
                        for (governor, found) in summary.governors {
                            present.entry(governor).or_default().extend(found);
                        }
                    }
                    Err(Error::MissingCollection(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            for (governor, found) in present {
                if let (1, Some(value)) = (found.len(), found.into_iter().next()) {
                    values.entry(governor).or_insert_with(|| value.into());
                }
            }
        }
        let data_id = DataCoordinate::standardize(universe, values, None, None)?;
        let data_id = registry
            .expand_data_ids(std::slice::from_ref(&data_id))
            .await?
            .pop()
            .unwrap_or(data_id);
        Ok(Self {
            collections,
            run: options.run,
            data_id,
        })
    }

    /// No collections, and these values of governor dimensions, which are not checked: those that a
    /// request brings along.
    #[must_use]
    pub fn of_data_id(data_id: DataCoordinate) -> Self {
        Self {
            collections: Vec::new(),
            run: None,
            data_id,
        }
    }

    /// The collections that are searched, in order.
    pub fn collections(&self) -> &[String] {
        &self.collections
    }

    /// The RUN collection that new datasets go into.
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// The values of governor dimensions, with their records.
    pub fn data_id(&self) -> &DataCoordinate {
        &self.data_id
    }

    /// The collections that the caller asks for, or else those searched by default.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are neither.
    pub fn search<'a>(&'a self, collections: Option<&'a [String]>) -> Result<&'a [String]> {
        let found = collections.unwrap_or(&self.collections);
        if found.is_empty() {
            return Err(Error::InvalidArgument(
                "no collections to search: name them, or open the repository with default \
                 collections"
                    .to_owned(),
            ));
        }
        Ok(found)
    }

    /// The run that the caller asks for, or else the default one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is neither.
    pub fn output<'a>(&'a self, run: Option<&'a str>) -> Result<&'a str> {
        run.or(self.run.as_deref()).ok_or_else(|| {
            Error::InvalidArgument(
                "no run to put datasets into: name one, or open the repository with a default run"
                    .to_owned(),
            )
        })
    }

    /// Makes a data ID of keys and values for a dataset type's dimensions; defaults fill in.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if a key is no dimension at all or a value is missing;
    /// [`Error::DimensionValue`] if a value is of the wrong type.
    pub fn data_id_for<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        dimensions: &DimensionGroup,
        data_id: impl IntoIterator<Item = (N, V)>,
    ) -> Result<DataCoordinate> {
        let universe = dimensions.universe();
        let given: Vec<(N, V)> = data_id.into_iter().collect();
        for (name, _) in &given {
            universe.dimension(name.as_ref())?;
        }
        DataCoordinate::standardize(universe, given, Some(dimensions), Some(&self.data_id))
    }
}
