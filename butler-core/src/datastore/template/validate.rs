//! Whether a template suits a dataset type.

use std::collections::BTreeSet;

use super::FileTemplate;
use crate::datastore::Entity;
use crate::dimensions::DimensionGroup;
use crate::error::{Error, Result};

/// Fields of which one must be there, to make file names unique.
const MANDATORY: [&str; 2] = ["run", "id"];
/// Fields that do not depend on the dimensions.
const SPECIAL: [&str; 4] = ["run", "id", "datasetType", "component"];

/// The fields of a template that are either mandatory or optional.
#[derive(Debug, Default)]
struct Fields<'t> {
    /// Dimensions by themselves.
    standard: BTreeSet<&'t str>,
    /// Fields that do not depend on the dimensions.
    special: BTreeSet<&'t str>,
    /// Dimensions of which a record's field is wanted.
    parent: BTreeSet<&'t str>,
}

impl<'t> Fields<'t> {
    fn dimensions(&self) -> impl Iterator<Item = &'t str> {
        self.standard.iter().chain(&self.parent).copied()
    }

    fn all(&self) -> impl Iterator<Item = &'t str> {
        self.dimensions().chain(self.special.iter().copied())
    }
}

impl FileTemplate {
    /// The mandatory and the optional fields. With dimensions, only the first alternative that is
    /// one of them counts.
    fn grouped_fields(&self, dimensions: Option<&DimensionGroup>) -> (Fields<'_>, Fields<'_>) {
        let (mut mandatory, mut optional) = (Fields::default(), Fields::default());
        for field in self.parts.iter().filter_map(|part| part.field.as_ref()) {
            let target = if field.optional {
                &mut optional
            } else {
                &mut mandatory
            };
            let known = dimensions.and_then(|group| {
                field.names.iter().find(|name| {
                    group.contains(&name.primary) || SPECIAL.contains(&name.primary.as_str())
                })
            });
            let names = known.map_or(field.names.as_slice(), std::slice::from_ref);
            for name in names {
                if SPECIAL.contains(&name.full.as_str()) {
                    target.special.insert(&name.full);
                } else if name.secondary.is_some() {
                    target.parent.insert(&name.primary);
                } else {
                    target.standard.insert(&name.full);
                }
            }
        }
        (mandatory, optional)
    }

    /// Checks the template by itself, or with the dimensions it is used for.
    pub(super) fn validate_basics(&self, dimensions: Option<&DimensionGroup>) -> Result<()> {
        let refuse = |why: &str| {
            Err(Error::Validation(format!(
                "file template '{}' {why}",
                self.text
            )))
        };
        let (mandatory, optional) = self.grouped_fields(dimensions);
        let all: BTreeSet<&str> = mandatory.all().chain(optional.all()).collect();
        if all.contains("collection") {
            return refuse("uses the field 'collection', which is gone; use 'run'");
        }
        if !MANDATORY.iter().any(|field| all.contains(field)) {
            return refuse("must use at least one of the fields 'run' and 'id'");
        }
        let no_dimensions = mandatory
            .dimensions()
            .chain(optional.dimensions())
            .next()
            .is_none();
        if no_dimensions && !all.contains("id") {
            return refuse("uses no field of a dimension");
        }
        if self.text.contains("../") {
            return refuse("must not lead to a parent directory");
        }
        let file_name = self.text.rsplit('/').next().unwrap_or_default();
        if all.contains("id") && !file_name.contains("{id}") {
            return refuse("uses the field 'id', but not as '{id}' in the name of the file");
        }
        Ok(())
    }

    /// Checks that the template suits a dataset, dataset type or storage class: that it uses all
    /// dimensions that tell datasets apart and none that they do not have, and a component only
    /// where there is one.
    ///
    /// # Errors
    /// [`Error::Validation`] says what does not suit.
    pub fn validate<'a>(&self, entity: impl Into<Entity<'a>>) -> Result<()> {
        let entity = entity.into();
        let Some(dataset_type) = entity.dataset_type() else {
            return self.validate_basics(None);
        };
        let group = dataset_type.dimensions();
        self.validate_basics(Some(group))?;
        let refuse = |why: String| {
            Err(Error::Validation(format!(
                "file template '{}' does not suit {entity}: {why}",
                self.text
            )))
        };
        let (mandatory, optional) = self.grouped_fields(Some(group));
        if dataset_type.is_component() {
            if !mandatory
                .all()
                .chain(optional.all())
                .any(|name| name == "component")
            {
                return refuse("it has no field 'component', but this is a component".into());
            }
        } else if mandatory.all().any(|name| name == "component") {
            return refuse("its field 'component' is mandatory, but this is no component".into());
        }

        let mut required: BTreeSet<&str> = mandatory.dimensions().collect();
        let mut all: BTreeSet<&str> = mandatory
            .dimensions()
            .chain(optional.dimensions())
            .collect();
        let mut minimal: BTreeSet<&str> = group.required().iter().copied().collect();
        let mut maximal: BTreeSet<&str> = group.names().iter().copied().collect();
        // A single sky pixelization goes by the name `skypix`.
        if let [alias] = group.skypix() {
            for set in [&mut minimal, &mut maximal] {
                set.remove(alias);
                set.insert("skypix");
            }
            for set in [&mut required, &mut all] {
                if set.remove(alias) {
                    set.insert("skypix");
                }
            }
        }
        let foreign: Vec<_> = required.difference(&maximal).collect();
        if !foreign.is_empty() {
            return refuse(format!(
                "the fields {foreign:?} are not among its dimensions"
            ));
        }
        let missing: Vec<_> = minimal.difference(&all).collect();
        if !missing.is_empty() {
            return refuse(format!(
                "the dimensions {missing:?} are not among its fields"
            ));
        }
        Ok(())
    }
}
