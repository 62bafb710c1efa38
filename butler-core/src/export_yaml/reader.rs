//! Reading an export file section by section.

use super::EXPORT_FORMAT_VERSION;
use super::scalar::{data_id_value, dataset_id};
use super::section::{DatasetFile, ExportSection, RawSection};
use crate::error::{Error, Result};
use crate::yaml::{EventReader, Map, Value, YamlError};

/// What stands before the sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportHeader {
    /// The version of the format.
    pub version: (u64, u64, u64),
    /// The version of the universe.
    pub universe_version: i64,
    /// The namespace of the universe.
    pub universe_namespace: String,
}

/// Reads an export file; only one section is in memory at a time.
#[derive(Debug)]
pub struct ExportReader<'a> {
    events: EventReader<'a>,
    header: ExportHeader,
    done: bool,
}

impl<'a> ExportReader<'a> {
    /// Reads up to the first section.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if the text is not an export file, [`Error::UnsupportedVersion`]
    /// if it is of a version that cannot be read.
    pub fn new(text: &'a str) -> Result<Self> {
        let mut events = EventReader::new(text);
        if !events.start_document().map_err(fault)? {
            return Err(Error::corrupt("export file", "the file is empty"));
        }
        events.start_mapping().map_err(fault)?;
        let mut fields = Map::new();
        let has_data = loop {
            match events.next_key().map_err(fault)? {
                None => break false,
                Some(key) if key == "data" => break events.start_sequence().map_err(fault)?,
                Some(key) => {
                    fields.insert(key, events.read_value().map_err(fault)?);
                }
            }
        };
        Ok(Self {
            events,
            header: header(&fields)?,
            done: !has_data,
        })
    }

    /// What stands before the sections.
    pub fn header(&self) -> &ExportHeader {
        &self.header
    }

    /// The next section, or none at the end.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] with the place of what cannot be read.
    pub fn next_section(&mut self) -> Result<Option<ExportSection>> {
        if self.done {
            return Ok(None);
        }
        if !self.events.has_item().map_err(fault)? {
            self.done = true;
            if let Some(key) = self.events.next_key().map_err(fault)? {
                return Err(Error::corrupt(
                    "export file",
                    format!("the key '{key}' must stand before 'data'"),
                ));
            }
            self.events.end_document().map_err(fault)?;
            return Ok(None);
        }
        self.section().map(Some).map_err(|error| match error {
            Error::CorruptRecord { what, detail } => {
                let place = self.events.fault(detail);
                Error::corrupt(what, place)
            }
            other => other,
        })
    }

    fn section(&mut self) -> Result<ExportSection> {
        self.events.start_mapping().map_err(fault)?;
        let mut section = RawSection::default();
        // Records that come before the section's type are understood at the end.
        let mut early = None;
        while let Some(key) = self.events.next_key().map_err(fault)? {
            match (key.as_str(), section.kind()) {
                ("records", Some("dataset")) => {
                    if self.events.start_sequence().map_err(fault)? {
                        while self.events.has_item().map_err(fault)? {
                            section.files.push(self.file()?);
                        }
                    }
                }
                ("records", Some("dimension")) => {
                    if self.events.start_sequence().map_err(fault)? {
                        while self.events.has_item().map_err(fault)? {
                            section
                                .records
                                .push(record(self.events.read_value().map_err(fault)?)?);
                        }
                    }
                }
                ("records", None) => early = Some(self.events.read_value().map_err(fault)?),
                _ => {
                    let value = self.events.read_value().map_err(fault)?;
                    section.fields.insert(key, value);
                }
            }
        }
        match (early, section.kind()) {
            (Some(Value::Seq(items)), Some("dataset")) => {
                for item in items {
                    section.files.push(file_from_value(item)?);
                }
            }
            (Some(Value::Seq(items)), Some("dimension")) => {
                section.records = items.into_iter().map(record).collect::<Result<_>>()?;
            }
            (Some(Value::Null) | None, _) => {}
            (Some(other), _) => {
                return Err(Error::corrupt(
                    "export file",
                    format!("unexpected 'records', which are {}", other.kind()),
                ));
            }
        }
        section.finish()
    }

    fn file(&mut self) -> Result<DatasetFile> {
        self.events.start_mapping().map_err(fault)?;
        let mut file = DatasetFile::default();
        while let Some(key) = self.events.next_key().map_err(fault)? {
            let value = self.events.read_value().map_err(fault)?;
            set_file_field(&mut file, &key, value)?;
        }
        check_file(file)
    }
}

fn fault(error: YamlError) -> Error {
    Error::corrupt("export file", error)
}

fn record(value: Value) -> Result<Map> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(Error::corrupt(
            "export file",
            format!(
                "a dimension record must be a mapping, but it is {}",
                other.kind()
            ),
        )),
    }
}

fn file_from_value(value: Value) -> Result<DatasetFile> {
    let mut file = DatasetFile::default();
    for (key, value) in record(value)? {
        set_file_field(&mut file, &key, value)?;
    }
    check_file(file)
}

fn set_file_field(file: &mut DatasetFile, key: &str, value: Value) -> Result<()> {
    let text = |value: Value| match value {
        Value::Null => Ok(None),
        Value::Str(text) => Ok(Some(text)),
        other => Err(Error::corrupt(
            "export file",
            format!(
                "'{key}' of a dataset must be a string, but it is {}",
                other.kind()
            ),
        )),
    };
    match key {
        "dataset_id" => {
            file.dataset_ids = match value {
                Value::Seq(items) => items.iter().map(dataset_id).collect::<Result<_>>()?,
                single => vec![dataset_id(&single)?],
            };
        }
        "data_id" => {
            let items = match value {
                Value::Seq(items) => items,
                single => vec![single],
            };
            for item in items {
                let data_id = record(item)?
                    .into_iter()
                    .map(|(name, value)| Ok((name, data_id_value(value)?)))
                    .collect::<Result<_>>()?;
                file.data_ids.push(data_id);
            }
        }
        "path" => file.path = text(value)?,
        "formatter" => file.formatter = text(value)?,
        _ => {}
    }
    Ok(())
}

fn check_file(file: DatasetFile) -> Result<DatasetFile> {
    if file.dataset_ids.len() != file.data_ids.len() || file.data_ids.is_empty() {
        return Err(Error::corrupt(
            "export file",
            format!(
                "the file '{}' has {} dataset ids and {} data IDs; expected the same number of \
                 each, and at least one",
                file.path.as_deref().unwrap_or("(without path)"),
                file.dataset_ids.len(),
                file.data_ids.len()
            ),
        ));
    }
    Ok(file)
}

fn header(fields: &Map) -> Result<ExportHeader> {
    let unsupported = |found: &str| {
        let (major, minor, _) = EXPORT_FORMAT_VERSION;
        Error::unsupported_version(
            "export file",
            found,
            format!("{major}.0 to {major}.{minor}"),
        )
    };
    let version = match fields.get("version") {
        // Files from before versions mattered.
        Some(Value::Int(0)) => (1, 0, 0),
        Some(Value::Str(text)) => {
            let numbers: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
            match numbers.as_deref() {
                Some([major, minor, patch]) => (*major, *minor, *patch),
                _ => return Err(unsupported(text)),
            }
        }
        Some(other) => return Err(unsupported(&other.to_json().to_string())),
        None => {
            return Err(Error::corrupt(
                "export file",
                "there is no 'version' before 'data'; this does not look like an export",
            ));
        }
    };
    if version.0 != EXPORT_FORMAT_VERSION.0 || version.1 > EXPORT_FORMAT_VERSION.1 {
        return Err(unsupported(&format!(
            "{}.{}.{}",
            version.0, version.1, version.2
        )));
    }
    let universe_version = match fields.get("universe_version") {
        None => 0,
        Some(Value::Int(number)) => *number,
        Some(other) => {
            return Err(Error::corrupt(
                "export file",
                format!(
                    "'universe_version' must be an integer, but it is {}",
                    other.kind()
                ),
            ));
        }
    };
    let universe_namespace = match fields.get("universe_namespace") {
        None => "daf_butler".to_owned(),
        Some(Value::Str(text)) => text.clone(),
        Some(other) => {
            return Err(Error::corrupt(
                "export file",
                format!(
                    "'universe_namespace' must be a string, but it is {}",
                    other.kind()
                ),
            ));
        }
    };
    Ok(ExportHeader {
        version,
        universe_version,
        universe_namespace,
    })
}
