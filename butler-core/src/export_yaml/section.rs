//! The sections of an export file as they stand there.

use indexmap::IndexMap;
use uuid::Uuid;

use super::scalar::{dataset_id, optional_time, timespan};
use crate::collections::CollectionType;
use crate::dimensions::DataIdValue;
use crate::error::{Error, Result};
use crate::timespan::Timespan;
use crate::yaml::{Map, Value};

/// A dimension record as it stands in a file, field by field.
pub type RawRecord = Map;

/// Datasets in one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DatasetFile {
    /// The identifiers.
    pub dataset_ids: Vec<Uuid>,
    /// The data IDs, in the order of the identifiers.
    pub data_ids: Vec<IndexMap<String, DataIdValue>>,
    /// The path, relative to the directory of the export; none in files that hold no datastore.
    pub path: Option<String>,
    /// The full name of the class that reads the file.
    pub formatter: Option<String>,
}

/// Which datasets a collection holds beside those of runs.
#[derive(Debug, Clone, PartialEq)]
pub enum AssociationData {
    /// Members of a TAGGED collection.
    Tagged(Vec<Uuid>),
    /// Members of a CALIBRATION collection by the timespan that they are valid for.
    Calibration(Vec<(Timespan, Vec<Uuid>)>),
}

/// One entry of the `data` list.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportSection {
    /// Records of one dimension element.
    Dimension {
        /// The element's name.
        element: String,
        /// The records.
        records: Vec<RawRecord>,
    },
    /// A collection.
    Collection {
        /// The name.
        name: String,
        /// The type.
        collection_type: CollectionType,
        /// The documentation.
        doc: Option<String>,
        /// The host that a run was made on.
        host: Option<String>,
        /// The time at which a run was made.
        timespan: Timespan,
        /// The members of a chain.
        children: Vec<String>,
    },
    /// A dataset type.
    DatasetType {
        /// The name.
        name: String,
        /// Its dimensions.
        dimensions: Vec<String>,
        /// The name of its storage class.
        storage_class: String,
        /// Whether its datasets may be in CALIBRATION collections.
        is_calibration: bool,
    },
    /// Datasets of one type in one run.
    Datasets {
        /// The name of the dataset type.
        dataset_type: String,
        /// The RUN collection.
        run: String,
        /// The files with their datasets.
        files: Vec<DatasetFile>,
    },
    /// What a TAGGED or CALIBRATION collection holds.
    Associations {
        /// The name of the collection.
        collection: String,
        /// The members.
        members: AssociationData,
    },
}

/// A section whose fields are read but not yet understood; the bulk of it is already.
#[derive(Debug, Default)]
pub(super) struct RawSection {
    pub(super) fields: Map,
    pub(super) files: Vec<DatasetFile>,
    pub(super) records: Vec<RawRecord>,
}

impl RawSection {
    /// The section's type, if it has been read.
    pub(super) fn kind(&self) -> Option<&str> {
        self.fields.get("type").and_then(Value::as_str)
    }

    fn text(&self, key: &str) -> Result<String> {
        match self.fields.get(key) {
            Some(Value::Str(text)) => Ok(text.clone()),
            other => Err(self.wrong(key, "a string", other)),
        }
    }

    fn optional_text(&self, key: &str) -> Result<Option<String>> {
        match self.fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text.clone())),
            other => Err(self.wrong(key, "a string", other)),
        }
    }

    fn list(&self, key: &str) -> Result<&[Value]> {
        match self.fields.get(key) {
            Some(Value::Seq(items)) => Ok(items),
            other => Err(self.wrong(key, "a list", other)),
        }
    }

    fn wrong(&self, key: &str, expected: &str, found: Option<&Value>) -> Error {
        let found = found.map_or("missing", Value::kind);
        Error::corrupt(
            "export file",
            format!(
                "field '{key}' of a section of type {:?} must be {expected}, but it is {found}",
                self.kind().unwrap_or_default()
            ),
        )
    }

    /// Understands the section.
    pub(super) fn finish(self) -> Result<ExportSection> {
        match self.kind() {
            Some("dimension") => Ok(ExportSection::Dimension {
                element: self.text("element")?,
                records: self.records,
            }),
            Some("collection") => self.collection(),
            // Runs had a type of their own before collections were exported.
            Some("run") => Ok(ExportSection::Collection {
                name: self.text("name")?,
                collection_type: CollectionType::Run,
                doc: None,
                host: None,
                timespan: Timespan::UNBOUNDED,
                children: Vec::new(),
            }),
            Some("dataset_type") => Ok(ExportSection::DatasetType {
                name: self.text("name")?,
                dimensions: self
                    .list("dimensions")?
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect::<Option<_>>()
                    .ok_or_else(|| self.wrong("dimensions", "a list of names", None))?,
                storage_class: self.text("storage_class")?,
                is_calibration: match self.fields.get("is_calibration") {
                    None => false,
                    Some(Value::Bool(flag)) => *flag,
                    other => return Err(self.wrong("is_calibration", "true or false", other)),
                },
            }),
            Some("dataset") => Ok(ExportSection::Datasets {
                dataset_type: self.text("dataset_type")?,
                run: self.text("run")?,
                files: self.files,
            }),
            Some("associations") => self.associations(),
            Some(other) => Err(Error::corrupt(
                "export file",
                format!(
                    "unknown section type '{other}'; expected dimension, collection, run, \
                     dataset_type, dataset or associations"
                ),
            )),
            None => Err(Error::corrupt("export file", "a section has no 'type'")),
        }
    }

    fn collection(&self) -> Result<ExportSection> {
        let collection_type: CollectionType = self.text("collection_type")?.parse()?;
        let time = |key: &str| optional_time(self.fields.get(key).unwrap_or(&Value::Null));
        let timespan = match collection_type {
            CollectionType::Run => Timespan::new(time("timespan_begin")?, time("timespan_end")?)?,
            _ => Timespan::UNBOUNDED,
        };
        let mut children = Vec::new();
        if collection_type == CollectionType::Chained {
            for child in self.list("children")? {
                let name = match child {
                    Value::Str(name) => name,
                    // Old files restrict the search of a member to dataset types, which is gone.
                    Value::Seq(pair) => match pair.first() {
                        Some(Value::Str(name)) => name,
                        _ => return Err(self.wrong("children", "a list of names", Some(child))),
                    },
                    _ => return Err(self.wrong("children", "a list of names", Some(child))),
                };
                children.push(name.clone());
            }
        }
        Ok(ExportSection::Collection {
            name: self.text("name")?,
            collection_type,
            doc: self.optional_text("doc")?,
            host: self.optional_text("host")?,
            timespan,
            children,
        })
    }

    fn associations(&self) -> Result<ExportSection> {
        let ids = |value: Option<&Value>| match value {
            Some(Value::Seq(items)) => items.iter().map(dataset_id).collect::<Result<Vec<_>>>(),
            other => Err(self.wrong("dataset_ids", "a list", other)),
        };
        let members = match self.text("collection_type")?.parse()? {
            CollectionType::Tagged => AssociationData::Tagged(ids(self.fields.get("dataset_ids"))?),
            CollectionType::Calibration => {
                let mut ranges = Vec::new();
                for range in self.list("validity_ranges")? {
                    let when = match range.get("timespan") {
                        Some(value) => timespan(value)?,
                        None => {
                            let time =
                                |key: &str| optional_time(range.get(key).unwrap_or(&Value::Null));
                            Timespan::new(time("begin")?, time("end")?)?
                        }
                    };
                    ranges.push((when, ids(range.get("dataset_ids"))?));
                }
                AssociationData::Calibration(ranges)
            }
            other => {
                return Err(Error::corrupt(
                    "export file",
                    format!("associations of a {other} collection; expected TAGGED or CALIBRATION"),
                ));
            }
        };
        Ok(ExportSection::Associations {
            collection: self.text("collection")?,
            members,
        })
    }
}
