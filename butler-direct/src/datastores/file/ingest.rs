//! Bringing in files that exist already.

use std::collections::HashMap;
use std::sync::Arc;

use butler_core::datasets::FileDataset;
use butler_core::datastore::{StoredFileInfo, default_extension};
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;

use super::FileDatastore;
use super::put::recorded_size;
use super::stage::{Content, Incoming, StagedFiles};
use crate::datastores::store::IngestOptions;
use crate::resource::{ResourcePath, TransferMode};

/// Files handled at a time.
const BATCH: usize = 5_000;

/// How one file gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It lies below the root and stays there.
    InPlace,
    /// It stays where it is; its absolute address is recorded.
    Direct,
    /// It gets the place that the template gives.
    Transfer(TransferMode),
}

impl FileDatastore {
    pub(super) async fn ingest_all(
        &self,
        files: Vec<FileDataset>,
        options: IngestOptions,
        progress: &dyn Progress,
    ) -> Result<StagedFiles> {
        let mut staged = StagedFiles::new(self);
        let mut sources = Vec::with_capacity(files.len());
        for file in &files {
            sources.push(self.source(&file.path)?);
        }
        let ways = self.ways(&sources, options.mode);
        progress.start("ingesting files", Some(files.len() as u64));
        let mut rest = files.into_iter().zip(sources).zip(ways);
        loop {
            let batch: Vec<_> = rest
                .by_ref()
                .take(BATCH)
                .map(|((file, source), way)| (file, source, way))
                .collect();
            if batch.is_empty() {
                break;
            }
            let count = batch.len() as u64;
            if let Err(error) = self.ingest_batch(&mut staged, batch, options).await {
                staged.undo_all().await;
                progress.finish();
                return Err(error);
            }
            progress.advance(count);
        }
        progress.finish();
        Ok(staged)
    }

    /// The address of a file to ingest; relative paths count from the root.
    pub(super) fn source(&self, path: &str) -> Result<ResourcePath> {
        let given = ResourcePath::relative(path)?;
        Ok(if given.is_absolute() {
            given
        } else {
            self.root().join_in_store(path)?
        })
    }

    fn ways(&self, sources: &[ResourcePath], mode: Option<TransferMode>) -> Vec<Way> {
        let inside = |source: &ResourcePath| source.relative_to(self.root()).is_some();
        let one = match mode {
            None => Way::InPlace,
            Some(TransferMode::Direct) => Way::Direct,
            Some(TransferMode::Auto) => {
                let count = sources.iter().filter(|source| inside(source)).count();
                if count == sources.len() {
                    Way::InPlace
                } else if count == 0 {
                    Way::Transfer(TransferMode::Auto)
                } else {
                    tracing::warn!(
                        datastore = self.shared.name,
                        "some files lie inside of the datastore and some outside; those outside \
                         are recorded where they are"
                    );
                    return sources
                        .iter()
                        .map(|source| match inside(source) {
                            true => Way::InPlace,
                            false => Way::Direct,
                        })
                        .collect();
                }
            }
            Some(mode) => Way::Transfer(mode),
        };
        vec![one; sources.len()]
    }

    async fn ingest_batch(
        &self,
        staged: &mut StagedFiles,
        batch: Vec<(FileDataset, ResourcePath, Way)>,
        options: IngestOptions,
    ) -> Result<()> {
        let mut types = HashMap::new();
        let mut incoming = Vec::new();
        let mut records = Vec::with_capacity(batch.len());
        let mut places = Vec::with_capacity(batch.len());
        for (file, source, way) in batch {
            let mut refs = Vec::with_capacity(file.refs.len());
            for dataset in file.refs {
                if self.is_acceptable(&dataset) {
                    refs.push(self.as_registered(&dataset, &mut types).await?);
                }
            }
            let Some(first) = refs.first() else {
                continue;
            };
            let formatter = match file.formatter {
                Some(formatter) => formatter,
                None => Arc::clone(&self.formatter(first)?.class),
            };
            let path = match way {
                Way::InPlace => source
                    .relative_to(self.root())
                    .filter(|path| path != ".")
                    .ok_or_else(|| {
                        Error::InvalidArgument(format!(
                            "{source} is to be ingested in place, but it does not lie in datastore \
                             '{}' at {}; choose a transfer mode",
                            self.shared.name,
                            self.root()
                        ))
                    })?,
                Way::Direct => source.to_string(),
                Way::Transfer(_) => {
                    let extension = source.extension();
                    check_extension(&source, &formatter)?;
                    format!("{}{extension}", self.template_path(first)?)
                }
            };
            let place = match way {
                Way::Transfer(mode) => {
                    incoming.push(Incoming {
                        path: path.clone(),
                        content: Content::File(source, mode),
                    });
                    self.root().join_in_store(&path)?
                }
                Way::InPlace | Way::Direct => source,
            };
            let info = StoredFileInfo {
                formatter,
                path,
                storage_class: Arc::clone(first.dataset_type().storage_class_name()),
                component: first.dataset_type().component().map(Arc::from),
                checksum: None,
                file_size: -1,
            };
            places.push(place.without_fragment());
            records.push((refs, info, way));
        }
        staged.bring(incoming).await?;
        if options.record_validation_info {
            let sizes = self.sizes(&places).await?;
            let checksums = self.checksums(&places).await?;
            for (((_, info, _), size), checksum) in records.iter_mut().zip(sizes).zip(checksums) {
                info.file_size = recorded_size(size);
                info.checksum = checksum;
            }
        } else {
            self.spot_check(&places).await?;
        }
        for (refs, info, way) in records {
            for dataset in refs {
                let info = StoredFileInfo {
                    storage_class: Arc::clone(dataset.dataset_type().storage_class_name()),
                    ..info.rebase(&dataset)
                };
                // What has a deterministic ID is taken to be immutable, so that it may come again.
                if way == Way::Direct && dataset.id().get_version_num() == 5 {
                    staged.add_replacing(dataset.id(), info);
                } else {
                    staged.add(dataset.id(), info);
                }
            }
        }
        Ok(())
    }

    /// Makes sure that a few of the files are there.
    async fn spot_check(&self, places: &[ResourcePath]) -> Result<()> {
        const CHECKS: usize = 200;
        let step = places.len() / CHECKS + 1;
        let chosen: Vec<ResourcePath> = places.iter().step_by(step).cloned().collect();
        let found = self.shared.resources.exists_many(&chosen).await;
        for (place, found) in chosen.iter().zip(found) {
            if !found? {
                return Err(Error::FileNotFound(format!(
                    "{place} (relative paths count from the root {})",
                    self.root()
                )));
            }
        }
        Ok(())
    }
}

/// Refuses a file that its formatter would not read because of its name.
fn check_extension(source: &ResourcePath, formatter: &str) -> Result<()> {
    let Some(expected) = default_extension(formatter) else {
        return Ok(());
    };
    // These formatters read several formats.
    let several = [
        "PackagesFormatter",
        "AstropyTableFormatter",
        "MatplotlibFormatter",
    ];
    let name = formatter.rsplit('.').next().unwrap_or(formatter);
    if several.contains(&name) || source.basename().ends_with(expected) {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "{source} has the extension '{}', but {formatter} reads '{expected}'",
        source.extension()
    )))
}
