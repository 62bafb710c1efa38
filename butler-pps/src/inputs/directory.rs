//! A directory that is looked at now and then for batch files (JSON) and lists of datasets (CSV).
//!
//! A batch file is what the Butler writer writes: `{"batch_id": …, "datasets": [UUID, …]}`, with an
//! `"origin"` if it is not Prompt Processing. A list has a header with a column `id` (or
//! `dataset_id`), and perhaps `origin`. Files are read once; one that was changed has to get another
//! name. Files that cannot be understood are remembered with what is wrong with them.

use butler_core::error::{Error, Result};
use butler_direct::resource::{ResourcePath, Resources};
use futures::TryStreamExt as _;
use serde::Deserialize;
use uuid::Uuid;

use super::{Registered, Registrar};
use crate::state::{InputFile, Origin};

/// Names of files in one query.
const BATCH: usize = 1_000;

/// Datasets that one file names, by who made them.
type Named = Vec<(Origin, Vec<Uuid>)>;

#[derive(Debug, Deserialize)]
struct BatchFile {
    datasets: Vec<Uuid>,
    origin: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ListLine {
    #[serde(alias = "dataset_id", alias = "uuid")]
    id: Uuid,
    origin: Option<String>,
}

impl Registrar {
    /// Reads the files of a directory that have not been read yet, the oldest (by name) first.
    ///
    /// # Errors
    /// The directory, a repository or the state database cannot be reached. What was read until then
    /// is done.
    pub async fn read_directory(
        &self,
        resources: &Resources,
        directory: &ResourcePath,
    ) -> Result<Registered> {
        let mut files: Vec<ResourcePath> = resources
            .store(directory)
            .list(directory)
            .try_filter_map(|info| async move { Ok(format(&info.uri).map(|_| info.uri)) })
            .try_collect()
            .await?;
        files.sort_by_cached_key(ToString::to_string);
        let mut total = Registered::default();
        for batch in files.chunks(BATCH) {
            let uris: Vec<String> = batch.iter().map(ToString::to_string).collect();
            let read = self.state().input_files(&uris).await?;
            for (file, uri) in batch.iter().zip(uris) {
                if !read.iter().any(|known| known.uri == uri) {
                    total.add(self.read_file(resources, file).await?);
                }
            }
        }
        Ok(total)
    }

    /// Reads a batch file or list of datasets.
    ///
    /// # Errors
    /// The file, a repository or the state database cannot be reached. A file that cannot be
    /// understood is no error, but remembered.
    pub async fn read_file(
        &self,
        resources: &Resources,
        file: &ResourcePath,
    ) -> Result<Registered> {
        let data = resources.read(file).await?;
        let mut registered = Registered::default();
        let mut note = InputFile {
            uri: file.to_string(),
            read: self.clock().now(),
            datasets: 0,
            error: None,
        };
        match named(file, &data) {
            Ok(named) => {
                for (origin, ids) in named {
                    note.datasets += i64::try_from(ids.len()).unwrap_or(i64::MAX);
                    registered.add(self.register(&ids, origin).await?);
                }
            }
            Err(error) => {
                tracing::warn!(%file, %error, "a file of the input cannot be understood");
                note.error = Some(error.to_string());
            }
        }
        self.state().add_input_file(&note).await?;
        Ok(registered)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Batch,
    List,
}

/// What a file is by its name; none for files that are no input.
fn format(file: &ResourcePath) -> Option<Format> {
    match file.extension() {
        ".json" => Some(Format::Batch),
        ".csv" => Some(Format::List),
        _ => None,
    }
}

fn named(file: &ResourcePath, data: &[u8]) -> Result<Named> {
    let wrong = |why: String| Error::corrupt(file.to_string(), why);
    let origin = |name: Option<&str>| match name {
        None | Some("") => Ok(Origin::PromptProcessing),
        Some(name) => name.parse::<Origin>(),
    };
    match format(file) {
        Some(Format::Batch) => {
            let batch: BatchFile =
                serde_json::from_slice(data).map_err(|error| wrong(error.to_string()))?;
            Ok(vec![(origin(batch.origin.as_deref())?, batch.datasets)])
        }
        Some(Format::List) => {
            let mut lines = csv::ReaderBuilder::new()
                .trim(csv::Trim::All)
                .comment(Some(b'#'))
                .from_reader(data);
            let mut named: Named = Vec::new();
            for line in lines.deserialize() {
                let line: ListLine = line.map_err(|error| wrong(error.to_string()))?;
                let of = origin(line.origin.as_deref())?;
                match named.iter_mut().find(|(known, _)| *known == of) {
                    Some((_, ids)) => ids.push(line.id),
                    None => named.push((of, vec![line.id])),
                }
            }
            Ok(named)
        }
        None => Err(wrong("neither .json nor .csv".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: &str = "b8e9d6b8-d961-4eea-bfa0-2dae310df6cf";

    fn read(name: &str, text: &str) -> Result<Named> {
        named(&ResourcePath::new(name).unwrap(), text.as_bytes())
    }

    #[test]
    fn batch_files_and_lists_name_datasets() {
        let expected = vec![(Origin::PromptProcessing, vec![ID.parse().unwrap()])];
        let batch = format!(r#"{{"batch_id": "x", "datasets": ["{ID}"]}}"#);
        assert_eq!(read("/in/a.json", &batch).unwrap(), expected);
        let list = format!("dataset_type,id\nraw,{ID}\n");
        assert_eq!(read("/in/a.csv", &list).unwrap(), expected);
    }

    #[test]
    fn lists_may_tell_origins() {
        let list = format!("id, origin\n{ID}, catchup\n");
        assert_eq!(
            read("/in/a.csv", &list).unwrap(),
            vec![(Origin::Catchup, vec![ID.parse().unwrap()])]
        );
    }

    #[test]
    fn what_is_neither_is_an_error_that_names_the_file() {
        for (name, text) in [
            ("/in/a.json", "[]"),
            ("/in/a.csv", "name\nx\n"),
            ("/in/a.csv", "id\nnonsense\n"),
            ("/in/a.json", r#"{"datasets": [], "origin": "elsewhere"}"#),
        ] {
            let said = read(name, text).unwrap_err().to_string();
            assert!(said.contains(name) || said.contains("elsewhere"), "{said}");
        }
    }
}
