//! Bringing in files of the datastore of another repository.

use std::collections::HashMap;
use std::sync::Arc;

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;

use super::FileDatastore;
use super::stage::{Content, Incoming, StagedFiles};
use crate::datastores::store::TransferFile;
use crate::resource::{ResourcePath, TransferMode};

/// Datasets handled at a time.
const BATCH: usize = 5_000;

impl FileDatastore {
    pub(super) async fn files_for_transfer(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<TransferFile>>> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let mut records = self.recorded(&ids).await?;
        if self.shared.trust {
            let missing: Vec<DatasetRef> = datasets
                .iter()
                .filter(|dataset| !records.contains_key(&dataset.id()))
                .cloned()
                .collect();
            records.extend(self.guessed(&missing).await?);
        }
        records
            .into_iter()
            .map(|(id, infos)| {
                let files = infos
                    .into_iter()
                    .map(|info| {
                        let uri = self.uri(&info)?;
                        let absolute = ResourcePath::relative(&info.path)?.is_absolute();
                        Ok(TransferFile {
                            info,
                            uri,
                            absolute,
                            reader: None,
                        })
                    })
                    .collect::<Result<Vec<_>>>()?;
                Ok((id, files))
            })
            .collect()
    }

    pub(super) async fn transfer_all(
        &self,
        datasets: Vec<(DatasetRef, Vec<TransferFile>)>,
        mode: TransferMode,
        progress: &dyn Progress,
    ) -> Result<StagedFiles> {
        if mode == TransferMode::Direct {
            return Err(Error::InvalidArgument(
                "files cannot be transferred from another repository with mode 'direct', because \
                 that repository may delete them; use 'copy'"
                    .to_owned(),
            ));
        }
        let mut staged = StagedFiles::new(self);
        progress.start("transferring files", Some(datasets.len() as u64));
        let mut rest = datasets.into_iter();
        loop {
            let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            let count = batch.len() as u64;
            if let Err(error) = self.transfer_batch(&mut staged, batch, mode).await {
                staged.undo_all().await;
                progress.finish();
                return Err(error);
            }
            progress.advance(count);
        }
        progress.finish();
        Ok(staged)
    }

    async fn transfer_batch(
        &self,
        staged: &mut StagedFiles,
        batch: Vec<(DatasetRef, Vec<TransferFile>)>,
        mode: TransferMode,
    ) -> Result<()> {
        let ids: Vec<DatasetId> = batch.iter().map(|(dataset, _)| dataset.id()).collect();
        let known = self.recorded_ids(&ids).await?;
        let mut incoming: HashMap<String, Content> = HashMap::new();
        let mut records = Vec::with_capacity(batch.len());
        for (dataset, files) in batch {
            if known.contains(&dataset.id()) || !self.is_acceptable(&dataset) {
                continue;
            }
            for file in files {
                let mut info = file.info;
                if file.absolute && mode == TransferMode::Auto {
                    // Whoever ingested the file in place knows that it is to be seen from here.
                    records.push((dataset.id(), info));
                    continue;
                }
                if file.absolute {
                    let of = match &info.component {
                        Some(component) => dataset.make_component(component, self.classes())?,
                        None => dataset.clone(),
                    };
                    let path = format!("{}{}", self.template_path(&of)?, file.uri.extension());
                    info = StoredFileInfo { path, ..info };
                }
                let target = self.root().join_in_store(&info.path)?;
                let source = file.uri.without_fragment();
                if target.without_fragment() != source {
                    let content = match file.reader {
                        None => Content::File(source, mode),
                        Some(reader) => Content::Fetched {
                            reader,
                            uri: file.uri.to_string(),
                            // Of what shares a file, the record tells its own size.
                            size: info
                                .known_size()
                                .filter(|_| info.artifact_path() == info.path),
                        },
                    };
                    incoming.insert(info.artifact_path().to_owned(), content);
                }
                records.push((dataset.id(), info));
            }
        }
        let incoming = self.without_shared(incoming).await?;
        let incoming = incoming
            .into_iter()
            .map(|(path, content)| Incoming { path, content })
            .collect();
        staged.bring(incoming).await?;
        for (id, info) in records {
            staged.add_replacing(id, info);
        }
        Ok(())
    }

    /// Leaves out files that several datasets share and that came here with another of them.
    async fn without_shared(
        &self,
        mut incoming: HashMap<String, Content>,
    ) -> Result<HashMap<String, Content>> {
        let paths: Vec<Arc<str>> = incoming.keys().map(|path| path.as_str().into()).collect();
        let shared = &self.shared;
        let live = shared
            .registry
            .live_file_paths(&shared.table, &shared.name, &paths)
            .await?;
        for path in paths {
            let place = self.root().join_in_store(&path)?;
            // Records of archives name their members, so that only the file tells.
            let here = live.contains_key(&*path)
                || (path.ends_with(".zip") && shared.resources.exists(&place).await?);
            if !here {
                continue;
            }
            let same = match &incoming[&*path] {
                Content::Fetched { size: None, .. } => Ok(true),
                Content::Fetched {
                    size: Some(size), ..
                } => self.sizes(&[place]).await.map(|sizes| sizes[0] == *size),
                Content::File(source, _) => self
                    .sizes(&[place, source.clone()])
                    .await
                    .map(|sizes| sizes[0] == sizes[1]),
                Content::Bytes(_) => Ok(false),
            };
            match same {
                Ok(true) => drop(incoming.remove(&*path)),
                Ok(false) | Err(Error::FileNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(incoming)
    }
}
