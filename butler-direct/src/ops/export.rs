//! Writing parts of a repository to an export file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::datasets::{DatasetId, DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::{DataCoordinate, DimensionRecord};
use butler_core::error::{Error, Result};
use butler_core::export_yaml::{CollectionExport, ExportWriter};
use butler_core::registry::{CollectionQuery, DatasetAssociation, Registry};
use butler_core::timespan::Timespan;
use bytes::Bytes;

use super::records::GatheredRecords;
use crate::butler::DirectButler;
use crate::resource::{ResourcePath, TransferMode};

/// What becomes of files in an export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ExportFiles {
    /// They stay where they are; the export file has their paths in the datastore.
    #[default]
    InPlace,
    /// They stay where they are; the export file has their full addresses.
    Direct,
    /// They are brought to a directory under their paths in the datastore. They cannot be moved.
    Transfer(ResourcePath, TransferMode),
    /// The export file does not tell of files at all.
    None,
}

/// Collects what goes into an export file. Datasets bring along their dimension records, dataset
/// types and runs.
#[derive(Debug)]
pub struct Exporter<'b> {
    butler: &'b DirectButler,
    files: ExportFiles,
    records: GatheredRecords,
    collections: BTreeMap<String, CollectionInfo>,
    datasets: BTreeMap<(String, String), (Arc<DatasetType>, Vec<FileDataset>)>,
    ids: HashSet<DatasetId>,
}

impl DirectButler {
    /// Starts an export.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if files were to be moved.
    pub fn export(&self, files: ExportFiles) -> Result<Exporter<'_>> {
        if let ExportFiles::Transfer(_, TransferMode::Move) = files {
            return Err(Error::InvalidArgument(
                "files cannot be moved out of a repository by an export".to_owned(),
            ));
        }
        Ok(Exporter {
            butler: self,
            files,
            records: GatheredRecords::default(),
            collections: BTreeMap::new(),
            datasets: BTreeMap::new(),
            ids: HashSet::new(),
        })
    }
}

impl Exporter<'_> {
    /// Adds a collection. A TAGGED or CALIBRATION collection comes with its associations with
    /// exported datasets; a chain without its members.
    ///
    /// # Errors
    /// [`Error::MissingCollection`].
    pub async fn save_collection(&mut self, name: &str) -> Result<()> {
        let mut query = CollectionQuery::new(CollectionWildcard::from_names([name]));
        query.with_doc = true;
        for info in self.butler.registry().collections(&query).await? {
            self.collections.insert(info.name.clone(), info);
        }
        Ok(())
    }

    /// Adds dimension records.
    pub fn save_dimension_records(
        &mut self,
        records: impl IntoIterator<Item = Arc<DimensionRecord>>,
    ) {
        for record in records {
            self.records.add(record);
        }
    }

    /// Adds the dimension records of data IDs; with `elements`, none but theirs.
    ///
    /// # Errors
    /// [`Error::DimensionName`] for an unknown element; errors about the data IDs.
    pub async fn save_data_ids<'a>(
        &mut self,
        data_ids: impl IntoIterator<Item = &'a DataCoordinate>,
        elements: Option<&[&str]>,
    ) -> Result<()> {
        for name in elements.into_iter().flatten() {
            self.butler.universe().element(name)?;
        }
        let mut found = GatheredRecords::gather(self.butler, data_ids).await?;
        if let Some(elements) = elements {
            found.retain(|name| elements.contains(&name));
        }
        for (_, records) in found.in_universe(self.butler.universe())? {
            self.save_dimension_records(records.into_iter().map(Arc::new));
        }
        Ok(())
    }

    /// Adds datasets with their dimension records (with `elements`, none but of these), dataset
    /// types, runs and files. Datasets that have been added already are passed over; a component
    /// stands for its parent.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if a dataset is not stored; [`Error::DatasetTypeNotSupported`] if
    /// one lies in several files; errors of storage.
    pub async fn save_datasets(
        &mut self,
        datasets: &[DatasetRef],
        elements: Option<&[&str]>,
    ) -> Result<()> {
        let mut new: Vec<DatasetRef> = Vec::new();
        for dataset in datasets {
            if self.ids.insert(dataset.id()) {
                let whole = dataset.is_component();
                new.push(if whole {
                    dataset.make_composite()?
                } else {
                    dataset.clone()
                });
            }
        }
        new.sort_by(DatasetRef::sort_order);
        let files = self.export_files(&new).await?;
        self.save_data_ids(new.iter().map(DatasetRef::data_id), elements)
            .await?;
        for (dataset, (path, formatter)) in new.into_iter().zip(files) {
            let run = dataset.run().to_string();
            if !self.collections.contains_key(&run) {
                self.save_collection(&run).await?;
            }
            let key = (dataset.dataset_type().name().to_string(), run);
            let (_, files) = self
                .datasets
                .entry(key)
                .or_insert_with(|| (Arc::clone(dataset.dataset_type()), Vec::new()));
            files.push(FileDataset {
                path,
                refs: vec![dataset],
                formatter,
            });
        }
        Ok(())
    }

    /// The path and formatter of each dataset's file, after it was brought to where it goes.
    async fn export_files(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<Vec<(String, Option<Arc<str>>)>> {
        if self.files == ExportFiles::None {
            return Ok(vec![(String::new(), None); datasets.len()]);
        }
        let mut found = self.butler.datastore().transfer_files(datasets).await?;
        let mut transfers: BTreeMap<String, ResourcePath> = BTreeMap::new();
        let mut result = Vec::with_capacity(datasets.len());
        for dataset in datasets {
            let mut files = found.remove(&dataset.id()).unwrap_or_default();
            let file = match (files.pop(), files.is_empty()) {
                (Some(file), true) => file,
                (None, _) => {
                    return Err(Error::FileNotFound(format!(
                        "the dataset {dataset} to be exported is not in the datastore"
                    )));
                }
                (Some(_), false) => {
                    return Err(Error::DatasetTypeNotSupported(format!(
                        "the dataset {dataset} lies in several files, which an export file has no \
                         form for"
                    )));
                }
            };
            let path = match &self.files {
                ExportFiles::Direct => file.uri.to_string(),
                _ => file.info.path.to_string(),
            };
            if let ExportFiles::Transfer(..) = self.files {
                if file.absolute {
                    return Err(Error::PathEscapesRoot {
                        path,
                        root: "the directory of the export".to_owned(),
                    });
                }
                transfers.insert(path.clone(), file.uri.without_fragment());
            }
            result.push((path, Some(Arc::from(&*file.info.formatter))));
        }
        if let ExportFiles::Transfer(directory, mode) = &self.files {
            let directory = directory.as_directory()?;
            for (path, source) in transfers {
                let path = path.split('#').next().unwrap_or(&path);
                let target = directory.join(path)?;
                self.butler
                    .resources()
                    .transfer(&source, &target, *mode, false)
                    .await?;
            }
        }
        Ok(result)
    }

    /// The text of the export file.
    ///
    /// # Errors
    /// Any database error; [`Error::CollectionCycle`].
    pub async fn finish(self) -> Result<String> {
        let universe = self.butler.universe();
        let mut writer = ExportWriter::new(universe);
        for (element, records) in self.records.in_universe(universe)? {
            writer.dimension_records(element, &records);
        }
        for info in sorted_collections(&self.collections)? {
            let doc = Some(info.doc.as_str()).filter(|doc| !doc.is_empty());
            let what = match info.collection_type {
                CollectionType::Run => CollectionExport::Run(None, Timespan::UNBOUNDED),
                CollectionType::Chained => CollectionExport::Chained(&info.children),
                CollectionType::Tagged => CollectionExport::Tagged,
                CollectionType::Calibration => CollectionExport::Calibration,
            };
            writer.collection(&info.name, doc, &what);
        }
        for ((_, run), (dataset_type, files)) in &self.datasets {
            writer.datasets(dataset_type, run, files);
        }
        for (collection, members) in self.associations().await? {
            if self.collections[&collection].collection_type == CollectionType::Tagged {
                writer.tags(
                    &collection,
                    members.iter().map(|member| member.dataset.id()),
                );
                continue;
            }
            let mut ranges: BTreeMap<(i64, i64), Vec<DatasetId>> = BTreeMap::new();
            for member in &members {
                let timespan = member.timespan.unwrap_or(Timespan::UNBOUNDED);
                let key = (timespan.begin_ns(), timespan.end_ns());
                ranges.entry(key).or_default().push(member.dataset.id());
            }
            let ranges = ranges
                .iter()
                .map(|((begin, end), ids)| (Timespan::from_ns(*begin, *end), ids.as_slice()));
            writer.calibrations(&collection, ranges);
        }
        Ok(writer.finish())
    }

    /// Writes the export file.
    ///
    /// # Errors
    /// [`Error::FileExists`] if there is one; others as for [`finish`](Self::finish).
    pub async fn write(self, file: &ResourcePath, overwrite: bool) -> Result<()> {
        let resources = self.butler.resources().clone();
        let text = self.finish().await?;
        Ok(resources.write(file, Bytes::from(text), overwrite).await?)
    }

    /// Places of exported datasets in exported TAGGED and CALIBRATION collections.
    async fn associations(&self) -> Result<BTreeMap<String, Vec<DatasetAssociation>>> {
        let mut found: BTreeMap<String, Vec<DatasetAssociation>> = BTreeMap::new();
        let types: HashMap<&str, &Arc<DatasetType>> = self
            .datasets
            .values()
            .map(|(t, _)| (&**t.name(), t))
            .collect();
        let mut names: Vec<&str> = types.keys().copied().collect();
        names.sort_unstable();
        for name in names {
            let calibration = types[name].is_calibration();
            let collections: Vec<String> = self
                .collections
                .values()
                .filter(|info| match info.collection_type {
                    CollectionType::Tagged => true,
                    CollectionType::Calibration => calibration,
                    CollectionType::Run | CollectionType::Chained => false,
                })
                .map(|info| info.name.clone())
                .collect();
            if collections.is_empty() {
                continue;
            }
            for member in self
                .butler
                .registry()
                .associations(name, &collections)
                .await?
            {
                if self.ids.contains(&member.dataset.id()) {
                    found
                        .entry(member.collection.to_string())
                        .or_default()
                        .push(member);
                }
            }
        }
        for members in found.values_mut() {
            members.sort_by(|a, b| a.dataset.sort_order(&b.dataset));
        }
        Ok(found)
    }
}

/// Collections in an order in which they can be registered: chains come after their members.
fn sorted_collections(
    collections: &BTreeMap<String, CollectionInfo>,
) -> Result<Vec<&CollectionInfo>> {
    let (mut chains, mut sorted): (Vec<&CollectionInfo>, Vec<&CollectionInfo>) = collections
        .values()
        .partition(|info| info.collection_type == CollectionType::Chained);
    while !chains.is_empty() {
        let pending: BTreeSet<&str> = chains.iter().map(|info| info.name.as_str()).collect();
        let (blocked, free): (Vec<_>, Vec<_>) = chains.into_iter().partition(|info| {
            info.children
                .iter()
                .any(|child| pending.contains(child.as_str()))
        });
        if free.is_empty() {
            return Err(Error::CollectionCycle(format!(
                "chains contain each other in a circle: {}",
                blocked
                    .iter()
                    .map(|info| info.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        sorted.extend(free);
        chains = blocked;
    }
    Ok(sorted)
}
