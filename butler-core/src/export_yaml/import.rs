//! What a whole export file says, ready to be put into a repository.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use uuid::Uuid;

use super::migrate::{DayObsOffset, Migration};
use super::reader::{ExportHeader, ExportReader};
use super::scalar::column_value;
use super::section::{AssociationData, DatasetFile, ExportSection, RawRecord};
use crate::collections::CollectionType;
use crate::datasets::{DatasetRef, DatasetType, FileDataset};
use crate::dimensions::{ColumnValue, DataCoordinate, DimensionRecord, DimensionUniverse};
use crate::error::{Error, Result};
use crate::timespan::Timespan;

/// A RUN collection.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// The host it was made on.
    pub host: Option<String>,
    /// The time at which it was made.
    pub timespan: Timespan,
}

/// Datasets of one type in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetGroup {
    /// The dataset type.
    pub dataset_type: Arc<DatasetType>,
    /// The RUN collection.
    pub run: Arc<str>,
    /// The files with their datasets. Paths are as the file has them, empty if it has none.
    pub files: Vec<FileDataset>,
}

/// The content of an export file in the terms of one universe.
///
/// Import in this order: dataset types, runs, other collections, chains; dimension records;
/// datasets; associations.
#[derive(Debug)]
pub struct ImportData {
    /// What stands at the head of the file.
    pub header: ExportHeader,
    /// Dimension records by element, elements in the universe's order.
    pub records: IndexMap<&'static str, Vec<DimensionRecord>>,
    /// RUN collections.
    pub runs: IndexMap<String, RunInfo>,
    /// CHAINED collections with their members in search order.
    pub chains: IndexMap<String, Vec<String>>,
    /// TAGGED and CALIBRATION collections.
    pub collections: IndexMap<String, CollectionType>,
    /// Documentation of collections of any type.
    pub docs: IndexMap<String, String>,
    /// Dataset types that the file defines.
    pub dataset_types: IndexMap<Arc<str>, Arc<DatasetType>>,
    /// Members of TAGGED collections.
    pub tags: IndexMap<String, Vec<Uuid>>,
    /// Members of CALIBRATION collections with the timespans that they are valid for.
    pub calibrations: IndexMap<String, Vec<(Timespan, Vec<Uuid>)>>,
    /// What users should know about the import.
    pub warnings: Vec<String>,
    universe: DimensionUniverse,
    datasets: IndexMap<(String, String), Vec<DatasetFile>>,
}

impl ImportData {
    /// Reads a file for a universe. Old records are brought into the present; see
    /// [`ImportData::read_with_day_obs`] for observing days.
    ///
    /// # Errors
    /// As [`ExportReader`]; and [`Error::DimensionName`], [`Error::DimensionValue`] or
    /// [`Error::InvalidArgument`] if a record or dataset type does not suit the universe.
    pub fn read(text: &str, universe: DimensionUniverse) -> Result<Self> {
        Self::read_with_day_obs(text, universe, &|_| None)
    }

    /// As [`ImportData::read`], with the offsets of the observing days of instruments in seconds,
    /// as far as they are known: files from before `day_obs` was a dimension do not tell its
    /// timespans, and some do not tell the observing days of visits.
    ///
    /// # Errors
    /// As [`ImportData::read`].
    pub fn read_with_day_obs(
        text: &str,
        universe: DimensionUniverse,
        day_obs_offset: &dyn Fn(&str) -> Option<i64>,
    ) -> Result<Self> {
        let mut reader = ExportReader::new(text)?;
        let mut migration = Migration::new(reader.header(), universe);
        let mut data = Self {
            header: reader.header().clone(),
            records: IndexMap::new(),
            runs: IndexMap::new(),
            chains: IndexMap::new(),
            collections: IndexMap::new(),
            docs: IndexMap::new(),
            dataset_types: IndexMap::new(),
            tags: IndexMap::new(),
            calibrations: IndexMap::new(),
            warnings: Vec::new(),
            universe,
            datasets: IndexMap::new(),
        };
        while let Some(section) = reader.next_section()? {
            data.add(section, &mut migration, day_obs_offset)?;
        }
        data.add_day_obs(&migration, day_obs_offset)?;
        data.records.sort_by_cached_key(|name, _| {
            universe
                .get(name)
                .map_or(usize::MAX, |element| element.index())
        });
        Ok(data)
    }

    /// The names of dataset types that datasets have but the file does not define.
    pub fn missing_dataset_types(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.datasets.keys() {
            if !self.dataset_types.contains_key(name.as_str()) && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// How many datasets there are.
    pub fn dataset_count(&self) -> usize {
        self.datasets
            .values()
            .flatten()
            .map(|file| file.dataset_ids.len())
            .sum()
    }

    /// Takes the datasets out. `find` gives the dataset types that the file does not define.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`] if there is no such dataset type; [`Error::DimensionName`]
    /// or [`Error::DimensionValue`] if a data ID does not suit it.
    pub fn take_datasets(
        &mut self,
        mut find: impl FnMut(&str) -> Option<Arc<DatasetType>>,
    ) -> Result<Vec<DatasetGroup>> {
        let mut groups = Vec::with_capacity(self.datasets.len());
        for ((name, run), files) in std::mem::take(&mut self.datasets) {
            let own = self.dataset_types.get(name.as_str()).cloned();
            let dataset_type = own.or_else(|| find(&name)).ok_or_else(|| {
                Error::MissingDatasetType(format!(
                    "the export file has datasets of type '{name}', which neither it nor the \
                     repository defines; register the dataset type first"
                ))
            })?;
            let run: Arc<str> = run.into();
            let mut formatters: HashMap<String, Arc<str>> = HashMap::new();
            let files = files
                .into_iter()
                .map(|file| {
                    let refs = file
                        .data_ids
                        .into_iter()
                        .zip(file.dataset_ids)
                        .map(|(data_id, id)| {
                            let data_id = DataCoordinate::standardize(
                                self.universe,
                                data_id,
                                Some(dataset_type.dimensions()),
                                None,
                            )?;
                            DatasetRef::new(
                                Arc::clone(&dataset_type),
                                data_id,
                                Arc::clone(&run),
                                id,
                            )
                        })
                        .collect::<Result<_>>()?;
                    let formatter = file.formatter.map(|name| {
                        let shared: Arc<str> = name.as_str().into();
                        Arc::clone(formatters.entry(name).or_insert(shared))
                    });
                    Ok(FileDataset {
                        path: file.path.unwrap_or_default(),
                        refs,
                        formatter,
                    })
                })
                .collect::<Result<_>>()?;
            groups.push(DatasetGroup {
                dataset_type,
                run,
                files,
            });
        }
        Ok(groups)
    }

    fn add(
        &mut self,
        section: ExportSection,
        migration: &mut Migration,
        day_obs_offset: DayObsOffset<'_>,
    ) -> Result<()> {
        match section {
            ExportSection::Dimension {
                element,
                mut records,
            } => {
                let more = migration.records(&element, &mut records, day_obs_offset)?;
                self.add_records(&element, records)?;
                for (element, records) in more {
                    self.add_records(element, records)?;
                }
            }
            ExportSection::Collection {
                name,
                collection_type,
                doc,
                host,
                timespan,
                children,
            } => {
                if let Some(doc) = doc {
                    self.docs.insert(name.clone(), doc);
                }
                match collection_type {
                    CollectionType::Run => {
                        self.runs.insert(name, RunInfo { host, timespan });
                    }
                    CollectionType::Chained => {
                        self.chains.insert(name, children);
                    }
                    other => {
                        self.collections.insert(name, other);
                    }
                }
            }
            ExportSection::DatasetType {
                name,
                mut dimensions,
                storage_class,
                is_calibration,
            } => {
                migration.dimensions(&mut dimensions);
                let group = self.universe.conform(&dimensions)?;
                let dataset_type = DatasetType::new(name, group, storage_class, is_calibration)?;
                self.dataset_types
                    .insert(Arc::clone(dataset_type.name()), Arc::new(dataset_type));
            }
            ExportSection::Datasets {
                dataset_type,
                run,
                files,
            } => {
                self.datasets
                    .entry((dataset_type, run))
                    .or_default()
                    .extend(files);
            }
            ExportSection::Associations {
                collection,
                members,
            } => match members {
                AssociationData::Tagged(ids) => {
                    self.tags.entry(collection).or_default().extend(ids);
                }
                AssociationData::Calibration(ranges) => {
                    self.calibrations
                        .entry(collection)
                        .or_default()
                        .extend(ranges);
                }
            },
        }
        Ok(())
    }

    fn add_records(&mut self, element: &str, records: Vec<RawRecord>) -> Result<()> {
        let element = self.universe.element(element)?;
        let schema = element.schema();
        let columns = schema.columns();
        let target = self.records.entry(element.name()).or_default();
        for record in records {
            let fields = record
                .into_iter()
                .map(|(name, value)| {
                    let column_type = match schema.index_of(&name) {
                        Some(index) => Some(columns[index].column_type),
                        None if name == element.name() => element.key_type(),
                        None => None,
                    };
                    Ok((name, column_value(value, column_type)?))
                })
                .collect::<Result<Vec<_>>>()?;
            target.push(DimensionRecord::from_fields(element, fields)?);
        }
        Ok(())
    }

    fn add_day_obs(
        &mut self,
        migration: &Migration,
        day_obs_offset: DayObsOffset<'_>,
    ) -> Result<()> {
        let (days, unknown) = migration.day_obs_records(day_obs_offset)?;
        if days.is_empty() {
            return Ok(());
        }
        let element = self.universe.element("day_obs")?;
        let target = self.records.entry(element.name()).or_default();
        for (instrument, day_obs, timespan) in days {
            let fields = [
                ("instrument", ColumnValue::Str(instrument.into())),
                ("id", ColumnValue::Int(day_obs)),
                (
                    "timespan",
                    timespan.map_or(ColumnValue::Null, ColumnValue::Timespan),
                ),
            ];
            target.push(DimensionRecord::from_fields(element, fields)?);
        }
        if !unknown.is_empty() {
            self.warnings.push(format!(
                "the file was written before day_obs was a dimension; its day_obs records get no \
                 timespans for {}",
                unknown.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
        Ok(())
    }
}
