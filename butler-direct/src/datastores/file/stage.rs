//! Bringing files to their places, so that it can be taken back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use butler_core::datasets::DatasetId;
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use butler_core::transfer::SourceReader;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::FileDatastore;
use crate::registry::trash::TakeOver;
use crate::registry::{RecordMode, RegistryTransaction};
use crate::resource::{ResourcePath, Resources, TransferMode, Transferred, WORKERS, blocking};

/// Local files whose sizes one blocking task asks for.
const STAT_BATCH: usize = 256;

/// How long somebody who deletes files from the trash is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Time between two looks at whether files have been deleted: the first, and the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How to take back what was done to a file.
#[derive(Debug)]
enum Undo {
    /// The file was made.
    Remove { path: Arc<str>, uri: ResourcePath },
    /// The file was moved here.
    MoveBack {
        path: Arc<str>,
        uri: ResourcePath,
        from: ResourcePath,
    },
}

impl Undo {
    fn path(&self) -> &Arc<str> {
        match self {
            Self::Remove { path, .. } | Self::MoveBack { path, .. } => path,
        }
    }
}

/// Files that are in place, but without records in the registry.
#[derive(Debug)]
pub(in super::super) struct StagedFiles {
    datastore: FileDatastore,
    insert: Vec<(DatasetId, StoredFileInfo)>,
    replace: Vec<(DatasetId, StoredFileInfo)>,
    undo: Vec<Undo>,
}

/// A file to be brought in.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Its path below the root, without a fragment.
    pub(super) path: String,
    pub(super) content: Content,
}

/// Where an incoming file comes from.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Bytes),
    File(ResourcePath, TransferMode),
    /// To be fetched by the repository it comes from.
    Fetched {
        reader: Arc<dyn SourceReader>,
        uri: String,
        size: Option<u64>,
    },
}

impl StagedFiles {
    pub(super) fn new(datastore: &FileDatastore) -> Self {
        Self {
            datastore: datastore.clone(),
            insert: Vec::new(),
            replace: Vec::new(),
            undo: Vec::new(),
        }
    }

    /// The datasets, with repetitions.
    pub(in super::super) fn ids(&self) -> impl Iterator<Item = DatasetId> {
        self.insert.iter().chain(&self.replace).map(|(id, _)| *id)
    }

    /// A record that must be new.
    pub(super) fn add(&mut self, id: DatasetId, info: StoredFileInfo) {
        self.insert.push((id, info));
    }

    /// A record that replaces one that may be there.
    pub(super) fn add_replacing(&mut self, id: DatasetId, info: StoredFileInfo) {
        self.replace.push((id, info));
    }

    /// Brings files to their places. If one fails, those that are done are taken back.
    pub(super) async fn bring(&mut self, files: Vec<Incoming>) -> Result<()> {
        match self.try_bring(files).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.undo_all().await;
                Err(error)
            }
        }
    }

    async fn try_bring(&mut self, files: Vec<Incoming>) -> Result<()> {
        let root = self.datastore.root().clone();
        let mut targets = Vec::with_capacity(files.len());
        let mut seen = HashSet::new();
        for file in &files {
            if !seen.insert(file.path.as_str()) {
                return Err(Error::ConflictingDefinition(format!(
                    "two of the datasets would get the same file '{}' in datastore '{}'; the file \
                     template must tell them apart",
                    file.path, self.datastore.shared.name
                )));
            }
            targets.push(root.join_in_store(&file.path)?);
        }
        self.take_over(&files).await?;
        let all: Vec<usize> = (0..files.len()).collect();
        let taken = self.write(&files, &targets, &all, false).await?;
        if taken.is_empty() {
            return Ok(());
        }
        // Files are in the way. Those which no dataset has are left over from a crash.
        let paths: Vec<Arc<str>> = taken
            .iter()
            .map(|&i| files[i].path.as_str().into())
            .collect();
        let shared = &self.datastore.shared;
        let live = shared
            .registry
            .live_file_paths(&shared.table, &shared.name, &paths)
            .await?;
        if let Some((path, id)) = live.iter().next() {
            return Err(Error::ConflictingDefinition(format!(
                "the file '{path}' in datastore '{}' belongs to dataset {id}; remove that dataset \
                 first",
                shared.name
            )));
        }
        self.write(&files, &targets, &taken, true).await?;
        Ok(())
    }

    /// Takes the files' places from datasets in the trash, so that nobody who empties it deletes the
    /// new files; waits for those who are deleting the old ones.
    async fn take_over(&self, files: &[Incoming]) -> Result<()> {
        let shared = &self.datastore.shared;
        let paths: Vec<Arc<str>> = files.iter().map(|file| file.path.as_str().into()).collect();
        let give_up = Instant::now() + LONGEST_WAIT;
        let mut pause = SHORTEST_PAUSE;
        loop {
            let places = shared
                .registry
                .take_over_paths(&shared.table, &shared.name, &paths)
                .await?;
            if places == TakeOver::Free {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err(Error::Interrupted(format!(
                    "datastore '{}' still has files of removed datasets where new ones are to go, \
                     and somebody is deleting them, or began to less than an hour ago; try again \
                     later",
                    shared.name
                )));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Writes some of the files and tells which have something in their way.
    async fn write(
        &mut self,
        files: &[Incoming],
        targets: &[ResourcePath],
        chosen: &[usize],
        overwrite: bool,
    ) -> Result<Vec<usize>> {
        let resources = self.datastore.shared.resources.clone();
        let mut outcomes: Vec<(usize, Result<Transferred>)> = Vec::new();
        let mut modes: Vec<(TransferMode, Vec<usize>)> = Vec::new();
        let mut contents = Vec::new();
        let mut fetched = Vec::new();
        for &i in chosen {
            match &files[i].content {
                Content::Bytes(data) => contents.push((i, data.clone())),
                Content::File(_, mode) => match modes.iter_mut().find(|(m, _)| m == mode) {
                    Some((_, members)) => members.push(i),
                    None => modes.push((*mode, vec![i])),
                },
                Content::Fetched { reader, uri, size } => {
                    let (reader, uri, size) = (Arc::clone(reader), uri.clone(), *size);
                    let (resources, target) = (resources.clone(), targets[i].clone());
                    let fetch = async move {
                        (
                            i,
                            fetch(&resources, &*reader, &uri, size, &target, overwrite).await,
                        )
                    };
                    fetched.push(fetch.boxed());
                }
            }
        }
        let mut writes = futures::stream::iter(contents)
            .map(|(i, data)| {
                let (resources, target) = (&resources, &targets[i]);
                async move {
                    let done = resources.write(target, data, overwrite).await;
                    let done = done.map(|()| Transferred::Done(TransferMode::Copy));
                    (i, done.map_err(Error::from))
                }
            })
            .buffer_unordered(WORKERS);
        while let Some(outcome) = writes.next().await {
            outcomes.push(outcome);
        }
        drop(writes);
        let mut fetches = futures::stream::iter(fetched).buffer_unordered(WORKERS);
        while let Some(outcome) = fetches.next().await {
            outcomes.push(outcome);
        }
        drop(fetches);
        for (mode, members) in modes {
            let pairs: Vec<(ResourcePath, ResourcePath)> = members
                .iter()
                .filter_map(|&i| match &files[i].content {
                    Content::File(from, _) => Some((from.clone(), targets[i].clone())),
                    Content::Bytes(_) | Content::Fetched { .. } => None,
                })
                .collect();
            let done = resources.transfer_many(&pairs, mode, overwrite).await;
            let done = done.into_iter().map(|done| done.map_err(Error::from));
            outcomes.extend(members.into_iter().zip(done));
        }
        let mut taken = Vec::new();
        let mut failed = None;
        for (i, outcome) in outcomes {
            let path: Arc<str> = files[i].path.as_str().into();
            let uri = targets[i].clone();
            match (outcome, &files[i].content) {
                (Ok(Transferred::SameFile), _) => {}
                (Ok(Transferred::Done(TransferMode::Move)), Content::File(from, _)) => {
                    let from = from.clone();
                    self.undo.push(Undo::MoveBack { path, uri, from });
                }
                (Ok(Transferred::Done(_)), _) => self.undo.push(Undo::Remove { path, uri }),
                (Err(Error::FileExists(_)), _) if !overwrite => taken.push(i),
                (Err(error), _) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(taken),
        }
    }

    /// Writes locations and records.
    pub(in super::super) async fn record(
        &self,
        transaction: &mut RegistryTransaction,
    ) -> Result<()> {
        let shared = &self.datastore.shared;
        for (records, mode) in [
            (&self.insert, RecordMode::Insert),
            (&self.replace, RecordMode::Replace),
        ] {
            let mut seen = HashSet::with_capacity(records.len());
            let ids: Vec<DatasetId> = records
                .iter()
                .map(|(id, _)| *id)
                .filter(|id| seen.insert(*id))
                .collect();
            if ids.is_empty() {
                continue;
            }
            let known_is_fine = mode != RecordMode::Insert;
            transaction
                .insert_locations(&shared.name, &ids, known_is_fine)
                .await?;
            transaction
                .insert_file_records(&shared.table, records, mode)
                .await?;
        }
        Ok(())
    }

    /// As [`undo`](Self::undo), for when there is another error to report.
    pub(super) async fn undo_all(&mut self) {
        if let Err(error) = self.take_back().await {
            tracing::warn!(%error, "not all files could be taken back; they stay as orphans");
        }
    }

    /// Takes back what was done to files.
    pub(in super::super) async fn undo(mut self) -> Result<()> {
        self.take_back().await
    }

    async fn take_back(&mut self) -> Result<()> {
        let steps = std::mem::take(&mut self.undo);
        if steps.is_empty() {
            return Ok(());
        }
        let shared = &self.datastore.shared;
        // Another writer may have got hold of the same path, or a commit may have succeeded that
        // seemed to fail.
        let paths: Vec<Arc<str>> = steps.iter().map(|step| Arc::clone(step.path())).collect();
        let live = shared
            .registry
            .live_file_paths(&shared.table, &shared.name, &paths)
            .await?;
        let mut outcome = Ok(());
        let mut removed = Vec::new();
        let mut moved = Vec::new();
        for step in steps {
            if live.contains_key(&**step.path()) {
                continue;
            }
            match step {
                Undo::Remove { uri, .. } => removed.push(uri),
                Undo::MoveBack { uri, from, .. } => moved.push((uri, from)),
            }
        }
        for done in shared.resources.delete_many(&removed).await {
            match done {
                Err(error) if !error.is_not_found() => outcome = outcome.and(Err(error.into())),
                _ => {}
            }
        }
        for done in shared
            .resources
            .transfer_many(&moved, TransferMode::Move, false)
            .await
        {
            if let Err(error) = done {
                outcome = outcome.and(Err(error.into()));
            }
        }
        outcome
    }
}

/// Brings a file in through a temporary one, so that its place never holds a part of it.
async fn fetch(
    resources: &Resources,
    reader: &dyn SourceReader,
    uri: &str,
    size: Option<u64>,
    target: &ResourcePath,
    overwrite: bool,
) -> Result<Transferred> {
    // Refuse before a needless download.
    if !overwrite && resources.exists(target).await? {
        return Err(Error::FileExists(target.to_string()));
    }
    let directory = resources.temporary_directory();
    let directory = tempfile::Builder::new()
        .prefix("butler-")
        .tempdir_in(&directory)
        .map_err(|error| Error::io(directory, error))?;
    let copy = directory.path().join("fetched");
    reader.fetch(uri, size, &copy).await?;
    let copy = ResourcePath::from_local(&copy)?;
    Ok(resources
        .transfer(&copy, target, TransferMode::Move, overwrite)
        .await?)
}

impl FileDatastore {
    /// The sizes of files in bytes, in the given order.
    pub(super) async fn sizes(&self, uris: &[ResourcePath]) -> Result<Vec<u64>> {
        if uris.iter().all(ResourcePath::is_local) {
            let batches: Vec<Vec<ResourcePath>> =
                uris.chunks(STAT_BATCH).map(<[_]>::to_vec).collect();
            let sizes: Vec<Vec<u64>> = futures::stream::iter(batches)
                .map(|batch| async move {
                    blocking(move || batch.iter().map(local_size).collect::<Result<Vec<_>>>())
                        .await?
                })
                .buffered(4)
                .try_collect()
                .await?;
            return Ok(sizes.into_iter().flatten().collect());
        }
        let resources = &self.shared.resources;
        futures::stream::iter(uris.to_vec())
            .map(|uri| async move { Ok(resources.size(&uri).await?) })
            .buffered(WORKERS)
            .try_collect()
            .await
    }

    /// The checksums of files, if they are wanted, in the given order.
    pub(super) async fn checksums(&self, uris: &[ResourcePath]) -> Result<Vec<Option<String>>> {
        let Some(algorithm) = self.shared.checksum else {
            return Ok(vec![None; uris.len()]);
        };
        let resources = &self.shared.resources;
        futures::stream::iter(uris.to_vec())
            .map(|uri| async move { Ok(Some(resources.checksum(&uri, algorithm).await?)) })
            .buffered(WORKERS)
            .try_collect()
            .await
    }
}

fn local_size(uri: &ResourcePath) -> Result<u64> {
    let path = uri.local_path().unwrap_or_default();
    match std::fs::metadata(&path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::FileNotFound(uri.to_string()))
        }
        Err(error) => Err(Error::io(path, error)),
    }
}
